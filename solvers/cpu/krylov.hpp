// Iterations on lane groups of a tile.
#pragma once
#include <lopsar/solvers/cholesky.hpp>
#include <lopsar/solvers/cpu/system_tile.hpp>
#include <lopsar/solvers/kernels/krylov.hpp>
#include <lopsar/solvers/system.hpp>

namespace lopsar::cpu {

// What every pixel does, and where the rows of a lane group lie in its state (kept between iterations) and in its scratch.
template <class T>
struct KrylovPlan {
  enum class Preconditioner { none, diagonal, cholesky };
  kernels::krylov::Method method = kernels::krylov::Method::cgls;
  kernels::krylov::Problem<T> problem{};
  int values = 0, max_iterations = 0;
  bool history = false;
  Preconditioner preconditioner = Preconditioner::none;
  kernels::CholeskyProgram<T> cholesky{};
  int other_rows = 0, other_values = 0;  // of the model that is factored; 0: this one
  T tau = 0;                             // dependent columns, see factorize()
  struct {
    int w, r, x, p, s, v, d, length, variances, scalars, values, history, factors, rows;
  } state{};
  struct {
    int t, z, slots, neighbors, rows;
  } scratch{};
};

template <class T>
struct KrylovKernels {
  int lane;  // pixels of a lane group
  // Fills the state of the lane group of a tile that begins at pixel c. other: the model that is factored, if that is another one.
  void (*begin)(const KrylovPlan<T>&, const SystemTile<T>& tile, const SystemTile<T>* other, int c, T* state, T* scratch);
  // Iterations first + 1 ... last of a lane group. False: none of its pixels goes on.
  bool (*iterate)(const KrylovPlan<T>&, T* state, T* scratch, int first, int last);
  // Writes x, variances, history and the numbers per pixel of the tile.
  void (*finish)(const KrylovPlan<T>&, SystemTile<T>& tile, int c, T* state);
};
template <class T, int level>
const KrylovKernels<T>& krylov_level();  // in the object of that level
template <class T>
const KrylovKernels<T>& krylov_kernels(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) -> const KrylovKernels<T>& { return krylov_level<T, l>(); });
}

}  // namespace lopsar::cpu
