// lopsar._core.Operator: any operator, its algebra, and one call that applies it to NumPy arrays.
#include <optional>
#include <utility>

#include <pybind11/complex.h>

#include "arrays.hpp"

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/pattern.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

// An operator written in Python as a node of the algebra. It calls object._core_apply(x, adjoint) with x (n,) or (n, k) of its own, so that Python
// may keep it, and takes anything of the right size back.
//
// It looks at the object without keeping it alive: the Python operator that was composed keeps its operands, where the garbage collector
// sees them; a strong reference from here would make an operator that holds a product of itself immortal.
class PythonOperator final : public Operator {
 public:
  PythonOperator(const py::object& object, Dims dims, Dims dimsd, bool complex, std::string name, bool clinear)
      : object_(object), dims_(std::move(dims)), dimsd_(std::move(dimsd)), name_(std::move(name)), complex_(complex), clinear_(clinear) {}
  PythonOperator(PythonOperator&&) = default;
  ~PythonOperator() override {
    if (!object_) return;
    const py::gil_scoped_acquire locked;
    object_.release().dec_ref();
  }

  Shape shape() const override { return {product(dimsd_), product(dims_)}; }
  Dims dims() const override { return dims_; }
  Dims dimsd() const override { return dimsd_; }
  bool complex() const override { return complex_; }
  bool clinear() const override { return clinear_; }
  std::string name() const override { return name_; }

 protected:
  template <class R>
  using C = std::complex<R>;
  void forward(ConstBlock<float> x, Block<float> y, int) const override { call(x, y, false); }
  void forward(ConstBlock<double> x, Block<double> y, int) const override { call(x, y, false); }
  void forward(ConstBlock<C<float>> x, Block<C<float>> y, int) const override { call(x, y, false); }
  void forward(ConstBlock<C<double>> x, Block<C<double>> y, int) const override { call(x, y, false); }
  void adjoint(ConstBlock<float> y, Block<float> x, int) const override { call(y, x, true); }
  void adjoint(ConstBlock<double> y, Block<double> x, int) const override { call(y, x, true); }
  void adjoint(ConstBlock<C<float>> y, Block<C<float>> x, int) const override { call(y, x, true); }
  void adjoint(ConstBlock<C<double>> y, Block<C<double>> x, int) const override { call(y, x, true); }

 private:
  template <class T>
  void call(ConstBlock<T> in, Block<T> out, bool adjoint) const {
    const py::gil_scoped_acquire locked;
    const py::object object = object_();
    if (object.is_none()) throw InvalidArgument(name_ + ": expected the Python operator to live as long as what is composed of it, but it is gone");
    // One column is a flat array, as methods of operators take it.
    auto given = in.pixels == 1 ? py::array_t<T>(static_cast<py::ssize_t>(in.rows)) : py::array_t<T>({in.rows, in.pixels});
    for (std::size_t i = 0; i < in.rows; ++i) std::copy_n(in.row(i), in.pixels, given.mutable_data() + i * in.pixels);
    const py::array result = object.attr("_core_apply")(given, adjoint);
    if (static_cast<std::size_t>(result.size()) != out.rows * out.pixels)
      throw ShapeError(name_ + (adjoint ? ": expected _rmatvec to return " : ": expected _matvec to return ") + std::to_string(out.rows) +
                       " values for each column, got " + std::to_string(result.size()) + " for " + std::to_string(out.pixels));
    if constexpr (std::is_floating_point_v<T>)
      if (result.dtype().kind() == 'c')
        throw InvalidArgument(name_ + ": expected real values for real input, got complex ones; construct it with a complex dtype");
    const py::array_t<T, py::array::c_style | py::array::forcecast> values(result);
    for (std::size_t i = 0; i < out.rows; ++i) std::copy_n(values.data() + i * out.pixels, out.pixels, out.row(i));
  }

  py::weakref object_;
  Dims dims_, dimsd_;
  std::string name_;
  bool complex_, clinear_;
};

// What the arrays of a call look like to the core. Only what needs no copy: native byte order, aligned, rows without gaps.
template <class T>
std::optional<ConstBlock<T>> view(const py::detail::PyArray_Proxy& array, bool contiguous) {
  constexpr auto size = static_cast<py::ssize_t>(sizeof(T));
  const auto* data = reinterpret_cast<const T*>(array.data);
  if (array.nd == 0) return {};
  const auto rows = static_cast<std::size_t>(array.dimensions[0]);
  if (contiguous) {
    std::size_t pixels = 1;
    for (int i = 1; i < array.nd; ++i) pixels *= static_cast<std::size_t>(array.dimensions[i]);
    return ConstBlock<T>(data, rows, pixels);
  }
  if (array.nd > 2 || array.strides[0] % size != 0) return {};
  const auto pixels = array.nd == 1 ? 1 : static_cast<std::size_t>(array.dimensions[1]);
  if ((pixels > 1 && array.strides[1] != size) || array.strides[0] < size * static_cast<py::ssize_t>(pixels)) return {};
  return ConstBlock<T>(data, rows, pixels, static_cast<std::size_t>(array.strides[0] / size));
}

const py::detail::PyArray_Proxy* fitting(py::handle array) {
  if (!py::isinstance<py::array>(array)) return nullptr;
  const auto* proxy = py::detail::array_proxy(array.ptr());
  const char order = py::reinterpret_borrow<py::array>(array).dtype().byteorder();
  const bool aligned = (proxy->flags & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
  return aligned && (order == '=' || order == '|') ? proxy : nullptr;
}
bool contiguous(const py::detail::PyArray_Proxy& array) { return (array.flags & py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_) != 0; }

template <class T>
void run(const LinearOperator& op, ConstBlock<T> in, Block<T> out, bool adjoint, int threads) {
  if (adjoint) op.apply_adjoint(in, out, threads);
  else op.apply(in, out, threads);
}

template <class T>
py::object apply_to(const LinearOperator& op, const py::detail::PyArray_Proxy& array, bool adjoint, int threads) {
  const Shape shape = op.shape();
  const auto in = view<T>(array, contiguous(array));
  if (!in || in->rows != (adjoint ? shape.rows : shape.columns) || (std::is_floating_point_v<T> && op.complex())) return py::none();
  std::vector<py::ssize_t> dims(array.dimensions, array.dimensions + array.nd);
  dims[0] = static_cast<py::ssize_t>(adjoint ? shape.columns : shape.rows);
  auto& api = py::detail::npy_api::get();
  Py_INCREF(array.descr);
  auto result = py::reinterpret_steal<py::object>(
      api.PyArray_NewFromDescr_(api.PyArray_Type_, array.descr, array.nd, dims.data(), nullptr, nullptr, 0, nullptr));
  if (!result) throw py::error_already_set();
  const Block<T> out(reinterpret_cast<T*>(py::detail::array_proxy(result.ptr())->data), static_cast<std::size_t>(dims[0]), in->pixels);
  // For a few values, handing the GIL over and waking threads would take longer than the work.
  if ((in->rows + out.rows) * in->pixels < 1024) {
    run<T>(op, *in, out, adjoint, 1);
  } else {
    const py::gil_scoped_release released;
    run<T>(op, *in, out, adjoint, threads);
  }
  return result;
}

// A new array A x, x (n,), (n, k) or (n, ...); None where x has to be prepared first (another type, layout or shape).
py::object apply(const LinearOperator& op, py::handle x, bool adjoint, int threads) {
  const auto* array = fitting(x);
  if (!array) return py::none();
  switch (py::reinterpret_borrow<py::array>(x).dtype().num()) {
    case py::detail::npy_api::NPY_FLOAT_: return apply_to<float>(op, *array, adjoint, threads);
    case py::detail::npy_api::NPY_DOUBLE_: return apply_to<double>(op, *array, adjoint, threads);
    case py::detail::npy_api::NPY_CFLOAT_: return apply_to<std::complex<float>>(op, *array, adjoint, threads);
    case py::detail::npy_api::NPY_CDOUBLE_: return apply_to<std::complex<double>>(op, *array, adjoint, threads);
    default: return py::none();
  }
}

template <class T>
void apply_into(const LinearOperator& op, const py::array_t<T, 0>& x, py::array_t<T, 0>& out, bool adjoint, int threads) {
  const auto* from = fitting(x);
  const auto* to = fitting(out);
  const auto in = from ? view<T>(*from, contiguous(*from)) : std::nullopt;
  const auto result = to ? view<T>(*to, contiguous(*to)) : std::nullopt;
  if (!in || !result) throw ShapeError("apply_into: expected arrays (rows, columns) with contiguous rows, got others; copy them");
  const Block<T> values(out.mutable_data(), result->rows, result->pixels, result->stride);
  const py::gil_scoped_release released;
  run<T>(op, *in, values, adjoint, threads);
}

py::array copied(const Field& values) {
  const auto copy = [&](auto zero) -> py::array {
    py::array_t<decltype(zero)> array({values.rows(), values.pixels()});
    for (std::size_t i = 0; i < values.rows(); ++i) values.read(i, 0, values.pixels(), array.mutable_data() + i * values.pixels());
    return array;
  };
  return values.as<float>() ? copy(0.0F) : copy(0.0);
}

py::dict lower(const LinearOperator& op) {
  const Lowering matrix = op.lower();
  const auto n = static_cast<py::ssize_t>(matrix.triplets.size());
  py::array_t<std::int64_t> rows(n), columns(n), factor(n);
  py::array_t<double> coefficients(n);
  for (py::ssize_t i = 0; i < n; ++i) {
    const Triplet& t = matrix.triplets[static_cast<std::size_t>(i)];
    rows.mutable_at(i) = static_cast<std::int64_t>(t.row);
    columns.mutable_at(i) = static_cast<std::int64_t>(t.column);
    coefficients.mutable_at(i) = t.coefficient;
    factor.mutable_at(i) = t.factor;
  }
  py::list factors, fields;
  for (const auto& product : matrix.factors) {
    py::list of;
    for (const auto& part : product) of.append(py::make_tuple(part.field, part.row));
    factors.append(of);
  }
  for (const auto& values : matrix.fields) fields.append(copied(values));
  py::dict out;
  out["row"] = rows;
  out["column"] = columns;
  out["coefficient"] = coefficients;
  out["factor"] = factor;
  out["factors"] = factors;
  out["fields"] = fields;
  return out;
}

// y_i = sum of coefficient * (row of `fields`, -1: none) * x_j.
using Indices = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;
LinearOperator pattern(std::pair<std::size_t, std::size_t> shape, const Indices& row, const Indices& column, const py::array_t<double>& coefficient,
                       const Indices& factor, const std::optional<py::array>& fields, std::string name) {
  Lowering matrix;
  matrix.shape = {shape.first, shape.second};
  for (py::ssize_t i = 0; i < row.size(); ++i)
    matrix.triplets.push_back(
        {static_cast<std::size_t>(row.at(i)), static_cast<std::size_t>(column.at(i)), coefficient.at(i), static_cast<int>(factor.at(i))});
  if (fields) {
    matrix.fields.push_back(field(*fields, "fields"));
    for (std::size_t i = 0; i < matrix.fields[0].rows(); ++i) matrix.factors.push_back({{0, i}});
  }
  return Pattern(std::move(matrix), std::move(name));
}

py::tuple tuple_of(const Dims& dims) { return py::tuple(py::cast(dims)); }

}  // namespace

void register_operators(py::module_& m) {
  py::class_<LinearOperator>(m, "Operator", "Any operator: a node of the algebra in C++.")
      .def_property_readonly("shape", [](const LinearOperator& op) { return py::make_tuple(op.shape().rows, op.shape().columns); })
      .def_property_readonly("dims", [](const LinearOperator& op) { return tuple_of(op.dims()); })
      .def_property_readonly("dimsd", [](const LinearOperator& op) { return tuple_of(op.dimsd()); })
      .def_property_readonly("complex", &LinearOperator::complex)
      .def_property_readonly("pixelwise", &LinearOperator::pixelwise)
      .def_property_readonly("pixels", &LinearOperator::pixels)
      .def_property_readonly("name", &LinearOperator::name)
      .def_property_readonly("parameters",
                             [](const LinearOperator& op) {
                               std::vector<std::pair<std::string, std::string>> out;
                               for (const auto& p : op.parameters()) out.emplace_back(p.name, p.unit);
                               return out;
                             })
      .def("lower", &lower, "The matrix of one pixel: triplets, products of field rows, and fields.")
      .def(
          "describe", [](const LinearOperator& op, bool latex) { return describe(op, latex); }, py::arg("latex") = false)
      .def("apply", &apply, py::arg("x"), py::arg("adjoint") = false, py::arg("threads") = 0)
      .def("apply_into", &apply_into<float>, py::arg("x").noconvert(), py::arg("out").noconvert(), py::arg("adjoint") = false, py::arg("threads") = 0)
      .def("apply_into", &apply_into<double>, py::arg("x").noconvert(), py::arg("out").noconvert(), py::arg("adjoint") = false,
           py::arg("threads") = 0)
      .def("apply_into", &apply_into<std::complex<float>>, py::arg("x").noconvert(), py::arg("out").noconvert(), py::arg("adjoint") = false,
           py::arg("threads") = 0)
      .def("apply_into", &apply_into<std::complex<double>>, py::arg("x").noconvert(), py::arg("out").noconvert(), py::arg("adjoint") = false,
           py::arg("threads") = 0)
      .def("adjoint", [](const LinearOperator& op) { return op.adjoint(); })
      .def("transpose", &LinearOperator::transpose)
      .def("conjugate", &LinearOperator::conjugate)
      .def("power", &LinearOperator::power, py::arg("exponent"))
      .def("over", &LinearOperator::over, py::arg("grid"))
      .def(
          "scaled", [](const LinearOperator& op, std::complex<double> factor) { return factor.imag() == 0 ? factor.real() * op : factor * op; },
          py::arg("factor"));
  m.def("product", [](const LinearOperator& a, const LinearOperator& b) { return a * b; });
  m.def("sum", [](const LinearOperator& a, const LinearOperator& b) { return a + b; });
  m.def("difference", [](const LinearOperator& a, const LinearOperator& b) { return a - b; });
  m.def("vstack", [](std::vector<LinearOperator> parts) { return vstack(std::move(parts)); });
  m.def("hstack", [](std::vector<LinearOperator> parts) { return hstack(std::move(parts)); });
  m.def("block_diag", [](std::vector<LinearOperator> parts) { return block_diag(std::move(parts)); });
  m.def("kronecker", [](const LinearOperator& a, const LinearOperator& b) { return kronecker(a, b); });
  m.def("pattern", &pattern, py::arg("shape"), py::arg("row"), py::arg("column"), py::arg("coefficient"), py::arg("factor"), py::arg("fields"),
        py::arg("name"));
  m.def(
      "python_operator",
      [](const py::object& object, Dims dims, Dims dimsd, bool complex, std::string name, bool clinear) {
        return LinearOperator(PythonOperator(object, std::move(dims), std::move(dimsd), complex, std::move(name), clinear));
      },
      py::arg("object"), py::arg("dims"), py::arg("dimsd"), py::arg("complex"), py::arg("name"), py::arg("clinear"));
}
