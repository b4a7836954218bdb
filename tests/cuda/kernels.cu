// The kernel headers as CUDA code: one thread per pixel, float lanes. Compiled, never run: one body has to serve both devices.
#include <cstddef>
#include <cstdint>

#include <lopsar/inversion/kernels/phase.hpp>
#include <lopsar/operators/kernels/pattern.hpp>
#include <lopsar/operators/kernels/series.hpp>
#include <lopsar/operators/kernels/stencil.hpp>
#include <lopsar/solvers/kernels/cholesky.hpp>
#include <lopsar/solvers/kernels/edge_flow.hpp>
#include <lopsar/solvers/kernels/krylov.hpp>
#include <lopsar/solvers/kernels/givens.hpp>
#include <lopsar/solvers/kernels/observation.hpp>
#include <lopsar/solvers/kernels/system.hpp>

using namespace lopsar::kernels;
using Rows = strided_rows<float>;

namespace {
__device__ std::size_t this_pixel() { return static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
}  // namespace

// A pixelwise operator or its adjoint: rows of a sparse matrix, each one group without factors.
__global__ void pattern_kernel(int rows, std::size_t pixels, const int* start, const int* column, const float* coefficient, const float* x,
                               float* y) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  for (int i = 0; i < rows; ++i) y[i * pixels + p] = terms<float>(start[i + 1] - start[i], column + start[i], coefficient + start[i], x + p, pixels);
}

// A series without its weighted mean.
__global__ void datum_kernel(int dates, std::size_t pixels, const float* share, const float* x, float* y) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  float total = 0;
  for (int d = 0; d < dates; ++d) total = summed<float>(total, share[d], x[d * pixels + p]);
  for (int d = 0; d < dates; ++d) y[d * pixels + p] = without<float>(x[d * pixels + p], 1, total);
}

// The interior of a Laplacian: five taps.
__global__ void stencil_kernel(std::size_t values, const float* const* at, const float* coefficient, float* out) {
  const std::size_t p = this_pixel();
  if (p < values) out[p] = weighted_sum<float, 5>(at, coefficient, p);
}

// Observations of `solve`, in place.
__global__ void observation_kernel(int pairs, std::size_t pixels, float* y, float* w, const float* sign, float* flaw) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  for (int k = 0; k < pairs; ++k) {
    float weight;
    bool valid;
    y[k * pixels + p] = observation(y[k * pixels + p], w[k * pixels + p], sign[k], flaw + p, weight, valid);
    w[k * pixels + p] = weight;
  }
}

// Phase and coherence of the job, in place.
template <class Weight>
__global__ void phase_kernel(int pairs, std::size_t pixels, float* y, float* coherence, const float* sign, const float* offset, bool zero_is_missing,
                             Weight weight) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  for (int k = 0; k < pairs; ++k) {
    float w;
    bool valid;
    y[k * pixels + p] = referenced_phase(y[k * pixels + p], coherence[k * pixels + p], sign[k], offset[k], zero_is_missing, weight, w, valid);
    coherence[k * pixels + p] = w;
  }
}
template __global__ void phase_kernel(int, std::size_t, float*, float*, const float*, const float*, bool, VarianceWeight<float>);
template __global__ void phase_kernel(int, std::size_t, float*, float*, const float*, const float*, bool, FisherWeight<float>);
template __global__ void phase_kernel(int, std::size_t, float*, float*, const float*, const float*, bool, CoherenceWeight<float>);
template __global__ void phase_kernel(int, std::size_t, float*, float*, const float*, const float*, bool, UnitWeight<float>);

// Live slots in shared memory, factors in global memory.
template <Quality Q, class I>
__global__ void __launch_bounds__(128)
    edge_flow_kernel(EdgeFlowProgram<I> program, std::size_t pixels, int slots, const float* pseudo, float* y, float* w, const float* w_min,
                     const float* count, float* factors, float* x, float* rank, float* quality) {
  extern __shared__ float scratch[];
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  const auto result =
      edge_flow<float, Q>(program, pseudo, Rows{y + p, pixels}, Rows{w + p, pixels}, w_min[p], count[p], Rows{scratch + threadIdx.x, blockDim.x},
                          Rows{factors + p, pixels}, Rows{scratch + 2 * slots * blockDim.x + threadIdx.x, blockDim.x}, Rows{x + p, pixels});
  rank[p] = result.rank;
  quality[p] = result.quality;
}
#define LOPSAR_EDGE_FLOW(Q, I)                                                                                                                    \
  template __global__ void edge_flow_kernel<Q, I>(EdgeFlowProgram<I>, std::size_t, int, const float*, float*, float*, const float*, const float*, \
                                                  float*, float*, float*, float*);
LOPSAR_EDGE_FLOW(Quality::residual_norm, std::int16_t)
LOPSAR_EDGE_FLOW(Quality::temporal_coherence, std::int16_t)
LOPSAR_EDGE_FLOW(Quality::residual_norm, std::int32_t)
LOPSAR_EDGE_FLOW(Quality::temporal_coherence, std::int32_t)

__global__ void determined_kernel(EdgeFlowProgram<std::int16_t> program, std::size_t pixels, int factor_rows, float* factors, float* u) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  determined<float>(program, factor_rows, Rows{factors + p, pixels}, Rows{u + p, pixels});
}

__global__ void least_redundancy_kernel(const std::int32_t* incident, int dates, int exempt, std::size_t pixels, float* w, float* least) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  least[p] = least_redundancy<float>(incident, dates, exempt, Rows{w + p, pixels});
}

// Iterations on states in global memory.
template <krylov::Method K, class M>
__global__ void krylov_kernel(krylov::Problem<float> problem, krylov::State<Rows> state, M m, std::size_t pixels, int first, int last, float* y,
                              float* w, float* x, float* variances, float* history, const float* live, float* norm) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  const auto at = [&](Rows r) { return Rows{r.p + p, r.stride}; };
  const krylov::State<Rows> of{at(state.values), at(state.w), at(state.r), at(state.t),      at(state.x),         at(state.p),      at(state.s),
                               at(state.z),      at(state.v), at(state.d), at(state.length), at(state.variances), at(state.scalars)};
  const krylov::History<Rows> norms{{history + p, pixels}, history != nullptr};
  if constexpr (!M::none) m.length = of.length;
  if (first == 0) {
    krylov::scaling<float>(problem, of, Rows{y + p, pixels}, Rows{w + p, pixels}, Rows{x + p, pixels}, live[p]);
    krylov::begin<float, K>(problem, of, m, Rows{y + p, pixels}, norms);
  }
  krylov::iterate<float, K>(problem, of, m, first, last, norms);
  norm[p] = krylov::finish<float>(problem, of, Rows{y + p, pixels}, Rows{x + p, pixels}, Rows{variances + p, pixels}).norm;
}
#define LOPSAR_KRYLOV(K, ...)                                                                                                                        \
  template __global__ void krylov_kernel<krylov::Method::K, __VA_ARGS__>(krylov::Problem<float>, krylov::State<Rows>, __VA_ARGS__, std::size_t, int, \
                                                                         int, float*, float*, float*, float*, float*, const float*, float*);
LOPSAR_KRYLOV(cg, krylov::NoPreconditioner)
LOPSAR_KRYLOV(cgls, krylov::NoPreconditioner)
LOPSAR_KRYLOV(lsqr, krylov::NoPreconditioner)
LOPSAR_KRYLOV(cgls, krylov::DiagonalPreconditioner<Rows>)
LOPSAR_KRYLOV(lsqr, krylov::DiagonalPreconditioner<Rows>)
LOPSAR_KRYLOV(cgls, krylov::CholeskyPreconditioner<float, Rows>)

// Slots in shared memory, factors in global memory.
__global__ void __launch_bounds__(128) factorize_kernel(CholeskyProgram<float> program, std::size_t pixels, int slots, float damp2, float tau,
                                                        float weak, float* values, float* w, float* factors, float* rank, float* weak_out) {
  extern __shared__ float scratch[];
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  const auto result =
      factorize<float>(program, Rows{values + p, pixels}, Rows{w + p, pixels}, damp2, tau, weak, Rows{scratch + threadIdx.x, blockDim.x},
                       Rows{scratch + slots * blockDim.x + threadIdx.x, blockDim.x}, Rows{factors + p, pixels});
  rank[p] = result.rank;
  weak_out[p] = result.weak;
}

__global__ void substitute_kernel(CholeskyProgram<float> program, std::size_t pixels, float* factors, float* x) {
  const std::size_t p = this_pixel();
  if (p < pixels) substitute<float>(program, Rows{factors + p, pixels}, Rows{x + p, pixels});
}

__global__ void undetermined_kernel(CholeskyProgram<float> program, SystemMatrix<float> by_row, SystemMatrix<float> by_column, std::size_t pixels,
                                    float damp2, float noise, float* values, float* w, float* factors, float* rows, float* u, float* error,
                                    float* size, float* scale) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  const auto of = [&](float* at) { return Rows{at + p, pixels}; };
  undetermined<float>(program, by_row, by_column, of(values), of(w), damp2, noise, of(factors), of(rows),
                      NullVector<Rows>{of(u), of(error), of(size), of(scale)});
}

// r = W (y - A x) and A' r of a model.
__global__ void weighted_residual_kernel(SystemProducts<float> a, std::size_t pixels, float* values, float* y, float* w, float* x, float* r) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  const Rows data{y + p, pixels}, weight{w + p, pixels}, out{r + p, pixels};
  product<float>(a, a.rows, Rows{values + p, pixels}, Rows{x + p, pixels}, [&](int k, float ax) { out.set(k, weight[k] * (data[k] - ax)); });
}
__global__ void system_adjoint_kernel(SystemProducts<float> a, std::size_t pixels, float* values, float* r, float* g) {
  const std::size_t p = this_pixel();
  if (p < pixels) adjoint<float>(a, Rows{values + p, pixels}, Rows{r + p, pixels}, Rows{g + p, pixels});
}

__global__ void rotate_kernel(GivensProgram program, SystemMatrix<float> a, SystemMatrix<float> by_column, std::size_t pixels, float damp2, float tau,
                              float* values, float* y, float* w, float* factors, float* theta, float* work, float* rank) {
  const std::size_t p = this_pixel();
  if (p >= pixels) return;
  rank[p] = rotate<float>(program, a, by_column, Rows{values + p, pixels}, Rows{y + p, pixels}, Rows{w + p, pixels}, damp2, tau,
                          Rows{factors + p, pixels}, Rows{theta + p, pixels}, Rows{work + p, pixels});
}
