// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>

#include <cstdint>

#include <lopsar/solvers/cpu/cholesky.hpp>
#include <lopsar/solvers/kernels/observation.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

// Two registers hide the latency from column to column (see tile_solver()).
#if LOPSAR_LEVEL == 0
template <class T>
using operand = T;
#else
template <class T>
using operand = pack<native<T>, 2>;
#endif

template <class V>
struct Group {
  using T = value_t<V>;
  const CholeskyTask<T>& task;
  packed_rows<V> y, w, values, x;
  packed_rows<V> slots, neighbors, factors, rows, columns, more, second;

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
    second.p = slots.p;  // what factorize() needs no more
  }

  LOPSAR_HD void keep_right_hand_side() const {
    for (int j = 0; j < task.program.columns; ++j) more.set(j, x[j]);
    for (int k = 0; k < task.matrix.rows; ++k) y.set(k, V(T(0)));  // the residual of a normal solve has no data
  }
  // columns = b, which of a normal solve is in `more`, else A'W y; y'W y of all rows.
  LOPSAR_HD V right_hand_side() const {
    V sum(T(0));
    if (task.normal) {
      for (int j = 0; j < task.program.columns; ++j) columns.set(j, more[j]);
      return sum;
    }
    for (int k = 0; k < task.matrix.rows; ++k) {
      const V r = w[k] * y[k];
      sum = madd(r, y[k], sum);
      rows.set(k, r);
    }
    adjoint<V>(task.matrix, values, rows, columns);
    return sum;
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
  // columns = b - N x; sum of w e^2.
  LOPSAR_HD V residual() const {
    const V squares = weighted_residual(task.matrix.rows);
    adjoint<V>(task.matrix, values, rows, columns);
    const V damp2(task.damp2);
    for (int j = 0; j < task.program.columns; ++j) {
      const V g = nmadd(damp2, x[j], columns[j]);
      columns.set(j, task.normal ? g + more[j] : g);
    }
    return squares;
  }
};

// What is rare stands apart, and makes a group of its own: whatever sees an address of the other, or only its size, costs all pixels registers.
//
// tile.norm holds the sum of squares: its root, or, where it leaves the range of the arithmetic, the root of a scaled sum.
template <class V>
__attribute__((noinline)) void finish_norm(const CholeskyTask<value_t<V>>& task, SystemTile<value_t<V>>& tile, int c) {
  const Group<V> of(task, tile, c);
  product<V>(task.matrix, task.observations, of.values, of.x, [&](int k, V ax) { of.rows.set(k, root(of.w[k]) * (of.y[k] - ax)); });
  const V exact = norm_of<V>([&](auto use) {
    for (int k = 0; k < task.observations; ++k) use(of.rows[k]);
  });
  const V squares = io<V>::load(tile.norm + c);
  io<V>::store(tile.norm + c, choose(safe_squares(squares), root(squares), exact));
}
// x is NaN where nothing determines it. beyond: > 0 where rank was more than there are rows.
template <class V>
__attribute__((noinline)) void mark_undetermined(const CholeskyTask<value_t<V>>& task, SystemTile<value_t<V>>& tile, int c, V beyond) {
  using T = value_t<V>;
  const Group<V> of(task, tile, c);
  const int n = task.program.columns;
  undetermined<V>(task.program, task.by_row, task.by_column, of.values, of.w, V(task.damp2), task.noise, of.factors, of.rows,
                  NullVector<packed_rows<V>>{of.columns, of.neighbors, of.slots, of.more});
  const V zero(T(0)), nan(T(0) / T(0));
  const auto deficient = io<V>::load(tile.rank + c) < V(T(n) - T(0.5));
  for (int j = 0; j < n; ++j) of.x.set(j, choose(deficient & (of.columns[j] + beyond > zero), nan, of.x[j]));
}

// Whether float32 was enough. The correction dx of the refinement measures the error of the first solve: sqrt(dx' g), g = N dx, bounds it in standard
// deviations of every unknown. Refined once more it would shrink as often as it did before, by sqrt(dx' g / x' b), so that dx' g / sqrt(x' b) is the
// error left; 1e-5 are allowed. Beside it every residual is rounded relative to its datum, which moves an unknown by some eps |W^(1/2) y| / sqrt(K)
// standard deviations: 3e-5 of them are allowed, a root mean square of 500. Comparisons with NaN are false.
template <class V>
LOPSAR_HD mask_t<V> trusted(bool normal, V step, V energy, V data, V count) {
  using T = value_t<V>;
  const V own = root(at_least(energy, V(T(0))));
  if (normal) return step <= V(T(1e-6)) * energy;
  return (step <= V(T(1e-5)) * own) & (data <= V(T(2.5e5)) * count);
}

template <class V>
void solve_groups(const CholeskyTask<value_t<V>>& task, SystemTile<value_t<V>>& tile) {
  using T = value_t<V>;
  constexpr bool narrow = sizeof(T) == 4;
  const int n = task.program.columns;
  const V zero(T(0)), one(T(1)), half(T(0.5)), all(T(n) - T(0.5));
  auto ahead = ask_ahead(tile.next, task.program.calls * (tile.pixels / width<V>));
  for (int c = 0; c < tile.pixels; c += width<V>) {
    const V count = io<V>::load(tile.count + c);
    io<V>::store(tile.iterations + c, zero);
    const bool needed = !task.normal && !task.everywhere;  // observations
    if (needed && !some(count > zero)) {
      io<V>::store(tile.rank + c, zero), io<V>::store(tile.norm + c, zero), io<V>::store(tile.status + c, zero);
      continue;
    }
    Group<V> group(task, tile, c);
    const auto x = group.x;
    const auto alike = count > V(task.shared_count - T(0.5));
    CholeskyResult<V> result{zero, zero};
    if (!task.shared || some(!alike))
      result =
          factorize<V>(task.program, group.values, group.w, V(task.damp2), task.tau, task.weak, group.slots, group.neighbors, group.factors, ahead);
    if (task.shared && some(alike)) {
      for (int k = 0; k < task.program.factor_rows; ++k, ahead()) group.factors.set(k, choose(alike, V(task.shared[k]), group.factors[k]));
      result.rank = choose(alike, V(task.shared_rank), result.rank);
      result.weak = choose(alike, V(task.shared_weak), result.weak);
    }
    auto beyond = one < zero;
    if (!(task.damp2 > T(0)) && some(count < all)) {
      beyond = limit_rank<V>(task.matrix.rows, group.w, result.rank);
      result.weak = choose(beyond, one, result.weak);
    }
    if (task.normal) {
      const auto finite = all_finite<V>(n, x);
      if (some(!finite)) io<V>::store(tile.flaw + c, choose(finite, io<V>::load(tile.flaw + c), one));
      group.keep_right_hand_side();
    }
    const V data = group.right_hand_side();
    for (int j = 0; j < n; ++j) x.set(j, group.columns[j]);
    if constexpr (narrow)
      for (int j = 0; j < n; ++j) group.more.set(j, group.columns[j]);
    substitute<V>(task.program, group.factors, x);
    const auto refine = narrow ? zero < one : result.weak > half;
    V squares = zero;
    bool known = false;
    if (some(refine)) {
      squares = group.residual();
      V step = zero, energy = zero;
      [[maybe_unused]] const auto b = group.more;
      if constexpr (narrow) {
        // step is the sum over g x, summed before and after g becomes dx.
        for (int j = 0; j < n; ++j) energy = madd(b[j], x[j], energy);
        for (int j = 0; j < n; ++j) group.second.set(j, group.columns[j]);
      }
      substitute<V>(task.program, group.factors, group.columns);
      for (int j = 0; j < n; ++j) {
        const V dx = group.columns[j];
        if constexpr (narrow) step = madd(dx, group.second[j], step);
        x.set(j, choose(refine, x[j] + dx, x[j]));
      }
      if constexpr (narrow) {
        const V wanted = needed ? choose(count > zero, one, zero) : one;
        const auto enough = choose(trusted<V>(task.normal, step, energy, data, count) & (result.weak < half), zero, wanted) < half;
        const bool all_enough = !task.wide || !some(!enough);
        if (!all_enough) {
          if (task.normal)
            for (int j = 0; j < n; ++j) x.set(j, choose(enough, x[j], b[j]));
          io<V>::store(tile.iterations + c, choose(enough, zero, one));
        }
        // The sum of squares of the refined x follows from that before it where the rows are all observations.
        known = task.matrix.rows == task.observations && !(task.damp2 > T(0));
        squares = at_least(squares - step, zero);
      }
    }
    if (task.normal || !task.norm) io<V>::store(tile.norm + c, zero);
    else {
      if (!known) squares = group.weighted_residual(task.observations);
      const bool safe = !some(!safe_squares(squares));
      io<V>::store(tile.norm + c, safe ? root(squares) : squares);
      if (!safe) finish_norm<V>(task, tile, c);
    }
    io<V>::store(tile.rank + c, result.rank);
    const auto deficient = result.rank < all;
    io<V>::store(tile.status + c, choose(deficient, V(T(static_cast<int>(Status::rank_deficient))), zero));
    if constexpr (!narrow)  // of float32, what is deficient went to float64
      if (task.reveal && some(deficient)) mark_undetermined<V>(task, tile, c, choose(beyond, one, zero));
  }
}

// The pixels of a tile that are marked in `iterations`, as many as a register of float64 holds at a time. Lanes do not see each other: it does not
// matter which pixels share a register.
[[maybe_unused]] void solve_wide(const CholeskyTask<float>& task, SystemTile<float>& tile) {
  using W = operand<double>;
  constexpr int lanes_ = width<W>;
  const CholeskyTask<double>& wide = *task.wide;
  SystemTile<double> part;
  part.lane = part.pixels = lanes_;
  const int rows = task.matrix.rows, columns = task.program.columns;
  {
    const auto start = reinterpret_cast<std::uintptr_t>(tile.scratch);
    auto* next = reinterpret_cast<double*>((start + 63) / 64 * 64);
    const auto take = [&](int n) {
      double* const here = next;
      next += n * lanes_;
      return here;
    };
    part.y = take(rows), part.w = take(rows), part.values = take(task.values), part.x = take(columns);
    part.count = take(1), part.flaw = take(1), part.rank = take(1), part.norm = take(1), part.iterations = take(1), part.status = take(1);
    part.scratch = next;
  }
  int pixel[lanes_];
  const auto place = [&](int n, int row, int c) { return (static_cast<std::ptrdiff_t>(c / tile.lane) * n + row) * tile.lane + c % tile.lane; };
  for (int c = 0, filled = 0; c < tile.pixels; ++c) {
    if (tile.iterations[c] > 0.5f) pixel[filled++] = c;
    tile.iterations[c] = 0;
    if (filled < lanes_ && (c + 1 < tile.pixels || filled == 0)) continue;
    const auto copy = [&](const float* from, double* to, int n) {
      for (int k = 0; k < n; ++k)
        for (int l = 0; l < lanes_; ++l) to[k * lanes_ + l] = l < filled ? static_cast<double>(from[place(n, k, pixel[l])]) : 0.0;
    };
    copy(tile.y, part.y, rows), copy(tile.w, part.w, rows), copy(tile.values, part.values, task.values), copy(tile.x, part.x, columns);
    for (int l = 0; l < lanes_; ++l) part.count[l] = l < filled ? static_cast<double>(tile.count[pixel[l]]) : 0.0;
    solve_groups<W>(wide, part);
    const auto narrow = [](double x, float* flaw) {
      const double held = within<float>(x);
      if (magnitude(held) > 3.40282347e+38) *flaw = 1;
      return static_cast<float>(held);
    };
    for (int l = 0; l < filled; ++l) {
      const int p = pixel[l];
      for (int j = 0; j < columns; ++j) tile.x[place(columns, j, p)] = narrow(part.x[j * lanes_ + l], tile.flaw + p);
      tile.rank[p] = static_cast<float>(part.rank[l]), tile.norm[p] = static_cast<float>(within<float>(part.norm[l]));
      tile.status[p] = static_cast<float>(part.status[l]);
    }
    filled = 0;
  }
}

template <class T>
void solve(const void* self, SystemTile<T>& tile) {
  const auto& task = *static_cast<const CholeskyTask<T>*>(self);
  solve_groups<operand<T>>(task, tile);
  if constexpr (sizeof(T) == 4) {
    bool marked = false;
    for (int c = 0; c < tile.pixels; ++c) marked = marked || tile.iterations[c] > 0.5f;
    if (marked) solve_wide(task, tile);
  }
}

}  // namespace

template <class T, int level>
void (*cholesky_level())(const void* task, SystemTile<T>& tile) {
  return solve<T>;
}
template void (*cholesky_level<float, LOPSAR_LEVEL>())(const void*, SystemTile<float>&);
template void (*cholesky_level<double, LOPSAR_LEVEL>())(const void*, SystemTile<double>&);

}  // namespace lopsar::cpu
