// What a linear map is.
#pragma once
#include <cstddef>
#include <vector>

#include <lopsar/operators/field.hpp>

namespace lopsar {

// Rows (data) and columns (unknowns) of one pixel's problem.
struct Shape {
  std::size_t rows = 0, columns = 0;
  bool operator==(const Shape&) const = default;
};

// One entry of the matrix of a pixelwise operator.
struct Triplet {
  std::size_t row = 0, column = 0;
  double coefficient = 0;
};

// A linear map applied to every pixel on its own: y = A x, x (columns, pixels), y (rows, pixels).
// Coefficients are held in float64; the precision of a result is that of the block. Thread-safe; results do not depend on `threads`.
class Operator {
 public:
  virtual ~Operator() = default;

  virtual Shape shape() const = 0;

  // y = A x. threads 0: all. ShapeError if the blocks do not fit; x and y must not overlap.
  void apply(ConstBlock<float> x, Block<float> y, int threads = 0) const;
  void apply(ConstBlock<double> x, Block<double> y, int threads = 0) const;

  // x = A' y, the adjoint. Same rules.
  void apply_adjoint(ConstBlock<float> y, Block<float> x, int threads = 0) const;
  void apply_adjoint(ConstBlock<double> y, Block<double> x, int threads = 0) const;

  // The matrix of one pixel, row by row: what direct solvers consume.
  virtual std::vector<Triplet> lower() const = 0;

 protected:
  // Only the maths: shapes are checked, pixels > 0.
  virtual void forward(ConstBlock<float> x, Block<float> y, int threads) const = 0;
  virtual void forward(ConstBlock<double> x, Block<double> y, int threads) const = 0;
  virtual void adjoint(ConstBlock<float> y, Block<float> x, int threads) const = 0;
  virtual void adjoint(ConstBlock<double> y, Block<double> x, int threads) const = 0;
};

}  // namespace lopsar
