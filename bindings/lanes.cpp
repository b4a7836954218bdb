#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <lopsar/operators/lanes/level.hpp>

namespace py = pybind11;

void register_lanes(py::module_& m) {
  m.def(
      "isa_levels",
      [] {
        std::vector<std::string> names;
        for (auto level : lopsar::lanes::available_levels()) names.emplace_back(lopsar::lanes::name(level));
        return names;
      },
      "Instruction-set levels of this machine, in rising order.");
  m.def(
      "active_isa", [] { return std::string(lopsar::lanes::name(lopsar::lanes::active_level())); },
      "Level that kernels run on now: LOPSAR_ISA if set, else the highest.");
}
