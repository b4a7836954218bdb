#include <lopsar/inversion/time_series.hpp>

#include <algorithm>
#include <array>
#include <string>

#include <lopsar/inversion/cpu/phase.hpp>
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

}  // namespace

template <class T>
void invert_time_series(const Network& network, ConstBlock<T> phase, ConstBlock<T> coherence, const std::uint8_t* mask,
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

  const std::size_t exempt = exempt_date(network);
  const EdgeFlow edge_flow(network, options.null_space, 0, exempt);
  const auto& symbolic = edge_flow.symbolic();
  std::vector<T> sign, offset;
  alignas(64) std::array<T, lanes::lookup_size> table{};
  static_assert(lanes::lookup_size == variance_bins - kernels::first_table_bin);
  for (std::size_t k = 0; k < pairs; ++k) {
    sign.push_back(static_cast<T>(symbolic.sign[k]));
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
}

template void invert_time_series<float>(const Network&, ConstBlock<float>, ConstBlock<float>, const std::uint8_t*, const TimeSeriesOutput<float>&,
                                        const TimeSeriesOptions&);
template void invert_time_series<double>(const Network&, ConstBlock<double>, ConstBlock<double>, const std::uint8_t*, const TimeSeriesOutput<double>&,
                                         const TimeSeriesOptions&);

}  // namespace lopsar
