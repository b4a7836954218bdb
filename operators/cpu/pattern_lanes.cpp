// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>  // first: the words of the lanes, before the kernels use them

#include <lopsar/operators/cpu/pattern.hpp>
#include <lopsar/operators/kernels/pattern.hpp>
#include <lopsar/operators/lanes/stream_row.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

template <class V>
LOPSAR_HD V times_factor(V sum, int factor, const value_t<V>* const* factors, std::size_t p) {
  return factor < 0 ? sum : sum * io<V>::load_any(factors[factor] + p);
}

// Row i at the pixels from p on, as many as V has lanes.
template <class V>
LOPSAR_HD void one_row(const PatternRows<value_t<V>>& matrix, std::size_t i, const value_t<V>* const* factors, ConstBlock<value_t<V>> x,
                       std::size_t p, value_t<V>* out) {
  V total(value_t<V>(0));
  for (int g = matrix.row_start[i]; g < matrix.row_start[i + 1]; ++g) {
    const int from = matrix.group_start[g], n = matrix.group_start[g + 1] - from;
    const V sum = terms<V>(n, matrix.column + from, matrix.coefficient + from, x.data + p, x.stride);
    total = total + times_factor<V>(sum, matrix.factor[g], factors, p);
  }
  io<V>::store_any(out + p, total);
}

// Rows i and i+1, twins.
template <class V>
LOPSAR_HD void two_rows(const PatternRows<value_t<V>>& matrix, std::size_t i, const value_t<V>* const* factors, ConstBlock<value_t<V>> x,
                        std::size_t p, value_t<V>* out, value_t<V>* next_out) {
  const int g = matrix.row_start[i], from = matrix.group_start[g], n = matrix.group_start[g + 1] - from;
  V a, b;
  terms_of_two<V>(n, matrix.column + from, matrix.coefficient + from, matrix.coefficient + from + n, x.data + p, x.stride, a, b);
  const V zero(value_t<V>(0));  // as in one_row, so that a row has the same bits whoever its neighbor is
  io<V>::store_any(out + p, zero + times_factor<V>(a, matrix.factor[g], factors, p));
  io<V>::store_any(next_out + p, zero + times_factor<V>(b, matrix.factor[g + 1], factors, p));
}

// Per pixel: reads the rows of x, writes those of y. The last lanes that do not fill a register are done one by one, with the same
// arithmetic. Several registers side by side hide the latency of a multiply-add.
template <class T>
void run(const PatternRows<T>& matrix, const T* const* factors, ConstBlock<T> x, Block<T> y, bool stream, bool ahead) {
  using V = native<T>;
  using P = pack<V, 8>;
  using Q = pack<V, 4>;
  constexpr std::size_t line = 64 / sizeof(T);
  alignas(64) T row[2][pattern_tile];
  std::size_t fetched = 0;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    // The last value of each 64 bytes: where rows are not aligned to cache lines, its line is the one that nobody has read.
    for (; ahead && fetched * matrix.rows < (i + 1) * x.rows; ++fetched)
      for (std::size_t p = line - 1; p < x.pixels; p += line) __builtin_prefetch(x.row(fetched) + x.pixels + p);
    const bool two = matrix.twin[i] != 0;
    T* out[2] = {stream ? row[0] : y.row(i), stream ? row[1] : y.row(two ? i + 1 : i)};
    std::size_t p = 0;
    if (two) {
      for (; p + width<Q> <= y.pixels; p += width<Q>) two_rows<Q>(matrix, i, factors, x, p, out[0], out[1]);
      for (; p + width<V> <= y.pixels; p += width<V>) two_rows<V>(matrix, i, factors, x, p, out[0], out[1]);
      for (; p < y.pixels; ++p) two_rows<T>(matrix, i, factors, x, p, out[0], out[1]);
    } else {
      for (; p + width<P> <= y.pixels; p += width<P>) one_row<P>(matrix, i, factors, x, p, out[0]);
      for (; p + width<V> <= y.pixels; p += width<V>) one_row<V>(matrix, i, factors, x, p, out[0]);
      for (; p < y.pixels; ++p) one_row<T>(matrix, i, factors, x, p, out[0]);
    }
    if (stream) stream_row<V>(y.row(i), row[0], y.pixels);
    if (two) {
      ++i;
      if (stream) stream_row<V>(y.row(i), row[1], y.pixels);
    }
  }
  if (stream) finish_streaming();
}

}  // namespace

template <class T, int level>
PatternKernel<T> pattern_level() {
  return run<T>;
}
template PatternKernel<float> pattern_level<float, LOPSAR_LEVEL>();
template PatternKernel<double> pattern_level<double, LOPSAR_LEVEL>();

}  // namespace lopsar::cpu
