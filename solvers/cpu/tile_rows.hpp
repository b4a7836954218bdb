// From rows of a stack to a tile. Only *_lanes.cpp files include it.
#pragma once
#include <cstring>

#include <lopsar/operators/lanes/target.hpp>
#include <lopsar/solvers/cpu/ask_ahead.hpp>
#include <lopsar/solvers/cpu/edge_flow_tile.hpp>

namespace lopsar::cpu {

// `row` itself where all pixels of a tile can be read from it, else a copy with NaN behind the last.
template <class S>
LOPSAR_HD const S* readable(const S* row, std::size_t n, int pixels, S* copy) {
  if (n == static_cast<std::size_t>(pixels)) return row;
  for (int p = 0; p < pixels; ++p) copy[p] = static_cast<std::size_t>(p) < n ? row[p] : S(0) / S(0);
  return copy;
}

// Asks for the next tile row by row.
template <class T>
class NextRow {
 public:
  LOPSAR_HD explicit NextRow(const Tile<T>& tile) : y_(tile.next_y), second_(tile.next_second) {}
  LOPSAR_HD void operator()() {
    ask(y_);
    if (second_.at) ask(second_);
  }

 private:
  using Row = decltype(Tile<T>::next_y);
  LOPSAR_HD static void ask(Row& row) {
    for (int b = 0; b < tile_pixels<T>; b += 64 / sizeof(T)) ask_for(reinterpret_cast<const char*>(row.at + b));
    row.at += row.stride;
  }
  Row y_, second_;
};

// prepare.row(k) gives the function (y, second) -> (data, weight, valid) of pair k; y and second are the stack's values as read.
// A lane group of the tile has `edges` rows, of which the pairs are the first.
// `second` is coherence or weight; null: none, zeros are passed.
// A block of rows is done column by column, so that the count and the smallest weight of a column stay in registers.
template <class T, class Prepare>
LOPSAR_HD void fill_tile(int pairs, int edges, const T* y, const T* second, std::size_t y_stride, std::size_t second_stride, std::size_t n,
                         Tile<T>& tile, const Prepare& prepare) {
  using S = lanes::row_lane<T>;
  using parts = lanes::registers<S>;
  using R = typename parts::type;
  using lanes::io;
  constexpr int step = lanes::width<S>, pixels = tile_pixels<T>, block = 8;
  const S zero(T(0)), one(T(1)), infinity(T(1) / T(0));
  const int lane = tile.lane;
  for (int c = 0; c < pixels; c += step) {
    io<S>::store(tile.count + c, zero);
    io<S>::store(tile.w_min + c, infinity);
    io<S>::store(tile.flaw + c, zero);
  }
  tile.next_y = {y + n, y_stride};
  tile.next_second = {second ? second + n : nullptr, second_stride};
  const bool whole = n == static_cast<std::size_t>(pixels);
  alignas(64) T tail_y[block * pixels], tail_second[block * pixels];
  if (!whole)
    for (int c = 0; c < block * pixels; ++c) tail_y[c] = tail_second[c] = T(0) / T(0);
  for (int first = 0; first < pairs; first += block) {
    const int rows = pairs - first < block ? pairs - first : block;
    const T* block_y = y + static_cast<std::size_t>(first) * y_stride;
    const T* block_second = second ? second + static_cast<std::size_t>(first) * second_stride : nullptr;
    std::size_t block_y_stride = y_stride, block_second_stride = second_stride;
    if (!whole) {
      for (int k = 0; k < rows; ++k) {
        std::memcpy(tail_y + k * pixels, block_y + static_cast<std::size_t>(k) * y_stride, n * sizeof(T));
        if (second) std::memcpy(tail_second + k * pixels, block_second + static_cast<std::size_t>(k) * second_stride, n * sizeof(T));
      }
      block_y = tail_y;
      if (second) block_second = tail_second;
      block_y_stride = block_second_stride = pixels;
    }
    for (int c = 0; c < pixels; c += step) {
      S count = io<S>::load(tile.count + c), least = io<S>::load(tile.w_min + c);
      T *out_y[parts::count], *out_w[parts::count];
      LOPSAR_UNROLL for (int i = 0; i < parts::count; ++i) {
        const int p = c + i * lanes::width<R>;
        const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(p / lane) * edges + first) * lane + p % lane;
        out_y[i] = tile.y + at;
        out_w[i] = tile.w + at;
      }
      T* const flaw = tile.flaw + c;
      for (int k = 0; k < rows; ++k) {
        const T* row_y = block_y + static_cast<std::size_t>(k) * block_y_stride + c;
        const T* row_second = second ? block_second + static_cast<std::size_t>(k) * block_second_stride + c : nullptr;
        S w;
        lanes::mask_t<S> valid;
        const S data = prepare.row(first + k)(io<S>::load_any(row_y), second ? io<S>::load_any(row_second) : zero, flaw, w, valid);
        LOPSAR_UNROLL for (int i = 0; i < parts::count; ++i) {
          io<R>::store(out_y[i], parts::at(data, i));
          io<R>::store(out_w[i], parts::at(w, i));
          out_y[i] += lane;
          out_w[i] += lane;
        }
        count = lanes::choose(valid, count + one, count);
        least = lanes::choose(valid, lanes::at_most(least, w), least);
      }
      io<S>::store(tile.count + c, count);
      io<S>::store(tile.w_min + c, least);
    }
  }
}

}  // namespace lopsar::cpu
