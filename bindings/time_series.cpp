#include <algorithm>
#include <optional>

#include "arrays.hpp"

#include <lopsar/inversion/time_series.hpp>

namespace py = pybind11;
using namespace lopsar;
using namespace lopsar::bindings;

namespace {

template <class T>
using Array = py::array_t<T, 0>;

template <class T>
std::string invert_into(const Network& network, const Array<T>& phase, const std::optional<Array<T>>& coherence,
                 const std::optional<Array<std::uint8_t>>& mask, Array<T>& series, std::optional<Array<T>> temporal_coherence, py::array num_ifgram,
                 std::optional<Array<std::uint8_t>> status, std::optional<Array<std::int32_t>> rank, const TimeSeriesOptions& options) {
  const auto data = const_block(phase, "phase");
  const auto g = coherence ? const_block(*coherence, "coherence") : ConstBlock<T>{};
  TimeSeriesOutput<T> out;
  out.series = block(series, "series");
  out.temporal_coherence = vector(temporal_coherence, data.pixels, "temporal_coherence");
  out.status = vector(status, data.pixels, "status");
  out.rank = vector(rank, data.pixels, "rank");
  using Number = typename TimeSeriesOutput<T>::Number;
  const auto number = [&](auto zero, Number type) {
    using N = decltype(zero);
    if (!py::isinstance<py::array_t<N>>(num_ifgram)) return false;
    std::optional<py::array_t<N, 0>> array(num_ifgram);
    out.num_ifgram = vector(array, data.pixels, "num_ifgram");
    out.num_ifgram_type = type;
    return true;
  };
  if (!number(std::int16_t{}, Number::int16) && !number(std::int32_t{}, Number::int32) && !number(float{}, Number::float32))
    throw InvalidArgument("num_ifgram: expected an array of int16, int32 or float32, got " + std::string(py::str(num_ifgram.dtype())));
  const std::uint8_t* m = const_vector(mask, data.pixels, "mask");
  py::gil_scoped_release release;
  return name(invert_time_series(network, data, g, m, out, options).method);
}

}  // namespace

void register_time_series(py::module_& m) {
  py::enum_<WeightFunction>(m, "WeightFunction")
      .value("variance", WeightFunction::variance)
      .value("fisher", WeightFunction::fisher)
      .value("coherence", WeightFunction::coherence)
      .value("none", WeightFunction::none);
  m.def("weight_function", &weight_function, py::arg("name"));
  m.def("phase_variance", &phase_variance, py::arg("coherence"), py::arg("looks"));
  m.def("coherence_to_weight", &coherence_to_weight, py::arg("coherence"), py::arg("function"), py::arg("looks"));
  m.def(
      "coherence_to_weights",
      [](const py::array_t<double, py::array::c_style | py::array::forcecast>& coherence, WeightFunction function, int looks) {
        const auto weights = coherence_to_weight({coherence.data(), coherence.data() + coherence.size()}, function, looks);
        py::array_t<double> out(std::vector<py::ssize_t>(coherence.shape(), coherence.shape() + coherence.ndim()));
        std::copy(weights.begin(), weights.end(), out.mutable_data());
        return out;
      },
      py::arg("coherence"), py::arg("function"), py::arg("looks"), "Weights for an array of coherences.");
  py::class_<TimeSeriesOptions>(m, "TimeSeriesOptions")
      .def(py::init<>())
      .def_readwrite("weight_function", &TimeSeriesOptions::weight_function)
      .def_readwrite("looks", &TimeSeriesOptions::looks)
      .def_readwrite("null_space", &TimeSeriesOptions::null_space)
      .def_property(
          "method", [](const TimeSeriesOptions& o) { return name(o.method); },
          [](TimeSeriesOptions& o, const std::string& text) { o.method = method(text); })
      .def_readwrite("tolerance", &TimeSeriesOptions::tolerance)
      .def_readwrite("min_redundancy", &TimeSeriesOptions::min_redundancy)
      .def_readwrite("zero_is_missing", &TimeSeriesOptions::zero_is_missing)
      .def_readwrite("reference_phase", &TimeSeriesOptions::reference_phase)
      .def_readwrite("scale", &TimeSeriesOptions::scale)
      .def_readwrite("threads", &TimeSeriesOptions::threads)
      .def_readwrite("chunk_size", &TimeSeriesOptions::chunk_size);
  const auto define = [&](auto invert_function) {
    m.def("invert_time_series", invert_function, py::arg("network"), py::arg("phase").noconvert(), py::arg("coherence").noconvert(),
          py::arg("mask").noconvert(), py::arg("series").noconvert(), py::arg("temporal_coherence").noconvert(), py::arg("num_ifgram"),
          py::arg("status").noconvert(), py::arg("rank").noconvert(), py::arg("options"));
  };
  define(&invert_into<float>);
  define(&invert_into<double>);
}
