// A solver of tiles over all pixels on all threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <lopsar/operators/field.hpp>
#include <lopsar/solvers/cpu/system_tile.hpp>
#include <lopsar/solvers/status.hpp>
#include <lopsar/solvers/system.hpp>

namespace lopsar::cpu {

// What solves the lane groups of a tile that have an observation (or, of a normal solve, all; what becomes of flawed pixels is not looked at): reads
// y, w, values and x, writes x, rank, norm, iterations, status. Immutable; it may be called on several threads, each with a tile of its own.
template <class T>
struct TileSolver {
  const void* self = nullptr;
  void (*solve)(const void* self, SystemTile<T>& tile) = nullptr;
  std::size_t scratch_rows = 0;  // rows of one lane group
  int registers = 1;             // registers of a lane group
};

// S: values of the caller's blocks; T: arithmetic.
template <class S, class T>
struct SystemTask {
  const detail::System* system = nullptr;
  std::vector<RowSource<S>> sources;  // one per row of the system
  ConstBlock<S> x_in{};               // (columns, pixels) what the solver finds in x; null: 0
  std::size_t pixels = 0;
  std::size_t first = 0;           // where the fields of the system begin: they are read from there on
  bool needs_observations = true;  // false: pixels without observations are solved too (normal solves)
  TileSolver<T> solver;
  // Results per pixel, each may be null.
  Block<S> x{}, variances{}, history{};
  S* residual_norm = nullptr;
  std::int32_t *rank = nullptr, *valid = nullptr, *iterations = nullptr;
  std::uint8_t* status = nullptr;
  // How.
  lanes::Level level = lanes::Level::scalar;
  int threads = 0;
  std::size_t chunk = 0;
  std::function<bool(std::size_t)> progress{};
};

// Results do not depend on threads, chunk, or the place of a pixel. Throws Interrupted where progress says so.
template <class S, class T>
void run(const SystemTask<S, T>& task);

}  // namespace lopsar::cpu
