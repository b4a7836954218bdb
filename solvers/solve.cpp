#include <lopsar/solvers/solve.hpp>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/solvers/cpu/edge_flow.hpp>
#include <lopsar/solvers/cpu/observations.hpp>
#include <lopsar/solvers/direct.hpp>
#include <lopsar/solvers/iterative.hpp>
#include <lopsar/solvers/kernels/observation.hpp>
#include <lopsar/solvers/problem.hpp>

namespace lopsar {
namespace {

const Network* network_of(const LinearOperator& model) { return dynamic_cast<const Network*>(model.node().get()); }

// Weights that an arithmetic has, in any other precision.
struct WeightRange {
  double least, most;
  explicit WeightRange(Arithmetic a)
      : least(a == Arithmetic::float32 ? double(kernels::smallest_weight<float>) : kernels::smallest_weight<double>),
        most(a == Arithmetic::float32 ? double(kernels::largest_weight<float>) : kernels::largest_weight<double>) {}
  bool has(double w) const { return w >= least && w <= most; }
};

// Whether c^2 w is a weight of an edge wherever w is one of a row. Of weights that differ from pixel to pixel (-1 here) the ordinary ones are looked
// at, as what becomes of a pixel must not depend on others.
bool carries(const WeightRange& range, double c, double w) {
  constexpr double ordinary = 1e6;
  if (w < 0) return range.has(c * c / ordinary) && range.has(c * c * ordinary);
  return !range.has(w) || range.has(c * c * w);
}

// The rows of priors as edges between dates: c (x_j - x_i), or c x_j, which is an edge from the reference, as are those of the damping.
template <class T>
struct PriorEdges {
  std::vector<Network::Pair> pairs;
  std::vector<cpu::PriorEdge<T>> edges;
  bool range = true;  // the arithmetic carries all of their weights
};
// nullopt: some row is no edge.
template <class T>
std::optional<PriorEdges<T>> as_edges(const Network& network, const SolveOptions<T>& options, std::size_t pixels, Arithmetic arithmetic) {
  PriorEdges<T> found;
  const WeightRange weights(arithmetic);
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
      const auto source = detail::row_source<T>("prior", prior.data, prior.weights, rows.size(), pixels, i);
      found.edges.push_back({source, static_cast<T>(kernels::kept<T>(row[0].coefficient))});
      found.range =
          found.range && (row[0].coefficient == 0 || carries(weights, row[0].coefficient, source.w ? -1 : static_cast<double>(source.w_all)));
    }
  }
  if (options.damp != 0)
    for (std::size_t j = 0; j < network.shape().columns; ++j) {
      found.pairs.push_back({network.reference(), date(j)});
      found.edges.push_back({{nullptr, nullptr, T(0), static_cast<T>(options.damp * options.damp)}, T(1)});
    }
  return found;
}

// Blocks that fit, and options that edge flow has.
template <class T>
void check_edge_flow(const Network& network, ConstBlock<T> y, const SolveOutput<T>& output, const SolveOptions<T>& options) {
  const Shape shape = network.shape();
  const ConstBlock<T> weights = options.weights;
  detail::check_block("y", y, shape.rows, y.pixels);
  detail::check_block("x", output.x, shape.columns, y.pixels);
  const bool per_pixel = weights.pixels != 1 || y.pixels == 1;
  if (weights.data) detail::check_block("weights", weights, shape.rows, per_pixel ? y.pixels : 1);
  if (weights.data && !per_pixel && weights.stride != 1)
    throw ShapeError("solve: expected contiguous weights (K, 1), got stride " + std::to_string(weights.stride));
  for (const auto& [block, what] : {std::pair{output.variances.data, "variances"}, std::pair{output.history.data, "history"}})
    if (block) throw InvalidArgument("solve: expected no " + std::string(what) + " of method edge-flow, which has none; use method cg, cgls or lsqr");
}

template <class T>
void run_edge_flow(const Network& network, const EdgeFlow& edge_flow, const PriorEdges<T>& priors, ConstBlock<T> y, const SolveOutput<T>& output,
                   const SolveOptions<T>& options) {
  const bool per_pixel = options.weights.data && (options.weights.pixels != 1 || y.pixels == 1);
  std::vector<int> date_row;
  for (std::size_t d = 0; d < network.dates().size(); ++d)
    date_row.push_back(d == network.reference() ? -1 : static_cast<int>(d - (d > network.reference() ? 1 : 0)));
  const cpu::Observations<T> observations{y, options.weights, per_pixel, priors.edges.data()};
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
  task.progress = options.progress;
  cpu::run(task);
  if (output.iterations) std::fill_n(output.iterations, y.pixels, 0);
}

// Edge flow in arithmetic A on blocks of S, some pixels at a time.
template <class A, class S>
void run_converted(const Network& network, const EdgeFlow& edge_flow, ConstBlock<S> y, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  constexpr std::size_t some = 16384;
  constexpr Arithmetic arithmetic = sizeof(A) == 4 ? Arithmetic::float32 : Arithmetic::float64;
  const std::size_t unknowns = network.shape().columns;
  std::size_t seen = 0;
  std::vector<A> x(unknowns * std::min(some, y.pixels)), norms(std::min(some, y.pixels));
  for (std::size_t first = 0; first < y.pixels; first += some) {
    const std::size_t n = std::min(some, y.pixels - first);
    std::list<std::vector<A>> values;
    const auto convert = [&](ConstBlock<S> block) -> ConstBlock<A> {
      if (!block.data) return {};
      if (block.pixels == y.pixels) block = block.part(first, n);
      auto& to = values.emplace_back(block.rows * block.pixels);
      cpu::for_pixels(block.pixels, 1024, options.threads, [&](std::size_t from, std::size_t end) {
        for (std::size_t i = 0; i < block.rows; ++i)
          for (std::size_t p = from; p < end; ++p) to[i * block.pixels + p] = static_cast<A>(kernels::kept<A>(block.row(i)[p]));
      });
      return {to.data(), block.rows, block.pixels};
    };
    SolveOptions<A> narrow;
    narrow.weights = convert(options.weights);
    for (const auto& prior : options.priors) narrow.priors.push_back({prior.op, convert(prior.data), convert(prior.weights)});
    narrow.damp = options.damp, narrow.threads = options.threads, narrow.chunk_size = options.chunk_size;
    if (options.progress) narrow.progress = [&](std::size_t done) { return options.progress(seen = first + done); };
    SolveOutput<A> out;
    out.x = {x.data(), unknowns, n};
    if (output.residual_norm) out.residual_norm = norms.data();
    const auto at = [&](auto* p) { return p ? p + first : p; };
    out.status = at(output.status), out.rank = at(output.rank), out.valid = at(output.valid), out.iterations = at(output.iterations);
    try {
      run_edge_flow<A>(network, edge_flow, *as_edges<A>(network, narrow, n, arithmetic), convert(y), out, narrow);
    } catch (const Interrupted&) {  // it knows of its own pixels only
      throw Interrupted("solve: stopped by its progress callback after " + std::to_string(seen) + " of " + std::to_string(y.pixels) + " pixels");
    }
    cpu::for_pixels(n, 1024, options.threads, [&](std::size_t from, std::size_t end) {
      for (std::size_t i = 0; i < unknowns; ++i)
        for (std::size_t p = from; p < end; ++p) output.x.row(i)[first + p] = static_cast<S>(kernels::within<S>(x[i * n + p]));
      for (std::size_t p = from; p < end && output.residual_norm; ++p) output.residual_norm[first + p] = static_cast<S>(kernels::within<S>(norms[p]));
    });
  }
}

template <class T>
SolveReport run(const LinearOperator& model, ConstBlock<T> y, const SolveOutput<T>& output, const SolveOptions<T>& options) {
  const Network* const network = network_of(model);
  if (options.method == Method::edge_flow || (options.method == Method::automatic && network)) {
    if (!(options.damp >= 0 && options.damp < 1e15))
      throw InvalidArgument("solve: expected damp >= 0 and finite, got " + std::to_string(options.damp));
    constexpr Arithmetic own = sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64;
    const Arithmetic arithmetic = options.arithmetic == Arithmetic::automatic ? own : options.arithmetic;
    // An edge of the damping is one of the weight damp^2.
    const bool damps = options.damp == 0 || WeightRange(arithmetic).has(options.damp * options.damp);
    if (options.method == Method::edge_flow && !damps)
      throw InvalidArgument("solve: expected damp^2 of 0 or a weight that " + name(arithmetic) + " has for method edge-flow, got damp " +
                            std::to_string(options.damp) + "; use method auto or cholesky");
    const auto priors = network && damps ? as_edges(*network, options, y.pixels, arithmetic) : std::nullopt;
    if (options.method == Method::edge_flow && priors && !priors->range)
      throw InvalidArgument("solve: expected coefficients of priors whose squares, times the weights, are weights that " + name(arithmetic) +
                            " has for method edge-flow, got a prior beyond them; scale its rows, or use method auto or cholesky");
    if (priors && priors->range) {
      check_edge_flow(*network, y, output, options);
      const EdgeFlow edge_flow(*network, options.null_space, priors->pairs);
      if (arithmetic == own) run_edge_flow(*network, edge_flow, *priors, y, output, options);
      else if constexpr (sizeof(T) == 4) run_converted<double>(*network, edge_flow, y, output, options);
      else run_converted<float>(*network, edge_flow, y, output, options);
      return {Method::edge_flow, arithmetic};
    }
    if (options.method == Method::edge_flow)
      throw InvalidArgument("solve: expected a Network, with priors that are differences or values of its dates, for method edge-flow; got " +
                            model.name() + "; use method auto or cholesky");
  }
  switch (options.method) {
    case Method::cg:
    case Method::cgls:
    case Method::lsqr: return detail::solve_iterative(model, y, output, options);
    default: return detail::solve_direct(model, y, output, options);
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
