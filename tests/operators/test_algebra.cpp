#include <Eigen/Dense>

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/pattern.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using namespace lopsar;
using Eigen::MatrixXd;

namespace {

MatrixXd random_matrix(long rows, long columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  return MatrixXd::NullaryExpr(rows, columns, [&] { return normal(random); });
}

Pattern pixelwise(const MatrixXd& m) {
  std::vector<Triplet> triplets;
  for (long i = 0; i < m.rows(); ++i)
    for (long j = 0; j < m.cols(); ++j) triplets.push_back({static_cast<std::size_t>(i), static_cast<std::size_t>(j), m(i, j)});
  return Pattern({static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols())}, triplets);
}

// The same matrix as an operator that says nothing of its pattern: one class, two methods.
class Dense : public RealOperator<Dense> {
 public:
  explicit Dense(MatrixXd m, Dims dims = {}, Dims dimsd = {}) : m_(std::move(m)), dims_(std::move(dims)), dimsd_(std::move(dimsd)) {}
  Shape shape() const override { return {static_cast<std::size_t>(m_.rows()), static_cast<std::size_t>(m_.cols())}; }
  Dims dims() const override { return dims_.empty() ? Operator::dims() : dims_; }
  Dims dimsd() const override { return dimsd_.empty() ? Operator::dimsd() : dimsd_; }
  std::string name() const override { return "Dense"; }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int) const {
    multiply(m_, x, y);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int) const {
    multiply(m_.transpose(), y, x);
  }

 private:
  template <class T>
  static void multiply(const MatrixXd& m, ConstBlock<T> in, Block<T> out) {
    for (std::size_t i = 0; i < out.rows; ++i)
      for (std::size_t p = 0; p < out.pixels; ++p) {
        T sum = 0;
        for (std::size_t j = 0; j < in.rows; ++j) sum += static_cast<T>(m(static_cast<long>(i), static_cast<long>(j))) * in.row(j)[p];
        out.row(i)[p] = sum;
      }
  }
  MatrixXd m_;
  Dims dims_, dimsd_;
};

// A complex diagonal.
class Phasors : public AnyOperator<Phasors> {
 public:
  explicit Phasors(std::vector<std::complex<double>> d) : d_(std::move(d)) {}
  Shape shape() const override { return {d_.size(), d_.size()}; }
  bool complex() const override { return true; }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int) const {
    run(x, y, false);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int) const {
    run(y, x, true);
  }

 private:
  template <class T>
  void run(ConstBlock<T> in, Block<T> out, bool conjugate) const {
    if constexpr (!std::is_floating_point_v<T>)
      for (std::size_t i = 0; i < out.rows; ++i)
        for (std::size_t p = 0; p < out.pixels; ++p) out.row(i)[p] = T(conjugate ? std::conj(d_[i]) : d_[i]) * in.row(i)[p];
  }
  std::vector<std::complex<double>> d_;
};

MatrixXd magnitude(const MatrixXd& m) { return m.cwiseAbs(); }

MatrixXd dense_of(const Operator& op) {
  const auto values = todense(op);
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(values.data(), static_cast<long>(op.shape().rows),
                                                                                                  static_cast<long>(op.shape().columns));
}

struct Composition {
  std::string name;
  LinearOperator op;
  MatrixXd matrix, magnitude;
  bool pixelwise;
};

// Every word of the algebra on operators made by `lift` from matrices.
template <class Lift>
std::vector<Composition> compositions(Lift lift, bool pixelwise) {
  const MatrixXd a = random_matrix(7, 5, 1), b = random_matrix(5, 6, 2), c = random_matrix(7, 5, 3), d = random_matrix(3, 5, 4),
                 s = random_matrix(4, 4, 5), e = random_matrix(7, 2, 6);
  const LinearOperator A = lift(a), B = lift(b), C = lift(c), D = lift(d), S = lift(s), E = lift(e);
  std::vector<Composition> all;
  const auto add = [&](std::string name, const LinearOperator& op, const MatrixXd& matrix, const MatrixXd& size) {
    all.push_back({std::move(name), op, matrix, size, pixelwise});
  };
  const auto mag = [](const MatrixXd& m) { return magnitude(m); };
  add("A B", A * B, a * b, mag(a) * mag(b));
  add("A B B' A'", A * B * B.adjoint() * A.adjoint(), a * b * b.transpose() * a.transpose(),
      mag(a) * mag(b) * mag(b.transpose()) * mag(a.transpose()));
  add("A + C", A + C, a + c, mag(a) + mag(c));
  add("A - C", A - C, a - c, mag(a) + mag(c));
  add("-A", -A, -a, mag(a));
  add("2.5 A", 2.5 * A, 2.5 * a, 2.5 * mag(a));
  add("3 (A - 2 C) B", 3.0 * ((A - 2.0 * C) * B), 3 * (a - 2 * c) * b, 3 * (mag(a) + 2 * mag(c)) * mag(b));
  add("A'", A.adjoint(), a.transpose(), mag(a.transpose()));
  add("(A B)'", (A * B).adjoint(), (a * b).transpose(), (mag(a) * mag(b)).transpose());
  add("S^3", S.power(3), s * s * s, mag(s) * mag(s) * mag(s));
  add("(S^2)'", S.power(2).adjoint(), (s * s).transpose(), (mag(s) * mag(s)).transpose());
  MatrixXd v(17, 5);
  v << a, d, c;
  add("[A; D; C]", vstack(A, D, C), v, mag(v));
  MatrixXd h(7, 12);
  h << a, e, c;
  add("[A, E, C]", hstack(A, E, C), h, mag(h));
  MatrixXd g = MatrixXd::Zero(12, 15);
  g.block(0, 0, 7, 5) = a;
  g.block(7, 5, 5, 6) = b;
  MatrixXd diagonal = MatrixXd::Zero(12, 11);
  diagonal.block(0, 0, 7, 5) = a;
  diagonal.block(7, 5, 5, 6) = b;
  add("diag(A, B)", block_diag(A, B), diagonal, mag(diagonal));
  MatrixXd blocks(14, 7);
  blocks << a, e, c, -e;
  add("[[A, E], [C, -E]]", block({{A, E}, {C, -E}}), blocks, mag(blocks));
  MatrixXd k(35, 30);
  for (long i = 0; i < 7; ++i)
    for (long j = 0; j < 5; ++j) k.block(i * 5, j * 6, 5, 6) = a(i, j) * b;
  add("A (x) B", kronecker(A, B), k, mag(k));
  MatrixXd mixed(10, 6);
  mixed << a * b, d * b;
  MatrixXd mixed_size(10, 6);
  mixed_size << mag(a) * mag(b), mag(d) * mag(b);
  add("[A B; D B]", vstack(A * B, D * B), mixed, mixed_size);
  add(
      "(A + C) [B, B]' ...", (A + C) * hstack(B, 2.0 * B),
      [&] {
        MatrixXd bb(5, 12);
        bb << b, 2 * b;
        return MatrixXd((a + c) * bb);
      }(),
      [&] {
        MatrixXd bb(5, 12);
        bb << mag(b), 2 * mag(b);
        return MatrixXd((mag(a) + mag(c)) * bb);
      }());
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("composed pixelwise operators pass the suite", "[operators][algebra]", float, double) {
  for (const auto& c : compositions([](const MatrixXd& m) { return LinearOperator(pixelwise(m)); }, true)) {
    DYNAMIC_SECTION(c.name) {
      CHECK(c.op.pixelwise());
      suite::all<TestType>(c.op, c.matrix, c.magnitude, 40);
    }
  }
}

TEMPLATE_TEST_CASE("composed scene operators pass the suite", "[operators][algebra]", float, double) {
  for (const auto& c : compositions([](const MatrixXd& m) { return LinearOperator(Dense(m)); }, false)) {
    DYNAMIC_SECTION(c.name) {
      CHECK_FALSE(c.op.pixelwise());
      CHECK_THROWS_AS(c.op.lower(), InvalidArgument);
      suite::all<TestType>(c.op, c.matrix, c.magnitude, 40);
    }
  }
}

TEST_CASE("an adjoint's adjoint is the operator itself", "[operators][algebra]") {
  const LinearOperator a = pixelwise(random_matrix(4, 3, 1)), b = Dense(random_matrix(3, 2, 2));
  for (const auto& op : {a, b, a * b, vstack(a, a), 2.0 * b}) {
    CHECK(op.adjoint().adjoint() == op);
    CHECK(op.transpose().transpose() == op);
    CHECK(op.conjugate() == op);
  }
}

TEST_CASE("products, sums and stacks are flat", "[operators][algebra]") {
  const LinearOperator a = pixelwise(random_matrix(3, 3, 1)), b = pixelwise(random_matrix(3, 3, 2)), c = Dense(random_matrix(3, 3, 3));
  const auto product = formula((2.0 * a) * (b * (-1.0 * c)));
  CHECK(product.kind == Formula::Kind::product);
  CHECK(product.operands.size() == 3);
  CHECK(product.factors.front() == std::complex<double>(-2.0));
  const auto sum = formula(a + 2.0 * (b - c) - a);
  CHECK(sum.kind == Formula::Kind::sum);
  CHECK(sum.factors == std::vector<std::complex<double>>{1.0, 2.0, -2.0, -1.0});
  CHECK(formula(vstack(vstack(a, b), c)).operands.size() == 3);
  CHECK(formula(hstack(a, hstack(b, c))).operands.size() == 3);
  CHECK(formula(block_diag(block_diag(a, b), c)).operands.size() == 3);
}

TEST_CASE("a pixelwise model keeps its matrix", "[operators][algebra]") {
  // Small matrices are multiplied out, others are applied one after the other; the matrix is there either way.
  const MatrixXd tall = random_matrix(30, 20, 1), thin = random_matrix(20, 2, 2);
  const auto op = LinearOperator(pixelwise(tall)) * hstack(pixelwise(thin), pixelwise(thin));
  MatrixXd both(20, 4);
  both << thin, thin;
  MatrixXd lowered = MatrixXd::Zero(30, 4);
  for (const auto& t : op.lower().triplets) lowered(static_cast<long>(t.row), static_cast<long>(t.column)) += t.coefficient;
  CHECK((lowered - tall * both).norm() <= 1e-13 * (tall * both).norm());
}

TEMPLATE_TEST_CASE("fields go through products, sums and stacks", "[operators][algebra]", float, double) {
  constexpr std::size_t pixels = 700;
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(0.5, 2);
  std::vector<double> f(pixels), w(4 * pixels);
  for (auto& v : f) v = uniform(random);
  for (auto& v : w) v = uniform(random);
  const MatrixXd a = random_matrix(4, 3, 1), b = random_matrix(3, 2, 2);
  Lowering column;  // b times a field
  column.shape = {3, 2};
  column.fields = {Field(f, 1, pixels)};
  column.factors = {{{0, 0}}};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 2; ++j) column.triplets.push_back({i, j, b(static_cast<long>(i), static_cast<long>(j)), 0});
  Lowering weights;
  weights.shape = {4, 4};
  weights.fields = {Field(w, 4, pixels)};
  for (std::size_t i = 0; i < 4; ++i) {
    weights.factors.push_back({{0, i}});
    weights.triplets.push_back({i, i, 1.0, static_cast<int>(i)});
  }
  const LinearOperator A = pixelwise(a), F = Pattern(column), W = Pattern(weights);
  const LinearOperator model = W * A * hstack(2.0 * F, F - F, pixelwise(b));
  CHECK(model.pixels() == pixels);
  const auto at = [&](std::size_t p, bool size) {
    const auto m = [&](const MatrixXd& x) { return size ? MatrixXd(x.cwiseAbs()) : x; };
    MatrixXd inner(3, 6);
    inner << m(2 * f[p] * b), (size ? MatrixXd(2 * f[p] * b.cwiseAbs()) : MatrixXd(MatrixXd::Zero(3, 2))), m(b);
    Eigen::VectorXd weight(4);
    for (std::size_t i = 0; i < 4; ++i) weight[static_cast<long>(i)] = w[i * pixels + p];
    return MatrixXd(weight.asDiagonal() * m(a) * inner);
  };
  suite::equals_matrices<TestType>(
      model, [&](std::size_t p) { return at(p, false); }, [&](std::size_t p) { return at(p, true); }, 20);
  // The same on a grid, for one field and for two at once, real and complex.
  const auto scene = model.over({20, 35});
  CHECK(scene.dims() == Dims{6, 20, 35});
  CHECK(scene.dimsd() == Dims{4, 20, 35});
  const auto x = suite::random_grid<TestType>(6, pixels, 1);
  const auto y = suite::apply(model, x, false);
  Grid<TestType> flat(6 * pixels, 2);
  for (std::size_t r = 0; r < 6; ++r)
    for (std::size_t p = 0; p < pixels; ++p) {
      flat.at(r * pixels + p, 0) = x.at(r, p);
      flat.at(r * pixels + p, 1) = -x.at(r, p);
    }
  const auto z = suite::apply(scene, flat, false);
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t p = 0; p < pixels; ++p) {
      REQUIRE(same_bits(z.at(r * pixels + p, 0), y.at(r, p)));
      REQUIRE(z.at(r * pixels + p, 1) == -y.at(r, p));
    }
  std::vector<std::complex<TestType>> in(6 * pixels), out(4 * pixels);
  for (std::size_t r = 0; r < 6; ++r)
    for (std::size_t p = 0; p < pixels; ++p) in[r * pixels + p] = {x.at(r, p), 2 * x.at(r, p)};
  scene.apply(ConstBlock<std::complex<TestType>>(in.data(), in.size(), 1), Block<std::complex<TestType>>(out.data(), out.size(), 1));
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t p = 0; p < pixels; ++p) REQUIRE((out[r * pixels + p] == std::complex<TestType>(y.at(r, p), 2 * y.at(r, p))));
  CHECK_THROWS_AS(model.over({20, 34}), ShapeError);
  CHECK_THROWS_AS(todense(model), InvalidArgument);
}

TEST_CASE("a pixelwise operator lifts itself to the grid of a scene operator", "[operators][algebra]") {
  const MatrixXd a = random_matrix(4, 3, 1), l = random_matrix(12, 12, 2), m = random_matrix(16, 16, 3);
  const LinearOperator A = pixelwise(a), L = Dense(l, {3, 2, 2}, {3, 2, 2}), M = Dense(m, {4, 2, 2}, {4, 2, 2});
  MatrixXd lifted = MatrixXd::Zero(16, 12);
  for (long i = 0; i < 4; ++i)
    for (long j = 0; j < 3; ++j) lifted.block(i * 4, j * 4, 4, 4) = a(i, j) * MatrixXd::Identity(4, 4);
  CHECK((dense_of(A.over({2, 2})) - lifted).norm() == 0);
  CHECK((dense_of(A * L) - lifted * l).norm() <= 1e-13 * l.norm() * lifted.norm());
  CHECK((dense_of(M * A) - m * lifted).norm() <= 1e-13 * m.norm() * lifted.norm());
  CHECK((A * L).dims() == Dims{3, 2, 2});
  CHECK((A * L).dimsd() == Dims{4, 2, 2});
  MatrixXd stacked(28, 12);
  stacked << lifted, 0.5 * l;
  CHECK((dense_of(vstack(A, 0.5 * L)) - stacked).norm() == 0);
  CHECK((dense_of(vstack(0.5 * L, A)).topRows(12) - 0.5 * l).norm() == 0);
  CHECK_THROWS_AS(A * Dense(l), ShapeError);  // its dims tell no grid
  CHECK_THROWS_WITH(A * Dense(l), ContainsSubstring("over(grid)"));
  CHECK_THROWS_AS(L.over({2}), InvalidArgument);
}

TEST_CASE("complex numbers and complex operators", "[operators][algebra]") {
  using C = std::complex<double>;
  const MatrixXd a = random_matrix(3, 3, 1);
  const Eigen::VectorXcd d = random_matrix(3, 1, 2) + C(0, 1) * random_matrix(3, 1, 3);
  const LinearOperator A = pixelwise(a), P = Phasors({d[0], d[1], d[2]});
  const C i(0, 1);
  const Eigen::MatrixXcd D = d.asDiagonal(), Ac = a.cast<C>();
  const auto check = [&](const LinearOperator& op, const Eigen::MatrixXcd& expected) {
    const auto values = todense_complex(op);
    const Eigen::MatrixXcd got = Eigen::Map<const Eigen::Matrix<C, -1, -1, Eigen::RowMajor>>(values.data(), expected.rows(), expected.cols());
    CHECK((got - expected).norm() <= 1e-14 * expected.norm());
    const auto adjoint = todense_complex(op.adjoint());
    const Eigen::MatrixXcd got_adjoint =
        Eigen::Map<const Eigen::Matrix<C, -1, -1, Eigen::RowMajor>>(adjoint.data(), expected.cols(), expected.rows());
    CHECK((got_adjoint - expected.adjoint()).norm() <= 1e-14 * expected.norm());
    const auto transposed = todense_complex(op.transpose());
    const Eigen::MatrixXcd got_transposed =
        Eigen::Map<const Eigen::Matrix<C, -1, -1, Eigen::RowMajor>>(transposed.data(), expected.cols(), expected.rows());
    CHECK((got_transposed - expected.transpose()).norm() <= 1e-14 * expected.norm());
    const auto conjugate = todense_complex(op.conjugate());
    const Eigen::MatrixXcd got_conjugate =
        Eigen::Map<const Eigen::Matrix<C, -1, -1, Eigen::RowMajor>>(conjugate.data(), expected.rows(), expected.cols());
    CHECK((got_conjugate - expected.conjugate()).norm() <= 1e-14 * expected.norm());
  };
  check(A * P, Ac * D);
  check((1.0 + 2.0 * i) * A, (1.0 + 2.0 * i) * Ac);
  check(P * (i * A) + P, D * (i * Ac) + D);
  check(i * (P * A) - A, i * (D * Ac) - Ac);
  Eigen::MatrixXcd stacked(6, 3);
  stacked << D, Ac;
  check(vstack(P, A), stacked);
  CHECK((A * P).complex());
  CHECK_FALSE((i * A).pixelwise());
  std::vector<double> x(3), y(3);
  CHECK_THROWS_AS(P.apply(ConstBlock<double>(x.data(), 3, 1), Block<double>(y.data(), 3, 1)), InvalidArgument);
}

TEST_CASE("fields of different numbers of pixels never meet", "[operators][algebra]") {
  const auto weights = [](std::size_t pixels, std::size_t rows) {
    Lowering matrix({rows, rows});
    matrix.fields = {Field(std::vector<double>(pixels, 2.0), 1, pixels)};
    matrix.factors = {{{0, 0}}};
    for (std::size_t i = 0; i < rows; ++i) matrix.triplets.push_back({i, i, 1.0, 0});
    return LinearOperator(Pattern(matrix));
  };
  // Also where the matrices are too large to be worked out.
  for (const std::size_t rows : {std::size_t(3), std::size_t(110000)}) {
    const LinearOperator a = weights(4, rows), b = weights(8, rows);
    CHECK_THROWS_AS(a * b, ShapeError);
    CHECK_THROWS_AS(a + b, ShapeError);
    CHECK_THROWS_AS(vstack(a, b), ShapeError);
    CHECK_THROWS_AS(block_diag(a, b), ShapeError);
    CHECK_THROWS_AS(kronecker(a, b), ShapeError);
  }
  CHECK_THROWS_AS(Field(std::vector<double>{}, 0, 3), ShapeError);
  CHECK_THROWS_AS(Field(ConstBlock<float>(nullptr, 3, 0), nullptr), ShapeError);
  // Scene operators that contain fields keep their number of pixels.
  const LinearOperator w = weights(2, 2), dense = Dense(random_matrix(2, 2, 1));
  for (const auto& op : {w * dense, dense + w, (std::complex<double>(0, 1) * w).adjoint(), vstack(dense, w)}) {
    CHECK(op.pixels() == 2);
    CHECK_THROWS_AS(todense_complex(op), InvalidArgument);
  }
  CHECK_THROWS_AS(kronecker(w, dense), ShapeError);
  CHECK(kronecker(dense, w).pixels() == 2);
}

namespace {

// y = conj(x): linear over the real numbers only, and its own adjoint there.
class Conjugation : public AnyOperator<Conjugation> {
 public:
  Shape shape() const override { return {3, 3}; }
  bool clinear() const override { return false; }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int) const {
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t p = 0; p < x.pixels; ++p) {
        if constexpr (std::is_floating_point_v<T>) y.row(i)[p] = x.row(i)[p];
        else y.row(i)[p] = std::conj(x.row(i)[p]);
      }
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    map(y, x, threads);
  }
};

}  // namespace

TEST_CASE("complex numbers do not pass what is linear over the real numbers only", "[operators][algebra]") {
  using C = std::complex<double>;
  const C c(2, 1);
  const LinearOperator S = Conjugation(), A = pixelwise(random_matrix(3, 3, 1));
  const MatrixXd a = random_matrix(3, 3, 1);
  const Eigen::Vector3cd x = random_matrix(3, 1, 2) + C(0, 1) * random_matrix(3, 1, 3), y = random_matrix(3, 1, 4) + C(0, 1) * random_matrix(3, 1, 5);
  const auto apply = [](const LinearOperator& op, const Eigen::VectorXcd& in) {
    Eigen::VectorXcd out(static_cast<long>(op.shape().rows));
    op.apply(ConstBlock<C>(in.data(), op.shape().columns, 1), Block<C>(out.data(), op.shape().rows, 1));
    return out;
  };
  const auto check = [&](const LinearOperator& op, const Eigen::VectorXcd& expected, const Eigen::VectorXcd& data) {
    CHECK_FALSE(op.clinear());
    CHECK((apply(op, x) - expected).norm() <= 1e-14 * (1 + expected.norm()));
    const double left = apply(op, x).dot(data).real(), right = x.dot(apply(op.adjoint(), data)).real();
    CHECK(std::abs(left - right) <= 1e-13 * (1 + std::abs(left)));
  };
  check(S * (c * A), (c * (a * x)).conjugate(), y);
  check((c * A) * S, c * (a * x.conjugate()), y);
  check(c * S, c * x.conjugate(), y);
  check(c * (S * A), c * (a * x).conjugate(), y);
  check((c * S) * (c * S), c * (c * x.conjugate()).conjugate(), y);
  check((S * (c * A)) * (c * A), (c * (a * (c * (a * x)))).conjugate(), y);
  check(S + c * S, (1.0 + c) * x.conjugate(), y);
  check(A + c * S, a * x + c * x.conjugate(), y);
  Eigen::VectorXcd both(6), stacked(6);
  both << c * x.conjugate(), a * x;
  stacked << y, x;
  check(vstack(c * S, A), both, stacked);
  CHECK(A.clinear());
  CHECK((c * A).clinear());
}

TEST_CASE("a product is multiplied out only where it is small", "[operators][algebra]") {
  // (6000 x 1) (1 x 6000) has 36 million entries.
  std::vector<Triplet> down, across;
  for (std::size_t i = 0; i < 6000; ++i) down.push_back({i, 0, 1.0}), across.push_back({0, i, 1.0});
  const LinearOperator op = Pattern({6000, 1}, down) * Pattern({1, 6000}, across);
  CHECK(op.pixelwise());
  std::vector<double> x(6000, 1.0), y(6000);
  (2.0 * op).apply({x.data(), 6000, 1}, {y.data(), 6000, 1});
  CHECK(y[17] == 12000);
}

TEST_CASE("shapes that do not fit are named", "[operators][algebra]") {
  const LinearOperator a = pixelwise(random_matrix(4, 3, 1)), b = pixelwise(random_matrix(2, 3, 2));
  CHECK_THROWS_WITH(a * b, ContainsSubstring("(4, 3)") && ContainsSubstring("(2, 3)"));
  CHECK_THROWS_AS(a * b, ShapeError);
  CHECK_THROWS_AS(a + b, ShapeError);
  CHECK_THROWS_AS(hstack(a, b), ShapeError);
  CHECK_THROWS_AS(vstack(a, b.adjoint()), ShapeError);
  CHECK_THROWS_AS(vstack(std::vector<LinearOperator>{}), InvalidArgument);
  CHECK_THROWS_AS(a.power(2), InvalidArgument);
  CHECK_THROWS_AS(std::numeric_limits<double>::quiet_NaN() * a, InvalidArgument);
}

TEST_CASE("describe says the formula, the shapes and the unknowns", "[operators][algebra]") {
  const LinearOperator a = pixelwise(random_matrix(4, 3, 1));
  const LinearOperator v = Pattern({3, 1}, {{0, 0, 1.0}, {1, 0, 2.0}, {2, 0, 3.0}}, "Velocity", {{"velocity", "1/year"}});
  const LinearOperator s = Pattern({3, 2}, {{0, 0, 1.0}}, "Seasonal", {{"cos", ""}, {"sin", ""}});
  CHECK(describe(a * (0.5 * hstack(v, s))) ==
        "0.5 A [B | C]    4 x 3 at every pixel\n  A  Pattern   4 x 3\n  B  Velocity  3 x 1\n  C  Seasonal  3 x 2\n  unknowns: velocity [1/year], "
        "cos, sin");
  CHECK_THAT(describe(vstack(a, a.adjoint().adjoint()) * v, true), ContainsSubstring("\\begin{bmatrix}\\mathbf{A} \\\\ \\mathbf{A}\\end{bmatrix}"));
  CHECK(describe((a + 2.0 * a) * v).starts_with("(A + 2 A) B "));
  CHECK(describe((a * v).adjoint()).starts_with("(A B)^H "));
  const LinearOperator q = pixelwise(random_matrix(3, 3, 4));
  CHECK(describe(kronecker(q, q) * kronecker(q, v)).starts_with("(A (x) A) (A (x) B) "));
  CHECK(describe(kronecker(q, q * v)).starts_with("A (x) (A B) "));
  CHECK(describe(q.adjoint().power(2)).starts_with("(A^H)^2 "));
  CHECK(describe(q - q * q).starts_with("A - A A "));
  CHECK(describe(LinearOperator(Pattern({1, 1}, {{0, 0, 1.0}}, "P", {{"2017_2018", ""}})), true).ends_with("2017\\_2018}"));
}
