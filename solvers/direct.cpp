#include <lopsar/solvers/direct.hpp>

#include <algorithm>
#include <limits>
#include <string>

#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/cholesky.hpp>
#include <lopsar/solvers/cpu/cholesky.hpp>
#include <lopsar/solvers/problem.hpp>

namespace lopsar::detail {
namespace {

// A pivot carries the rounding errors of a sum over the rows of the matrix and of as many updates as there are columns, relative to the diagonal
// entry that it started from; it stands for nothing below them.
template <class T>
T rank_limit(const System& system) {
  return static_cast<T>(4) * std::numeric_limits<T>::epsilon() * static_cast<T>(system.rows() + system.columns());
}

}  // namespace

template <class T>
cpu::CholeskyTask<T> cholesky_task(const System& system, const Cholesky& cholesky, double damp) {
  cpu::CholeskyTask<T> task;
  task.program = cholesky.program<T>();
  task.by_row = system.by_row().template rows<T>();
  task.by_column = system.by_column().template rows<T>();
  task.observations = system.observations(), task.values = system.values();
  task.damp2 = static_cast<T>(damp * damp);
  task.tau = rank_limit<T>(system);
  task.weak = sizeof(T) == 4 ? T(1) : T(1e-6);
  task.negligible = task.tau;
  task.slots = cholesky.slot_rows(), task.neighbors = cholesky.neighbor_rows();
  return task;
}
template cpu::CholeskyTask<float> cholesky_task<float>(const System&, const Cholesky&, double);
template cpu::CholeskyTask<double> cholesky_task<double>(const System&, const Cholesky&, double);

namespace {

template <class S>
void check(const SolveOptions<S>& options) {
  if (options.null_space != NullSpace::none)
    throw InvalidArgument("solve: expected null_space none with method " + name(options.method == Method::automatic ? Method::cholesky : options.method) +
                          ", as minimum norms are those of a network; use method edge-flow, or a prior or damp that decides what data leave open");
  if (!(options.damp >= 0 && options.damp < 1e15))
    throw InvalidArgument("solve: expected damp >= 0 and finite, got " + std::to_string(options.damp));
}

template <class S, class T>
void run_cholesky(const Problem<S>& problem, std::size_t pixels, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  const Cholesky cholesky(problem.system);
  auto direct = cholesky_task<T>(problem.system, cholesky, options.damp);
  direct.normal = b.data != nullptr;
  direct.squares = output.residual_norm != nullptr;
  auto task = make_task<S, T>(problem, pixels, output, options);
  task.x_in = b;
  task.needs_observations = !direct.normal;
  task.solver.self = &direct;
  task.solver.solve = cpu::cholesky_kernel<T>(task.level);
  task.solver.scratch_rows = direct.scratch_rows();
  cpu::run(task);
}

template <class S>
SolveReport run(const Problem<S>& problem, std::size_t pixels, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  const bool narrow = options.arithmetic == Arithmetic::float32;
  if (narrow) run_cholesky<S, float>(problem, pixels, b, output, options);
  else run_cholesky<S, double>(problem, pixels, b, output, options);
  return {Method::cholesky, narrow ? Arithmetic::float32 : Arithmetic::float64};
}

}  // namespace

template <class S>
SolveReport solve_direct(const LinearOperator& model, ConstBlock<S> y, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  check(options);
  return run<S>(make_problem<S>(model, y, options.weights, options.priors, y.pixels), y.pixels, {}, output, options);
}

template <class S>
SolveReport solve_direct_normal(const LinearOperator& model, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options,
                                ConstBlock<S> observed) {
  check(options);
  check_block("b", b, model.shape().columns, b.pixels);
  return run<S>(make_problem<S>(model, observed, options.weights, options.priors, b.pixels), b.pixels, b, output, options);
}

#define LOPSAR_DIRECT(S)                                                                                                                        \
  template SolveReport solve_direct<S>(const LinearOperator&, ConstBlock<S>, const SolveOutput<S>&, const SolveOptions<S>&);                    \
  template SolveReport solve_direct_normal<S>(const LinearOperator&, ConstBlock<S>, const SolveOutput<S>&, const SolveOptions<S>&, ConstBlock<S>);
LOPSAR_DIRECT(float)
LOPSAR_DIRECT(double)
#undef LOPSAR_DIRECT

}  // namespace lopsar::detail
