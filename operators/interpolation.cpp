#include <lopsar/operators/interpolation.hpp>

#include <algorithm>
#include <cmath>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

std::size_t axis_of(const Dims& dims, std::ptrdiff_t axis, const char* who) { return checked_axis(axis, checked_dims(dims, who).size(), who); }

AxisMatrix matrix_of(std::size_t rows, std::size_t columns, std::vector<Triplet> triplets, const std::string& who) {
  const auto in_order = [](const Triplet& a, const Triplet& b) { return a.row != b.row ? a.row < b.row : a.column < b.column; };
  if (!std::is_sorted(triplets.begin(), triplets.end(), in_order)) std::stable_sort(triplets.begin(), triplets.end(), in_order);
  if (!triplets.empty() && triplets.back().row >= rows)
    throw InvalidArgument(who + ": expected rows below " + std::to_string(rows) + ", got " + std::to_string(triplets.back().row));
  AxisMatrix m(columns);
  std::vector<Tap> taps;
  auto t = triplets.begin();
  while (m.rows < rows) {
    if (t == triplets.end() || t->row > m.rows) {
      m.append((t == triplets.end() ? rows : t->row) - m.rows, {});
      continue;
    }
    taps.clear();
    const auto row = static_cast<std::ptrdiff_t>(m.rows);
    for (; t != triplets.end() && t->row == m.rows; ++t) {
      const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(t->column) - row;
      if (!taps.empty() && taps.back().offset == offset) taps.back().value += t->coefficient;
      else taps.push_back({offset, t->coefficient});
    }
    m.append(1, taps);
  }
  return m;
}

// The neighbors of a position and their weights.
std::array<std::pair<std::size_t, double>, 2> neighbors(double position, std::size_t n, const char* who) {
  if (!(position >= 0) || position > static_cast<double>(n - 1))
    throw InvalidArgument(std::string(who) + ": expected positions from 0 to " + std::to_string(n - 1) + ", got " + std::to_string(position));
  const std::size_t left = std::min(static_cast<std::size_t>(position), n < 2 ? 0 : n - 2);
  const double w = position - static_cast<double>(left);
  return {{{left, 1 - w}, {std::min(left + 1, n - 1), w}}};
}

std::vector<Triplet> interpolated(std::size_t n, const std::vector<double>& positions, Interpolant kind) {
  constexpr double pi = 3.14159265358979323846;
  if (positions.empty()) throw InvalidArgument("Interp: expected at least one position, got none");
  std::vector<Triplet> triplets;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const double p = positions[i];
    if (kind == Interpolant::sinc) {
      if (!std::isfinite(p)) throw InvalidArgument("Interp: expected finite positions, got NaN or infinity");
      for (std::size_t j = 0; j < n; ++j) {
        const double t = pi * (p - static_cast<double>(j));
        triplets.push_back({i, j, t == 0 ? 1 : std::sin(t) / t});
      }
    } else {
      const auto near = neighbors(kind == Interpolant::nearest ? std::nearbyint(p) : p, n, "Interp");
      for (const auto& [j, weight] : near)
        if (weight != 0) triplets.push_back({i, j, weight});
    }
  }
  return triplets;
}

AxisMatrix bilinear(const Dims& dims, const std::vector<double>& first, const std::vector<double>& second) {
  if (first.empty() || first.size() != second.size())
    throw ShapeError("Bilinear: expected as many first as second positions, at least one, got " + std::to_string(first.size()) + " and " +
                     std::to_string(second.size()));
  std::vector<Triplet> triplets;
  for (std::size_t i = 0; i < first.size(); ++i)
    for (const auto& [a, u] : neighbors(first[i], dims[0], "Bilinear"))
      for (const auto& [b, v] : neighbors(second[i], dims[1], "Bilinear")) triplets.push_back({i, a * dims[1] + b, u * v});
  return matrix_of(first.size(), dims[0] * dims[1], std::move(triplets), "Bilinear");
}

const Dims& at_least_two(const Dims& dims) {
  if (checked_dims(dims, "Bilinear").size() < 2) throw ShapeError("Bilinear: expected dims of two axes or more, got one");
  return dims;
}

// The first two axes as one.
Dims flattened(const Dims& dims, std::size_t n) {
  at_least_two(dims);
  Dims result{n};
  result.insert(result.end(), dims.begin() + 2, dims.end());
  return result;
}

AxisMatrix ones(std::size_t n) {
  std::vector<Tap> taps;
  for (std::size_t j = 0; j < n; ++j) taps.push_back({static_cast<std::ptrdiff_t>(j), 1});
  AxisMatrix m(n);
  m.append(1, taps);
  return m;
}

Dims without(Dims dims, std::size_t axis) {
  if (dims.size() == 1) return {1};
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  return dims;
}

}  // namespace

AlongAxis::AlongAxis(const Dims& dims, std::ptrdiff_t axis, std::size_t n, const std::vector<Triplet>& triplets, std::string name)
    : Stencil(dims, axis_of(dims, axis, name.c_str()), matrix_of(n, dims[axis_of(dims, axis, name.c_str())], triplets, name), name) {}

AlongAxis::AlongAxis(const Dims& dims, const Dims& dimsd, const std::vector<Triplet>& triplets, std::string name)
    : Stencil({product(checked_dims(dims, name.c_str()))}, 0, matrix_of(product(checked_dims(dimsd, name.c_str())), product(dims), triplets, name),
              dims, dimsd, name) {}

Interpolation::Interpolation(const Dims& dims, const std::vector<double>& positions, std::ptrdiff_t axis, Interpolant kind)
    : AlongAxis(dims, axis, positions.size(), interpolated(dims[axis_of(dims, axis, "Interp")], positions, kind), "Interp") {}

Bilinear::Bilinear(const Dims& dims, const std::vector<double>& first, const std::vector<double>& second)
    : Stencil(flattened(dims, at_least_two(dims)[0] * dims[1]), 0, bilinear(at_least_two(dims), first, second), dims, flattened(dims, first.size()),
              "Bilinear") {}

Sum::Sum(const Dims& dims, std::ptrdiff_t axis)
    : Stencil(dims, axis_of(dims, axis, "Sum"), ones(dims[axis_of(dims, axis, "Sum")]), dims, without(dims, axis_of(dims, axis, "Sum")), "Sum") {}

}  // namespace lopsar
