// Operators composed like mathematics.
#pragma once
#include <complex>
#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <lopsar/operators/operator.hpp>

namespace lopsar {

// Any operator as a value: cheap to copy, immutable, with the algebra below. Concrete operators (Network, Polynomial, ...) become one by
// themselves:
//   auto model = network * (phase_per_meter * hstack(Polynomial(network, 1), DemError(network, baselines, range, incidence)));
// Nothing is multiplied out before it pays: products and sums are lazy and flat, an adjoint's adjoint is the operator itself, pixelwise
// operators stay pixelwise.
class LinearOperator final : public Operator {
 public:
  template <class Op>
  requires std::derived_from<std::remove_cvref_t<Op>, Operator> &&
      (!std::same_as<std::remove_cvref_t<Op>, LinearOperator>)&&(!std::is_abstract_v<std::remove_cvref_t<Op>>)LinearOperator(Op&& op)
      : node_(std::make_shared<const std::remove_cvref_t<Op>>(std::forward<Op>(op))) {}
  explicit LinearOperator(std::shared_ptr<const Operator> node);

  Shape shape() const override { return node_->shape(); }
  Dims dims() const override { return node_->dims(); }
  Dims dimsd() const override { return node_->dimsd(); }
  bool complex() const override { return node_->complex(); }
  bool clinear() const override { return node_->clinear(); }
  bool pixelwise() const override { return node_->pixelwise(); }
  std::size_t pixels() const override { return node_->pixels(); }
  Lowering lower() const override { return node_->lower(); }
  std::string name() const override { return node_->name(); }
  std::vector<Parameter> parameters() const override { return node_->parameters(); }

  // A^H, A^T and the complex conjugate.
  LinearOperator adjoint() const;
  LinearOperator transpose() const;
  LinearOperator conjugate() const;
  // A multiplied by itself, `exponent` >= 0 times; a square operator.
  LinearOperator power(int exponent) const;
  // A pixelwise operator (m, n) as a scene operator from fields (n, *grid) to fields (m, *grid). ShapeError if its fields have other pixels.
  LinearOperator over(Dims grid) const;

  const std::shared_ptr<const Operator>& node() const { return node_; }
  // Whether both are the same object.
  bool operator==(const LinearOperator& other) const { return node_ == other.node_; }

 protected:
  void forward(ConstBlock<float> x, Block<float> y, int threads) const override;
  void forward(ConstBlock<double> x, Block<double> y, int threads) const override;
  void forward(ConstBlock<std::complex<float>> x, Block<std::complex<float>> y, int threads) const override;
  void forward(ConstBlock<std::complex<double>> x, Block<std::complex<double>> y, int threads) const override;
  void adjoint(ConstBlock<float> y, Block<float> x, int threads) const override;
  void adjoint(ConstBlock<double> y, Block<double> x, int threads) const override;
  void adjoint(ConstBlock<std::complex<float>> y, Block<std::complex<float>> x, int threads) const override;
  void adjoint(ConstBlock<std::complex<double>> y, Block<std::complex<double>> x, int threads) const override;

 private:
  std::shared_ptr<const Operator> node_;
};

// (A B) x = A (B x). ShapeError unless B has as many rows as A has columns. Where one is pixelwise and the other a scene operator, the
// pixelwise one is lifted to the grid that the other's dims tell.
LinearOperator operator*(const LinearOperator& a, const LinearOperator& b);
LinearOperator operator+(const LinearOperator& a, const LinearOperator& b);
LinearOperator operator-(const LinearOperator& a, const LinearOperator& b);
LinearOperator operator-(const LinearOperator& a);
LinearOperator operator*(double factor, const LinearOperator& a);
LinearOperator operator*(std::complex<double> factor, const LinearOperator& a);
inline LinearOperator operator*(const LinearOperator& a, double factor) { return factor * a; }

// [A; B; ...]: rows below each other; all have the same number of columns.
LinearOperator vstack(std::vector<LinearOperator> parts);
// [A, B, ...]: columns side by side; all have the same number of rows.
LinearOperator hstack(std::vector<LinearOperator> parts);
// Rows of operators: vstack of hstacks.
LinearOperator block(std::vector<std::vector<LinearOperator>> rows);
// diag(A, B, ...).
LinearOperator block_diag(std::vector<LinearOperator> parts);
// A (x) B on x of shape (columns of A, columns of B).
LinearOperator kronecker(const LinearOperator& a, const LinearOperator& b);

template <class... Ops>
requires(std::convertible_to<Ops, LinearOperator>&&...) LinearOperator vstack(Ops&&... ops) {
  return vstack(std::vector<LinearOperator>{LinearOperator(std::forward<Ops>(ops))...});
}
template <class... Ops>
requires(std::convertible_to<Ops, LinearOperator>&&...) LinearOperator hstack(Ops&&... ops) {
  return hstack(std::vector<LinearOperator>{LinearOperator(std::forward<Ops>(ops))...});
}
template <class... Ops>
requires(std::convertible_to<Ops, LinearOperator>&&...) LinearOperator block_diag(Ops&&... ops) {
  return block_diag(std::vector<LinearOperator>{LinearOperator(std::forward<Ops>(ops))...});
}

// How an operator is made of others: what describe() prints and the algebra flattens.
struct Formula {
  enum class Kind { leaf, product, sum, adjoint, transpose, conjugate, power, vstack, hstack, block_diag, kronecker, over };
  Kind kind = Kind::leaf;
  std::vector<LinearOperator> operands;
  std::vector<std::complex<double>> factors;  // one per operand of a sum; one for a product
  int exponent = 1;
  Dims grid;
};
Formula formula(const Operator& op);

// The formula with shapes, units and the names of parameters, as text or as LaTeX.
std::string describe(const LinearOperator& op, bool latex = false);

// The matrix, row by row (rows x columns values). InvalidArgument for operators with fields, where every pixel has its own, and for complex
// operators where real values are asked for.
std::vector<double> todense(const Operator& op);
std::vector<std::complex<double>> todense_complex(const Operator& op);

}  // namespace lopsar
