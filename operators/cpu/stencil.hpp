// The inner loops of Stencil, one object per instruction-set level (stencil_lanes.cpp).
#pragma once
#include <cstddef>

#include <lopsar/operators/axis_matrix.hpp>
#include <lopsar/operators/lanes/dispatch.hpp>

namespace lopsar::cpu {

// `taps` values to add up per place: at[t][p] times coefficient[t].
template <class T>
struct Taps {
  const T* const* at;
  const T* coefficient;
  std::size_t count;
};

template <class T>
struct StencilKernels {
  // out[p] = sum of the taps for p < n. stream: out goes past the cache.
  void (*combine)(const Taps<T>& taps, T* out, std::size_t n, bool stream);
  // out[i*k + q] = sum of the taps there, plus those of row i of a matrix, tap times base[column*k + q], for rows [from, to) and q < k. `run` is
  // that of row `from`; the others follow it.
  void (*gather)(const Taps<T>& taps, const TapRun* run, const Tap* matrix, const T* base, std::size_t from, std::size_t to, std::size_t k, T* out);
};
template <class T, int level>
const StencilKernels<T>& stencil_level();  // in the object of that level
template <class T>
const StencilKernels<T>& stencil_kernels(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) -> const StencilKernels<T>& { return stencil_level<T, l>(); });
}

}  // namespace lopsar::cpu
