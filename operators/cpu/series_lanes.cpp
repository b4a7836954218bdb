// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>  // first: the words of the lanes, before the kernels use them

#include <lopsar/operators/cpu/series.hpp>
#include <lopsar/operators/kernels/series.hpp>
#include <lopsar/operators/lanes/stream_row.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

template <class T>
void clear(T* sum, std::size_t n) {
  for (std::size_t p = 0; p < n; ++p) sum[p] = 0;
}

// The last pixels, which do not fill a register, are done one by one with the same arithmetic.
template <class T>
void add(T* sum, T coefficient, const T* x, std::size_t n) {
  using V = native<T>;
  std::size_t p = 0;
  for (; p + width<V> <= n; p += width<V>) io<V>::store(sum + p, summed<V>(io<V>::load(sum + p), coefficient, io<V>::load_any(x + p)));
  for (; p < n; ++p) sum[p] = summed<T>(sum[p], coefficient, x[p]);
}

template <class T>
void scale(T* out, T factor, const T* sum, std::size_t n) {
  using V = native<T>;
  std::size_t p = 0;
  for (; p + width<V> <= n; p += width<V>) io<V>::store_any(out + p, V(factor) * io<V>::load(sum + p));
  for (; p < n; ++p) out[p] = factor * sum[p];
}

template <class T>
void subtract(T* out, const T* x, T weight, const T* total, std::size_t n) {
  using V = native<T>;
  std::size_t p = 0;
  for (; p + width<V> <= n; p += width<V>) io<V>::store_any(out + p, without<V>(io<V>::load_any(x + p), weight, io<V>::load(total + p)));
  for (; p < n; ++p) out[p] = without<T>(x[p], weight, total[p]);
}

// Per pixel: reads the rows of x once, writes those of y once; the sum stays in the first-level cache.
template <class T>
void running_sum(const SumStep<T>* steps, std::size_t n, ConstBlock<T> x, Block<T> y, bool stream) {
  alignas(64) T sum[series_tile];
  alignas(64) T row[series_tile];
  for (std::size_t s = 0; s < n; ++s) {
    const SumStep<T>& step = steps[s];
    if (step.source < 0) clear(sum, x.pixels);
    else add(sum, step.coefficient, x.row(static_cast<std::size_t>(step.source)), x.pixels);
    if (step.destination < 0) continue;
    T* to = y.row(static_cast<std::size_t>(step.destination));
    scale(stream ? row : to, step.scale, sum, x.pixels);
    if (stream) stream_row<native<T>>(to, row, x.pixels);
  }
  if (stream) finish_streaming();
}

// Per pixel: reads the rows of x, from memory and again from the cache; writes those of y once.
template <class T>
void remove_total(const TotalRemoval<T>& removal, ConstBlock<T> x, Block<T> y, bool stream) {
  alignas(64) T total[series_tile];
  alignas(64) T row[series_tile];
  alignas(64) T zero[series_tile];
  clear(total, x.pixels);
  clear(zero, x.pixels);
  for (std::size_t k = 0; k < removal.terms; ++k)
    add(total, removal.term[k].coefficient, x.row(static_cast<std::size_t>(removal.term[k].source)), x.pixels);
  for (std::size_t i = 0; i < removal.rows; ++i) {
    const TotalTerm<T>& term = removal.row[i];
    subtract(stream ? row : y.row(i), term.source < 0 ? zero : x.row(static_cast<std::size_t>(term.source)), term.coefficient, total, x.pixels);
    if (stream) stream_row<native<T>>(y.row(i), row, x.pixels);
  }
  if (stream) finish_streaming();
}

}  // namespace

template <class T, int level>
SeriesKernels<T> series_level() {
  return {running_sum<T>, remove_total<T>};
}
template SeriesKernels<float> series_level<float, LOPSAR_LEVEL>();
template SeriesKernels<double> series_level<double, LOPSAR_LEVEL>();

}  // namespace lopsar::cpu
