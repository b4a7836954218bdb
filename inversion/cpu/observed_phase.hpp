// Phase and weights of the job as blocks, for solvers that are not fused with it.
#pragma once
#include <cstdint>

#include <lopsar/inversion/cpu/phase.hpp>
#include <lopsar/operators/network.hpp>

namespace lopsar::cpu {

// Referenced phase y (NaN: missing) and weights w (0: missing) of pixels [first, first + y.pixels), by the rules of kernels/phase.hpp. Signs of the
// stack are 1.
template <class T>
void observe(const PhaseStack<T>& stack, std::size_t first, Block<T> y, Block<T> w, int threads);

// What the valid pairs (w > 0) of each pixel tie together. Each output is (pixels).
template <class T>
void examine(const Network& network, std::size_t exempt, ConstBlock<T> w, std::int32_t* valid, std::int32_t* redundancy, std::int32_t* rank,
             int threads);

// |sum exp(i e)| / valid over the valid pairs, e = x_second - x_first - y. x: (D - 1, pixels) without the reference date.
template <class T>
void temporal_coherence(const Network& network, ConstBlock<T> y, ConstBlock<T> x, T* coherence, int threads);

}  // namespace lopsar::cpu
