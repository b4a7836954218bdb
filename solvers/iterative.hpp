// Iterative weighted least squares, step by step, every pixel by itself.
#pragma once
#include <cstddef>
#include <memory>

#include <lopsar/solvers/solve.hpp>

namespace lopsar {

// CG on the normal equations, CGLS or LSQR in steps: setup, then step or run as often as wanted, then finalize. What `solve` does at once, with the
// same bits; here the vectors of all pixels stay in memory: per pixel 4 K + 5 n + 14 values (K observations, n unknowns; copies of y and of weights
// among them), of LSQR n more with a preconditioner and n more with damping, 2 per row of a prior, and fields, factors and history.
//
//   IterativeSolve<float> s(model, Method::cgls);
//   s.setup(y, {.weights = w});
//   while (s.step() > 0) look_at(s.solution().x);
//   Solution<float> result = s.finalize();
//
// Not to be used from two threads at once. Calls before setup: InvalidArgument.
template <class T>
class IterativeSolve {
 public:
  // method: cg, cgls or lsqr, else InvalidArgument. Options of the same name are not looked at.
  explicit IterativeSolve(LinearOperator model, Method method = Method::cgls);
  ~IterativeSolve();
  IterativeSolve(IterativeSolve&&) noexcept;
  IterativeSolve& operator=(IterativeSolve&&) noexcept;

  // Copies y (K, pixels) and the blocks of the options; ShapeError and InvalidArgument as `solve`. Begins anew. InvalidArgument for a history of so
  // many iterations that no int counts its values of a lane group.
  void setup(ConstBlock<T> y, const SolveOptions<T>& options = {}, bool history = false);
  // One more iteration of every pixel that runs, and none beyond max_iterations. Returns how many pixels still run.
  std::size_t step() { return run(1); }
  std::size_t run(int iterations);

  const LinearOperator& model() const;
  Method method() const;
  std::size_t unknowns() const, pixels() const;
  int iteration() const;        // steps so far
  int max_iterations() const;   // as resolved by setup
  std::size_t running() const;  // pixels that neither converged nor broke down nor reached the limit
  SolveReport report() const;

  // The state as it is: not_converged where a pixel still runs. Blocks as of solve_into; history only if it was asked for at setup.
  void read(const SolveOutput<T>& output) const;
  // (pixels) norms of the whole residual, priors and damping included, as the iteration knows them; NaN where there is nothing to solve.
  void residual_norms(T* norms) const;
  Solution<T> solution() const;
  // The state, last of all.
  Solution<T> finalize() const { return solution(); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};
extern template class IterativeSolve<float>;
extern template class IterativeSolve<double>;

namespace detail {
// `solve` for cg, cgls and lsqr.
template <class S>
SolveReport solve_iterative(const LinearOperator& model, ConstBlock<S> y, const SolveOutput<S>& output, const SolveOptions<S>& options);
}  // namespace detail

}  // namespace lopsar
