// x = argmin |W^(1/2)(A x - y)| for every pixel.
#pragma once
#include <cstdint>
#include <vector>

#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/edge_flow.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar {

// How to solve. `automatic` takes edge flow for a network.
enum class Method { automatic, edge_flow };

template <class T>
struct SolveOptions {
  ConstBlock<T> weights{};  // inverse variances: (K, pixels), (K, 1) for all pixels alike, or empty for 1; 0 or NaN is missing
  Method method = Method::automatic;
  NullSpace null_space = NullSpace::none;
  int threads = 0;             // 0: all
  std::size_t chunk_size = 0;  // pixels per task; 0: chosen. No influence on results.
};

// Where results go; the caller owns the memory. Only x is required.
template <class T>
struct SolveOutput {
  Block<T> x{};                    // (D-1, pixels)
  std::uint8_t* status = nullptr;  // (pixels) Status
  std::int32_t* rank = nullptr;    // (pixels) rank of the weighted matrix
  std::int32_t* valid = nullptr;   // (pixels) observations used
  T* residual_norm = nullptr;      // (pixels) |W^(1/2)(A x - y)|
};

// The same in memory of its own.
template <class T>
struct Solution {
  std::size_t unknowns = 0, pixels = 0;
  std::vector<T> x;  // (unknowns, pixels), pixel index fastest
  std::vector<std::uint8_t> status;
  std::vector<std::int32_t> rank, valid;
  std::vector<T> residual_norm;

  T operator()(std::size_t unknown, std::size_t pixel) const { return x[unknown * pixels + pixel]; }
};

// Weighted least squares of a network by edge flow, in the precision of y: float32 to a few 1e-7 of max(|x|, |y|), rank exact.
//
// y (K, pixels): NaN is missing. Unknowns that nothing determines are NaN with Status::rank_deficient, unless null_space fills
// them. Pixels without data, or with infinite or negative input, are NaN with their status (float32 weights: 1e-18 .. 1e18).
// ShapeError if blocks do not fit. Bits do not depend on threads, chunk size or the order of pixels.
Solution<float> solve(const Network& network, ConstBlock<float> y, const SolveOptions<float>& options = {});
Solution<double> solve(const Network& network, ConstBlock<double> y, const SolveOptions<double>& options = {});

// The same into memory of the caller.
void solve_into(const Network& network, ConstBlock<float> y, const SolveOutput<float>& output, const SolveOptions<float>& options = {});
void solve_into(const Network& network, ConstBlock<double> y, const SolveOutput<double>& output, const SolveOptions<double>& options = {});

}  // namespace lopsar
