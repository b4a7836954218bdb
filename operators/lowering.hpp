// The matrix of one pixel of a pixelwise operator: the same sparsity and coefficients everywhere, times fields.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

#include <lopsar/operators/field.hpp>

namespace lopsar {

// One term of an entry: coefficient, times the value of a factor at the pixel if factor >= 0. Terms of one entry add up.
struct Triplet {
  std::size_t row = 0, column = 0;
  double coefficient = 0;
  int factor = -1;
  bool operator==(const Triplet&) const = default;
};

// Row `row` of fields[field].
struct FieldRow {
  int field = 0;
  std::size_t row = 0;
  auto operator<=>(const FieldRow&) const = default;
};

// Triplets, row by row. A factor is a product of field rows (sorted); it is evaluated where it is used and never stored.
struct Lowering {
  Shape shape;
  std::vector<Triplet> triplets;
  std::vector<Field> fields;
  std::vector<std::vector<FieldRow>> factors;

  Lowering() = default;
  explicit Lowering(Shape s, std::vector<Triplet> t = {}) : shape(s), triplets(std::move(t)) {}

  // Number of pixels of the fields; 0: no fields.
  std::size_t pixels() const { return fields.empty() ? 0 : fields.front().pixels(); }

  // Adds coefficient * part at (row, column). ShapeError where fields have different numbers of pixels.
  void add(const Lowering& part, std::size_t row = 0, std::size_t column = 0, double coefficient = 1);
  // Sorts by row, column and factor; adds up what belongs to the same term; drops zeros, factors and fields that nobody uses.
  void compress();
};

Lowering product(const Lowering& a, const Lowering& b);
Lowering transposed(const Lowering& a);
Lowering kronecker(const Lowering& a, const Lowering& b);

}  // namespace lopsar
