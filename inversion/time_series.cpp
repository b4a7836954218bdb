#include <lopsar/inversion/time_series.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include <lopsar/inversion/cpu/observed_phase.hpp>
#include <lopsar/inversion/kernels/phase.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/cpu/edge_flow.hpp>

namespace lopsar {
namespace {

// MintPy takes the column of this date out of its design matrix: the first date, or the one that all pairs start from.
std::size_t exempt_date(const Network& network) {
  const auto& pairs = network.pairs();
  const bool shared = std::all_of(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == pairs.front().first; });
  return shared ? pairs.front().first : 0;
}

std::string shape_text(std::size_t rows, std::size_t pixels) { return "(" + std::to_string(rows) + ", " + std::to_string(pixels) + ")"; }

template <class T>
void put(const TimeSeriesOutput<T>& output, std::size_t pixel, std::int32_t valid) {
  using Number = typename TimeSeriesOutput<T>::Number;
  if (!output.num_ifgram) return;
  switch (output.num_ifgram_type) {
    case Number::int16: static_cast<std::int16_t*>(output.num_ifgram)[pixel] = static_cast<std::int16_t>(valid); break;
    case Number::int32: static_cast<std::int32_t*>(output.num_ifgram)[pixel] = valid; break;
    case Number::float32: static_cast<float*>(output.num_ifgram)[pixel] = static_cast<float>(valid); break;
  }
}

// The columns `chosen` of a block, counted from `first`.
template <class T>
std::vector<T> gathered(ConstBlock<T> from, std::size_t first, const std::vector<std::size_t>& chosen) {
  std::vector<T> to;
  if (!from.data) return to;
  to.reserve(from.rows * chosen.size());
  for (std::size_t i = 0; i < from.rows; ++i)
    for (std::size_t p : chosen) to.push_back(from.row(i)[first + p]);
  return to;
}

// Pixels [first, first + n) by a method of `solve`; phase and coherence are read from `stack`, whose signs are 1.
template <class T>
class BySolver {
 public:
  BySolver(const Network& network, const cpu::PhaseStack<T>& stack, std::size_t exempt, const std::uint8_t* mask, const TimeSeriesOutput<T>& output,
           const TimeSeriesOptions& options)
      : network_(from_first_date(network)), stack_(stack), exempt_(exempt), mask_(mask), output_(output), options_(options) {}

  SolveReport operator()() {
    SolveReport report{options_.method, sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64};
    for (std::size_t first = 0; first < stack_.phase.pixels; first += some) report = solve(first, std::min(some, stack_.phase.pixels - first));
    return report;
  }

  static constexpr std::size_t some = 16384;  // pixels that there are buffers for: many tiles for all threads, few enough for any --ram

 private:
  static Network from_first_date(const Network& network) {
    if (network.reference() == 0) return network;
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& p : network.pairs()) pairs.emplace_back(network.dates()[p.first], network.dates()[p.second]);
    return Network(pairs);
  }

  SolveReport solve(std::size_t first, std::size_t n) {
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    const std::size_t pairs = network_.pairs().size(), dates = network_.dates().size();
    y_.resize(pairs * n), w_.resize(pairs * n), x_.resize((dates - 1) * n), coherence_.resize(n);
    valid_.resize(n), redundancy_.resize(n), rank_.resize(n), status_.resize(n), keep_.resize(n);
    const Block<T> y(y_.data(), pairs, n), w(w_.data(), pairs, n), x(x_.data(), dates - 1, n);
    cpu::observe(stack_, first, y, w, options_.threads);
    cpu::examine<T>(network_, exempt_, w, valid_.data(), redundancy_.data(), rank_.data(), options_.threads);

    // Only what has a rank is left for the solver.
    std::vector<Status> rule(n, Status::ok);
    std::vector<std::size_t> apart;
    for (std::size_t p = 0; p < n; ++p) {
      if (mask_ && !mask_[first + p]) rule[p] = Status::masked;
      else if (valid_[p] == 0) rule[p] = Status::no_data;
      else if (options_.min_redundancy > 0 && redundancy_[p] < options_.min_redundancy) rule[p] = Status::below_redundancy;
      else if (rank_[p] + 1 < static_cast<std::int32_t>(dates)) rule[p] = Status::rank_deficient, apart.push_back(p);
      if (rule[p] != Status::ok)
        for (std::size_t k = 0; k < pairs; ++k) y.row(k)[p] = nan;
    }
    SolveOptions<T> options;
    options.weights = w;
    options.method = options_.method;
    options.atol = options.btol = options_.tolerance;
    // CG sees |A'r| beside |A'b| only, which strong pairs rule: weights over five decades hide weak dates behind as many.
    if (options_.method == Method::cg) options.atol *= 1e-6;
    options.max_iterations = options_.max_iterations ? options_.max_iterations : static_cast<int>(10 * dates + 100);
    options.preconditioner.kind = Preconditioner<T>::Kind::diagonal;
    options.threads = options_.threads, options.chunk_size = options_.chunk_size;
    if (options_.method == Method::cholesky || options_.method == Method::qr) options.preconditioner.kind = Preconditioner<T>::Kind::none;
    SolveOutput<T> out;
    out.x = x, out.status = status_.data();
    const SolveReport report = solve_into(network_, y, out, options);
    cpu::temporal_coherence<T>(network_, y, x, coherence_.data(), options_.threads);

    const T scale = static_cast<T>(options_.scale);
    for (std::size_t p = 0; p < n; ++p) {
      const Status status = rule[p] == Status::ok ? static_cast<Status>(status_[p]) : rule[p];
      const bool solved = status == Status::ok || status == Status::not_converged;
      const bool late =
          status == Status::rank_deficient && rule[p] == Status::ok;  // the graph says ok, the solver's pivots not: let edge flow decide
      if (late) apart.push_back(p);
      keep_[p] = solved;
      if (output_.temporal_coherence) output_.temporal_coherence[first + p] = solved ? coherence_[p] : T(0);
      if (output_.status) output_.status[first + p] = static_cast<std::uint8_t>(status);
      if (output_.rank) output_.rank[first + p] = solved ? rank_[p] : 0;
      put(output_, first + p, solved ? valid_[p] : 0);
    }
    for (std::size_t d = 0; d < dates; ++d) {
      T* to = output_.series.row(d) + first;
      for (std::size_t p = 0; p < n; ++p) to[p] = d > 0 && keep_[p] ? x.row(d - 1)[p] * scale : T(0);
    }
    if (!apart.empty()) fill(first, apart);
    return report;
  }

  // The pixels `apart` by edge flow.
  void fill(std::size_t first, const std::vector<std::size_t>& apart) {
    const std::size_t pairs = network_.pairs().size(), dates = network_.dates().size(), n = apart.size();
    const auto phase = gathered(stack_.phase, first, apart), coherence = gathered(stack_.coherence, first, apart);
    std::vector<T> series(dates * n), quality(n);
    std::vector<std::int32_t> valid(n), rank(n);
    std::vector<std::uint8_t> status(n);
    TimeSeriesOutput<T> out;
    out.series = {series.data(), dates, n};
    out.temporal_coherence = quality.data(), out.num_ifgram = valid.data(), out.status = status.data(), out.rank = rank.data();
    TimeSeriesOptions options = options_;
    options.method = Method::edge_flow;
    const ConstBlock<T> seen = coherence.empty() ? ConstBlock<T>{} : ConstBlock<T>(coherence.data(), pairs, n);
    invert_time_series<T>(network_, {phase.data(), pairs, n}, seen, nullptr, out, options);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t p = first + apart[i];
      for (std::size_t d = 0; d < dates; ++d) output_.series.row(d)[p] = series[d * n + i];
      if (output_.temporal_coherence) output_.temporal_coherence[p] = quality[i];
      if (output_.status) output_.status[p] = status[i];
      if (output_.rank) output_.rank[p] = rank[i];
      put(output_, p, valid[i]);
    }
  }

  Network network_;
  const cpu::PhaseStack<T>& stack_;
  std::size_t exempt_;
  const std::uint8_t* mask_;
  const TimeSeriesOutput<T>& output_;
  const TimeSeriesOptions& options_;
  std::vector<T> y_, w_, x_, coherence_;
  std::vector<std::int32_t> valid_, redundancy_, rank_;
  std::vector<std::uint8_t> status_;
  std::vector<char> keep_;
};

}  // namespace

template <class T>
SolveReport invert_time_series(const Network& network, ConstBlock<T> phase, ConstBlock<T> coherence, const std::uint8_t* mask,
                               const TimeSeriesOutput<T>& output, const TimeSeriesOptions& options) {
  const std::size_t pairs = network.pairs().size(), dates = network.dates().size();
  const bool weighted = options.weight_function != WeightFunction::none;
  if (phase.rows != pairs)
    throw ShapeError("invert: expected phase of shape (" + std::to_string(pairs) + ", pixels), one row per pair, got " +
                     shape_text(phase.rows, phase.pixels));
  if (weighted && !coherence.data)
    throw InvalidArgument("invert: expected coherence for a weighted inversion, got none; give it, or choose the weight function 'no'");
  if (weighted && (coherence.rows != pairs || coherence.pixels != phase.pixels))
    throw ShapeError("invert: expected coherence of the shape of phase " + shape_text(pairs, phase.pixels) + ", got " +
                     shape_text(coherence.rows, coherence.pixels));
  if (output.series.rows != dates || output.series.pixels != phase.pixels)
    throw ShapeError("invert: expected a time series of shape " + shape_text(dates, phase.pixels) + ", got " +
                     shape_text(output.series.rows, output.series.pixels));
  if (!options.reference_phase.empty() && options.reference_phase.size() != pairs)
    throw ShapeError("invert: expected a reference phase for each of " + std::to_string(pairs) + " pairs, got " +
                     std::to_string(options.reference_phase.size()));
  if (options.null_space == NullSpace::none)
    throw InvalidArgument("invert: expected a minimum norm as null space, got none; use solve() to leave dates undetermined");

  if (!(options.min_redundancy >= 0))
    throw InvalidArgument("invert: expected a minimum redundancy of 0 or more, got " + std::to_string(options.min_redundancy));

  const bool fused = options.method == Method::automatic || options.method == Method::edge_flow;
  const std::size_t exempt = exempt_date(network);
  const EdgeFlow edge_flow(network, options.null_space, 0, exempt);
  const auto& symbolic = edge_flow.symbolic();
  std::vector<T> sign, offset;
  alignas(64) std::array<T, lanes::lookup_size> table{};
  static_assert(lanes::lookup_size == variance_bins - kernels::first_table_bin);
  for (std::size_t k = 0; k < pairs; ++k) {
    sign.push_back(fused ? static_cast<T>(symbolic.sign[k]) : T(1));
    offset.push_back(options.reference_phase.empty() ? T(0) : -sign.back() * static_cast<T>(options.reference_phase[k]));
  }
  if (options.weight_function == WeightFunction::variance) {
    const auto variance = variance_table(options.looks);
    std::transform(variance.begin() + kernels::first_table_bin, variance.end(), table.begin(), [](double v) { return static_cast<T>(1 / v); });
  }
  if (options.weight_function == WeightFunction::fisher) coherence_to_weight({}, options.weight_function, options.looks);  // checks looks

  const cpu::PhaseStack<T> stack{phase,
                                 coherence,
                                 sign.data(),
                                 offset.data(),
                                 table.data(),
                                 static_cast<T>(2 * options.looks),
                                 options.weight_function,
                                 options.zero_is_missing};
  if (!fused) return BySolver<T>(network, stack, exempt, mask, output, options)();
  std::vector<int> date_row;
  for (std::size_t d = 0; d < dates; ++d) date_row.push_back(static_cast<int>(d));
  cpu::EdgeFlowTask<T> task;
  task.edge_flow = &edge_flow;
  task.level = lanes::active_level();
  task.source = cpu::phase_source(stack, task.level);
  task.sink = {output.series.data, output.series.stride, date_row.data(), static_cast<T>(options.scale), T(0)};
  task.quality = kernels::Quality::temporal_coherence;
  task.pixels = phase.pixels;
  task.mask = mask;
  task.min_redundancy = options.min_redundancy;
  task.exempt = static_cast<int>(exempt);
  task.quality_out = output.temporal_coherence;
  task.rank = output.rank;
  task.valid = output.num_ifgram;
  task.valid_type = static_cast<typename cpu::EdgeFlowTask<T>::Number>(output.num_ifgram_type);
  task.status = output.status;
  task.threads = options.threads;
  task.chunk = options.chunk_size;
  cpu::run(task);
  return {Method::edge_flow, sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64};
}

std::size_t time_series_solver_bytes(std::size_t pairs, std::size_t dates) {
  // y, w, x and per-pixel numbers; gathered phase, coherence and series of the pixels that edge flow solves.
  return BySolver<float>::some * (4 * (2 * pairs + dates + 6) + 4 * (2 * pairs + dates + 4));
}

template SolveReport invert_time_series<float>(const Network&, ConstBlock<float>, ConstBlock<float>, const std::uint8_t*,
                                               const TimeSeriesOutput<float>&, const TimeSeriesOptions&);
template SolveReport invert_time_series<double>(const Network&, ConstBlock<double>, ConstBlock<double>, const std::uint8_t*,
                                                const TimeSeriesOutput<double>&, const TimeSeriesOptions&);

}  // namespace lopsar
