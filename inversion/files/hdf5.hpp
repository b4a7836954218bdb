#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lopsar::files {

// What an element of a dataset is; `boolean` is h5py's int8 enum {FALSE, TRUE}, `other` anything not named here.
enum class ElementType { int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64, boolean, string, other };

// Bytes of one element in memory (boolean 1); 0 for string and other.
std::size_t element_size(ElementType type);

enum class Compression { none, gzip, lzf };

// How a new dataset is stored; the defaults give contiguous storage, allocated when written.
struct CreateOptions {
  std::vector<std::size_t> chunk{};  // empty: contiguous, or chosen here where another option needs chunks
  Compression compression = Compression::none;
  int gzip_level = 4;
  bool shuffle = false;
  bool unlimited_first_axis = false;
  bool early_allocation = false;  // space taken at once and never filled
  std::size_t string_size = 0;    // bytes of one element, for ElementType::string (null padded)
};

// What the file says about a dataset.
struct DatasetInfo {
  std::string name;
  std::vector<std::size_t> shape;
  ElementType type = ElementType::other;
  std::size_t item_size = 0;       // bytes in the file; 0 for strings of variable length
  std::vector<std::size_t> chunk;  // empty: not chunked
  std::string compression;         // "", "gzip", "lzf" or "filter N"
  bool shuffle = false;
};

// An open HDF5 file; copies share it, and it closes with the last one. Any thread may call; one lock serves the library.
// Every failure is a FileError naming file and dataset, with HDF5's innermost message.
class Hdf5File {
 public:
  // Opens for reading, without locking it; tells missing, directory, not HDF5, and truncated or being written apart.
  static Hdf5File open(const std::string& path);
  // Creates a new file, emptying one that exists.
  static Hdf5File create(const std::string& path);

  const std::string& path() const;
  bool writable() const;

  // Paths of all datasets, groups walked, as "a/b", sorted.
  std::vector<std::string> datasets() const;
  // Whether the dataset (or group) exists.
  bool contains(const std::string& name) const;
  DatasetInfo info(const std::string& name) const;

  // Attributes of the root ("") or of a dataset, as text whatever their storage: floats in the shortest form that reads back
  // the same, bool as True/False, arrays as "[a b c]"; kinds without a text are left out.
  std::map<std::string, std::string> attributes(const std::string& dataset = "") const;
  // Sets a text attribute as h5py stores a str: variable-length UTF-8 scalar.
  void set_attribute(const std::string& key, const std::string& value, const std::string& dataset = "");

  // Reads the box [start, start + count) into `out`, converted to `memory`; `out` holds the product of `count` elements.
  void read(const std::string& name, std::span<const std::size_t> start, std::span<const std::size_t> count, ElementType memory, void* out) const;
  // Reads a whole dataset of fixed or variable-length strings, in file order.
  std::vector<std::string> read_strings(const std::string& name) const;

  void create_dataset(const std::string& name, const std::vector<std::size_t>& shape, ElementType type, const CreateOptions& options = {});
  // Writes the box [start, start + count) from `data`; strings as records of the dataset's string size.
  void write(const std::string& name, std::span<const std::size_t> start, std::span<const std::size_t> count, ElementType type, const void* data);
  // Writes a whole dataset of fixed-length strings; a string longer than the dataset's size is an InvalidArgument.
  void write_strings(const std::string& name, const std::vector<std::string>& values);

  // Closes now and reports what went wrong; later calls on any copy are FileErrors.
  void close();

  // HDF5's own number of this file, for the code beside this one.
  std::int64_t id() const;

 private:
  struct Impl;
  explicit Hdf5File(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lopsar::files
