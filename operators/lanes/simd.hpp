// The lane words for xsimd registers. Include before pack.hpp and the kernels: calls inside templates find only what was
// declared earlier, because argument-dependent lookup searches xsimd and not lopsar::lanes.
#pragma once
#include <xsimd/xsimd.hpp>

#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::lanes {

template <class T, class A>
using batch = xsimd::batch<T, A>;

template <class T, class A>
struct lane<batch<T, A>> {
  using value = T;
  static constexpr int width = static_cast<int>(batch<T, A>::size);
};

template <class T, class A>
LOPSAR_HD batch<T, A> madd(batch<T, A> a, batch<T, A> b, batch<T, A> c) { return xsimd::fma(a, b, c); }
template <class T, class A>
LOPSAR_HD batch<T, A> nmadd(batch<T, A> a, batch<T, A> b, batch<T, A> c) { return xsimd::fnma(a, b, c); }
template <class T, class A>
LOPSAR_HD batch<T, A> choose(xsimd::batch_bool<T, A> m, batch<T, A> a, batch<T, A> b) { return xsimd::select(m, a, b); }
template <class T, class A>
LOPSAR_HD bool some(xsimd::batch_bool<T, A> m) { return xsimd::any(m); }
template <class T, class A>
LOPSAR_HD batch<T, A> nearest(batch<T, A> a) { return xsimd::nearbyint(a); }
template <class T, class A>
LOPSAR_HD batch<T, A> root(batch<T, A> a) { return xsimd::sqrt(a); }
template <class T, class A>
LOPSAR_HD batch<T, A> magnitude(batch<T, A> a) { return xsimd::abs(a); }
template <class T, class A>
LOPSAR_HD batch<T, A> truncate(batch<T, A> a) { return xsimd::trunc(a); }

// xsimd 8.1 has no gather for AVX-512 and no streaming store: the intrinsics stand here and nowhere else.
template <class T, class A>
LOPSAR_HD batch<T, A> lookup(const T* table, batch<T, A> i) {
#if defined(__AVX512F__)
  if constexpr (sizeof(i) == 64 && sizeof(T) == 4) return _mm512_i32gather_ps(_mm512_cvttps_epi32(i), table, 4);
  else if constexpr (sizeof(i) == 64) return _mm512_i32gather_pd(_mm512_cvttpd_epi32(i), table, 8);
  else
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(i) == 32 && sizeof(T) == 4) return _mm256_i32gather_ps(table, _mm256_cvttps_epi32(i), 4);
  else if constexpr (sizeof(i) == 32) return _mm256_i32gather_pd(table, _mm256_cvttpd_epi32(i), 8);
  else
#endif
  {
    alignas(64) T v[batch<T, A>::size];
    i.store_aligned(v);
    for (std::size_t k = 0; k < batch<T, A>::size; ++k) v[k] = table[static_cast<int>(v[k])];
    return batch<T, A>::load_aligned(v);
  }
}

template <class T, class A>
struct io<batch<T, A>> {
  using B = batch<T, A>;
  LOPSAR_HD static B load(const T* p) { return B::load_aligned(p); }
  LOPSAR_HD static B load_any(const T* p) { return B::load_unaligned(p); }
  LOPSAR_HD static void store(T* p, B v) { v.store_aligned(p); }
  LOPSAR_HD static void store_any(T* p, B v) { v.store_unaligned(p); }
  LOPSAR_HD static void stream(T* p, B v) {
#if defined(__AVX512F__)
    if constexpr (sizeof(v) == 64 && sizeof(T) == 4) return _mm512_stream_ps(p, v);
    else if constexpr (sizeof(v) == 64) return _mm512_stream_pd(p, v);
    else
#endif
#if defined(__AVX__)
    if constexpr (sizeof(v) == 32 && sizeof(T) == 4) return _mm256_stream_ps(p, v);
    else if constexpr (sizeof(v) == 32) return _mm256_stream_pd(p, v);
    else
#endif
    if constexpr (sizeof(v) == 16 && sizeof(T) == 4) _mm_stream_ps(p, v);
    else _mm_stream_pd(p, v);
  }
};

}  // namespace lopsar::lanes
