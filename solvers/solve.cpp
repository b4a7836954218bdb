#include <lopsar/solvers/solve.hpp>

#include <algorithm>
#include <limits>
#include <string>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/cpu/edge_flow.hpp>
#include <lopsar/solvers/cpu/observations.hpp>
#include <lopsar/solvers/direct.hpp>
#include <lopsar/solvers/problem.hpp>

namespace lopsar {
namespace {

const Network* network_of(const LinearOperator& model) { return dynamic_cast<const Network*>(model.node().get()); }

template <class T>
SolveReport edge_flow(const Network& network, ConstBlock<T> y, const SolveOutput<T>& output, const SolveOptions<T>& options) {
  const Shape shape = network.shape();
  const ConstBlock<T> weights = options.weights;
  detail::check_block("y", y, shape.rows, y.pixels);
  detail::check_block("x", output.x, shape.columns, y.pixels);
  const bool per_pixel = weights.data && (weights.pixels != 1 || y.pixels == 1);
  if (weights.data) detail::check_block("weights", weights, shape.rows, per_pixel ? y.pixels : 1);
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
  if (output.iterations) std::fill_n(output.iterations, y.pixels, 0);
  return {Method::edge_flow, sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64};
}

template <class T>
bool suits_edge_flow(const SolveOptions<T>& options) {
  return options.priors.empty() && options.damp == 0;
}

template <class T>
SolveReport run(const LinearOperator& model, ConstBlock<T> y, const SolveOutput<T>& output, const SolveOptions<T>& options) {
  const Network* const network = network_of(model);
  switch (options.method) {
    case Method::automatic:
      if (network && suits_edge_flow(options)) return edge_flow(*network, y, output, options);
      return detail::solve_direct(model, y, output, options);
    case Method::edge_flow:
      if (!network || !suits_edge_flow(options))
        throw InvalidArgument("solve: expected a Network without priors or damp for method edge-flow, got " + model.name() +
                              (network ? " with them" : "") + "; use method auto or cholesky");
      return edge_flow(*network, y, output, options);
    case Method::cholesky: return detail::solve_direct(model, y, output, options);
    default: throw InvalidArgument("solve: expected method auto, edge-flow or cholesky, got " + name(options.method));
  }
}

template <class T>
Solution<T> run(const LinearOperator& model, ConstBlock<T> y, const SolveOptions<T>& options) {
  Solution<T> s;
  s.unknowns = model.shape().columns, s.pixels = y.pixels;
  s.x.resize(s.unknowns * s.pixels);
  s.status.resize(s.pixels), s.rank.resize(s.pixels), s.valid.resize(s.pixels), s.residual_norm.resize(s.pixels), s.iterations.resize(s.pixels);
  SolveOutput<T> output;
  output.x = {s.x.data(), s.unknowns, s.pixels};
  output.status = s.status.data(), output.rank = s.rank.data(), output.valid = s.valid.data();
  output.residual_norm = s.residual_norm.data(), output.iterations = s.iterations.data();
  s.report = run(model, y, output, options);
  return s;
}

}  // namespace

std::string name(Method method) {
  switch (method) {
    case Method::automatic: return "auto";
    case Method::edge_flow: return "edge-flow";
    case Method::cholesky: return "cholesky";
    case Method::qr: return "qr";
    case Method::cg: return "cg";
    case Method::cgls: return "cgls";
    case Method::lsqr: return "lsqr";
  }
  return "?";
}

Solution<float> solve(const LinearOperator& model, ConstBlock<float> y, const SolveOptions<float>& options) { return run(model, y, options); }
Solution<double> solve(const LinearOperator& model, ConstBlock<double> y, const SolveOptions<double>& options) { return run(model, y, options); }
SolveReport solve_into(const LinearOperator& model, ConstBlock<float> y, const SolveOutput<float>& output, const SolveOptions<float>& options) {
  return run(model, y, output, options);
}
SolveReport solve_into(const LinearOperator& model, ConstBlock<double> y, const SolveOutput<double>& output, const SolveOptions<double>& options) {
  return run(model, y, output, options);
}

SolveReport solve_normal_into(const LinearOperator& model, ConstBlock<float> b, const SolveOutput<float>& output, const SolveOptions<float>& options,
                              ConstBlock<float> observed) {
  return detail::solve_direct_normal(model, b, output, options, observed);
}
SolveReport solve_normal_into(const LinearOperator& model, ConstBlock<double> b, const SolveOutput<double>& output,
                              const SolveOptions<double>& options, ConstBlock<double> observed) {
  return detail::solve_direct_normal(model, b, output, options, observed);
}

}  // namespace lopsar
