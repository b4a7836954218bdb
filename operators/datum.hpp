// The date, or mean of dates, that a series is relative to.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <lopsar/operators/pixelwise.hpp>
#include <lopsar/operators/time_axis.hpp>

namespace lopsar {

// y_i = x_i - sum_j w_j x_j / sum_j w_j, j over the chosen dates: a series on all D dates, relative to their weighted mean.
//
// One date: the series relative to that date. All dates: the series without its mean. x is a series of the axis, (D-1) with a reference date
// (whose value is zero) or (D); y has all D dates, the reference date too. Two operations per date and pixel, though the matrix is full.
// InvalidArgument: no date, one that the axis does not have or that is there twice, weights that are negative, not finite or all zero.
// ShapeError: not one weight per chosen date.
class Datum final : public Pixelwise {
 public:
  // dates: empty for all. weights: empty for equal ones.
  explicit Datum(const TimeAxis& axis, const std::vector<std::string>& dates = {}, const std::vector<double>& weights = {});

  Shape shape() const override { return shape_; }
  Lowering lower() const override;
  std::string name() const override { return "Datum"; }
  std::vector<Parameter> parameters() const override { return parameters_; }
  std::size_t cost() const override { return 2 * shape_.rows; }
  std::size_t terms() const override { return shape_.rows * shape_.columns; }
  std::size_t cached_rows(bool adjoint) const override { return adjoint ? shape_.rows : shape_.columns; }

  void forward_tile(ConstBlock<float> x, Block<float> y, Tile tile) const override;
  void forward_tile(ConstBlock<double> x, Block<double> y, Tile tile) const override;
  void adjoint_tile(ConstBlock<float> y, Block<float> x, Tile tile) const override;
  void adjoint_tile(ConstBlock<double> y, Block<double> x, Tile tile) const override;

 private:
  struct Program;
  Shape shape_;
  std::vector<Parameter> parameters_;
  std::shared_ptr<const Program> program_;
};

}  // namespace lopsar
