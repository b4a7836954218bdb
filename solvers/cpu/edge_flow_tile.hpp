// A tile of pixels on the CPU: what stays in the second-level cache between reading the stack and writing the series.
#pragma once
#include <cstddef>

#include <lopsar/operators/lanes/dispatch.hpp>
#include <lopsar/solvers/edge_flow_symbolic.hpp>
#include <lopsar/solvers/kernels/edge_flow.hpp>

namespace lopsar::cpu {

// Pixels of a tile: four cache lines of a row. Shorter pieces of a row cost memory speed, longer tiles leave the second-level cache.
template <class T>
inline constexpr int tile_pixels = 256 / sizeof(T);

// Layout of y, w and x: [lane group][row][lane], so that a lane group is one contiguous stream and rows of a power-of-two
// stride do not meet in the same cache sets.
template <class T>
struct Tile {
  // Where the tile after this one begins in the first row of the stack, and from row to row; null: no such rows.
  struct {
    const T* at;
    std::size_t stride;
  } next_y, next_second;
  int lane;  // pixels of a lane group
  T *y, *w;  // oriented data and weights; missing: y = kernels::missing, w = 0
  T* x;      // date phases
  T* count;  // valid observations
  T* w_min;  // smallest positive weight, +inf where there is none
  T* flaw;   // > 0: an observation or weight that no arithmetic can use
  T *rank, *quality, *redundancy;
  T* keep;                                 // 1: the pixel's series is written, 0: the fill value
  T *slots, *factors, *neighbors, *dates;  // scratch of one lane group
};

// Observations for tiles: fills y, w, count, w_min, flaw for pixels [first, first+n). Where n < tile_pixels the rest is missing.
template <class T>
struct TileSource {
  const void* data = nullptr;
  const T* address = nullptr;  // of the first row, for alignment
  void (*load)(const void* data, const detail::EdgeFlowSymbolic&, std::size_t first, std::size_t n, Tile<T>&) = nullptr;
};

// Rows written per tile: date d goes to row date_row[d] (-1: not written) of x.
template <class T>
struct TileSink {
  T* x;
  std::size_t stride;
  const int* date_row;
  T scale, fill;
};

template <class T>
struct EdgeFlowKernels {
  int lane;  // of one register
  // Solves the lane groups of a tile that have an observation; registers: 1 or 2 per operand.
  void (*solve)(const detail::EdgeFlowSymbolic&, const T* pseudo, kernels::Quality, int registers, bool determined, bool redundancy, int exempt,
                Tile<T>&);
  void (*write)(const detail::EdgeFlowSymbolic&, const TileSink<T>&, const Tile<T>&, std::size_t first, std::size_t n);
};
template <class T, int level>
const EdgeFlowKernels<T>& edge_flow_level();
template <class T>
const EdgeFlowKernels<T>& edge_flow_kernels(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) -> const EdgeFlowKernels<T>& { return edge_flow_level<T, l>(); });
}

}  // namespace lopsar::cpu
