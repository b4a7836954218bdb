// A pixelwise operator given by its matrix.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <lopsar/operators/pixelwise.hpp>

namespace lopsar {

// The same sparse matrix at every pixel, entries optionally times fields: y_i = sum_j a_ij f_ij(pixel) x_j.
//
// Per pixel it reads x and the fields once from memory and writes y once. Derive from it to name an operator: the constructor of the
// derived class works out the matrix.
class Pattern : public Pixelwise {
 public:
  // InvalidArgument: an entry outside the shape, more than 2^31 - 1 rows, columns or entries, a coefficient that is not finite, a factor or field
  // that is not there. ShapeError: fields of different numbers of pixels.
  explicit Pattern(Lowering matrix, std::string name = "Pattern", std::vector<Parameter> parameters = {});
  // Without fields.
  Pattern(Shape shape, std::vector<Triplet> triplets, std::string name = "Pattern", std::vector<Parameter> parameters = {});

  Shape shape() const final { return matrix_->shape; }
  std::size_t pixels() const final { return matrix_->pixels(); }
  Lowering lower() const final { return *matrix_; }
  std::string name() const final { return name_; }
  std::vector<Parameter> parameters() const final { return parameters_; }
  std::size_t cost() const final { return matrix_->triplets.size(); }
  std::size_t terms() const final { return matrix_->triplets.size(); }
  std::size_t cached_rows(bool adjoint) const final;

  void forward_tile(ConstBlock<float> x, Block<float> y, Tile tile) const final;
  void forward_tile(ConstBlock<double> x, Block<double> y, Tile tile) const final;
  void adjoint_tile(ConstBlock<float> y, Block<float> x, Tile tile) const final;
  void adjoint_tile(ConstBlock<double> y, Block<double> x, Tile tile) const final;

 private:
  struct Program;
  template <class T>
  void run(const Program& program, ConstBlock<T> in, Block<T> out, Tile tile) const;

  std::shared_ptr<const Lowering> matrix_;
  std::shared_ptr<const Program> forward_, adjoint_;
  std::string name_;
  std::vector<Parameter> parameters_;
};

}  // namespace lopsar
