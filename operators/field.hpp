// Views on blocks of data: (rows, pixels), pixel index fastest.
#pragma once
#include <cstddef>
#include <type_traits>

namespace lopsar {

// A view on `rows` x `pixels` values; row i starts at data + i*stride (in values, stride >= pixels). Owns nothing.
template <class T>
struct Block {
  T* data = nullptr;
  std::size_t rows = 0, pixels = 0, stride = 0;

  Block() = default;
  Block(T* d, std::size_t r, std::size_t p) : data(d), rows(r), pixels(p), stride(p) {}
  Block(T* d, std::size_t r, std::size_t p, std::size_t s) : data(d), rows(r), pixels(p), stride(s) {}
  // A block of T is also a block of const T.
  template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
  Block(const Block<U>& other) : data(other.data), rows(other.rows), pixels(other.pixels), stride(other.stride) {}

  T* row(std::size_t i) const { return data + i * stride; }
};

template <class T>
using ConstBlock = Block<const T>;

}  // namespace lopsar
