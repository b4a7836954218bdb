// Memory that starts on a cache line, as rows of lanes want it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>

namespace lopsar::cpu {

// n values, not initialized: pages that nobody writes are never made.
template <class T>
class AlignedMemory {
 public:
  static constexpr std::size_t line = 64;

  AlignedMemory() = default;
  explicit AlignedMemory(std::size_t n) : data_(n ? static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{line})) : nullptr) {}

  // Pieces of one allocation, each on a line of its own; all zero. A piece of no values keeps its pointer.
  struct Piece {
    T** at;
    std::size_t size;
  };
  static AlignedMemory cut(std::initializer_list<Piece> pieces) {
    const auto rounded = [](std::size_t n) { return (n * sizeof(T) + line - 1) / line * line / sizeof(T); };
    std::size_t total = 0;
    for (const Piece& p : pieces) total += rounded(p.size);
    AlignedMemory memory(total);
    T* next = memory.data();
    std::fill_n(next, total, T(0));
    for (const Piece& p : pieces) {
      if (p.size > 0) *p.at = next;
      next += rounded(p.size);
    }
    return memory;
  }

  T* data() const { return data_.get(); }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{line}); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace lopsar::cpu
