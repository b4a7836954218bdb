// A value as the sum of its taps.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::kernels {
using namespace lanes;

// sum of c[t] x[t][p] over N taps, in this order whatever the lane.
template <class V, int N>
LOPSAR_HD V weighted_sum(const value_t<V>* const* x, const V* c, std::size_t p) {
  V sum = c[0] * io<V>::load_any(x[0] + p);
  LOPSAR_UNROLL for (int t = 1; t < N; ++t) sum = madd(c[t], io<V>::load_any(x[t] + p), sum);
  return sum;
}

}  // namespace lopsar::kernels
