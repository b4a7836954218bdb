// Copies of boxes and transposes of arrays, on all threads.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/field.hpp>

namespace lopsar::cpu {

// Values that one thread does faster than another wakes up.
inline constexpr std::size_t copy_tile = std::size_t(1) << 16;

// y = 0 but for `box`, which starts at `from` in x (dims_x) and at `to` in y (dims_y); k values per place.
template <class T>
void copy_box(const Dims& box, const T* x, const Dims& dims_x, const Dims& from, T* y, const Dims& dims_y, const Dims& to, std::size_t k,
              int threads) {
  const std::size_t last = dims_y.size() - 1, width = dims_y[last] * k, rows = product(dims_y) / dims_y[last];
  for_pixels(rows, std::max<std::size_t>(1, copy_tile / width), threads, [&](std::size_t first, std::size_t past) {
    for (std::size_t row = first; row < past; ++row) {
      T* out = y + row * width;
      std::size_t source = 0, rest = row, unit = 1;
      bool inside = true;
      for (std::size_t a = last; a-- > 0;) {
        const std::size_t i = rest % dims_y[a];
        rest /= dims_y[a];
        inside = inside && i >= to[a] && i < to[a] + box[a];
        source += (i - to[a] + from[a]) * unit;
        unit *= dims_x[a];
      }
      const std::size_t head = inside ? to[last] * k : width, n = inside ? box[last] * k : 0;
      std::fill_n(out, head, T(0));
      if (n > 0) std::copy_n(x + (source * dims_x[last] + from[last]) * k, n, out + head);
      std::fill_n(out + head + n, width - head - n, T(0));
    }
  });
}

// y = x (dims) with axis axes[a] as axis a; k values per place. Blocks small enough that both sides stay in the cache.
template <class T>
void transpose(const Dims& dims, const Dims& axes, const T* x, T* y, std::size_t k, int threads) {
  // Axes that stay neighbors are one axis; the last one, if it stays, belongs to k.
  Dims size, stride, old;  // per axis of y: its length, its stride in x, its place in x
  std::vector<std::size_t> strides(dims.size(), k);
  for (std::size_t a = dims.size(); a-- > 1;) strides[a - 1] = strides[a] * dims[a];
  for (const std::size_t a : axes) {
    if (dims[a] == 1) continue;
    bool follows = !old.empty() && a > old.back();
    for (std::size_t b = follows ? old.back() + 1 : a; b < a; ++b) follows = follows && dims[b] == 1;
    if (follows) size.back() *= dims[a], stride.back() = strides[a], old.back() = a;
    else size.push_back(dims[a]), stride.push_back(strides[a]), old.push_back(a);
  }
  if (!size.empty() && stride.back() == k) {
    k *= size.back();
    size.pop_back();
    stride.pop_back();
  }
  if (size.empty()) {
    for_pixels(k, copy_tile, threads, [&](std::size_t from, std::size_t to) { std::copy(x + from, x + to, y + from); });
    return;
  }
  // The last axis of y and the axis of y that is the last of x span blocks; the others are walked.
  const std::size_t rank = size.size(), i = rank - 1;
  const std::size_t j = static_cast<std::size_t>(std::min_element(stride.begin(), stride.end()) - stride.begin());
  Dims stride_y(rank, k);
  for (std::size_t a = rank; a-- > 1;) stride_y[a - 1] = stride_y[a] * size[a];
  constexpr std::size_t side = 32;
  const std::size_t n_i = size[i], n_j = j == i ? 1 : size[j], stripes = (n_j + side - 1) / side;
  std::size_t planes = 1;
  for (std::size_t a = 0; a < rank; ++a) planes *= a == i || a == j ? 1 : size[a];
  const std::size_t values = std::min(side, n_j) * n_i * k;
  for_pixels(planes * stripes, std::max<std::size_t>(1, copy_tile / values), threads, [&](std::size_t first, std::size_t past) {
    for (std::size_t task = first; task < past; ++task) {
      const T* from = x;
      T* to = y;
      std::size_t rest = task / stripes;
      for (std::size_t a = rank; a-- > 0;) {
        if (a == i || a == j) continue;
        from += rest % size[a] * stride[a];
        to += rest % size[a] * stride_y[a];
        rest /= size[a];
      }
      const std::size_t j_from = task % stripes * side, j_to = std::min(n_j, j_from + side);
      for (std::size_t i_from = 0; i_from < n_i; i_from += side) {
        const std::size_t i_to = std::min(n_i, i_from + side);
        for (std::size_t b = j_from; b < j_to; ++b) {
          const T* source = from + b * stride[j];
          T* target = to + b * stride_y[j];
          if (k == 1)
            for (std::size_t a = i_from; a < i_to; ++a) target[a] = source[a * stride[i]];
          else
            for (std::size_t a = i_from; a < i_to; ++a) std::copy_n(source + a * stride[i], k, target + a * k);
        }
      }
    }
  });
}

}  // namespace lopsar::cpu
