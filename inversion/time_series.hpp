// The inversion of a stack of interferograms in memory, with MintPy's rules.
#pragma once
#include <cstdint>
#include <vector>

#include <lopsar/inversion/weights.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/edge_flow.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar {

struct TimeSeriesOptions {
  WeightFunction weight_function = WeightFunction::variance;
  int looks = 0;  // needed by variance and fisher
  NullSpace null_space = NullSpace::minimum_norm_velocity;
  double min_redundancy = 1;            // valid interferograms that every date but the first needs; 0: no rule
  bool zero_is_missing = true;          // phase 0 is no data
  std::vector<double> reference_phase;  // (K) subtracted from the phase; empty: already referenced
  double scale = 1;                     // of the series: 1 for radians, -wavelength/(4 pi) for meters
  int threads = 0;
  std::size_t chunk_size = 0;  // pixels per task
};

// Where results go; the caller owns the memory. Only series is required.
template <class T>
struct TimeSeriesOutput {
  Block<T> series;                  // (D, pixels), the first row is 0
  T* temporal_coherence = nullptr;  // (pixels) |sum exp(i e)| / valid
  void* num_ifgram = nullptr;       // (pixels) valid interferograms
  enum class Number { int16, int32, float32 } num_ifgram_type = Number::int32;
  std::uint8_t* status = nullptr;  // (pixels) Status
  std::int32_t* rank = nullptr;    // (pixels)
};

// Inverts the phase of every pixel (weighted least squares by edge flow) into a series relative to the first date.
//
// phase (K, pixels) rad, coherence (K, pixels) (may be empty for WeightFunction::none), mask (pixels) 0 = leave out, or null.
// MintPy's rules: NaN and zero phase are missing, a pixel with a date (but the first one; in a network whose pairs share their first
// date: but that one) below min_redundancy is left out, undetermined dates take the minimum norm. Pixels left out are 0 in all
// outputs and carry their Status. Infinite phase counts as missing.
template <class T>
void invert_time_series(const Network& network, ConstBlock<T> phase, ConstBlock<T> coherence, const std::uint8_t* mask,
                        const TimeSeriesOutput<T>& output, const TimeSeriesOptions& options);

extern template void invert_time_series<float>(const Network&, ConstBlock<float>, ConstBlock<float>, const std::uint8_t*,
                                               const TimeSeriesOutput<float>&, const TimeSeriesOptions&);
extern template void invert_time_series<double>(const Network&, ConstBlock<double>, ConstBlock<double>, const std::uint8_t*,
                                                const TimeSeriesOutput<double>&, const TimeSeriesOptions&);

}  // namespace lopsar
