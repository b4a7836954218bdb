// One observation of the job: gaps, reference phase and the weight from coherence (inversion/weights.hpp has the definitions).
#pragma once
#include <lopsar/solvers/kernels/edge_flow.hpp>

namespace lopsar::kernels {

// Of MintPy's variance table only bins first_table_bin .. variance_bins - 1 are held: the floor of 0.05 lies in bin 9.
inline constexpr int first_table_bin = 8;

// Bin of the table, trunc((g - 0.0025) / 0.005) evaluated in float64 there, less first_table_bin, for g in [0.05, 0.9975]; the
// table cuts off fractions. In float 200 g - 8.5 rounded downwards has the right integer part. Without that rounding: a guess, at
// most one too high, corrected by the exact sign of 200 g - 8.5 - guess. One fused multiply-add gives that
// sign; without the instruction g is cut into two numbers of 12 bits (Dekker), whose products with 200 are exact.
// No float in the range gets another bin (tests/inversion/test_weights.cpp).
template <class V>
LOPSAR_HD V variance_bin(V g) {
  using T = value_t<V>;
  if constexpr (sizeof(T) == 8) return truncate((g - V(T(0.0025))) / V(T(0.005))) - V(T(first_table_bin));
  else {
    constexpr T offset = T(first_table_bin + 0.5);
    if constexpr (has_madd_down<V>) return madd_down(g, V(T(200)), V(-offset));
    else {
      const V i = truncate(madd(g, V(T(200)), V(-offset)));
      V past;
      if constexpr (fused) past = madd(g, V(T(200)), V(-offset) - i);
      else {
        const V t = g * V(T(4097)), high = t - (t - g), low = g - high;
        past = (high * V(T(200)) - (i + V(offset))) + low * V(T(200));
      }
      return choose(past < V(T(0)), i - V(T(1)), i);
    }
  }
}

// The functions from coherence to weight. at_least gives NaN the floor.
template <class V>
struct VarianceWeight {
  using T = value_t<V>;
  Table<V> table;
  LOPSAR_HD explicit VarianceWeight(const T* t) : table(t) {}
  LOPSAR_HD V operator()(V coherence) const { return table(variance_bin(at_most(at_least(coherence, V(T(0.05))), V(T(0.9975))))); }
};
template <class V>
struct FisherWeight {
  using T = value_t<V>;
  T twice_looks;
  LOPSAR_HD V operator()(V coherence) const {
    const V g = at_most(at_least(coherence, V(T(0.05))), V(T(0.999)));
    return V(twice_looks) * g * g / ((V(T(1)) - g) * (V(T(1)) + g));  // 1 - g^2 would cancel
  }
};
template <class V>
struct CoherenceWeight {
  using T = value_t<V>;
  // The upper bound keeps the product with any phase finite.
  LOPSAR_HD V operator()(V coherence) const { return at_most(at_least(coherence, V(T(0.05))), V(T(1e6))); }
};
template <class V>
struct UnitWeight {
  LOPSAR_HD V operator()(V) const { return V(value_t<V>(1)); }
};

// sign*y - sign*reference, its weight and whether there is one. No datum: not finite, and, if zero_is_missing, y = 0 before or after referencing
// (MintPy's rule).
template <class V, class Weight>
LOPSAR_HD V referenced_phase(V y, V coherence, value_t<V> sign, value_t<V> offset, bool zero_is_missing, const Weight& weight, V& w,
                             mask_t<V>& valid) {
  using T = value_t<V>;
  const V d = madd(y, V(sign), V(offset));
  const V excluded(zero_is_missing ? T(0) : T(missing));  // no valid phase is `missing`
  valid = (y != excluded) & (d != excluded) & (magnitude(d) < V(T(missing_limit)));
  w = choose(valid, weight(coherence), V(T(0)));
  return choose(valid, d, V(T(missing)));
}

}  // namespace lopsar::kernels
