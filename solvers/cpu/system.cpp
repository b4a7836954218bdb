#include <lopsar/solvers/cpu/system.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include <oneapi/tbb/enumerable_thread_specific.h>

#include <lopsar/operators/cpu/aligned_memory.hpp>
#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/kernels/observation.hpp>

namespace lopsar::cpu {
namespace {

struct Sizes {
  std::size_t rows, columns, values, variances, history, scratch;
  int lane, pixels;
};

// What a thread works in.
template <class T>
struct Workspace {
  SystemTile<T> tile;
  T* keep = nullptr;
  AlignedMemory<T> memory;

  explicit Workspace(const Sizes& s) {
    tile.lane = s.lane, tile.pixels = s.pixels;
    const auto all = static_cast<std::size_t>(s.pixels);
    memory = AlignedMemory<T>::cut({{&tile.y, s.rows * all},
                                    {&tile.w, s.rows * all},
                                    {&tile.values, s.values * all},
                                    {&tile.x, s.columns * all},
                                    {&tile.variances, s.variances * all},
                                    {&tile.history, s.history * all},
                                    {&tile.count, all},
                                    {&tile.flaw, all},
                                    {&tile.rank, all},
                                    {&tile.norm, all},
                                    {&tile.iterations, all},
                                    {&tile.status, all},
                                    {&keep, all},
                                    {&tile.scratch, s.scratch * static_cast<std::size_t>(s.lane)}});
  }
};

// Rows of 256 bytes where what a tile holds fits into a second-level cache, shorter ones else.
int tile_pixels(std::size_t rows, int lane, std::size_t value_size, std::size_t input_size) {
  constexpr std::size_t cache = 768 * 1024;
  int pixels = std::min(longest_tile, static_cast<int>(256 / input_size));
  while (pixels > lane && pixels > 16 && rows * static_cast<std::size_t>(pixels) * value_size > cache) pixels /= 2;
  return std::max(pixels, lane);
}

}  // namespace

template <class S, class T>
void run(const SystemTask<S, T>& task) {
  const detail::System& system = *task.system;
  const auto& lanes = system_kernels<S, T>(task.level);
  Sizes sizes{};
  sizes.rows = static_cast<std::size_t>(system.rows()), sizes.columns = static_cast<std::size_t>(system.columns());
  sizes.values = static_cast<std::size_t>(system.values());
  sizes.variances = task.variances.data ? sizes.columns : 0;
  sizes.history = task.history.data ? task.history.rows : 0;
  sizes.scratch = task.solver.scratch_rows;
  sizes.lane = lanes.lane * task.solver.registers;
  sizes.pixels = tile_pixels(2 * sizes.rows + sizes.columns + sizes.values, sizes.lane, sizeof(T), sizeof(S));
  const auto tile_size = static_cast<std::size_t>(sizes.pixels);

  // Decides what becomes of the pixels, and marks those whose x is written.
  const auto finish = [&](Workspace<T>& space, std::size_t first, std::size_t n) {
    const SystemTile<T>& tile = space.tile;
    for (std::size_t c = 0; c < n; ++c) {
      const std::size_t p = first + c;
      Status status = static_cast<Status>(static_cast<int>(tile.status[c]));
      if (tile.flaw[c] > 0) status = Status::not_finite;
      else if (task.needs_observations && tile.count[c] == 0) status = Status::no_data;
      const bool solved = status != Status::not_finite && status != Status::no_data;
      space.keep[c] = solved ? T(1) : T(0);
      if (task.status) task.status[p] = static_cast<std::uint8_t>(status);
      if (task.rank) task.rank[p] = solved ? static_cast<std::int32_t>(tile.rank[c]) : 0;
      if (task.valid) task.valid[p] = solved ? static_cast<std::int32_t>(tile.count[c]) : 0;
      if (task.iterations) task.iterations[p] = solved ? static_cast<std::int32_t>(tile.iterations[c]) : 0;
      if (task.residual_norm) task.residual_norm[p] = solved ? static_cast<S>(kernels::within<S>(tile.norm[c])) : std::numeric_limits<S>::quiet_NaN();
    }
    std::fill(space.keep + n, space.keep + tile_size, T(0));
  };

  std::vector<const char*> streams;  // rows that differ from pixel to pixel
  for (const auto& source : task.sources)
    for (const S* row : {source.y, source.w})
      if (row) streams.push_back(reinterpret_cast<const char*>(row));

  std::mutex reporting;
  std::size_t done = 0;
  std::atomic<bool> stopped = false;
  oneapi::tbb::enumerable_thread_specific<Workspace<T>> workspaces([&] { return Workspace<T>(sizes); });
  const std::size_t tiles_per_chunk = task.chunk ? (task.chunk + tile_size - 1) / tile_size : 16;
  for_pixels(task.pixels, tiles_per_chunk * tile_size, task.threads, [&](std::size_t from, std::size_t to) {
    if (stopped) return;
    Workspace<T>& space = workspaces.local();
    SystemTile<T>& tile = space.tile;
    for (std::size_t first = from; first < to; first += tile_size) {
      const std::size_t n = std::min(tile_size, to - first);
      tile.first = first, tile.n = n;
      lanes.load(task.sources.data(), system.rows(), system.observations(), first, n, tile);
      lanes.load_rows(task.x_in, system.columns(), first, n, tile, tile.x);
      if (sizes.values) system.fill_values(task.first + first, n, tile.lane, tile.pixels, tile.values, tile.flaw);
      if (sizes.history) std::fill_n(tile.history, sizes.history * tile_size, std::numeric_limits<T>::quiet_NaN());
      const std::size_t ahead = std::min(tile_size, task.pixels - first - n);
      tile.next = {streams.data(), ahead ? static_cast<int>(streams.size()) : 0, static_cast<std::ptrdiff_t>((first + n) * sizeof(S)),
                   static_cast<std::ptrdiff_t>(ahead * sizeof(S))};
      task.solver.solve(task.solver.self, tile);
      if (task.x.data) lanes.mark_overflow(tile.x, system.columns(), tile);
      finish(space, first, n);
      if (task.x.data) lanes.write_rows(tile.x, space.keep, system.columns(), first, n, tile, task.x);
      if (sizes.variances) lanes.write_rows(tile.variances, space.keep, system.columns(), first, n, tile, task.variances);
      if (sizes.history) lanes.write_rows(tile.history, space.keep, static_cast<int>(sizes.history), first, n, tile, task.history);
    }
    if (!task.progress) return;
    const std::lock_guard lock(reporting);
    done += to - from;
    if (!stopped && !task.progress(done)) stopped = true;
  });
  if (stopped)
    throw Interrupted("solve: stopped by its progress callback after " + std::to_string(done) + " of " + std::to_string(task.pixels) + " pixels");
}

template void run<float, float>(const SystemTask<float, float>&);
template void run<float, double>(const SystemTask<float, double>&);
template void run<double, float>(const SystemTask<double, float>&);
template void run<double, double>(const SystemTask<double, double>&);

}  // namespace lopsar::cpu
