// Solvers on whole fields, one class for every precision.
#include <chrono>
#include <complex>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include <pybind11/complex.h>

#include "arrays.hpp"

#include <lopsar/solvers/krylov.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

template <class T>
using Flat = py::array_t<T, py::array::c_style>;

// A solver of one problem with the data that it looks at.
class Krylov {
 public:
  template <class T>
  explicit Krylov(std::unique_ptr<KrylovProblem<T>> problem) : problem_(std::move(problem)) {}

  KrylovSolver& any() {
    return std::visit([](auto& problem) -> KrylovSolver& { return *problem; }, problem_);
  }
  const KrylovSolver& any() const {
    return std::visit([](const auto& problem) -> const KrylovSolver& { return *problem; }, problem_);
  }

  void setup(const py::array& y, const std::optional<py::array>& x0) {
    y_ = py::make_tuple(y_, y);  // the solver looks at one of them, should this throw
    std::visit([&](auto& problem) { start(*problem, y, x0); }, problem_);
    y_ = y;
  }
  void step() {
    const py::gil_scoped_release released;
    any().step();
  }
  // Ten times a second Python may act on signals, so that the user can interrupt a long run.
  KrylovStop run() {
    using Clock = std::chrono::steady_clock;
    auto last = Clock::now();
    const py::gil_scoped_release released;
    return any().run([&] {
      const auto now = Clock::now();
      if (now - last > std::chrono::milliseconds(100)) {
        last = now;
        const py::gil_scoped_acquire locked;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      }
      return true;
    });
  }
  void finalize() {
    const py::gil_scoped_release released;
    any().finalize();
  }

  // The solution itself, not a copy; `self` keeps it alive.
  static py::array x(const py::object& self) {
    return std::visit(
        [&](auto& problem) -> py::array {
          const auto x = problem->x();
          return py::array(static_cast<py::ssize_t>(x.size()), x.data(), self);
        },
        self.cast<Krylov&>().problem_);
  }
  // Copies of what the solver works with; None where it has no such thing.
  py::object vector(const std::string& name) const {
    return std::visit([&](const auto& problem) { return vector_of(*problem, name); }, problem_);
  }
  std::pair<double, double> estimates() const {
    return std::visit([](const auto& problem) { return estimates_of(*problem); }, problem_);
  }

 private:
  template <class T>
  static void start(KrylovProblem<T>& problem, const py::array& y, const std::optional<py::array>& x0) {
    const auto values = [](const py::array& array, const char* name) -> std::span<const T> {
      if (!py::isinstance<Flat<T>>(array) || array.ndim() != 1)
        throw ShapeError(std::string(name) + ": expected a contiguous vector in the precision of the solver, got another array; prepare it");
      return {static_cast<const T*>(array.data()), static_cast<std::size_t>(array.size())};
    };
    const auto data = values(y, "y");
    const auto initial = x0 ? values(*x0, "x0") : std::span<const T>();
    const py::gil_scoped_release released;
    problem.setup(data, initial);
  }
  template <class T>
  static py::object copy(std::span<const T> values) {
    return py::array(static_cast<py::ssize_t>(values.size()), values.data());
  }
  template <class T>
  static py::object vector_of(const KrylovProblem<T>& problem, const std::string& name) {
    if (const auto* cg = dynamic_cast<const Cg<T>*>(&problem)) {
      if (name == "residual") return copy<T>(cg->residual());
      if (name == "direction") return copy<T>(cg->direction());
    } else if (const auto* cgls = dynamic_cast<const Cgls<T>*>(&problem)) {
      if (name == "residual") return copy<T>(cgls->residual());
      if (name == "direction") return copy<T>(cgls->direction());
      if (name == "gradient") return copy<T>(cgls->gradient());
    } else if (const auto* lsqr = dynamic_cast<const Lsqr<T>*>(&problem)) {
      if (name == "var" && !lsqr->var().empty()) return copy(lsqr->var());
    }
    return py::none();
  }
  template <class T>
  static std::pair<double, double> estimates_of(const KrylovProblem<T>& problem) {
    const auto* lsqr = dynamic_cast<const Lsqr<T>*>(&problem);
    return lsqr ? std::pair{lsqr->anorm(), lsqr->acond()} : std::pair{0.0, 0.0};
  }

  template <class T>
  using Held = std::unique_ptr<KrylovProblem<T>>;
  std::variant<Held<float>, Held<double>, Held<std::complex<float>>, Held<std::complex<double>>> problem_;
  py::object y_ = py::none();
};

// A Solver<T> for the T that the letter of NumPy's type says.
template <template <class> class Solver, class Options>
std::unique_ptr<Krylov> made(const LinearOperator& A, char type, const Options& options) {
  const auto of = [&]<class T>(T) { return std::make_unique<Krylov>(std::unique_ptr<KrylovProblem<T>>(std::make_unique<Solver<T>>(A, options))); };
  switch (type) {
    case 'f': return of(0.0F);
    case 'd': return of(0.0);
    case 'F': return of(std::complex<float>());
    default: return of(std::complex<double>());
  }
}

CgOptions cg_options(double damp, double tol, double rtol, double rtol1, std::optional<LinearOperator> preconditioner, int threads) {
  CgOptions options{damp, tol, rtol, rtol1, 0, threads, {}};
  options.preconditioner = std::move(preconditioner);
  return options;
}

}  // namespace

void register_krylov(py::module_& m) {
  py::class_<Krylov>(m, "Krylov", "CG, CGLS or LSQR on one problem.")
      .def("setup", &Krylov::setup, py::arg("y").noconvert(), py::arg("x0").noconvert() = py::none())
      .def("step", &Krylov::step)
      .def(
          "run", [](Krylov& solver) { return static_cast<int>(solver.run()); }, "Until a rule stops it; the number of that rule.")
      .def("finalize", &Krylov::finalize)
      .def("vector", &Krylov::vector, py::arg("name"))
      .def_property_readonly("x", &Krylov::x)
      .def_property_readonly("stop", [](const Krylov& solver) { return static_cast<int>(solver.any().stop()); })
      .def_property(
          "iterations", [](const Krylov& solver) { return solver.any().iterations(); },
          [](Krylov& solver, std::size_t most) { solver.any().set_iterations(most); })
      .def_property_readonly("iteration", [](const Krylov& solver) { return solver.any().iteration(); })
      .def_property_readonly("r1norm", [](const Krylov& solver) { return solver.any().r1norm(); })
      .def_property_readonly("r2norm", [](const Krylov& solver) { return solver.any().r2norm(); })
      .def_property_readonly("arnorm", [](const Krylov& solver) { return solver.any().arnorm(); })
      .def_property_readonly("xnorm", [](const Krylov& solver) { return solver.any().xnorm(); })
      .def_property_readonly("anorm", [](const Krylov& solver) { return solver.estimates().first; })
      .def_property_readonly("acond", [](const Krylov& solver) { return solver.estimates().second; })
      .def_property_readonly("cost", [](const Krylov& solver) { return solver.any().cost(); })
      .def_property_readonly("cost_damped", [](const Krylov& solver) { return solver.any().cost_damped(); });
  const auto define = [&](const char* name, auto make) {
    m.def(name, make, py::arg("op"), py::arg("type"), py::arg("damp"), py::arg("tol"), py::arg("rtol"), py::arg("rtol1"), py::arg("preconditioner"),
          py::arg("threads"));
  };
  using Preconditioner = std::optional<LinearOperator>;
  define("cg", [](const LinearOperator& A, char type, double damp, double tol, double rtol, double rtol1, const Preconditioner& M, int threads) {
    return made<Cg>(A, type, cg_options(damp, tol, rtol, rtol1, M, threads));
  });
  define("cgls", [](const LinearOperator& A, char type, double damp, double tol, double rtol, double rtol1, const Preconditioner& M, int threads) {
    return made<Cgls>(A, type, cg_options(damp, tol, rtol, rtol1, M, threads));
  });
  m.def(
      "lsqr",
      [](const LinearOperator& A, char type, double damp, double atol, double btol, double conlim, bool variances, int threads) {
        return made<Lsqr>(A, type, LsqrOptions{damp, atol, btol, conlim, 0, variances, threads});
      },
      py::arg("op"), py::arg("type"), py::arg("damp"), py::arg("atol"), py::arg("btol"), py::arg("conlim"), py::arg("variances"), py::arg("threads"));
}
