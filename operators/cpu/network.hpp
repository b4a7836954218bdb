// The pixel loops of Network, one object per instruction-set level (network_lanes.cpp).
#pragma once
#include <cstddef>

#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/field.hpp>
#include <lopsar/operators/lanes/dispatch.hpp>

namespace lopsar::cpu {

struct NetworkRows {  // per pair: the columns of its dates, -1 for the reference
  std::size_t pairs;
  const int *first, *second;
};
struct NetworkColumns {  // per column: pairs incident[start[c]] .. incident[start[c+1]-1], ~k where negative
  std::size_t columns;
  const int *start, *incident;
};

// Pixels [from, to) of a block.
template <class T>
struct NetworkKernels {
  void (*forward)(const NetworkRows&, ConstBlock<T> x, Block<T> y, std::size_t from, std::size_t to);
  void (*adjoint)(const NetworkColumns&, ConstBlock<T> y, Block<T> x, std::size_t from, std::size_t to);
};
template <class T, int level>
const NetworkKernels<T>& network_level();  // in the object of that level
template <class T>
const NetworkKernels<T>& network_kernels(lanes::Level level) {
  return lanes::dispatch(level, [](auto l) -> const NetworkKernels<T>& { return network_level<T, l>(); });
}

// Pixels per task: the rows of a task lie in the second-level cache, so that a row used by several pairs is read once.
inline constexpr std::size_t network_tile = 512;

// Per pixel: reads D, writes K values (adjoint: reads K, writes D).
template <class T>
void network_forward(const NetworkRows& network, ConstBlock<T> x, Block<T> y, int threads) {
  const auto& kernels = network_kernels<T>(lanes::active_level());
  for_pixels(y.pixels, network_tile, threads, [&](std::size_t from, std::size_t to) { kernels.forward(network, x, y, from, to); });
}
template <class T>
void network_adjoint(const NetworkColumns& network, ConstBlock<T> y, Block<T> x, int threads) {
  const auto& kernels = network_kernels<T>(lanes::active_level());
  for_pixels(x.pixels, network_tile, threads, [&](std::size_t from, std::size_t to) { kernels.adjoint(network, y, x, from, to); });
}

}  // namespace lopsar::cpu
