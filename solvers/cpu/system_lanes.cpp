// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>

#include <lopsar/operators/lanes/stream_row.hpp>
#include <lopsar/solvers/cpu/system_tile.hpp>
#include <lopsar/solvers/cpu/tile_rows.hpp>
#include <lopsar/solvers/kernels/observation.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

// One register of T from values of S at any address.
template <class V, class S>
LOPSAR_HD V load_as(const S* from) {
  using T = value_t<V>;
  if constexpr (sizeof(S) == sizeof(T)) return io<V>::load_any(from);
  else {
    alignas(64) T other[width<V>];
    if constexpr (sizeof(S) < sizeof(T)) {
      for (int l = 0; l < width<V>; ++l) other[l] = static_cast<T>(from[l]);
    } else {
      using W = native<S>;
      alignas(64) S held[width<V>];
      for (int l = 0; l < width<V>; l += width<W>) io<W>::store(held + l, kept<T>(io<W>::load_any(from + l)));
      for (int l = 0; l < width<V>; ++l) other[l] = static_cast<T>(held[l]);
    }
    return io<V>::load(other);
  }
}

// Where a row of a tile goes on, register by register.
struct Place {
  std::ptrdiff_t offset, jump;  // jump: from the end of a lane group's row to the same row of the next
  int lane, within = 0;
  LOPSAR_HD Place(int row, int rows, int lane_)
      : offset(static_cast<std::ptrdiff_t>(row) * lane_), jump(static_cast<std::ptrdiff_t>(rows - 1) * lane_), lane(lane_) {}
  LOPSAR_HD void next(int step) {
    offset += step, within += step;
    if (within == lane) within = 0, offset += jump;
  }
};

template <class S, class T>
void load(const RowSource<S>* sources, int rows, int observations, std::size_t first, std::size_t n, SystemTile<T>& tile) {
  using V = native<T>;
  constexpr int step = width<V>;
  const V zero(T(0)), one(T(1)), limit(T{missing_limit});
  alignas(64) S y_copy[longest_tile], w_copy[longest_tile];
  for (int p = 0; p < tile.pixels; p += step) {
    io<V>::store(tile.count + p, zero);
    io<V>::store(tile.flaw + p, zero);
  }
  for (int k = 0; k < rows; ++k) {
    const auto& source = sources[k];
    const S* y = source.y ? readable(source.y + first, n, tile.pixels, y_copy) : nullptr;
    const S* w = source.w ? readable(source.w + first, n, tile.pixels, w_copy) : nullptr;
    const V y_all(static_cast<T>(kept<T>(source.y_all))), w_all(static_cast<T>(kept<T>(source.w_all)));
    Place at(k, rows, tile.lane);
    for (int p = 0; p < tile.pixels; p += step, at.next(step)) {
      V weight;
      mask_t<V> usable;
      const V data = observation(y ? load_as<V>(y + p) : y_all, w ? load_as<V>(w + p) : w_all, T(1), tile.flaw + p, weight, usable);
      io<V>::store(tile.y + at.offset, choose(data < limit, data, zero));
      io<V>::store(tile.w + at.offset, weight);
      if (k < observations) io<V>::store(tile.count + p, io<V>::load(tile.count + p) + choose(usable, one, zero));
    }
  }
}

template <class S, class T>
void load_rows(ConstBlock<S> block, int rows, std::size_t first, std::size_t n, const SystemTile<T>& tile, T* to) {
  using V = native<T>;
  alignas(64) S copy[longest_tile];
  for (int i = 0; i < rows; ++i) {
    const S* row = block.data ? readable(block.row(static_cast<std::size_t>(i)) + first, n, tile.pixels, copy) : nullptr;
    Place at(i, rows, tile.lane);
    for (int p = 0; p < tile.pixels; p += width<V>, at.next(width<V>)) io<V>::store(to + at.offset, row ? load_as<V>(row + p) : V(T(0)));
  }
}

template <class S, class T>
void write_rows(const T* from, const T* keep, int rows, std::size_t first, std::size_t n, const SystemTile<T>& tile, Block<S> block) {
  using V = native<T>;
  const V nan(T(0) / T(0)), half(T(0.5));
  alignas(64) T row[longest_tile];
  alignas(64) S other[longest_tile];
  for (int i = 0; i < rows; ++i) {
    Place at(i, rows, tile.lane);
    for (int p = 0; p < tile.pixels; p += width<V>, at.next(width<V>)) {
      const V value = io<V>::load(from + at.offset);
      io<V>::store(row + p, choose(io<V>::load(keep + p) > half, within<S>(value), nan));
    }
    S* to = block.row(static_cast<std::size_t>(i)) + first;
    if constexpr (sizeof(S) == sizeof(T)) stream_row<native<S>>(to, row, n);
    else {
      for (int p = 0; p < tile.pixels; ++p) other[p] = static_cast<S>(row[p]);
      stream_row<native<S>>(to, other, n);
    }
  }
  finish_streaming();
}

template <class S, class T>
void mark_overflow(const T* from, int rows, const SystemTile<T>& tile) {
  if constexpr (sizeof(S) < sizeof(T)) {
    using V = native<T>;
    const V most(T(3.40282347e+38f)), one(T(1));
    for (int p = 0; p < tile.pixels; p += width<V>) {
      Place at(0, rows, tile.lane);
      for (int q = 0; q < p; q += width<V>) at.next(width<V>);
      const T* row = from + at.offset;
      V size(T(0));
      for (int i = 0; i < rows; ++i, row += tile.lane) {
        const V value = magnitude(io<V>::load(row));
        size = choose(value > size, value, size);
      }
      io<V>::store(tile.flaw + p, choose(size > most, one, io<V>::load(tile.flaw + p)));
    }
  }
}

}  // namespace

template <class S, class T, int level>
const SystemKernels<S, T>& system_level() {
  static constexpr SystemKernels<S, T> kernels{width<native<T>>, load<S, T>, load_rows<S, T>, mark_overflow<S, T>, write_rows<S, T>};
  return kernels;
}
template const SystemKernels<float, float>& system_level<float, float, LOPSAR_LEVEL>();
template const SystemKernels<float, double>& system_level<float, double, LOPSAR_LEVEL>();
template const SystemKernels<double, float>& system_level<double, float, LOPSAR_LEVEL>();
template const SystemKernels<double, double>& system_level<double, double, LOPSAR_LEVEL>();

}  // namespace lopsar::cpu
