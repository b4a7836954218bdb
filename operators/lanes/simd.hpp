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

// xsimd 8.1 has no fused multiply-add for AVX-512 (it multiplies, then adds).
template <class T, class A>
LOPSAR_HD batch<T, A> madd(batch<T, A> a, batch<T, A> b, batch<T, A> c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(a) == 64 && sizeof(T) == 4) return _mm512_fmadd_ps(a, b, c);
  else if constexpr (sizeof(a) == 64) return _mm512_fmadd_pd(a, b, c);
  else
#endif
    return xsimd::fma(a, b, c);
}
template <class T, class A>
LOPSAR_HD batch<T, A> nmadd(batch<T, A> a, batch<T, A> b, batch<T, A> c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(a) == 64 && sizeof(T) == 4) return _mm512_fnmadd_ps(a, b, c);
  else if constexpr (sizeof(a) == 64) return _mm512_fnmadd_pd(a, b, c);
  else
#endif
    return xsimd::fnma(a, b, c);
}
template <class T, class A>
LOPSAR_HD batch<T, A> choose(xsimd::batch_bool<T, A> m, batch<T, A> a, batch<T, A> b) {
  return xsimd::select(m, a, b);
}
// The instructions return their second operand where one is NaN, and xsimd passes the operands on in this order.
template <class T, class A>
LOPSAR_HD batch<T, A> at_least(batch<T, A> a, batch<T, A> bound) {
  return xsimd::max(a, bound);
}
template <class T, class A>
LOPSAR_HD batch<T, A> at_most(batch<T, A> a, batch<T, A> bound) {
  return xsimd::min(a, bound);
}
template <class T, class A>
LOPSAR_HD bool some(xsimd::batch_bool<T, A> m) {
  return xsimd::any(m);
}
template <class T, class A>
LOPSAR_HD batch<T, A> nearest(batch<T, A> a) {
  return xsimd::nearbyint(a);
}
template <class T, class A>
LOPSAR_HD batch<T, A> root(batch<T, A> a) {
  return xsimd::sqrt(a);
}
template <class T, class A>
LOPSAR_HD batch<T, A> magnitude(batch<T, A> a) {
  return xsimd::abs(a);
}
template <class T, class A>
LOPSAR_HD batch<T, A> truncate(batch<T, A> a) {
  return xsimd::trunc(a);
}

// xsimd 8.1 has no permutation of two registers, no AVX2 gather and no streaming store: the intrinsics stand here and nowhere else.
template <class T, class A>
struct Table<batch<T, A>> {
  const T* table;
  LOPSAR_HD explicit Table(const T* t) : table(t) {}
  LOPSAR_HD batch<T, A> operator()(batch<T, A> i) const {
#if defined(__AVX2__)
    if constexpr (sizeof(i) == 32 && sizeof(T) == 4) return _mm256_i32gather_ps(table, _mm256_cvttps_epi32(i), 4);
    else
#endif
    {
      alignas(64) T v[batch<T, A>::size];
      i.store_aligned(v);
      for (std::size_t k = 0; k < batch<T, A>::size; ++k) v[k] = table[static_cast<int>(v[k])];
      return batch<T, A>::load_aligned(v);
    }
  }
};
#if defined(__AVX512F__)
// A gather of 16 is slow on some processors (Zen 4): the table is held in 12 registers and permuted instead.
template <class A>
requires(sizeof(batch<float, A>) == 64) struct Table<batch<float, A>> {
  static_assert(lookup_size == 192);
  __m512 r[12];
  LOPSAR_HD explicit Table(const float* table) { LOPSAR_UNROLL for (int b = 0; b < 12; ++b) r[b] = _mm512_load_ps(table + 16 * b); }
  LOPSAR_HD batch<float, A> operator()(batch<float, A> i) const {
    const __m512i at = _mm512_cvttps_epi32(i);
    const auto bit = [&](int value) { return _mm512_test_epi32_mask(at, _mm512_set1_epi32(value)); };
    const __mmask16 by32 = bit(32), by64 = bit(64), by128 = bit(128);
    const auto of64 = [&](int b) {  // entries 64 b .. 64 b + 63
      const __m512 even = _mm512_permutex2var_ps(r[4 * b], at, r[4 * b + 1]), odd = _mm512_permutex2var_ps(r[4 * b + 2], at, r[4 * b + 3]);
      return _mm512_mask_mov_ps(even, by32, odd);
    };
    const __m512 low = _mm512_mask_mov_ps(of64(0), by64, of64(1));
    return _mm512_mask_mov_ps(low, by128, of64(2));
  }
};
#endif

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
        if constexpr (sizeof(v) == 32 && sizeof(T) == 4)
      return _mm256_stream_ps(p, v);
    else if constexpr (sizeof(v) == 32) return _mm256_stream_pd(p, v);
    else
#endif
        if constexpr (sizeof(v) == 16 && sizeof(T) == 4)
      _mm_stream_ps(p, v);
    else _mm_stream_pd(p, v);
  }
};

}  // namespace lopsar::lanes
