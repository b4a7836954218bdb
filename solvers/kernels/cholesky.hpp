// Sparse Cholesky of a normal matrix, N = A'W A + damp^2 = L D L', one lane of pixels at a time.
//
//   assemble   N_ij = sum over groups of (product of at most two values) * sum_k c_ki c_kj w_k
//   eliminate  d = N_jj, l_i = N_ij / d, N_ik -= l_i N_kj for the entries below j
//   substitute b_i -= l_i b_j forward, x_j = b_j / d - sum_i l_i x_i backward
//
// Column j is dependent on those eliminated before it where d <= tau (sum_i |v_i| sqrt(N_ii))^2, with N_ii as assembled and v the vector that
// eliminates it (v_j = 1): a bound on the rounding error of d, which scales with nothing. The sum is at least sqrt(N_jj), and only pixels with a weak
// pivot are worth more than that bound. L D L' without square roots is the same up to rounding under any diagonal scaling, so that no matrix is
// scaled. Arithmetic on V only: no pixel loop, no allocation, no device.
#pragma once
#include <lopsar/solvers/kernels/system.hpp>

namespace lopsar::kernels {
using namespace lanes;

// The symbolic work of one normal matrix, done once (solvers/cholesky.cpp). `code` per column in the order of elimination:
//   n entries that are coefficient * w_k: [out, k]
//   panels, then per panel: E, n, kind, E accumulators [out, in, value, value], n rows: k, or (kind 1) [k, value, value]
//   m, [assembled, updates] of the diagonal, [assembled, updates] of m neighbors, then per pair a <= b of neighbors [in, out]
// An accumulator is sum over the rows of a panel of coefficient * w_k; out = in + accumulator * values. Numbers are rows of `slots`, row 0 is
// always zero; value -1: none. coefficient: one per entry, E per row of a panel, in the order of the code.
//   forward, backward   per column in the order of elimination, or against it: column, m, then the columns of the m neighbors
// Rows of factors: 1/d, N_jj, l of m neighbors, per column.
template <class T>
struct CholeskyProgram {
  int columns, factor_rows, calls;  // of meanwhile()
  const int* code;
  const T* coefficient;
  const int *forward, *backward;
};

template <class V>
struct CholeskyResult {
  V rank;  // columns that do not depend on those before
  V weak;  // > 0: a pivot lost so much that this arithmetic should not be trusted: d <= weak N_jj
};

#if defined(__SANITIZE_ADDRESS__)  // fewer bodies: they take minutes to compile
#define LOPSAR_CHOLESKY_DEGREES(F) F(1) F(2) F(3)
#define LOPSAR_CHOLESKY_PANELS(F) F(1) F(2) F(3)
inline constexpr int widest_panel = 3;  // accumulators in registers
#else
#define LOPSAR_CHOLESKY_DEGREES(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10)
#define LOPSAR_CHOLESKY_PANELS(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12)
inline constexpr int widest_panel = 12;
#endif

template <class V, int E, class Values, class Data, class Slots, class Meanwhile>
LOPSAR_HD const int* assemble_panel(const int* op, int n, bool valued, const value_t<V>*& coefficient, Values values, Data w, Slots slots,
                                    Meanwhile& meanwhile) {
  using T = value_t<V>;
  const int* item = op + 4 * E;
  const T* c = coefficient;
  V sum[E];
  LOPSAR_UNROLL for (int e = 0; e < E; ++e) sum[e] = V(T(0));
  if (!valued) {
    for (int i = 0; i < n; ++i, c += E) {
      meanwhile();
      const V wk = w[item[i]];
      LOPSAR_UNROLL for (int e = 0; e < E; ++e) sum[e] = madd(V(c[e]), wk, sum[e]);
    }
    item += n;
  } else {
    for (int i = 0; i < n; ++i, c += E, item += 3) {
      meanwhile();
      V wk = w[item[0]] * values[item[1]];
      if (item[2] >= 0) wk = wk * values[item[2]];
      LOPSAR_UNROLL for (int e = 0; e < E; ++e) sum[e] = madd(V(c[e]), wk, sum[e]);
    }
  }
  coefficient = c;
  LOPSAR_UNROLL for (int e = 0; e < E; ++e, op += 4) {
    V s = sum[e];
    if (op[2] >= 0) s = s * values[op[2]];
    if (op[3] >= 0) s = s * values[op[3]];
    slots.set(op[0], slots[op[1]] + s);
  }
  return item;
}

template <class V, int M, class Slots, class Factors>
LOPSAR_HD const int* eliminate_column(const int* op, V inverse, Slots slots, Factors factors, std::ptrdiff_t at) {
  V v[M], l[M];
  LOPSAR_UNROLL for (int a = 0; a < M; ++a, op += 2) {
    v[a] = slots[op[0]] + slots[op[1]];
    l[a] = v[a] * inverse;
    factors.set(at + a, l[a]);
  }
  LOPSAR_UNROLL for (int a = 0; a < M; ++a) { LOPSAR_UNROLL for (int b = a; b < M; ++b, op += 2) slots.set(op[1], nmadd(l[a], v[b], slots[op[0]])); }
  return op;
}
// Any degree: the neighbors pass through memory.
template <class V, class Slots, class Factors>
LOPSAR_HD const int* eliminate_column_any(const int* op, int m, V inverse, Slots slots, Factors factors, Slots neighbors, std::ptrdiff_t at) {
  for (int a = 0; a < m; ++a, op += 2) {
    const V v = slots[op[0]] + slots[op[1]];
    neighbors.set(a, v);
    factors.set(at + a, v * inverse);
  }
  for (int a = 0; a < m; ++a) {
    const V l = factors[at + a];
    for (int b = a; b < m; ++b, op += 2) slots.set(op[1], nmadd(l, neighbors[b], slots[op[0]]));
  }
  return op;
}

// sum_i |v_i| sqrt(N_ii) / sqrt(N_jj) of the column j at position `last`, whose N_jj is `diagonal`, from the columns before it; those that are
// dependent have v_i = 0. v: scratch, one row per column.
template <class V, class Factors, class Rows>
LOPSAR_HD V eliminating_norm(const CholeskyProgram<value_t<V>>& program, int last, V diagonal, Factors factors, Rows v) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  const int* op = program.backward;
  std::ptrdiff_t at = program.factor_rows;
  V sum = zero;
  for (int q = program.columns - 1; q >= 0; --q) {
    const int m = op[1];
    at -= m + 2;
    V own = q == last ? one : zero;
    if (q < last) {
      for (int a = 0; a < m; ++a) own = nmadd(factors[at + 2 + a], v[op[2 + a]], own);
      sum = madd(magnitude(own), root(factors[at + 1]), sum);
    }
    v.set(op[0], own);
    op += 2 + m;
  }
  return one + sum / root(choose(diagonal > zero, diagonal, one));
}

// values: rows of the numbers of the fields; w: rows of weights, 0 where missing; slots, neighbors: scratch; factors: rows for substitute().
// weak > tau: pixels with a weak pivot are looked at more closely, and neighbors has a row per column at least.
// meanwhile() is called for every column and every row of a panel: work to be spread over this one.
template <class V, class Values, class Data, class Slots, class Factors, class Meanwhile = NoWork>
LOPSAR_HD CholeskyResult<V> factorize(const CholeskyProgram<value_t<V>>& program, Values values, Data w, V damp2, value_t<V> tau, value_t<V> weak,
                                      Slots slots, Slots neighbors, Factors factors, Meanwhile&& meanwhile = {}) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), smallest(tau), enough(weak);
  CholeskyResult<V> result{zero, zero};
  slots.set(0, zero);
  const int* op = program.code;
  const T* coefficient = program.coefficient;
  std::ptrdiff_t at = 0;
  for (int q = 0; q < program.columns; ++q) {
    meanwhile();
    for (int n = *op++; n > 0; --n, op += 2) slots.set(op[0], V(*coefficient++) * w[op[1]]);
    for (int panels = *op++; panels > 0; --panels) {
      const int n = op[1];
      const bool valued = op[2] != 0;
      switch (*op) {
#define F(E) \
  case E: op = assemble_panel<V, E>(op + 3, n, valued, coefficient, values, w, slots, meanwhile); break;
        LOPSAR_CHOLESKY_PANELS(F)
#undef F
      }
    }
    const int m = *op;
    const V diagonal = slots[op[1]] + damp2, d = diagonal + slots[op[2]];
    op += 3;
    auto independent = d > smallest * diagonal;
    result.weak = choose(d > enough * diagonal, result.weak, one);
    if constexpr (sizeof(T) == 8) {  // float32 decides no rank
      const auto doubtful = independent & (result.weak > zero);
      if (weak > tau && some(doubtful)) {
        const V norm = eliminating_norm<V>(program, q, diagonal, factors, neighbors);
        independent = independent & (d > choose(doubtful, smallest * norm * norm, smallest) * diagonal);
      }
    }
    const V inverse = choose(independent, one / d, zero);
    result.rank = result.rank + choose(independent, one, zero);
    factors.set(at, inverse);
    factors.set(at + 1, diagonal);
    at += 2;
    switch (m) {
      case 0: break;
#define F(M) \
  case M: op = eliminate_column<V, M>(op, inverse, slots, factors, at); break;
        LOPSAR_CHOLESKY_DEGREES(F)
#undef F
      default: op = eliminate_column_any<V>(op, m, inverse, slots, factors, neighbors, at);
    }
    at += m;
  }
  return result;
}

template <class V, int M, class Factors, class Rows>
LOPSAR_HD void forward_column(const int* neighbor, V b, Factors factors, std::ptrdiff_t at, Rows x) {
  LOPSAR_UNROLL for (int a = 0; a < M; ++a) x.set(neighbor[a], nmadd(factors[at + a], b, x[neighbor[a]]));
}
template <class V, int M, class Factors, class Rows>
LOPSAR_HD V backward_column(const int* neighbor, V sum, Factors factors, std::ptrdiff_t at, Rows x) {
  LOPSAR_UNROLL for (int a = 0; a < M; ++a) sum = nmadd(factors[at + a], x[neighbor[a]], sum);
  return sum;
}

// x_j = start(x_j, 1/d_j) - sum_i l_i x_i, from the last column eliminated to the first.
template <class V, class Factors, class Rows, class Start>
LOPSAR_HD void back_substitute(const CholeskyProgram<value_t<V>>& program, Factors factors, Rows x, Start start) {
  const int* op = program.backward;
  std::ptrdiff_t at = program.factor_rows + 2;
  for (int q = 0; q < program.columns; ++q) {
    const int m = op[1];
    at -= m + 2;
    V sum = start(x[op[0]], factors[at - 2]);
    switch (m) {
      case 0: break;
#define F(M) \
  case M: sum = backward_column<V, M>(op + 2, sum, factors, at, x); break;
        LOPSAR_CHOLESKY_DEGREES(F)
#undef F
      default:
        for (int a = 0; a < m; ++a) sum = nmadd(factors[at + a], x[op[2 + a]], sum);
    }
    x.set(op[0], sum);
    op += 2 + m;
  }
}

// x: rows of b, then of the solution of N x = b. The unknowns of dependent columns become 0.
template <class V, class Factors, class Rows>
LOPSAR_HD void substitute(const CholeskyProgram<value_t<V>>& program, Factors factors, Rows x) {
  const int* op = program.forward;
  std::ptrdiff_t at = 2;
  for (int q = 0; q < program.columns; ++q) {
    const V b = x[op[0]];
    const int m = op[1];
    op += 2;
    switch (m) {
      case 0: break;
#define F(M) \
  case M: forward_column<V, M>(op, b, factors, at, x); break;
        LOPSAR_CHOLESKY_DEGREES(F)
#undef F
      default:
        for (int a = 0; a < m; ++a) x.set(op[a], nmadd(factors[at + a], b, x[op[a]]));
    }
    op += m;
    at += m + 2;
  }
  back_substitute<V>(program, factors, x, [](V own, V inverse) { return own * inverse; });
}

// What undetermined() works in, one row per column: u is the result.
template <class Columns>
struct NullVector {
  Columns u, error, size, scale;
};

// Which unknowns the dependent columns leave undetermined: 1, else 0. They are those that move where the unknowns of dependent columns do: u of
//
//   min_u |W^(1/2) A u|^2 + damp^2 |u|^2,   u_j fixed at a generic number in units of 1/sqrt(N_jj) for dependent columns j
//
// differs from zero by more than rounding. What an unknown is held by does not matter: that of a weak row counts as much as that of a strong one. A
// number counts as zero where it is below the rounding error that came with its terms (entries of the factors are off by noise relative to what they
// were formed from) and below a thousandth of these.
//
// First the dependent unknowns and scale = sqrt(N_ii), negative for those. Returns how many of them rows touch.
template <class V, class Factors, class Columns>
LOPSAR_HD V move_dependent(const CholeskyProgram<value_t<V>>& program, Factors factors, Columns u, Columns scale) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  V dependent = zero;
  T generic(1);
  const int* op = program.forward;
  std::ptrdiff_t at = 0;
  for (int q = 0; q < program.columns; ++q) {
    generic = generic + T(0.618);
    if (generic > T(2)) generic = generic - T(1);
    const V diagonal = factors[at + 1], length = root(choose(diagonal > zero, diagonal, one));
    const auto independent = factors[at] > zero;
    u.set(op[0], choose(independent, zero, V(generic) / length));
    scale.set(op[0], choose(independent, length, zero - length));
    dependent = dependent + choose(independent, zero, choose(diagonal > zero, one, zero));
    at += op[1] + 2;
    op += op[1] + 2;
  }
  return dependent;
}
// At last the others by back substitution; u, error and size are what it starts with there. spread(1/d, N_ii): of the noise of a column's entries.
template <class V, class Factors, class Columns, class Spread>
LOPSAR_HD void move_others(const CholeskyProgram<value_t<V>>& program, V noise, Factors factors, const NullVector<Columns>& null, Spread spread) {
  const V zero(value_t<V>(0)), cancelled(value_t<V>(1e-3));
  const auto& [u, error, size, scale] = null;
  const int* op = program.backward;
  std::ptrdiff_t at = program.factor_rows;
  for (int q = 0; q < program.columns; ++q) {
    const int j = op[0], m = op[1];
    op += 2;
    at -= m + 2;
    const V own = noise * spread(factors[at], factors[at + 1]);
    V sum = u[j], e = error[j], all = size[j];
    for (int a = 0; a < m; ++a) {
      const int i = op[a];
      // What dependent columns do is in the start.
      const V l = factors[at + 2 + a], length = scale[i], ui = choose(length > zero, u[i], zero), t = l * ui;
      sum = sum - t;
      all = all + magnitude(t);
      e = e + madd(magnitude(l), error[i], own * magnitude(ui * length));
    }
    const auto independent = scale[j] > zero, left = magnitude(sum) > at_most(e, cancelled * all);
    u.set(j, choose(independent, choose(left, sum, zero), u[j]));
    error.set(j, choose(independent & left, e, zero));
    op += m;
  }
}
// That of Cholesky's factors. What moves by less than 1e-4 of its own standard deviation as far as data let the dependent unknown move keeps its
// value, too: u_i^2 N_ii <= 1e-8 |W^(1/2) A u|^2. (With several dependent columns that sum is of no use.) rows: scratch, one per row of A.
template <class V, class Values, class Data, class Factors, class Rows, class Columns>
LOPSAR_HD void undetermined(const CholeskyProgram<value_t<V>>& program, const SystemMatrix<value_t<V>>& by_row,
                            const SystemMatrix<value_t<V>>& by_column, Values values, Data w, V damp2, value_t<V> noise, Factors factors, Rows rows,
                            const NullVector<Columns>& null) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), rounding(noise), cancelled(T(1e-3));
  const auto& [u, error, size, scale] = null;
  const auto spread = [](V inverse, V diagonal) { return root(diagonal) * inverse; };
  const V dependent = move_dependent<V>(program, factors, u, scale);
  // N u = -A'W A u of the dependent ones.
  for (int k = 0; k < by_row.rows; ++k) rows.set(k, w[k] * row_magnitude<V>(by_row, k, values, u));
  for (int j = 0; j < program.columns; ++j) {
    const V sum = row_magnitude<V>(by_column, j, values, rows);
    size.set(j, sum);
    error.set(j, rounding * sum);
  }
  for (int k = 0; k < by_row.rows; ++k) rows.set(k, w[k] * row_product<V>(by_row, k, values, u));
  for (int j = 0; j < program.columns; ++j) u.set(j, choose(scale[j] > zero, zero - row_product<V>(by_column, j, values, rows), u[j]));
  const int* op = program.forward;
  std::ptrdiff_t at = 0;
  for (int q = 0; q < program.columns; ++q) {
    const int j = op[0], m = op[1];
    op += 2;
    const V inverse = factors[at];
    const auto independent = scale[j] > zero;
    const auto left = magnitude(u[j]) > at_most(error[j], cancelled * size[j]);
    const V y = choose(independent & left, u[j], zero), e = choose(independent & left, error[j], zero);
    const V own = rounding * magnitude(y) * spread(inverse, factors[at + 1]);
    for (int a = 0; a < m; ++a) {
      const int i = op[a];
      const V l = factors[at + 2 + a], t = l * y, length = scale[i];
      u.set(i, choose(length > zero, u[i] - t, u[i]));
      error.set(i, error[i] + madd(magnitude(l), e, own * magnitude(length)));
      size.set(i, size[i] + magnitude(t));
    }
    u.set(j, choose(independent, y * inverse, u[j]));
    error.set(j, e * inverse);
    size.set(j, magnitude(y) * inverse);
    op += m;
    at += m + 2;
  }
  move_others<V>(program, rounding, factors, null, spread);
  V energy = zero;
  for (int k = 0; k < by_row.rows; ++k) {
    const V t = row_product<V>(by_row, k, values, u);
    energy = madd(w[k] * t, t, energy);
  }
  for (int j = 0; j < program.columns; ++j) energy = madd(damp2 * u[j], u[j], energy);
  energy = choose(dependent < V(T(1.5)), V(T(1e-8)) * energy, zero);
  for (int j = 0; j < program.columns; ++j) {
    const V length = scale[j], moved = u[j] * length;
    u.set(j, choose(length > zero, choose(moved * moved > energy, one, zero), one));
  }
}
#undef LOPSAR_CHOLESKY_DEGREES
#undef LOPSAR_CHOLESKY_PANELS

}  // namespace lopsar::kernels
