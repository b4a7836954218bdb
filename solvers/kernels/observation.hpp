// One observation as `solve` takes it: NaN or weight 0 is missing.
#pragma once
#include <lopsar/solvers/kernels/edge_flow.hpp>

namespace lopsar::kernels {

// Weights that the arithmetic of T carries with room for pseudo-edges and sums.
template <class T>
inline constexpr T smallest_weight = sizeof(T) == 4 ? T(1e-18f) : T(1e-100);
template <class T>
inline constexpr T largest_weight = sizeof(T) == 4 ? T(1e18f) : T(1e100);
template <class T>
inline constexpr T largest_flow = sizeof(T) == 4 ? T(1e30f) : T(1e200);  // weight times datum

// Numbers on their way to the precision T: infinite beyond its range, where a conversion is undefined.
template <class T, class V>
LOPSAR_HD V within(V value) {
  using S = value_t<V>;
  if constexpr (sizeof(T) >= sizeof(S)) return value;
  else return choose(magnitude(value) > V(S(3.40282347e+38f)), value * V(S(1) / S(0)), value);
}
// What is not 0 stays so, too: a weight that vanished would pass for a missing observation.
template <class T, class V>
LOPSAR_HD V kept(V value) {
  using S = value_t<V>;
  if constexpr (sizeof(T) >= sizeof(S)) return value;
  else {
    const V zero(S(0)), least(S(1.17549435e-38f)), size = magnitude(value);
    return choose((size > zero) & (size < least), choose(value < zero, zero - least, least), within<T>(value));
  }
}

// Oriented datum, weight and whether both are there. sign: orientation of the pair in the elimination. *flaw becomes 1 where the observation is
// present but unusable: y infinite or beyond 5e29, a weight negative, infinite or outside the range above, or too large a product of both.
template <class V>
LOPSAR_HD V observation(V y, V weight, value_t<V> sign, value_t<V>* flaw, V& w, mask_t<V>& usable) {
  using T = value_t<V>;
  const V zero(T(0));
  const V size = magnitude(y);
  usable = (size < V(T(missing_limit))) & (weight >= V(smallest_weight<T>)) & (weight <= V(largest_weight<T>)) & (size * weight < V(largest_flow<T>));
  // Comparisons with NaN are false: a NaN is neither usable nor a flaw.
  const auto unusable = (size >= zero) & (magnitude(weight) > zero) & !usable;
  if (some(unusable)) io<V>::store(flaw, choose(unusable, V(T(1)), io<V>::load(flaw)));
  w = choose(usable, weight, zero);
  return choose(usable, y * V(sign), V(T(missing)));
}

}  // namespace lopsar::kernels
