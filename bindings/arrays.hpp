// NumPy arrays as blocks, without copies.
#pragma once
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
Block<T> block(py::array_t<T, 0>& array, const char* name) {
  if (array.ndim() != 2 || (array.shape(1) > 1 && array.strides(1) != static_cast<py::ssize_t>(sizeof(T))) || array.strides(0) % static_cast<py::ssize_t>(sizeof(T)) || array.strides(0) < 0)
    throw ShapeError(std::string(name) + ": expected a 2-D array with contiguous rows");
  return {array.mutable_data(), static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1)),
          static_cast<std::size_t>(array.strides(0)) / sizeof(T)};
}
template <class T>
ConstBlock<T> const_block(const py::array_t<T, 0>& array, const char* name) {
  if (array.ndim() != 2 || (array.shape(1) > 1 && array.strides(1) != static_cast<py::ssize_t>(sizeof(T))) || array.strides(0) % static_cast<py::ssize_t>(sizeof(T)) || array.strides(0) < 0)
    throw ShapeError(std::string(name) + ": expected a 2-D array with contiguous rows");
  return {array.data(), static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1)),
          static_cast<std::size_t>(array.strides(0)) / sizeof(T)};
}

// A 1-D contiguous output of n values, or null where None was given.
template <class T>
T* vector(std::optional<py::array_t<T, 0>>& array, std::size_t n, const char* name) {
  if (!array) return nullptr;
  if (array->ndim() != 1 || static_cast<std::size_t>(array->shape(0)) != n || (n > 1 && array->strides(0) != static_cast<py::ssize_t>(sizeof(T))))
    throw ShapeError(std::string(name) + ": expected a contiguous array of " + std::to_string(n) + " values");
  return array->mutable_data();
}

}  // namespace lopsar::bindings
