#include <lopsar/solvers/solve.hpp>

#include <limits>
#include <string>

#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/cpu/edge_flow.hpp>
#include <lopsar/solvers/cpu/observations.hpp>

namespace lopsar {
namespace {

template <class T>
void check(const char* name, const Block<T>& block, std::size_t rows, std::size_t pixels) {
  if (block.rows != rows || block.pixels != pixels)
    throw ShapeError(std::string("solve: expected ") + name + " of shape (" + std::to_string(rows) + ", " + std::to_string(pixels) + "), got (" +
                     std::to_string(block.rows) + ", " + std::to_string(block.pixels) + "); columns are pixels");
}

template <class T>
void run(const Network& network, ConstBlock<T> y, const SolveOutput<T>& output, const SolveOptions<T>& options) {
  const Shape shape = network.shape();
  const ConstBlock<T> weights = options.weights;
  check("y", y, shape.rows, y.pixels);
  check("x", output.x, shape.columns, y.pixels);
  const bool per_pixel = weights.data && (weights.pixels != 1 || y.pixels == 1);
  if (weights.data) check("weights", weights, shape.rows, per_pixel ? y.pixels : 1);
  if (weights.data && !per_pixel && weights.stride != 1)
    throw ShapeError("solve: expected contiguous weights (K, 1), got stride " + std::to_string(weights.stride));

  const EdgeFlow edge_flow(network, options.null_space);
  std::vector<int> date_row;
  for (std::size_t d = 0; d < network.dates().size(); ++d)
    date_row.push_back(d == network.reference() ? -1 : static_cast<int>(d - (d > network.reference() ? 1 : 0)));
  const cpu::Observations<T> observations{y, weights, per_pixel};
  cpu::EdgeFlowTask<T> task;
  task.edge_flow = &edge_flow;
  task.level = lanes::active_level();
  task.source = cpu::observations_source(observations, task.level);
  task.sink = {output.x.data, output.x.stride, date_row.data(), T(1), std::numeric_limits<T>::quiet_NaN()};
  task.pixels = y.pixels;
  task.quality_out = output.residual_norm;
  task.rank = output.rank;
  task.valid = output.valid;
  task.status = output.status;
  task.threads = options.threads;
  task.chunk = options.chunk_size;
  cpu::run(task);
}

template <class T>
Solution<T> run(const Network& network, ConstBlock<T> y, const SolveOptions<T>& options) {
  Solution<T> s;
  s.unknowns = network.shape().columns, s.pixels = y.pixels;
  s.x.resize(s.unknowns * s.pixels);
  s.status.resize(s.pixels), s.rank.resize(s.pixels), s.valid.resize(s.pixels), s.residual_norm.resize(s.pixels);
  run(network, y, {{s.x.data(), s.unknowns, s.pixels}, s.status.data(), s.rank.data(), s.valid.data(), s.residual_norm.data()}, options);
  return s;
}

}  // namespace

Solution<float> solve(const Network& network, ConstBlock<float> y, const SolveOptions<float>& options) { return run(network, y, options); }
Solution<double> solve(const Network& network, ConstBlock<double> y, const SolveOptions<double>& options) { return run(network, y, options); }
void solve_into(const Network& network, ConstBlock<float> y, const SolveOutput<float>& output, const SolveOptions<float>& options) {
  run(network, y, output, options);
}
void solve_into(const Network& network, ConstBlock<double> y, const SolveOutput<double>& output, const SolveOptions<double>& options) {
  run(network, y, output, options);
}

}  // namespace lopsar
