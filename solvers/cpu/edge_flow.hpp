// Edge flow over all pixels on all threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

#include <lopsar/solvers/cpu/edge_flow_tile.hpp>
#include <lopsar/solvers/edge_flow.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar::cpu {

template <class T>
struct EdgeFlowTask {
  const EdgeFlow* edge_flow = nullptr;
  TileSource<T> source;
  TileSink<T> sink;
  kernels::Quality quality = kernels::Quality::residual_norm;
  std::size_t pixels = 0;
  // Rules. A pixel that is masked (mask[p] == 0) or below min_redundancy is written as sink.fill, with rank, valid, quality 0.
  const std::uint8_t* mask = nullptr;
  double min_redundancy = 0;  // valid interferograms on every date but `exempt`; 0: no rule
  int exempt = 0;
  // Results per pixel, each may be null.
  T* quality_out = nullptr;  // temporal coherence, or the weighted residual norm |W^(1/2)(A x - y)|
  std::int32_t* rank = nullptr;
  void* valid = nullptr;
  enum class Number { int16, int32, float32 } valid_type = Number::int32;
  std::uint8_t* status = nullptr;
  // How.
  lanes::Level level = lanes::Level::scalar;
  int threads = 0;
  std::size_t chunk = 0;  // pixels per task, 0: chosen
  std::function<bool(std::size_t done)> progress{};
};

// Results do not depend on threads, chunk, or the place of a pixel. Throws Interrupted where progress says so.
template <class T>
void run(const EdgeFlowTask<T>& task);

}  // namespace lopsar::cpu
