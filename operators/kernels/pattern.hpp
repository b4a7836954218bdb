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

// Two rows of terms with the same columns: x is read once.
template <class V>
LOPSAR_HD void terms_of_two(int n, const int* column, const value_t<V>* first, const value_t<V>* second, const value_t<V>* x, std::size_t stride,
                            V& a, V& b) {
  a = b = V(value_t<V>(0));
  for (int e = 0; e < n; ++e) {
    const V value = io<V>::load_any(x + static_cast<std::size_t>(column[e]) * stride);
    a = madd(V(first[e]), value, a);
    b = madd(V(second[e]), value, b);
  }
}

}  // namespace lopsar::kernels
