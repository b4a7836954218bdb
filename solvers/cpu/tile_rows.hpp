// From rows of a stack to a tile. Only *_lanes.cpp files include it.
#pragma once
#include <cstring>

#include <lopsar/operators/lanes/target.hpp>
#include <lopsar/solvers/cpu/edge_flow_tile.hpp>

namespace lopsar::cpu {

// prepare.row(k) gives the function (y, second) -> (data, weight) of pair k; y and second are the stack's values as read.
// `second` is coherence or weight; null: none, zeros are passed.
// Rows are far apart, so that no hardware prefetcher follows them: row k+8 (at the end the next tile's first) is asked for here.
template <class T, class Prepare>
LOPSAR_HD void fill_tile(int pairs, const T* y, const T* second, std::size_t y_stride, std::size_t second_stride, std::size_t n, Tile<T>& tile,
                         const Prepare& prepare) {
  using S = lanes::native<T>;
  using lanes::io;
  constexpr int step = lanes::width<S>;
  constexpr int ahead = 8;
  constexpr std::size_t line = 64 / sizeof(T);
  const S zero(T(0)), one(T(1)), infinity(T(1) / T(0));
  constexpr int pixels = tile_pixels<T>;
  const int lane = tile.lane;
  for (int c = 0; c < pixels; c += step) {
    io<S>::store(tile.count + c, zero);
    io<S>::store(tile.w_min + c, infinity);
    io<S>::store(tile.flaw + c, zero);
  }
  const bool whole = n == static_cast<std::size_t>(pixels);
  alignas(64) T tail_y[pixels], tail_second[pixels];
  for (int c = 0; c < pixels; ++c) tail_y[c] = tail_second[c] = T(0) / T(0);
  for (int k = 0; k < pairs; ++k) {
    const T* row_y = y + static_cast<std::size_t>(k) * y_stride;
    const T* row_second = second ? second + static_cast<std::size_t>(k) * second_stride : nullptr;
    if (whole) {
      const std::size_t k_next = static_cast<std::size_t>((k + ahead) % pairs);
      const std::size_t beyond = k + ahead < pairs ? 0 : n;
      const T* next_y = y + k_next * y_stride + beyond;
      const T* next_second = second ? second + k_next * second_stride + beyond : nullptr;
      // The last value of each 64 bytes: where rows are not aligned to cache lines, its line is the one that no earlier tile has read.
      for (std::size_t b = line - 1; b < n; b += line) {
        __builtin_prefetch(next_y + b);
        if (second) __builtin_prefetch(next_second + b);
      }
    } else {
      std::memcpy(tail_y, row_y, n * sizeof(T));
      row_y = tail_y;
      if (second) {
        std::memcpy(tail_second, row_second, n * sizeof(T));
        row_second = tail_second;
      }
    }
    const auto of_pair = prepare.row(k);
    T* out_y = tile.y + static_cast<std::size_t>(k) * static_cast<std::size_t>(lane);
    T* out_w = tile.w + static_cast<std::size_t>(k) * static_cast<std::size_t>(lane);
    const std::size_t group = static_cast<std::size_t>(pairs) * static_cast<std::size_t>(lane);
    int within = 0;
    for (int c = 0; c < pixels; c += step) {
      S w;
      const S data = of_pair(io<S>::load_any(row_y + c), second ? io<S>::load_any(row_second + c) : zero, tile.flaw + c, w);
      io<S>::store(out_y + within, data);
      io<S>::store(out_w + within, w);
      const auto valid = w > zero;
      const S least = io<S>::load(tile.w_min + c), n_valid = io<S>::load(tile.count + c);
      io<S>::store(tile.count + c, n_valid + lanes::choose(valid, one, zero));
      io<S>::store(tile.w_min + c, lanes::at_most(least, lanes::choose(valid, w, infinity)));
      within += step;
      if (within == lane) {
        within = 0;
        out_y += group;
        out_w += group;
      }
    }
  }
}

}  // namespace lopsar::cpu
