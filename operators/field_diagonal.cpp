#include <lopsar/operators/field_diagonal.hpp>

#include <string>
#include <type_traits>

#include <lopsar/operators/cpu/scale.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

using Values = std::shared_ptr<const std::vector<std::complex<double>>>;

Values keep(std::vector<std::complex<double>> values) { return std::make_shared<const std::vector<std::complex<double>>>(std::move(values)); }

// Values before, along and after an axis.
struct Sizes {
  std::size_t outer = 1, n = 1, inner = 1;
  Sizes(const Dims& dims, std::ptrdiff_t axis) {
    const std::size_t at = checked_axis(axis, checked_dims(dims, "Diagonal").size(), "Diagonal");
    for (std::size_t a = 0; a < dims.size(); ++a) (a < at ? outer : a == at ? n : inner) *= dims[a];
  }
};

template <class T>
struct real_part {
  using type = T;
};
template <class R>
struct real_part<std::complex<R>> {
  using type = R;
};

}  // namespace

FieldDiagonal::FieldDiagonal(const Dims& dims, std::size_t outer, std::size_t n, std::size_t inner, std::optional<Field> real, Values complex)
    : SceneOperator(checked_dims(dims, "Diagonal"), dims, "Diagonal"),
      outer_(outer),
      n_(n),
      inner_(inner),
      real_(std::move(real)),
      complex_(std::move(complex)) {
  const std::size_t got = complex_ ? complex_->size() : real_->rows() * real_->pixels();
  if (got != n) throw ShapeError("Diagonal: expected " + std::to_string(n) + " values, got " + std::to_string(got));
  if (real_ && !real_->contiguous()) throw ShapeError("Diagonal: expected values without gaps between rows; copy them");
}

FieldDiagonal::FieldDiagonal(const Dims& dims, Field values) : FieldDiagonal(dims, 1, product(dims), 1, std::move(values), nullptr) {}
FieldDiagonal::FieldDiagonal(const Dims& dims, std::vector<Complex> values)
    : FieldDiagonal(dims, 1, product(dims), 1, std::nullopt, keep(std::move(values))) {}
FieldDiagonal::FieldDiagonal(const Dims& dims, std::ptrdiff_t axis, Field values)
    : FieldDiagonal(dims, Sizes(dims, axis).outer, Sizes(dims, axis).n, Sizes(dims, axis).inner, std::move(values), nullptr) {}
FieldDiagonal::FieldDiagonal(const Dims& dims, std::ptrdiff_t axis, std::vector<Complex> values)
    : FieldDiagonal(dims, Sizes(dims, axis).outer, Sizes(dims, axis).n, Sizes(dims, axis).inner, std::nullopt, keep(std::move(values))) {}

template <class T>
void FieldDiagonal::array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const {
  using R = typename real_part<T>::type;
  const auto scaled = [&](auto factor) { cpu::scale(from, to, outer_, n_, inner_ * k, threads, factor); };
  if constexpr (!std::is_same_v<T, R>) {
    if (complex_)
      return scaled([values = complex_->data(), adjoint](std::size_t i) {
        const auto v = static_cast<T>(values[i]);
        return adjoint ? std::conj(v) : v;
      });
  }
  if (const auto* values = real_->as<float>()) return scaled([v = values->data](std::size_t i) { return static_cast<R>(v[i]); });
  scaled([v = real_->as<double>()->data](std::size_t i) { return static_cast<R>(v[i]); });
}
template void FieldDiagonal::array(const float*, float*, std::size_t, bool, int) const;
template void FieldDiagonal::array(const double*, double*, std::size_t, bool, int) const;
template void FieldDiagonal::array(const std::complex<float>*, std::complex<float>*, std::size_t, bool, int) const;
template void FieldDiagonal::array(const std::complex<double>*, std::complex<double>*, std::size_t, bool, int) const;

}  // namespace lopsar
