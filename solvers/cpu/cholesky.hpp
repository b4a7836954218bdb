// Cholesky on the tiles of a System.
#pragma once
#include <cstddef>

#include <lopsar/operators/lanes/dispatch.hpp>
#include <lopsar/solvers/cpu/system_tile.hpp>
#include <lopsar/solvers/kernels/cholesky.hpp>
#include <lopsar/solvers/kernels/system.hpp>

namespace lopsar::cpu {

// All that a tile needs beside its data.
template <class T>
struct CholeskyTask {
  kernels::CholeskyProgram<T> program{};
  kernels::SystemProducts<T> matrix{};
  kernels::SystemMatrix<T> by_row{}, by_column{};  // the same, whole: see undetermined()
  int observations = 0, values = 0;
  bool normal = false;      // x is b
  bool everywhere = false;  // pixels without observations are solved, too
  bool norm = true;         // the residual is asked for
  bool reveal = true;       // undetermined unknowns become NaN; false: they keep a value that fits
  T damp2 = 0, tau = 0;     // rank: see factorize()
  T weak = 0;               // a pixel with d <= weak N_jj: float64 refines it, float32 gives up
  T noise = 0;              // rounding of an entry of the factors: see undetermined()
  int slots = 0, neighbors = 0;
  // Where weights and matrix are the same at every pixel: rows of factors of one that misses nothing, how many observations that one has, and what
  // factorize() said of it.
  const T* shared = nullptr;
  T shared_count = 0, shared_rank = 0, shared_weak = 0;
  // float32 only, for pixels that it is not enough for: see trusted().
  const CholeskyTask<double>* wide = nullptr;

  // Rows of scratch of a lane group.
  std::size_t scratch_rows() const { return static_cast<std::size_t>(slots + neighbors + program.factor_rows + matrix.rows + 2 * program.columns); }
  // What a lane group of the float64 task occupies, in rows of scratch of this one, which are half as long at least.
  std::size_t wide_rows() const {
    return wide ? 2 * (wide->scratch_rows() + static_cast<std::size_t>(2 * matrix.rows + values + program.columns) + 6) + 16 : 0;
  }
};

template <class T, int level>
void (*cholesky_level())(const void* task, SystemTile<T>& tile);  // in the object of that level
template <class T>
auto cholesky_kernel(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) { return cholesky_level<T, l>(); });
}

}  // namespace lopsar::cpu
