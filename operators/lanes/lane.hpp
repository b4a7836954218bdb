// The words that kernels are written in, for one value per lane: float or double, in a plain loop or in a CUDA thread.
// simd.hpp adds the same words for registers, pack.hpp for several registers side by side.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)
#define LOPSAR_HD __host__ __device__ __forceinline__
#define LOPSAR_UNROLL _Pragma("unroll")
#else
#define LOPSAR_HD inline __attribute__((always_inline))
#define LOPSAR_UNROLL _Pragma("GCC unroll 16")
#endif

namespace lopsar::lanes {

template <class V>
struct lane;
template <>
struct lane<float> {
  using value = float;
  static constexpr int width = 1;
};
template <>
struct lane<double> {
  using value = double;
  static constexpr int width = 1;
};
template <class V>
using value_t = typename lane<V>::value;
template <class V>
inline constexpr int width = lane<V>::width;
template <class V>
using mask_t = decltype(V() < V());  // of comparisons

// Whether madd rounds once.
#if defined(__FMA__) || defined(__CUDACC__)
inline constexpr bool fused = true;
#else
inline constexpr bool fused = false;
#endif

// The names differ from those of <cmath> and xsimd on purpose: argument-dependent lookup would make them ambiguous.
#if defined(__FMA__) || defined(__CUDACC__)
LOPSAR_HD float madd(float a, float b, float c) { return ::fmaf(a, b, c); }
LOPSAR_HD float nmadd(float a, float b, float c) { return ::fmaf(-a, b, c); }
LOPSAR_HD double madd(double a, double b, double c) { return ::fma(a, b, c); }
LOPSAR_HD double nmadd(double a, double b, double c) { return ::fma(-a, b, c); }
#else  // without the instruction fmaf is a library call, ten times slower
LOPSAR_HD float madd(float a, float b, float c) { return a * b + c; }
LOPSAR_HD float nmadd(float a, float b, float c) { return c - a * b; }
LOPSAR_HD double madd(double a, double b, double c) { return a * b + c; }
LOPSAR_HD double nmadd(double a, double b, double c) { return c - a * b; }
#endif

// Whether there is madd_down(a, b, c): a*b + c rounded once, towards minus infinity, so that what lies below an integer stays below.
template <class V>
inline constexpr bool has_madd_down = false;

#if defined(__SSE4_1__) || defined(__CUDACC__)
LOPSAR_HD float nearest(float a) { return ::rintf(a); }
LOPSAR_HD double nearest(double a) { return ::rint(a); }
#else  // |a| < 2^22 (2^51); must not be compiled with -ffast-math
LOPSAR_HD float nearest(float a) { return ::fabsf(a) < 4194304.f ? (a + 12582912.f) - 12582912.f : a; }
LOPSAR_HD double nearest(double a) { return ::fabs(a) < 2251799813685248. ? (a + 6755399441055744.) - 6755399441055744. : a; }
#endif

LOPSAR_HD float choose(bool mask, float a, float b) { return mask ? a : b; }
LOPSAR_HD double choose(bool mask, double a, double b) { return mask ? a : b; }
// The larger (smaller) of a and the bound; the bound where a is NaN.
LOPSAR_HD float at_least(float a, float bound) { return a > bound ? a : bound; }
LOPSAR_HD double at_least(double a, double bound) { return a > bound ? a : bound; }
LOPSAR_HD float at_most(float a, float bound) { return a < bound ? a : bound; }
LOPSAR_HD double at_most(double a, double bound) { return a < bound ? a : bound; }
LOPSAR_HD bool some(bool mask) { return mask; }
LOPSAR_HD float root(float a) { return ::sqrtf(a); }
LOPSAR_HD double root(double a) { return ::sqrt(a); }
LOPSAR_HD float magnitude(float a) { return ::fabsf(a); }
LOPSAR_HD double magnitude(double a) { return ::fabs(a); }
LOPSAR_HD float truncate(float a) { return static_cast<float>(static_cast<int>(a)); }  // |a| < 2^31
LOPSAR_HD double truncate(double a) { return static_cast<double>(static_cast<int>(a)); }
// A table of lookup_size values (aligned to 64 bytes), read at one index per lane; fractions of the index are cut off.
inline constexpr int lookup_size = 192;
template <class V>
struct Table {
  const value_t<V>* table;
  LOPSAR_HD explicit Table(const value_t<V>* t) : table(t) {}
  LOPSAR_HD V operator()(V i) const { return table[static_cast<int>(i)]; }
};

// Memory goes through a tag, so that scalars (no argument-dependent lookup) and class types look alike.
// load and store are aligned to the lane; load_any takes any address; stream bypasses the cache and wants 64-byte lines.
template <class V>
struct io {
  LOPSAR_HD static V load(const value_t<V>* p) { return *p; }
  LOPSAR_HD static V load_any(const value_t<V>* p) { return *p; }
  LOPSAR_HD static void store(value_t<V>* p, V v) { *p = v; }
  LOPSAR_HD static void store_any(value_t<V>* p, V v) { *p = v; }
  LOPSAR_HD static void stream(value_t<V>* p, V v) { *p = v; }
};

// Several registers as one lane (pack.hpp), and the registers of such a lane; a plain lane is its only one.
template <class V, int R>
struct pack;
template <class V>
struct registers {
  static constexpr int count = 1;
  using type = V;
  LOPSAR_HD static V at(V v, int) { return v; }
};

// Work that is spread over a kernel's loop, where there is none.
struct NoWork {
  LOPSAR_HD void operator()() const {}
};

// n rows of lanes: row k at p + k*stride. In a CPU tile the stride is the lane width, known at compile time.
template <class V>
struct packed_rows {
  value_t<V>* p;
  LOPSAR_HD V operator[](std::ptrdiff_t k) const { return io<V>::load(p + k * width<V>); }
  LOPSAR_HD void set(std::ptrdiff_t k, V v) const { io<V>::store(p + k * width<V>, v); }
};
template <class V>
struct strided_rows {
  value_t<V>* p;
  std::size_t stride;
  LOPSAR_HD V operator[](std::ptrdiff_t k) const { return io<V>::load(p + static_cast<std::size_t>(k) * stride); }
  LOPSAR_HD void set(std::ptrdiff_t k, V v) const { io<V>::store(p + static_cast<std::size_t>(k) * stride, v); }
};

}  // namespace lopsar::lanes
