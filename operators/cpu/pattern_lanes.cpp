// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>  // first: the words of the lanes, before the kernels use them

#include <lopsar/operators/cpu/pattern.hpp>
#include <lopsar/operators/kernels/pattern.hpp>
#include <lopsar/operators/lanes/stream_row.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

// Row i at the pixels from p on, as many as V has lanes.
template <class V>
LOPSAR_HD V row_at(const PatternRows<value_t<V>>& matrix, std::size_t i, const value_t<V>* const* factors, ConstBlock<value_t<V>> x, std::size_t p) {
  V total(value_t<V>(0));
  for (int g = matrix.row_start[i]; g < matrix.row_start[i + 1]; ++g) {
    const int from = matrix.group_start[g], n = matrix.group_start[g + 1] - from;
    const V sum = terms<V>(n, matrix.column + from, matrix.coefficient + from, x.data + p, x.stride);
    total = matrix.factor[g] < 0 ? total + sum : madd(sum, io<V>::load_any(factors[matrix.factor[g]] + p), total);
  }
  return total;
}

// Per pixel: reads the rows of x, writes those of y. The last lanes that do not fill a register are done one by one, with the same
// arithmetic.
template <class T>
void run(const PatternRows<T>& matrix, const T* const* factors, ConstBlock<T> x, Block<T> y, bool stream) {
  using V = native<T>;
  using P = pack<V, 4>;
  alignas(64) T row[pattern_tile];
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    T* out = stream ? row : y.row(i);
    std::size_t p = 0;
    for (; p + width<P> <= y.pixels; p += width<P>) io<P>::store_any(out + p, row_at<P>(matrix, i, factors, x, p));
    for (; p + width<V> <= y.pixels; p += width<V>) io<V>::store_any(out + p, row_at<V>(matrix, i, factors, x, p));
    for (; p < y.pixels; ++p) out[p] = row_at<T>(matrix, i, factors, x, p);
    if (stream) stream_row<V>(y.row(i), row, y.pixels);
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
