// The register of the level that this translation unit is built for. Only *_lanes.cpp files include it; CMake compiles each of
// them once per level with LOPSAR_LEVEL and the compiler flags of that level.
#pragma once
#include <type_traits>

#include <lopsar/operators/lanes/level.hpp>
#if LOPSAR_LEVEL == 0
#include <lopsar/operators/lanes/lane.hpp>
#else
#include <lopsar/operators/lanes/simd.hpp>
#endif
#include <lopsar/operators/lanes/pack.hpp>

namespace lopsar::lanes {
#if LOPSAR_LEVEL == 0
template <class T>
using native = T;
#elif LOPSAR_LEVEL == 1
template <class T>
using native = xsimd::batch<T, xsimd::sse2>;
#elif LOPSAR_LEVEL == 2
template <class T>
using native = xsimd::batch<T, xsimd::fma3<xsimd::avx2> >;
#elif LOPSAR_LEVEL == 3
template <class T>
using native = xsimd::batch<T, xsimd::avx512dq>;
#endif
// The lane in which rows of a stack are read: where tables are permuted, two registers share a permutation (simd.hpp).
#if LOPSAR_LEVEL == 3
template <class T>
using row_lane = std::conditional_t<sizeof(T) == 4, pack<native<T>, 2>, native<T> >;
#else
template <class T>
using row_lane = native<T>;
#endif
inline constexpr Level this_level = static_cast<Level>(LOPSAR_LEVEL);

// Streaming stores are weakly ordered: a task that made some ends with this.
LOPSAR_HD void finish_streaming() {
#if LOPSAR_LEVEL > 0
  _mm_sfence();
#endif
}
}  // namespace lopsar::lanes
