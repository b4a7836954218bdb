// The observations of `solve` as a source of tiles.
#pragma once
#include <lopsar/operators/field.hpp>
#include <lopsar/solvers/cpu/edge_flow_tile.hpp>
#include <lopsar/solvers/cpu/system_tile.hpp>

namespace lopsar::cpu {

// An edge of a prior: the datum source.y / scale with the weight source.w scale^2.
template <class T>
struct PriorEdge {
  RowSource<T> source;
  T scale = 1;
};

template <class T>
struct Observations {
  ConstBlock<T> y;        // (K, pixels)
  ConstBlock<T> weights;  // (K, pixels), (K, 1) or null: inverse variances
  bool weights_per_pixel = false;
  const PriorEdge<T>* priors = nullptr;  // one per edge after the pairs
};
template <class T, int level>
TileSource<T> observations_level(const Observations<T>&);  // in the object of that level
template <class T>
TileSource<T> observations_source(const Observations<T>& o, lanes::Level level) {
  return lanes::dispatch(level, [&](auto l) { return observations_level<T, l>(o); });
}

}  // namespace lopsar::cpu
