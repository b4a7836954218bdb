// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/cpu/stencil.hpp>
#include <lopsar/operators/lanes/target.hpp>
#include <lopsar/operators/kernels/stencil.hpp>
#include <lopsar/operators/lanes/stream_row.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

constexpr int at_once = 8;  // taps of one pass, whose pointers and coefficients stay in registers

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
void all_taps(const Piece<T>& piece, std::size_t from, T* out, std::size_t n) {
  const T* at[at_once];
  T coefficient[at_once];
  std::size_t done = 0;
  do {
    std::size_t count = 0;
    if (done > 0) at[0] = out, coefficient[0] = 1, count = 1;
    for (; count < at_once && done < piece.count; ++count, ++done) at[count] = piece.at[done] + from, coefficient[count] = piece.coefficient[done];
    pass<T>(at, coefficient, count, out, n);
  } while (done < piece.count);
}

// A few values at the same place of every row.
template <class T>
void every_row(const Piece<T>& piece, std::size_t rows, std::size_t length, T* out) {
  for (std::size_t start = 0; start < rows * length; start += length)
    for (std::size_t p = start + piece.from; p < start + piece.to; ++p) {
      T sum = 0;
      if (piece.count > 0) sum = piece.coefficient[0] * piece.at[0][p];
      for (std::size_t t = 1; t < piece.count; ++t) sum = madd(piece.coefficient[t], piece.at[t][p], sum);
      out[p] = sum;
    }
}

template <class T>
void combine(const Piece<T>* pieces, std::size_t count, std::size_t rows, std::size_t length, T* out, bool stream) {
  alignas(64) T group[stencil_group];
  if (rows * length > stencil_group) {  // one long row
    for (const Piece<T>* piece = pieces; piece < pieces + count; ++piece)
      for (std::size_t from = piece->from; from < piece->to; from += stencil_group) {
        const std::size_t n = piece->to - from < stencil_group ? piece->to - from : stencil_group;
        all_taps(*piece, from, stream ? group : out + from, n);
        if (stream) stream_row<native<T>>(out + from, group, n);
      }
    return;
  }
  const Piece<T>* longest = pieces;
  for (const Piece<T>* piece = pieces + 1; piece < pieces + count; ++piece)
    if (piece->to - piece->from > longest->to - longest->from) longest = piece;
  T* target = stream ? group : out;
  all_taps(*longest, longest->from, target + longest->from, (rows - 1) * length + longest->to - longest->from);
  for (const Piece<T>* piece = pieces; piece < pieces + count; ++piece) {
    if (piece == longest) continue;
    if (piece->to - piece->from < 16) every_row(*piece, rows, length, target);
    else
      for (std::size_t start = 0; start < rows * length; start += length)
        all_taps(*piece, start + piece->from, target + start + piece->from, piece->to - piece->from);
  }
  if (stream) stream_row<native<T>>(out, group, rows * length);
}

// U sums side by side, `in_step` and `out_step` values apart: one sum alone waits for its own additions.
template <class T, int U>
void gather_some(const TapRun* run, const Tap* matrix, std::size_t from, std::size_t to, std::size_t k, const T* in, std::size_t in_step, T* out,
                 std::size_t out_step) {
  for (std::size_t begin = from, end; begin < to; begin = end, ++run) {
    end = run->to < to ? run->to : to;
    for (std::size_t i = begin; i < end; ++i) {
      T sum[U] = {};
      for (std::size_t t = run->first; t < run->last; ++t) {
        const auto row = static_cast<std::ptrdiff_t>(i);
        const T* x = in + (matrix[t].offset + (matrix[t].backward ? -row : row)) * static_cast<std::ptrdiff_t>(k);
        const T c = static_cast<T>(matrix[t].value);
        if (t == run->first)
          for (int u = 0; u < U; ++u) sum[u] = c * x[static_cast<std::size_t>(u) * in_step];
        else
          for (int u = 0; u < U; ++u) sum[u] = madd(c, x[static_cast<std::size_t>(u) * in_step], sum[u]);
      }
      for (int u = 0; u < U; ++u) out[i * k + static_cast<std::size_t>(u) * out_step] = sum[u];
    }
  }
}

template <class T>
void gather(const TapRun* run, const Tap* matrix, std::size_t from, std::size_t to, const Rows<T>& rows) {
  std::size_t r = 0;
  if (rows.k == 1)
    for (; r + 8 <= rows.rows; r += 8)
      gather_some<T, 8>(run, matrix, from, to, 1, rows.in + r * rows.row_in, rows.row_in, rows.out + r * rows.row_out, rows.row_out);
  for (; r < rows.rows; ++r) {
    const T* in = rows.in + r * rows.row_in;
    T* out = rows.out + r * rows.row_out;
    std::size_t q = 0;
    for (; q + 8 <= rows.k; q += 8) gather_some<T, 8>(run, matrix, from, to, rows.k, in + q, 1, out + q, 1);
    for (; q < rows.k; ++q) gather_some<T, 1>(run, matrix, from, to, rows.k, in + q, 1, out + q, 1);
  }
}

void finish() { finish_streaming(); }

}  // namespace

template <class T, int level>
const StencilKernels<T>& stencil_level() {
  static constexpr StencilKernels<T> kernels{combine<T>, gather<T>, finish};
  return kernels;
}
template const StencilKernels<float>& stencil_level<float, LOPSAR_LEVEL>();
template const StencilKernels<double>& stencil_level<double, LOPSAR_LEVEL>();

}  // namespace lopsar::cpu
