// Edge flow: elimination of the dates of a weighted interferogram network without subtraction of weights.
//
//   eliminate v:  d = sum_i w_iv,  l_i = w_iv / d,  c_v = sum_i t_(i->v) / d
//                 for neighbors i, j:  w_ij += l_i w_jv,  t_(i->j) += l_j t_(i->v) - l_i t_(j->v)
//   back:         x_v = c_v + sum_i l_i x_i
//
// w >= 0 is the weight of an edge, t = w y its flow. Every weight is a sum of products of non-negative numbers, so each keeps
// full relative accuracy whatever the conditioning (as subtraction-free elimination of M-matrices: Pena, ETNA 2004).
// Arithmetic on V only: no pixel loop, no allocation, no device.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>
#include <lopsar/solvers/kernels/phasor_sum.hpp>
#include <lopsar/solvers/kernels/system.hpp>

namespace lopsar::kernels {
using namespace lanes;

// Data of a missing observation (its weight is 0): finite, so that 0 * missing = 0, and far from any phase.
inline constexpr float missing = 1e30f;
inline constexpr float missing_limit = 5e29f;

// Pseudo-edges have this weight relative to the pixel's smallest one. Harmless in the arithmetic (nothing is subtracted), small
// enough that they decide only what no data decide; in double so small that they cannot be seen in the 15th digit.
template <class T>
inline constexpr T pseudo_weight = sizeof(T) == 4 ? T(1e-10) : T(1e-18);
// A pivot hangs on data if d > pivot_threshold * w_min: it is at least w_min/(D-1) then, else at most (D-1) pseudo_weight w_min.
inline constexpr double pivot_threshold = 1e-5;

// The symbolic work of one network, done once (solvers/edge_flow.cpp); all pixels run the same program.
// I = int16_t, or int32_t where 15 bits do not hold the indices.
//   merge       [slot in, slot out, pair] per further interferogram between two dates already joined by another one
//   eliminate   per eliminated date: m, then [slot, pair or -1] per neighbor, then [slot in, slot out] per pair of neighbors
//   pseudo      per neighbor in the same order: pseudo-edge coefficient of that edge, 0 where there is none
//   substitute  per date in reverse order: date, m, residuals, then the m neighbors
//   residual    [pair, date] per residual; ~pair where the file has the pair the other way round
// Slot 0 is always zero: what is read before its first write. Neighbors are sorted by elimination order and flows point to the
// date eliminated earlier, so no update carries a sign.
template <class I>
struct EdgeFlowProgram {
  int dates, root, eliminated, merges;
  const I* merge;
  const I* eliminate;
  const I* substitute;
  const I* residual;
};

template <class V, int M, class I, class Data, class Slots, class Factors>
LOPSAR_HD const I* eliminate(const I* op, const value_t<V>* pseudo, V w_min, Data y, Data w, Slots slots, Factors factors, std::ptrdiff_t& at,
                             V& pivot) {
  using T = value_t<V>;
  const V zero(T(0));
  V wv[M], tv[M], l[M], d = zero, f = zero;
  LOPSAR_UNROLL for (int a = 0; a < M; ++a, op += 2) {
    const std::ptrdiff_t s = 2 * std::ptrdiff_t(op[0]);
    wv[a] = madd(w_min, V(pseudo[a]), slots[s]);
    tv[a] = slots[s + 1];
    if (const std::ptrdiff_t k = op[1]; k >= 0) {
      const V wk = w[k];
      wv[a] = wv[a] + wk;
      tv[a] = madd(wk, y[k], tv[a]);
    }
    d = d + wv[a];
    f = f + tv[a];
  }
  const V inverse = choose(d > zero, V(T(1)) / d, zero);
  factors.set(at++, f * inverse);
  LOPSAR_UNROLL for (int a = 0; a < M; ++a) {
    l[a] = wv[a] * inverse;
    factors.set(at++, l[a]);
  }
  LOPSAR_UNROLL for (int a = 0; a < M; ++a) {
    LOPSAR_UNROLL for (int b = a + 1; b < M; ++b, op += 2) {
      const std::ptrdiff_t in = 2 * std::ptrdiff_t(op[0]), out = 2 * std::ptrdiff_t(op[1]);
      slots.set(out, madd(l[a], wv[b], slots[in]));
      slots.set(out + 1, madd(l[a], tv[b], nmadd(l[b], tv[a], slots[in + 1])));
    }
  }
  pivot = d;
  return op;
}

// Any degree: the neighbors pass through memory (3 rows each) instead of registers.
template <class V, class I, class Data, class Slots, class Factors>
LOPSAR_HD const I* eliminate_any(const I* op, int m, const value_t<V>* pseudo, V w_min, Data y, Data w, Slots slots, Factors factors, Slots neighbors,
                                 std::ptrdiff_t& at, V& pivot) {
  using T = value_t<V>;
  const V zero(T(0));
  V d = zero, f = zero;
  for (int a = 0; a < m; ++a, op += 2) {
    const std::ptrdiff_t s = 2 * std::ptrdiff_t(op[0]);
    V wa = madd(w_min, V(pseudo[a]), slots[s]), ta = slots[s + 1];
    if (const std::ptrdiff_t k = op[1]; k >= 0) {
      const V wk = w[k];
      wa = wa + wk;
      ta = madd(wk, y[k], ta);
    }
    d = d + wa;
    f = f + ta;
    neighbors.set(3 * a, wa);
    neighbors.set(3 * a + 1, ta);
  }
  const V inverse = choose(d > zero, V(T(1)) / d, zero);
  factors.set(at++, f * inverse);
  for (int a = 0; a < m; ++a) {
    const V l = neighbors[3 * a] * inverse;
    neighbors.set(3 * a + 2, l);
    factors.set(at++, l);
  }
  for (int a = 0; a < m; ++a) {
    const V la = neighbors[3 * a + 2], ta = neighbors[3 * a + 1];
    for (int b = a + 1; b < m; ++b, op += 2) {
      const std::ptrdiff_t in = 2 * std::ptrdiff_t(op[0]), out = 2 * std::ptrdiff_t(op[1]);
      slots.set(out, madd(la, neighbors[3 * b], slots[in]));
      slots.set(out + 1, madd(la, neighbors[3 * b + 1], nmadd(neighbors[3 * b + 2], ta, slots[in + 1])));
    }
  }
  pivot = d;
  return op;
}

// x_v = x_m + (c + sum over the others of l_i (x_i - x_m)): the rows of l sum to 1 only up to rounding, which the plain sum would
// multiply by |x| on every date.
template <class V, int M, class I, class Factors, class Rows>
LOPSAR_HD V substitute(const I* neighbor, Factors factors, Rows x, std::ptrdiff_t at) {
  V c = factors[at];
  const V last = x[neighbor[M - 1]];
  LOPSAR_UNROLL for (int a = 0; a < M - 1; ++a) c = madd(factors[at + 1 + a], x[neighbor[a]] - last, c);
  return last + c;
}
template <class V, class I, class Factors, class Rows>
LOPSAR_HD V substitute_any(const I* neighbor, int m, Factors factors, Rows x, std::ptrdiff_t at) {
  V c = factors[at];
  if (m == 0) return c;  // a date without pairs
  const V last = x[neighbor[m - 1]];
  for (int a = 0; a < m - 1; ++a) c = madd(factors[at + 1 + a], x[neighbor[a]] - last, c);
  return last + c;
}

// Degrees 1..10 have bodies of their own (registers instead of memory, 8-14 % of the whole); beyond, and for 32-bit programs, loops.
// A sanitized build takes minutes for ten of them, and finds the same in three.
#if defined(__SANITIZE_ADDRESS__)
#define LOPSAR_DEGREES(F) F(1) F(2) F(3)
#else
#define LOPSAR_DEGREES(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10)
#endif

// What a pixel's solve yields beside x.
template <class V>
struct EdgeFlowResult {
  V rank;     // pivots that hang on data
  V quality;  // sum of w e^2, or temporal coherence
};

enum class Quality { residual_norm, temporal_coherence };

// Solves one lane of pixels. y, w: rows of oriented data and weights (0 = missing, y = `missing`); w_min: smallest positive weight;
// count: valid observations; slots, factors, neighbors: scratch rows; x: row per date, the root's is 0.
// meanwhile() is called at every date, twice: work to be spread over the solve.
// Per pixel: reads 8K bytes twice (second time from the tile), writes 4D.
template <class V, Quality Q, class I, class Data, class Slots, class Factors, class Rows, class Meanwhile = NoWork>
LOPSAR_HD EdgeFlowResult<V> edge_flow(const EdgeFlowProgram<I>& program, const value_t<V>* pseudo, Data y, Data w, V w_min, V count, Slots slots,
                                      Factors factors, Slots neighbors, Rows x, Meanwhile&& meanwhile = {}) {
  using T = value_t<V>;
  constexpr bool small = sizeof(I) == 2;
  const V zero(T(0)), one(T(1)), threshold = w_min * V(T(pivot_threshold));
  V rank = zero;
  slots.set(0, zero);
  slots.set(1, zero);
  // Merging comes first: a slot that it opens is written here and read when its date is eliminated.
  const I* op = program.merge;
  for (int q = 0; q < program.merges; ++q, op += 3) {
    const std::ptrdiff_t in = 2 * std::ptrdiff_t(op[0]), out = 2 * std::ptrdiff_t(op[1]), k = op[2];
    const V wk = w[k];
    slots.set(out, slots[in] + wk);
    slots.set(out + 1, madd(wk, y[k], slots[in + 1]));
  }
  op = program.eliminate;
  std::ptrdiff_t at = 0;
  for (int q = 0; q < program.eliminated; ++q) {
    meanwhile();
    const int m = *op++;
    V pivot;
    if (small) switch (m) {
#define F(M) \
  case M: op = eliminate<V, M>(op, pseudo, w_min, y, w, slots, factors, at, pivot); break;
        LOPSAR_DEGREES(F)
#undef F
        default: op = eliminate_any<V>(op, m, pseudo, w_min, y, w, slots, factors, neighbors, at, pivot);
      }
    else op = eliminate_any<V>(op, m, pseudo, w_min, y, w, slots, factors, neighbors, at, pivot);
    pseudo += m;
    rank = rank + choose(pivot > threshold, one, zero);
  }

  x.set(program.root, zero);
  PhasorSum<V> phasors;
  V squares = zero;
  [[maybe_unused]] const V limit(T{missing_limit});
  const I* back = program.substitute;
  const I* e = program.residual;
  for (int q = 0; q < program.eliminated; ++q) {
    meanwhile();
    const int v = back[0], m = back[1], residuals = back[2];
    back += 3;
    at -= m + 1;
    V xv;
    if (small) switch (m) {
#define F(M) \
  case M: xv = substitute<V, M>(back, factors, x, at); break;
        LOPSAR_DEGREES(F)
#undef F
        default: xv = substitute_any<V>(back, m, factors, x, at);
      }
    else xv = substitute_any<V>(back, m, factors, x, at);
    back += m;
    x.set(v, xv);
    for (int a = 0; a < residuals; ++a, e += 2) {
      const std::ptrdiff_t turned = e[0] < 0 ? -1 : 0, k = e[0] ^ turned;  // ~pair or pair
      const V r = y[k] - (xv - x[e[1]]);
      if constexpr (Q == Quality::temporal_coherence) phasors.add(r, turned != 0);
      else {
        const V present = choose(r < limit, r, zero);
        squares = madd(w[k] * present, present, squares);
      }
    }
  }
  if constexpr (Q == Quality::temporal_coherence) squares = phasors.mean_length(count, choose(count > zero, one / count, zero));
  return {rank, squares};
}
#undef LOPSAR_DEGREES

// sqrt(sum of w e^2) of a solution x where that sum leaves the range of the arithmetic.
template <class V, class I, class Data, class Rows>
LOPSAR_HD V residual_norm(const EdgeFlowProgram<I>& program, Data y, Data w, Rows x) {
  const V zero(value_t<V>(0)), limit(value_t<V>{missing_limit});
  return norm_of<V>([&](auto use) {
    const I* back = program.substitute;
    const I* e = program.residual;
    for (int q = 0; q < program.eliminated; ++q) {
      const V xv = x[back[0]];
      const int m = back[1], residuals = back[2];
      back += 3 + m;
      for (int a = 0; a < residuals; ++a, e += 2) {
        const std::ptrdiff_t k = e[0] < 0 ? ~e[0] : e[0];
        const V r = y[k] - (xv - x[e[1]]);
        use(choose(r < limit, root(w[k]) * r, zero));
      }
    }
  });
}

// Which dates data tie to the root, from the factors of a solve without pseudo-edges: 1 where x is determined, 0 where not.
// It is the same substitution with c = 0 and 1 at the root: rows of l sum to 1 in the root's component, and to 0 in others,
// because the last date of every other component has pivot 0 exactly.
template <class V, class I, class Factors, class Rows>
LOPSAR_HD void determined(const EdgeFlowProgram<I>& program, int factor_rows, Factors factors, Rows u) {
  using T = value_t<V>;
  u.set(program.root, V(T(1)));
  const I* back = program.substitute;
  std::ptrdiff_t at = factor_rows;
  for (int q = 0; q < program.eliminated; ++q) {
    const int v = back[0], m = back[1];
    back += 3;
    at -= m + 1;
    V sum(T(0));
    for (int a = 0; a < m; ++a) sum = madd(factors[at + 1 + a], u[back[a]], sum);
    back += m;
    u.set(v, choose(sum > V(T(0.5)), V(T(1)), V(T(0))));
  }
}

// Smallest number of valid interferograms on any date but `exempt`. incident: per date: n, then n pairs.
template <class V, class I, class Data>
LOPSAR_HD V least_redundancy(const I* incident, int dates, int exempt, Data w) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  V least(T(1e9));
  for (int v = 0; v < dates; ++v) {
    const int n = *incident++;
    V count = zero;
    for (int a = 0; a < n; ++a) count = count + choose(w[incident[a]] > zero, one, zero);
    incident += n;
    if (v != exempt) least = choose(count < least, count, least);
  }
  return least;
}

}  // namespace lopsar::kernels
