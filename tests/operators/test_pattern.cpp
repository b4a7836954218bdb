#include <Eigen/Dense>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/pattern.hpp>

#include "../support/catch.hpp"
#include "../support/operator_suite.hpp"

using namespace support;
using lopsar::Field;
using lopsar::InvalidArgument;
using lopsar::Lowering;
using lopsar::Pattern;
using lopsar::ShapeError;

namespace {

Pattern random_pattern(std::size_t rows, std::size_t columns, double density, unsigned seed, Eigen::MatrixXd& matrix) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  matrix = Eigen::MatrixXd::Zero(static_cast<long>(rows), static_cast<long>(columns));
  std::vector<lopsar::Triplet> triplets;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      if (uniform(random) < density) {
        const double a = normal(random);
        triplets.push_back({i, j, a});
        matrix(static_cast<long>(i), static_cast<long>(j)) = a;
      }
  std::shuffle(triplets.begin(), triplets.end(), random);
  return Pattern({rows, columns}, triplets);
}

}  // namespace

TEMPLATE_TEST_CASE("Pattern passes the operator suite", "[operators][pattern]", float, double) {
  Eigen::MatrixXd matrix;
  for (const auto& [rows, columns, density] :
       {std::tuple(1, 1, 1.0), std::tuple(7, 3, 1.0), std::tuple(40, 60, 0.05), std::tuple(5, 90, 0.9), std::tuple(90, 5, 0.0)}) {
    DYNAMIC_SECTION(rows << " x " << columns << ", density " << density) {
      const auto op = random_pattern(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns), density, 3, matrix);
      suite::all<TestType>(op, matrix);
    }
  }
}

TEMPLATE_TEST_CASE("Pattern with fields is a matrix per pixel", "[operators][pattern]", float, double) {
  // Fields in both precisions; a factor of one row, of a product, and one that is used by several rows.
  constexpr std::size_t pixels = 1091;
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(0.5, 2);
  std::vector<float> f(2 * pixels);
  std::vector<double> g(pixels);
  for (auto& v : f) v = static_cast<float>(uniform(random));
  for (auto& v : g) v = uniform(random);
  Lowering matrix;
  matrix.shape = {4, 3};
  matrix.fields = {Field(f, 2, pixels), Field(g, 1, pixels)};
  matrix.factors = {{{0, 0}}, {{0, 1}, {1, 0}}, {{1, 0}}};
  matrix.triplets = {{0, 0, 2.0, -1}, {0, 0, -1.5, 0}, {0, 1, 1.0, 1}, {1, 1, 3.0, 2},
                     {2, 2, -1.0, 2}, {2, 0, 0.25, 0}, {3, 2, 1.0, 1}, {3, 1, 0.0, 0}};
  const auto at = [&](std::size_t p, bool absolute) {
    const double a = f[p], b = f[pixels + p], c = g[p];
    Eigen::MatrixXd m(4, 3);
    m << (absolute ? 2 + 1.5 * a : 2 - 1.5 * a), b * c, 0, 0, 3 * c, 0, 0.25 * a, 0, -c, 0, 0, b * c;
    return absolute ? Eigen::MatrixXd(m.cwiseAbs()) : m;
  };
  const Pattern op(matrix);
  CHECK(op.pixels() == pixels);
  suite::equals_matrices<TestType>(
      op, [&](std::size_t p) { return at(p, false); }, [&](std::size_t p) { return at(p, true); }, 6);
  // A NaN in a field harms its pixel only.
  g[17] = std::numeric_limits<double>::quiet_NaN();
  matrix.fields[1] = Field(g, 1, pixels);
  const auto x = suite::random_grid<TestType>(3, pixels, 9);
  const auto clean = suite::apply(op, x, false), spoiled = suite::apply(Pattern(matrix), x, false);
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t r = 0; r < 4; ++r) REQUIRE((p == 17 || same_bits(clean.at(r, p), spoiled.at(r, p))));
  CHECK(std::isnan(spoiled.at(0, 17)));
}

TEST_CASE("Pattern: repeated triplets add up, zeros go", "[operators][pattern]") {
  const Pattern op({2, 2}, {{0, 1, 1.0}, {0, 1, 2.0}, {1, 0, 5.0}, {1, 0, -5.0}, {1, 1, 0.0}});
  CHECK(op.lower().triplets == std::vector<lopsar::Triplet>{{0, 1, 3.0, -1}});
}

TEST_CASE("Pattern says what is wrong with a matrix", "[operators][pattern]") {
  CHECK_THROWS_AS(Pattern({2, 2}, {{2, 0, 1.0}}), InvalidArgument);
  CHECK_THROWS_AS(Pattern({2, 2}, {{0, 2, 1.0}}), InvalidArgument);
  CHECK_THROWS_AS(Pattern({2, 2}, {{0, 0, std::numeric_limits<double>::infinity()}}), InvalidArgument);
  CHECK_THROWS_AS(Pattern({2, 2}, {{0, 0, 1.0, 0}}), InvalidArgument);
  CHECK_THROWS_AS(Pattern({2, 2}, {{0, 0, 1.0}}, "Pattern", {{"a", ""}}), ShapeError);
  CHECK_THROWS_AS(Field(std::vector<double>(5), 2, 3), ShapeError);
  Lowering matrix({1, 1}, {{0, 0, 1.0, 0}});
  matrix.fields = {Field(std::vector<double>(3), 1, 3), Field(std::vector<float>(4), 1, 4)};
  matrix.factors = {{{0, 0}}};
  CHECK_THROWS_AS(Pattern(matrix), ShapeError);
  matrix.fields.pop_back();
  matrix.factors = {{{0, 1}}};
  CHECK_THROWS_AS(Pattern(matrix), InvalidArgument);
}
