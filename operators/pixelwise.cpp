#include <lopsar/operators/pixelwise.hpp>

#include <lopsar/operators/cpu/pattern.hpp>
#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/cpu/series.hpp>

namespace lopsar {
namespace {

// What this tile and the next touch more than once fits into a second-level cache.
std::size_t tile_pixels(const Pixelwise& op, bool adjoint, std::size_t value_size) {
  constexpr std::size_t cache = 512 * 1024;
  std::size_t tile = cpu::pattern_tile;
  static_assert(cpu::pattern_tile == cpu::series_tile);  // what the scratch of the kernels holds
  while (tile > 64 && op.cached_rows(adjoint) * tile * value_size > cache) tile /= 2;
  return tile;
}

}  // namespace

#define LOPSAR_TILES(T)                                                                                              \
  void Pixelwise::forward(ConstBlock<T> x, Block<T> y, int threads) const {                                          \
    cpu::for_pixels(y.pixels, tile_pixels(*this, false, sizeof(T)), threads, [&](std::size_t from, std::size_t to) { \
      forward_tile(x.part(from, to - from), y.part(from, to - from), {from, true, true});                            \
    });                                                                                                              \
  }                                                                                                                  \
  void Pixelwise::adjoint(ConstBlock<T> y, Block<T> x, int threads) const {                                          \
    cpu::for_pixels(x.pixels, tile_pixels(*this, true, sizeof(T)), threads, [&](std::size_t from, std::size_t to) {  \
      adjoint_tile(y.part(from, to - from), x.part(from, to - from), {from, true, true});                            \
    });                                                                                                              \
  }
LOPSAR_TILES(float)
LOPSAR_TILES(double)
#undef LOPSAR_TILES

}  // namespace lopsar
