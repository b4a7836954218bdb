#include <optional>

#include "arrays.hpp"

#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/edge_flow.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

template <class T>
void apply(const Network& network, const py::array_t<T, 0>& x, py::array_t<T, 0>& y, int threads) {
  const auto in = const_block(x, "x");
  const auto out = block(y, "y");
  py::gil_scoped_release release;
  network.apply(in, out, threads);
}
template <class T>
void apply_adjoint(const Network& network, const py::array_t<T, 0>& y, py::array_t<T, 0>& x, int threads) {
  const auto in = const_block(y, "y");
  const auto out = block(x, "x");
  py::gil_scoped_release release;
  network.apply_adjoint(in, out, threads);
}

}  // namespace

void register_network(py::module_& m) {
  py::class_<Network> network(m, "Network");
  network.def(py::init<const std::vector<std::pair<std::string, std::string>>&, std::string>(), py::arg("pairs"), py::arg("reference") = "")
      .def_property_readonly("shape", [](const Network& n) { return std::make_pair(n.shape().rows, n.shape().columns); })
      .def_property_readonly("dates", &Network::dates)
      .def_property_readonly("days", &Network::days)
      .def_property_readonly("reference", &Network::reference)
      .def_property_readonly("pairs",
                             [](const Network& n) {
                               std::vector<std::pair<std::size_t, std::size_t>> pairs;
                               for (const auto& p : n.pairs()) pairs.emplace_back(p.first, p.second);
                               return pairs;
                             })
      .def_property_readonly("redundancy", &Network::redundancy)
      .def_property_readonly("components", &Network::components)
      .def_property_readonly("rank", &Network::rank)
      .def("lower", [](const Network& n) {
        std::vector<std::tuple<std::size_t, std::size_t, double>> entries;
        for (const auto& t : n.lower()) entries.emplace_back(t.row, t.column, t.coefficient);
        return entries;
      });
  network.def("apply", &apply<float>, py::arg("x").noconvert(), py::arg("y").noconvert(), py::arg("threads") = 0)
      .def("apply", &apply<double>, py::arg("x").noconvert(), py::arg("y").noconvert(), py::arg("threads") = 0)
      .def("apply_adjoint", &apply_adjoint<float>, py::arg("y").noconvert(), py::arg("x").noconvert(), py::arg("threads") = 0)
      .def("apply_adjoint", &apply_adjoint<double>, py::arg("y").noconvert(), py::arg("x").noconvert(), py::arg("threads") = 0);

  py::enum_<NullSpace>(m, "NullSpace")
      .value("none", NullSpace::none)
      .value("minimum_norm_velocity", NullSpace::minimum_norm_velocity)
      .value("minimum_norm_phase", NullSpace::minimum_norm_phase);
  py::class_<EdgeFlow>(m, "EdgeFlow")
      .def(py::init<const Network&, NullSpace>())
      .def_property_readonly("max_degree", &EdgeFlow::max_degree)
      .def_property_readonly("pair_updates", &EdgeFlow::pair_updates)
      .def_property_readonly("slots", &EdgeFlow::slots)
      .def_property_readonly("order", &EdgeFlow::order);
}
