// What became of a pixel.
#pragma once
#include <cstdint>

namespace lopsar {

// One number per pixel, the same in C++, Python, files and CUDA.
//   ok                 solved, every unknown determined by data
//   rank_deficient     observed, but the data leave unknowns free (filled by the minimum norm if that was asked for)
//   no_data            no valid observation
//   below_redundancy   a date has fewer valid interferograms than asked for
//   masked             excluded by a mask
//   not_finite         a weight or an observation is infinite, negative or beyond the range of the arithmetic, or the solution is
//   not_converged, breakdown   an iterative solver stopped before its goal
enum class Status : std::uint8_t {
  ok = 0,
  rank_deficient = 1,
  no_data = 2,
  below_redundancy = 3,
  masked = 4,
  not_finite = 5,
  not_converged = 6,
  breakdown = 7,
};
inline constexpr int status_count = 8;

}  // namespace lopsar
