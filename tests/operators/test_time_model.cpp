#include <functional>
#include <memory>
#include <numbers>

#include <Eigen/Dense>

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/time_model.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using lopsar::InvalidArgument;
using lopsar::TimeAxis;
using lopsar::TimeConvention;

namespace {

using Real = long double;
// A function of the days since the first date, and how much a relative error of these days (and of the times in it) changes the value.
struct Function {
  std::function<Real(Real)> value, sensitivity;
};

struct Case {
  std::string name;
  std::function<lopsar::LinearOperator(const TimeAxis&)> make;
  std::vector<Function> functions;
  std::vector<lopsar::Parameter> parameters;
};

const std::vector<double> days = {0, 12, 24, 60, 61.5, 96, 400, 1412};

Function wave(Real period, bool sine) {
  const Real rate = 2 * std::numbers::pi_v<Real> / period / 365.25L;
  return {[=](Real d) { return sine ? std::sin(rate * d) : std::cos(rate * d); }, [=](Real d) { return 3 * rate * d; }};
}
Function step(Real at) {
  return {[=](Real d) { return d > at ? 1.0L : 0.0L; }, [](Real) { return 0.0L; }};
}

std::vector<Case> cases() {
  const auto power = [](int k, Real factorial) {
    return Function{[=](Real d) { return std::pow(d / 365.25L, Real(k)) / factorial; },
                    [=](Real d) { return 2 * k * std::pow(d / 365.25L, Real(k)) / factorial; }};
  };
  std::vector<Case> all;
  all.push_back({"velocity",
                 [](const TimeAxis& a) { return lopsar::Polynomial(a, 1); },
                 {power(0, 1), power(1, 1)},
                 {{"intercept", ""}, {"velocity", "1/year"}}});
  all.push_back({"cubic",
                 [](const TimeAxis& a) { return lopsar::Polynomial(a, 3); },
                 {power(0, 1), power(1, 1), power(2, 2), power(3, 6)},
                 {{"intercept", ""}, {"velocity", "1/year"}, {"acceleration", "1/year^2"}, {"poly3", "1/year^3"}}});
  all.push_back({"seasonal",
                 [](const TimeAxis& a) {
                   return lopsar::Seasonal(a, {1.0, 0.5});
                 },
                 {wave(1, false), wave(1, true), wave(0.5L, false), wave(0.5L, true)},
                 {{"cos 1 yr", ""}, {"sin 1 yr", ""}, {"cos 0.5 yr", ""}, {"sin 0.5 yr", ""}}});
  // At a date, between dates, and at the first date: only what comes after is raised.
  all.push_back({"steps",
                 [](const TimeAxis& a) {
                   return lopsar::Step(a, {date_text(24), date_text(70), date_text(0)});
                 },
                 {step(24), step(70), step(0)},
                 {{"step " + date_text(24), ""}, {"step " + date_text(70), ""}, {"step " + date_text(0), ""}}});
  const Real onset = 30;
  all.push_back({"exponential",
                 [](const TimeAxis& a) { return lopsar::Exponential(a, date_text(30), 45.5); },
                 {{[=](Real d) { return d > onset ? 1 - std::exp(-(d - onset) / 45.5L) : 0; },
                   [=](Real d) { return d > onset ? 3 * (d + onset) / 45.5L * std::exp(-(d - onset) / 45.5L) : 0; }}},
                 {{"exp " + date_text(30) + " 45.5 d", ""}}});
  all.push_back({"logarithm, onset before the first date",
                 [](const TimeAxis& a) { return lopsar::Logarithm(a, date_text(-20), 10); },
                 {{[](Real d) { return std::log(1 + (d + 20) / 10); }, [](Real d) { return 3 * (d + 20) / (d + 30); }}},
                 {{"log " + date_text(-20) + " 10 d", ""}}});
  all.push_back({"polyline",
                 [](const TimeAxis& a) {
                   return lopsar::Polyline(a, {date_text(50), date_text(400)});
                 },
                 {{[](Real d) { return d > 50 ? (d - 50) / 365.25L : 0; }, [](Real d) { return 2 * (d + 50) / 365.25L; }},
                  {[](Real d) { return d > 400 ? (d - 400) / 365.25L : 0; }, [](Real d) { return 2 * (d + 400) / 365.25L; }}},
                 {{"velocity change " + date_text(50), "1/year"}, {"velocity change " + date_text(400), "1/year"}}});
  return all;
}

Graph chain() {
  Graph g{days, {}};
  for (int i = 1; i < g.dates(); ++i) g.pairs.emplace_back(i - 1, i);
  g.pairs.emplace_back(0, 5);
  return g;
}
std::vector<std::string> names() {
  std::vector<std::string> text;
  for (const double d : days) text.push_back(date_text(d));
  return text;
}

}  // namespace

TEMPLATE_TEST_CASE("Time models pass the operator suite", "[operators][time_model]", float, double) {
  for (const auto& c : cases())
    for (const int reference : {-1, 0, 3, 7}) {
      DYNAMIC_SECTION(c.name << ", reference " << reference) {
        const auto op = c.make(reference < 0 ? TimeAxis(names()) : TimeAxis(chain().network(reference)));
        const std::size_t from = c.name == "velocity" || c.name == "cubic" ? (reference < 0 ? 0 : 1) : 0;
        const auto columns = static_cast<long>(c.functions.size() - from);
        Eigen::MatrixXd matrix(static_cast<long>(days.size()) - (reference < 0 ? 0 : 1), columns), magnitude(matrix.rows(), columns);
        long row = 0;
        for (std::size_t d = 0; d < days.size(); ++d) {
          if (static_cast<int>(d) == reference) continue;
          for (long k = 0; k < columns; ++k) {
            const auto& f = c.functions[static_cast<std::size_t>(k) + from];
            const Real there = reference < 0 ? 0 : f.value(Real(days[static_cast<std::size_t>(reference)]));
            const Real here = f.value(Real(days[d]));
            matrix(row, k) = static_cast<double>(here - there);
            magnitude(row, k) = static_cast<double>(std::abs(here) + std::abs(there) + f.sensitivity(Real(days[d])) +
                                                    (reference < 0 ? 0 : f.sensitivity(Real(days[static_cast<std::size_t>(reference)]))));
          }
          ++row;
        }
        suite::all<TestType>(op, matrix, magnitude, static_cast<double>(matrix.rows()));
        CHECK(op.parameters() == std::vector(c.parameters.begin() + static_cast<long>(from), c.parameters.end()));
        // Dates with a reference are the same as a network of them.
        if (reference >= 0) CHECK(todense(op) == todense(c.make(TimeAxis(names(), static_cast<std::size_t>(reference)))));
      }
    }
}

TEST_CASE("Years of the calendar stretch and shrink the night to January", "[operators][time_axis]") {
  const std::vector<std::string> dates = {"20161231", "20170101", "20171231", "20180101T1200"};
  const auto calendar = TimeAxis(dates, {}, TimeConvention::mintpy).years();
  const auto elapsed = TimeAxis(dates).years();
  const double year = 365.25;
  CHECK(elapsed == std::vector<double>{0, 1 / year, 365 / year, 366.5 / year});
  // The difference of two numbers near 2000 keeps 2000 eps.
  const std::vector<double> expected = {0, 0.25 / year, 364.25 / year, (365.25 + 0.5) / year + 0.25 / year};
  for (std::size_t d = 0; d < dates.size(); ++d) CHECK(std::abs(calendar[d] - expected[d]) <= 2020 * std::numeric_limits<double>::epsilon());
}

TEST_CASE("A velocity under a network is the rate of every pair", "[operators][time_model]") {
  const auto network = chain().network(3);
  const lopsar::LinearOperator model = network * lopsar::Polynomial(network, 1);
  const auto matrix = todense(model);
  for (std::size_t k = 0; k < network.pairs().size(); ++k) {
    const double span = days[network.pairs()[k].second] - days[network.pairs()[k].first];
    CHECK(std::abs(matrix[k] - span / 365.25) <= 4 * std::numeric_limits<double>::epsilon() * days.back() / 365.25);
  }
}

TEST_CASE("Time models say what does not make sense", "[operators][time_model]") {
  const TimeAxis series(names()), relative(names(), 0);
  CHECK_THROWS_WITH(TimeAxis(std::vector<std::string>{}), ContainsSubstring("at least one"));
  CHECK_THROWS_WITH(TimeAxis({"20170304", "20170303"}), ContainsSubstring("got 20170303 after 20170304"));
  CHECK_THROWS_WITH(TimeAxis({"20170304", "20170304T0000"}), ContainsSubstring("strictly increasing"));
  CHECK_THROWS_WITH(TimeAxis({"20170304", "2017030"}), ContainsSubstring("2017030"));
  CHECK_THROWS_WITH(TimeAxis(names(), 8), ContainsSubstring("below the 8 dates, got 8"));

  CHECK_NOTHROW(lopsar::Polynomial(series, 0));
  CHECK_THROWS_WITH(lopsar::Polynomial(series, -1), ContainsSubstring("degree of 0 or more, got -1"));
  CHECK_THROWS_WITH(lopsar::Polynomial(relative, 0), ContainsSubstring("degree of 1 or more, got 0"));

  CHECK_THROWS_WITH(lopsar::Seasonal(series, {}), ContainsSubstring("at least one period"));
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK_THROWS_AS(lopsar::Seasonal(series, {1.0, bad}), InvalidArgument);
  CHECK_THROWS_WITH(lopsar::Seasonal(series, {1.0, 0.5, 1.0}), ContainsSubstring("1 years twice"));

  CHECK_THROWS_WITH(lopsar::Step(series, {}), ContainsSubstring("at least one date"));
  CHECK_THROWS_WITH(lopsar::Step(series, {date_text(-1)}), ContainsSubstring("before and after"));
  CHECK_THROWS_WITH(lopsar::Step(series, {date_text(1412)}), ContainsSubstring("before and after"));
  CHECK_THROWS_WITH(lopsar::Step(series, {date_text(30), date_text(50)}), ContainsSubstring("none between"));
  CHECK_THROWS_WITH(lopsar::Step(series, {"yesterday"}), ContainsSubstring("yesterday"));

  CHECK_THROWS_WITH(lopsar::Exponential(series, date_text(1412), 10), ContainsSubstring("before the last date"));
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_WITH(lopsar::Exponential(series, date_text(30), bad), ContainsSubstring("positive characteristic time"));
    CHECK_THROWS_WITH(lopsar::Logarithm(series, date_text(30), bad), ContainsSubstring("positive characteristic time"));
  }

  CHECK_THROWS_WITH(lopsar::Polyline(series, {}), ContainsSubstring("at least one breakpoint"));
  CHECK_THROWS_WITH(lopsar::Polyline(series, {date_text(0)}), ContainsSubstring("between the first and the last date"));
  CHECK_THROWS_WITH(lopsar::Polyline(series, {date_text(1412)}), ContainsSubstring("between the first and the last date"));
  CHECK_THROWS_WITH(lopsar::Polyline(series, {date_text(50), date_text(50)}), ContainsSubstring("twice"));
}
