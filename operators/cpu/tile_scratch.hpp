// Scratch of one tile.
#pragma once
#include <cstddef>
#include <memory>

#include <lopsar/operators/field.hpp>

namespace lopsar::cpu {

// A block of scratch for the tile at hand: rows aligned to 64 bytes, with strides that keep the rows out of each other's cache sets. The
// memory is kept by the thread for its next tile; blocks are released in the reverse order in which they were taken.
class TileScratch {
 public:
  TileScratch(std::size_t rows, std::size_t pixels, std::size_t value_size);
  ~TileScratch();
  TileScratch(const TileScratch&) = delete;
  TileScratch& operator=(const TileScratch&) = delete;

  template <class T>
  Block<T> block() const {
    return {static_cast<T*>(data_), rows_, pixels_, stride_};
  }

 private:
  void* data_;
  std::size_t rows_, pixels_, stride_;
};

}  // namespace lopsar::cpu
