// Motion as a function of time: polynomial, seasonal, steps, relaxation after an event, changes of rate.
#pragma once
#include <string>
#include <vector>

#include <lopsar/operators/pattern.hpp>
#include <lopsar/operators/time_axis.hpp>

namespace lopsar {

// A time model is a few functions g_k of time, one unknown each: x_i = sum_k c_k g_k(t_i), with t in years since the first date.
//
// With a reference date (a Network has one) there are D-1 rows g_k(t_i) - g_k(t_ref), as the value of that date is zero; a constant then drops
// out. Without, all D rows. Unknowns have the unit of the series, times that in parameters(): "" none, "1/year" and so on. Functions and
// their scales are those of MintPy (mintpy/utils/time_func.py); with TimeConvention::mintpy so are the years.

// g_k = t^k / k!: intercept (only without a reference date), velocity, acceleration, ... up to `degree`.
class Polynomial final : public Pattern {
 public:
  // InvalidArgument: degree < 0, or 0 with a reference date.
  Polynomial(const TimeAxis& axis, int degree);
};

// cos(2 pi t / T) and sin(2 pi t / T) for each period T, in years.
class Seasonal final : public Pattern {
 public:
  // InvalidArgument: no periods, one that is not positive and finite or that is there twice.
  Seasonal(const TimeAxis& axis, const std::vector<double>& periods);
};

// 1 after each of the dates, else 0. An acquisition at the very time of a step comes before it: "20170304" is 0 h.
class Step final : public Pattern {
 public:
  // InvalidArgument: no steps, one without an acquisition before (or at) and after it, two with none between them.
  Step(const TimeAxis& axis, const std::vector<std::string>& steps);
};

// 1 - exp(-u) with u = (days since the onset) / characteristic time (days); 0 before the onset. Hetland et al. (2012), eq. 5.
class Exponential final : public Pattern {
 public:
  // InvalidArgument: onset at or after the last date, characteristic time not positive and finite.
  Exponential(const TimeAxis& axis, const std::string& onset, double characteristic_time);
};

// ln(1 + u), u as above; 0 before the onset. Hetland et al. (2012), eq. 4.
class Logarithm final : public Pattern {
 public:
  // InvalidArgument: as Exponential.
  Logarithm(const TimeAxis& axis, const std::string& onset, double characteristic_time);
};

// max(t - t_k, 0) for each breakpoint t_k: the change of velocity there. With Polynomial(axis, 1) a piecewise linear function.
class Polyline final : public Pattern {
 public:
  // InvalidArgument: no breakpoints, one that is there twice or not between the first and the last date.
  Polyline(const TimeAxis& axis, const std::vector<std::string>& breakpoints);
};

}  // namespace lopsar
