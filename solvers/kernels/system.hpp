// Products with the sparse matrix of a model and its transpose, on one lane of pixels. Arithmetic on V only.
#pragma once
#include <cstddef>

#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::kernels {
using namespace lanes;

// See detail::GroupedMatrix.
template <class T>
struct SystemMatrix {
  int rows;
  bool plain;  // every row is one group without a value: group i is row i
  const int *row_start, *group_start, *value, *column;
  const T* coefficient;
};

// The same matrix cut for speed: segments of rows, in each of which the same few columns (times the same values) appear in most of the rows, and
// the rest. The coefficients of the dense columns lie row by row, 0 where a row lacks one.
template <class T>
struct SystemSegment {
  int first, rows, width;
  const int *column, *value;  // (width), value -1: none
  const T* coefficient;       // (rows, width)
};
// runs: [rows, terms] in which every row has so many terms without values, or terms -1: any; ends where the rows do.
template <class T>
struct SystemProducts {
  int rows, columns, segments;
  const SystemSegment<T>* segment;
  SystemMatrix<T> by_row, by_column;  // what is not in the segments
  const int *row_runs, *column_runs;
};
inline constexpr int widest_segment = 12;

// Whether none of n rows is NaN or infinite.
template <class V, class Rows>
LOPSAR_HD mask_t<V> all_finite(int n, Rows x) {
  const V zero(value_t<V>(0));
  V sum = zero;
  for (int i = 0; i < n; ++i) sum = sum + x[i] * zero;
  return sum < V(value_t<V>(1));  // comparisons with NaN are false
}

// sum_j a_ij x_j of row i. values, x: rows of lanes.
template <class V, class Values, class Rows>
LOPSAR_HD V row_product(const SystemMatrix<value_t<V>>& a, int i, Values values, Rows x) {
  if (a.plain) {
    int e = a.group_start[i];
    const int end = a.group_start[i + 1];
    V sum = V(a.coefficient[e]) * x[a.column[e]];
    while (++e < end) sum = madd(V(a.coefficient[e]), x[a.column[e]], sum);
    return sum;
  }
  V total(value_t<V>(0));
  for (int g = a.row_start[i]; g < a.row_start[i + 1]; ++g) {
    V sum(value_t<V>(0));
    for (int e = a.group_start[g]; e < a.group_start[g + 1]; ++e) sum = madd(V(a.coefficient[e]), x[a.column[e]], sum);
    total = a.value[g] < 0 ? total + sum : madd(values[a.value[g]], sum, total);
  }
  return total;
}

// sum_j a_ij^2 w_j of row i.
template <class V, class Values, class Rows>
LOPSAR_HD V row_squares(const SystemMatrix<value_t<V>>& a, int i, Values values, Rows w) {
  V total(value_t<V>(0));
  for (int g = a.row_start[i]; g < a.row_start[i + 1]; ++g) {
    V sum(value_t<V>(0));
    for (int e = a.group_start[g]; e < a.group_start[g + 1]; ++e) sum = madd(V(a.coefficient[e] * a.coefficient[e]), w[a.column[e]], sum);
    if (a.value[g] < 0) total = total + sum;
    else {
      const V value = values[a.value[g]];
      total = madd(value * value, sum, total);
    }
  }
  return total;
}

// Without damping the rank is at most the number of rows that are there, whatever the pivots say. Returns where it was more.
template <class V, class Data>
LOPSAR_HD mask_t<V> limit_rank(int rows, Data w, V& rank) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1));
  V present = zero;
  for (int k = 0; k < rows; ++k) present = present + choose(w[k] > zero, one, zero);
  const auto beyond = rank > present + V(T(0.5));
  rank = choose(beyond, present, rank);
  return beyond;
}

// sum_j |a_ij| |x_j| of row i: what rounding of row_product() is relative to.
template <class V, class Values, class Rows>
LOPSAR_HD V row_magnitude(const SystemMatrix<value_t<V>>& a, int i, Values values, Rows x) {
  V total(value_t<V>(0));
  for (int g = a.row_start[i]; g < a.row_start[i + 1]; ++g) {
    V sum(value_t<V>(0));
    for (int e = a.group_start[g]; e < a.group_start[g + 1]; ++e) sum = madd(magnitude(V(a.coefficient[e])), magnitude(x[a.column[e]]), sum);
    total = a.value[g] < 0 ? total + sum : madd(magnitude(values[a.value[g]]), sum, total);
  }
  return total;
}

// sqrt(sum_i t_i^2) where squares may leave the range of the arithmetic; each(use) calls use(t_i), with the same numbers whenever it is called.
template <class V, class Each>
LOPSAR_HD V norm_of(Each each) {
  using T = value_t<V>;
  V most(T(0)), sum(T(0));
  each([&](V t) { most = at_least(magnitude(t), most); });
  const V scale = choose(most > V(T(0)), most, V(T(1)));
  each([&](V t) {
    const V part = t / scale;
    sum = madd(part, part, sum);
  });
  return most * root(sum);
}
// Whether a sum of squares neither overflowed nor lost terms that matter to underflow; the root of others is worth norm_of().
template <class V>
LOPSAR_HD mask_t<V> safe_squares(V sum) {
  using T = value_t<V>;
  constexpr T least = sizeof(T) == 4 ? T(1e-30f) : T(1e-280), most = sizeof(T) == 4 ? T(1e38f) : T(1e300);
  return (sum > V(least)) & (sum < V(most));
}

// use(i, start(i) + sum_j a_ij x_j) of the rows [first, last).
template <class V, int S, class Rows, class Start, class Use>
LOPSAR_HD void run_of_rows(const SystemMatrix<value_t<V>>& a, int first, int last, Rows x, Start start, Use use) {
  const int* column = a.column + a.group_start[a.row_start[first]];
  const value_t<V>* coefficient = a.coefficient + (column - a.column);
  for (int i = first; i < last; ++i, column += S, coefficient += S) {
    V sum = start(i);
    LOPSAR_UNROLL for (int e = 0; e < S; ++e) sum = madd(V(coefficient[e]), x[column[e]], sum);
    use(i, sum);
  }
}
#define LOPSAR_RUN_LENGTHS(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8)
template <class V, int most, class Values, class Rows, class Start, class Use>
LOPSAR_HD void rows_of(const SystemMatrix<value_t<V>>& a, const int* runs, int first, int last, Values values, Rows x, Start start, Use use) {
  for (int from = 0; from < last; runs += 2) {
    const int i = from > first ? from : first;
    from += runs[0];
    const int end = from < last ? from : last;
    if (i >= end) continue;
    switch (runs[1] <= most ? runs[1] : -1) {
#define F(S)                                                              \
  case S:                                                                 \
    if constexpr (S <= most) run_of_rows<V, S>(a, i, end, x, start, use); \
    break;
      LOPSAR_RUN_LENGTHS(F)
#undef F
      case 0:
        for (int k = i; k < end; ++k) use(k, start(k));
        break;
      default:
        for (int k = i; k < end; ++k) use(k, start(k) + row_product<V>(a, k, values, x));
    }
  }
}

template <class V, int E, class Values, class Rows, class Use>
LOPSAR_HD void segment_product(const SystemProducts<value_t<V>>& a, const SystemSegment<value_t<V>>& s, Values values, Rows x, int last, Use use) {
  V dense[E > 0 ? E : 1];
  LOPSAR_UNROLL for (int e = 0; e < E; ++e) {
    dense[e] = x[s.column[e]];
    if (s.value[e] >= 0) dense[e] = dense[e] * values[s.value[e]];
  }
  rows_of<V, E == 0 ? 3 : 2>(
      a.by_row, a.row_runs, s.first, last, values, x,
      [&](int i) {
        const value_t<V>* c = s.coefficient + static_cast<std::ptrdiff_t>(i - s.first) * E;
        V even(value_t<V>(0)), odd(value_t<V>(0));  // two sums: half the latency
        LOPSAR_UNROLL for (int e = 0; e + 1 < E; e += 2) {
          even = madd(V(c[e]), dense[e], even);
          odd = madd(V(c[e + 1]), dense[e + 1], odd);
        }
        if constexpr (E % 2 == 1) even = madd(V(c[E - 1]), dense[E - 1], even);
        return even + odd;
      },
      use);
}
#define LOPSAR_SEGMENT_WIDTHS(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12)
// use(i, (A x)_i) of the rows below `rows`. values, x: rows of lanes.
template <class V, class Values, class Rows, class Use>
LOPSAR_HD void product(const SystemProducts<value_t<V>>& a, int rows, Values values, Rows x, Use use) {
  for (int q = 0; q < a.segments; ++q) {
    const auto& s = a.segment[q];
    const int last = s.first + s.rows < rows ? s.first + s.rows : rows;
    if (s.first >= last) return;
    switch (s.width) {
#define F(E) \
  case E: segment_product<V, E>(a, s, values, x, last, use); break;
      LOPSAR_SEGMENT_WIDTHS(F)
#undef F
    }
  }
}

template <class V, int E, class Values, class Rows, class Columns>
LOPSAR_HD void segment_adjoint(const SystemSegment<value_t<V>>& s, Values values, Rows r, Columns x) {
  V sum[E];
  LOPSAR_UNROLL for (int e = 0; e < E; ++e) sum[e] = V(value_t<V>(0));
  const value_t<V>* c = s.coefficient;
  for (int i = s.first; i < s.first + s.rows; ++i, c += E) {
    const V ri = r[i];
    LOPSAR_UNROLL for (int e = 0; e < E; ++e) sum[e] = madd(V(c[e]), ri, sum[e]);
  }
  LOPSAR_UNROLL for (int e = 0; e < E; ++e) {
    const V total = s.value[e] < 0 ? sum[e] : sum[e] * values[s.value[e]];
    x.set(s.column[e], x[s.column[e]] + total);
  }
}
// x = A' r.
template <class V, class Values, class Rows, class Columns>
LOPSAR_HD void adjoint(const SystemProducts<value_t<V>>& a, Values values, Rows r, Columns x) {
  rows_of<V, 8>(
      a.by_column, a.column_runs, 0, a.columns, values, r, [](int) { return V(value_t<V>(0)); }, [&](int j, V sum) { x.set(j, sum); });
  for (int q = 0; q < a.segments; ++q) {
    const auto& s = a.segment[q];
    switch (s.width) {
      case 0: break;
#define F(E) \
  case E: segment_adjoint<V, E>(s, values, r, x); break;
        F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12)
#undef F
    }
  }
}
#undef LOPSAR_SEGMENT_WIDTHS

}  // namespace lopsar::kernels
