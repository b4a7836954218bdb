// Conjugate gradients on the normal equations, CGLS and LSQR with step lengths, stops and reports of each pixel's own, on one lane of pixels.
//
//   minimize |W^(1/2)(A x - y)|^2 + damp^2 |x|^2,    M: preconditioner, an approximation to A'W A + damp^2 I
//
// CG and CGLS: Hestenes and Stiefel, J. Res. NBS 49 (1952). LSQR: Paige and Saunders, ACM TOMS 8 (1982), 43-71; with a preconditioner in the form
// that needs products with M^-1 only: Arridge, Betcke and Harhanen, Inverse Problems 30 (2014). Damping stands as rows below the matrix, so that it
// acts on x whatever x0 and M are.
//
// Pixels are scaled by powers of two (data to 1, weights to 1; without a preconditioner |W^(1/2) A|_F to 1..2): the numbers are those without
// scaling, but float32 neither overflows nor vanishes. With a preconditioner every column may have a unit of its own: lengths of columns are kept,
// not their squares, and norms are those of columns of length 1. Residuals r and u are kept without W^(1/2), which saves the root. Lanes that have
// stopped keep their state: it is masked, not the coefficient, for 0 * NaN is NaN. Arithmetic on V only: no pixel loop, no allocation, no device.
#pragma once
#include <cstdint>
#include <cstring>

#include <lopsar/solvers/kernels/cholesky.hpp>
#include <lopsar/solvers/kernels/system.hpp>

namespace lopsar::kernels::krylov {

enum class Method { cg, cgls, lsqr };

// What all pixels have in common.
template <class T>
struct Problem {
  SystemMatrix<T> rows, columns;  // A and A'
  int observations;               // rows of A that are no priors
  T damp, atol, btol, conlim;     // the tolerances are at least the rounding unit
  bool variances, preconditioned;
};

// Why a pixel does not go on.
enum Stop : int { running = 0, converged = 1, broken = 2, ill_conditioned = 3, empty = 4 };

// One number per pixel.
//   gamma      CG, CGLS: s'M^-1 s; LSQR: alpha
//   scale      x and y are divided by it
//   weight     w is multiplied by it
//   norm       of the scaled residual in the unit of the caller
//   residual   CG, CGLS: |r|^2; LSQR: phi_bar
//   damp       as scaled
//   a_norm     |A|; with a preconditioner |A D^-1|, D the lengths of the columns of A: the root of `touched`
//   b_norm     |b|, CG: |A'b|, with a preconditioner |D^-1 A'b|; where that is 0, of the residual at x0
//   condition  trace of the estimate of (A'A)^-1; with a preconditioner that of D (A'A)^-1 D
//   touched    unknowns with an entry where there is an observation
enum Scalar : int { stop, iterations, scale, weight, norm, damp, a_norm, b_norm, gamma, beta, rho_bar, residual, condition, touched, scalar_rows };

// Rows of one lane of pixels. m rows: w, r (LSQR: u), t (scratch). n rows: x, p, s (= A'r; LSQR: alpha v before M^-1), length (of the columns, 0
// where nothing touches them), variances or none. Only with a preconditioner: z (scratch), v (LSQR). Only of LSQR with damping: d (the damping's part
// of u).
template <class Rows>
struct State {
  Rows values, w, r, t, x, p, s, z, v, d, length, variances, scalars;
};

// Where the norm of the residual goes after each iteration.
template <class Rows>
struct History {
  Rows rows;
  bool wanted;
  template <class V, class Mask>
  LOPSAR_HD void set(int iteration, Mask go, V value) const {
    if (wanted) rows.set(iteration, choose(go, value, rows[iteration]));
  }
};

// 1 / length of a column; 0 where nothing touches it.
template <class V>
LOPSAR_HD V inverse_length(V length) {
  const V zero(value_t<V>(0)), one(value_t<V>(1));
  return choose(length > zero, one / length, zero);
}

// z = M^-1 s. unit: s'M^-1 s is |D^-1 s|^2.
struct NoPreconditioner {
  static constexpr bool none = true, unit = false;
};
// Of the diagonal of the normal matrix, D^2.
template <class Rows>
struct DiagonalPreconditioner {
  static constexpr bool none = false, unit = true;
  Rows length;
  template <class V>
  LOPSAR_HD void solve(int n, Rows s, Rows z) const {
    for (int j = 0; j < n; ++j) {
      const V inverse = inverse_length<V>(length[j]);
      z.set(j, s[j] * inverse * inverse);
    }
  }
};

// Of a normal matrix that was factored. Where it is singular, its dependent unknowns get the diagonal of this one besides, so that the whole is
// positive definite.
template <class T, class Rows>
struct CholeskyPreconditioner {
  static constexpr bool none = false, unit = false;
  CholeskyProgram<T> program;
  Rows factors, length;
  template <class V>
  LOPSAR_HD void solve(int n, Rows s, Rows z) const {
    const V zero(T(0));
    for (int j = 0; j < n; ++j) z.set(j, s[j]);
    substitute<V>(program, factors, z);
    const int* op = program.forward;
    std::ptrdiff_t at = 0;
    for (int q = 0; q < n; ++q) {
      const int j = op[0], below = op[1];
      const V a = length[j];
      const auto dependent = (factors[at] <= zero) & (a > zero);
      if (some(dependent)) z.set(j, choose(dependent, z[j] + s[j] / a / a, z[j]));
      op += 2 + below;
      at += 2 + below;
    }
  }
};

// Largest power of two not above a; 1 where a is not positive.
LOPSAR_HD float power_of_two(float a) {
  std::uint32_t bits;
  std::memcpy(&bits, &a, sizeof a);
  bits &= 0x7f800000u;
  std::memcpy(&a, &bits, sizeof a);
  return a > 0 && a < 3.4e38f ? a : 1.f;
}
LOPSAR_HD double power_of_two(double a) {
  std::uint64_t bits;
  std::memcpy(&bits, &a, sizeof a);
  bits &= 0x7ff0000000000000u;
  std::memcpy(&a, &bits, sizeof a);
  return a > 0 && a < 1.7e308 ? a : 1.;
}
template <class V>
LOPSAR_HD V powers_of_two(V a) {
  if constexpr (width<V> == 1) return V(power_of_two(a));
  else {
    alignas(64) value_t<V> each[width<V>];
    io<V>::store(each, a);
    for (int l = 0; l < width<V>; ++l) each[l] = power_of_two(each[l]);
    return io<V>::load(each);
  }
}

// term(i, part) adds to part[0..N) for i = 0..n-1. In blocks, so that the rounding error grows with 16 + n/16 and not with n.
template <class V, int N, class Term>
LOPSAR_HD void sums(int n, V (&total)[N], Term&& term) {
  const V zero(value_t<V>(0));
  LOPSAR_UNROLL for (int q = 0; q < N; ++q) total[q] = zero;
  for (int first = 0; first < n; first += 16) {
    V part[N];
    LOPSAR_UNROLL for (int q = 0; q < N; ++q) part[q] = zero;
    const int end = first + 16 < n ? first + 16 : n;
    for (int i = first; i < end; ++i) term(i, part);
    LOPSAR_UNROLL for (int q = 0; q < N; ++q) total[q] = total[q] + part[q];
  }
}

// The vector whose M^-1 product is wanted, and where it is found.
template <class V, class M, class Rows>
LOPSAR_HD Rows preconditioned(const M& inverse, int n, Rows s, Rows z) {
  if constexpr (M::none) return s;
  else {
    inverse.template solve<V>(n, s, z);
    return z;
  }
}

// Numbers from here on have left the range of the arithmetic.
template <class T>
inline constexpr T most = sizeof(T) == 4 ? T(1e38f) : T(1e300);

// Squares below have lost digits.
template <class T>
inline constexpr T least = sizeof(T) == 4 ? T(1e-30f) : T(1e-290);

// sqrt(sum_j a_ij^2 w_j + damping^2) of row i, in whatever unit: where the squares leave the range of the arithmetic, they are formed anew from
// coefficients divided by the largest.
template <class V, class Values, class Rows>
LOPSAR_HD V row_length(const SystemMatrix<value_t<V>>& a, int i, Values values, Rows w, V damping) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  const V squares = madd(damping, damping, row_squares<V>(a, i, values, w));
  const auto fits = (squares >= V(least<T>)) & (squares < V(most<T>));
  if (!some(!fits)) return root(squares);
  const auto each = [&](auto use) {
    for (int g = a.row_start[i]; g < a.row_start[i + 1]; ++g) {
      const V value = a.value[g] < 0 ? one : values[a.value[g]];
      for (int e = a.group_start[g]; e < a.group_start[g + 1]; ++e) use(V(a.coefficient[e]) * value, w[a.column[e]]);
    }
  };
  V largest = damping;
  each([&](V c, V weight) { largest = choose(weight > zero, at_least(magnitude(c), largest), largest); });
  const V unit = powers_of_two(largest), inverse = one / unit, rest = damping * inverse;
  V sum = rest * rest;
  each([&](V c, V weight) {
    const V scaled = c * inverse;
    sum = madd(scaled * scaled, weight, sum);
  });
  return choose(fits, root(squares), unit * root(sum));
}

// Whether |A| |A^-1|, Frobenius norms, has grown to conlim.
template <class V, class Rows>
LOPSAR_HD auto too_ill(const Problem<value_t<V>>& k, const State<Rows>& state) {
  return root(state.scalars[condition]) * state.scalars[a_norm] >= V(k.conlim);
}

// Ends pixels that are done. r2, s2, x2: squares of |r|, |A'r| and |x|, with a preconditioner of |D^-1 A'r| and |D x|, so that units of columns do
// not matter; go: pixels that have just made a step (or are about to begin).
template <class V, class Rows, class Mask>
LOPSAR_HD void test(const Problem<value_t<V>>& k, const State<Rows>& state, Mask go, V r2, V s2, V x2) {
  const auto& of = state.scalars;
  const V a = of[a_norm], r = root(r2), s = root(s2), atol(k.atol);
  V code = of[stop];
  const V done = V(value_t<V>(converged));
  code = choose(go & too_ill<V>(k, state), V(value_t<V>(ill_conditioned)), code);
  code = choose(go & (s <= atol * a * r), done, code);
  // Beyond the range of the arithmetic |x| says nothing.
  code = choose(go & (x2 < V(most<value_t<V>>)) & (r <= madd(V(k.btol), of[b_norm], atol * a * root(x2))), done, code);
  of.set(stop, code);
}
// CG: |A'r| <= atol |A'b|; b_norm is |A'b| there.
template <class V, class Rows, class Mask>
LOPSAR_HD void test_normal(const Problem<value_t<V>>& k, const State<Rows>& state, Mask go, V s2) {
  const auto& of = state.scalars;
  V code = of[stop];
  code = choose(go & too_ill<V>(k, state), V(value_t<V>(ill_conditioned)), code);
  code = choose(go & (root(s2) <= V(k.atol) * of[b_norm]), V(value_t<V>(converged)), code);
  of.set(stop, code);
}

// The lengths of the columns, which a preconditioner may be made of, and the scaling of the pixel: everything but what begin() does.
// y, w, x0: rows as loaded. live: > 0 where there is something to solve.
template <class V, class Rows, class Data, class Weights, class Start>
LOPSAR_HD void scaling(const Problem<value_t<V>>& k, const State<Rows>& state, Data y, Weights w, Start x0, V live) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  const int m = k.rows.rows, n = k.columns.rows;
  const auto& of = state.scalars;
  V largest = zero;
  for (int i = 0; i < m; ++i) largest = at_least(w[i], largest);
  const V first = one / powers_of_two(largest);
  for (int i = 0; i < m; ++i) state.w.set(i, w[i] * first);
  const V damping = V(k.damp) * root(first);
  V total[2];
  sums<V>(n, total, [&](int j, V(&part)[2]) {
    const V length = row_length<V>(k.columns, j, state.values, state.w, damping);
    state.length.set(j, length);
    part[0] = madd(length, length, part[0]);
    part[1] = part[1] + choose(length > zero, one, zero);
  });
  // With a preconditioner no number grows with |A|, and there may be none that suits all columns.
  const V second = k.preconditioned ? one : one / powers_of_two(total[0]);
  of.set(a_norm, root(k.preconditioned ? total[1] : total[0] * second));
  of.set(touched, total[1]);
  of.set(weight, first * second);
  of.set(damp, damping * root(second));
  largest = zero;
  for (int i = 0; i < m; ++i) {
    const V weight_i = state.w[i] * second, r = y[i] - row_product<V>(k.rows, i, state.values, x0);
    state.w.set(i, weight_i);
    state.r.set(i, r);
    largest = choose(weight_i > zero, at_least(magnitude(r), at_least(magnitude(y[i]), largest)), largest);
  }
  const V unit = powers_of_two(largest), inverse = one / unit;
  of.set(scale, unit);
  of.set(norm, unit / (root(first) * root(second)));
  for (int j = 0; j < n; ++j) {
    state.x.set(j, x0[j] * inverse);
    if (k.variances) state.variances.set(j, zero);
  }
  for (int i = 0; i < m; ++i) {
    state.r.set(i, state.r[i] * inverse);
    state.t.set(i, state.w[i] * (y[i] * inverse));
  }
  const V able = k.preconditioned ? zero : choose(total[0] < V(most<T>), zero, V(T(broken)));
  of.set(stop, choose(live > zero, able, V(T(empty))));
  for (const int zeroed : {iterations, gamma, beta, rho_bar, condition}) of.set(zeroed, zero);
  // |b|, or |A'b|, is for begin() to say: t holds W b.
}

// s = A'W r - damp^2 x from t = W r.
template <class V, class Rows>
LOPSAR_HD V gradient(const Problem<value_t<V>>& k, const State<Rows>& state, int j, V damping, V x) {
  return nmadd(damping, damping * x, row_product<V>(k.columns, j, state.values, state.t));
}
// x, or D x with a preconditioner; s, or D^-1 s.
template <class V, class M, class Rows>
LOPSAR_HD V in_length(const State<Rows>& state, int j, V x) {
  if constexpr (M::none) return x;
  else return state.length[j] * x;
}
template <class V, class M, class Rows>
LOPSAR_HD V per_length(const State<Rows>& state, int j, V s) {
  if constexpr (M::none) return s;
  else return s * inverse_length<V>(state.length[j]);
}

// After scaling(): the state before the first iteration, and the stop of pixels that need none.
template <class V, Method K, class M, class Rows, class Data>
LOPSAR_HD void begin(const Problem<value_t<V>>& k, const State<Rows>& state, const M& m, Data y, History<Rows> history) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  const int m_rows = k.rows.rows, n = k.columns.rows;
  const auto& of = state.scalars;
  const V damping = of[damp], inverse = one / of[scale];
  const auto go = of[stop] < V(T(0.5));
  V b[1];
  if constexpr (K == Method::cg)
    sums<V>(n, b, [&](int j, V(&part)[1]) {
      const V s = per_length<V, M>(state, j, row_product<V>(k.columns, j, state.values, state.t));
      part[0] = madd(s, s, part[0]);
    });
  else sums<V>(m_rows, b, [&](int i, V(&part)[1]) { part[0] = madd(state.t[i], y[i] * inverse, part[0]); });
  V r2[1];
  sums<V>(m_rows, r2, [&](int i, V(&part)[1]) {
    const V r = state.r[i], t = state.w[i] * r;
    state.t.set(i, t);
    part[0] = madd(t, r, part[0]);
  });
  V of_n[3];
  sums<V>(n, of_n, [&](int j, V(&part)[3]) {
    const V x = state.x[j], damped = damping * x, size = in_length<V, M>(state, j, x), s = gradient(k, state, j, damping, x),
            slope = per_length<V, M>(state, j, s);
    state.s.set(j, s);
    part[0] = madd(slope, slope, part[0]);
    part[1] = madd(size, size, part[1]);
    part[2] = madd(damped, damped, part[2]);
  });
  const V s2 = of_n[0], x2 = of_n[1], whole = r2[0] + of_n[2];
  of.set(b_norm, root(choose(b[0] > zero, b[0], K == Method::cg ? s2 : whole)));
  if constexpr (K == Method::lsqr) {
    // s is A'u times |u|.
    const V size = root(whole), shrink = choose(size > zero, one / size, zero);
    for (int j = 0; j < n; ++j) {
      state.s.set(j, state.s[j] * shrink);
      if (k.damp > T(0)) state.d.set(j, zero - state.x[j]);
    }
    const auto z = preconditioned<V>(m, n, state.s, state.z);
    V product[1];
    sums<V>(n, product, [&](int j, V(&part)[1]) { part[0] = madd(state.s[j], z[j], part[0]); });
    const V alpha = root(product[0]), stretch = choose(alpha > zero, one / alpha, zero);
    for (int j = 0; j < n; ++j) {
      const V v = z[j] * stretch;
      state.p.set(j, v);
      if constexpr (!M::none) state.v.set(j, v);
      state.s.set(j, state.s[j] * stretch);
    }
    of.set(beta, size), of.set(gamma, alpha), of.set(rho_bar, alpha), of.set(residual, size);
  } else {
    const auto z = preconditioned<V>(m, n, state.s, state.z);
    V product[1];
    sums<V>(n, product, [&](int j, V(&part)[1]) {
      state.p.set(j, z[j]);
      part[0] = madd(state.s[j], z[j], part[0]);
    });
    of.set(gamma, product[0]), of.set(residual, whole);
  }
  history.set(0, go, root(whole) * of[norm]);
  if constexpr (K == Method::cg) test_normal<V>(k, state, go, s2);
  else test<V>(k, state, go, whole, s2, x2);
}

// One iteration of the lanes that run. Per pixel and iteration: one product with A and one with A' from memory that stays in the cache.
//   CGLS:  q = A p,  a = s'z / (q'W q + damp^2 p'p),  x += a p,  r -= a q,  s = A'W r - damp^2 x,  z = M^-1 s,  p = z + (s'z / before) p
//   CG:    the same, but s -= a (A'W q + damp^2 p): r is not needed
template <class V, Method K, class M, class Rows>
LOPSAR_HD void gradient_step(const Problem<value_t<V>>& k, const State<Rows>& state, const M& m, int iteration, History<Rows> history) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), limit(most<T>);
  const int m_rows = k.rows.rows, n = k.columns.rows;
  const auto& of = state.scalars;
  const V damping = of[damp], before = of[gamma];
  const bool damped = k.damp > T(0);
  const auto active = of[stop] < V(T(0.5));
  V p2[2], q2[1];
  sums<V>(n, p2, [&](int j, V(&part)[2]) {
    const V p = state.p[j], size = in_length<V, M>(state, j, p), d = damping * p;
    part[0] = madd(size, size, part[0]);
    if (damped) part[1] = madd(d, d, part[1]);
  });
  sums<V>(m_rows, q2, [&](int i, V(&part)[1]) {
    const V q = row_product<V>(k.rows, i, state.values, state.p), wq = state.w[i] * q;
    state.t.set(i, K == Method::cg ? wq : q);
    part[0] = madd(wq, q, part[0]);
  });
  const V curvature = q2[0] + p2[1], alpha = before / curvature;
  // Comparisons with NaN are false.
  const auto go = active & (curvature > zero) & (before > zero) & (alpha < limit);
  of.set(stop, choose(active & !go, V(T(broken)), of[stop]));
  const V inverse = one / curvature;
  V whole;
  if constexpr (K == Method::cgls) {
    V r2[1];
    sums<V>(m_rows, r2, [&](int i, V(&part)[1]) {
      const V old = state.r[i], r = choose(go, nmadd(alpha, state.t[i], old), old), t = state.w[i] * r;
      state.r.set(i, r);
      state.t.set(i, t);
      part[0] = madd(t, r, part[0]);
    });
    whole = r2[0];
  } else whole = at_least(nmadd(alpha, before, of[residual]), zero);
  V of_n[3];
  sums<V>(n, of_n, [&](int j, V(&part)[3]) {
    const V p = state.p[j], old = state.x[j], x = choose(go, madd(alpha, p, old), old);
    state.x.set(j, x);
    V s;
    if constexpr (K == Method::cgls) {
      const V size = in_length<V, M>(state, j, x), d = damping * x;
      s = gradient(k, state, j, damping, x);
      part[1] = madd(size, size, part[1]);
      if (damped) part[2] = madd(d, d, part[2]);
    } else {
      const V was = state.s[j], q = madd(damping, damping * p, row_product<V>(k.columns, j, state.values, state.t));
      s = choose(go, nmadd(alpha, q, was), was);
    }
    state.s.set(j, s);
    if constexpr (!M::unit) {
      const V slope = per_length<V, M>(state, j, s);
      part[0] = madd(slope, slope, part[0]);
    }
  });
  if (k.variances) {
    const auto fresh = go & (of[iterations] < V(T(n)));  // further directions repeat what is there: only rounding makes more than n
    for (int j = 0; j < n; ++j) {
      const V p = state.p[j], old = state.variances[j];
      state.variances.set(j, choose(fresh, madd(p * inverse, p, old), old));
    }
  }
  const auto z = preconditioned<V>(m, n, state.s, state.z);
  V after = of_n[0];
  if constexpr (!M::none) {
    V product[1];
    sums<V>(n, product, [&](int j, V(&part)[1]) { part[0] = madd(state.s[j], z[j], part[0]); });
    after = product[0];
  }
  const V ratio = after / before;
  for (int j = 0; j < n; ++j) state.p.set(j, choose(go, madd(ratio, state.p[j], z[j]), state.p[j]));
  const V s2 = M::unit ? after : of_n[0];
  if constexpr (K == Method::cgls) whole = whole + of_n[2];
  of.set(gamma, choose(go, after, before));
  of.set(residual, choose(go, whole, of[residual]));
  of.set(condition, choose(go, madd(p2[0], inverse, of[condition]), of[condition]));
  of.set(iterations, choose(go, of[iterations] + one, of[iterations]));
  history.set(iteration, go, root(whole) * of[norm]);
  if constexpr (K == Method::cg) test_normal<V>(k, state, go, s2);
  else test<V>(k, state, go, whole, s2, of_n[1]);
}

//   LSQR:  b u = A v - a u,  a v = M^-1 (s = A'W u - b s),  one rotation of the bidiagonal matrix,  x += (phi / rho) p,  p = v - (theta / rho) p
template <class V, class M, class Rows>
LOPSAR_HD void lsqr_step(const Problem<value_t<V>>& k, const State<Rows>& state, const M& m, int iteration, History<Rows> history) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), limit(most<T>);
  const int m_rows = k.rows.rows, n = k.columns.rows;
  const auto& of = state.scalars;
  const V damping = of[damp];
  const auto active = of[stop] < V(T(0.5));
  const auto v = [&] {
    if constexpr (M::none) return state.s;
    else return state.v;
  }();
  // u is kept times its norm.
  const V keep = of[gamma] * choose(of[beta] > zero, one / of[beta], zero);
  V u2[1];
  sums<V>(m_rows, u2, [&](int i, V(&part)[1]) {
    const V old = state.r[i], u = choose(active, nmadd(keep, old, row_product<V>(k.rows, i, state.values, v)), old), t = state.w[i] * u;
    state.r.set(i, u);
    state.t.set(i, t);
    part[0] = madd(t, u, part[0]);
  });
  const bool damped = k.damp > T(0);
  if (damped) {
    V d2[1];
    sums<V>(n, d2, [&](int j, V(&part)[1]) {
      const V old = state.d[j], d = choose(active, nmadd(keep, old, v[j]), old);
      state.d.set(j, d);
      part[0] = madd(damping * d, damping * d, part[0]);
    });
    u2[0] = u2[0] + d2[0];
  }
  const V new_beta = root(u2[0]), shrink = choose(new_beta > zero, one / new_beta, zero);
  V s2[1];
  sums<V>(n, s2, [&](int j, V(&part)[1]) {
    V product = row_product<V>(k.columns, j, state.values, state.t);
    if (damped) product = madd(damping, damping * state.d[j], product);
    const V old = state.s[j], s = choose(active, nmadd(new_beta, old, shrink * product), old);
    state.s.set(j, s);
    if constexpr (!M::unit) {
      const V slope = per_length<V, M>(state, j, s);
      part[0] = madd(slope, slope, part[0]);
    }
  });
  const auto z = preconditioned<V>(m, n, state.s, state.z);
  V product = s2[0];
  if constexpr (!M::none) {
    V total[1];
    sums<V>(n, total, [&](int j, V(&part)[1]) { part[0] = madd(state.s[j], z[j], part[0]); });
    product = total[0];
    if constexpr (M::unit) s2[0] = product;
  }
  const V alpha = root(product), stretch = choose(alpha > zero, one / alpha, zero);
  const V bar = of[rho_bar], rho = root(madd(bar, bar, new_beta * new_beta)), inverse = one / rho, c = bar * inverse, sine = new_beta * inverse,
          step = c * of[residual] * inverse, turn = sine * alpha * inverse, left = sine * of[residual];
  const auto go = active & (rho > zero) & (inverse < limit) & (product >= zero) & (magnitude(step) < limit);
  of.set(stop, choose(active & !go, V(T(broken)), of[stop]));
  const auto fresh = go & (of[iterations] < V(T(n)));  // see gradient_step
  V of_n[2];
  sums<V>(n, of_n, [&](int j, V(&part)[2]) {
    const V p = state.p[j], old = state.x[j], x = choose(go, madd(step, p, old), old), next = z[j] * stretch;
    const V x_size = in_length<V, M>(state, j, x), p_size = in_length<V, M>(state, j, p);
    state.x.set(j, x);
    part[0] = madd(x_size, x_size, part[0]);
    part[1] = madd(p_size, p_size, part[1]);
    if (k.variances) {
      const V d = p * inverse, was = state.variances[j];
      state.variances.set(j, choose(fresh, madd(d, d, was), was));
    }
    state.p.set(j, choose(go, nmadd(turn, p, next), p));
    state.s.set(j, choose(go, state.s[j] * stretch, state.s[j]));
    if constexpr (!M::none) state.v.set(j, choose(go, next, state.v[j]));
  });
  of.set(beta, choose(go, new_beta, of[beta]));
  of.set(gamma, choose(go, alpha, of[gamma]));
  of.set(rho_bar, choose(go, zero - c * alpha, bar));
  of.set(residual, choose(go, left, of[residual]));
  of.set(condition, choose(go, madd(of_n[1] * inverse, inverse, of[condition]), of[condition]));
  of.set(iterations, choose(go, of[iterations] + one, of[iterations]));
  history.set(iteration, go, left * of[norm]);
  const V slope = left * c;  // |A'r| = phi_bar |c| |s|, s before it was divided by alpha
  test<V>(k, state, go, left * left, slope * slope * s2[0], of_n[0]);
}

// Iterations first + 1 ... last, or until no pixel of the lane runs.
template <class V, Method K, class M, class Rows>
LOPSAR_HD void iterate(const Problem<value_t<V>>& k, const State<Rows>& state, const M& m, int first, int last, History<Rows> history) {
  for (int i = first + 1; i <= last && some(state.scalars[stop] < V(value_t<V>(0.5))); ++i) {
    if constexpr (K == Method::lsqr) lsqr_step<V>(k, state, m, i, history);
    else gradient_step<V, K>(k, state, m, i, history);
  }
}

// What finish() says of a pixel.
template <class V>
struct Finished {
  V norm;    // |W^(1/2)(A x - y)| of the observations
  V broken;  // > 0: x or the norm is NaN
  V beyond;  // > 0: x is infinite
};

// x in the unit of the caller, NaN where nothing touches an unknown; the variances likewise.
template <class V, class Rows, class Data, class Out>
LOPSAR_HD Finished<V> finish(const Problem<value_t<V>>& k, const State<Rows>& state, Data y, Out x, Out variances) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), nan(T(0) / T(0));
  const int n = k.columns.rows;
  const auto& of = state.scalars;
  const V unit = of[scale], inverse = one / unit, inflate = of[weight];
  // Of the scaled numbers, whose squares neither overflow nor vanish.
  V squares[1];
  sums<V>(k.observations, squares, [&](int i, V(&part)[1]) {
    const V e = y[i] * inverse - row_product<V>(k.rows, i, state.values, state.x);
    part[0] = madd(state.w[i] * e, e, part[0]);
  });
  Finished<V> result{root(squares[0]) * of[norm], zero, zero};
  result.broken = choose(result.norm >= zero, zero, one);  // comparisons with NaN are false
  for (int j = 0; j < n; ++j) {
    const V own = state.x[j] * unit, size = magnitude(own);
    const auto known = state.length[j] > zero;
    result.broken = choose(known & !(size >= zero), one, result.broken);
    result.beyond = choose(size > V(sizeof(T) == 4 ? T(3.40282347e+38f) : T(1.7976931348623157e308)), one, result.beyond);
    x.set(j, choose(known, own, nan));
    if (k.variances) variances.set(j, choose(known, state.variances[j] * inflate, nan));
  }
  return result;
}

}  // namespace lopsar::kernels::krylov
