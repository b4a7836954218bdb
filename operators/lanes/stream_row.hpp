// A row from the tile to memory past the cache: what is written once and not read again should not push out what is.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::lanes {

// Copies n values from `source` (aligned to 64 bytes) to any address. Whole 64-byte lines of the destination go by streaming
// stores, the parts of lines at both ends by ordinary ones.
template <class V>
LOPSAR_HD void stream_row(value_t<V>* destination, const value_t<V>* source, std::size_t n) {
  using T = value_t<V>;
  constexpr std::size_t line = 64 / sizeof(T);
  const std::size_t past = (reinterpret_cast<std::uintptr_t>(destination) % 64) / sizeof(T);
  std::size_t head = past == 0 ? 0 : line - past;
  if (head > n) head = n;
  for (std::size_t p = 0; p < head; ++p) destination[p] = source[p];
  std::size_t p = head;
  for (; p + line <= n; p += line)
    for (std::size_t q = p; q < p + line; q += width<V>) io<V>::stream(destination + q, io<V>::load_any(source + q));
  for (; p < n; ++p) destination[p] = source[p];
}

}  // namespace lopsar::lanes
