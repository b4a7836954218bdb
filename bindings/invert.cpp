#include <exception>
#include <optional>
#include <string>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <lopsar/inversion/invert.hpp>

namespace py = pybind11;
using namespace lopsar;

namespace {

// What the monitor raised, caused by what failed after it, if anything did.
[[noreturn]] void interrupt(const std::exception_ptr& raised, const std::exception_ptr& failed) {
  std::string why;
  try {
    if (failed) std::rethrow_exception(failed);
  } catch (const std::exception& error) {
    why = error.what();
  }
  try {
    std::rethrow_exception(raised);
  } catch (py::error_already_set& error) {
    if (failed) PyException_SetCause(error.value().ptr(), py::module_::import("lopsar._core").attr("Error")(why).release().ptr());
    throw;
  }
}

// The products are there: Ctrl-C says so and carries the report, an error of the monitor is printed.
void finished(const std::exception_ptr& raised, const InvertReport& report) {
  try {
    std::rethrow_exception(raised);
  } catch (py::error_already_set& error) {
    if (error.matches(PyExc_Exception)) return error.discard_as_unraisable("the progress function of a finished lopsar.invert");
    if (error.matches(PyExc_KeyboardInterrupt)) {
      error.value().attr("args") = py::make_tuple("the products are complete, under their final names");
      error.value().attr("report") = py::cast(report);
    }
    throw;
  }
}

// The monitor runs Python code on Python's thread, and is where Ctrl-C arrives.
InvertReport run(const InvertOptions& options, const std::optional<py::function>& monitor) {
  std::exception_ptr raised;
  const auto ask = [&](const InvertProgress& progress) {
    if (raised) return false;
    py::gil_scoped_acquire gil;
    try {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      return !monitor || !py::object((*monitor)(progress)).is(py::bool_(false));
    } catch (...) {
      raised = std::current_exception();
      return false;
    }
  };
  InvertReport report;
  std::exception_ptr failed;
  {
    py::gil_scoped_release release;
    try {
      report = invert(options, ask);
    } catch (...) {
      failed = std::current_exception();
    }
  }
  if (!raised && failed) std::rethrow_exception(failed);
  if (raised && (failed || report.interrupted)) interrupt(raised, failed);
  if (raised) finished(raised, report);
  return report;
}

}  // namespace

void register_invert(py::module_& m) {
  py::class_<Stack::Baselines>(m, "Baselines")
      .def_readonly("pair", &Stack::Baselines::pair)
      .def_readonly("date", &Stack::Baselines::date)
      .def_readonly("rms_misfit", &Stack::Baselines::rms_misfit)
      .def_readonly("max_misfit", &Stack::Baselines::max_misfit);

  py::class_<Stack> stack(m, "Stack");
  stack
      .def(py::init([](const py::object& path) {
             const auto text = py::cast<std::string>(py::module_::import("os").attr("fspath")(path));
             py::gil_scoped_release release;
             return Stack(text);
           }),
           py::arg("path"))
      .def_property_readonly("path", &Stack::path)
      .def_property_readonly("attributes", &Stack::attributes)
      .def_property_readonly("datasets", &Stack::datasets)
      .def_property_readonly("all_pairs", &Stack::all_pairs)
      .def_property_readonly("keep", &Stack::keep)
      .def_property_readonly("kept", &Stack::kept)
      .def_property_readonly("network", &Stack::network, py::return_value_policy::reference_internal)
      .def_property_readonly("length", &Stack::length)
      .def_property_readonly("width", &Stack::width)
      .def_property_readonly("wavelength", &Stack::wavelength)
      .def_property_readonly("phase_per_meter", &Stack::phase_per_meter)
      .def_property_readonly("looks", &Stack::looks)
      .def_property_readonly("reference",
                             [](const Stack& s) -> std::optional<std::pair<std::size_t, std::size_t>> {
                               const auto pixel = s.reference();
                               if (!pixel) return std::nullopt;
                               return std::pair{pixel->row, pixel->column};
                             })
      .def("baselines", &Stack::baselines);

  py::class_<InvertOptions>(m, "InvertOptions")
      .def(py::init<>())
      .def_readwrite("stack", &InvertOptions::stack)
      .def_readwrite("dataset", &InvertOptions::dataset)
      .def_readwrite("output", &InvertOptions::output)
      .def_readwrite("weight_function", &InvertOptions::weight_function)
      .def_property(
          "solver", [](const InvertOptions& o) { return name(o.solver); }, [](InvertOptions& o, const std::string& text) { o.solver = method(text); })
      .def_readwrite("minimum_norm_velocity", &InvertOptions::minimum_norm_velocity)
      .def_readwrite("mask_dataset", &InvertOptions::mask_dataset)
      .def_readwrite("mask_threshold", &InvertOptions::mask_threshold)
      .def_readwrite("min_redundancy", &InvertOptions::min_redundancy)
      .def_readwrite("water_mask", &InvertOptions::water_mask)
      .def_readwrite("skip_reference", &InvertOptions::skip_reference)
      .def_readwrite("ram", &InvertOptions::ram)
      .def_readwrite("threads", &InvertOptions::threads)
      .def_readwrite("chunk_size", &InvertOptions::chunk_size)
      .def_readwrite("attributes", &InvertOptions::attributes);
  py::class_<InvertPlan>(m, "InvertPlan", "What a run will do; sizes in bytes.")
      .def_readonly("pairs", &InvertPlan::pairs)
      .def_readonly("all_pairs", &InvertPlan::all_pairs)
      .def_readonly("dates", &InvertPlan::dates)
      .def_readonly("components", &InvertPlan::components)
      .def_readonly("length", &InvertPlan::length)
      .def_readonly("width", &InvertPlan::width)
      .def_readonly("pixels", &InvertPlan::pixels)
      .def_readonly("rows_per_block", &InvertPlan::rows_per_block)
      .def_readonly("blocks", &InvertPlan::blocks)
      .def_readonly("blocks_in_flight", &InvertPlan::blocks_in_flight)
      .def_readonly("memory_bytes", &InvertPlan::memory_bytes)
      .def_readonly("bytes_to_read", &InvertPlan::bytes_to_read)
      .def_readonly("bytes_to_write", &InvertPlan::bytes_to_write)
      .def_readonly("predicted_seconds", &InvertPlan::predicted_seconds)
      .def_readonly("threads", &InvertPlan::threads)
      .def_readonly("isa", &InvertPlan::isa)
      .def_readonly("version", &InvertPlan::version)
      .def_readonly("codec", &InvertPlan::codec);
  py::class_<InvertProgress>(m, "InvertProgress", "How far a run is.")
      .def_readonly("blocks_done", &InvertProgress::blocks_done)
      .def_readonly("blocks", &InvertProgress::blocks)
      .def_readonly("pixels_done", &InvertProgress::pixels_done)
      .def_readonly("pixels", &InvertProgress::pixels)
      .def_readonly("bytes_read", &InvertProgress::bytes_read)
      .def_readonly("bytes_written", &InvertProgress::bytes_written)
      .def_readonly("seconds", &InvertProgress::seconds);
  py::class_<InvertReport>(m, "InvertReport", "What became of a run: pixels by status, times (read, compute and write overlap), bytes, files.")
      .def_readonly("plan", &InvertReport::plan)
      .def_property_readonly("pixels_by_status",
                             [](const InvertReport& r) {
                               static const char* names[] = {"ok",     "rank_deficient", "no_data",       "below_redundancy",
                                                             "masked", "not_finite",     "not_converged", "breakdown"};
                               py::dict counts;
                               for (std::size_t i = 0; i < r.pixels_by_status.size(); ++i) counts[names[i]] = r.pixels_by_status[i];
                               return counts;
                             })
      .def_property_readonly("solver", [](const InvertReport& r) { return name(r.solver.method); })
      .def_property_readonly("arithmetic", [](const InvertReport& r) { return name(r.solver.arithmetic); })
      .def_readonly("pixels_inverted", &InvertReport::pixels_inverted)
      .def_readonly("pixels_by_edge_flow", &InvertReport::pixels_by_edge_flow)
      .def_readonly("water_pixels", &InvertReport::water_pixels)
      .def_readonly("incoherent_pixels", &InvertReport::incoherent_pixels)
      .def_readonly("seconds", &InvertReport::seconds)
      .def_readonly("read_seconds", &InvertReport::read_seconds)
      .def_readonly("compute_seconds", &InvertReport::compute_seconds)
      .def_readonly("write_seconds", &InvertReport::write_seconds)
      .def_readonly("bytes_read", &InvertReport::bytes_read)
      .def_readonly("bytes_written", &InvertReport::bytes_written)
      .def_readonly("resumed_blocks", &InvertReport::resumed_blocks)
      .def_readonly("output", &InvertReport::output)
      .def_readonly("warnings", &InvertReport::warnings)
      .def_readonly("interrupted", &InvertReport::interrupted);
  m.def("version", &version, "Version of lopsar.");
  m.def("plan", &plan, py::call_guard<py::gil_scoped_release>(), py::arg("options"));
  m.def("invert", &run, py::arg("options"), py::arg("monitor") = py::none());
}
