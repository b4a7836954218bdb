// NumPy arrays as blocks, without copies.
#pragma once
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
  if (!rows_fit || (array.shape(1) > 1 && array.strides(1) != size))
    throw ShapeError(std::string(name) + ": expected an array with contiguous rows; copy it");
  const auto rows = static_cast<std::size_t>(array.shape(0)), pixels = static_cast<std::size_t>(array.shape(1));
  return {array.data(), rows, pixels, rows > 1 ? static_cast<std::size_t>(array.strides(0) / size) : pixels};
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

}  // namespace lopsar::bindings
