// What every pixelwise operator has to pass, given its matrix built by other means.
#pragma once
#include <limits>

#include <Eigen/Dense>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/operator.hpp>

#include "catch.hpp"
#include "networks.hpp"

namespace support::suite {

template <class T>
Grid<T> random_grid(std::size_t rows, std::size_t pixels, unsigned seed, std::size_t gap = 0, std::size_t start = 0) {
  Grid<T> g(rows, pixels, gap, start);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t p = 0; p < pixels; ++p) g.at(r, p) = static_cast<T>(normal(random));
  return g;
}

template <class T>
Eigen::MatrixXd dense(const Grid<T>& g) {
  Eigen::MatrixXd m(static_cast<long>(g.rows), static_cast<long>(g.pixels));
  for (std::size_t r = 0; r < g.rows; ++r)
    for (std::size_t p = 0; p < g.pixels; ++p) m(static_cast<long>(r), static_cast<long>(p)) = static_cast<double>(g.at(r, p));
  return m;
}

template <class T>
Grid<T> apply(const lopsar::Operator& op, const Grid<T>& x, bool adjoint, int threads = 0, std::size_t gap = 0, std::size_t start = 0) {
  Grid<T> y(adjoint ? op.shape().columns : op.shape().rows, x.pixels, gap, start);
  if (adjoint) op.apply_adjoint(x.view(), y.block(), threads);
  else op.apply(x.view(), y.block(), threads);
  return y;
}

// Each entry of A x sums at most n terms: |error| <= n eps (|A| |x|).
template <class T>
void equals_matrix(const lopsar::Operator& op, const Eigen::MatrixXd& matrix) {
  REQUIRE(op.shape().rows == static_cast<std::size_t>(matrix.rows()));
  REQUIRE(op.shape().columns == static_cast<std::size_t>(matrix.cols()));
  for (const bool adjoint : {false, true}) {
    const Eigen::MatrixXd A = adjoint ? Eigen::MatrixXd(matrix.transpose()) : matrix;
    const auto x = random_grid<T>(static_cast<std::size_t>(A.cols()), 37, 1);
    const auto y = apply(op, x, adjoint);
    const Eigen::MatrixXd bound = std::numeric_limits<T>::epsilon() * static_cast<double>(A.cols()) * (A.cwiseAbs() * dense(x).cwiseAbs());
    const Eigen::MatrixXd error = (dense(y) - A * dense(x)).cwiseAbs();
    INFO("adjoint " << adjoint << ", largest error " << error.maxCoeff());
    CHECK((error.array() <= bound.array()).all());
  }
  Eigen::MatrixXd lowered = Eigen::MatrixXd::Zero(matrix.rows(), matrix.cols());
  for (const auto& t : op.lower()) lowered(static_cast<long>(t.row), static_cast<long>(t.column)) += t.coefficient;
  CHECK(lowered == matrix);
}

// |<Ax, y> - <x, A'y>| <= c eps sqrt(n) (|Ax| |y| + |x| |A'y|); c = 1.
template <class T>
void is_adjoint(const lopsar::Operator& op) {
  const auto x = random_grid<T>(op.shape().columns, 21, 2), y = random_grid<T>(op.shape().rows, 21, 3);
  const Eigen::MatrixXd X = dense(x), Y = dense(y), AX = dense(apply(op, x, false)), AY = dense(apply(op, y, true));
  const double n = static_cast<double>(std::max(X.size(), Y.size()));
  const double left = (AX.array() * Y.array()).sum(), right = (X.array() * AY.array()).sum();
  CHECK(std::abs(left - right) <= std::numeric_limits<T>::epsilon() * std::sqrt(n) * (AX.norm() * Y.norm() + X.norm() * AY.norm()));
}

template <class T>
void is_linear(const lopsar::Operator& op) {
  for (const bool adjoint : {false, true}) {
    const std::size_t n = adjoint ? op.shape().rows : op.shape().columns;
    const auto a = random_grid<T>(n, 19, 4), b = random_grid<T>(n, 19, 5);
    auto sum = a;
    const T s = T(0.5), t = T(-2);  // exact factors: only the sum rounds
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t p = 0; p < 19; ++p) sum.at(r, p) = s * a.at(r, p) + t * b.at(r, p);
    const Eigen::MatrixXd A = dense(apply(op, a, adjoint)), B = dense(apply(op, b, adjoint)), S = dense(apply(op, sum, adjoint));
    const double scale = A.norm() + 2 * B.norm() + dense(a).norm() + 2 * dense(b).norm();
    CHECK((S - (s * A + t * B)).norm() <= std::numeric_limits<T>::epsilon() * std::sqrt(static_cast<double>(n)) * scale);
    auto zero = a;
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t p = 0; p < 19; ++p) zero.at(r, p) = 0;
    CHECK(dense(apply(op, zero, adjoint)).norm() == 0);
  }
}

// The bits of a pixel depend on that pixel alone: not on its place, the number of pixels, strides, alignment, threads or neighbors.
template <class T>
void pixels_stand_alone(const lopsar::Operator& op) {
  constexpr std::size_t many = 1100;  // more than two tiles
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n <= 2 * 16 + 1; ++n) lengths.push_back(n);
  for (const std::size_t n : {511, 512, 513, 528, 529, 1023, 1024, 1025, 1091}) lengths.push_back(n);
  for (const bool adjoint : {false, true}) {
    const std::size_t n = adjoint ? op.shape().rows : op.shape().columns;
    const auto x = random_grid<T>(n, many, 6);
    const auto y = apply(op, x, adjoint, 1);
    const auto equal = [&](const Grid<T>& part, const std::vector<std::size_t>& pick) {
      for (std::size_t r = 0; r < part.rows; ++r)
        for (std::size_t p = 0; p < part.pixels; ++p)
          if (!same_bits(part.at(r, p), y.at(r, pick[p]))) return false;
      return true;
    };
    for (const std::size_t length : lengths) {
      INFO("adjoint " << adjoint << ", " << length << " pixels");
      std::vector<std::size_t> pick(length);
      for (std::size_t p = 0; p < length; ++p) pick[p] = (p + 3 * length) % many;
      const std::size_t gap = length % 4, start = length % 3;
      const auto part = apply(op, x.taken(pick, gap, start), adjoint, 0, gap + 1, start + 1);
      CHECK(equal(part, pick));
      CHECK(part.gap_untouched());
    }
    std::vector<std::size_t> all(many);
    for (std::size_t p = 0; p < many; ++p) all[p] = p;
    for (const int threads : {0, 2, 3, 64}) CHECK(equal(apply(op, x, adjoint, threads), all));
    std::shuffle(all.begin(), all.end(), std::mt19937(7));
    CHECK(equal(apply(op, x.taken(all), adjoint), all));
    auto poisoned = x;
    for (std::size_t r = 0; r < n; ++r) poisoned.at(r, 5) = std::numeric_limits<T>::quiet_NaN();
    const auto z = apply(op, poisoned, adjoint);
    bool harmless = true;
    for (std::size_t r = 0; r < z.rows; ++r)
      for (std::size_t p = 0; p < many; ++p) harmless = harmless && (p == 5 || same_bits(z.at(r, p), y.at(r, p)));
    CHECK(harmless);
  }
}

template <class T>
void rejects_bad_blocks(const lopsar::Operator& op) {
  const std::size_t m = op.shape().rows, n = op.shape().columns;
  Grid<T> x(n, 4), y(m, 4), tall(m + n + 1, 4), long_y(m, 5), long_x(n, 5);
  CHECK_THROWS_AS(op.apply(tall.view(), y.block()), lopsar::ShapeError);
  CHECK_THROWS_AS(op.apply(x.view(), tall.block()), lopsar::ShapeError);
  CHECK_THROWS_AS(op.apply(x.view(), long_y.block()), lopsar::ShapeError);
  CHECK_THROWS_AS(op.apply_adjoint(tall.view(), x.block()), lopsar::ShapeError);
  CHECK_THROWS_AS(op.apply_adjoint(y.view(), tall.block()), lopsar::ShapeError);
  CHECK_THROWS_AS(op.apply_adjoint(y.view(), long_x.block()), lopsar::ShapeError);
  CHECK_THROWS_WITH(op.apply(tall.view(), y.block()), ContainsSubstring("expected input (" + std::to_string(n) + ", pixels)"));
  // A result on top of its input.
  std::vector<T> shared((m + n) * 4, T(1));
  const lopsar::Block<T> in(shared.data(), n, 4), out(shared.data() + n * 4 - 1, m, 4);
  CHECK_THROWS_AS(op.apply(lopsar::ConstBlock<T>(in), out), lopsar::InvalidArgument);
  const lopsar::Block<T> beside(shared.data() + n * 4, m, 4);
  CHECK_NOTHROW(op.apply(lopsar::ConstBlock<T>(in), beside));
  // No pixels: nothing happens, nothing is touched.
  CHECK_NOTHROW(op.apply(lopsar::ConstBlock<T>(nullptr, n, 0), lopsar::Block<T>(nullptr, m, 0)));
  CHECK_NOTHROW(op.apply_adjoint(lopsar::ConstBlock<T>(nullptr, m, 0), lopsar::Block<T>(nullptr, n, 0)));
}

template <class T>
void all(const lopsar::Operator& op, const Eigen::MatrixXd& matrix) {
  equals_matrix<T>(op, matrix);
  is_adjoint<T>(op);
  is_linear<T>(op);
  pixels_stand_alone<T>(op);
  rejects_bad_blocks<T>(op);
}

}  // namespace support::suite
