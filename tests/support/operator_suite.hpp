// What every pixelwise operator has to pass, given its matrix built by other means.
#pragma once
#include <complex>
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

// Each entry of A x sums at most n products of numbers that are rounded once: |error| <= (n + 2) eps (|A| |x|). For a product of operators
// `magnitude` is the product of their absolute values, and n counts the terms of all of them.
template <class T>
void equals_matrix(const lopsar::Operator& op, const Eigen::MatrixXd& matrix, const Eigen::MatrixXd& magnitude, double terms) {
  REQUIRE(op.shape().rows == static_cast<std::size_t>(matrix.rows()));
  REQUIRE(op.shape().columns == static_cast<std::size_t>(matrix.cols()));
  for (const bool adjoint : {false, true}) {
    const Eigen::MatrixXd A = adjoint ? Eigen::MatrixXd(matrix.transpose()) : matrix;
    const Eigen::MatrixXd M = adjoint ? Eigen::MatrixXd(magnitude.transpose()) : magnitude;
    const auto x = random_grid<T>(static_cast<std::size_t>(A.cols()), 37, 1);
    const auto y = apply(op, x, adjoint);
    const Eigen::MatrixXd bound = std::numeric_limits<T>::epsilon() * (terms + 2) * (M * dense(x).cwiseAbs());
    const Eigen::MatrixXd error = (dense(y) - A * dense(x)).cwiseAbs();
    INFO("adjoint " << adjoint << ", largest error " << error.maxCoeff());
    CHECK((error.array() <= bound.array()).all());
    // Complex numbers: real and imaginary part each by the same matrix.
    using C = std::complex<T>;
    std::vector<C> z(x.rows * 18), u(y.rows * 18);
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t p = 0; p < 18; ++p) z[r * 18 + p] = {x.at(r, p), x.at(r, p + 18)};
    const lopsar::ConstBlock<C> in(z.data(), x.rows, 18);
    const lopsar::Block<C> out(u.data(), y.rows, 18);
    if (adjoint) op.apply_adjoint(in, out);
    else op.apply(in, out);
    bool same = true;
    for (std::size_t r = 0; r < y.rows; ++r)
      for (std::size_t p = 0; p < 18; ++p)
        same = same && same_bits(u[r * 18 + p].real(), y.at(r, p)) && same_bits(u[r * 18 + p].imag(), y.at(r, p + 18));
    CHECK(same);
  }
  if (!op.pixelwise()) return;
  Eigen::MatrixXd lowered = Eigen::MatrixXd::Zero(matrix.rows(), matrix.cols());
  for (const auto& t : op.lower().triplets) lowered(static_cast<long>(t.row), static_cast<long>(t.column)) += t.coefficient;
  CHECK(((lowered - matrix).cwiseAbs().array() <= std::numeric_limits<double>::epsilon() * terms * magnitude.array()).all());
}

// An operator with fields: at pixel p it is matrix(p), with the absolute values magnitude(p). Every thread count gives the same bits.
template <class T, class Matrix, class Magnitude>
void equals_matrices(const lopsar::Operator& op, Matrix matrix, Magnitude magnitude, double terms) {
  const std::size_t pixels = op.pixels();
  REQUIRE(pixels > 0);
  for (const bool adjoint : {false, true}) {
    const auto x = random_grid<T>(adjoint ? op.shape().rows : op.shape().columns, pixels, 8);
    const auto y = apply(op, x, adjoint);
    const Eigen::MatrixXd X = dense(x), Y = dense(y);
    bool fits = true;
    for (std::size_t p = 0; p < pixels; ++p) {
      const Eigen::MatrixXd A = adjoint ? Eigen::MatrixXd(matrix(p).transpose()) : Eigen::MatrixXd(matrix(p));
      const Eigen::MatrixXd M = adjoint ? Eigen::MatrixXd(magnitude(p).transpose()) : Eigen::MatrixXd(magnitude(p));
      const auto c = static_cast<long>(p);
      const Eigen::VectorXd bound = std::numeric_limits<T>::epsilon() * (terms + 4) * (M * X.col(c).cwiseAbs());
      fits = fits && ((Y.col(c) - A * X.col(c)).cwiseAbs().array() <= bound.array()).all();
    }
    CHECK(fits);
    for (const int threads : {1, 2, 5}) CHECK(dense(apply(op, x, adjoint, threads)) == Y);
    Grid<T> fewer(x.rows, pixels + 1), out(y.rows, pixels + 1);
    if (adjoint) CHECK_THROWS_AS(op.apply_adjoint(fewer.view(), out.block()), lopsar::ShapeError);
    else CHECK_THROWS_AS(op.apply(fewer.view(), out.block()), lopsar::ShapeError);
  }
  const auto lowering = op.lower();
  for (const std::size_t p : {std::size_t(0), pixels / 2, pixels - 1}) {
    Eigen::MatrixXd lowered = Eigen::MatrixXd::Zero(static_cast<long>(op.shape().rows), static_cast<long>(op.shape().columns));
    for (const auto& t : lowering.triplets) {
      double value = t.coefficient;
      if (t.factor >= 0)
        for (const auto& r : lowering.factors[static_cast<std::size_t>(t.factor)])
          lowering.fields[static_cast<std::size_t>(r.field)].multiply(r.row, p, 1, &value);
      lowered(static_cast<long>(t.row), static_cast<long>(t.column)) += value;
    }
    CHECK(((lowered - matrix(p)).cwiseAbs().array() <= std::numeric_limits<double>::epsilon() * (terms + 4) * magnitude(p).array()).all());
  }
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
void all(const lopsar::Operator& op, const Eigen::MatrixXd& matrix, const Eigen::MatrixXd& magnitude, double terms) {
  equals_matrix<T>(op, matrix, magnitude, terms);
  is_adjoint<T>(op);
  is_linear<T>(op);
  pixels_stand_alone<T>(op);
  rejects_bad_blocks<T>(op);
}
template <class T>
void all(const lopsar::Operator& op, const Eigen::MatrixXd& matrix) {
  all<T>(op, matrix, matrix.cwiseAbs(), static_cast<double>(std::max(matrix.rows(), matrix.cols())));
}

}  // namespace support::suite
