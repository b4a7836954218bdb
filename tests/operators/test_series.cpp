// Operators on series: TimeDifference, CumulativeSum, Datum.
#include <Eigen/Dense>

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/cumulative_sum.hpp>
#include <lopsar/operators/datum.hpp>
#include <lopsar/operators/difference.hpp>
#include <lopsar/operators/error.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using lopsar::CumulativeSum;
using lopsar::Datum;
using lopsar::Increment;
using lopsar::InvalidArgument;
using lopsar::TimeAxis;
using lopsar::TimeDifference;

namespace {

const std::vector<double> days = {0, 12, 24, 60, 61.5, 96, 400};
const long D = 7;

TimeAxis axis(int reference) {
  std::vector<std::string> dates;
  for (const double d : days) dates.push_back(date_text(d));
  return reference < 0 ? TimeAxis(dates) : TimeAxis(dates, static_cast<std::size_t>(reference));
}
double years(long from, long to) { return (days[static_cast<std::size_t>(to)] - days[static_cast<std::size_t>(from)]) / 365.25; }

// (D, unknowns): all dates from the values of a series, the reference date zero.
Eigen::MatrixXd all_dates(int reference) {
  Eigen::MatrixXd E = Eigen::MatrixXd::Identity(D, D);
  if (reference < 0) return E;
  Eigen::MatrixXd without(D, D - 1);
  without << E.leftCols(reference), E.rightCols(D - 1 - reference);
  return without;
}

Eigen::MatrixXd dense(const lopsar::Operator& op) {
  const auto values = todense(op);
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(values.data(), static_cast<long>(op.shape().rows),
                                                                                                  static_cast<long>(op.shape().columns));
}

// A tile in the cache and one that is streamed to memory have the same bits.
template <class T>
void same_in_the_cache(const lopsar::Pixelwise& op) {
  for (const bool adjoint : {false, true}) {
    const auto x = suite::random_grid<T>(adjoint ? op.shape().rows : op.shape().columns, 83, 1, 2, 1);
    Grid<T> cached(adjoint ? op.shape().columns : op.shape().rows, 83, 3, 2), streamed = cached;
    for (auto* y : {&cached, &streamed}) {
      const lopsar::Tile tile{0, y == &streamed};
      if (adjoint) op.adjoint_tile(x.view(), y->block(), tile);
      else op.forward_tile(x.view(), y->block(), tile);
    }
    CHECK(cached.values == streamed.values);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("TimeDifference passes the operator suite", "[operators][difference]", float, double) {
  for (const int reference : {-1, 0, 3, 6}) {
    Eigen::MatrixXd first = Eigen::MatrixXd::Zero(D - 1, D), second = Eigen::MatrixXd::Zero(D - 2, D);
    for (long j = 1; j < D; ++j) {
      first(j - 1, j) = 1 / years(j - 1, j);
      first(j - 1, j - 1) = -1 / years(j - 1, j);
    }
    for (long j = 1; j + 1 < D; ++j) {
      // The second derivative of the parabola through three points, by Lagrange.
      second(j - 1, j - 1) = 2 / (years(j, j - 1) * years(j + 1, j - 1));
      second(j - 1, j) = 2 / (years(j - 1, j) * years(j + 1, j));
      second(j - 1, j + 1) = 2 / (years(j - 1, j + 1) * years(j, j + 1));
    }
    const auto E = all_dates(reference);
    // Years are differences of years: they lose up to days.back() / 1.5 of the precision.
    const double lost = 4 * days.back() / 1.5;
    suite::all<TestType>(TimeDifference(axis(reference)), first * E, (first * E).cwiseAbs() * lost, D);
    suite::all<TestType>(TimeDifference(axis(reference), 2), second * E, (second * E).cwiseAbs() * lost, D);
  }
}

TEST_CASE("TimeDifference finds velocity and acceleration on uneven dates", "[operators][difference]") {
  for (const int reference : {-1, 0, 4}) {
    const auto op = axis(reference);
    Eigen::VectorXd x(D);
    for (long d = 0; d < D; ++d) x(d) = 3 * years(0, d) + 0.5 * 8 * years(0, d) * years(0, d);
    if (reference >= 0) x.array() -= x(reference);
    const Eigen::VectorXd unknowns = all_dates(reference).transpose() * x;
    const Eigen::VectorXd velocity = dense(TimeDifference(op, 1)) * unknowns, acceleration = dense(TimeDifference(op, 2)) * unknowns;
    for (long j = 1; j < D; ++j) CHECK(velocity(j - 1) == Approx(3 + 8 * (years(0, j) + years(0, j - 1)) / 2).epsilon(1e-11));
    for (long j = 0; j < D - 2; ++j) CHECK(acceleration(j) == Approx(8).epsilon(1e-9));
  }
}

TEMPLATE_TEST_CASE("CumulativeSum passes the operator suite", "[operators][cumulative_sum]", float, double) {
  for (const int reference : {-1, 0, 3, 6})
    for (const auto increment : {Increment::change, Increment::rate}) {
      DYNAMIC_SECTION("reference " << reference << (increment == Increment::rate ? ", rates" : ", changes")) {
        Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(D, D - 1);
        for (long i = 0; i < D; ++i)
          for (long j = 1; j < D; ++j) {
            const double c = increment == Increment::rate ? years(j - 1, j) : 1;
            const long r = std::max(reference, 0);
            if (j <= i && j > r) sum(i, j - 1) = c;
            if (j > i && j <= r) sum(i, j - 1) = -c;
          }
        const Eigen::MatrixXd matrix = all_dates(reference).transpose() * sum;
        const CumulativeSum op(axis(reference), increment);
        // The length of an interval is a difference of years.
        suite::all<TestType>(op, matrix, matrix.cwiseAbs() * (increment == Increment::rate ? days.back() / 1.5 : 1), D);
        same_in_the_cache<TestType>(op);
        CHECK(op.parameters().front() == lopsar::Parameter{date_text(0) + "_" + date_text(12), increment == Increment::rate ? "1/year" : ""});
      }
    }
}

TEST_CASE("CumulativeSum of rates is undone by TimeDifference", "[operators][cumulative_sum]") {
  for (const int reference : {-1, 0, 2, 6}) {
    const lopsar::LinearOperator product = TimeDifference(axis(reference)) * CumulativeSum(axis(reference), Increment::rate);
    CHECK((dense(product) - Eigen::MatrixXd::Identity(D - 1, D - 1)).cwiseAbs().maxCoeff() < 1e-12);
  }
}

TEMPLATE_TEST_CASE("A network of rates is the design matrix of SBAS", "[operators][cumulative_sum]", float, double) {
  Graph g{days, {{0, 1}, {0, 2}, {2, 1}, {1, 4}, {3, 5}, {6, 4}, {5, 6}}};
  for (const int reference : {0, 3}) {
    const auto network = g.network(reference);
    Eigen::MatrixXd B = Eigen::MatrixXd::Zero(static_cast<long>(g.pairs.size()), D - 1), magnitude = B;
    for (long k = 0; k < B.rows(); ++k) {
      const auto [first, second] = g.pairs[static_cast<std::size_t>(k)];
      for (long j = std::min(first, second) + 1; j <= std::max(first, second); ++j) B(k, j - 1) = (first < second ? 1 : -1) * years(j - 1, j);
      for (long j = 1; j < D; ++j) magnitude(k, j - 1) = 2 * years(j - 1, j) * days.back() / 1.5;  // both dates from the reference date
    }
    suite::all<TestType>(network * CumulativeSum(network, Increment::rate), B, magnitude, 2 * D);
  }
}

TEMPLATE_TEST_CASE("Datum passes the operator suite", "[operators][datum]", float, double) {
  struct Choice {
    std::vector<double> days, weights;
  };
  const std::vector<Choice> choices = {{{}, {}}, {{24}, {}}, {{60}, {}}, {{96, 0, 60}, {}}, {{0, 12, 60}, {0.5, 0, 2}}, {{}, {1, 2, 3, 4, 5, 6, 7}}};
  for (const int reference : {-1, 0, 3})
    for (const auto& choice : choices) {
      std::vector<std::string> dates;
      for (const double d : choice.days) dates.push_back(date_text(d));
      Eigen::RowVectorXd w = Eigen::RowVectorXd::Zero(D);
      const auto chosen = choice.days.empty() ? days : choice.days;
      for (std::size_t k = 0; k < chosen.size(); ++k)
        w(std::find(days.begin(), days.end(), chosen[k]) - days.begin()) = choice.weights.empty() ? 1 : choice.weights[k];
      w /= w.sum();
      const Eigen::MatrixXd I = Eigen::MatrixXd::Identity(D, D), E = all_dates(reference);
      const Eigen::MatrixXd mean = Eigen::VectorXd::Ones(D) * w;
      const Datum op(axis(reference), dates, choice.weights);
      suite::all<TestType>(op, (I - mean) * E, (I + mean) * E, D + 1);
      same_in_the_cache<TestType>(op);
      CHECK(op.parameters().size() == op.shape().columns);
    }
}

TEST_CASE("Datum moves a series to another reference date", "[operators][datum]") {
  const Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(D - 1, 1, 6);  // dates 0 1 2 4 5 6, relative to date 3
  const Eigen::VectorXd y = dense(Datum(axis(3), {date_text(12)})) * x;
  CHECK(y == (Eigen::VectorXd(D) << -1, 0, 1, -2, 2, 3, 4).finished());
  const Eigen::VectorXd same = dense(Datum(axis(3), {date_text(60)})) * x;
  CHECK(same == (Eigen::VectorXd(D) << 1, 2, 3, 0, 4, 5, 6).finished());
  CHECK(std::abs((dense(Datum(axis(3))) * x).sum()) < 1e-14);
}

TEST_CASE("Datum keeps a NaN to the dates that it touches", "[operators][datum]") {
  const Datum op(axis(-1), {date_text(12)});
  auto x = suite::random_grid<double>(7, 3, 1);
  x.at(4, 1) = std::nan("");
  const auto y = suite::apply(op, x, false), z = suite::apply(op, x, true);
  for (std::size_t d = 0; d < 7; ++d) {
    CHECK(std::isnan(y.at(d, 1)) == (d == 4));            // the date itself
    CHECK(std::isnan(z.at(d, 1)) == (d == 4 || d == 1));  // and, in the adjoint, the date that collects all
  }
}

TEST_CASE("Operators on series say what does not fit", "[operators][datum][difference][cumulative_sum]") {
  const TimeAxis one({"20170304"}), two({"20170304", "20170316"});
  CHECK_THROWS_WITH(TimeDifference(one), ContainsSubstring("at least 2 dates"));
  CHECK_THROWS_WITH(TimeDifference(two, 2), ContainsSubstring("at least 3 dates"));
  CHECK_THROWS_WITH(TimeDifference(two, 3), ContainsSubstring("order 1 or 2, got 3"));
  CHECK_THROWS_AS(CumulativeSum(one), InvalidArgument);
  CHECK_THROWS_WITH(Datum(two, {"20170305"}), ContainsSubstring("20170305"));
  CHECK_THROWS_WITH(Datum(two, {"20170304", "2017-03-04"}), ContainsSubstring("twice"));
  CHECK_THROWS_AS(Datum(two, {}, {1, 2, 3}), lopsar::ShapeError);
  CHECK_THROWS_AS(Datum(two, {}, {1, -1}), InvalidArgument);
  CHECK_THROWS_AS(Datum(two, {}, {1, std::nan("")}), InvalidArgument);
  CHECK_THROWS_WITH(Datum(two, {}, {0, 0}), ContainsSubstring("at least one positive weight"));
}
