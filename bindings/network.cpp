#include <optional>

#include "arrays.hpp"

#include <lopsar/operators/algebra.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/solvers/edge_flow.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

void register_network(py::module_& m) {
  py::class_<Network> network(m, "Network");
  network.def(py::init<const std::vector<std::pair<std::string, std::string>>&, std::string>(), py::arg("pairs"), py::arg("reference") = "")
      .def_property_readonly("operator", [](const Network& n) { return LinearOperator(n); })
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
      .def_property_readonly("rank", &Network::rank);

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
