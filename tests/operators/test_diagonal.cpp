// Identity, Zero, Diagonal, Weighting, Restriction.
#include <Eigen/Dense>

#include <lopsar/operators/diagonal.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/restriction.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using lopsar::Field;

TEMPLATE_TEST_CASE("Identity, Zero and Diagonal pass the operator suite", "[operators][diagonal]", float, double) {
  for (const auto& [rows, columns] : {std::pair(5, 5), std::pair(7, 4), std::pair(1, 6)}) {
    const auto m = static_cast<std::size_t>(rows), n = static_cast<std::size_t>(columns);
    suite::all<TestType>(lopsar::Identity(m, n), Eigen::MatrixXd::Identity(rows, columns));
    suite::all<TestType>(lopsar::Zero(m, n), Eigen::MatrixXd::Zero(rows, columns));
  }
  const std::vector<double> d = {2, -0.3, 0, 1e-3};
  const Eigen::MatrixXd matrix = Eigen::Map<const Eigen::VectorXd>(d.data(), 4).asDiagonal();
  suite::all<TestType>(lopsar::Diagonal(d), matrix);
  suite::all<TestType>(lopsar::Weighting(d), matrix);
  CHECK_THROWS_AS(lopsar::Diagonal({1, std::nan("")}), lopsar::InvalidArgument);
  CHECK_THROWS_AS(lopsar::Weighting(std::vector<double>{1, std::numeric_limits<double>::infinity()}), lopsar::InvalidArgument);
}

TEMPLATE_TEST_CASE("Weighting per observation and pixel", "[operators][diagonal]", float, double) {
  constexpr std::size_t pixels = 777;
  const auto same = suite::random_grid<TestType>(6, pixels, 1);
  const auto check = [&](const auto& values) {
    const lopsar::Weighting op(Field(std::vector(values.values.begin(), values.values.end() - 1), 6, pixels));
    const auto at = [&](std::size_t p) {
      Eigen::MatrixXd m = Eigen::MatrixXd::Zero(6, 6);
      for (std::size_t i = 0; i < 6; ++i) m(static_cast<long>(i), static_cast<long>(i)) = static_cast<double>(values.at(i, p));
      return m;
    };
    suite::equals_matrices<TestType>(
        op, at, [&](std::size_t p) { return Eigen::MatrixXd(at(p).cwiseAbs()); }, 2);
  };
  check(suite::random_grid<float>(6, pixels, 1));
  check(suite::random_grid<double>(6, pixels, 2));
}

TEMPLATE_TEST_CASE("Restriction passes the operator suite", "[operators][restriction]", float, double) {
  for (const auto& indices : std::vector<std::vector<std::size_t>>{{0}, {4, 1, 2}, {3, 3, 0, 3}, {0, 1, 2, 3, 4}}) {
    Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(static_cast<long>(indices.size()), 5);
    for (std::size_t i = 0; i < indices.size(); ++i) matrix(static_cast<long>(i), static_cast<long>(indices[i])) = 1;
    suite::all<TestType>(lopsar::Restriction(5, indices), matrix);
  }
  // What is picked three times collects three values.
  const lopsar::Restriction op(2, {1, 1, 0, 1});
  const std::vector<TestType> y = {1, 10, 5, 100};
  std::vector<TestType> x(2);
  op.apply_adjoint({y.data(), 4, 1}, {x.data(), 2, 1});
  CHECK(x == std::vector<TestType>{5, 111});
  CHECK_THROWS_WITH(lopsar::Restriction(5, {1, 5}), ContainsSubstring("indices below 5, got 5"));
}
