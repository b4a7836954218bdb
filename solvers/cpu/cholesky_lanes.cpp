// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>

#include <lopsar/solvers/cpu/cholesky.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

template <class V>
struct Group {
  using T = value_t<V>;
  const CholeskyTask<T>& task;
  packed_rows<V> y, w, values, x;
  packed_rows<V> slots, neighbors, factors, rows, columns, more;

  Group(const CholeskyTask<T>& of, const SystemTile<T>& tile, int c) : task(of) {
    const std::ptrdiff_t at = c, width_ = width<V>;
    y.p = tile.y + at * of.by_row.rows, w.p = tile.w + at * of.by_row.rows;
    values.p = tile.values + at * of.values, x.p = tile.x + at * of.program.columns;
    T* next = tile.scratch;
    const auto take = [&](int n) {
      T* const here = next;
      next += n * width_;
      return here;
    };
    slots.p = take(of.slots), neighbors.p = take(of.neighbors), factors.p = take(of.program.factor_rows);
    rows.p = take(of.by_row.rows), columns.p = take(of.program.columns), more.p = take(of.program.columns);
  }

  // columns = b - N x: of a normal solve b is `more`, else A'W y.
  LOPSAR_HD void residual(bool from_zero) {
    const V damp2(task.damp2);
    const int n = task.by_row.rows;
    for (int k = 0; k < n; ++k) {
      const V ax = from_zero ? V(T(0)) : row_product<V>(task.by_row, k, values, x);
      rows.set(k, w[k] * (task.normal ? V(T(0)) - ax : y[k] - ax));
    }
    for (int j = 0; j < task.program.columns; ++j) {
      V g = from_zero && task.normal ? V(T(0)) : row_product<V>(task.by_column, j, values, rows);
      if (task.normal) g = g + more[j];
      columns.set(j, from_zero ? g : nmadd(damp2, x[j], g));
    }
  }

  LOPSAR_HD V squares() const {
    V sum(T(0));
    for (int k = 0; k < task.observations; ++k) {
      const V r = y[k] - row_product<V>(task.by_row, k, values, x);
      sum = madd(w[k] * r, r, sum);
    }
    return sum;
  }
};

template <class T>
void solve(const void* self, SystemTile<T>& tile) {
  using V = native<T>;
  const auto& task = *static_cast<const CholeskyTask<T>*>(self);
  const int n = task.program.columns;
  const V zero(T(0)), one(T(1)), half(T(0.5)), all(T(n) - T(0.5));
  for (int c = 0; c < tile.pixels; c += width<V>) {
    const V count = io<V>::load(tile.count + c);
    io<V>::store(tile.iterations + c, zero);
    if (!task.normal && !some(count > zero)) continue;
    Group<V> group(task, tile, c);
    const auto x = group.x;
    const auto result = factorize<V>(task.program, group.values, group.w, V(task.damp2), task.tau, task.weak, group.slots, group.neighbors, group.factors);
    if (task.normal)
      for (int j = 0; j < n; ++j) group.more.set(j, x[j]);
    group.residual(true);
    for (int j = 0; j < n; ++j) x.set(j, group.columns[j]);
    substitute<V>(task.program, group.factors, x);
    const auto refine = result.weak > half;
    if (some(refine)) {
      group.residual(false);
      substitute<V>(task.program, group.factors, group.columns);
      for (int j = 0; j < n; ++j) x.set(j, choose(refine, x[j] + group.columns[j], x[j]));
    }
    io<V>::store(tile.squares + c, task.squares && !task.normal ? group.squares() : zero);
    io<V>::store(tile.rank + c, result.rank);
    const auto deficient = result.rank < all;
    io<V>::store(tile.status + c, choose(deficient, V(T(static_cast<int>(Status::rank_deficient))), zero));
    if (task.reveal && some(deficient)) {
      undetermined<V>(task.program, task.negligible, group.factors, group.columns);
      const V nan(T(0) / T(0));
      for (int j = 0; j < n; ++j) x.set(j, choose(group.columns[j] > half, nan, x[j]));
    }
  }
  static_cast<void>(one);
}

}  // namespace

template <class T, int level>
void (*cholesky_level())(const void* task, SystemTile<T>& tile) {
  return solve<T>;
}
template void (*cholesky_level<float, LOPSAR_LEVEL>())(const void*, SystemTile<float>&);
template void (*cholesky_level<double, LOPSAR_LEVEL>())(const void*, SystemTile<double>&);

}  // namespace lopsar::cpu
