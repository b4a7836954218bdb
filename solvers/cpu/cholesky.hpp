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
  kernels::SystemMatrix<T> by_row{}, by_column{};  // A and A'
  int observations = 0, values = 0;
  bool normal = false;    // x is b
  bool squares = true;    // the residual is asked for
  bool reveal = true;     // undetermined unknowns become NaN; false: they keep a value that fits
  T damp2 = 0, tau = 0;   // rank: d <= tau N_jj
  T weak = 0;             // a pixel with d <= weak N_jj is refined; 1: every pixel
  T negligible = 0;       // see undetermined()
  int slots = 0, neighbors = 0;

  // Rows of scratch of a lane group.
  std::size_t scratch_rows() const {
    return static_cast<std::size_t>(slots + neighbors + program.factor_rows + by_row.rows + 2 * program.columns);
  }
};

template <class T, int level>
void (*cholesky_level())(const void* task, SystemTile<T>& tile);  // in the object of that level
template <class T>
auto cholesky_kernel(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) { return cholesky_level<T, l>(); });
}

}  // namespace lopsar::cpu
