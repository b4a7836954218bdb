// From what happens between dates to a series.
#pragma once
#include <memory>
#include <vector>

#include <lopsar/operators/pixelwise.hpp>
#include <lopsar/operators/time_axis.hpp>

namespace lopsar {

// What an unknown of CumulativeSum is, between one date and the next: the change, or the mean rate per year.
enum class Increment { change, rate };

// x_i = sum of c_j v_j over the intervals j from the reference date to date i, with a minus sign where date i comes first.
//
// v_j belongs to the interval from date j-1 to date j; c_j is 1, or for rates its length in years. Shape (D-1, D-1) with a reference date, else
// (D, D-1) with a first row of zeros. A running sum: D operations per pixel, though the matrix is triangular. Network(pairs) times
// CumulativeSum(network, Increment::rate) is the design matrix of Berardino et al. (2002), eq. 16. InvalidArgument: fewer than two dates.
class CumulativeSum final : public Pixelwise {
 public:
  explicit CumulativeSum(const TimeAxis& axis, Increment increment = Increment::change);

  Shape shape() const override { return shape_; }
  Lowering lower() const override;
  std::string name() const override { return "CumulativeSum"; }
  std::vector<Parameter> parameters() const override { return parameters_; }
  std::size_t cost() const override { return 2 * shape_.rows; }
  std::size_t terms() const override { return shape_.rows * shape_.columns; }
  std::size_t cached_rows(bool) const override { return 0; }

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
