#include <lopsar/operators/smoothing.hpp>

#include <algorithm>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

AxisMatrix moving_average(std::size_t window, std::size_t n) {
  if (window == 0) throw InvalidArgument("Smoothing1D: expected a window of at least 1 value, got 0");
  const std::size_t reach = window / 2;
  if (reach >= n)
    throw InvalidArgument("Smoothing1D: expected a window that reaches less far than the axis (" + std::to_string(n) + " values), got " +
                          std::to_string(window) + "; take a smaller one");
  const auto row = [&](std::size_t before, std::size_t after) {
    std::vector<Tap> taps;
    for (auto t = -static_cast<std::ptrdiff_t>(before); t <= static_cast<std::ptrdiff_t>(after); ++t)
      taps.push_back({t, 1 / static_cast<double>(2 * reach + 1)});
    return taps;
  };
  AxisMatrix m(n);
  std::size_t i = 0;
  for (; i < n && i < reach; ++i) m.append(1, row(i, std::min(reach, n - 1 - i)));
  if (n > i + reach) m.append(n - reach - i, row(reach, reach));
  for (i = m.rows; i < n; ++i) m.append(1, row(reach, n - 1 - i));
  return m;
}

std::size_t axis_of(const Dims& dims, std::ptrdiff_t axis) { return checked_axis(axis, checked_dims(dims, "Smoothing1D").size(), "Smoothing1D"); }

}  // namespace

Smoothing1D::Smoothing1D(std::size_t n, const Dims& dims, std::ptrdiff_t axis)
    : Stencil(dims, axis_of(dims, axis), moving_average(n, dims[axis_of(dims, axis)]), "Smoothing1D") {}

}  // namespace lopsar
