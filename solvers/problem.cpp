#include <lopsar/solvers/problem.hpp>

#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar::detail {
namespace {

// A block (rows, pixels), (rows, 1) or none, of which row i goes to one of the two places.
template <class S>
void lay_out(const std::string& name, ConstBlock<S> block, std::size_t rows, std::size_t pixels, std::size_t i, const S*& each, S& all) {
  if (!block.data) return;
  if (block.rows != rows || (block.pixels != pixels && block.pixels != 1))
    throw ShapeError("solve: expected " + name + " of shape (" + std::to_string(rows) + ", " + std::to_string(pixels) + ") or (" +
                     std::to_string(rows) + ", 1), got (" + std::to_string(block.rows) + ", " + std::to_string(block.pixels) +
                     "); columns are pixels");
  if (block.pixels == pixels) each = block.row(i);
  else all = *block.row(i);
}

}  // namespace

template <class S>
cpu::RowSource<S> row_source(const std::string& name, ConstBlock<S> data, ConstBlock<S> weights, std::size_t rows, std::size_t pixels,
                             std::size_t i) {
  cpu::RowSource<S> source;
  lay_out<S>("data of " + name, data, rows, pixels, i, source.y, source.y_all);
  lay_out<S>("weights of " + name, weights, rows, pixels, i, source.w, source.w_all);
  return source;
}

template <class S>
void check_block(const char* name, const Block<S>& block, std::size_t rows, std::size_t pixels) {
  if (block.rows != rows || block.pixels != pixels)
    throw ShapeError(std::string("solve: expected ") + name + " of shape (" + std::to_string(rows) + ", " + std::to_string(pixels) + "), got (" +
                     std::to_string(block.rows) + ", " + std::to_string(block.pixels) + "); columns are pixels");
}

template <class S>
Problem<S> make_problem(const LinearOperator& model, ConstBlock<S> y, ConstBlock<S> weights, const std::vector<Prior<S>>& priors,
                        std::size_t pixels) {
  std::vector<LinearOperator> below;
  for (const auto& p : priors) below.push_back(p.op);
  Problem<S> problem{System(model, below), {}};
  const auto rows = static_cast<std::size_t>(problem.system.observations());
  if (y.data) check_block("y", y, rows, pixels);
  if (problem.system.pixels() != 0 && problem.system.pixels() != pixels)
    throw ShapeError("solve: expected as many pixels as the fields of the model have, " + std::to_string(problem.system.pixels()) + ", got " +
                     std::to_string(pixels));
  for (std::size_t k = 0; k < rows; ++k) {
    cpu::RowSource<S> source;
    if (y.data) source.y = y.row(k);
    lay_out<S>("weights", weights, rows, pixels, k, source.w, source.w_all);
    problem.sources.push_back(source);
  }
  for (std::size_t q = 0; q < priors.size(); ++q)
    for (std::size_t i = 0, n = priors[q].op.shape().rows; i < n; ++i)
      problem.sources.push_back(row_source<S>("prior " + std::to_string(q), priors[q].data, priors[q].weights, n, pixels, i));
  return problem;
}

template <class S, class T>
cpu::SystemTask<S, T> make_task(const Problem<S>& problem, std::size_t pixels, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  const auto columns = static_cast<std::size_t>(problem.system.columns());
  check_block("x", output.x, columns, pixels);
  if (output.variances.data) check_block("variances", output.variances, columns, pixels);
  if (output.history.data) check_block("history", output.history, output.history.rows, pixels);
  cpu::SystemTask<S, T> task;
  task.system = &problem.system;
  task.sources = problem.sources;
  task.pixels = pixels;
  task.x = output.x, task.variances = output.variances, task.history = output.history;
  task.residual_norm = output.residual_norm;
  task.rank = output.rank, task.valid = output.valid, task.iterations = output.iterations, task.status = output.status;
  task.level = lanes::active_level();
  task.threads = options.threads, task.chunk = options.chunk_size;
  task.progress = options.progress;
  return task;
}

#define LOPSAR_PROBLEM(S)                                                                                                                \
  template void check_block<S>(const char*, const Block<S>&, std::size_t, std::size_t);                                                  \
  template void check_block<const S>(const char*, const Block<const S>&, std::size_t, std::size_t);                                      \
  template Problem<S> make_problem<S>(const LinearOperator&, ConstBlock<S>, ConstBlock<S>, const std::vector<Prior<S>>&, std::size_t);   \
  template cpu::RowSource<S> row_source<S>(const std::string&, ConstBlock<S>, ConstBlock<S>, std::size_t, std::size_t, std::size_t);     \
  template cpu::SystemTask<S, float> make_task<S, float>(const Problem<S>&, std::size_t, const SolveOutput<S>&, const SolveOptions<S>&); \
  template cpu::SystemTask<S, double> make_task<S, double>(const Problem<S>&, std::size_t, const SolveOutput<S>&, const SolveOptions<S>&);
LOPSAR_PROBLEM(float)
LOPSAR_PROBLEM(double)
#undef LOPSAR_PROBLEM

}  // namespace lopsar::detail
