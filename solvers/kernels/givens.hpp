// R'D R = A'W A by square-root-free Givens rotations of the rows of A, one lane of pixels at a time: the normal matrix, whose condition is the square
// of A's, is never formed. Gentleman (1973), J. Inst. Maths Applics 12, 329; Miller (1992), AS 274, Applied Statistics 41, 458.
//
//   row (x, y) of weight w meets row q of R:  d' = d + w x_q^2, c = d / d', s = w x_q / d', w' = c w
//                                             x_i' = x_i - x_q r_i, r_i' = c r_i + s x_i   (y and theta likewise)
//
// A row goes on to the next row of R until its weight is 0: once it has met an empty one (d = 0, c = 0). R has the structure of L' in Cholesky's,
// where the rows of R that a row meets follow each other as parents in the elimination tree. Arithmetic on V only.
#pragma once
#include <lopsar/solvers/kernels/cholesky.hpp>
#include <lopsar/solvers/kernels/system.hpp>

namespace lopsar::kernels {

// Rows of R by position in the order of elimination. Rows of factors as Cholesky's: 1/d, N_jj, r of m neighbors.
struct GivensProgram {
  int rows, columns;
  const int *row, *first;                         // rows of A in the order of their first position, which is first[i]; -1: empty
  const int *position, *column;                   // of each column, and back
  const int *factor, *neighbor_start, *neighbor;  // per position: row of factors; neighbors (positions): the first is the parent
};

// The row (x in `work`, y) of weight w goes into R from position q on; `work` (columns rows) is zero elsewhere before, and everywhere after.
template <class V, class Factors, class Work>
LOPSAR_HD void include(const GivensProgram& program, int q, V w, V y, V tau, Factors factors, Work theta, Work work) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  for (;;) {
    const int at = program.factor[q], from = program.neighbor_start[q], m = program.neighbor_start[q + 1] - from;
    const int* neighbor = program.neighbor + from;
    const V x = work[q], d = factors[at], own = w * x * x;
    // Below rounding of what the column holds in all, x is zero.
    const auto used = own > tau * factors[at + 1];
    const V sum = choose(used, d + own, one), c = choose(used, d / sum, one), s = choose(used, w * x / sum, zero), xq = choose(used, x, zero);
    factors.set(at, choose(used, sum, d));
    work.set(q, zero);
    const V t = theta[q];
    theta.set(q, madd(c, t, s * y));
    y = nmadd(xq, t, y);
    w = w * c;
    const bool last = m == 0 || !some(w > zero);
    for (int a = 0; a < m; ++a) {
      const V r = factors[at + 2 + a], xi = work[neighbor[a]];
      factors.set(at + 2 + a, madd(c, r, s * xi));
      work.set(neighbor[a], last ? zero : nmadd(xq, r, xi));
    }
    if (last) return;
    q = neighbor[0];
  }
}

// sum_i |v_i| sqrt(N_ii) / sqrt(N_jj) of the column j at position `last`, as eliminating_norm() of Cholesky; work is zero before and after. Rows of
// factors hold d.
template <class V, class Factors, class Work>
LOPSAR_HD V eliminating_norm(const GivensProgram& program, int last, Factors factors, Work work) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  const V diagonal = factors[program.factor[last] + 1];
  V sum = zero;
  work.set(last, one);
  for (int q = last - 1; q >= 0; --q) {
    const int at = program.factor[q], from = program.neighbor_start[q], m = program.neighbor_start[q + 1] - from;
    V own = zero;
    for (int a = 0; a < m; ++a) own = nmadd(factors[at + 2 + a], work[program.neighbor[from + a]], own);
    work.set(q, own);
    sum = madd(magnitude(own), root(factors[at + 1]), sum);
  }
  for (int q = 0; q <= last; ++q) work.set(q, zero);
  return one + sum / root(choose(diagonal > zero, diagonal, one));
}

// theta: rows by position, work: one row per column; scratch. tau: a column is dependent where d <= tau (sum_i |v_i| sqrt(N_ii))^2, see Cholesky's;
// pixels are looked at so closely from the first d <= 1e-6 N_jj on.
template <class V, class Values, class Data, class Factors, class Work>
LOPSAR_HD V rotate(const GivensProgram& program, const SystemMatrix<value_t<V>>& a, const SystemMatrix<value_t<V>>& by_column, Values values, Data y,
                   Data w, V damp2, value_t<V> tau, Factors factors, Work theta, Work work) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), limit(tau), enough(T(1e-6));
  for (int q = 0; q < program.columns; ++q) {
    const int at = program.factor[q], m = program.neighbor_start[q + 1] - program.neighbor_start[q];
    factors.set(at, zero);
    factors.set(at + 1, damp2 + row_squares<V>(by_column, program.column[q], values, w));
    for (int i = 0; i < m; ++i) factors.set(at + 2 + i, zero);
    theta.set(q, zero);
    work.set(q, zero);
  }
  for (int i = 0; i < program.rows; ++i) {
    const int k = program.row[i];
    const V weight = w[k];
    if (program.first[i] < 0 || !some(weight > zero)) continue;
    for (int g = a.row_start[k]; g < a.row_start[k + 1]; ++g)
      for (int e = a.group_start[g]; e < a.group_start[g + 1]; ++e) {
        const int p = program.position[a.column[e]];
        const V c(a.coefficient[e]);
        work.set(p, work[p] + (a.value[g] < 0 ? c : c * values[a.value[g]]));
      }
    include<V>(program, program.first[i], weight, y[k], limit, factors, theta, work);
  }
  V rank = zero;
  for (int q = 0; q < program.columns; ++q) {
    if (some(damp2 > zero)) {
      work.set(q, one);
      include<V>(program, q, damp2, zero, limit, factors, theta, work);
    }
  }
  V weak = zero;
  for (int q = 0; q < program.columns; ++q) {
    const int at = program.factor[q], from = program.neighbor_start[q], m = program.neighbor_start[q + 1] - from;
    const V d = factors[at], diagonal = factors[at + 1];
    weak = choose(d > enough * diagonal, weak, one);
    const auto doubtful = (d > zero) & (weak > zero);
    if (!some(doubtful)) continue;
    const V norm = eliminating_norm<V>(program, q, factors, work);
    const auto dependent = doubtful & !(d > limit * norm * norm * diagonal);
    if (!some(dependent)) continue;
    // What the row says of the columns after this one goes on to them.
    for (int i = 0; i < m; ++i) {
      const V r = factors[at + 2 + i];
      work.set(program.neighbor[from + i], choose(dependent, r, zero));
      factors.set(at + 2 + i, choose(dependent, zero, r));
    }
    const V t = theta[q];
    factors.set(at, choose(dependent, zero, d));
    theta.set(q, choose(dependent, zero, t));
    if (m > 0) include<V>(program, program.neighbor[from], choose(dependent, d, zero), choose(dependent, t, zero), limit, factors, theta, work);
  }
  for (int q = 0; q < program.columns; ++q) {
    const int at = program.factor[q];
    const V d = factors[at];
    const auto independent = d > limit * factors[at + 1];
    factors.set(at, choose(independent, one / choose(independent, d, one), zero));
    rank = rank + choose(independent, one, zero);
  }
  return rank;
}

// undetermined() of Cholesky with what the rows say of the others rotated anew: normal equations would lose what the weakest rows do. y becomes that
// datum; factors are those of rotate(), and stay so; null.error is `work`.
template <class V, class Values, class Data, class Factors, class Work>
LOPSAR_HD void undetermined(const GivensProgram& program, const CholeskyProgram<value_t<V>>& substitution, const SystemMatrix<value_t<V>>& a,
                            const SystemMatrix<value_t<V>>& by_column, Values values, Data y, Data w, V damp2, value_t<V> tau, value_t<V> noise,
                            Factors factors, Work theta, const NullVector<Work>& null) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), rounding(noise);
  const auto& [u, error, size, scale] = null;
  move_dependent<V>(substitution, factors, u, scale);
  // What a column is told by its own rows: the noise of those of more weight does not reach it.
  for (int k = 0; k < a.rows; ++k) y.set(k, w[k] * row_magnitude<V>(a, k, values, u));
  for (int j = 0; j < program.columns; ++j) size.set(j, row_magnitude<V>(by_column, j, values, y) / magnitude(scale[j]));
  for (int k = 0; k < a.rows; ++k) y.set(k, zero - row_product<V>(a, k, values, u));
  rotate<V>(program, a, by_column, values, y, w, damp2, tau, factors, theta, error);
  for (int q = 0; q < program.columns; ++q) {
    const int j = program.column[q];
    const V inverse = factors[program.factor[q]], terms = root(inverse) * size[j];
    u.set(j, choose(scale[j] > zero, theta[q], u[j]));
    size.set(j, terms);
    error.set(j, rounding * terms);
  }
  move_others<V>(substitution, rounding, factors, null, [](V inverse, V) { return root(inverse); });
  for (int j = 0; j < program.columns; ++j) u.set(j, choose(scale[j] > zero, choose(magnitude(u[j]) > zero, one, zero), one));
}

}  // namespace lopsar::kernels
