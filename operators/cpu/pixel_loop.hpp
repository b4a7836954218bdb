// The loop over pixels on all threads.
#pragma once
#include <cstddef>
#include <functional>

namespace lopsar::cpu {

// Calls body(from, to) for the tiles of [0, pixels), `tile` pixels each but the last, on `threads` threads (0: all; a number
// beyond the machine's is cut to it). Tiles never change with the number of threads. Exceptions of the body reach the caller.
void for_pixels(std::size_t pixels, std::size_t tile, int threads, const std::function<void(std::size_t, std::size_t)>& body);

}  // namespace lopsar::cpu
