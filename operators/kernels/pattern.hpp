// One row of a sparse matrix times a block, on one lane of pixels.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::kernels {
using namespace lanes;

// The terms of one row that share a factor: sum_e coefficient[e] x[column[e]], e < n.
template <class V>
LOPSAR_HD V terms(int n, const int* column, const value_t<V>* coefficient, const value_t<V>* x, std::size_t stride) {
  V sum(value_t<V>(0));
  for (int e = 0; e < n; ++e) sum = madd(V(coefficient[e]), io<V>::load_any(x + static_cast<std::size_t>(column[e]) * stride), sum);
  return sum;
}

}  // namespace lopsar::kernels
