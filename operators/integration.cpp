#include <lopsar/operators/integration.hpp>

#include <cmath>
#include <string>

#include <lopsar/operators/cpu/running_sum.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

Dims integrated(Dims dims, std::ptrdiff_t axis, bool remove_first) {
  std::size_t& n = dims[checked_axis(axis, checked_dims(dims, "CausalIntegration").size(), "CausalIntegration")];
  if (remove_first && n == 1) throw InvalidArgument("CausalIntegration: expected at least 2 values where the first is removed, got 1");
  if (remove_first) --n;
  return dims;
}

}  // namespace

CausalIntegration::CausalIntegration(const Dims& dims, std::ptrdiff_t axis, double sampling, Quadrature kind, bool remove_first)
    : SceneOperator(dims, integrated(dims, axis, remove_first), "CausalIntegration"),
      outer_(1),
      inner_(1),
      sampling_(sampling),
      kind_(kind),
      remove_first_(remove_first) {
  if (!std::isfinite(sampling)) throw InvalidArgument("CausalIntegration: expected a finite sampling, got " + std::to_string(sampling));
  const std::size_t at = checked_axis(axis, dims.size(), "CausalIntegration");
  n_ = dims[at];
  for (std::size_t a = 0; a < dims.size(); ++a) (a < at ? outer_ : inner_) *= a == at ? 1 : dims[a];
}

template <class T>
void CausalIntegration::array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const {
  const double h = sampling_, half = kind_ == Quadrature::full ? h : h / 2;
  const cpu::RunningWeights w{half, kind_ == Quadrature::trapezoidal ? h / 2 : h, half, h};
  const std::size_t skip = remove_first_ ? 1 : 0;
  if (adjoint) cpu::running_sum_adjoint(w, from, to, outer_, n_, inner_ * k, skip, threads);
  else cpu::running_sum(w, from, to, outer_, n_, inner_ * k, skip, threads);
}
template void CausalIntegration::array(const float*, float*, std::size_t, bool, int) const;
template void CausalIntegration::array(const double*, double*, std::size_t, bool, int) const;

}  // namespace lopsar
