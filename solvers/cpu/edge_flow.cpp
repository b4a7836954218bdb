#include <lopsar/solvers/cpu/edge_flow.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include <oneapi/tbb/enumerable_thread_specific.h>

#include <lopsar/operators/cpu/aligned_memory.hpp>
#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar::cpu {
namespace {

// What a thread works in.
template <class T>
struct Workspace {
  Tile<T> tile{};
  AlignedMemory<T> memory;

  Workspace(const detail::EdgeFlowSymbolic& s, int lane) {
    constexpr int pixels = tile_pixels<T>;
    tile.lane = lane;
    const auto n = [](auto... factors) { return (static_cast<std::size_t>(factors) * ...); };
    memory = AlignedMemory<T>::cut({{&tile.y, n(s.edges, pixels)},
                                    {&tile.w, n(s.edges, pixels)},
                                    {&tile.x, n(s.dates, pixels)},
                                    {&tile.count, n(pixels)},
                                    {&tile.w_min, n(pixels)},
                                    {&tile.flaw, n(pixels)},
                                    {&tile.rank, n(pixels)},
                                    {&tile.quality, n(pixels)},
                                    {&tile.redundancy, n(pixels)},
                                    {&tile.keep, n(pixels)},
                                    {&tile.slots, n(2 * s.slots, lane)},
                                    {&tile.factors, n(s.factors, lane)},
                                    {&tile.neighbors, n(3 * s.max_degree, lane)},
                                    {&tile.dates, n(s.dates, lane)}});
  }
};

}  // namespace

template <class T>
void run(const EdgeFlowTask<T>& task) {
  const auto& s = task.edge_flow->symbolic();
  const auto& kernels = edge_flow_kernels<T>(task.level);
  // Two registers per operand pay where few operands are alive, and spill beyond.
  const int registers = sizeof(T) == 4 && kernels.lane > 1 && s.max_degree <= 4 ? 2 : 1;
  const int lane = kernels.lane * registers;
  constexpr std::size_t tile_size = tile_pixels<T>;
  const bool filled = task.edge_flow->null_space() != NullSpace::none;
  std::vector<T> pseudo;
  for (double p : s.pseudo) pseudo.push_back(static_cast<T>(p * static_cast<double>(kernels::pseudo_weight<T>)));
  // The network's own redundancy, for pixels that miss nothing.
  double whole_redundancy = std::numeric_limits<double>::infinity();
  for (std::size_t at = 0, date = 0; at < s.incident.size(); at += static_cast<std::size_t>(s.incident[at]) + 1, ++date)
    if (static_cast<int>(date) != task.exempt) whole_redundancy = std::min(whole_redundancy, static_cast<double>(s.incident[at]));

  const auto finish = [&](Tile<T>& tile, std::size_t first, std::size_t n) {
    for (std::size_t c = 0; c < n; ++c) {
      const std::size_t p = first + c;
      const double count = static_cast<double>(tile.count[c]);
      const double redundancy = count < s.pairs ? static_cast<double>(tile.redundancy[c]) : whole_redundancy;
      Status status = Status::ok;
      if (task.mask && !task.mask[p]) status = Status::masked;
      else if (tile.flaw[c] > 0) status = Status::not_finite;
      else if (count == 0) status = Status::no_data;
      else if (task.min_redundancy > 0 && redundancy < task.min_redundancy) status = Status::below_redundancy;
      else if (tile.rank[c] < static_cast<T>(s.dates - 1)) status = Status::rank_deficient;
      const bool solved = status == Status::ok || status == Status::rank_deficient;
      tile.keep[c] = solved ? T(1) : T(0);
      if (task.status) task.status[p] = static_cast<std::uint8_t>(status);
      if (task.rank) task.rank[p] = solved ? static_cast<std::int32_t>(tile.rank[c]) : 0;
      const int valid = solved ? static_cast<int>(count) : 0;
      if (task.valid) switch (task.valid_type) {
          case EdgeFlowTask<T>::Number::int16: static_cast<std::int16_t*>(task.valid)[p] = static_cast<std::int16_t>(valid); break;
          case EdgeFlowTask<T>::Number::int32: static_cast<std::int32_t*>(task.valid)[p] = valid; break;
          case EdgeFlowTask<T>::Number::float32: static_cast<float*>(task.valid)[p] = static_cast<float>(valid); break;
        }
      if (task.quality_out) task.quality_out[p] = solved ? tile.quality[c] : task.sink.fill;
    }
    for (std::size_t c = n; c < tile_size; ++c) tile.keep[c] = T(0);
  };

  oneapi::tbb::enumerable_thread_specific<Workspace<T>> workspaces([&] { return Workspace<T>(s, lane); });
  const auto chunk = [&](std::size_t from, std::size_t to) {
    Tile<T>& tile = workspaces.local().tile;
    for (std::size_t first = from; first < to; first += tile_size) {
      const std::size_t n = std::min(tile_size, to - first);
      task.source.load(task.source.data, s, first, n, tile);
      if (task.mask)
        for (std::size_t c = 0; c < n; ++c)
          if (!task.mask[first + c]) tile.count[c] = T(0);
      kernels.solve(s, pseudo.data(), task.quality, registers, !filled, task.min_redundancy > 0, task.exempt, tile);
      finish(tile, first, n);
      kernels.write(s, task.sink, tile, first, n);
    }
  };
  const std::size_t tiles_per_chunk = task.chunk ? (task.chunk + tile_size - 1) / tile_size : 16;
  // A short tile first, so that the others start on a cache line wherever the array does (NumPy's start 16 bytes past one).
  const std::size_t past = reinterpret_cast<std::uintptr_t>(task.source.address) % 64 / sizeof(T);
  const std::size_t head = std::min(past ? 64 / sizeof(T) - past : 0, task.pixels);
  if (head > 0) chunk(0, head);
  std::mutex reporting;
  std::size_t done = head;
  std::atomic<bool> stopped = head > 0 && head == task.pixels && task.progress && !task.progress(done);
  for_pixels(task.pixels - head, tiles_per_chunk * tile_size, task.threads, [&](std::size_t from, std::size_t to) {
    if (stopped) return;
    chunk(from + head, to + head);
    if (!task.progress) return;
    const std::lock_guard lock(reporting);
    done += to - from;
    if (!stopped && !task.progress(done)) stopped = true;
  });
  if (stopped)
    throw Interrupted("solve: stopped by its progress callback after " + std::to_string(done) + " of " + std::to_string(task.pixels) + " pixels");
}

template void run<float>(const EdgeFlowTask<float>&);
template void run<double>(const EdgeFlowTask<double>&);

}  // namespace lopsar::cpu
