// Forward and adjoint of the network on one lane of pixels.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::kernels {
using namespace lanes;

// y = x[second] - x[first]; a null row is the reference, whose phase is 0.
template <class V>
LOPSAR_HD V difference(const value_t<V>* first, const value_t<V>* second) {
  const V zero(value_t<V>(0));
  return (second ? io<V>::load_any(second) : zero) - (first ? io<V>::load_any(first) : zero);
}

// x = sum of y over the pairs at a date, minus where the date comes first (~k).
template <class V>
LOPSAR_HD V divergence(const int* incident, int n, const value_t<V>* y, std::size_t stride) {
  V sum(value_t<V>(0));
  for (int a = 0; a < n; ++a) {
    const int k = incident[a];
    if (k >= 0) sum = sum + io<V>::load_any(y + static_cast<std::size_t>(k) * stride);
    else sum = sum - io<V>::load_any(y + static_cast<std::size_t>(~k) * stride);
  }
  return sum;
}

}  // namespace lopsar::kernels
