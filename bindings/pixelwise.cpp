// Operators on the dates of a series, and those that leave pixels alone.
#include <variant>

#include "arrays.hpp"

#include <lopsar/inversion/baselines.hpp>
#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/cumulative_sum.hpp>
#include <lopsar/operators/datum.hpp>
#include <lopsar/operators/dem_error.hpp>
#include <lopsar/operators/diagonal.hpp>
#include <lopsar/operators/difference.hpp>
#include <lopsar/operators/restriction.hpp>
#include <lopsar/operators/time_model.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

TimeConvention convention_of(const std::string& name) {
  if (name == "elapsed") return TimeConvention::elapsed;
  if (name == "mintpy") return TimeConvention::mintpy;
  throw InvalidArgument("convention: expected 'elapsed' or 'mintpy', got '" + name + "'");
}

// A Python float, or an array (1, pixels).
std::variant<double, Field> number_or_field(const py::object& value, const char* name) {
  if (py::isinstance<py::float_>(value)) return value.cast<double>();
  return field(value.cast<py::array>(), name);
}

LinearOperator dem_error(const TimeAxis& axis, const py::array& baselines, const py::object& slant_range, const py::object& incidence) {
  const Geometry geometry{number_or_field(slant_range, "slant_range"), number_or_field(incidence, "incidence")};
  if (baselines.ndim() == 1) return DemError(axis, baselines.cast<std::vector<double>>(), geometry);
  return DemError(axis, field(baselines, "date_baselines"), geometry);
}

LinearOperator weighting(const py::array& weights) {
  if (weights.ndim() == 1) return Weighting(weights.cast<std::vector<double>>());
  return Weighting(field(weights, "weights"));
}

}  // namespace

void register_pixelwise(py::module_& m) {
  py::class_<TimeAxis>(m, "TimeAxis")
      .def(py::init([](const std::vector<std::string>& dates, std::optional<std::size_t> reference, const std::string& convention) {
             return TimeAxis(dates, reference, convention_of(convention));
           }),
           py::arg("dates"), py::arg("reference"), py::arg("convention"))
      .def_property_readonly("dates", &TimeAxis::dates);

  using Dates = std::vector<std::string>;
  using Numbers = std::vector<double>;
  m.def(
      "polynomial", [](const TimeAxis& axis, int degree) -> LinearOperator { return Polynomial(axis, degree); }, py::arg("axis"), py::arg("degree"));
  m.def(
      "seasonal", [](const TimeAxis& axis, const Numbers& periods) -> LinearOperator { return Seasonal(axis, periods); }, py::arg("axis"),
      py::arg("periods"));
  m.def(
      "step", [](const TimeAxis& axis, const Dates& dates) -> LinearOperator { return Step(axis, dates); }, py::arg("axis"), py::arg("dates"));
  m.def(
      "exponential", [](const TimeAxis& axis, const std::string& onset, double time) -> LinearOperator { return Exponential(axis, onset, time); },
      py::arg("axis"), py::arg("onset"), py::arg("characteristic_time"));
  m.def(
      "logarithm", [](const TimeAxis& axis, const std::string& onset, double time) -> LinearOperator { return Logarithm(axis, onset, time); },
      py::arg("axis"), py::arg("onset"), py::arg("characteristic_time"));
  m.def(
      "polyline", [](const TimeAxis& axis, const Dates& breakpoints) -> LinearOperator { return Polyline(axis, breakpoints); }, py::arg("axis"),
      py::arg("breakpoints"));
  m.def("dem_error", &dem_error, py::arg("axis"), py::arg("date_baselines"), py::arg("slant_range"), py::arg("incidence"));
  m.def(
      "time_difference", [](const TimeAxis& axis, int order) -> LinearOperator { return TimeDifference(axis, order); }, py::arg("axis"),
      py::arg("order"));
  m.def(
      "cumulative_sum",
      [](const TimeAxis& axis, bool rates) -> LinearOperator { return CumulativeSum(axis, rates ? Increment::rate : Increment::change); },
      py::arg("axis"), py::arg("rates"));
  m.def(
      "datum", [](const TimeAxis& axis, const Dates& dates, const Numbers& weights) -> LinearOperator { return Datum(axis, dates, weights); },
      py::arg("axis"), py::arg("dates"), py::arg("weights"));
  m.def("weighting", &weighting, py::arg("weights"));
  m.def(
      "identity", [](std::size_t rows, std::size_t columns) -> LinearOperator { return Identity(rows, columns); }, py::arg("rows"),
      py::arg("columns"));
  m.def(
      "zero", [](std::size_t rows, std::size_t columns) -> LinearOperator { return Zero(rows, columns); }, py::arg("rows"), py::arg("columns"));
  m.def(
      "diagonal", [](const Numbers& values) -> LinearOperator { return Diagonal(values); }, py::arg("values"));
  m.def(
      "restriction", [](std::size_t n, const std::vector<std::size_t>& indices) -> LinearOperator { return Restriction(n, indices); }, py::arg("n"),
      py::arg("indices"));

  m.def(
      "date_baselines",
      [](const Network& network, const Numbers& pair_baselines) {
        const auto found = date_baselines(network, pair_baselines);
        return std::make_pair(py::array_t<double>(static_cast<py::ssize_t>(found.date.size()), found.date.data()),
                              std::make_pair(found.rms_misfit, found.max_misfit));
      },
      py::arg("network"), py::arg("pair_baselines"));
}
