// Sums over the dates of a series, on one lane of pixels.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::kernels {
using namespace lanes;

// The sum with one term more.
template <class V>
LOPSAR_HD V summed(V sum, value_t<V> coefficient, V x) {
  return madd(V(coefficient), x, sum);
}

// x without its share of a total. A weight of zero takes nothing, not even from a NaN.
template <class V>
LOPSAR_HD V without(V x, value_t<V> weight, V total) {
  return weight == value_t<V>(0) ? x : nmadd(V(weight), total, x);
}

}  // namespace lopsar::kernels
