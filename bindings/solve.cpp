// Solves on NumPy arrays. The Python package prepares the arrays; what does not fit is an error, never a copy.
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "arrays.hpp"

#include <lopsar/solvers/identifiability.hpp>
#include <lopsar/solvers/iterative.hpp>
#include <lopsar/solvers/solve.hpp>
#include <lopsar/solvers/solve_operator.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

template <class T>
using Array = py::array_t<T, 0>;

// An entry of a dict, or nothing where it is None or not there.
py::object entry(const py::dict& of, const char* key) { return of.contains(key) ? py::object(of[key]) : py::object(py::none()); }
// Checked to be of type T as it is: a conversion would look at a copy.
template <class T>
std::optional<Array<T>> array_of(const py::object& value, const char* name) {
  if (value.is_none()) return {};
  if (!py::isinstance<py::array_t<T>>(value))
    throw InvalidArgument(std::string(name) + ": expected an array of the type of y, got " + std::string(py::str(py::type::of(value))));
  return Array<T>(py::reinterpret_borrow<py::array>(value));
}
template <class T>
ConstBlock<T> optional_block(const py::object& value, const char* name) {
  const auto array = array_of<T>(value, name);
  return array ? const_block(*array, name) : ConstBlock<T>{};
}

// [(operator, data or None, weights or None), ...]
template <class T>
std::vector<Prior<T>> priors_of(const py::object& list) {
  std::vector<Prior<T>> priors;
  if (list.is_none()) return priors;
  for (const auto& item : list.cast<py::list>()) {
    const auto prior = item.cast<py::tuple>();
    priors.push_back(
        {prior[0].cast<LinearOperator>(), optional_block<T>(prior[1], "data of a prior"), optional_block<T>(prior[2], "weights of a prior")});
  }
  return priors;
}

// None, ("diagonal",), ("blocks", [label, ...]) or ("direct", operator, weights or None, priors).
template <class T>
Preconditioner<T> preconditioner_of(const py::object& value) {
  using Kind = typename Preconditioner<T>::Kind;
  Preconditioner<T> made;
  if (value.is_none()) return made;
  const auto parts = value.cast<py::tuple>();
  const auto kind = parts[0].cast<std::string>();
  made.kind = kind == "diagonal" ? Kind::diagonal : kind == "blocks" ? Kind::blocks : Kind::direct;
  if (made.kind == Kind::blocks) made.block = parts[1].cast<std::vector<int>>();
  if (made.kind == Kind::direct) {
    made.model = std::make_shared<const LinearOperator>(parts[1].cast<LinearOperator>());
    made.weights = optional_block<T>(parts[2], "weights of the preconditioner");
    made.priors = priors_of<T>(parts[3]);
  }
  return made;
}

template <class T>
SolveOptions<T> options_of(const py::dict& given) {
  SolveOptions<T> options;
  const auto set = [&](const char* key, auto& value) {
    const auto object = entry(given, key);
    if (!object.is_none()) value = object.cast<std::remove_reference_t<decltype(value)>>();
  };
  options.weights = optional_block<T>(entry(given, "weights"), "weights");
  if (given.contains("method")) options.method = method(given["method"].cast<std::string>());
  if (given.contains("arithmetic")) options.arithmetic = arithmetic(given["arithmetic"].cast<std::string>());
  set("null_space", options.null_space);
  options.priors = priors_of<T>(entry(given, "priors"));
  options.x0 = optional_block<T>(entry(given, "x0"), "x0");
  set("damp", options.damp);
  set("atol", options.atol);
  set("btol", options.btol);
  set("conlim", options.conlim);
  set("max_iterations", options.max_iterations);
  options.preconditioner = preconditioner_of<T>(entry(given, "preconditioner"));
  set("threads", options.threads);
  set("chunk_size", options.chunk_size);
  return options;
}

template <class T>
SolveOutput<T> output_of(const py::dict& given, std::size_t pixels) {
  SolveOutput<T> output;
  const auto rows = [&](const char* key) {
    auto array = array_of<T>(entry(given, key), key);
    return array ? block(*array, key) : Block<T>{};
  };
  const auto values = [&](const char* key, auto zero) {
    auto array = array_of<decltype(zero)>(entry(given, key), key);
    return vector(array, pixels, key);
  };
  output.x = rows("x"), output.variances = rows("variances"), output.history = rows("history");
  output.status = values("status", std::uint8_t{});
  output.rank = values("rank", std::int32_t{});
  output.valid = values("valid", std::int32_t{});
  output.residual_norm = values("residual_norm", T{});
  output.iterations = values("iterations", std::int32_t{});
  return output;
}

// Whether a callback answered False, or NumPy's; None and other answers mean to go on.
bool refuses(const py::object& answer) {
  const bool truth =
      py::isinstance<py::bool_>(answer) || (py::hasattr(answer, "dtype") && py::isinstance(answer, py::module_::import("numpy").attr("bool_")));
  if (!truth) return false;
  const int is = PyObject_IsTrue(answer.ptr());
  if (is < 0) throw py::error_already_set();
  return is == 0;
}

// Runs `solve(progress)` without the GIL. A long one gets a thread of its own, so that this one, which may be Python's main thread, can call the
// callback and see Ctrl-C.
template <class Solve>
SolveReport run(std::size_t pixels, std::size_t rows, const std::optional<py::function>& callback, const Solve& solve) {
  if (!callback && pixels * rows < (std::size_t(1) << 19)) {
    const py::gil_scoped_release release;
    return solve({});
  }
  std::atomic<std::size_t> done = 0;
  std::atomic<bool> stop = false;
  const std::function<bool(std::size_t)> progress = [&](std::size_t n) {
    done = n;
    return !stop.load();
  };
  std::exception_ptr raised;
  const auto ask = [&](std::size_t n) {  // with the GIL
    try {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (callback && refuses((*callback)(n, pixels))) stop = true;
    } catch (...) {
      raised = std::current_exception();
      stop = true;
    }
  };
  std::optional<py::gil_scoped_release> release(std::in_place);
  auto worker = std::async(std::launch::async, [&] { return solve(progress); });
  for (auto wait = std::chrono::milliseconds(10); worker.wait_for(wait) != std::future_status::ready; wait = std::chrono::milliseconds(100)) {
    if (stop) continue;
    const py::gil_scoped_acquire locked;
    ask(done);
  }
  std::optional<SolveReport> report;
  std::exception_ptr failed;
  try {
    report = worker.get();
  } catch (...) {
    failed = std::current_exception();
  }
  release.reset();
  if (!raised && failed) std::rethrow_exception(failed);
  if (!raised && !stop && report) ask(pixels);
  if (raised) std::rethrow_exception(raised);
  if (stop)
    throw Interrupted("solve: stopped by its progress callback after " + std::to_string(pixels) + " of " + std::to_string(pixels) + " pixels");
  return *report;
}

py::tuple described(const SolveReport& report) { return py::make_tuple(name(report.method), name(report.arithmetic)); }

template <class T>
py::tuple solve_arrays(const LinearOperator& model, const Array<T>& y, const py::dict& output, const py::dict& options,
                       const std::optional<py::function>& callback) {
  const auto data = const_block(y, "y");
  const auto out = output_of<T>(output, data.pixels);
  auto chosen = options_of<T>(options);
  return described(run(data.pixels, data.rows + out.x.rows, callback, [&](const std::function<bool(std::size_t)>& progress) {
    chosen.progress = progress;
    return solve_into(model, data, out, chosen);
  }));
}

template <class T>
py::tuple solve_normal_arrays(const LinearOperator& model, const Array<T>& b, const py::dict& output, const py::dict& options,
                              const std::optional<Array<T>>& observed) {
  const auto data = const_block(b, "b");
  const auto seen = observed ? const_block(*observed, "observed") : ConstBlock<T>{};
  const auto out = output_of<T>(output, data.pixels);
  auto chosen = options_of<T>(options);
  return described(run(data.pixels, data.rows + model.shape().rows, {}, [&](const std::function<bool(std::size_t)>& progress) {
    chosen.progress = progress;
    return solve_normal_into(model, data, out, chosen, seen);
  }));
}

template <class T>
void define_iterative(py::module_& m, const char* class_name) {
  using Solver = IterativeSolve<T>;
  const auto unlocked = py::call_guard<py::gil_scoped_release>();
  py::class_<Solver>(m, class_name)
      .def(py::init([](const LinearOperator& model, const std::string& text) { return Solver(model, method(text)); }), py::arg("model"),
           py::arg("method"))
      .def(
          "setup",
          [](Solver& solver, const Array<T>& y, const py::dict& options, bool history) {
            const auto data = const_block(y, "y");
            const auto chosen = options_of<T>(options);
            const py::gil_scoped_release release;
            solver.setup(data, chosen, history);
          },
          py::arg("y").noconvert(), py::arg("options"), py::arg("history"))
      .def("run", &Solver::run, py::arg("iterations"), unlocked)
      .def_property_readonly("iteration", &Solver::iteration)
      .def_property_readonly("max_iterations", &Solver::max_iterations)
      .def_property_readonly("running", &Solver::running)
      .def_property_readonly("report", [](const Solver& solver) { return described(solver.report()); })
      .def(
          "read",
          [](const Solver& solver, const py::dict& output) {
            const auto out = output_of<T>(output, solver.pixels());
            const py::gil_scoped_release release;
            solver.read(out);
          },
          py::arg("output"))
      .def(
          "residual_norms",
          [](const Solver& solver, Array<T>& norms) {
            std::optional<Array<T>> array(norms);
            T* to = vector(array, solver.pixels(), "norms");
            const py::gil_scoped_release release;
            solver.residual_norms(to);
          },
          py::arg("norms").noconvert());
}

// The operators y -> N^-1 A'W y and b -> N^-1 b. priors: [(operator, weights or None), ...].
std::pair<LinearOperator, LinearOperator> solve_operator(const LinearOperator& model, const std::optional<py::array>& weights,
                                                         const std::string& method_name, const py::list& priors, double damp,
                                                         const std::string& arithmetic_name, bool fit) {
  SolveOperatorOptions options;
  if (weights) options.weights = field(*weights, "weights");
  options.method = method(method_name), options.arithmetic = arithmetic(arithmetic_name), options.damp = damp, options.fit = fit;
  for (const auto& item : priors) {
    const auto prior = item.cast<py::tuple>();
    LinearPrior made{prior[0].cast<LinearOperator>(), {}};
    if (!prior[1].is_none()) made.weights = field(prior[1].cast<py::array>(), "weights of a prior");
    options.priors.push_back(std::move(made));
  }
  Solve made(model, options);
  auto normal = made.normal();
  return {LinearOperator(std::move(made)), LinearOperator(std::move(normal))};
}

}  // namespace

void register_solve(py::module_& m) {
  py::enum_<Status>(m, "Status")
      .value("ok", Status::ok)
      .value("rank_deficient", Status::rank_deficient)
      .value("no_data", Status::no_data)
      .value("below_redundancy", Status::below_redundancy)
      .value("masked", Status::masked)
      .value("not_finite", Status::not_finite)
      .value("not_converged", Status::not_converged)
      .value("breakdown", Status::breakdown);
  py::class_<TradeOff>(m, "TradeOff", "Unknowns that trade off: some change of all of them together changes nothing that is observed.")
      .def_readonly("columns", &TradeOff::columns)
      .def_readonly("freedom", &TradeOff::freedom);
  py::class_<Identifiability>(m, "Identifiability")
      .def_readonly("checked", &Identifiability::checked)
      .def_readonly("rank", &Identifiability::rank)
      .def_readonly("groups", &Identifiability::groups);
  m.def("identifiability", &identifiability, py::arg("model"), py::arg("priors"), py::call_guard<py::gil_scoped_release>());
  m.def(
      "describe_identifiability",
      [](const Identifiability& found, const LinearOperator& model, std::vector<std::string> names) {
        return describe(found, model, std::move(names));
      },
      py::arg("found"), py::arg("model"), py::arg("names"));
  define_iterative<float>(m, "IterativeSolve32");
  define_iterative<double>(m, "IterativeSolve64");
  m.def("solve_operator", &solve_operator, py::arg("model"), py::arg("weights"), py::arg("method"), py::arg("priors"), py::arg("damp"),
        py::arg("arithmetic"), py::arg("fit"));
  const auto define = [&](auto solve_function, auto normal_function) {
    m.def("solve", solve_function, py::arg("model"), py::arg("y").noconvert(), py::arg("output"), py::arg("options"),
          py::arg("callback") = py::none());
    m.def("solve_normal", normal_function, py::arg("model"), py::arg("b").noconvert(), py::arg("output"), py::arg("options"),
          py::arg("observed").noconvert() = py::none());
  };
  define(&solve_arrays<float>, &solve_normal_arrays<float>);
  define(&solve_arrays<double>, &solve_normal_arrays<double>);
}
