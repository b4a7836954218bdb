#pragma once

// Private to inversion/files/: what its sources share about the HDF5 library. Never installed.

#include <hdf5.h>

#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include <lopsar/inversion/files/hdf5.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar::files {

constexpr H5Z_filter_t lzf_filter = 32000;

// Held around every HDF5 call: one recursive mutex for the process; the first one also sets the library up.
class LibraryLock {
 public:
  LibraryLock();

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

// Innermost message of the HDF5 call that has just failed on this thread.
std::string library_error();

[[noreturn]] void fail(const std::string& path, const std::string& dataset, const std::string& what);

// Owns an HDF5 identifier; closes it under the lock.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { reset(); }

  operator hid_t() const { return id_; }
  bool valid() const { return id_ >= 0; }
  herr_t reset() {
    if (id_ < 0) return 0;
    LibraryLock lock;
    return close_(std::exchange(id_, -1));
  }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

Handle open_dataset(const Hdf5File& file, const std::string& name);
std::vector<std::size_t> dataset_shape(const Handle& dataset);
ElementType element_type(hid_t type);

// a * b, or FileError: sizes in a damaged file can be anything.
inline std::size_t checked_product(std::size_t a, std::size_t b, const std::string& path, const std::string& dataset) {
  std::size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product > std::size_t(std::numeric_limits<std::int64_t>::max()))
    fail(path, dataset, "its size does not fit in 63 bits, so the file is damaged");
  return product;
}

}  // namespace lopsar::files
