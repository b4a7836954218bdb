#include <lopsar/operators/cpu/pixel_loop.hpp>

#include <algorithm>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace lopsar::cpu {

void for_pixels(std::size_t pixels, std::size_t tile, int threads, const std::function<void(std::size_t, std::size_t)>& body) {
  namespace tbb = oneapi::tbb;
  const std::size_t tiles = (pixels + tile - 1) / tile;
  const auto run = [&](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t t = range.begin(); t < range.end(); ++t) body(t * tile, std::min(pixels, (t + 1) * tile));
  };
  const auto loop = [&] { tbb::parallel_for(tbb::blocked_range<std::size_t>(0, tiles), run); };
  if (threads == 1 || tiles <= 1) run(tbb::blocked_range<std::size_t>(0, tiles));
  else if (threads <= 0) loop();
  else tbb::task_arena(std::min(threads, tbb::info::default_concurrency())).execute(loop);
}

}  // namespace lopsar::cpu
