// The private extension lopsar._core: one register function per subject.
#include <pybind11/pybind11.h>

#include <lopsar/operators/error.hpp>

namespace py = pybind11;

void register_krylov(py::module_&);
void register_lanes(py::module_&);
void register_operators(py::module_&);
void register_network(py::module_&);
void register_pixelwise(py::module_&);
void register_scene(py::module_&);
void register_solve(py::module_&);
void register_time_series(py::module_&);
void register_files(py::module_&);
void register_invert(py::module_&);

PYBIND11_MODULE(_core, m) {
  m.doc() = "C++ core of lopsar; use the names that the package lopsar offers.";
  // Python's own families stay usable: a wrong argument is also a ValueError, a file problem also an OSError.
  const auto error = py::register_exception<lopsar::Error>(m, "Error");
  const auto both = [&](PyObject* standard) { return py::make_tuple(error, py::handle(standard)); };
  py::register_exception<lopsar::ShapeError>(m, "ShapeError", both(PyExc_ValueError));
  py::register_exception<lopsar::Interrupted>(m, "Interrupted", error);
  py::register_exception<lopsar::InvalidArgument>(m, "InvalidArgument", both(PyExc_ValueError));
  py::register_exception<lopsar::FileError>(m, "FileError", both(PyExc_OSError));
  register_lanes(m);
  register_operators(m);
  register_network(m);
  register_pixelwise(m);
  register_scene(m);
  register_solve(m);
  register_krylov(m);
  register_time_series(m);
  register_files(m);
  register_invert(m);
}
