// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>

#include <lopsar/solvers/cpu/qr.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

void solve(const void* self, SystemTile<double>& tile) {
  using V = native<double>;
  const auto& task = *static_cast<const QrTask*>(self);
  const int n = task.givens.columns, rows = task.by_row.rows;
  const V zero(0.0), half(0.5), all(n - 0.5), nan(0.0 / 0.0);
  for (int c = 0; c < tile.pixels; c += width<V>) {
    const V count = io<V>::load(tile.count + c);
    io<V>::store(tile.iterations + c, zero);
    if (!task.normal && !some(count > zero)) continue;
    const std::ptrdiff_t at = c;
    const packed_rows<V> y{tile.y + at * rows}, w{tile.w + at * rows}, values{tile.values + at * task.values}, x{tile.x + at * n};
    const std::ptrdiff_t lane_ = width<V>;
    const packed_rows<V> factors{tile.scratch}, theta{tile.scratch + task.factors.factor_rows * lane_}, work{theta.p + n * lane_};
    V rank = rotate<V>(task.givens, task.by_row, task.by_column, values, y, w, V(task.damp2), task.tau, factors, theta, work);
    auto beyond = zero > half;
    if (!(task.damp2 > 0) && some(count < all)) beyond = limit_rank<V>(rows, w, rank);
    if (task.normal) {
      const auto finite = all_finite<V>(n, x);
      if (some(!finite)) io<V>::store(tile.flaw + c, choose(finite, io<V>::load(tile.flaw + c), V(1.0)));
      substitute<V>(task.factors, factors, x);
    } else {
      for (int q = 0; q < n; ++q) x.set(task.givens.column[q], choose(factors[task.givens.factor[q]] > zero, theta[q], zero));
      back_substitute<V>(task.factors, factors, x, [](V own, V) { return own; });
    }
    V norm = zero;
    if (!task.normal) {
      V squares = zero;
      for (int k = 0; k < task.observations; ++k) {
        const V e = y[k] - row_product<V>(task.by_row, k, values, x);
        squares = madd(w[k] * e, e, squares);
      }
      norm = root(squares);
      const auto unsafe = !safe_squares(squares);
      if (some(unsafe)) {
        const V exact = norm_of<V>([&](auto use) {
          for (int k = 0; k < task.observations; ++k) use(root(w[k]) * (y[k] - row_product<V>(task.by_row, k, values, x)));
        });
        norm = choose(unsafe, exact, norm);
      }
    }
    io<V>::store(tile.norm + c, norm);
    io<V>::store(tile.rank + c, rank);
    const auto deficient = rank < all;
    io<V>::store(tile.status + c, choose(deficient, V(static_cast<double>(Status::rank_deficient)), zero));
    if (some(deficient)) {
      const packed_rows<V> u{work.p + n * lane_}, size{u.p + n * lane_}, scale{size.p + n * lane_};
      undetermined<V>(task.givens, task.factors, task.by_row, task.by_column, values, y, w, V(task.damp2), task.tau, task.noise, factors, theta,
                      NullVector<packed_rows<V>>{u, work, size, scale});
      for (int j = 0; j < n; ++j) x.set(j, choose(deficient & (choose(beyond, V(1.0), u[j]) > half), nan, x[j]));
    }
  }
}

}  // namespace

template <int level>
void (*qr_level())(const void* task, SystemTile<double>& tile) {
  return solve;
}
template void (*qr_level<LOPSAR_LEVEL>())(const void*, SystemTile<double>&);

}  // namespace lopsar::cpu
