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

}  // namespace

template <class T>
void solve(const Network& network, ConstBlock<T> y, ConstBlock<T> weights, const SolveOutput<T>& output, const SolveOptions& options) {
  const Shape shape = network.shape();
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

template void solve<float>(const Network&, ConstBlock<float>, ConstBlock<float>, const SolveOutput<float>&, const SolveOptions&);
template void solve<double>(const Network&, ConstBlock<double>, ConstBlock<double>, const SolveOutput<double>&, const SolveOptions&);

}  // namespace lopsar
