#include <lopsar/solvers/solve.hpp>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/cpu/edge_flow.hpp>
#include <lopsar/solvers/cpu/observations.hpp>
#include <lopsar/solvers/direct.hpp>
#include <lopsar/solvers/iterative.hpp>
#include <lopsar/solvers/problem.hpp>

namespace lopsar {
namespace {

const Network* network_of(const LinearOperator& model) { return dynamic_cast<const Network*>(model.node().get()); }

// The rows of priors as edges between dates: c (x_j - x_i), or c x_j, which is an edge from the reference, as are those of the damping. nullopt: some
// row is neither.
template <class T>
struct PriorEdges {
  std::vector<Network::Pair> pairs;
  std::vector<cpu::PriorEdge<T>> edges;
};
template <class T>
std::optional<PriorEdges<T>> as_edges(const Network& network, const SolveOptions<T>& options, std::size_t pixels) {
  PriorEdges<T> found;
  const auto date = [&](std::size_t column) { return column + (column >= network.reference() ? 1 : 0); };
  for (const auto& prior : options.priors) {
    if (!prior.op.pixelwise() || prior.op.complex() || prior.op.shape().columns != network.shape().columns) return {};
    const Lowering matrix = prior.op.lower();
    std::vector<std::vector<Triplet>> rows(matrix.shape.rows);
    for (const auto& t : matrix.triplets) rows[t.row].push_back(t);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& row = rows[i];
      const bool edge = (row.size() == 1 || (row.size() == 2 && row[0].coefficient == -row[1].coefficient)) &&
                        std::all_of(row.begin(), row.end(), [](const Triplet& t) { return t.factor < 0; });
      if (!edge) return {};
      found.pairs.push_back({row.size() == 1 ? network.reference() : date(row[1].column), date(row[0].column)});
      found.edges.push_back({detail::row_source<T>("prior", prior.data, prior.weights, rows.size(), pixels, i), static_cast<T>(row[0].coefficient)});
    }
  }
  if (options.damp != 0)
    for (std::size_t j = 0; j < network.shape().columns; ++j) {
      found.pairs.push_back({network.reference(), date(j)});
      found.edges.push_back({{nullptr, nullptr, T(0), static_cast<T>(options.damp * options.damp)}, T(1)});
    }
  return found;
}

template <class T>
SolveReport edge_flow(const Network& network, const PriorEdges<T>& priors, ConstBlock<T> y, const SolveOutput<T>& output,
                      const SolveOptions<T>& options) {
  const Shape shape = network.shape();
  const ConstBlock<T> weights = options.weights;
  detail::check_block("y", y, shape.rows, y.pixels);
  detail::check_block("x", output.x, shape.columns, y.pixels);
  const bool per_pixel = weights.data && (weights.pixels != 1 || y.pixels == 1);
  if (weights.data) detail::check_block("weights", weights, shape.rows, per_pixel ? y.pixels : 1);
  if (weights.data && !per_pixel && weights.stride != 1)
    throw ShapeError("solve: expected contiguous weights (K, 1), got stride " + std::to_string(weights.stride));

  const EdgeFlow edge_flow(network, options.null_space, priors.pairs);
  std::vector<int> date_row;
  for (std::size_t d = 0; d < network.dates().size(); ++d)
    date_row.push_back(d == network.reference() ? -1 : static_cast<int>(d - (d > network.reference() ? 1 : 0)));
  const cpu::Observations<T> observations{y, weights, per_pixel, priors.edges.data()};
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
SolveReport run(const LinearOperator& model, ConstBlock<T> y, const SolveOutput<T>& output, const SolveOptions<T>& options) {
  if (options.method == Method::automatic || options.method == Method::edge_flow) {
    const Network* const network = network_of(model);
    constexpr auto other = sizeof(T) == 4 ? Arithmetic::float64 : Arithmetic::float32;
    const auto priors = network && options.arithmetic != other ? as_edges(*network, options, y.pixels) : std::nullopt;
    if (priors) return edge_flow(*network, *priors, y, output, options);
    if (options.method == Method::edge_flow)
      throw InvalidArgument(
          "solve: expected a Network, with priors that are differences or values of its dates and the precision of y, for method edge-flow; got " +
          model.name() + "; use method auto or cholesky");
  }
  switch (options.method) {
    case Method::automatic:
    case Method::cholesky: return detail::solve_direct(model, y, output, options);
    case Method::cg:
    case Method::cgls:
    case Method::lsqr: return detail::solve_iterative(model, y, output, options);
    default: throw InvalidArgument("solve: expected method auto, edge-flow, cholesky, cg, cgls or lsqr, got " + name(options.method));
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

std::string name(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::float32 ? "float32" : arithmetic == Arithmetic::float64 ? "float64" : "auto";
}

namespace {
template <class E>
E named(std::string_view text, const char* what, std::initializer_list<E> all) {
  std::string names;
  for (E e : all) {
    if (name(e) == text) return e;
    names += (names.empty() ? "'" : ", '") + name(e) + "'";
  }
  throw InvalidArgument("solve: expected " + std::string(what) + " " + names + ", got '" + std::string(text) + "'");
}
}  // namespace

Method method(std::string_view text) {
  using enum Method;
  return named(text, "one of the methods", {automatic, edge_flow, cholesky, qr, cg, cgls, lsqr});
}
Arithmetic arithmetic(std::string_view text) {
  using enum Arithmetic;
  return named(text, "arithmetic", {automatic, float32, float64});
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
