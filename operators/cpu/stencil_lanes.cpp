// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/cpu/stencil.hpp>
#include <lopsar/operators/lanes/target.hpp>
#include <lopsar/operators/kernels/stencil.hpp>
#include <lopsar/operators/lanes/stream_row.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

constexpr int at_once = 8;         // taps of one pass, whose pointers and coefficients stay in registers
constexpr std::size_t part = 1024;  // values of one pass: the result lies in the first-level cache

// out[p] = sum of N taps; one of them may be `out` itself.
template <class T, int N>
void pass(const T* const* at, const T* coefficient, T* out, std::size_t n) {
  using V = native<T>;
  const T* x[N];
  V c[N];
  T s[N];
  for (int t = 0; t < N; ++t) x[t] = at[t], s[t] = coefficient[t], c[t] = V(coefficient[t]);
  std::size_t p = 0;
  for (; p + 2 * width<V> <= n; p += 2 * width<V>) {
    const V a = weighted_sum<V, N>(x, c, p), b = weighted_sum<V, N>(x, c, p + width<V>);
    io<V>::store_any(out + p, a);
    io<V>::store_any(out + p + width<V>, b);
  }
  for (; p + width<V> <= n; p += width<V>) io<V>::store_any(out + p, weighted_sum<V, N>(x, c, p));
  for (; p < n; ++p) out[p] = weighted_sum<T, N>(x, s, p);
}

template <class T>
void pass(const T* const* at, const T* coefficient, std::size_t count, T* out, std::size_t n) {
  switch (count) {
    case 1: return pass<T, 1>(at, coefficient, out, n);
    case 2: return pass<T, 2>(at, coefficient, out, n);
    case 3: return pass<T, 3>(at, coefficient, out, n);
    case 4: return pass<T, 4>(at, coefficient, out, n);
    case 5: return pass<T, 5>(at, coefficient, out, n);
    case 6: return pass<T, 6>(at, coefficient, out, n);
    case 7: return pass<T, 7>(at, coefficient, out, n);
    case 8: return pass<T, 8>(at, coefficient, out, n);
    default:
      for (std::size_t p = 0; p < n; ++p) out[p] = 0;
  }
}

// Any number of taps; the sum so far is one tap of the next pass, times an exact 1.
template <class T>
void all_taps(const Taps<T>& taps, std::size_t from, T* out, std::size_t n) {
  const T* at[at_once];
  T coefficient[at_once];
  std::size_t done = 0;
  do {
    std::size_t count = 0;
    if (done > 0) at[0] = out, coefficient[0] = 1, count = 1;
    for (; count < at_once && done < taps.count; ++count, ++done) at[count] = taps.at[done] + from, coefficient[count] = taps.coefficient[done];
    pass<T>(at, coefficient, count, out, n);
  } while (done < taps.count);
}

template <class T>
void combine(const Taps<T>& taps, T* out, std::size_t n, bool stream) {
  alignas(64) T row[part];
  for (std::size_t from = 0; from < n; from += part) {
    const std::size_t m = n - from < part ? n - from : part;
    if (stream && m >= 256 / sizeof(T)) {
      all_taps(taps, from, row, m);
      stream_row<native<T>>(out + from, row, m);
    } else {
      all_taps(taps, from, out + from, m);
    }
  }
  if (stream) finish_streaming();
}

// Same sum in the same order as combine.
template <class T>
void gather(const Taps<T>& taps, const TapRun* run, const Tap* matrix, const T* base, std::size_t from, std::size_t to, std::size_t k, T* out) {
  for (std::size_t begin = from, end; begin < to; begin = end, ++run) {
    end = run->to < to ? run->to : to;
    if (taps.count == 0 && run->last == run->first + 1 && k == 1) {  // a copy
      const Tap& tap = matrix[run->first];
      const T c = static_cast<T>(tap.value);
      if (tap.backward)
        for (std::size_t i = begin; i < end; ++i) out[i] = c * base[tap.offset - static_cast<std::ptrdiff_t>(i)];
      else
        for (std::size_t i = begin; i < end; ++i) out[i] = c * base[tap.offset + static_cast<std::ptrdiff_t>(i)];
      continue;
    }
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t q = 0; q < k; ++q) {
        T sum = 0;
        bool first = true;
        for (std::size_t t = 0; t < taps.count; ++t, first = false) {
          const T x = taps.at[t][i * k + q];
          sum = first ? taps.coefficient[t] * x : madd(taps.coefficient[t], x, sum);
        }
        for (std::size_t t = run->first; t < run->last; ++t, first = false) {
          const auto row = static_cast<std::ptrdiff_t>(i), column = matrix[t].offset + (matrix[t].backward ? -row : row);
          const T x = base[column * static_cast<std::ptrdiff_t>(k) + static_cast<std::ptrdiff_t>(q)];
          const T c = static_cast<T>(matrix[t].value);
          sum = first ? c * x : madd(c, x, sum);
        }
        out[i * k + q] = sum;
      }
  }
}

}  // namespace

template <class T, int level>
const StencilKernels<T>& stencil_level() {
  static constexpr StencilKernels<T> kernels{combine<T>, gather<T>};
  return kernels;
}
template const StencilKernels<float>& stencil_level<float, LOPSAR_LEVEL>();
template const StencilKernels<double>& stencil_level<double, LOPSAR_LEVEL>();

}  // namespace lopsar::cpu
