// Operators that map whole fields: finite differences, copies, interpolation, integrals.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/complex.h>

#include "arrays.hpp"

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/derivative.hpp>
#include <lopsar/operators/field_diagonal.hpp>
#include <lopsar/operators/integration.hpp>
#include <lopsar/operators/interpolation.hpp>
#include <lopsar/operators/pattern.hpp>
#include <lopsar/operators/rearrange.hpp>
#include <lopsar/operators/smoothing.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

template <class Kind>
Kind one_of(const std::string& name, const std::vector<std::pair<const char*, Kind>>& kinds, const char* who) {
  std::string expected;
  for (const auto& [known, kind] : kinds) {
    if (name == known) return kind;
    expected += (expected.empty() ? "'" : ", '") + std::string(known) + "'";
  }
  throw InvalidArgument(std::string(who) + ": expected kind " + expected + ", got '" + name + "'");
}

Difference difference(const std::string& kind, const char* who) {
  return one_of<Difference>(kind, {{"centered", Difference::centered}, {"forward", Difference::forward}, {"backward", Difference::backward}}, who);
}

// NumPy arrays of any number type as vectors.
template <class T>
std::vector<T> numbers(const py::array_t<T, py::array::c_style | py::array::forcecast>& array) {
  return {array.data(), array.data() + array.size()};
}
template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

std::vector<Triplet> triplets(const Array<std::int64_t>& row, const Array<std::int64_t>& column, const Array<double>& coefficient) {
  if (row.size() != column.size() || row.size() != coefficient.size()) throw ShapeError("expected rows, columns and coefficients of equal length");
  std::vector<Triplet> result;
  result.reserve(static_cast<std::size_t>(row.size()));
  for (py::ssize_t i = 0; i < row.size(); ++i)
    result.push_back({static_cast<std::size_t>(row.data()[i]), static_cast<std::size_t>(column.data()[i]), coefficient.data()[i]});
  return result;
}

// An operator on one short axis is the same matrix at every pixel: as a Pattern it keeps models pixelwise, which is what solvers want. A Pattern
// takes longer for a single column, so long axes stay fields.
constexpr std::size_t short_axis = 1024;
LinearOperator pixelwise_if_short(Stencil op) {
  const bool is_short = op.dims().size() == 1 && op.dimsd().size() == 1 && op.shape().rows + op.shape().columns <= short_axis;
  if (is_short) return Pattern(op.shape(), op.triplets(), op.name());
  return op;
}

using Axis = std::ptrdiff_t;
using Axes = std::vector<std::ptrdiff_t>;
using Numbers = std::vector<double>;

}  // namespace

void register_scene(py::module_& m) {
  m.def("first_derivative", [](const Dims& dims, Axis axis, double sampling, const std::string& kind, bool edge, int order) -> LinearOperator {
    return pixelwise_if_short(FirstDerivative(dims, axis, {sampling, difference(kind, "FirstDerivative"), edge, order}));
  });
  m.def("second_derivative", [](const Dims& dims, Axis axis, double sampling, const std::string& kind, bool edge) -> LinearOperator {
    return pixelwise_if_short(SecondDerivative(dims, axis, {sampling, difference(kind, "SecondDerivative"), edge, 3}));
  });
  m.def("laplacian",
        [](const Dims& dims, const Axes& axes, const Numbers& weights, const Numbers& sampling, const std::string& kind,
           bool edge) -> LinearOperator { return Laplacian(dims, axes, weights, sampling, difference(kind, "Laplacian"), edge); });
  m.def("gradient", [](const Dims& dims, const Numbers& sampling, const std::string& kind, bool edge) -> LinearOperator {
    return Gradient(dims, sampling, difference(kind, "Gradient"), edge);
  });
  m.def("directional_derivative",
        [](const Dims& dims, const Numbers& v, const Numbers& sampling, const std::string& kind, bool edge) -> LinearOperator {
          return DirectionalDerivative(dims, v, sampling, difference(kind, "DirectionalDerivative"), edge);
        });
  m.def("smoothing", [](std::size_t n, const Dims& dims, Axis axis) -> LinearOperator { return pixelwise_if_short(Smoothing1D(n, dims, axis)); });

  m.def("flip", [](const Dims& dims, Axis axis) -> LinearOperator { return pixelwise_if_short(Flip(dims, axis)); });
  m.def("roll", [](const Dims& dims, Axis axis, Axis shift) -> LinearOperator { return pixelwise_if_short(Roll(dims, axis, shift)); });
  m.def("symmetrize", [](const Dims& dims, Axis axis) -> LinearOperator { return pixelwise_if_short(Symmetrize(dims, axis)); });
  m.def("pad", [](const Dims& dims, const std::vector<std::pair<std::size_t, std::size_t>>& pad) -> LinearOperator { return Pad(dims, pad); });
  m.def("transpose", [](const Dims& dims, const Axes& axes) -> LinearOperator { return Transpose(dims, axes); });
  m.def("field_restriction",
        [](const Dims& dims, const Array<Axis>& indices, Axis axis) -> LinearOperator { return FieldRestriction(dims, numbers(indices), axis); });
  m.def("field_identity", [](const Dims& dimsd, const Dims& dims) -> LinearOperator { return FieldIdentity(dimsd, dims); });
  m.def("field_zero", [](const Dims& dimsd, const Dims& dims) -> LinearOperator { return FieldZero(dimsd, dims); });
  m.def(
      "field_diagonal",
      [](const py::array& values, const Dims& dims, std::optional<Axis> axis) -> LinearOperator {
        if (values.dtype().kind() == 'c') {
          const py::array_t<std::complex<double>, py::array::c_style | py::array::forcecast> numbers(values);
          std::vector<std::complex<double>> copy(numbers.data(), numbers.data() + numbers.size());
          return axis ? FieldDiagonal(dims, *axis, std::move(copy)) : FieldDiagonal(dims, std::move(copy));
        }
        const Field look = field(values, "Diagonal");
        return axis ? FieldDiagonal(dims, *axis, look) : FieldDiagonal(dims, look);
      },
      "Values (1, n) float32 or float64, looked at, or complex, copied; on one axis, or on the whole field (None).");

  m.def("causal_integration", [](const Dims& dims, Axis axis, double sampling, const std::string& kind, bool remove_first) -> LinearOperator {
    const auto rule = one_of<Quadrature>(kind, {{"full", Quadrature::full}, {"half", Quadrature::half}, {"trapezoidal", Quadrature::trapezoidal}},
                                         "CausalIntegration");
    return CausalIntegration(dims, axis, sampling, rule, remove_first);
  });
  m.def("sum_axis", [](const Dims& dims, Axis axis) -> LinearOperator { return pixelwise_if_short(Sum(dims, axis)); });
  m.def("interpolation", [](const Dims& dims, const Array<double>& positions, Axis axis, const std::string& kind) -> LinearOperator {
    const auto rule =
        one_of<Interpolant>(kind, {{"nearest", Interpolant::nearest}, {"linear", Interpolant::linear}, {"sinc", Interpolant::sinc}}, "Interp");
    return pixelwise_if_short(Interpolation(dims, numbers(positions), axis, rule));
  });
  m.def("bilinear", [](const Dims& dims, const Array<double>& first, const Array<double>& second) -> LinearOperator {
    return Bilinear(dims, numbers(first), numbers(second));
  });
  m.def(
      "along_axis",
      [](const Dims& dims, Axis axis, std::size_t n, const Array<std::int64_t>& row, const Array<std::int64_t>& column,
         const Array<double>& coefficient, std::string name) -> LinearOperator {
        return pixelwise_if_short(AlongAxis(dims, axis, n, triplets(row, column, coefficient), std::move(name)));
      },
      "A sparse matrix (n, dims[axis]) along an axis.");
  m.def(
      "on_fields",
      [](const Dims& dims, const Dims& dimsd, const Array<std::int64_t>& row, const Array<std::int64_t>& column, const Array<double>& coefficient,
         std::string name) -> LinearOperator {
        return pixelwise_if_short(AlongAxis(dims, dimsd, triplets(row, column, coefficient), std::move(name)));
      },
      "A sparse matrix (product of dimsd, product of dims) on whole fields.");
}
