// Element-wise products on fields.
#pragma once
#include <complex>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <lopsar/operators/scene_operator.hpp>

namespace lopsar {

// y = d x, element by element over a whole field, or d_i times all values with index i along one axis. d real or complex; the adjoint takes its
// complex conjugate. The pixelwise operator is Diagonal.
class FieldDiagonal : public SceneOperator<FieldDiagonal, AnyOperator> {
 public:
  using Complex = std::complex<double>;
  // One value per value of the field. ShapeError: another number of them.
  FieldDiagonal(const Dims& dims, Field values);
  FieldDiagonal(const Dims& dims, std::vector<Complex> values);
  // One value per index along `axis`.
  FieldDiagonal(const Dims& dims, std::ptrdiff_t axis, Field values);
  FieldDiagonal(const Dims& dims, std::ptrdiff_t axis, std::vector<Complex> values);

  bool complex() const final { return complex_ != nullptr; }

 private:
  friend SceneOperator<FieldDiagonal, AnyOperator>;
  FieldDiagonal(const Dims& dims, std::size_t outer, std::size_t n, std::size_t inner, std::optional<Field> real,
                std::shared_ptr<const std::vector<Complex>> complex);
  template <class T>
  void array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const;

  std::size_t outer_, n_, inner_;
  std::optional<Field> real_;
  std::shared_ptr<const std::vector<Complex>> complex_;
};

}  // namespace lopsar
