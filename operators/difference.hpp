// Differences in time.
#pragma once
#include <lopsar/operators/pattern.hpp>
#include <lopsar/operators/time_axis.hpp>

namespace lopsar {

// Rate of change between dates that need not be evenly spaced, from a series of the axis; the value of its reference date is zero.
//
// order 1: (x_j - x_{j-1}) / h_j, h_j = t_j - t_{j-1} in years: D-1 rows, the mean rate from each date to the next.
// order 2: 2 / (h_j + h_{j+1}) ((x_{j+1} - x_j) / h_{j+1} - (x_j - x_{j-1}) / h_j): D-2 rows, the second derivative of the parabola through
// three dates. Rows have the unit of the series per year^order. InvalidArgument: another order, fewer than order + 1 dates.
class TimeDifference final : public Pattern {
 public:
  explicit TimeDifference(const TimeAxis& axis, int order = 1);
};

}  // namespace lopsar
