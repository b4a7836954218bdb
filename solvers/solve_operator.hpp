// A solver as an operator.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/pixelwise.hpp>
#include <lopsar/solvers/solve.hpp>

namespace lopsar {

// Rows beside the model, + |W^(1/2) R x|^2: a Prior whose data are 0, as an operator is linear.
struct LinearPrior {
  LinearOperator op;             // R: pixelwise, with the columns of the model
  std::optional<Field> weights;  // inverse variances, (rows, pixels), or (rows, 1) for all pixels alike; none: 1
};

struct SolveOperatorOptions {
  std::optional<Field> weights;       // inverse variances, (K, pixels), or (K, 1) for all pixels alike; none: 1. 0 or NaN: the row is missing
  Method method = Method::automatic;  // automatic, cholesky
  std::vector<LinearPrior> priors{};
  double damp = 0;
  Arithmetic arithmetic = Arithmetic::automatic;
  bool fit = false;  // undetermined unknowns of A'W y keep some value that fits the data, instead of 0; the adjoint is then none
};

class NormalSolve;

// y -> x = N^-1 A' W y at every pixel, N = A'W A + priors + damp^2: shape (n, K). Its adjoint is W A N^-1.
//
// Pixelwise, with fields where the model or the weights have them. It factors each pixel anew at every application: factors of all pixels would take
// more memory, and more time to read, than that. Unlike `solve` it is linear: an unknown that nothing determines is 0 and moves nothing (N^-1 is then
// a symmetric generalized inverse), as NaN would spoil iterations. A NaN of y is a missing observation of that application; missing ones proper have
// weight 0. Other input that makes no sense (infinite y or b, NaN in b, a model that is not finite) gives NaN at its pixel. InvalidArgument: another
// method, a scene or complex operator, negative or infinite weights; the adjoint with fit. ShapeError where weights or priors do not fit.
// lower() throws InvalidArgument, as every pixel has a matrix of its own, which is nowhere formed; the algebra never asks for it.
class Solve final : public Pixelwise {
 public:
  explicit Solve(const LinearOperator& model, const SolveOperatorOptions& options = {});

  Shape shape() const override;
  std::size_t pixels() const override;
  Lowering lower() const override;
  std::string name() const override { return "Solve"; }
  std::size_t cost() const override;
  std::size_t terms() const override { return cost(); }
  std::size_t cached_rows(bool) const override { return shape().rows + shape().columns; }
  void forward_tile(ConstBlock<float> y, Block<float> x, Tile tile) const override;
  void forward_tile(ConstBlock<double> y, Block<double> x, Tile tile) const override;
  void adjoint_tile(ConstBlock<float> x, Block<float> y, Tile tile) const override;
  void adjoint_tile(ConstBlock<double> x, Block<double> y, Tile tile) const override;

  // b -> N^-1 b, shape (n, n): what preconditions an iteration, and the covariance of the unknowns.
  NormalSolve normal() const;

 private:
  friend class NormalSolve;
  struct Prepared;
  std::shared_ptr<const Prepared> prepared_;
};

// Its own adjoint, positive semidefinite.
class NormalSolve final : public Pixelwise {
 public:
  explicit NormalSolve(const LinearOperator& model, const SolveOperatorOptions& options = {}) : NormalSolve(Solve(model, options)) {}
  explicit NormalSolve(Solve of) : of_(std::move(of)) {}

  Shape shape() const override { return {of_.shape().rows, of_.shape().rows}; }
  std::size_t pixels() const override { return of_.pixels(); }
  Lowering lower() const override;
  std::string name() const override { return "NormalSolve"; }
  std::size_t cost() const override { return of_.cost(); }
  std::size_t terms() const override { return of_.terms(); }
  std::size_t cached_rows(bool) const override { return 2 * shape().rows; }
  void forward_tile(ConstBlock<float> b, Block<float> x, Tile tile) const override;
  void forward_tile(ConstBlock<double> b, Block<double> x, Tile tile) const override;
  void adjoint_tile(ConstBlock<float> b, Block<float> x, Tile tile) const override { forward_tile(b, x, tile); }
  void adjoint_tile(ConstBlock<double> b, Block<double> x, Tile tile) const override { forward_tile(b, x, tile); }

 private:
  Solve of_;
};

}  // namespace lopsar
