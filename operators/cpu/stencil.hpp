// The inner loops of Stencil, one object per instruction-set level (stencil_lanes.cpp).
#pragma once
#include <cstddef>

#include <lopsar/operators/axis_matrix.hpp>
#include <lopsar/operators/lanes/dispatch.hpp>

namespace lopsar::cpu {

// Values [from, to) of a row, each the sum of `count` taps: value p is the sum of at[t][p] times coefficient[t].
template <class T>
struct Piece {
  std::size_t from, to;
  const T* const* at;
  const T* coefficient;
  std::size_t count;
};

// Where a sparse matrix reads and writes: `rows` rows, `row_in` and `row_out` values apart; k neighboring values have the same entries.
template <class T>
struct Rows {
  const T* in;
  T* out;
  std::size_t rows, row_in, row_out, k;
};

template <class T>
struct StencilKernels {
  // `rows` rows of `length` values one after the other; the same pieces make up each of them, pointers being those of the first. The longest
  // piece is done for all rows at once, across their ends, the others after it. stream: out goes past the cache.
  void (*combine)(const Piece<T>* pieces, std::size_t count, std::size_t rows, std::size_t length, T* out, bool stream);
  // Rows [from, to) of a matrix: out[i*k + q] = sum of tap times in[column*k + q]. `run` is that of row `from`, the others follow it.
  void (*gather)(const TapRun* run, const Tap* matrix, std::size_t from, std::size_t to, const Rows<T>& rows);
  // After the last of several calls.
  void (*finish)();
};
template <class T, int level>
const StencilKernels<T>& stencil_level();  // in the object of that level
template <class T>
const StencilKernels<T>& stencil_kernels(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) -> const StencilKernels<T>& { return stencil_level<T, l>(); });
}

// Values of a group of short rows that are worth one call, and that still lie in the first-level cache.
inline constexpr std::size_t stencil_group = 2048;

}  // namespace lopsar::cpu
