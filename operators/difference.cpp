#include <lopsar/operators/difference.hpp>

#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

Lowering matrix_of(const TimeAxis& axis, int order) {
  if (order != 1 && order != 2) throw InvalidArgument("TimeDifference: expected order 1 or 2, got " + std::to_string(order));
  const auto n = static_cast<std::size_t>(order);
  const auto& t = axis.years();
  if (t.size() <= n)
    throw InvalidArgument("TimeDifference: expected at least " + std::to_string(n + 1) + " dates for order " + std::to_string(order) + ", got " +
                          std::to_string(t.size()));
  axis.check_increasing_years("TimeDifference");
  Lowering matrix;
  matrix.shape = {t.size() - n, axis.size()};
  // Adds coefficient (x_j - x_{j-1}) / h_j to a row.
  const auto add = [&](std::size_t row, std::size_t j, double coefficient) {
    const double rate = coefficient / (t[j] - t[j - 1]);
    if (const auto column = axis.place(j)) matrix.triplets.push_back({row, *column, rate});
    if (const auto column = axis.place(j - 1)) matrix.triplets.push_back({row, *column, -rate});
  };
  for (std::size_t row = 0; row < matrix.shape.rows; ++row) {
    if (order == 1) {
      add(row, row + 1, 1);
      continue;
    }
    const double scale = 2 / (t[row + 2] - t[row]);
    add(row, row + 2, scale);
    add(row, row + 1, -scale);
  }
  return matrix;
}

}  // namespace

TimeDifference::TimeDifference(const TimeAxis& axis, int order) : Pattern(matrix_of(axis, order), "TimeDifference", axis.parameters()) {}

}  // namespace lopsar
