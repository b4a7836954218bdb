#include <Eigen/Dense>
#include <unsupported/Eigen/KroneckerProduct>

#include <lopsar/operators/derivative.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/integration.hpp>
#include <lopsar/operators/interpolation.hpp>
#include <lopsar/operators/smoothing.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using Eigen::MatrixXd;
using lopsar::DerivativeOptions;
using lopsar::Difference;
using lopsar::Dims;
using lopsar::InvalidArgument;
using lopsar::ShapeError;

namespace {

const std::vector<Difference> kinds{Difference::centered, Difference::forward, Difference::backward};

long size(std::size_t n) { return static_cast<long>(n); }

// A matrix along one axis of a field as a matrix on the whole field.
MatrixXd along(const Dims& dims, std::size_t axis, const MatrixXd& matrix) {
  long before = 1, after = 1;
  for (std::size_t a = 0; a < dims.size(); ++a) (a < axis ? before : after) *= a == axis ? 1 : size(dims[a]);
  const MatrixXd left = Eigen::kroneckerProduct(MatrixXd::Identity(before, before), matrix).eval();
  return Eigen::kroneckerProduct(left, MatrixXd::Identity(after, after)).eval();
}

// Rows by the definition of the difference, where all of its values exist; at the edges what is next best.
MatrixXd first_derivative(long n, const DerivativeOptions& o) {
  MatrixXd m = MatrixXd::Zero(n, n);
  const double h = o.sampling;
  for (long i = 0; i < n; ++i) {
    const bool before = i > 0, behind = i<n - 1, two = i> 1 && i < n - 2;
    if (o.kind == Difference::forward && behind) m(i, i + 1) = 1 / h, m(i, i) = -1 / h;
    if (o.kind == Difference::backward && before) m(i, i) = 1 / h, m(i, i - 1) = -1 / h;
    if (o.kind != Difference::centered) continue;
    if (o.order == 5 && two) {
      m(i, i - 2) = 1 / (12 * h), m(i, i - 1) = -8 / (12 * h), m(i, i + 1) = 8 / (12 * h), m(i, i + 2) = -1 / (12 * h);
    } else if (before && behind && (o.order == 3 || o.edge)) {
      m(i, i + 1) = 1 / (2 * h), m(i, i - 1) = -1 / (2 * h);
    } else if (o.edge && !before) {
      m(i, i + 1) = 1 / h, m(i, i) = -1 / h;
    } else if (o.edge && !behind) {
      m(i, i) = 1 / h, m(i, i - 1) = -1 / h;
    }
  }
  return m;
}

MatrixXd second_derivative(long n, double h, Difference kind, bool edge) {
  MatrixXd m = MatrixXd::Zero(n, n);
  for (long i = 0; i < n; ++i) {
    long first = i - (kind == Difference::centered ? 1 : kind == Difference::backward ? 2 : 0);
    if (kind == Difference::centered && edge) first = std::clamp(first, 0L, n - 3);
    if (first < 0 || first > n - 3) continue;
    m(i, first) = 1 / (h * h), m(i, first + 1) = -2 / (h * h), m(i, first + 2) = 1 / (h * h);
  }
  return m;
}

MatrixXd integral(long n, double h, lopsar::Quadrature kind, bool remove_first) {
  MatrixXd m = MatrixXd::Zero(n, n);
  for (long i = 0; i < n; ++i)
    for (long j = 0; j <= i; ++j) {
      const bool half = kind != lopsar::Quadrature::full && (j == i || (j == 0 && kind == lopsar::Quadrature::trapezoidal));
      m(i, j) = half ? h / 2 : h;
    }
  return remove_first ? MatrixXd(m.bottomRows(n - 1)) : m;
}

// Dims with the axis first, in the middle and last; rows short and long, odd and even.
const std::vector<std::pair<Dims, std::ptrdiff_t>> grids{{{5}, 0},       {{33}, -1},      {{6, 7}, 0},    {{6, 7}, 1},
                                                         {{3, 5, 4}, 1}, {{2, 3, 9}, -1}, {{9, 2, 3}, -3}};
std::size_t positive(std::ptrdiff_t axis, const Dims& dims) { return static_cast<std::size_t>(axis < 0 ? axis + size(dims.size()) : axis); }

// Several terms of an entry round to the coefficient, and it once more in float32.
template <class T>
void passes(const lopsar::Operator& op, const MatrixXd& matrix, double terms = 12) {
  suite::equals_matrix<T>(op, matrix, matrix.cwiseAbs(), terms);
  suite::is_adjoint<T>(op);
}

}  // namespace

TEMPLATE_TEST_CASE("FirstDerivative is its matrix, for all kinds, edges and orders", "[operators][stencil]", float, double) {
  for (const auto& [dims, axis] : grids)
    for (const auto kind : kinds)
      for (const bool edge : {false, true})
        for (const int order : {3, 5}) {
          const DerivativeOptions o{0.5, kind, edge, order};
          const std::size_t at = positive(axis, dims);
          if (order == 5 && dims[at] < 5) continue;
          INFO("axis " << at << " of " << dims.size() << ", length " << dims[at] << ", kind " << static_cast<int>(kind) << edge << order);
          passes<TestType>(lopsar::FirstDerivative(dims, axis, o), along(dims, at, first_derivative(size(dims[at]), o)));
        }
}

TEMPLATE_TEST_CASE("SecondDerivative is its matrix, for all kinds and edges", "[operators][stencil]", float, double) {
  for (const auto& [dims, axis] : grids)
    for (const auto kind : kinds)
      for (const bool edge : {false, true}) {
        const std::size_t at = positive(axis, dims);
        INFO("axis " << at << " of " << dims.size() << ", length " << dims[at] << ", kind " << static_cast<int>(kind) << edge);
        passes<TestType>(lopsar::SecondDerivative(dims, axis, {2, kind, edge, 3}), along(dims, at, second_derivative(size(dims[at]), 2, kind, edge)));
      }
}

TEMPLATE_TEST_CASE("Laplacian weighs second derivatives of the same kind on all axes", "[operators][stencil]", float, double) {
  for (const auto kind : kinds)
    for (const bool edge : {false, true}) {
      const Dims plane{5, 7}, cube{4, 3, 6};
      const MatrixXd two = 2 * along(plane, 0, second_derivative(5, 1, kind, edge)) + 3 * along(plane, 1, second_derivative(7, 0.5, kind, edge));
      const MatrixXd some = along(cube, 0, second_derivative(4, 1, kind, edge)) - 2 * along(cube, 2, second_derivative(6, 1, kind, edge));
      const MatrixXd all = along(cube, 1, second_derivative(3, 1, kind, edge)) + some;
      // Entries of both axes on the diagonal may cancel: the bound counts each.
      const auto magnitude = [&](const Dims& d, std::vector<std::pair<std::size_t, double>> parts) {
        MatrixXd m = MatrixXd::Zero(size(lopsar::product(d)), size(lopsar::product(d)));
        for (const auto& [a, w] : parts) m += std::abs(w) * along(d, a, second_derivative(size(d[a]), 1, kind, edge)).cwiseAbs();
        return m;
      };
      const lopsar::Laplacian a(plane, {-2, -1}, {2, 3}, {1, 0.5}, kind, edge), b(cube, {2, 0}, {-2, 1}, {1, 1}, kind, edge);
      const lopsar::Laplacian c(cube, {0, 1, 2}, {1, 1, -2}, {1, 1, 1}, kind, edge);
      suite::equals_matrix<TestType>(a, two, magnitude(plane, {{0, 2}, {1, 12}}), 12);
      suite::equals_matrix<TestType>(b, some, magnitude(cube, {{0, 1}, {2, 2}}), 12);
      suite::equals_matrix<TestType>(c, all, magnitude(cube, {{0, 1}, {1, 1}, {2, 2}}), 12);
      suite::is_adjoint<TestType>(a);
      suite::is_adjoint<TestType>(b);
      suite::is_adjoint<TestType>(c);
    }
}

TEMPLATE_TEST_CASE("Gradient stacks first derivatives", "[operators][stencil]", float, double) {
  for (const auto kind : kinds)
    for (const bool edge : {false, true})
      for (const auto& dims : {Dims{7}, Dims{5, 6}, Dims{3, 4, 5}}) {
        std::vector<double> sampling;
        const long n = size(lopsar::product(dims));
        MatrixXd matrix(n * size(dims.size()), n);
        for (std::size_t a = 0; a < dims.size(); ++a) {
          sampling.push_back(0.5 * static_cast<double>(a + 1));
          matrix.middleRows(n * size(a), n) = along(dims, a, first_derivative(size(dims[a]), {sampling.back(), kind, edge, 3}));
        }
        const lopsar::Gradient op(dims, sampling, kind, edge);
        CHECK(op.dims() == dims);
        CHECK(op.dimsd().size() == dims.size() + 1);
        CHECK(op.dimsd().front() == dims.size());
        passes<TestType>(op, matrix);
      }
}

TEMPLATE_TEST_CASE("DirectionalDerivative weighs first derivatives", "[operators][stencil]", float, double) {
  for (const auto kind : kinds)
    for (const bool edge : {false, true})
      for (const std::vector<double>& v : {std::vector<double>{1, -2, 0.5}, {0, 3, 0}, {0, 0, 0}}) {
        const Dims dims{3, 4, 5};
        MatrixXd matrix = MatrixXd::Zero(60, 60), magnitude = matrix;
        for (std::size_t a = 0; a < 3; ++a) {
          const MatrixXd part = v[a] * along(dims, a, first_derivative(size(dims[a]), {0.5, kind, edge, 3}));
          matrix += part;
          magnitude += part.cwiseAbs();
        }
        const lopsar::DirectionalDerivative op(dims, v, {0.5}, kind, edge);
        suite::equals_matrix<TestType>(op, matrix, magnitude, 12);
        suite::is_adjoint<TestType>(op);
      }
  CHECK_THROWS_AS(lopsar::DirectionalDerivative({3, 4}, {1}), ShapeError);
}

TEMPLATE_TEST_CASE("Smoothing1D is a moving average with zeros outside", "[operators][stencil]", float, double) {
  for (const auto& [dims, axis] : grids)
    for (const std::size_t window : {1, 2, 3, 5}) {
      const std::size_t at = positive(axis, dims);
      const long n = size(dims[at]), reach = size(window / 2);
      if (reach >= n) continue;
      MatrixXd m = MatrixXd::Zero(n, n);
      for (long i = 0; i < n; ++i)
        for (long j = std::max(0L, i - reach); j <= std::min(n - 1, i + reach); ++j) m(i, j) = 1 / static_cast<double>(2 * reach + 1);
      passes<TestType>(lopsar::Smoothing1D(window, dims, axis), along(dims, at, m));
    }
  // More taps than one pass of the kernel takes, and more than the interior.
  for (const std::size_t window : {21, 39}) {
    MatrixXd m = MatrixXd::Zero(31, 31);
    for (long i = 0; i < 31; ++i)
      for (long j = 0; j < 31; ++j)
        if (std::abs(i - j) <= size(window / 2)) m(i, j) = 1 / static_cast<double>(window);
    suite::equals_matrix<TestType>(lopsar::Smoothing1D(window, {2, 31}), along({2, 31}, 1, m), along({2, 31}, 1, m), 41);
    suite::equals_matrix<TestType>(lopsar::Smoothing1D(window, {31, 2}, 0), along({31, 2}, 0, m), along({31, 2}, 0, m), 41);
  }
}

TEMPLATE_TEST_CASE("CausalIntegration is its matrix, for all kinds", "[operators][integration]", float, double) {
  using lopsar::Quadrature;
  for (const auto& [dims, axis] : grids)
    for (const auto kind : {Quadrature::full, Quadrature::half, Quadrature::trapezoidal})
      for (const bool remove_first : {false, true}) {
        const std::size_t at = positive(axis, dims);
        const lopsar::CausalIntegration op(dims, axis, 0.7, kind, remove_first);
        CHECK(op.dimsd()[at] == dims[at] - (remove_first ? 1 : 0));
        passes<TestType>(op, along(dims, at, integral(size(dims[at]), 0.7, kind, remove_first)));
      }
  CHECK_THROWS_AS(lopsar::CausalIntegration({3, 1}, -1, 1, Quadrature::full, true), InvalidArgument);
}

TEMPLATE_TEST_CASE("Interpolation takes weighted neighbors", "[operators][interpolation]", float, double) {
  using lopsar::Interpolant;
  const std::vector<double> positions{0, 1.3, 2.5, 2.5, 3.5, 4};  // one twice
  for (const auto& [dims, axis] : std::vector<std::pair<Dims, std::ptrdiff_t>>{{{5}, 0}, {{5, 3}, 0}, {{2, 5}, -1}, {{2, 5, 3}, 1}}) {
    const std::size_t at = positive(axis, dims);
    MatrixXd nearest = MatrixXd::Zero(6, 5), linear = nearest, sinc = nearest;
    const long even[] = {0, 1, 2, 2, 4, 4};
    for (long i = 0; i < 6; ++i) {
      const double p = positions[static_cast<std::size_t>(i)];
      nearest(i, even[i]) = 1;
      for (long j = 0; j < 5; ++j) {
        linear(i, j) = std::max(0.0, 1 - std::abs(p - static_cast<double>(j)));
        const double t = std::acos(-1.0) * (p - static_cast<double>(j));
        sinc(i, j) = t == 0 ? 1 : std::sin(t) / t;
      }
    }
    passes<TestType>(lopsar::Interpolation(dims, positions, axis, Interpolant::nearest), along(dims, at, nearest));
    passes<TestType>(lopsar::Interpolation(dims, positions, axis), along(dims, at, linear));
    passes<TestType>(lopsar::Interpolation(dims, positions, axis, Interpolant::sinc), along(dims, at, sinc));
  }
  CHECK_THROWS_AS(lopsar::Interpolation({5}, {4.1}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Interpolation({5}, {-0.1}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Interpolation({5}, {std::nan("")}), InvalidArgument);
}

TEMPLATE_TEST_CASE("Bilinear interpolates on two axes", "[operators][interpolation]", float, double) {
  const std::vector<double> p{0, 0.25, 2, 1.5, 1.5}, q{0, 1.75, 3, 2.5, 2.5};
  MatrixXd m(5, 12);
  for (long i = 0; i < 5; ++i)
    for (long a = 0; a < 3; ++a)
      for (long b = 0; b < 4; ++b)
        m(i, 4 * a + b) = std::max(0.0, 1 - std::abs(p[static_cast<std::size_t>(i)] - static_cast<double>(a))) *
                          std::max(0.0, 1 - std::abs(q[static_cast<std::size_t>(i)] - static_cast<double>(b)));
  passes<TestType>(lopsar::Bilinear({3, 4}, p, q), m);
  passes<TestType>(lopsar::Bilinear({3, 4, 2}, p, q), Eigen::kroneckerProduct(m, MatrixXd::Identity(2, 2)).eval());
  CHECK(lopsar::Bilinear({3, 4, 2}, p, q).dimsd() == Dims{5, 2});
  CHECK_THROWS_AS(lopsar::Bilinear({3, 4}, {2.1}, {0}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Bilinear({3}, {1}, {0}), ShapeError);
}

TEMPLATE_TEST_CASE("A sparse matrix acts along any axis", "[operators][interpolation]", float, double) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const long rows : {1L, 7L, 40L}) {
    MatrixXd m = MatrixXd::Zero(rows, 37);
    std::vector<lopsar::Triplet> triplets;
    for (long i = 0; i < rows; ++i)
      for (long j = 0; j < 37; ++j)
        if (uniform(random) < 0) {
          m(i, j) = uniform(random);
          triplets.push_back({static_cast<std::size_t>(i), static_cast<std::size_t>(j), m(i, j) - 1});
          triplets.push_back({static_cast<std::size_t>(i), static_cast<std::size_t>(j), 1});
        }
    std::shuffle(triplets.begin(), triplets.end(), random);
    for (const auto& dims : {Dims{37}, Dims{37, 3}, Dims{11, 37}, Dims{2, 37, 3}}) {
      const std::size_t at = dims[0] == 37 ? 0 : 1;
      passes<TestType>(lopsar::AlongAxis(dims, size(at), static_cast<std::size_t>(rows), triplets), along(dims, at, m), 50);
    }
  }
  CHECK_THROWS_AS(lopsar::AlongAxis({4}, 0, 2, {{2, 0, 1}}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::AlongAxis({4}, 0, 2, {{0, 4, 1}}), InvalidArgument);
}

TEMPLATE_TEST_CASE("Sum adds along an axis", "[operators][interpolation]", float, double) {
  for (const auto& [dims, axis] : grids) {
    const std::size_t at = positive(axis, dims);
    const lopsar::Sum op(dims, axis);
    CHECK(op.dimsd().size() == std::max<std::size_t>(1, dims.size() - 1));
    passes<TestType>(op, along(dims, at, MatrixXd::Ones(1, size(dims[at]))), 40);
  }
}

// Everything else that the suite asks: other numbers of right-hand sides, strides, threads, NaN.
TEMPLATE_TEST_CASE("Stencils pass the operator suite", "[operators][stencil]", float, double) {
  const MatrixXd d = along({4, 9}, 1, first_derivative(9, {1, Difference::centered, true, 5}));
  suite::all<TestType>(lopsar::FirstDerivative({4, 9}, 1, {1, Difference::centered, true, 5}), d);
  const MatrixXd s =
      along({5, 6}, 0, second_derivative(5, 1, Difference::centered, true)) + along({5, 6}, 1, second_derivative(6, 1, Difference::centered, true));
  suite::all<TestType>(lopsar::Laplacian({5, 6}, {0, 1}, {1, 1}, {1, 1}, Difference::centered, true), s);
  MatrixXd g(60, 30);
  g << along({5, 6}, 0, first_derivative(5, {})), along({5, 6}, 1, first_derivative(6, {}));
  suite::all<TestType>(lopsar::Gradient({5, 6}), g);
  suite::all<TestType>(lopsar::CausalIntegration({3, 4}, 1, 0.5, lopsar::Quadrature::trapezoidal),
                       along({3, 4}, 1, integral(4, 0.5, lopsar::Quadrature::trapezoidal, false)));
  suite::all<TestType>(lopsar::Sum({3, 4}), along({3, 4}, 1, MatrixXd::Ones(1, 4)));
}

// Large enough for streaming stores, several tasks and chunks: rows above one chunk, short rows in groups, wide rows. The bits do not depend on
// threads, and equal those of a few columns computed in pieces by the definition.
TEMPLATE_TEST_CASE("Large fields are the same as small ones", "[operators][stencil]", float, double) {
  using T = TestType;
  for (const auto& dims : {Dims{130, 20011}, Dims{20011, 131}, Dims{40, 260, 257}, Dims{2600001}}) {
    if (sanitized && dims != Dims{130, 20011}) continue;
    const lopsar::Gradient op(dims);
    const std::size_t n = lopsar::product(dims), rank = dims.size();
    const auto x = suite::random_grid<T>(n, 1, 4);
    const auto y = suite::apply(op, x, false, 1);
    const auto z = suite::apply(op, y, true, 1);
    std::mt19937 random(3);
    bool right = true, adjoint = true;
    for (int trial = 0; trial < 20000; ++trial) {
      const std::size_t p = random() % n;
      std::size_t stride = 1;
      double sum = 0;
      for (std::size_t a = rank; a-- > 0; stride *= dims[a]) {
        const std::size_t i = p / stride % dims[a];
        const bool inside = i > 0 && i + 1 < dims[a];
        const T expected = inside ? T(0.5) * x.at(p + stride, 0) - T(0.5) * x.at(p - stride, 0) : T(0);
        right = right && y.at(a * n + p, 0) == expected;
        // Row p of the transpose: +1/2 of the difference behind it, -1/2 of the one before it, where these exist.
        if (i >= 2) sum += 0.5 * static_cast<double>(y.at(a * n + p - stride, 0));
        if (i + 2 < dims[a]) sum -= 0.5 * static_cast<double>(y.at(a * n + p + stride, 0));
      }
      adjoint = adjoint && std::abs(static_cast<double>(z.at(p, 0)) - sum) <= 40 * std::numeric_limits<T>::epsilon();
    }
    CHECK(right);
    CHECK(adjoint);
    for (const int threads : {0, 3}) {
      CHECK(suite::dense(suite::apply(op, x, false, threads)) == suite::dense(y));
      CHECK(suite::dense(suite::apply(op, y, true, threads)) == suite::dense(z));
    }
  }
}

TEST_CASE("Stencils say what does not fit", "[operators][stencil]") {
  CHECK_THROWS_WITH(lopsar::FirstDerivative({2}), ContainsSubstring("expected an axis of at least 3 values, as many as the stencil, got 2"));
  CHECK_NOTHROW(lopsar::FirstDerivative({2}, -1, {1, Difference::forward}));
  CHECK_THROWS_AS(lopsar::FirstDerivative({1}, -1, {1, Difference::backward}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FirstDerivative({4}, -1, {1, Difference::centered, false, 5}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FirstDerivative({9}, -1, {1, Difference::centered, false, 4}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FirstDerivative({9}, -1, {0}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FirstDerivative({9}, 1), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FirstDerivative({9, 0}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FirstDerivative(Dims{}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::SecondDerivative({2, 9}, 0), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Laplacian({9, 9}, {0}, {1, 1}, {1, 1}), ShapeError);
  CHECK_THROWS_AS(lopsar::Laplacian({9, 9}, {0, -2}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Gradient({9, 9}, {1, 1, 1}), ShapeError);
  CHECK_THROWS_AS(lopsar::Smoothing1D(0, {9}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Smoothing1D(19, {9}), InvalidArgument);
}
