#include <lopsar/inversion/files/hdf5.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <numeric>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include <liblzf/lzf.h>
}

#include <lopsar/inversion/files/hdf5_handle.hpp>

namespace lopsar::files {
namespace {

// --- the library ---------------------------------------------------------------------------------------------------------

// Both directions of h5py's filter; cd = {filter version, lzf version, bytes of a decoded chunk}.
std::size_t run_lzf(unsigned flags, std::size_t n_cd, const unsigned cd[], std::size_t bytes, std::size_t* capacity, void** buffer) {
  constexpr std::size_t limit = std::size_t(1) << 32;
  if (bytes < 2 || bytes >= limit) return 0;
  const bool decode = flags & H5Z_FLAG_REVERSE;
  std::size_t room = !decode ? bytes - 1 : n_cd >= 3 && cd[2] ? cd[2] : std::max(*capacity, 2 * bytes);
  for (; room < limit; room *= 2) {
    void* out = H5allocate_memory(room, false);
    if (!out) return 0;
    errno = 0;
    const unsigned made =
        decode ? lzf_decompress(*buffer, unsigned(bytes), out, unsigned(room)) : lzf_compress(*buffer, unsigned(bytes), out, unsigned(room));
    if (made) {
      H5free_memory(*buffer);
      *buffer = out;
      *capacity = room;
      return made;
    }
    H5free_memory(out);
    if (!decode || errno != E2BIG) return 0;  // encoding: it does not shrink, and an optional filter is then skipped
  }
  return 0;
}

void set_up_library() {
  // A file that a full disk did not let close would end in a crash of HDF5's exit handler; files close with their last copy anyway.
  H5dont_atexit();
  H5open();
  static const H5Z_class2_t lzf{H5Z_CLASS_T_VERS, lzf_filter, 1, 1, "lzf", nullptr, nullptr, run_lzf};
  H5Zregister(&lzf);
}

Handle access_list() {
  Handle list(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_file_locking(list, false, true);  // read-only and network file systems often cannot lock
  return list;
}

// --- types ---------------------------------------------------------------------------------------------------------------

Handle bool_type() {
  Handle type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
  for (const std::int8_t value : {std::int8_t(0), std::int8_t(1)}) H5Tenum_insert(type, value ? "TRUE" : "FALSE", &value);
  return type;
}

Handle memory_type(ElementType type) {
  switch (type) {
    case ElementType::int8: return {H5Tcopy(H5T_NATIVE_INT8), H5Tclose};
    case ElementType::uint8: return {H5Tcopy(H5T_NATIVE_UINT8), H5Tclose};
    case ElementType::int16: return {H5Tcopy(H5T_NATIVE_INT16), H5Tclose};
    case ElementType::uint16: return {H5Tcopy(H5T_NATIVE_UINT16), H5Tclose};
    case ElementType::int32: return {H5Tcopy(H5T_NATIVE_INT32), H5Tclose};
    case ElementType::uint32: return {H5Tcopy(H5T_NATIVE_UINT32), H5Tclose};
    case ElementType::int64: return {H5Tcopy(H5T_NATIVE_INT64), H5Tclose};
    case ElementType::uint64: return {H5Tcopy(H5T_NATIVE_UINT64), H5Tclose};
    case ElementType::float32: return {H5Tcopy(H5T_NATIVE_FLOAT), H5Tclose};
    case ElementType::float64: return {H5Tcopy(H5T_NATIVE_DOUBLE), H5Tclose};
    case ElementType::boolean: return bool_type();
    default: throw InvalidArgument("expected a numeric or boolean element type, got string or other: strings have read_strings and write_strings");
  }
}

Handle fixed_string_type(std::size_t size) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, size);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

// --- text ----------------------------------------------------------------------------------------------------------------

template <class T>
std::string number_text(T value) {
  std::array<char, 64> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

template <class T>
std::vector<std::string> number_texts(const std::vector<std::byte>& raw, std::size_t n) {
  std::vector<std::string> texts(n);
  for (std::size_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
    texts[i] = number_text(value);
  }
  return texts;
}

// `read(type, out)` is H5Aread or H5Dread; false when it failed.
template <class Read>
bool read_string_elements(hid_t type, std::size_t n, const Read& read, std::vector<std::string>& texts) {
  texts.assign(n, "");
  if (n == 0) return true;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> pointers(n, nullptr);
    const bool ok = read(type, pointers.data());
    for (std::size_t i = 0; i < n; ++i) {
      if (ok && pointers[i]) texts[i] = pointers[i];
      H5free_memory(pointers[i]);
    }
    return ok;
  }
  const std::size_t size = H5Tget_size(type);
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(n, size, &bytes)) return false;
  std::vector<char> raw(bytes);
  if (!read(type, raw.data())) return false;
  const bool spaces = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  for (std::size_t i = 0; i < n; ++i) {
    std::string text(raw.data() + i * size, size);
    text.resize(std::min(text.find('\0'), text.size()));
    if (spaces) text.erase(text.find_last_not_of(' ') + 1);
    texts[i] = std::move(text);
  }
  return true;
}

bool attribute_text(hid_t attribute, std::string& text) {
  const Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  if (!type.valid() || !space.valid() || H5Sget_simple_extent_type(space) == H5S_NULL) return false;
  const hssize_t points = H5Sget_simple_extent_npoints(space);
  if (points < 0 || points > (1 << 20)) return false;
  const auto n = std::size_t(points);
  const ElementType element = element_type(type);
  std::vector<std::string> texts;
  if (element == ElementType::string) {
    if (!read_string_elements(
            type, n, [&](hid_t t, void* out) { return H5Aread(attribute, t, out) >= 0; }, texts))
      return false;
  } else if (element != ElementType::other) {
    const bool real = element == ElementType::float32 || element == ElementType::float64;
    const ElementType memory = real || element == ElementType::uint64 || element == ElementType::boolean ? element : ElementType::int64;
    std::vector<std::byte> raw(n * element_size(memory));
    if (n && H5Aread(attribute, memory_type(memory), raw.data()) < 0) return false;
    switch (memory) {
      case ElementType::float32: texts = number_texts<float>(raw, n); break;
      case ElementType::float64: texts = number_texts<double>(raw, n); break;
      case ElementType::uint64: texts = number_texts<std::uint64_t>(raw, n); break;
      case ElementType::boolean:
        for (std::byte value : raw) texts.emplace_back(value != std::byte{0} ? "True" : "False");
        break;
      default: texts = number_texts<std::int64_t>(raw, n);
    }
  } else {
    return false;
  }
  if (n == 1) {
    text = texts[0];
    return true;
  }
  text = "[";
  for (const std::string& t : texts) text += (text.size() > 1 ? " " : "") + t;
  text += "]";
  return true;
}

// --- shapes --------------------------------------------------------------------------------------------------------------

std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

// About 1 MiB: whole trailing axes, then as many rows of the next one as fit.
std::vector<std::size_t> default_chunk(const std::vector<std::size_t>& shape, std::size_t item) {
  std::vector<std::size_t> chunk(shape.size(), 1);
  std::size_t left = std::max<std::size_t>((std::size_t(1) << 20) / item, 1);
  for (std::size_t axis = shape.size(); axis-- > 0 && left > 1; left /= chunk[axis]) chunk[axis] = std::clamp<std::size_t>(shape[axis], 1, left);
  return chunk;
}

// Selects the box in both spaces; throws on a box that does not lie in the dataset.
struct Box {
  Handle file, memory;
  bool empty = false;

  Box(const Handle& dataset, const std::string& path, const std::string& name, std::span<const std::size_t> start,
      std::span<const std::size_t> count) {
    const std::vector<std::size_t> shape = dataset_shape(dataset);
    bool fits = start.size() == shape.size() && count.size() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = start[i] <= shape[i] && count[i] <= shape[i] - start[i];
    if (!fits)
      throw ShapeError(path + ": " + name + ": expected a box inside the shape " + shape_text(shape) + ", got start " + shape_text(start) +
                       ", count " + shape_text(count));
    empty = std::find(count.begin(), count.end(), 0u) != count.end();
    file = Handle(H5Dget_space(dataset), H5Sclose);
    if (shape.empty() || empty) {
      memory = Handle(H5Screate(H5S_SCALAR), H5Sclose);
      return;
    }
    const std::vector<hsize_t> first(start.begin(), start.end()), n(count.begin(), count.end());
    H5Sselect_hyperslab(file, H5S_SELECT_SET, first.data(), nullptr, n.data(), nullptr);
    memory = Handle(H5Screate_simple(int(n.size()), n.data(), nullptr), H5Sclose);
  }
};

}  // namespace

LibraryLock::LibraryLock() {
  static std::recursive_mutex mutex;
  static std::once_flag once;
  lock_ = std::unique_lock(mutex);
  std::call_once(once, set_up_library);
  // A thread-safe HDF5 keeps this setting per thread.
  thread_local const bool silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  (void)silent;
}

std::string library_error() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
        auto& first = *static_cast<std::string*>(out);
        if (first.empty() && error->desc) first = error->desc;
        return 0;
      },
      &text);
  std::erase(text, '\n');  // of the time of day in the messages of its file drivers
  return text.empty() ? "HDF5 gave no reason" : "HDF5: " + text;
}

void fail(const std::string& path, const std::string& dataset, const std::string& what) {
  throw FileError(path + ": " + (dataset.empty() ? "" : dataset + ": ") + what);
}

Handle open_dataset(const Hdf5File& file, const std::string& name) {
  const hid_t id = file.id();
  Handle dataset(H5Dopen2(id, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (dataset.valid()) return dataset;
  const std::string reason = library_error();
  std::string present;
  for (const std::string& other : file.datasets()) present += (present.empty() ? "" : ", ") + other;
  fail(file.path(), name,
       "expected a dataset of this name, got none that opens (" + reason + "); the file has: " + (present.empty() ? "no datasets" : present));
}

std::vector<std::size_t> dataset_shape(const Handle& dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const int rank = std::max(H5Sget_simple_extent_ndims(space), 0);
  std::vector<hsize_t> extent(static_cast<std::size_t>(rank));
  if (rank) H5Sget_simple_extent_dims(space, extent.data(), nullptr);
  return {extent.begin(), extent.end()};
}

ElementType element_type(hid_t type) {
  using enum ElementType;
  const std::size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER: {
      const bool sign = H5Tget_sign(type) == H5T_SGN_2;
      return size == 1   ? (sign ? int8 : uint8)
             : size == 2 ? (sign ? int16 : uint16)
             : size == 4 ? (sign ? int32 : uint32)
             : size == 8 ? (sign ? int64 : uint64)
                         : other;
    }
    case H5T_FLOAT: return size == 4 ? float32 : size == 8 ? float64 : other;
    case H5T_STRING: return string;
    case H5T_ENUM: {
      std::int8_t no = -1, yes = -1;
      const bool boolean_names =
          size == 1 && H5Tget_nmembers(type) == 2 && H5Tenum_valueof(type, "FALSE", &no) >= 0 && H5Tenum_valueof(type, "TRUE", &yes) >= 0;
      if (boolean_names && no == 0 && yes == 1) return boolean;
      return element_type(Handle(H5Tget_super(type), H5Tclose));
    }
    default: return other;
  }
}

std::size_t element_size(ElementType type) {
  using enum ElementType;
  switch (type) {
    case int8:
    case uint8:
    case boolean: return 1;
    case int16:
    case uint16: return 2;
    case int32:
    case uint32:
    case float32: return 4;
    case int64:
    case uint64:
    case float64: return 8;
    default: return 0;
  }
}

struct Hdf5File::Impl {
  std::string path;
  bool writable = false;
  Handle file;
};

Hdf5File::Hdf5File(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

const std::string& Hdf5File::path() const { return impl_->path; }
bool Hdf5File::writable() const { return impl_->writable; }

std::int64_t Hdf5File::id() const {
  if (!impl_->file.valid()) fail(impl_->path, "", "expected an open file, got one that was closed: open it again");
  return impl_->file;
}

Hdf5File Hdf5File::open(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status)) fail(path, "", std::string("expected an HDF5 file, got: ") + std::strerror(errno) + "; check the path");
  if (S_ISDIR(status.st_mode)) fail(path, "", "expected an HDF5 file, got a directory: name a file in it");
  if (::access(path.c_str(), R_OK)) fail(path, "", std::string("cannot be read: ") + std::strerror(errno));
  if (status.st_size == 0) fail(path, "", "expected an HDF5 file, got an empty file: write it again");
  LibraryLock lock;
  const Handle access = access_list();
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose);
  if (!file.valid()) {
    const std::string reason = library_error();
    if (H5Fis_hdf5(path.c_str()) <= 0) fail(path, "", "expected an HDF5 file, got another kind of file (no HDF5 signature)");
    fail(path, "",
         "is an HDF5 file that does not open: truncated, damaged or still being written (" + reason + "); wait for its writer or make it again");
  }
  return Hdf5File(std::make_shared<Impl>(path, false, std::move(file)));
}

Hdf5File Hdf5File::create(const std::string& path) {
  LibraryLock lock;
  const Handle access = access_list();
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  if (!file.valid()) fail(path, "", "cannot be created (" + library_error() + "); check that the folder exists and may be written");
  return Hdf5File(std::make_shared<Impl>(path, true, std::move(file)));
}

void Hdf5File::close() {
  LibraryLock lock;
  if (!impl_->file.valid()) return;
  // Flushed first: a close that fails leaves the library holding the file.
  const bool flushed = !impl_->writable || H5Fflush(impl_->file, H5F_SCOPE_LOCAL) >= 0;
  const std::string reason = flushed ? "" : library_error();
  if (impl_->file.reset() < 0 || !flushed)
    fail(impl_->path, "", "could not be written to the end (" + (flushed ? library_error() : reason) + "); is the disk full?");
}

std::vector<std::string> Hdf5File::datasets() const {
  LibraryLock lock;
  std::vector<std::string> links, names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  if (H5Lvisit(id(), H5_INDEX_NAME, H5_ITER_INC, collect, &links) < 0)
    fail(path(), "", "its list of datasets cannot be read (" + library_error() + ")");
  for (const std::string& link : links) {
    const Handle object(H5Oopen(id(), link.c_str(), H5P_DEFAULT), H5Oclose);
    if (object.valid() && H5Iget_type(object) == H5I_DATASET) names.push_back(link);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool Hdf5File::contains(const std::string& name) const {
  LibraryLock lock;
  const hid_t file = id();
  if (name.empty()) return false;
  // Every step of the path has to be asked for: a missing group is an error to HDF5, not "no".
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string step = name.substr(0, end);
    if (step != "/" && !step.ends_with('/') && H5Lexists(file, step.c_str(), H5P_DEFAULT) <= 0) return false;
    if (end == std::string::npos) break;
  }
  return H5Oexists_by_name(file, name.c_str(), H5P_DEFAULT) > 0;
}

DatasetInfo Hdf5File::info(const std::string& name) const {
  LibraryLock lock;
  const Handle dataset = open_dataset(*this, name), type(H5Dget_type(dataset), H5Tclose), list(H5Dget_create_plist(dataset), H5Pclose);
  DatasetInfo info{.name = name,
                   .shape = dataset_shape(dataset),
                   .type = element_type(type),
                   .item_size = H5Tis_variable_str(type) > 0 ? 0 : H5Tget_size(type),
                   .chunk = {},
                   .compression = {}};
  if (H5Pget_layout(list) != H5D_CHUNKED) return info;
  std::vector<hsize_t> chunk(info.shape.size());
  if (H5Pget_chunk(list, int(chunk.size()), chunk.data()) < 0) fail(path(), name, "its chunk shape cannot be read (" + library_error() + ")");
  info.chunk.assign(chunk.begin(), chunk.end());
  for (int i = 0, n = H5Pget_nfilters(list); i < n; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t n_cd = 0;
    const H5Z_filter_t filter = H5Pget_filter2(list, unsigned(i), &flags, &n_cd, nullptr, 0, nullptr, &config);
    if (filter == H5Z_FILTER_SHUFFLE) info.shuffle = true;
    else if (filter == H5Z_FILTER_DEFLATE) info.compression = "gzip";
    else if (filter == lzf_filter) info.compression = "lzf";
    else if (filter != H5Z_FILTER_FLETCHER32) info.compression = "filter " + std::to_string(filter);
  }
  return info;
}

std::map<std::string, std::string> Hdf5File::attributes(const std::string& dataset) const {
  LibraryLock lock;
  const Handle object(H5Oopen(id(), dataset.empty() ? "/" : dataset.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object.valid()) fail(path(), dataset, "cannot be opened for its attributes (" + library_error() + ")");
  std::vector<std::string> keys;
  const auto collect = [](hid_t, const char* key, const H5A_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(key);
    return 0;
  };
  if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &keys) < 0)
    fail(path(), dataset, "its attributes cannot be read (" + library_error() + ")");
  std::map<std::string, std::string> found;
  for (const std::string& key : keys) {
    const Handle attribute(H5Aopen(object, key.c_str(), H5P_DEFAULT), H5Aclose);
    if (std::string text; attribute.valid() && attribute_text(attribute, text)) found[key] = text;
  }
  return found;
}

void Hdf5File::set_attribute(const std::string& key, const std::string& value, const std::string& dataset) {
  LibraryLock lock;
  const Handle object(H5Oopen(id(), dataset.empty() ? "/" : dataset.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object.valid()) fail(path(), dataset, "cannot be opened for its attributes (" + library_error() + ")");
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  if (H5Aexists(object, key.c_str()) > 0) H5Adelete(object, key.c_str());
  const Handle attribute(H5Acreate2(object, key.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const char* text = value.c_str();
  if (!attribute.valid() || H5Awrite(attribute, type, &text) < 0)
    fail(path(), dataset, "attribute " + key + " cannot be written (" + library_error() + ")");
}

void Hdf5File::read(const std::string& name, std::span<const std::size_t> start, std::span<const std::size_t> count, ElementType memory,
                    void* out) const {
  LibraryLock lock;
  const Handle dataset = open_dataset(*this, name), type(H5Dget_type(dataset), H5Tclose);
  const Box box(dataset, path(), name, start, count);
  if (box.empty) return;
  const auto read_as = [&](ElementType element, void* to) {
    if (H5Dread(dataset, memory_type(element), box.memory, box.file, H5P_DEFAULT, to) < 0)
      fail(path(), name, "cannot be read (" + library_error() + ")");
  };
  const ElementType stored = element_type(type);
  if (stored == ElementType::string) throw InvalidArgument(path() + ": " + name + ": expected numbers, got strings: use read_strings");
  if (memory != ElementType::boolean || stored == ElementType::boolean) return read_as(memory, out);
  // HDF5 converts no number to an enum; anything but zero is true, as in NumPy.
  std::vector<double> numbers(std::accumulate(count.begin(), count.end(), std::size_t(1), std::multiplies<>()));
  read_as(ElementType::float64, numbers.data());
  std::transform(numbers.begin(), numbers.end(), static_cast<std::uint8_t*>(out), [](double value) { return std::uint8_t(value != 0); });
}

std::vector<std::string> Hdf5File::read_strings(const std::string& name) const {
  LibraryLock lock;
  const Handle dataset = open_dataset(*this, name), type(H5Dget_type(dataset), H5Tclose), list(H5Dget_create_plist(dataset), H5Pclose);
  if (element_type(type) != ElementType::string) throw InvalidArgument(path() + ": " + name + ": expected strings, got another type: use read");
  std::size_t n = 1;
  for (std::size_t extent : dataset_shape(dataset)) n = checked_product(n, extent, path(), name);
  // A damaged shape must not become a huge allocation; unwritten or compressed strings are small in any file of ours.
  if (checked_product(n, H5Tget_size(type), path(), name) > (std::size_t(1) << 30))
    fail(path(), name, "expected less than 1 GiB of strings, got " + std::to_string(n) + " of them: the file is damaged");
  std::vector<std::string> texts;
  if (!read_string_elements(
          type, n, [&](hid_t t, void* out) { return H5Dread(dataset, t, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0; }, texts))
    fail(path(), name, "cannot be read (" + library_error() + ")");
  return texts;
}

void Hdf5File::create_dataset(const std::string& name, const std::vector<std::size_t>& shape, ElementType type, const CreateOptions& options) {
  LibraryLock lock;
  if (type == ElementType::string && options.string_size == 0)
    throw InvalidArgument(path() + ": " + name + ": expected string_size of at least 1 for a string dataset, got 0");
  if (!options.chunk.empty() && options.chunk.size() != shape.size())
    throw ShapeError(path() + ": " + name + ": expected a chunk of as many axes as the shape " + shape_text(shape) + ", got " +
                     shape_text(options.chunk));
  const Handle stored = type == ElementType::string ? fixed_string_type(options.string_size) : memory_type(type);
  const std::size_t item = H5Tget_size(stored);
  const Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose), links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_obj_track_times(list, false);  // the same contents give the same bytes
  H5Pset_create_intermediate_group(links, 1);
  std::vector<hsize_t> extent(shape.begin(), shape.end()), most = extent;
  if (options.unlimited_first_axis && !most.empty()) most[0] = H5S_UNLIMITED;
  bool ok = true;
  const bool chunked = !options.chunk.empty() || options.compression != Compression::none || options.shuffle || options.unlimited_first_axis;
  if (chunked && !shape.empty()) {
    const std::vector<std::size_t> chosen = options.chunk.empty() ? default_chunk(shape, item) : options.chunk;
    const std::vector<hsize_t> chunk(chosen.begin(), chosen.end());
    ok = H5Pset_chunk(list, int(chunk.size()), chunk.data()) >= 0;
    if (ok && options.shuffle) ok = H5Pset_shuffle(list) >= 0;
    if (ok && options.compression == Compression::gzip) ok = H5Pset_deflate(list, unsigned(options.gzip_level)) >= 0;
    if (ok && options.compression == Compression::lzf) {
      const unsigned cd[3] = {4, LZF_VERSION, unsigned(std::accumulate(chunk.begin(), chunk.end(), hsize_t(item), std::multiplies<>()))};
      ok = H5Pset_filter(list, lzf_filter, H5Z_FLAG_OPTIONAL, 3, cd) >= 0;
    }
  }
  if (options.early_allocation) {
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
  }
  const Handle space(shape.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(int(extent.size()), extent.data(), most.data()), H5Sclose);
  ok = ok && space.valid() && Handle(H5Dcreate2(id(), name.c_str(), stored, space, links, list, H5P_DEFAULT), H5Dclose).valid();
  if (!ok) fail(path(), name, "cannot be created with shape " + shape_text(shape) + " (" + library_error() + ")");
}

void Hdf5File::write(const std::string& name, std::span<const std::size_t> start, std::span<const std::size_t> count, ElementType type,
                     const void* data) {
  LibraryLock lock;
  const Handle dataset = open_dataset(*this, name), stored(H5Dget_type(dataset), H5Tclose);
  const Box box(dataset, path(), name, start, count);
  if (box.empty) return;
  if ((type == ElementType::string) != (element_type(stored) == ElementType::string))
    throw InvalidArgument(path() + ": " + name + ": expected strings for a string dataset and numbers for a numeric one");
  const Handle memory = type == ElementType::string ? Handle(H5Tcopy(stored), H5Tclose) : memory_type(type);
  if (H5Dwrite(dataset, memory, box.memory, box.file, H5P_DEFAULT, data) < 0) fail(path(), name, "cannot be written (" + library_error() + ")");
}

void Hdf5File::write_strings(const std::string& name, const std::vector<std::string>& values) {
  const DatasetInfo about = info(name);
  const std::size_t n = std::accumulate(about.shape.begin(), about.shape.end(), std::size_t(1), std::multiplies<>());
  if (about.type != ElementType::string || about.item_size == 0)
    throw InvalidArgument(path() + ": " + name + ": expected a dataset of fixed-length strings, got another type");
  if (values.size() != n)
    throw ShapeError(path() + ": " + name + ": expected " + std::to_string(n) + " strings, got " + std::to_string(values.size()));
  std::vector<char> records(n * about.item_size, '\0');
  for (std::size_t i = 0; i < n; ++i) {
    if (values[i].size() > about.item_size)
      throw InvalidArgument(path() + ": " + name + ": expected strings of at most " + std::to_string(about.item_size) + " bytes, got '" + values[i] +
                            "'");
    std::copy(values[i].begin(), values[i].end(), records.begin() + std::ptrdiff_t(i * about.item_size));
  }
  write(name, std::vector<std::size_t>(about.shape.size(), 0), about.shape, ElementType::string, records.data());
}

}  // namespace lopsar::files
