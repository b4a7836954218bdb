// x = argmin |W^(1/2)(A x - y)| for every pixel.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <lopsar/operators/algebra.hpp>
#include <lopsar/solvers/edge_flow.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar {

// How to solve.
//   automatic   edge flow for a network (with or without priors that are edges, whose squared coefficients times weights, like damp^2, are weights
//               that the arithmetic has), else Cholesky
//   edge_flow   elimination of dates without subtraction: networks only; conditioning costs no accuracy
//   cholesky    sparse L D L' of the normal matrix
//   qr          square-root-free Givens rotations of the rows: for models whose normal matrix is too ill-conditioned
//   cg, cgls, lsqr   iterations with step lengths, stops and reports of each pixel's own
enum class Method { automatic, edge_flow, cholesky, qr, cg, cgls, lsqr };
std::string name(Method method);       // "auto", "edge-flow", ...
Method method(std::string_view name);  // InvalidArgument for others

// The precision that a solver computes in, whatever that of y and x.
enum class Arithmetic { automatic, float32, float64 };
std::string name(Arithmetic arithmetic);       // "auto", "float32", "float64"
Arithmetic arithmetic(std::string_view name);  // InvalidArgument for others

// Rows added to the model that are no observations: + |W^(1/2)(R x - r)|^2, e.g. smoothness (TimeDifference) or what is known of a parameter.
template <class T>
struct Prior {
  LinearOperator op;        // R: pixelwise, with the columns of the model
  ConstBlock<T> data{};     // r: (rows, pixels), (rows, 1) for all pixels alike, or empty for 0; NaN: no such row
  ConstBlock<T> weights{};  // likewise, inverse variances; empty: 1
};

// What an iteration is preconditioned with: an approximation to the inverse of the normal matrix.
//   diagonal   its diagonal (Jacobi)
//   blocks     its diagonal blocks: unknowns i and j belong together where block[i] == block[j]
//   direct     the normal matrix of another model, factored per pixel, with damp^2 of the solve on its diagonal. Rows that only y lacks are in it:
//              each may cost an iteration.
// Where such a matrix is singular, its dependent unknowns get the diagonal of the solve's own matrix besides. Damping is that of x whatever the
// preconditioner; products with the inverse suffice, for LSQR too.
template <class T>
struct Preconditioner {
  enum class Kind { none, diagonal, blocks, direct } kind = Kind::none;
  std::vector<int> block{};                       // per unknown
  std::shared_ptr<const LinearOperator> model{};  // pixelwise, with the columns of the model
  ConstBlock<T> weights{};                        // of its rows: (rows, pixels), (rows, 1) or empty for 1
  std::vector<Prior<T>> priors{};
};

template <class T>
struct SolveOptions {
  ConstBlock<T> weights{};  // inverse variances: (K, pixels), (K, 1) for all pixels alike, or empty for 1; 0 or NaN is missing
  Method method = Method::automatic;
  NullSpace null_space = NullSpace::none;  // edge flow only
  std::vector<Prior<T>> priors{};
  // Edge flow in another precision than that of y converts 16384 pixels at a time: 2 K + n values for each, besides data of priors.
  Arithmetic arithmetic = Arithmetic::automatic;

  // Iterative methods. Stops are relative, of Paige and Saunders (1982), with A, b, x and r = b - A x those of the weighted, damped and
  // prior-extended system and Frobenius norms of matrices:
  //   |r| <= btol |b| + atol |A||x|  or  |A'r| <= atol |A||r|     ok (CG: |A'r| <= atol |A'b| only)
  //   |A||A^-1| >= conlim, as estimated from the steps (0: no limit) or max_iterations: not_converged; x is the last iterate
  //   curvature that is zero, negative or out of the range of the arithmetic: breakdown
  // With a preconditioner norms are those of A with columns of length 1 (A D^-1, D x and D^-1 A'r), so that units do not matter. Where |b| (CG:
  // |A'b|) is 0, |r| (|A'r|) at x0 stands for it. Tolerances below the rounding unit count as that. Where the data leave
  // combinations of unknowns free, x converges to the least |x - x0| (without a preconditioner) and the status is ok; only unknowns that no row
  // touches are NaN with rank_deficient. Without damping, fewer rows than unknowns are rank_deficient, too; x is that least-norm iterate.
  // Arithmetic::automatic: float32 for float32 data and tolerances (CG: atol) >= 1e-6 where the scaled normal matrix with unit weights has a
  // condition of at most 1e3, else float64: float32 rounds what the stops look at to some 1e-7, and x by that times the condition.
  ConstBlock<T> x0{};  // (n, pixels) or empty for 0; NaN or infinite: not_finite
  double damp = 0;     // + damp^2 |x|^2
  double atol = 1e-6, btol = 1e-6, conlim = 1e8;
  int max_iterations = 0;  // 0: 2 n + 20
  Preconditioner<T> preconditioner{};

  int threads = 0;             // 0: all
  std::size_t chunk_size = 0;  // pixels per task; 0: chosen. No influence on results.
  // Called now and then, by one thread at a time, with the pixels done; false stops the solve (Interrupted is thrown).
  std::function<bool(std::size_t done)> progress{};
};

// Where results go; the caller owns the memory. Only x is required.
template <class T>
struct SolveOutput {
  Block<T> x{};                    // (n, pixels)
  std::uint8_t* status = nullptr;  // (pixels) Status
  // (pixels) rank of the weighted matrix, priors included; iterative methods: unknowns that a row touches, at most the rows
  std::int32_t* rank = nullptr;
  std::int32_t* valid = nullptr;       // (pixels) observations used
  T* residual_norm = nullptr;          // (pixels) |W^(1/2)(A x - y)|, of the observations
  std::int32_t* iterations = nullptr;  // (pixels) 0 for direct methods
  Block<T> variances{};  // (n, pixels) estimate of diag((A'W A + damp^2)^-1) of an iterative method, from the first n steps: below it, but for
                         // rounding; or empty
  Block<T> history{};    // (max_iterations + 1, pixels) norm of the whole residual after each iteration, NaN after the last; or empty. As many as
                         // an int counts, else InvalidArgument
};

// What a solve did, beside its numbers per pixel.
struct SolveReport {
  Method method = Method::edge_flow;            // that ran
  Arithmetic arithmetic = Arithmetic::float32;  // that it computed in
};

// The same in memory of its own.
template <class T>
struct Solution {
  std::size_t unknowns = 0, pixels = 0;
  std::vector<T> x;  // (unknowns, pixels), pixel index fastest
  std::vector<std::uint8_t> status;
  std::vector<std::int32_t> rank, valid, iterations;
  std::vector<T> residual_norm;
  SolveReport report;

  T operator()(std::size_t unknown, std::size_t pixel) const { return x[unknown * pixels + pixel]; }
};

// Weighted least squares of a pixelwise model at every pixel.
//
// y (K, pixels): NaN is missing. Unknowns that nothing determines are NaN with Status::rank_deficient, unless null_space fills
// them. Pixels without data, or with infinite or negative input, are NaN with their status (weights beyond 1e-18 .. 1e18 where the arithmetic is
// float32). ShapeError if blocks do not fit; InvalidArgument for a scene or complex operator, or a method that cannot do the model. Bits do not
// depend on threads, chunk size or the order of pixels.
Solution<float> solve(const LinearOperator& model, ConstBlock<float> y, const SolveOptions<float>& options = {});
Solution<double> solve(const LinearOperator& model, ConstBlock<double> y, const SolveOptions<double>& options = {});

// The same into memory of the caller.
SolveReport solve_into(const LinearOperator& model, ConstBlock<float> y, const SolveOutput<float>& output, const SolveOptions<float>& options = {});
SolveReport solve_into(const LinearOperator& model, ConstBlock<double> y, const SolveOutput<double>& output,
                       const SolveOptions<double>& options = {});

// x = (A'W A + priors + damp^2)^-1 b with a direct method: b and output.x are (n, pixels). `observed` (K, pixels), or empty, says by its NaN which
// rows are missing. What gradients, preconditioners and covariances are made of. residual_norm is NaN; InvalidArgument for other methods.
SolveReport solve_normal_into(const LinearOperator& model, ConstBlock<float> b, const SolveOutput<float>& output,
                              const SolveOptions<float>& options = {}, ConstBlock<float> observed = {});
SolveReport solve_normal_into(const LinearOperator& model, ConstBlock<double> b, const SolveOutput<double>& output,
                              const SolveOptions<double>& options = {}, ConstBlock<double> observed = {});

}  // namespace lopsar
