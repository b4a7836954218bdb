// The inversion of a stack of interferograms in memory, with MintPy's rules.
#pragma once
#include <cstdint>
#include <vector>

#include <lopsar/inversion/weights.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/solve.hpp>

namespace lopsar {

struct TimeSeriesOptions {
  WeightFunction weight_function = WeightFunction::variance;
  int looks = 0;  // needed by variance and fisher
  NullSpace null_space = NullSpace::minimum_norm_velocity;
  double min_redundancy = 1;            // valid interferograms that every date but the first needs; 0: no rule
  bool zero_is_missing = true;          // phase 0 is no data
  std::vector<double> reference_phase;  // (K) subtracted from the phase; empty: already referenced
  double scale = 1;                     // of the series: 1 for radians, -wavelength/(4 pi) for meters
  Method method = Method::automatic;    // automatic is edge flow
  double tolerance = 1e-6;  // of iterative methods, which are preconditioned by the diagonal: atol and btol of SolveOptions; cg: 1e-6 of it
  int max_iterations = 0;   // of those; 0: 10 per date + 100
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

// Inverts the phase of every pixel (weighted least squares) into a series relative to the first date.
//
// By edge flow in one fused pass, or by another method of `solve` from blocks of phase and weights, to compare with. Pixels whose data do not tie all
// dates together (Status::rank_deficient) are solved by edge flow whatever the method: it alone has the minimum norms. Of pixels that an
// iterative method leaves as not_converged the last iterate is written; breakdown is left out.
//
// phase (K, pixels) rad, coherence (K, pixels) (may be empty for WeightFunction::none), mask (pixels) 0 = leave out, or null.
// MintPy's rules: NaN and zero phase are missing, a pixel with a date (but the first one; in a network whose pairs share their first
// date: but that one) below min_redundancy is left out, undetermined dates take the minimum norm. Pixels left out are 0 in all
// outputs and carry their Status. Infinite phase counts as missing.
template <class T>
SolveReport invert_time_series(const Network& network, ConstBlock<T> phase, ConstBlock<T> coherence, const std::uint8_t* mask,
                               const TimeSeriesOutput<T>& output, const TimeSeriesOptions& options);

// What a method other than edge flow needs beside its input and output, in bytes (float32).
std::size_t time_series_solver_bytes(std::size_t pairs, std::size_t dates);

extern template SolveReport invert_time_series<float>(const Network&, ConstBlock<float>, ConstBlock<float>, const std::uint8_t*,
                                                      const TimeSeriesOutput<float>&, const TimeSeriesOptions&);
extern template SolveReport invert_time_series<double>(const Network&, ConstBlock<double>, ConstBlock<double>, const std::uint8_t*,
                                                       const TimeSeriesOutput<double>&, const TimeSeriesOptions&);

}  // namespace lopsar
