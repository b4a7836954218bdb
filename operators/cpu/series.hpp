// Sums over the dates of a series, one object per instruction-set level (series_lanes.cpp).
#pragma once
#include <cstddef>

#include <lopsar/operators/field.hpp>
#include <lopsar/operators/lanes/dispatch.hpp>

namespace lopsar::cpu {

// One step of a running sum: sum += coefficient x[source], y[destination] = scale sum. source -1: sum = 0. destination -1: nothing is written.
template <class T>
struct SumStep {
  int source, destination;
  T coefficient, scale;
};

// total = sum of coefficient x[source] over the terms; y[i] = x[source] - coefficient total, with the term i of `rows` (source -1: x = 0).
template <class T>
struct TotalTerm {
  int source;
  T coefficient;
};
template <class T>
struct TotalRemoval {
  std::size_t terms, rows;
  const TotalTerm<T>*term, *row;
};

// One tile of at most series_tile pixels. stream: the result goes to memory past the cache.
inline constexpr std::size_t series_tile = 512;
template <class T>
struct SeriesKernels {
  void (*running_sum)(const SumStep<T>* steps, std::size_t n, ConstBlock<T> x, Block<T> y, bool stream);
  void (*remove_total)(const TotalRemoval<T>& removal, ConstBlock<T> x, Block<T> y, bool stream);
};

template <class T, int level>
SeriesKernels<T> series_level();  // in the object of that level
template <class T>
SeriesKernels<T> series_kernels(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) { return series_level<T, l>(); });
}

}  // namespace lopsar::cpu
