// NumPy arrays as blocks, without copies.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/field.hpp>

namespace lopsar::bindings {
namespace py = pybind11;

// A 2-D array (rows, pixels) with contiguous rows. Python code prepares arrays; what does not fit is an error, never a copy.
template <class T>
ConstBlock<T> const_block(const py::array_t<T, 0>& array, const char* name) {
  constexpr auto size = static_cast<py::ssize_t>(sizeof(T));
  if (array.ndim() != 2) throw ShapeError(std::string(name) + ": expected a 2-D array, got " + std::to_string(array.ndim()) + " dimensions");
  const bool rows_fit = array.shape(0) <= 1 || (array.strides(0) >= 0 && array.strides(0) % size == 0);
  if (array.size() > 0 && (!rows_fit || (array.shape(1) > 1 && array.strides(1) != size)))
    throw ShapeError(std::string(name) + ": expected an array with contiguous rows; copy it");
  const auto rows = static_cast<std::size_t>(array.shape(0)), pixels = static_cast<std::size_t>(array.shape(1));
  return {array.data(), rows, pixels, rows > 1 && array.size() > 0 ? static_cast<std::size_t>(array.strides(0) / size) : pixels};
}
template <class T>
Block<T> block(py::array_t<T, 0>& array, const char* name) {
  const auto view = const_block(array, name);
  return {array.mutable_data(), view.rows, view.pixels, view.stride};
}

// A 1-D contiguous array of n values, or null where None was given.
template <class T>
const T* const_vector(const std::optional<py::array_t<T, 0>>& array, std::size_t n, const char* name) {
  if (!array) return nullptr;
  if (array->ndim() != 1 || static_cast<std::size_t>(array->shape(0)) != n || (n > 1 && array->strides(0) != static_cast<py::ssize_t>(sizeof(T))))
    throw ShapeError(std::string(name) + ": expected a contiguous array of " + std::to_string(n) + " values");
  return array->data();
}
template <class T>
T* vector(std::optional<py::array_t<T, 0>>& array, std::size_t n, const char* name) {
  return const_vector(array, n, name) ? array->mutable_data() : nullptr;
}

// A float32 or float64 array (rows, pixels) as a field that looks at it and keeps it alive; it must not change.
inline Field field(const py::array& array, const char* name) {
  // Whoever lets go last may be a thread that does not hold the GIL.
  const std::shared_ptr<const void> owner(new py::array(array), [](const void* last) {
    const py::gil_scoped_acquire locked;
    delete static_cast<const py::array*>(last);
  });
  if (py::isinstance<py::array_t<float>>(array)) return {const_block<float>(py::array_t<float, 0>(array), name), owner};
  if (py::isinstance<py::array_t<double>>(array)) return {const_block<double>(py::array_t<double, 0>(array), name), owner};
  throw InvalidArgument(std::string(name) + ": expected a float32 or float64 array, got " + py::cast<std::string>(py::str(array.dtype())));
}

}  // namespace lopsar::bindings
