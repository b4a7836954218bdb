// One pass over fields on all threads: updates, and sums while the values are in registers.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include <lopsar/operators/cpu/pixel_loop.hpp>

namespace lopsar::cpu {

constexpr std::size_t field_chunk = 4096;

// Calls body(i) for all i < n.
template <class Body>
void field_update(std::size_t n, int threads, const Body& body) {
  for_pixels(n, field_chunk, threads, [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) body(i);
  });
}

// Calls body(i), which returns K terms, for all i < n, and adds the terms up in float64. The order of the additions (eight running sums per
// chunk, then a tree over chunks) depends on n alone, never on the threads.
template <std::size_t K, class Body>
std::array<double, K> field_sums(std::size_t n, int threads, const Body& body) {
  constexpr std::size_t chunk = field_chunk, lanes = 8;
  std::vector<std::array<double, K>> sums(std::max<std::size_t>((n + chunk - 1) / chunk, 1));
  for_pixels(n, chunk, threads, [&](std::size_t from, std::size_t to) {
    double sum[lanes][K] = {};
    std::size_t i = from;
    for (; i + lanes <= to; i += lanes)
      for (std::size_t l = 0; l < lanes; ++l) {
        const std::array<double, K> terms = body(i + l);
        for (std::size_t k = 0; k < K; ++k) sum[l][k] += terms[k];
      }
    for (std::size_t l = 0; i < to; ++i, ++l) {
      const std::array<double, K> terms = body(i);
      for (std::size_t k = 0; k < K; ++k) sum[l][k] += terms[k];
    }
    for (std::size_t width = lanes / 2; width > 0; width /= 2)
      for (std::size_t l = 0; l < width; ++l)
        for (std::size_t k = 0; k < K; ++k) sum[l][k] += sum[l + width][k];
    std::copy_n(sum[0], K, sums[from / chunk].begin());
  });
  for (std::size_t width = 1; width < sums.size(); width *= 2)
    for (std::size_t i = 0; i + width < sums.size(); i += 2 * width)
      for (std::size_t k = 0; k < K; ++k) sums[i][k] += sums[i + width][k];
  return sums[0];
}

}  // namespace lopsar::cpu
