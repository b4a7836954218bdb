// The job `lopsar invert`: a stack of interferograms in, a displacement time series out.
#pragma once
#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <lopsar/inversion/stack.hpp>
#include <lopsar/inversion/weights.hpp>
#include <lopsar/solvers/solve.hpp>

namespace lopsar {

struct InvertOptions {
  std::string stack;                    // MintPy's ifgramStack.h5
  std::string dataset = "unwrapPhase";  // phase to invert, rad
  std::array<std::string, 3> output{"timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5"};
  WeightFunction weight_function = WeightFunction::variance;
  Method solver = Method::automatic;  // automatic is edge flow, fused with weights and coherence; the others are for comparison (time_series.hpp)
  bool minimum_norm_velocity = true;  // false: minimum norm of phase
  std::string mask_dataset;           // connectComponent (kept where not 0), coherence or offsetSNR (kept where >= threshold); empty: none
  double mask_threshold = 0.4;
  double min_redundancy = 1;                      // valid pairs that every date but the first needs, 0: no rule
  std::string water_mask;                         // file; pixels that are not 0 in waterMask, mask or its first 2-D dataset are kept; empty: none
  bool skip_reference = false;                    // phase is referenced already: subtract nothing, patch no pixel
  double ram = 4;                                 // GB (2^30) for buffers, masks and decoding
  int threads = 0;                                // 0: all
  std::size_t chunk_size = 0;                     // pixels per block, cut to what `ram` allows; 0: chosen
  std::map<std::string, std::string> attributes;  // of the products, over those the job would write
};

// What a run will do.
struct InvertPlan {
  std::size_t pairs = 0, all_pairs = 0, dates = 0, components = 0, length = 0, width = 0, pixels = 0;
  std::size_t rows_per_block = 0, blocks = 0, blocks_in_flight = 0;
  std::size_t memory_bytes = 0, bytes_to_read = 0, bytes_to_write = 0;
  double predicted_seconds = 0;   // of a run on a machine of 2022 with files in the page cache
  int threads = 0, decoders = 0;  // decoders: threads that decode at a time, fewer where `ram` has no room for their chunks
  std::string isa, version, codec;
};

struct InvertProgress {
  std::size_t blocks_done = 0, blocks = 0, pixels_done = 0, pixels = 0, bytes_read = 0, bytes_written = 0;
  double seconds = 0;
};

struct InvertReport {
  InvertPlan plan;
  SolveReport solver;                                                            // the method that ran, and what it computed in
  std::array<std::size_t, status_count> pixels_by_status{};                      // the reference pixel counts as ok
  std::size_t pixels_inverted = 0;                                               // ok, rank_deficient and not_converged
  std::size_t pixels_by_edge_flow = 0;                                           // rank_deficient ones, where another method did the others
  std::size_t water_pixels = 0, incoherent_pixels = 0;                           // left out by the water mask, by avgSpatialCoh.h5
  double seconds = 0, read_seconds = 0, compute_seconds = 0, write_seconds = 0;  // the last three overlap
  std::size_t bytes_read = 0, bytes_written = 0, resumed_blocks = 0;
  std::array<std::string, 3> output;
  std::vector<std::string> warnings;
  bool interrupted = false;  // nothing stands under a final name; the same call goes on from here
};

// Version of lopsar, "0.1.0".
std::string version();

// The plan for these options. Throws as `invert` does for bad options and a bad stack, reading no pixel.
InvertPlan plan(const InvertOptions& options);

// Inverts a stack with MintPy's rules (invert_time_series) into three files: `timeseries` (D, l, w) m, motion towards the satellite,
// relative to the reference pixel and the first date, with `date` and `bperp` (m); `temporalCoherence` (l, w); `mask` (l, w), the number
// of valid pairs, beside `status` (l, w), the Status of each pixel.
//
// Order of rules: the reference pixel's phase is subtracted, zero before or after is missing; pixels of the mask dataset are missing; the
// water mask and zeros of `../avgSpatialCoh.h5` beside the stack's folder leave pixels out; then redundancy and minimum norm. The
// reference pixel gets series 0, coherence 1 and K pairs. Attributes are the stack's, as text, and MintPy's record of the options.
//
// `monitor` is called about every 100 ms on the calling thread and once at the end, when its answer no longer counts; false interrupts. Blocks of
// whole rows are read, computed and written at the same time. Results do not depend on blocks, threads or interruptions. A killed or interrupted run
// is continued by the same call. FileError, ShapeError, InvalidArgument: nothing stands under a final name, and files that stood there are as they
// were.
InvertReport invert(const InvertOptions& options, const std::function<bool(const InvertProgress&)>& monitor = {});

}  // namespace lopsar
