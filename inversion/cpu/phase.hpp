// Interferometric phase and coherence as a source of tiles.
#pragma once
#include <lopsar/inversion/weights.hpp>
#include <lopsar/operators/field.hpp>
#include <lopsar/solvers/cpu/edge_flow_tile.hpp>

namespace lopsar::cpu {

template <class T>
struct PhaseStack {
  ConstBlock<T> phase;      // (K, pixels) rad
  ConstBlock<T> coherence;  // (K, pixels), or null
  const T* sign;            // (K) orientation in the elimination
  const T* offset;          // (K) -sign * reference phase
  const T* weight_table;    // 1 / variance per bin; lanes::lookup_size values, aligned to 64 bytes
  T twice_looks;
  WeightFunction function;
  bool zero_is_missing;
};
template <class T, int level>
TileSource<T> phase_level(const PhaseStack<T>&);  // in the object of that level
template <class T>
TileSource<T> phase_source(const PhaseStack<T>& stack, lanes::Level level) {
  return lanes::dispatch(level, [&](auto l) { return phase_level<T, l>(stack); });
}

}  // namespace lopsar::cpu
