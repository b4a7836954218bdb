#include <optional>

#include "arrays.hpp"

#include <lopsar/solvers/solve.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

template <class T>
using Array = py::array_t<T, 0>;

template <class T>
void solve_arrays(const Network& network, const Array<T>& y, const std::optional<Array<T>>& weights, Array<T>& x,
                  std::optional<Array<std::uint8_t>> status, std::optional<Array<std::int32_t>> rank, std::optional<Array<std::int32_t>> valid,
                  std::optional<Array<T>> residual_norm, NullSpace null_space, int threads, std::size_t chunk_size) {
  const auto data = const_block(y, "y");
  const auto w = weights ? const_block(*weights, "weights") : ConstBlock<T>{};
  SolveOutput<T> out;
  out.x = block(x, "x");
  out.status = vector(status, data.pixels, "status");
  out.rank = vector(rank, data.pixels, "rank");
  out.valid = vector(valid, data.pixels, "valid");
  out.residual_norm = vector(residual_norm, data.pixels, "residual_norm");
  SolveOptions<T> options;
  options.weights = w, options.null_space = null_space, options.threads = threads, options.chunk_size = chunk_size;
  py::gil_scoped_release release;
  lopsar::solve_into(network, data, out, options);
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
  const auto define = [&](auto solve_function) {
    m.def("solve", solve_function, py::arg("network"), py::arg("y").noconvert(), py::arg("weights").noconvert(), py::arg("x").noconvert(),
          py::arg("status").noconvert(), py::arg("rank").noconvert(), py::arg("valid").noconvert(), py::arg("residual_norm").noconvert(),
          py::arg("null_space"), py::arg("threads"), py::arg("chunk_size"));
  };
  define(&solve_arrays<float>);
  define(&solve_arrays<double>);
}
