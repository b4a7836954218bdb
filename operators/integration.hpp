// Integrals along an axis of a field.
#pragma once
#include <cstddef>

#include <lopsar/operators/scene_operator.hpp>

namespace lopsar {

// What a value itself adds to the integral up to it.
enum class Quadrature { full, half, trapezoidal };

// y_i = h (sum of x_j over j < i, plus x_i), an integral up to and including x_i (full); x_i counts half (half); x_i and x_0 count half
// (trapezoidal). remove_first: without row 0, so that the axis of the data is one shorter. Sums are taken in float64.
// InvalidArgument: a sampling that is not finite, remove_first on an axis of 1.
class CausalIntegration : public SceneOperator<CausalIntegration> {
 public:
  explicit CausalIntegration(const Dims& dims, std::ptrdiff_t axis = -1, double sampling = 1, Quadrature kind = Quadrature::full,
                             bool remove_first = false);

 private:
  friend SceneOperator<CausalIntegration>;
  template <class T>
  void array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const;
  std::size_t outer_, n_, inner_;
  double sampling_;
  Quadrature kind_;
  bool remove_first_;
};

}  // namespace lopsar
