// Sparse matrix times block, one object per instruction-set level (pattern_lanes.cpp).
#pragma once
#include <cstddef>

#include <lopsar/operators/field.hpp>
#include <lopsar/operators/lanes/dispatch.hpp>

namespace lopsar::cpu {

// The matrix row by row. Row i has the groups [row_start[i], row_start[i+1]); group g has the terms [group_start[g], group_start[g+1]) and
// the factor `factor[g]` (-1: none). twin[i]: rows i and i+1 have one group each, with the same columns.
template <class T>
struct PatternRows {
  std::size_t rows;
  const int *row_start, *group_start, *factor, *column;
  const T* coefficient;
  const unsigned char* twin;
};

// At most this many pixels: the pixels of a tile.
inline constexpr std::size_t pattern_tile = 512;

// One tile. factors[f]: values of factor f at the tile's pixels. stream: the result goes to memory past the cache. ahead: the pixels after
// these are fetched from memory meanwhile; rows are far apart, so that no hardware prefetcher does.
template <class T>
using PatternKernel = void (*)(const PatternRows<T>&, const T* const* factors, ConstBlock<T> x, Block<T> y, bool stream, bool ahead);

template <class T, int level>
PatternKernel<T> pattern_level();  // in the object of that level
template <class T>
PatternKernel<T> pattern_kernel(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) { return pattern_level<T, l>(); });
}

}  // namespace lopsar::cpu
