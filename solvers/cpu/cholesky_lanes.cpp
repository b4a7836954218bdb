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
    y.p = tile.y + at * of.matrix.rows, w.p = tile.w + at * of.matrix.rows;
    values.p = tile.values + at * of.values, x.p = tile.x + at * of.program.columns;
    T* next = tile.scratch;
    const auto take = [&](int n) {
      T* const here = next;
      next += n * width_;
      return here;
    };
    slots.p = take(of.slots), neighbors.p = take(of.neighbors), factors.p = take(of.program.factor_rows);
    rows.p = take(of.matrix.rows), columns.p = take(of.program.columns), more.p = take(of.program.columns);
  }

  // columns = b - N x, or b itself: of a normal solve b is `more`, else A'W y.
  LOPSAR_HD void keep_right_hand_side() const {
    for (int j = 0; j < task.program.columns; ++j) more.set(j, x[j]);
    for (int k = 0; k < task.matrix.rows; ++k) y.set(k, V(T(0)));  // the residual of a normal solve has no data
  }
  LOPSAR_HD void right_hand_side() const {
    if (task.normal) {
      for (int j = 0; j < task.program.columns; ++j) columns.set(j, more[j]);
      return;
    }
    for (int k = 0; k < task.matrix.rows; ++k) rows.set(k, w[k] * y[k]);
    adjoint<V>(task.matrix, values, rows, columns);
  }
  // rows = W (y - A x) of the rows below `last`; sum of w e^2.
  V weighted_residual(int last) const {
    V sum(T(0));
    product<V>(task.matrix, last, values, x, [&](int k, V ax) {
      const V e = y[k] - ax, r = w[k] * e;
      sum = madd(r, e, sum);
      rows.set(k, r);
    });
    return sum;
  }
  LOPSAR_HD void residual() const {
    weighted_residual(task.matrix.rows);
    adjoint<V>(task.matrix, values, rows, columns);
    const V damp2(task.damp2);
    for (int j = 0; j < task.program.columns; ++j) {
      const V g = nmadd(damp2, x[j], columns[j]);
      columns.set(j, task.normal ? g + more[j] : g);
    }
  }
};

template <class T>
void solve(const void* self, SystemTile<T>& tile) {
  using V = native<T>;
  const auto& task = *static_cast<const CholeskyTask<T>*>(self);
  const int n = task.program.columns;
  const V zero(T(0)), one(T(1)), half(T(0.5)), all(T(n) - T(0.5));
  AskAhead ahead(tile.next, task.program.calls * (tile.pixels / width<V>));
  for (int c = 0; c < tile.pixels; c += width<V>) {
    const V count = io<V>::load(tile.count + c);
    io<V>::store(tile.iterations + c, zero);
    if (!task.normal && !some(count > zero)) continue;
    Group<V> group(task, tile, c);
    const auto x = group.x;
    const auto result = factorize<V>(task.program, group.values, group.w, V(task.damp2), task.tau, task.weak, group.slots, group.neighbors, group.factors,
                                     ahead);
    if (task.normal)
      group.keep_right_hand_side();
    group.right_hand_side();
    for (int j = 0; j < n; ++j) x.set(j, group.columns[j]);
    substitute<V>(task.program, group.factors, x);
    const auto refine = result.weak > half;
    if (some(refine)) {
      group.residual();
      substitute<V>(task.program, group.factors, group.columns);
      for (int j = 0; j < n; ++j) x.set(j, choose(refine, x[j] + group.columns[j], x[j]));
    }
    io<V>::store(tile.squares + c, task.squares && !task.normal ? group.weighted_residual(task.observations) : zero);
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
