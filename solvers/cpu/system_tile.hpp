// A tile of pixels of a System on the CPU: filled from the caller's blocks, solved lane group by lane group, written back.
#pragma once
#include <cstddef>

#include <lopsar/operators/field.hpp>
#include <lopsar/operators/lanes/dispatch.hpp>
#include <lopsar/solvers/cpu/ask_ahead.hpp>

namespace lopsar::cpu {

// Tiles are never longer.
inline constexpr int longest_tile = 64;

// Where the next tile comes from: `bytes` bytes of each of `rows` rows.
struct NextTileRows {
  const char* const* row = nullptr;
  int rows = 0;
  std::ptrdiff_t from = 0, bytes = 0;
};

// Numbers of a tile in the arithmetic T. Rows lie as [lane group][row][lane], so that a lane group is one contiguous stream; the others have one
// number per pixel. A missing observation has y = w = 0.
template <class T>
struct SystemTile {
  std::size_t first = 0, n = 0;  // the pixels of the caller that it holds
  int lane = 0, pixels = 0;      // pixels of a lane group (one register) and of the tile; the tail of the last tile is missing
  T *y = nullptr, *w = nullptr;  // (rows): data and weights
  T* values = nullptr;           // (values): numbers of the fields
  T* x = nullptr;                // (columns): in: x0, or b of a normal solve, or 0; out: the solution, NaN where undetermined
  T* variances = nullptr;        // (columns), where asked for
  T* history = nullptr;          // (iterations + 1), where asked for: filled with NaN before
  T* count = nullptr;            // valid observations; a pixel without any must come to no harm and do none
  T* flaw = nullptr;             // > 0: input that no arithmetic can use (its rows are missing), or a solution beyond the numbers that T has
  T *rank = nullptr, *norm = nullptr, *iterations = nullptr;  // norm: |W^(1/2)(A x - y)| of the observations
  T* status = nullptr;   // number of the Status of a pixel that was solved: ok, rank_deficient, not_converged, breakdown
  NextTileRows next{};   // a solver may ask for it while it computes (ask_ahead)
  T* scratch = nullptr;  // of one lane group, aligned to 64 bytes; left as it was by the group before
};

// Asks for the next tile cache line by cache line.
class NextLine {
 public:
  LOPSAR_HD explicit NextLine(const NextTileRows& next) : row_(next.row), from_(next.from), bytes_(next.bytes) {}
  LOPSAR_HD void operator()() {
    ask_for(*row_ + from_ + at_);
    at_ += 64;
    if (at_ >= bytes_) at_ = 0, ++row_;
  }

 private:
  const char* const* row_;
  std::ptrdiff_t from_, bytes_, at_ = 0;
};
LOPSAR_HD Spread<NextLine> ask_ahead(const NextTileRows& next, int calls) {
  return {NextLine(next), static_cast<int>(next.rows * ((next.bytes + 63) / 64)), calls};
}

// Where the data of a row lie; null: the same number at every pixel.
template <class S>
struct RowSource {
  const S *y = nullptr, *w = nullptr;  // of the first pixel
  S y_all = 0, w_all = 1;
};

// Columns (n, pixels) to and from a tile.
template <class S, class T>
struct SystemKernels {
  int lane;  // pixels of a register of T
  // Fills y, w, count and flaw of pixels [first, first + n); rows from `observations` on are not counted.
  void (*load)(const RowSource<S>* sources, int rows, int observations, std::size_t first, std::size_t n, SystemTile<T>& tile);
  // Fills (rows) from a block, or from a null block with 0.
  void (*load_rows)(ConstBlock<S> block, int rows, std::size_t first, std::size_t n, const SystemTile<T>& tile, T* to);
  // Makes flaw 1 where a number of (rows) is beyond what a block can hold; NaN is not.
  void (*mark_overflow)(const T* from, int rows, const SystemTile<T>& tile);
  // Writes (rows) to a block; NaN where keep[pixel] is 0.
  void (*write_rows)(const T* from, const T* keep, int rows, std::size_t first, std::size_t n, const SystemTile<T>& tile, Block<S> block);
};
template <class S, class T, int level>
const SystemKernels<S, T>& system_level();  // in the object of that level
template <class S, class T>
const SystemKernels<S, T>& system_kernels(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) -> const SystemKernels<S, T>& { return system_level<S, T, l>(); });
}

}  // namespace lopsar::cpu
