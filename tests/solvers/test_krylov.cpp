// CG, CGLS and LSQR against dense solutions in float64.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <Eigen/Dense>

#include <lopsar/operators/derivative.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/rearrange.hpp>
#include <lopsar/solvers/krylov.hpp>

#include "../support/catch.hpp"

using namespace lopsar;

namespace {

using Complex = std::complex<double>;
using Matrix = Eigen::MatrixXcd;
using Vector = Eigen::VectorXcd;

// A dense matrix; after `good` applications it returns NaN.
class Dense final : public AnyOperator<Dense> {
 public:
  explicit Dense(Matrix matrix, bool complex = false, int good = std::numeric_limits<int>::max())
      : matrix_(std::move(matrix)), complex_(complex), left_(std::make_shared<int>(good)) {}
  Shape shape() const override { return {static_cast<std::size_t>(matrix_.rows()), static_cast<std::size_t>(matrix_.cols())}; }
  bool complex() const override { return complex_; }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int) const {
    product(matrix_, x, y);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int) const {
    product(Matrix(matrix_.adjoint()), y, x);
  }

 private:
  template <class T>
  void product(const Matrix& m, ConstBlock<T> x, Block<T> y) const {
    const bool broken = (*left_)-- <= 0;
    for (std::size_t i = 0; i < y.rows; ++i) {
      Complex sum = broken ? std::nan("") : 0;
      for (std::size_t j = 0; j < x.rows; ++j) sum += m(static_cast<long>(i), static_cast<long>(j)) * Complex(*x.row(j));
      if constexpr (std::is_floating_point_v<T>) *y.row(i) = static_cast<T>(sum.real());
      else *y.row(i) = T(sum);
    }
  }
  Matrix matrix_;
  bool complex_;
  std::shared_ptr<int> left_;
};

// What claims to be the adjoint belongs to another matrix.
class Mismatched final : public AnyOperator<Mismatched> {
 public:
  Mismatched(Matrix a, Matrix b) : forward_(std::move(a)), backward_(std::move(b)) {}
  Shape shape() const override { return forward_.shape(); }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    forward_.map(x, y, threads);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    backward_.map_adjoint(y, x, threads);
  }

 private:
  Dense forward_, backward_;
};

std::mt19937 generator(7);

Matrix random_matrix(long rows, long columns, bool complex) {
  std::normal_distribution<double> normal;
  Matrix m(rows, columns);
  for (long j = 0; j < columns; ++j)
    for (long i = 0; i < rows; ++i) m(i, j) = Complex(normal(generator), complex ? normal(generator) : 0);
  return m;
}

// Rows x columns with the singular values given.
Matrix with_singular_values(long rows, long columns, const std::vector<double>& values, bool complex) {
  const Matrix u = Eigen::HouseholderQR<Matrix>(random_matrix(rows, rows, complex)).householderQ();
  const Matrix v = Eigen::HouseholderQR<Matrix>(random_matrix(columns, columns, complex)).householderQ();
  Matrix s = Matrix::Zero(rows, columns);
  for (std::size_t i = 0; i < values.size(); ++i) s(static_cast<long>(i), static_cast<long>(i)) = values[i];
  return u * s * v.adjoint();
}

std::vector<double> spread(std::size_t n, double from, double to) {
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = from + (to - from) * static_cast<double>(i) / static_cast<double>(n - 1);
  return values;
}

template <class T>
inline constexpr bool is_complex = !std::is_floating_point_v<T>;
template <class T>
double eps() {
  return std::numeric_limits<decltype(std::real(T()))>::epsilon();
}

template <class T>
std::vector<T> values(const Vector& v) {
  std::vector<T> out;
  for (const Complex c : v)
    if constexpr (is_complex<T>) out.emplace_back(c);
    else out.push_back(static_cast<T>(c.real()));
  return out;
}
template <class T>
Vector vector(std::span<const T> v) {
  Vector out(static_cast<long>(v.size()));
  for (std::size_t i = 0; i < v.size(); ++i) out(static_cast<long>(i)) = Complex(v[i]);
  return out;
}
template <class T>
Vector vector(const std::vector<T>& v) {
  return vector(std::span<const T>(v));
}
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// argmin |y - A x|^2 + damp^2 |x|^2 by QR.
Vector least_squares(const Matrix& A, const Vector& y, double damp) {
  Matrix stacked(A.rows() + A.cols(), A.cols());
  stacked << A, damp * Matrix::Identity(A.cols(), A.cols());
  Vector data = Vector::Zero(A.rows() + A.cols());
  data.head(A.rows()) = y;
  return stacked.colPivHouseholderQr().solve(data);
}

template <class T>
KrylovResult<T> solved(const char* method, const Matrix& A, const std::vector<T>& y, double damp, const std::vector<T>& x0 = {}) {
  const LinearOperator op = Dense(A, is_complex<T>);
  if (std::string(method) == "cg") return cg<T>(op, y, {.damp = damp, .tol = 4 * eps<T>()}, x0);
  if (std::string(method) == "cgls") return cgls<T>(op, y, {.damp = damp, .tol = 4 * eps<T>()}, x0);
  return lsqr<T>(op, y, {.damp = damp, .atol = 4 * eps<T>(), .btol = 4 * eps<T>()}, x0);
}

}  // namespace

TEMPLATE_TEST_CASE("solutions, norms and counts against dense least squares", "[krylov]", float, double, std::complex<float>, std::complex<double>) {
  using T = TestType;
  const long m = 40, n = 17;
  const double smallest = 1, largest = 10;
  const Matrix A = with_singular_values(m, n, spread(17, smallest, largest), is_complex<T>);
  const std::vector<T> y = values<T>(random_matrix(m, 1, is_complex<T>).col(0)), start = values<T>(random_matrix(n, 1, is_complex<T>).col(0));
  for (const char* method : {"cgls", "lsqr"})
    for (const double damp : {0.0, 0.7})
      for (const bool from_start : {false, true}) {
        INFO(method << ", damp " << damp << ", x0 " << from_start);
        const auto found = solved<T>(method, A, y, damp, from_start ? start : std::vector<T>());
        const Vector x = vector(found.x), exact = least_squares(A, vector(y), damp), r = vector(y) - A * x;
        // The residual that the solver keeps up with is rounded in every iteration, by eps (|r| + |A| |x|), and so is the solution.
        const double k = static_cast<double>(found.iterations) + 2, x_norm = std::max(x.norm(), vector(start).norm());
        const double rounding = k * eps<T>() * (vector(y).norm() + largest * x_norm);
        const double gradient = (A.adjoint() * r - damp * damp * x).norm();
        // CGLS stops at 4 eps |A^H y|, LSQR at 4 eps |A|_F |r|.
        CHECK(gradient <= 4 * eps<T>() * A.norm() * vector(y).norm() + largest * rounding + damp * damp * k * eps<T>() * x_norm);
        CHECK((x - exact).norm() <= (4 * eps<T>() * A.norm() * vector(y).norm() + (largest + damp) * rounding) / (smallest * smallest + damp * damp));
        CHECK(std::abs(found.r1norm - r.norm()) <= rounding);
        CHECK(std::abs(found.r2norm - std::hypot(r.norm(), damp * x.norm())) <= rounding);
        CHECK(std::abs(found.xnorm - x.norm()) <= 4 * eps<T>() * x.norm());
        // Exact arithmetic needs n steps; rounding adds few where the condition number is 10.
        CHECK(found.iterations <= n + 5);
        CHECK(found.cost.size() == found.iterations + 1);
        CHECK(std::abs(found.cost.front() - (vector(y) - (from_start ? 1.0 : 0.0) * A * vector(start)).norm()) <= rounding);
        CHECK(found.cost.back() == found.r1norm);
        CHECK((found.stop == KrylovStop::least_squares || found.stop == KrylovStop::least_squares_rounding));
      }
  const Matrix S = A.adjoint() * A / largest;  // eigenvalues 0.1 to 10
  const std::vector<T> b = values<T>(random_matrix(n, 1, is_complex<T>).col(0));
  for (const double damp : {0.0, 0.7})
    for (const bool from_start : {false, true}) {
      INFO("cg, damp " << damp << ", x0 " << from_start);
      const auto found = solved<T>("cg", S, b, damp, from_start ? start : std::vector<T>());
      const Matrix damped = S + damp * Matrix::Identity(n, n);
      const Vector x = vector(found.x), exact = damped.ldlt().solve(vector(b)), r = vector(b) - damped * x;
      const double k = static_cast<double>(found.iterations) + 2, x_norm = std::max(exact.norm(), vector(start).norm());
      const double rounding = k * eps<T>() * (vector(b).norm() + (10 + damp) * x_norm);
      CHECK(r.norm() <= 4 * eps<T>() * vector(b).norm() + rounding);
      CHECK((x - exact).norm() <= (4 * eps<T>() * vector(b).norm() + rounding) / (0.1 + damp));
      CHECK(std::abs(found.r1norm - r.norm()) <= rounding);
      CHECK(found.iterations <= 2 * n);
      CHECK(found.stop == KrylovStop::residual);
      CHECK(found.cost.size() == found.iterations + 1);
    }
}

TEMPLATE_TEST_CASE("data times a power of two give the solution times it, bit by bit", "[krylov]", float, double, std::complex<double>) {
  using T = TestType;
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), is_complex<T>), S = A.adjoint() * A;
  for (const char* method : {"cg", "cgls", "lsqr"})
    for (const double damp : {0.0, 0.5}) {
      const bool square = std::string(method) == "cg";
      const Vector y = random_matrix(square ? 9 : 12, 1, is_complex<T>).col(0);
      const double factor = std::ldexp(1.0, -40);
      auto plain = solved<T>(method, square ? S : A, values<T>(y), damp);
      const auto scaled = solved<T>(method, square ? S : A, values<T>(y * factor), damp);
      INFO(method);
      CHECK(plain.iterations > 5);
      CHECK(scaled.iterations == plain.iterations);
      CHECK(scaled.stop == plain.stop);
      for (T& value : plain.x) value *= static_cast<decltype(std::real(T()))>(factor);
      CHECK(same_bits(scaled.x, plain.x));
    }
}

TEMPLATE_TEST_CASE("data and operators of any size give the same digits", "[krylov]", float, double, std::complex<double>) {
  using T = TestType;
  using R = decltype(std::real(T()));
  // Squares of 1e-170 and 1e170, and products of A and A^H of 1e-20 in float32, are out of range.
  const int data_power = sizeof(R) == 4 ? 90 : 565, a_power = sizeof(R) == 4 ? 66 : 400;
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), is_complex<T>), S = A.adjoint() * A;
  for (const char* method : {"cg", "cgls", "lsqr"})
    for (const bool from_start : {false, true}) {
      const bool square = std::string(method) == "cg";
      // In the precision of T, so that scaling changes none of its bits.
      const Vector y = vector(values<T>(random_matrix(square ? 9 : 12, 1, is_complex<T>).col(0))),
                   start = from_start ? vector(values<T>(random_matrix(9, 1, is_complex<T>).col(0))) : Vector();
      const Matrix& B = square ? S : A;
      const auto plain = solved<T>(method, B, values<T>(y), 0, values<T>(start));
      CHECK(plain.iterations > 5);
      for (const auto& [data, a] : {std::pair{-data_power, 0}, {data_power, 0}, {0, -a_power}, {0, a_power}, {-60, -60}, {60, 60}}) {
        INFO(method << ", x0 " << from_start << ", data 2^" << data << ", A 2^" << a);
        const double x_unit = std::ldexp(1.0, data - a), unit = std::ldexp(1.0, data);
        const auto scaled = solved<T>(method, B * std::ldexp(1.0, a), values<T>(y * unit), 0, values<T>(Vector(start * x_unit)));
        CHECK(scaled.iterations == plain.iterations);
        CHECK(scaled.stop == plain.stop);
        auto x = plain.x;
        for (T& value : x) value *= static_cast<R>(x_unit);
        CHECK(same_bits(scaled.x, x));
        CHECK(scaled.r1norm == plain.r1norm * unit);
        CHECK(scaled.r2norm == plain.r2norm * unit);
        CHECK(scaled.xnorm == plain.xnorm * x_unit);
        CHECK(scaled.cost.front() == plain.cost.front() * unit);
      }
    }
}

TEST_CASE("products too small for the precision are named", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), false);
  const auto y = values<float>(random_matrix(12, 1, false).col(0));
  for (const double tiny : {1e-36, 1e-45, 1e-60}) {
    const LinearOperator op = Dense(A * tiny);
    CHECK_THROWS_WITH(cgls<float>(op, y), ContainsSubstring("cgls: A^H y: expected values that the precision holds"));
    CHECK_THROWS_WITH(lsqr<float>(op, y), ContainsSubstring("lsqr: A^H y: expected values that the precision holds"));
  }
  // Where nothing is there to see, zero is the solution.
  Matrix flat = Matrix::Zero(3, 2);
  flat(0, 0) = flat(1, 1) = 1;
  CHECK(cgls<float>(LinearOperator(Dense(flat)), std::vector<float>{0, 0, 1}).stop == KrylovStop::zero);
  CHECK(lsqr<float>(LinearOperator(Dense(flat)), std::vector<float>{0, 0, 1}).stop == KrylovStop::zero);
}

TEST_CASE("vectors between steps are in the unit of the data", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), false), S = A.adjoint() * A;
  const Vector b = random_matrix(12, 1, false).col(0) * 1e-7, c = random_matrix(9, 1, false).col(0) * 1e9;
  const auto y = values<double>(b), z = values<double>(c);
  Cgls<double> cgls{LinearOperator(Dense(A))};
  cgls.setup(y);
  CHECK((vector(cgls.gradient()) - A.adjoint() * b).norm() <= 100 * eps<double>() * b.norm());
  CHECK((vector(cgls.direction()) - A.adjoint() * b).norm() <= 100 * eps<double>() * b.norm());
  CHECK(std::abs(cgls.arnorm() - (A.adjoint() * b).norm()) <= 100 * eps<double>() * b.norm());
  for (int i = 0; i < 3; ++i) cgls.step();
  CHECK((vector(cgls.residual()) - (b - A * vector<double>(cgls.x()))).norm() <= 100 * eps<double>() * b.norm());
  Cg<double> cg{LinearOperator(Dense(S))};
  cg.setup(z);
  CHECK((vector(cg.direction()) - c).norm() == 0);
  for (int i = 0; i < 3; ++i) cg.step();
  CHECK((vector(cg.residual()) - (c - S * vector<double>(cg.x()))).norm() <= 1000 * eps<double>() * c.norm());
}

TEST_CASE("CG names an operator that is not positive definite", "[krylov]") {
  Matrix indefinite = Matrix::Zero(2, 2);
  indefinite(0, 0) = 1, indefinite(1, 1) = -1;
  const LinearOperator op = Dense(indefinite);
  const std::string expected = "cg: expected a positive definite operator";
  CHECK_THROWS_WITH(cg<double>(op, std::vector<double>{1, 1}), ContainsSubstring(expected));  // no curvature, yet no zero
  CHECK_THROWS_WITH(cg<double>(op, std::vector<double>{1, 2}), ContainsSubstring(expected));
  CHECK_THROWS_WITH(cg<float>(op, std::vector<float>{0, 2}), ContainsSubstring(expected + ", got x^H A x = -1 |x|^2"));
  CHECK(cg<double>(op, std::vector<double>{1, 1}, {.damp = 2}).stop == KrylovStop::residual);
  // A semidefinite one, whose zero is rounding, of either sign.
  int stopped = 0;
  for (int i = 0; i < 20; ++i) {
    const Matrix u = Eigen::HouseholderQR<Matrix>(random_matrix(9, 9, false)).householderQ();
    Vector values_of = Vector::Ones(9);
    values_of(8) = 0;
    const Matrix S = u * values_of.asDiagonal() * u.adjoint();
    const auto found = cg<double>(LinearOperator(Dense(S)), values<double>(u.col(8)), {.iterations = 1});
    if (found.stop != KrylovStop::condition_rounding) continue;
    ++stopped;
    CHECK(vector(found.x).norm() == 0);
  }
  CHECK(stopped > 0);
}

TEST_CASE("preconditioners save iterations and change no solution", "[krylov]") {
  // Columns over four decades: what a diagonal puts right.
  const long m = 60, n = 40;
  Matrix A = with_singular_values(m, n, spread(40, 1, 2), true);
  Eigen::VectorXd scale(n);
  for (long j = 0; j < n; ++j) scale(j) = std::pow(10.0, -4.0 * static_cast<double>(j) / (n - 1));
  A = A * scale.asDiagonal();
  const double damp = 1e-5, tol = 1e-10;
  const Matrix normal = A.adjoint() * A + damp * damp * Matrix::Identity(n, n);
  const Matrix jacobi = normal.diagonal().cwiseInverse().asDiagonal(), inverse = normal.inverse();
  const auto y = values<Complex>(random_matrix(m, 1, true).col(0)), start = values<Complex>(random_matrix(n, 1, true).col(0));
  const Vector exact = least_squares(A, vector(y), damp), b = A.adjoint() * vector(y);
  const LinearOperator op = Dense(A, true), square = Dense(normal, true);
  const auto distance = [&](const KrylovResult<Complex>& found) {
    return (scale.asDiagonal() * (vector(found.x) - exact)).norm() / (scale.asDiagonal() * exact).norm();
  };
  for (const bool from_start : {false, true}) {
    const std::vector<Complex> x0 = from_start ? start : std::vector<Complex>();
    const auto plain = cgls<Complex>(op, y, {.damp = damp, .tol = tol, .iterations = 400}, x0);
    const auto with = cgls<Complex>(op, y, {.damp = damp, .tol = tol, .iterations = 400, .preconditioner = LinearOperator(Dense(jacobi, true))}, x0);
    const auto direct = cgls<Complex>(op, y, {.damp = damp, .tol = tol, .preconditioner = LinearOperator(Dense(inverse, true))}, x0);
    CHECK(with.iterations <= plain.iterations / 3);
    CHECK(direct.iterations <= 3);
    // |A^H r| <= tol |A^H y| bounds the error of what A sees by |inverse|^(1/2) of the scaled problem, which is 1, times the scale 1e4.
    CHECK(distance(with) <= 1e4 * tol * 10);
    CHECK(distance(direct) <= 1e4 * tol * 10);
    const auto plain_cg = cg<Complex>(square, values<Complex>(b), {.tol = tol, .iterations = 400}, x0);
    const auto with_cg =
        cg<Complex>(square, values<Complex>(b), {.tol = tol, .iterations = 400, .preconditioner = LinearOperator(Dense(jacobi, true))}, x0);
    const auto direct_cg = cg<Complex>(square, values<Complex>(b), {.tol = tol, .preconditioner = LinearOperator(Dense(inverse, true))}, x0);
    CHECK(with_cg.iterations <= plain_cg.iterations / 3);
    CHECK(direct_cg.iterations <= 3);
    CHECK(distance(with_cg) <= 1e4 * tol * 10);
  }
}

TEST_CASE("NaN and infinity are named where they come up", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), false), S = A.adjoint() * A;
  const double nan = std::nan("");
  for (const std::string method : {"cg", "cgls", "lsqr"}) {
    const bool square = method == "cg";
    const std::size_t m = square ? 9 : 12;
    const auto run = [&](std::vector<double> y, std::vector<double> x0, int good) {
      const LinearOperator op = Dense(square ? S : A, false, good);
      if (method == "cg") cg<double>(op, y, {}, x0);
      else if (method == "cgls") cgls<double>(op, y, {}, x0);
      else lsqr<double>(op, y, {}, x0);
    };
    std::vector<double> y(m, 1.0), x0(9, 1.0);
    CHECK_NOTHROW(run(y, x0, 10000));
    y[5] = nan;
    CHECK_THROWS_WITH(run(y, x0, 10000), ContainsSubstring(method + ": y: expected finite values, got NaN at index 5"));
    y[5] = std::numeric_limits<double>::infinity();
    CHECK_THROWS_WITH(run(y, x0, 10000), ContainsSubstring("got infinity at index 5"));
    y[5] = 1;
    x0[2] = nan;
    CHECK_THROWS_WITH(run(y, x0, 10000), ContainsSubstring(method + ": x0: expected finite values, got NaN at index 2"));
    x0[2] = 1;
    for (int good = 0; good < 6; ++good) {
      INFO(method << " after " << good);
      CHECK_THROWS_AS(run(y, x0, good), InvalidArgument);
      CHECK_THROWS_WITH(run(y, x0, good), ContainsSubstring("in iteration"));
    }
    CHECK_THROWS_WITH(run(y, {}, 3), ContainsSubstring("expected finite values, got NaN at index 0; check the operator"));
    // What x would be is out of the range of float64.
    y.assign(m, 1e200);
    const LinearOperator small = Dense((square ? S : A) * 1e-200);
    if (method == "cg") CHECK_THROWS_WITH(cg<double>(small, y), ContainsSubstring("cg: x in iteration 1: expected finite values"));
    if (method == "cgls") CHECK_THROWS_WITH(cgls<double>(small, y), ContainsSubstring("cgls: x in iteration 1: expected finite values"));
    if (method == "lsqr") CHECK_THROWS_WITH(lsqr<double>(small, y), ContainsSubstring("lsqr: x in iteration 1: expected finite values"));
  }
}

TEST_CASE("zero data have the solution zero, from wherever", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), false), S = A.adjoint() * A;
  const std::vector<double> start(9, 1.0), none;
  for (const char* method : {"cg", "cgls", "lsqr"}) {
    const bool square = std::string(method) == "cg";
    const std::vector<double> y(square ? 9 : 12, 0.0);
    INFO(method);
    const auto at_once = solved<double>(method, square ? S : A, y, 0);
    CHECK(at_once.stop == KrylovStop::zero);
    CHECK(at_once.iterations == 0);
    CHECK(at_once.x == std::vector<double>(9, 0.0));
    CHECK(at_once.r1norm == 0);
    CHECK(at_once.cost == std::vector<double>{0.0});
    for (const double damp : {0.0, 1.0}) {
      const auto found = solved<double>(method, square ? S : A, y, damp, start);
      // 3 is |start|; 100 the condition number of S, 10 steps.
      CHECK(vector(found.x).norm() <= 3 * 100 * 100 * eps<double>());
    }
  }
}

TEST_CASE("of many solutions the one of smallest norm, or the one nearest to x0", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(5, 1, 4), false);
  const Vector y = random_matrix(12, 1, false).col(0), start = random_matrix(9, 1, false).col(0);
  const Eigen::CompleteOrthogonalDecomposition<Matrix> decomposition(A);
  const Vector smallest = decomposition.solve(y), nearest = start + decomposition.solve(y - A * start);
  for (const char* method : {"cgls", "lsqr"}) {
    INFO(method);
    // Five different singular values: five steps. The error is that of the test above with condition number 4.
    const auto found = solved<double>(method, A, values<double>(y), 0),
               from_start = solved<double>(method, A, values<double>(y), 0, values<double>(start));
    CHECK((vector(found.x) - smallest).norm() <= 16 * 20 * eps<double>() * y.norm());
    CHECK((vector(from_start.x) - nearest).norm() <= 16 * 20 * eps<double>() * (y.norm() + 4 * start.norm()));
    CHECK(found.iterations <= 8);
  }
  // A direction that the operator maps to zero is no way to go.
  Matrix half = Matrix::Zero(2, 2);
  half(0, 0) = 1;
  const auto stuck = cg<double>(LinearOperator(Dense(half)), std::vector<double>{0.0, 1.0});
  CHECK(stuck.stop == KrylovStop::condition_rounding);
  CHECK(stuck.iterations == 0);
  CHECK(stuck.x == std::vector<double>{0.0, 0.0});
  CHECK(stuck.r1norm == 1);
}

TEST_CASE("LSQR says why it stopped", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), false);
  const Vector y = random_matrix(12, 1, false).col(0), consistent = A * random_matrix(9, 1, false).col(0);
  const LinearOperator op = Dense(A);
  const auto stop = [&](const Vector& data, LsqrOptions options) { return static_cast<int>(lsqr<double>(op, values<double>(data), options).stop); };
  CHECK(stop(0 * y, {}) == 0);
  CHECK(stop(consistent, {}) == 1);
  CHECK(stop(y, {}) == 2);
  CHECK(stop(y, {.conlim = 5}) == 3);
  CHECK(stop(consistent, {.atol = 0, .btol = 0, .conlim = 0}) == 4);
  CHECK(stop(y, {.atol = 0, .btol = 0, .conlim = 0, .iterations = 1000}) == 5);
  CHECK(stop(y, {.iterations = 3}) == 7);
  CHECK(stop(consistent, {.iterations = 8}) == 7);
  // A condition number beyond 1 / eps of float32, in two steps that leave a residual.
  Matrix flat = Matrix::Zero(3, 2);
  flat(0, 0) = 1;
  flat(1, 1) = 1e-5;
  const auto beyond = lsqr<float>(LinearOperator(Dense(flat)), std::vector<float>{1, 1, 1}, {.atol = 0, .btol = 0, .conlim = 0, .iterations = 50});
  INFO("acond " << beyond.acond << " iterations " << beyond.iterations);
  CHECK(beyond.stop == KrylovStop::least_squares_rounding);
  CHECK(lsqr<float>(LinearOperator(Dense(flat)), std::vector<float>{1, 1, 1}, {.atol = 0, .btol = 0, .conlim = 1e4, .iterations = 50}).stop ==
        KrylovStop::condition);
}

TEMPLATE_TEST_CASE("LSQR's variances, norm and condition number", "[krylov]", double, std::complex<double>) {
  using T = TestType;
  const long n = 9;
  const Matrix A = with_singular_values(20, n, spread(9, 1, 10), is_complex<T>);
  const LinearOperator op = Dense(A, is_complex<T>);
  const auto y = values<T>(random_matrix(20, 1, is_complex<T>).col(0)), start = values<T>(random_matrix(n, 1, is_complex<T>).col(0));
  for (const double damp : {0.0, 0.7})
    for (const bool from_start : {false, true}) {
      INFO("damp " << damp << ", x0 " << from_start);
      // After n steps the bidiagonal matrix has the singular values of [A; damp I], so the estimates are exact but for the loss of orthogonality:
      // that is about eps over the size of the last gradients relative to the first, which are no smaller than 1e-7 here.
      const auto found = lsqr<T>(op, y, {.damp = damp, .atol = 0, .btol = 0, .conlim = 0, .iterations = n, .variances = true},
                                 from_start ? start : std::vector<T>());
      const Matrix inverse = (A.adjoint() * A + damp * damp * Matrix::Identity(n, n)).inverse();
      const double tolerance = 1e7 * eps<double>();
      REQUIRE(found.iterations == n);
      for (long i = 0; i < n; ++i) CHECK(std::abs(found.var[static_cast<std::size_t>(i)] - inverse(i, i).real()) <= tolerance * inverse(i, i).real());
      const double frobenius = std::sqrt(A.squaredNorm() + n * damp * damp);
      CHECK(std::abs(found.anorm - frobenius) <= tolerance * frobenius);
      CHECK(std::abs(found.acond - frobenius * std::sqrt(inverse.trace().real())) <= tolerance * found.acond);
    }
  CHECK(lsqr<T>(op, y, {}).var.empty());
}

TEMPLATE_TEST_CASE("the number of threads does not change a bit", "[krylov]", float, std::complex<double>) {
  using T = TestType;
  const Laplacian laplacian({130, 170});  // several chunks, and a rest
  const LinearOperator op = laplacian;
  std::normal_distribution<double> normal;
  std::vector<T> y(130 * 170), x0(130 * 170);
  for (auto* v : {&y, &x0})
    for (T& value : *v) {
      const Complex c(normal(generator), normal(generator));
      if constexpr (is_complex<T>) value = T(c);
      else value = static_cast<T>(c.real());
    }
  const LinearOperator square = op.adjoint() * op;
  const auto all = [&](int threads) {
    const CgOptions options{.damp = 0.3, .tol = 0, .iterations = 7, .threads = threads};
    CgOptions preconditioned = options;
    preconditioned.preconditioner = square + 2.0 * LinearOperator(FieldIdentity(op.dims(), op.dims()));
    return std::vector{cg<T>(square, y, options, x0), cgls<T>(op, y, options, x0), cgls<T>(op, y, preconditioned, x0),
                       lsqr<T>(op, y, {.damp = 0.3, .iterations = 7, .variances = true, .threads = threads}, x0)};
  };
  const auto one = all(1);
  for (const int threads : {0, 2, 3}) {
    const auto many = all(threads);
    for (std::size_t i = 0; i < one.size(); ++i) {
      CHECK(one[i].iterations == 7);
      CHECK(same_bits(many[i].x, one[i].x));
      CHECK(same_bits(many[i].cost, one[i].cost));
      CHECK(same_bits(many[i].var, one[i].var));
    }
  }
}

TEST_CASE("steps by hand are those of a run", "[krylov]") {
  const Matrix A = with_singular_values(20, 9, spread(9, 1, 10), false), S = A.adjoint() * A;
  const auto y = values<double>(random_matrix(20, 1, false).col(0)), b = values<double>(random_matrix(9, 1, false).col(0));
  const auto check = [&](auto by_hand, auto in_one_go, const std::vector<double>& data) {
    in_one_go.setup(data);
    in_one_go.run();
    by_hand.setup(data);
    CHECK(by_hand.iteration() == 0);
    for (int i = 0; i < 3; ++i) by_hand.step();
    CHECK(by_hand.iteration() == 3);
    CHECK(by_hand.cost().size() == 4);
    CHECK(by_hand.stop() == KrylovStop::running);
    int calls = 0;
    CHECK(by_hand.run([&] { return ++calls < 2; }) == KrylovStop::running);
    CHECK(by_hand.iteration() == 5);
    by_hand.set_iterations(6);
    CHECK(by_hand.run() == KrylovStop::iteration_limit);
    CHECK(by_hand.iteration() == 6);
    by_hand.set_iterations(100);
    CHECK(by_hand.run() == in_one_go.stop());
    CHECK(by_hand.iteration() == in_one_go.iteration());
    CHECK(std::memcmp(by_hand.x().data(), in_one_go.x().data(), 9 * sizeof(double)) == 0);
    // A solver can be used again.
    by_hand.setup(data);
    by_hand.run();
    CHECK(std::memcmp(by_hand.x().data(), in_one_go.x().data(), 9 * sizeof(double)) == 0);
  };
  const LinearOperator op = Dense(A), square = Dense(S);
  check(Cg<double>(square), Cg<double>(square), b);
  check(Cgls<double>(op), Cgls<double>(op), y);
  check(Lsqr<double>(op), Lsqr<double>(op), y);
}

TEST_CASE("rules relative to the first residual and to the data", "[krylov]") {
  const Matrix A = with_singular_values(9, 9, spread(9, 1, 10), false);
  const auto y = values<double>(random_matrix(9, 1, false).col(0));
  std::vector<double> x0(9, 10.0);
  const LinearOperator op = Dense(A);
  for (const double rule : {0.5, 0.05}) {
    const auto initial = cgls<double>(op, y, {.tol = 0, .rtol = rule}, x0), data = cgls<double>(op, y, {.tol = 0, .rtol1 = rule}, x0);
    for (const auto* found : {&initial, &data}) {
      const double limit = rule * (found == &initial ? initial.cost.front() : vector(y).norm());
      CHECK(found->stop == KrylovStop::residual);
      CHECK(found->cost.back() < limit);
      CHECK(found->cost[found->cost.size() - 2] >= limit);
    }
  }
}

TEST_CASE("the residual norms are true where the adjoint is wrong", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), false), B = with_singular_values(12, 9, spread(9, 1, 10), false);
  const LinearOperator op = Mismatched(A, B);
  const auto y = values<double>(random_matrix(12, 1, false).col(0));
  for (const double damp : {0.0, 0.5}) {
    const auto a = cgls<double>(op, y, {.damp = damp, .iterations = 5}), b = lsqr<double>(op, y, {.damp = damp, .iterations = 5});
    for (const auto* found : {&a, &b}) {
      const Vector x = vector(found->x);
      const double r = (vector(y) - A * x).norm();
      CHECK(std::abs(found->r1norm - r) <= 20 * eps<double>() * (vector(y).norm() + 10 * x.norm()));
      CHECK(std::abs(found->r2norm - std::hypot(r, damp * x.norm())) <= 20 * eps<double>() * (vector(y).norm() + 10 * x.norm()));
    }
  }
}

TEST_CASE("what does not fit is refused", "[krylov]") {
  const Matrix A = with_singular_values(12, 9, spread(9, 1, 10), false);
  const LinearOperator op = Dense(A);
  const std::vector<double> y(12, 1.0), short_y(9, 1.0);
  CHECK_THROWS_AS(cg<double>(op, y), ShapeError);
  CHECK_THROWS_AS(cgls<double>(op, short_y), ShapeError);
  CHECK_THROWS_AS(lsqr<double>(op, y, {}, y), ShapeError);
  CHECK_THROWS_AS(cgls<double>(op, y, {.preconditioner = op}), ShapeError);
  CHECK_THROWS_AS(cgls<double>(op, y, {.damp = -1}), InvalidArgument);
  CHECK_THROWS_AS(lsqr<double>(op, y, {.atol = std::nan("")}), InvalidArgument);
  CHECK_THROWS_WITH(cgls<double>(op, y, {.preconditioner = LinearOperator(Dense(-Matrix::Identity(9, 9)))}),
                    ContainsSubstring("positive definite preconditioner"));
  CHECK_THROWS_AS(cgls<double>(LinearOperator(Dense(A, true)), y), InvalidArgument);  // a complex operator takes no real data
}
