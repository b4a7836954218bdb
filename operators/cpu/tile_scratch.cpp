#include <lopsar/operators/cpu/tile_scratch.hpp>

#include <cstdlib>
#include <new>
#include <vector>

namespace lopsar::cpu {
namespace {

struct Buffer {
  std::unique_ptr<void, decltype(&std::free)> data{nullptr, &std::free};
  std::size_t bytes = 0;
};
thread_local std::vector<Buffer> buffers;  // one per depth of nesting
thread_local std::size_t depth = 0;

}  // namespace

TileScratch::TileScratch(std::size_t rows, std::size_t pixels, std::size_t value_size) : rows_(rows), pixels_(pixels) {
  constexpr std::size_t line = 64;
  const std::size_t row_bytes = (pixels * value_size + line - 1) / line * line + line;
  stride_ = row_bytes / value_size;
  if (depth == buffers.size()) buffers.emplace_back();
  Buffer& buffer = buffers[depth];
  if (buffer.bytes < rows * row_bytes) {
    buffer.bytes = 0;
    buffer.data.reset(std::aligned_alloc(line, rows * row_bytes));
    if (!buffer.data) throw std::bad_alloc();
    buffer.bytes = rows * row_bytes;
  }
  data_ = buffer.data.get();
  ++depth;
}

TileScratch::~TileScratch() { --depth; }

}  // namespace lopsar::cpu
