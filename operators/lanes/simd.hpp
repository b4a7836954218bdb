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
// A gather of 16 is slow on some processors (Zen 4): the table is held in 12 registers and permuted instead. Its values are cut
// into halves of 16 bits, because a permutation of two registers then covers 64 entries for 32 lanes at once (pack.hpp).
template <class A>
requires(sizeof(batch<float, A>) == 64) struct Table<pack<batch<float, A>, 2>> {
  static_assert(lookup_size == 192);
  __m512i low[6], high[6];
  LOPSAR_HD explicit Table(const float* table) {
    LOPSAR_UNROLL for (int b = 0; b < 6; ++b) {
      const __m512i first = _mm512_load_si512(table + 32 * b), second = _mm512_load_si512(table + 32 * b + 16);
      low[b] = halves(first, second);
      high[b] = halves(_mm512_srli_epi32(first, 16), _mm512_srli_epi32(second, 16));
    }
  }
  LOPSAR_HD static __m512i halves(__m512i first, __m512i second) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(first)), _mm512_cvtepi32_epi16(second), 1);
  }
  // Packing and unpacking both work within 128 bits, so that every lane finds its own value again.
  LOPSAR_HD pack<batch<float, A>, 2> operator()(pack<batch<float, A>, 2> i) const {
    const __m512i at = _mm512_packus_epi32(_mm512_cvttps_epi32(i.r[0]), _mm512_cvttps_epi32(i.r[1]));
    const __mmask32 by64 = _mm512_test_epi16_mask(at, _mm512_set1_epi16(64)), by128 = _mm512_test_epi16_mask(at, _mm512_set1_epi16(128));
    const auto half = [&](const __m512i* r) {
      const __m512i below128 = _mm512_mask_mov_epi16(_mm512_permutex2var_epi16(r[0], at, r[1]), by64, _mm512_permutex2var_epi16(r[2], at, r[3]));
      return _mm512_mask_mov_epi16(below128, by128, _mm512_permutex2var_epi16(r[4], at, r[5]));
    };
    const __m512i l = half(low), h = half(high);
    i.r[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(l, h));
    i.r[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(l, h));
    return i;
  }
};
template <class A>
requires(sizeof(batch<float, A>) == 64) inline constexpr bool has_madd_down<batch<float, A>> = true;
template <class A>
requires(sizeof(batch<float, A>) == 64) LOPSAR_HD batch<float, A> madd_down(batch<float, A> a, batch<float, A> b, batch<float, A> c) {
  return _mm512_fmadd_round_ps(a, b, c, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
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
