#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <lopsar/inversion/files/hdf5.hpp>
#include <lopsar/operators/error.hpp>

namespace py = pybind11;

namespace lopsar {
namespace {

using files::DatasetInfo;
using files::ElementType;
using files::Hdf5File;
using Shape = std::vector<std::size_t>;

constexpr std::pair<ElementType, const char*> type_names[] = {
    {ElementType::int8, "int8"},       {ElementType::uint8, "uint8"},     {ElementType::int16, "int16"}, {ElementType::uint16, "uint16"},
    {ElementType::int32, "int32"},     {ElementType::uint32, "uint32"},   {ElementType::int64, "int64"}, {ElementType::uint64, "uint64"},
    {ElementType::float32, "float32"}, {ElementType::float64, "float64"}, {ElementType::boolean, "bool"}};

std::string dtype_name(const DatasetInfo& info) {
  for (const auto& [type, name] : type_names)
    if (type == info.type) return name;
  return info.type != ElementType::string ? "other" : info.item_size ? "S" + std::to_string(info.item_size) : "str";
}

// NumPy's name of the type, and for strings the bytes of one.
std::pair<ElementType, std::size_t> element_type_of(const py::dtype& dtype) {
  if (dtype.kind() == 'S') return {ElementType::string, std::size_t(dtype.itemsize())};
  const auto wanted = py::cast<std::string>(dtype.attr("name"));
  for (const auto& [type, name] : type_names)
    if (wanted == name) return {type, 0};
  throw InvalidArgument("expected an integer, float32, float64, bool or S<n> dtype, got " + wanted + ": convert the array first");
}

py::object read_strings(const Hdf5File& file, const DatasetInfo& info, const std::optional<Shape>& start, const std::optional<Shape>& count) {
  std::vector<std::string> texts;
  {
    py::gil_scoped_release release;
    texts = file.read_strings(info.name);
  }
  std::size_t longest = 1;
  for (const std::string& text : texts) longest = std::max(longest, text.size());
  py::list values;
  for (const std::string& text : texts) values.append(py::bytes(text));
  py::object array = py::module_::import("numpy").attr("array")(values, "S" + std::to_string(longest)).attr("reshape")(py::cast(info.shape));
  if (!start) return array;
  py::list box;
  for (std::size_t i = 0; i < start->size(); ++i) box.append(py::slice(py::ssize_t((*start)[i]), py::ssize_t((*start)[i] + (*count)[i]), 1));
  return array[py::tuple(box)];
}

py::object read(const Hdf5File& file, const std::string& name, std::optional<Shape> start, std::optional<Shape> count) {
  const DatasetInfo info = file.info(name);
  if (start.has_value() != count.has_value() || (start && (start->size() != info.shape.size() || count->size() != info.shape.size())))
    throw ShapeError(file.path() + ": " + name + ": expected start and count together, each of " + std::to_string(info.shape.size()) + " numbers");
  if (info.type == ElementType::string) return read_strings(file, info, start, count);
  if (info.type == ElementType::other)
    throw InvalidArgument(file.path() + ": " + name + ": expected numbers, booleans or strings, got a type that has no NumPy dtype here");
  const Shape first = start.value_or(Shape(info.shape.size(), 0)), extent = count.value_or(info.shape);
  // Checked before the array is made: a count from outside must not become a huge allocation.
  for (std::size_t i = 0; i < extent.size(); ++i)
    if (first[i] > info.shape[i] || extent[i] > info.shape[i] - first[i])
      throw ShapeError(file.path() + ": " + name + ": expected a box inside the dataset, axis " + std::to_string(i) + " has length " +
                       std::to_string(info.shape[i]));
  py::array array(py::dtype(dtype_name(info)), std::vector<py::ssize_t>(extent.begin(), extent.end()));
  void* out = array.mutable_data();
  py::gil_scoped_release release;
  file.read(name, first, extent, info.type, out);
  return array;
}

void write(Hdf5File& file, const std::string& name, const py::object& values, std::optional<Shape> start) {
  const DatasetInfo info = file.info(name);
  py::object given = py::module_::import("numpy").attr("asarray")(values);
  // Strings travel as records of the dataset's own size; NumPy encodes, pads, and is asked whether anything was cut off.
  if (info.type == ElementType::string && info.item_size) {
    const py::object encoded = py::cast<py::array>(given).dtype().kind() == 'S' ? given : given.attr("astype")("S");
    if (std::size_t(py::cast<py::array>(encoded).itemsize()) > info.item_size && py::len(encoded) > 0)
      throw InvalidArgument(file.path() + ": " + name + ": expected strings of at most " + std::to_string(info.item_size) +
                            " bytes, got an array of " + py::cast<std::string>(py::str(encoded.attr("dtype"))));
    given = encoded.attr("astype")("S" + std::to_string(info.item_size));
  }
  // Native byte order and C order, without changing the kind of number.
  py::array array = py::module_::import("numpy").attr("require")(given, py::cast<py::array>(given).dtype().attr("newbyteorder")("="), "C");
  const ElementType type = element_type_of(array.dtype()).first;
  const Shape count(array.shape(), array.shape() + array.ndim());
  const Shape first = start.value_or(Shape(count.size(), 0));
  if (!start && count != info.shape)
    throw ShapeError(file.path() + ": " + name + ": expected an array of the dataset's shape, got another one: give start to write a part");
  const void* data = array.data();
  py::gil_scoped_release release;
  file.write(name, first, count, type, data);
}

void create_dataset(Hdf5File& file, const std::string& name, const Shape& shape, const py::object& dtype, std::optional<Shape> chunks,
                    const std::optional<std::string>& compression, bool shuffle, bool unlimited) {
  const auto [type, string_size] = element_type_of(py::dtype::from_args(dtype));
  files::CreateOptions options;
  options.chunk = chunks.value_or(Shape{});
  options.shuffle = shuffle;
  options.unlimited_first_axis = unlimited;
  options.string_size = string_size;
  if (compression == "gzip") options.compression = files::Compression::gzip;
  else if (compression == "lzf") options.compression = files::Compression::lzf;
  else if (compression) throw InvalidArgument(file.path() + ": " + name + ": expected compression None, 'gzip' or 'lzf', got '" + *compression + "'");
  py::gil_scoped_release release;
  file.create_dataset(name, shape, type, options);
}

}  // namespace

}  // namespace lopsar

void register_files(py::module_& m) {
  using namespace lopsar;
  using release = py::call_guard<py::gil_scoped_release>;

  py::class_<DatasetInfo>(m, "DatasetInfo", "What a file says about a dataset.")
      .def_readonly("name", &DatasetInfo::name, "str: path in the file.")
      .def_property_readonly(
          "shape", [](const DatasetInfo& info) { return py::tuple(py::cast(info.shape)); }, "tuple of int.")
      .def_property_readonly("dtype", &dtype_name, "str: NumPy's name of the type ('float32', 'bool', 'S8'), 'str' for variable length, or 'other'.")
      .def_property_readonly(
          "chunks", [](const DatasetInfo& info) { return info.chunk.empty() ? py::object(py::none()) : py::object(py::tuple(py::cast(info.chunk))); },
          "tuple of int, or None where the dataset is not chunked.")
      .def_property_readonly(
          "compression",
          [](const DatasetInfo& info) { return info.compression.empty() ? py::object(py::none()) : py::object(py::str(info.compression)); },
          "str ('gzip', 'lzf', 'filter N') or None.")
      .def_readonly("shuffle", &DatasetInfo::shuffle, "bool: bytes are shuffled before compression.")
      .def("__repr__", [](const DatasetInfo& info) {
        return "DatasetInfo(" + info.name + ", " + py::cast<std::string>(py::str(py::tuple(py::cast(info.shape)))) + ", " + dtype_name(info) + ")";
      });

  py::class_<Hdf5File>(m, "Hdf5File", R"(An open HDF5 file.

Parameters
----------
path : str or os.PathLike
    The file.
mode : {"r", "w"}
    "r" reads an existing file without locking it, "w" makes a new one.

Raises
------
FileError
    If the file is missing, a directory, not HDF5, truncated or being written.
)")
      .def(py::init([](const py::object& path, const std::string& mode) {
             const auto text = py::cast<std::string>(py::module_::import("os").attr("fspath")(path));
             if (mode != "r" && mode != "w") throw InvalidArgument("expected mode 'r' or 'w', got '" + mode + "'");
             py::gil_scoped_release unlocked;
             return mode == "r" ? Hdf5File::open(text) : Hdf5File::create(text);
           }),
           py::arg("path"), py::arg("mode") = "r")
      .def_property_readonly("path", &Hdf5File::path, "str: the path it was opened with.")
      .def("datasets", &Hdf5File::datasets, release(), "Paths of all datasets, groups walked.\n\nReturns\n-------\nlist of str")
      .def("attributes", &Hdf5File::attributes, release(), py::arg("dataset") = "", R"(Attributes of the root or of a dataset, as text.

Parameters
----------
dataset : str
    A dataset or group; the root if empty.

Returns
-------
dict of str to str
)")
      .def("info", &Hdf5File::info, release(), py::arg("name"), "Shape, dtype and storage of a dataset.\n\nReturns\n-------\nDatasetInfo")
      .def("__contains__", &Hdf5File::contains, release(), py::arg("name"))
      .def("read", &lopsar::read, py::arg("name"), py::arg("start") = py::none(), py::arg("count") = py::none(),
           R"(Read a dataset, or the box [start, start + count) of it.

Parameters
----------
name : str
    The dataset.
start, count : sequence of int, optional
    First index and number of elements along every axis.

Returns
-------
numpy.ndarray
    In the file's type and native byte order; strings as bytes (dtype S).
)")
      .def("set_attribute", &Hdf5File::set_attribute, release(), py::arg("key"), py::arg("value"), py::arg("dataset") = "",
           R"(Set a text attribute of the root or of a dataset, as h5py stores a str.

Parameters
----------
key, value : str
dataset : str
    A dataset or group; the root if empty.
)")
      .def("create_dataset", &create_dataset, py::arg("name"), py::arg("shape"), py::arg("dtype"), py::arg("chunks") = py::none(),
           py::arg("compression") = py::none(), py::arg("shuffle") = false, py::arg("unlimited") = false, R"(Create a dataset.

Parameters
----------
name : str
    Path in the file; missing groups are made.
shape : sequence of int
dtype : dtype-like
    Integer, float32, float64, bool or S<n>.
chunks : sequence of int, optional
    Contiguous, or chosen where another option needs chunks, if None.
compression : {None, "gzip", "lzf"}
shuffle : bool
unlimited : bool
    Let the first axis grow.
)")
      .def("write", &lopsar::write, py::arg("name"), py::arg("array"), py::arg("start") = py::none(),
           R"(Write a whole dataset, or the box of the array's shape at `start`.

Parameters
----------
name : str
array : array-like
    Numbers are converted to the type of the dataset.
start : sequence of int, optional
)")
      .def("close", &Hdf5File::close, release(), "Close the file; later calls raise FileError.")
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Hdf5File& file, const py::args&) {
        py::gil_scoped_release unlocked;
        file.close();
      });
}
