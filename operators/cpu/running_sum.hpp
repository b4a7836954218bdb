// Running sums along an axis, on all threads.
#pragma once
#include <algorithm>
#include <cstddef>

#include <lopsar/operators/cpu/pixel_loop.hpp>

namespace lopsar::cpu {

// What a value counts in the integral up to itself (own) and in those behind it (after); others for the first.
struct RunningWeights {
  double first_own, first_after, own, after;
};

// Calls body(column of x, column of y, columns, step): columns are neighbors (step 1), or n * inner values apart where neighbors are few.
template <class T, class U, class Body>
void for_columns(const T* x, U* y, std::size_t outer, std::size_t n, std::size_t n_y, std::size_t inner, int threads, Body body) {
  constexpr std::size_t side = 128, few = 8;
  const bool narrow = inner < few;
  const std::size_t parts = narrow ? inner : (inner + side - 1) / side, groups = narrow ? (outer + few - 1) / few : outer;
  const std::size_t per_task = std::max<std::size_t>(1, (std::size_t(1) << 15) / (n * (narrow ? few : std::min(inner, side))));
  for_pixels(groups * parts, per_task, threads, [&](std::size_t first, std::size_t past) {
    for (std::size_t task = first; task < past; ++task) {
      const std::size_t o = task / parts * (narrow ? few : 1), p = task % parts * (narrow ? 1 : side);
      const T* from = x + o * n * inner + p;
      U* to = y + o * n_y * inner + p;
      if (narrow) body(from, to, std::min(few, outer - o), n * inner, n_y * inner);
      else body(from, to, std::min(side, inner - p), std::size_t(1), std::size_t(1));
    }
  });
}

// x (outer, n, inner); y (outer, n - skip, inner), without the rows before `skip`. Reads n and writes n - skip values per column.
template <class T>
void running_sum(const RunningWeights& w, const T* x, T* y, std::size_t outer, std::size_t n, std::size_t inner, std::size_t skip, int threads) {
  for_columns(x, y, outer, n, n - skip, inner, threads, [&](const T* from, T* to, std::size_t columns, std::size_t step_x, std::size_t step_y) {
    double sum[128] = {};
    for (std::size_t i = 0; i < n; ++i) {
      const T* in = from + i * inner;
      T* out = to + (i - skip) * inner;
      const double own = i == 0 ? w.first_own : w.own, after = i == 0 ? w.first_after : w.after;
      if (i >= skip)
        for (std::size_t c = 0; c < columns; ++c) out[c * step_y] = static_cast<T>(sum[c] + own * static_cast<double>(in[c * step_x]));
      for (std::size_t c = 0; c < columns; ++c) sum[c] += after * static_cast<double>(in[c * step_x]);
    }
  });
}

// The transpose: y (outer, n - skip, inner) to x (outer, n, inner).
template <class T>
void running_sum_adjoint(const RunningWeights& w, const T* y, T* x, std::size_t outer, std::size_t n, std::size_t inner, std::size_t skip,
                         int threads) {
  for_columns(y, x, outer, n - skip, n, inner, threads, [&](const T* from, T* to, std::size_t columns, std::size_t step_y, std::size_t step_x) {
    double sum[128] = {};
    for (std::size_t i = n; i-- > 0;) {
      const T* in = from + (i - skip) * inner;
      T* out = to + i * inner;
      const double own = i == 0 ? w.first_own : w.own, after = i == 0 ? w.first_after : w.after;
      if (i < skip)
        for (std::size_t c = 0; c < columns; ++c) out[c * step_x] = static_cast<T>(after * sum[c]);
      else
        for (std::size_t c = 0; c < columns; ++c) {
          const auto value = static_cast<double>(in[c * step_y]);
          out[c * step_x] = static_cast<T>(own * value + after * sum[c]);
          sum[c] += value;
        }
    }
  });
}

}  // namespace lopsar::cpu
