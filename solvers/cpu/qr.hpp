// QR on the tiles of a System.
#pragma once
#include <cstddef>

#include <lopsar/operators/lanes/dispatch.hpp>
#include <lopsar/solvers/cpu/system_tile.hpp>
#include <lopsar/solvers/kernels/givens.hpp>

namespace lopsar::cpu {

// All that a tile needs beside its data; float64 only, as it is there for models that float64 is needed for.
struct QrTask {
  kernels::GivensProgram givens{};
  kernels::CholeskyProgram<double> factors{};  // to substitute with
  kernels::SystemMatrix<double> by_row{}, by_column{};
  int observations = 0, values = 0;
  bool normal = false;        // x is b
  double damp2 = 0, tau = 0;  // rank: see rotate()
  double noise = 0;           // see undetermined()

  // Rows of scratch of a lane group.
  std::size_t scratch_rows() const { return static_cast<std::size_t>(factors.factor_rows + 5 * givens.columns); }
};

template <int level>
void (*qr_level())(const void* task, SystemTile<double>& tile);  // in the object of that level
inline auto qr_kernel(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) { return qr_level<l>(); });
}

}  // namespace lopsar::cpu
