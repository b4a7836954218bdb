// x = argmin |W^(1/2)(A x - y)| for every pixel.
#pragma once
#include <cstdint>
#include <vector>

#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/edge_flow.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar {

struct SolveOptions {
  NullSpace null_space = NullSpace::none;
  int threads = 0;              // 0: all
  std::size_t chunk_size = 0;   // pixels per task; 0: chosen. No influence on results.
};

// Where results go; the caller owns the memory. Only x is required.
template <class T>
struct SolveOutput {
  Block<T> x;                            // (D-1, pixels)
  std::uint8_t* status = nullptr;        // (pixels) Status
  std::int32_t* rank = nullptr;          // (pixels)
  std::int32_t* valid = nullptr;         // (pixels) observations used
  T* residual_norm = nullptr;            // (pixels) |W^(1/2)(A x - y)|
};

// Weighted least squares of a network by edge flow, in the precision of y: float32 to a few 1e-7 of max(|x|, |y|), rank exact.
//
// y (K, pixels): NaN is missing. weights: inverse variances, (K, pixels), (K, 1) for all pixels alike, or empty for 1; 0 or NaN is
// missing. Unknowns that nothing determines are NaN with Status::rank_deficient, unless options.null_space fills them. Pixels
// without data, or with infinite or negative input, are NaN with their status (float32 weights: 1e-18 .. 1e18).
// ShapeError if blocks do not fit. Bits do not depend on threads, chunk size or the order of pixels.
template <class T>
void solve(const Network& network, ConstBlock<T> y, ConstBlock<T> weights, const SolveOutput<T>& output, const SolveOptions& options = {});

extern template void solve<float>(const Network&, ConstBlock<float>, ConstBlock<float>, const SolveOutput<float>&, const SolveOptions&);
extern template void solve<double>(const Network&, ConstBlock<double>, ConstBlock<double>, const SolveOutput<double>&, const SolveOptions&);

}  // namespace lopsar
