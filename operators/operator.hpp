// What a linear map is.
#pragma once
#include <complex>
#include <cstddef>
#include <string>
#include <vector>

#include <lopsar/operators/field.hpp>
#include <lopsar/operators/lowering.hpp>

namespace lopsar {

// What one unknown (or one row of data) means.
struct Parameter {
  std::string name, unit;
  bool operator==(const Parameter&) const = default;
};

// A linear map y = A x on blocks: x (columns, pixels), y (rows, pixels).
//
// A pixelwise operator maps each pixel (column of the block) by the same sparse matrix, up to fields that differ from pixel to pixel; it can
// lower itself to that matrix. A scene operator maps whole fields, x of shape dims and y of shape dimsd, flattened with the last index
// fastest; the columns of a block are then separate right-hand sides. Coefficients are held in float64; the precision of a result is that
// of the block. Real operators take real and complex blocks. Immutable and thread-safe; the bits of a result do not depend on `threads`.
class Operator {
 public:
  virtual ~Operator() = default;

  virtual Shape shape() const = 0;

  // Shapes of the model and of the data as fields: their products are columns and rows.
  virtual Dims dims() const { return {shape().columns}; }
  virtual Dims dimsd() const { return {shape().rows}; }

  // Whether coefficients are complex; such an operator takes complex blocks only.
  virtual bool complex() const { return false; }
  // Whether A (c x) = c A x for complex c. Real parts and conjugates are linear over the real numbers only; their adjoint is that of the real
  // part of the inner product.
  virtual bool clinear() const { return true; }

  virtual bool pixelwise() const { return false; }
  // The number of pixels for which the operator has fields; 0: any number.
  virtual std::size_t pixels() const { return 0; }
  // The matrix of one pixel: what direct solvers consume. InvalidArgument for a scene operator.
  virtual Lowering lower() const;

  // The name of the class, for messages and describe().
  virtual std::string name() const { return "Operator"; }
  // What the columns (unknowns) are, one per column; empty where nobody said. Units are those of the model.
  virtual std::vector<Parameter> parameters() const { return {}; }

  // y = A x. threads 0: all. ShapeError if the blocks do not fit; x and y must not overlap.
  void apply(ConstBlock<float> x, Block<float> y, int threads = 0) const;
  void apply(ConstBlock<double> x, Block<double> y, int threads = 0) const;
  void apply(ConstBlock<std::complex<float>> x, Block<std::complex<float>> y, int threads = 0) const;
  void apply(ConstBlock<std::complex<double>> x, Block<std::complex<double>> y, int threads = 0) const;

  // x = A^H y, the adjoint. Same rules.
  void apply_adjoint(ConstBlock<float> y, Block<float> x, int threads = 0) const;
  void apply_adjoint(ConstBlock<double> y, Block<double> x, int threads = 0) const;
  void apply_adjoint(ConstBlock<std::complex<float>> y, Block<std::complex<float>> x, int threads = 0) const;
  void apply_adjoint(ConstBlock<std::complex<double>> y, Block<std::complex<double>> x, int threads = 0) const;

 protected:
  // Only the maths: shapes are checked, pixels > 0. A real operator writes the real ones; the complex ones then follow from linearity.
  virtual void forward(ConstBlock<float> x, Block<float> y, int threads) const;
  virtual void forward(ConstBlock<double> x, Block<double> y, int threads) const;
  virtual void forward(ConstBlock<std::complex<float>> x, Block<std::complex<float>> y, int threads) const;
  virtual void forward(ConstBlock<std::complex<double>> x, Block<std::complex<double>> y, int threads) const;
  virtual void adjoint(ConstBlock<float> y, Block<float> x, int threads) const;
  virtual void adjoint(ConstBlock<double> y, Block<double> x, int threads) const;
  virtual void adjoint(ConstBlock<std::complex<float>> y, Block<std::complex<float>> x, int threads) const;
  virtual void adjoint(ConstBlock<std::complex<double>> y, Block<std::complex<double>> x, int threads) const;
};

// A real operator written as two templates: Derived has
//   template <class T> void map(ConstBlock<T> x, Block<T> y, int threads) const;          // y = A x
//   template <class T> void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const;  // x = A' y
// for T = float and double.
template <class Derived>
class RealOperator : public Operator {
 protected:
  void forward(ConstBlock<float> x, Block<float> y, int threads) const override { self().template map<float>(x, y, threads); }
  void forward(ConstBlock<double> x, Block<double> y, int threads) const override { self().template map<double>(x, y, threads); }
  void adjoint(ConstBlock<float> y, Block<float> x, int threads) const override { self().template map_adjoint<float>(y, x, threads); }
  void adjoint(ConstBlock<double> y, Block<double> x, int threads) const override { self().template map_adjoint<double>(y, x, threads); }
  using Operator::adjoint;
  using Operator::forward;

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

// The same for every type of block: T = float, double and their complex numbers.
template <class Derived>
class AnyOperator : public RealOperator<Derived> {
 protected:
  template <class R>
  using C = std::complex<R>;
  void forward(ConstBlock<C<float>> x, Block<C<float>> y, int threads) const override { self().template map<C<float>>(x, y, threads); }
  void forward(ConstBlock<C<double>> x, Block<C<double>> y, int threads) const override { self().template map<C<double>>(x, y, threads); }
  void adjoint(ConstBlock<C<float>> y, Block<C<float>> x, int threads) const override { self().template map_adjoint<C<float>>(y, x, threads); }
  void adjoint(ConstBlock<C<double>> y, Block<C<double>> x, int threads) const override { self().template map_adjoint<C<double>>(y, x, threads); }
  using RealOperator<Derived>::adjoint;
  using RealOperator<Derived>::forward;

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace lopsar
