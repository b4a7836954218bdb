// Direct solution of any pixelwise model. Internal.
#pragma once
#include <lopsar/solvers/cholesky.hpp>
#include <lopsar/solvers/cpu/cholesky.hpp>
#include <lopsar/solvers/solve.hpp>

namespace lopsar::detail {

// Method cholesky or qr; automatic is Cholesky. Options of iterations other than damp are not looked at.
template <class S>
SolveReport solve_direct(const LinearOperator& model, ConstBlock<S> y, const SolveOutput<S>& output, const SolveOptions<S>& options);
// (A'W A + priors + damp^2) x = b.
template <class S>
SolveReport solve_direct_normal(const LinearOperator& model, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options,
                                ConstBlock<S> observed);

// What the tiles of a system are factored with: it looks at both.
template <class T>
cpu::CholeskyTask<T> cholesky_task(const System& system, const Cholesky& cholesky, double damp);

}  // namespace lopsar::detail
