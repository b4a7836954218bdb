// Direct solution of any pixelwise model. Internal.
#pragma once
#include <algorithm>

#include <lopsar/solvers/cholesky.hpp>
#include <lopsar/solvers/cpu/cholesky.hpp>
#include <lopsar/solvers/cpu/system.hpp>
#include <lopsar/solvers/solve.hpp>

namespace lopsar::detail {

// Method cholesky or qr; automatic is Cholesky. Options of iterations other than damp are not looked at.
template <class S>
SolveReport solve_direct(const LinearOperator& model, ConstBlock<S> y, const SolveOutput<S>& output, const SolveOptions<S>& options);
// (A'W A + priors + damp^2) x = b.
template <class S>
SolveReport solve_direct_normal(const LinearOperator& model, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options,
                                ConstBlock<S> observed);

// Condition of the normal matrix with unit weights and a diagonal of ones: largest over smallest eigenvalue by iteration, good to a factor of two, at
// a pixel whose fields are finite; which one does not depend on the order of pixels. Infinity where it is singular, or no such pixel exists.
double condition_estimate(const System& system, std::size_t pixels, double damp, int threads = 0);
// What automatic arithmetic allows float32: beyond this condition of the scaled normal matrix float32 with one refinement leaves more than 1e-5
// standard deviations where data exceed their noise a thousandfold, (eps condition)^2 1e3 sqrt(K), and too many pixels would be solved twice.
inline constexpr double narrow_condition = 1e3;

// What the tiles of a system are factored with: it looks at all three.
template <class T>
cpu::CholeskyTask<T> cholesky_task(const System& system, const Cholesky& cholesky, const Products& products, double damp);

// Two registers per operand hide the latency from column to column. The task is looked at until the solve is done.
template <class T>
cpu::TileSolver<T> tile_solver(const cpu::CholeskyTask<T>& task, lanes::Level level) {
  return {&task, cpu::cholesky_kernel<T>(level), std::max(task.scratch_rows(), task.wide_rows()), level == lanes::Level::scalar ? 1 : 2};
}

}  // namespace lopsar::detail
