#include <complex>

#include <Eigen/Dense>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/field_diagonal.hpp>
#include <lopsar/operators/rearrange.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using Eigen::MatrixXd;
using lopsar::Dims;
using lopsar::InvalidArgument;
using lopsar::ShapeError;

namespace {

using Index = std::vector<std::ptrdiff_t>;

// The matrix of an operator that takes the value at `source(index of y)` of x, or none.
template <class Source>
MatrixXd moves(const Dims& dims, const Dims& dimsd, Source source) {
  MatrixXd m = MatrixXd::Zero(static_cast<long>(lopsar::product(dimsd)), static_cast<long>(lopsar::product(dims)));
  for (long row = 0; row < m.rows(); ++row) {
    Index at(dimsd.size());
    long rest = row;
    for (std::size_t a = dimsd.size(); a-- > 0; rest /= static_cast<long>(dimsd[a])) at[a] = rest % static_cast<long>(dimsd[a]);
    const Index from = source(at);
    long column = 0;
    bool inside = true;
    for (std::size_t a = 0; a < dims.size(); ++a) {
      inside = inside && from[a] >= 0 && from[a] < static_cast<long>(dims[a]);
      column = column * static_cast<long>(dims[a]) + from[a];
    }
    if (inside) m(row, column) = 1;
  }
  return m;
}

const std::vector<std::pair<Dims, std::ptrdiff_t>> grids{{{1}, 0}, {{9}, 0}, {{4, 5}, 0}, {{4, 5}, -1}, {{2, 3, 4}, 1}, {{3, 1, 5}, -1}};
std::size_t positive(std::ptrdiff_t axis, const Dims& dims) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::ptrdiff_t>(dims.size()) : axis);
}
Dims with(Dims dims, std::size_t axis, std::size_t n) {
  dims[axis] = n;
  return dims;
}

}  // namespace

TEMPLATE_TEST_CASE("Flip, Roll and Symmetrize move values along an axis", "[operators][rearrange]", float, double) {
  for (const auto& [dims, axis] : grids) {
    const std::size_t a = positive(axis, dims);
    const auto n = static_cast<std::ptrdiff_t>(dims[a]);
    const auto change = [&, d = dims](std::size_t length, auto f) {
      return moves(d, with(d, a, length), [&](Index at) {
        at[a] = f(at[a]);
        return at;
      });
    };
    suite::all<TestType>(lopsar::Flip(dims, axis), change(dims[a], [&](std::ptrdiff_t i) { return n - 1 - i; }));
    suite::all<TestType>(lopsar::Symmetrize(dims, axis), change(2 * dims[a] - 1, [&](std::ptrdiff_t i) { return std::abs(i - (n - 1)); }));
    for (const std::ptrdiff_t shift : {1, 0, -1, 2, 13}) {
      const MatrixXd matrix = change(dims[a], [&](std::ptrdiff_t i) { return ((i - shift) % n + n) % n; });
      suite::equals_matrix<TestType>(lopsar::Roll(dims, axis, shift), matrix, matrix, 1);
    }
  }
}

TEMPLATE_TEST_CASE("FieldRestriction picks, and its adjoint adds where an index repeats", "[operators][rearrange]", float, double) {
  const Index picks{3, 0, 1, 2, 2, -1, 3};
  for (const auto& [dims, axis] : std::vector<std::pair<Dims, std::ptrdiff_t>>{{{4}, 0}, {{4, 3}, 0}, {{3, 4}, -1}, {{2, 4, 3}, 1}}) {
    const std::size_t a = positive(axis, dims);
    suite::all<TestType>(lopsar::FieldRestriction(dims, picks, axis), moves(dims, with(dims, a, picks.size()), [&, at_axis = a](Index at) {
                           const std::ptrdiff_t pick = picks[static_cast<std::size_t>(at[at_axis])];
                           at[at_axis] = pick < 0 ? pick + 4 : pick;
                           return at;
                         }));
  }
  // Many scattered picks.
  Index many;
  for (std::ptrdiff_t i = 0; i < 200; ++i) many.push_back(7 * i % 61);
  for (const auto& dims : {Dims{61}, Dims{3, 61}, Dims{12, 61}}) {
    const MatrixXd matrix = moves(dims, with(dims, dims.size() - 1, 200), [&](Index at) {
      at.back() = many[static_cast<std::size_t>(at.back())];
      return at;
    });
    suite::equals_matrix<TestType>(lopsar::FieldRestriction(dims, many), matrix, matrix, 4);
  }
  CHECK_THROWS_AS(lopsar::FieldRestriction({4}, {4}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FieldRestriction({4}, {-5}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::FieldRestriction({4}, {}), InvalidArgument);
}

TEMPLATE_TEST_CASE("Pad and FieldIdentity copy a box", "[operators][rearrange]", float, double) {
  const Dims dims{2, 3, 4}, padded{3, 3, 9};
  suite::all<TestType>(lopsar::Pad(dims, {{1, 0}, {0, 0}, {2, 3}}), moves(dims, padded, [](Index at) { return Index{at[0] - 1, at[1], at[2] - 2}; }));
  for (const auto& dimsd : {dims, Dims{2, 5, 4}, Dims{1, 3, 2}, Dims{4, 3, 1}})
    suite::all<TestType>(lopsar::FieldIdentity(dimsd, dims), moves(dims, dimsd, [](Index at) { return at; }));
  suite::all<TestType>(lopsar::FieldZero({2, 3}, {4}), MatrixXd::Zero(6, 4));
  CHECK_THROWS_AS(lopsar::Pad({2, 3}, {{1, 1}}), ShapeError);
  CHECK_THROWS_AS(lopsar::FieldIdentity({2, 3}, {6}), ShapeError);
}

TEMPLATE_TEST_CASE("Transpose permutes axes", "[operators][rearrange]", float, double) {
  for (const auto& [dims, axes] : std::vector<std::pair<Dims, Index>>{{{5}, {0}},
                                                                      {{5, 3}, {1, 0}},
                                                                      {{5, 3}, {0, 1}},
                                                                      {{2, 3, 4}, {2, 0, 1}},
                                                                      {{2, 3, 4}, {-1, 1, 0}},
                                                                      {{2, 3, 4}, {1, 0, 2}},
                                                                      {{2, 1, 4}, {2, 1, 0}},
                                                                      {{2, 3, 1, 4}, {3, 0, 1, 2}},
                                                                      {{2, 3, 2, 3}, {0, 3, 1, 2}}}) {
    Dims dimsd;
    Index old;
    for (const auto a : axes) old.push_back(a < 0 ? a + static_cast<std::ptrdiff_t>(dims.size()) : a);
    for (const auto a : old) dimsd.push_back(dims[static_cast<std::size_t>(a)]);
    const lopsar::Transpose op(dims, axes);
    CHECK(op.dimsd() == dimsd);
    suite::all<TestType>(op, moves(dims, dimsd, [&](const Index& at) {
                           Index from(at.size());
                           for (std::size_t a = 0; a < at.size(); ++a) from[static_cast<std::size_t>(old[a])] = at[a];
                           return from;
                         }));
  }
  // More than one block of values.
  const lopsar::Transpose op({70, 3, 45}, {2, 1, 0});
  const auto x = suite::random_grid<TestType>(70 * 3 * 45, 1, 2), y = suite::apply(op, x, false);
  bool right = true;
  for (std::size_t i = 0; i < 70; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 45; ++k) right = right && y.at((k * 3 + j) * 70 + i, 0) == x.at((i * 3 + j) * 45 + k, 0);
  CHECK(right);
  CHECK(suite::dense(suite::apply(op, y, true)) == suite::dense(x));
  CHECK_THROWS_AS(lopsar::Transpose({2, 3}, {0, 0}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Transpose({2, 3}, {0}), InvalidArgument);
  CHECK_THROWS_AS(lopsar::Transpose({2, 3}, {0, 2}), InvalidArgument);
}

TEMPLATE_TEST_CASE("FieldDiagonal multiplies a field or one axis of it", "[operators][rearrange]", float, double) {
  std::vector<double> full(24), axis{2, -3, 0.5};
  for (std::size_t i = 0; i < full.size(); ++i) full[i] = 0.25 * static_cast<double>(i) - 1;
  const Eigen::VectorXd d = Eigen::Map<const Eigen::VectorXd>(full.data(), 24);
  suite::all<TestType>(lopsar::FieldDiagonal({2, 3, 4}, lopsar::Field(full, 1, 24)), d.asDiagonal());
  suite::all<TestType>(lopsar::FieldDiagonal({2, 3, 4}, lopsar::Field(std::vector<float>(full.begin(), full.end()), 6, 4)), d.asDiagonal());
  Eigen::VectorXd middle(24);
  for (long i = 0; i < 24; ++i) middle(i) = axis[static_cast<std::size_t>(i / 4 % 3)];
  suite::all<TestType>(lopsar::FieldDiagonal({2, 3, 4}, 1, lopsar::Field(axis, 1, 3)), middle.asDiagonal());
  CHECK_THROWS_AS(lopsar::FieldDiagonal({2, 3, 4}, 0, lopsar::Field(axis, 1, 3)), ShapeError);
  CHECK_THROWS_AS(lopsar::FieldDiagonal({2, 3}, lopsar::Field(axis, 1, 3)), ShapeError);

  // Complex: forward d, adjoint its conjugate.
  using C = std::complex<TestType>;
  const std::vector<std::complex<double>> z{{1, 2}, {0, -1}, {3, 0.5}};
  const lopsar::FieldDiagonal op({2, 3}, -1, z);
  CHECK(op.complex());
  std::vector<C> x(12), y(12), back(12);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = {static_cast<TestType>(i), static_cast<TestType>(2) - static_cast<TestType>(i)};
  op.apply(lopsar::ConstBlock<C>(x.data(), 6, 2), lopsar::Block<C>(y.data(), 6, 2));
  op.apply_adjoint(lopsar::ConstBlock<C>(x.data(), 6, 2), lopsar::Block<C>(back.data(), 6, 2));
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(y[i] == C(z[i / 2 % 3]) * x[i]);
    CHECK(back[i] == std::conj(C(z[i / 2 % 3])) * x[i]);
  }
  std::vector<TestType> real(6);
  CHECK_THROWS_AS(op.apply(lopsar::ConstBlock<TestType>(real.data(), 6, 1), lopsar::Block<TestType>(real.data(), 6, 1)), InvalidArgument);
}
