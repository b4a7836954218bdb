#include <numbers>

#include <Eigen/Dense>

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/dem_error.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/time_model.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using lopsar::DemError;
using lopsar::Field;
using lopsar::Geometry;
using lopsar::InvalidArgument;
using lopsar::ShapeError;
using lopsar::TimeAxis;

namespace {

constexpr std::size_t pixels = 603;
const std::vector<std::string> dates = {"20170304", "20170316", "20170328", "20170409", "20170503"};
const std::vector<double> baselines = {12.5, -40, 0, 133.25, 61};

template <class T>
std::vector<T> random_values(std::size_t n, double low, double high, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<T> values(n);
  for (auto& v : values) v = static_cast<T>(uniform(random));
  return values;
}
double factor(double range, double incidence) { return 1 / (range * std::sin(incidence * std::numbers::pi / 180)); }

// One column per pixel; |b| + |b_ref| bounds the rounding of the difference.
Eigen::MatrixXd column(int reference, double f, bool magnitude, const std::vector<double>& b) {
  Eigen::MatrixXd m(static_cast<long>(b.size()) - (reference < 0 ? 0 : 1), 1);
  long row = 0;
  for (std::size_t d = 0; d < b.size(); ++d) {
    if (static_cast<int>(d) == reference) continue;
    const double there = reference < 0 ? 0 : b[static_cast<std::size_t>(reference)];
    m(row++, 0) = f * (magnitude ? std::abs(b[d]) + std::abs(there) : b[d] - there);
  }
  return m;
}
TimeAxis axis(int reference) { return reference < 0 ? TimeAxis(dates) : TimeAxis(dates, static_cast<std::size_t>(reference)); }

}  // namespace

TEMPLATE_TEST_CASE("DemError with one geometry passes the operator suite", "[operators][dem_error]", float, double) {
  for (const int reference : {-1, 0, 2, 4}) {
    const DemError op(axis(reference), baselines, {850e3, 39.0});
    const double f = factor(850e3, 39);
    suite::all<TestType>(op, column(reference, f, false, baselines), column(reference, f, true, baselines), 5);
    CHECK(op.parameters() == std::vector<lopsar::Parameter>{{"DEM error", ""}});
  }
}

TEMPLATE_TEST_CASE("DemError with geometry per pixel", "[operators][dem_error]", float, double) {
  const auto range = random_values<double>(pixels, 7e5, 9e5, 1), incidence = random_values<double>(pixels, 20, 50, 2);
  const auto per_date = random_values<double>(pixels * dates.size(), -150, 150, 3);
  const Field R(range, 1, pixels), inc(incidence, 1, pixels), b(per_date, dates.size(), pixels);
  const auto at = [&](std::size_t p) {
    std::vector<double> values;
    for (std::size_t d = 0; d < dates.size(); ++d) values.push_back(per_date[d * pixels + p]);
    return values;
  };
  for (const int reference : {-1, 0, 2}) {
    const auto check = [&](const DemError& op, auto geometry, auto of_pixel) {
      suite::equals_matrices<TestType>(
          op, [&](std::size_t p) { return column(reference, geometry(p), false, of_pixel(p)); },
          [&](std::size_t p) { return column(reference, geometry(p), true, of_pixel(p)); }, 6);
    };
    const auto shared = [](std::size_t) { return baselines; };
    check(
        DemError(axis(reference), baselines, {R, inc}), [&](std::size_t p) { return factor(range[p], incidence[p]); }, shared);
    check(
        DemError(axis(reference), baselines, {850e3, inc}), [&](std::size_t p) { return factor(850e3, incidence[p]); }, shared);
    check(
        DemError(axis(reference), baselines, {R, 39.0}), [&](std::size_t p) { return factor(range[p], 39); }, shared);
    check(
        DemError(axis(reference), b, {850e3, 39.0}), [&](std::size_t) { return factor(850e3, 39); }, at);
    check(
        DemError(axis(reference), b, {R, inc}), [&](std::size_t p) { return factor(range[p], incidence[p]); }, at);
  }
}

TEST_CASE("DemError keeps float geometry in float", "[operators][dem_error]") {
  const auto range = random_values<float>(pixels, 7e5, 9e5, 1), incidence = random_values<float>(pixels, 20, 50, 2);
  const DemError op(axis(0), baselines, {Field(range, 1, pixels), Field(incidence, 1, pixels)});
  const auto matrix = op.lower();
  REQUIRE(matrix.fields.size() == 1);
  const auto* field = matrix.fields[0].as<float>();
  REQUIRE(field != nullptr);
  for (std::size_t p = 0; p < pixels; ++p) {
    const double exact = factor(range[p], incidence[p]);
    REQUIRE(std::abs(static_cast<double>(field->row(0)[p]) - exact) <= 0.51 * std::numeric_limits<float>::epsilon() * exact);
  }
}

TEST_CASE("DemError is NaN where the geometry makes no sense", "[operators][dem_error]") {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const std::vector<double> range = {8e5, nan, 0, -8e5, inf, 8e5, 8e5, 8e5, 8e5}, incidence = {39, 39, 39, 39, 39, nan, 0, -39, 180};
  const DemError op(axis(1), baselines, {Field(range, 1, range.size()), Field(incidence, 1, range.size())});
  const auto y = suite::apply(op, suite::random_grid<float>(1, range.size(), 1), false);
  const auto x = suite::apply(op, suite::random_grid<float>(4, range.size(), 1), true);
  for (std::size_t p = 0; p < range.size(); ++p) {
    CHECK(std::isnan(x.at(0, p)) == (p > 0));
    for (std::size_t d = 0; d < 4; ++d) CHECK(std::isnan(y.at(d, p)) == (p > 0));
  }
}

TEST_CASE("A joint model is written as on paper", "[operators][dem_error]") {
  const lopsar::Network network({{dates[0], dates[1]}, {dates[1], dates[2]}, {dates[2], dates[3]}, {dates[3], dates[4]}, {dates[0], dates[4]}},
                                dates[2]);
  const Geometry geometry{850e3, 39.0};
  const double phase_per_meter = -4 * std::numbers::pi / 0.0554658;
  const auto model = network * (phase_per_meter * lopsar::hstack(lopsar::Polynomial(network, 1), DemError(network, baselines, geometry)));
  CHECK(model.shape() == lopsar::Shape{5, 2});
  CHECK(model.pixelwise());
  CHECK(model.parameters() == std::vector<lopsar::Parameter>{{"velocity", "1/year"}, {"DEM error", ""}});
  const auto matrix = todense(model);
  const std::vector<double> spans = {12, 12, 12, 24, 60};
  for (std::size_t k = 0; k < 5; ++k) {
    const auto [first, second] = network.pairs()[k];
    CHECK(matrix[2 * k] == Approx(phase_per_meter * spans[k] / 365.25).epsilon(1e-13));
    CHECK(matrix[2 * k + 1] == Approx(phase_per_meter * (baselines[second] - baselines[first]) * factor(850e3, 39)).epsilon(1e-13));
  }
}

TEST_CASE("DemError says what does not fit", "[operators][dem_error]") {
  const Field R(std::vector<double>(7, 8e5), 1, 7), inc(std::vector<double>(8, 39), 1, 8), tall(std::vector<double>(14, 8e5), 2, 7);
  CHECK_THROWS_WITH(DemError(axis(0), std::vector<double>(4, 1.0), {8e5, 39.0}), ContainsSubstring("one baseline per date, 5, got 4"));
  CHECK_THROWS_WITH(DemError(axis(0), tall, {8e5, 39.0}), ContainsSubstring("one baseline per date, 5, got 2"));
  CHECK_THROWS_WITH(DemError(axis(0), std::vector<double>{1, 2, std::nan(""), 4, 5}, {8e5, 39.0}), ContainsSubstring("20170328"));
  CHECK_THROWS_WITH(DemError(axis(0), baselines, {0.0, 39.0}), ContainsSubstring("slant range"));
  CHECK_THROWS_WITH(DemError(axis(0), baselines, {8e5, 180.0}), ContainsSubstring("incidence"));
  CHECK_THROWS_WITH(DemError(axis(0), baselines, {R, std::nan("")}), ContainsSubstring("incidence"));
  CHECK_THROWS_AS(DemError(axis(0), baselines, {R, inc}), ShapeError);
  CHECK_THROWS_AS(DemError(axis(0), baselines, {tall, 39.0}), ShapeError);
  CHECK_THROWS_AS(DemError(axis(0), Field(std::vector<double>(40, 1), 5, 8), {R, 39.0}), ShapeError);
}
