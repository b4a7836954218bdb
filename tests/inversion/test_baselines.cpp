#include <cmath>

#include <Eigen/Dense>

#include <lopsar/inversion/baselines.hpp>
#include <lopsar/operators/error.hpp>

#include "../support/catch.hpp"
#include "../support/networks.hpp"

using namespace support;

TEST_CASE("Baselines of pairs become baselines of dates", "[inversion][baselines]") {
  const auto graph = nearest_neighbors(40, 15);
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (const int reference : {0, 6}) {
    const auto network = graph.network(reference);
    std::vector<double> truth(15), pairs;
    for (auto& b : truth) b = 80 * normal(random);
    for (const auto& [first, second] : network.pairs()) pairs.push_back(truth[second] - truth[first]);
    const auto exact = lopsar::date_baselines(network, pairs);
    for (std::size_t d = 0; d < 15; ++d) CHECK(std::abs(exact.date[d] - (truth[d] - truth[static_cast<std::size_t>(reference)])) < 1e-9);
    CHECK(exact.max_misfit < 1e-9);

    // Inconsistent ones: least squares, by another method.
    for (auto& b : pairs) b += 2 * normal(random);
    const auto found = lopsar::date_baselines(network, pairs);
    Eigen::MatrixXd A = Eigen::MatrixXd::Zero(40, 15);
    for (long k = 0; k < 40; ++k) {
      A(k, static_cast<long>(network.pairs()[static_cast<std::size_t>(k)].second)) += 1;
      A(k, static_cast<long>(network.pairs()[static_cast<std::size_t>(k)].first)) -= 1;
    }
    const Eigen::VectorXd y = Eigen::Map<const Eigen::VectorXd>(pairs.data(), 40);
    Eigen::VectorXd b = A.completeOrthogonalDecomposition().solve(y);
    const Eigen::VectorXd misfit = (A * b - y).cwiseAbs();
    b.array() -= b(reference);
    for (long d = 0; d < 15; ++d) CHECK(std::abs(found.date[static_cast<std::size_t>(d)] - b(d)) < 1e-9);
    CHECK(found.rms_misfit == Approx(misfit.norm() / std::sqrt(40)));
    CHECK(found.max_misfit == Approx(misfit.maxCoeff()));
  }
}

TEST_CASE("A date without baselines is NaN", "[inversion][baselines]") {
  const Graph graph{regular_days(4), {{0, 1}, {1, 2}, {2, 3}, {1, 3}}};
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const auto found = lopsar::date_baselines(graph.network(), {10, -4, nan, inf});
  CHECK(found.date[0] == 0);
  CHECK(found.date[1] == Approx(10));
  CHECK(found.date[2] == Approx(6));
  CHECK(std::isnan(found.date[3]));
  CHECK(found.max_misfit < 1e-9);
  CHECK_THROWS_AS(lopsar::date_baselines(graph.network(), {10, -4, 2}), lopsar::ShapeError);
}
