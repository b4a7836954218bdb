#include <lopsar/operators/time_model.hpp>

#include <cmath>
#include <cstdio>
#include <numbers>
#include <set>

#include <lopsar/operators/date.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

// A function of time, evaluated at the D dates.
using Values = std::vector<double>;

Lowering matrix_of(const TimeAxis& axis, const std::vector<Values>& functions) {
  Lowering matrix;
  matrix.shape = {axis.size(), functions.size()};
  for (std::size_t d = 0; d < axis.dates().size(); ++d)
    if (const auto row = axis.place(d))
      for (std::size_t k = 0; k < functions.size(); ++k)
        matrix.triplets.push_back({*row, k, functions[k][d] - (axis.reference() ? functions[k][*axis.reference()] : 0)});
  return matrix;
}

template <class Function>
Values at_dates(const TimeAxis& axis, Function g) {
  Values values;
  for (const double t : axis.years()) values.push_back(g(t));
  return values;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

std::string range(const TimeAxis& axis) { return axis.dates().front() + " .. " + axis.dates().back(); }

void expect_some(const char* model, std::size_t n, const char* what) {
  if (n == 0) throw InvalidArgument(std::string(model) + ": expected at least one " + what + ", got none; give one or leave the model out");
}

Lowering polynomial(const TimeAxis& axis, int degree) {
  const int first = axis.reference() ? 1 : 0;
  if (degree < first)
    throw InvalidArgument("Polynomial: expected a degree of " + std::to_string(first) + " or more, got " + std::to_string(degree) +
                          (first == 1 ? "; a constant vanishes relative to a reference date" : ""));
  std::vector<Values> functions;
  Values g(axis.years().size(), 1.0);
  for (int k = 0; k <= degree; ++k) {
    for (std::size_t d = 0; k > 0 && d < g.size(); ++d) g[d] *= axis.years()[d] / k;
    if (k >= first) functions.push_back(g);
  }
  return matrix_of(axis, functions);
}

std::vector<Parameter> polynomial_names(const TimeAxis& axis, int degree) {
  static const char* const names[] = {"intercept", "velocity", "acceleration"};
  std::vector<Parameter> parameters;
  for (int k = axis.reference() ? 1 : 0; k <= degree; ++k)
    parameters.push_back({k < 3 ? names[k] : "poly" + std::to_string(k), k == 0 ? "" : k == 1 ? "1/year" : "1/year^" + std::to_string(k)});
  return parameters;
}

Lowering seasonal(const TimeAxis& axis, const std::vector<double>& periods) {
  expect_some("Seasonal", periods.size(), "period");
  std::vector<Values> functions;
  std::set<double> known;
  for (const double period : periods) {
    if (!(period > 0) || !std::isfinite(period)) throw InvalidArgument("Seasonal: expected positive periods in years, got " + number(period));
    if (!known.insert(period).second) throw InvalidArgument("Seasonal: expected each period once, got " + number(period) + " years twice");
    const double rate = 2 * std::numbers::pi / period;
    functions.push_back(at_dates(axis, [&](double t) { return std::cos(rate * t); }));
    functions.push_back(at_dates(axis, [&](double t) { return std::sin(rate * t); }));
  }
  return matrix_of(axis, functions);
}

std::vector<Parameter> seasonal_names(const std::vector<double>& periods) {
  std::vector<Parameter> parameters;
  for (const double period : periods)
    for (const char* function : {"cos ", "sin "}) parameters.push_back({function + number(period) + " yr", ""});
  return parameters;
}

Lowering step(const TimeAxis& axis, const std::vector<std::string>& steps) {
  expect_some("Step", steps.size(), "date");
  std::vector<Values> functions;
  std::set<double> known;  // number of dates after each step
  for (const auto& date : steps) {
    const double at = axis.years(date);
    if (!(at >= axis.years().front() && at < axis.years().back()))
      throw InvalidArgument("Step: expected a date with acquisitions before and after it, got " + date + " for " + range(axis) +
                            "; such a step cannot be told from a constant");
    functions.push_back(at_dates(axis, [&](double t) { return t > at ? 1.0 : 0.0; }));
    double after = 0;
    for (const double g : functions.back()) after += g;
    if (!known.insert(after).second)
      throw InvalidArgument("Step: expected acquisitions between any two steps, got none between " + date + " and another; keep one of them");
  }
  return matrix_of(axis, functions);
}

std::vector<Parameter> named(const char* function, const std::vector<std::string>& dates, const char* unit) {
  std::vector<Parameter> parameters;
  for (const auto& date : dates) parameters.push_back({function + normalized_date(date), unit});
  return parameters;
}

// g(u), u = time since the onset in characteristic times.
template <class Function>
Lowering relaxation(const char* model, const TimeAxis& axis, const std::string& onset, double days, Function g) {
  const double at = axis.years(onset), tau = days / 365.25;
  if (!(at < axis.years().back()))
    throw InvalidArgument(std::string(model) + ": expected an onset before the last date, got " + onset + " for " + range(axis));
  if (!(days > 0) || !std::isfinite(days))
    throw InvalidArgument(std::string(model) + ": expected a positive characteristic time in days, got " + number(days));
  return matrix_of(axis, {at_dates(axis, [&](double t) { return t > at ? g((t - at) / tau) : 0.0; })});
}

std::vector<Parameter> relaxation_name(const char* function, const std::string& onset, double days) {
  return {{function + normalized_date(onset) + " " + number(days) + " d", ""}};
}

Lowering polyline(const TimeAxis& axis, const std::vector<std::string>& breakpoints) {
  expect_some("Polyline", breakpoints.size(), "breakpoint");
  std::vector<Values> functions;
  std::set<double> known;
  for (const auto& date : breakpoints) {
    const double at = axis.years(date);
    if (!(at > axis.years().front() && at < axis.years().back()))
      throw InvalidArgument("Polyline: expected a breakpoint between the first and the last date, got " + date + " for " + range(axis));
    if (!known.insert(at).second) throw InvalidArgument("Polyline: expected each breakpoint once, got " + date + " twice");
    functions.push_back(at_dates(axis, [&](double t) { return t > at ? t - at : 0.0; }));
  }
  return matrix_of(axis, functions);
}

}  // namespace

Polynomial::Polynomial(const TimeAxis& axis, int degree) : Pattern(polynomial(axis, degree), "Polynomial", polynomial_names(axis, degree)) {}

Seasonal::Seasonal(const TimeAxis& axis, const std::vector<double>& periods)
    : Pattern(seasonal(axis, periods), "Seasonal", seasonal_names(periods)) {}

Step::Step(const TimeAxis& axis, const std::vector<std::string>& steps) : Pattern(step(axis, steps), "Step", named("step ", steps, "")) {}

Exponential::Exponential(const TimeAxis& axis, const std::string& onset, double characteristic_time)
    : Pattern(relaxation("Exponential", axis, onset, characteristic_time, [](double u) { return -std::expm1(-u); }), "Exponential",
              relaxation_name("exp ", onset, characteristic_time)) {}

Logarithm::Logarithm(const TimeAxis& axis, const std::string& onset, double characteristic_time)
    : Pattern(relaxation("Logarithm", axis, onset, characteristic_time, [](double u) { return std::log1p(u); }), "Logarithm",
              relaxation_name("log ", onset, characteristic_time)) {}

Polyline::Polyline(const TimeAxis& axis, const std::vector<std::string>& breakpoints)
    : Pattern(polyline(axis, breakpoints), "Polyline", named("velocity change ", breakpoints, "1/year")) {}

}  // namespace lopsar
