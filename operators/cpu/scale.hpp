// Element-wise products on all threads.
#pragma once
#include <algorithm>
#include <complex>
#include <cstddef>

#include <lopsar/operators/cpu/pixel_loop.hpp>

namespace lopsar::cpu {

// y[o, i, :] = factor(i) x[o, i, :], arrays (outer, n, inner). Factor has the type of the values or of their real part.
template <class T, class Factor>
void scale(const T* x, T* y, std::size_t outer, std::size_t n, std::size_t inner, int threads, Factor factor) {
  const std::size_t rows = outer * n, tile = std::max<std::size_t>(1, (std::size_t(1) << 15) / inner);
  for_pixels(rows, tile, threads, [&](std::size_t from, std::size_t to) {
    if (inner == 1 && outer == 1) {
      for (std::size_t i = from; i < to; ++i) y[i] = factor(i) * x[i];
      return;
    }
    std::size_t i = from % n;
    for (std::size_t row = from; row < to; ++row, i = i + 1 == n ? 0 : i + 1) {
      const auto f = factor(i);
      for (std::size_t p = row * inner; p < (row + 1) * inner; ++p) y[p] = f * x[p];
    }
  });
}

}  // namespace lopsar::cpu
