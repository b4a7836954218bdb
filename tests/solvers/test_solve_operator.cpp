// A solver as an operator, and what a model cannot tell apart.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

#include <Eigen/Dense>

#include <lopsar/lopsar.hpp>

#include "../support/catch.hpp"

using namespace lopsar;

namespace {

Network network() {
  return Network({{"20200101", "20200113"}, {"20200101", "20200125"}, {"20200113", "20200125"}, {"20200125", "20200206"}, {"20200113", "20200206"}});
}

std::vector<double> numbers(std::size_t n, unsigned seed, double low, double high) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<double> v(n);
  for (double& x : v) x = uniform(random);
  return v;
}

Eigen::MatrixXd dense(const Operator& op) {
  const auto [rows, columns] = op.shape();
  const auto values = todense(op);
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(values.data(), static_cast<Eigen::Index>(rows),
                                                                                                  static_cast<Eigen::Index>(columns));
}

double inner(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEST_CASE("one pixel: the matrices are (A'WA + R'R + damp^2)^-1 and that times A'W", "[solve_operator]") {
  const Network a = network();
  const auto w = numbers(5, 0, 0.5, 2);
  SolveOperatorOptions options;
  options.weights = Field(w, 5, 1);
  options.priors.push_back({TimeDifference(a, 1), {}});
  options.damp = 0.3;
  const Solve solve(a, options);
  const Eigen::MatrixXd A = dense(a), R = dense(TimeDifference(a, 1)), W = Eigen::Map<const Eigen::VectorXd>(w.data(), 5).asDiagonal();
  const Eigen::MatrixXd inverse = (A.transpose() * W * A + R.transpose() * R + 0.09 * Eigen::MatrixXd::Identity(3, 3)).inverse();
  CHECK((dense(solve.normal()) - inverse).norm() < 1e-12 * inverse.norm());
  CHECK((dense(solve) - inverse * A.transpose() * W).norm() < 1e-12);
}

TEST_CASE("composed solves apply without a matrix, and forward and adjoint belong together", "[solve_operator]") {
  const Network a = network();
  const std::size_t pixels = 131;
  auto w = numbers(5 * pixels, 1, 0.1, 3);
  for (std::size_t k = 3; k < 5; ++k) w[k * pixels + 7] = 0;  // the last date of pixel 7 hangs on nothing
  SolveOperatorOptions options;
  options.weights = Field(w, 5, pixels);
  const LinearOperator solve = Solve(a, options), normal = NormalSolve(a, options);
  for (const LinearOperator& op :
       {solve, normal, a * solve, solve * a, vstack(solve, 2 * solve), hstack(normal, solve), kronecker(a, solve), normal.power(2)}) {
    INFO(describe(op));
    REQUIRE(op.pixelwise());
    REQUIRE(op.pixels() == pixels);
    CHECK_THROWS_AS(op.lower(), InvalidArgument);
    const auto [rows, columns] = op.shape();
    const auto x = numbers(columns * pixels, 2, -1, 1), y = numbers(rows * pixels, 3, -1, 1);
    std::vector<double> ax(rows * pixels), aty(columns * pixels);
    op.apply({x.data(), columns, pixels}, {ax.data(), rows, pixels});
    op.apply_adjoint({y.data(), rows, pixels}, {aty.data(), columns, pixels});
    const double scale = std::sqrt(inner(ax, ax) * inner(y, y)) + std::sqrt(inner(x, x) * inner(aty, aty));
    CHECK(std::abs(inner(ax, y) - inner(x, aty)) <= 1e-13 * std::sqrt(double(rows * pixels)) * scale);
  }
}

TEST_CASE("bad input stays visible: NaN where data are not finite, 0 only where nothing determines an unknown", "[solve_operator]") {
  const Network a = network();
  const std::size_t pixels = 70;
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  auto w = numbers(5 * pixels, 5, 0.5, 2);
  for (std::size_t k = 3; k < 5; ++k) w[k * pixels + 7] = 0;  // the last date of pixel 7 hangs on nothing
  SolveOperatorOptions options;
  options.weights = Field(w, 5, pixels);
  const Solve solve(a, options);
  const NormalSolve normal(a, options);
  auto y = numbers(5 * pixels, 6, -1, 1), b = numbers(3 * pixels, 7, -1, 1);
  const std::size_t bad[] = {3, 7, 65};
  y[0 * pixels + 3] = inf, y[1 * pixels + 7] = -inf, y[2 * pixels + 20] = nan;
  b[0 * pixels + 3] = inf, b[2 * pixels + 7] = nan, b[1 * pixels + 65] = nan;
  std::vector<double> x(3 * pixels), z(3 * pixels), t(5 * pixels);
  LinearOperator(solve).apply({y.data(), 5, pixels}, {x.data(), 3, pixels});
  LinearOperator(normal).apply({b.data(), 3, pixels}, {z.data(), 3, pixels});
  LinearOperator(solve).apply_adjoint({b.data(), 3, pixels}, {t.data(), 5, pixels});
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t i = 0; i < 3; ++i) {
      INFO(p << ' ' << i);
      CHECK(std::isnan(x[i * pixels + p]) == (p == 3 || p == 7));
      CHECK(std::isnan(z[i * pixels + p]) == (std::find(std::begin(bad), std::end(bad), p) != std::end(bad)));
      CHECK(std::isnan(t[i * pixels + p]) == (std::find(std::begin(bad), std::end(bad), p) != std::end(bad)));
    }
  y[1 * pixels + 7] = 1, b[2 * pixels + 7] = 1;
  LinearOperator(solve).apply({y.data(), 5, pixels}, {x.data(), 3, pixels});
  LinearOperator(normal).apply({b.data(), 3, pixels}, {z.data(), 3, pixels});
  CHECK(x[2 * pixels + 7] == 0);
  CHECK(z[2 * pixels + 7] == 0);
  CHECK(std::isfinite(x[0 * pixels + 7]));
  CHECK(z[0 * pixels + 7] != 0);

  for (const double refused : {-1.0, inf, -inf}) {
    w[11] = refused;
    options.weights = Field(w, 5, pixels);
    CHECK_THROWS_AS(Solve(a, options), InvalidArgument);
    SolveOperatorOptions prior;
    prior.priors.push_back({TimeDifference(a, 1), Field(std::vector<double>{1, refused, 1}, 3, 1)});
    CHECK_THROWS_AS(NormalSolve(a, prior), InvalidArgument);
  }
  w[11] = nan;
  options.weights = Field(w, 5, pixels);
  CHECK_NOTHROW(Solve(a, options));
  options.fit = true;
  const LinearOperator fitted = Solve(a, options);
  CHECK_NOTHROW(fitted.apply({y.data(), 5, pixels}, {x.data(), 3, pixels}));
  CHECK_THROWS_AS(fitted.apply_adjoint({b.data(), 3, pixels}, {t.data(), 5, pixels}), InvalidArgument);
}

TEST_CASE("what lives on dates trades off with free dates", "[identifiability]") {
  const Network a = network();
  const auto range = numbers(40, 4, 8e5, 9e5);
  const DemError dem(a, {0, 30, -20, 45}, {Field(range, 1, 40), 34.0});
  const auto free = identifiability(hstack(LinearOperator(a), a * dem));
  REQUIRE(free.groups.size() == 1);
  CHECK(free.groups[0].columns == std::vector<std::size_t>{0, 1, 2, 3});
  CHECK(free.groups[0].freedom == 1);
  CHECK(free.rank == 3);
  const std::string text = describe(free, hstack(LinearOperator(a), a * dem));
  CHECK(text.find("DEM error") != std::string::npos);
  CHECK(text.find("3 of these 4") != std::string::npos);
  CHECK(identifiability(a * hstack(Polynomial(a, 1), dem)).groups.empty());
  CHECK(
      identifiability(hstack(LinearOperator(a), a * dem), {hstack(LinearOperator(TimeDifference(a, 1)), LinearOperator(Zero(3, 1)))}).groups.empty());
  CHECK_THROWS_AS(identifiability(a, {Identity(2)}), ShapeError);
  const Pattern no_unknowns(Shape{3, 0}, {});
  CHECK(identifiability(no_unknowns).rank == 0);
  CHECK_THROWS_AS(solve(no_unknowns, ConstBlock<double>(range.data(), 3, 1)), InvalidArgument);
  CHECK_THROWS_AS(identifiability(LinearOperator(a).over({2, 2})), InvalidArgument);
}
