// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/cpu/network.hpp>
#include <lopsar/operators/kernels/network.hpp>
#include <lopsar/operators/lanes/stream_row.hpp>
#include <lopsar/operators/lanes/target.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

// The last lanes of a row that do not fill a register are done one by one with the same arithmetic.
template <class T>
void forward(const NetworkRows& network, ConstBlock<T> x, Block<T> y, std::size_t from, std::size_t to) {
  using V = native<T>;
  alignas(64) T row[network_tile];
  const std::size_t n = to - from;
  for (std::size_t k = 0; k < network.pairs; ++k) {
    const T* first = network.first[k] < 0 ? nullptr : x.data + static_cast<std::size_t>(network.first[k]) * x.stride + from;
    const T* second = network.second[k] < 0 ? nullptr : x.data + static_cast<std::size_t>(network.second[k]) * x.stride + from;
    std::size_t p = 0;
    for (; p + width<V> <= n; p += width<V>) io<V>::store(row + p, difference<V>(first ? first + p : nullptr, second ? second + p : nullptr));
    for (; p < n; ++p) row[p] = difference<T>(first ? first + p : nullptr, second ? second + p : nullptr);
    stream_row<V>(y.data + k * y.stride + from, row, n);
  }
  finish_streaming();
}

template <class T>
void adjoint(const NetworkColumns& network, ConstBlock<T> y, Block<T> x, std::size_t from, std::size_t to) {
  using V = native<T>;
  const std::size_t n = to - from;
  for (std::size_t c = 0; c < network.columns; ++c) {
    const int* incident = network.incident + network.start[c];
    const int count = network.start[c + 1] - network.start[c];
    T* out = x.data + c * x.stride + from;
    std::size_t p = 0;
    for (; p + width<V> <= n; p += width<V>) io<V>::store_any(out + p, divergence<V>(incident, count, y.data + from + p, y.stride));
    for (; p < n; ++p) out[p] = divergence<T>(incident, count, y.data + from + p, y.stride);
  }
}

}  // namespace

template <class T, int level>
const NetworkKernels<T>& network_level() {
  static constexpr NetworkKernels<T> kernels{forward<T>, adjoint<T>};
  return kernels;
}
template const NetworkKernels<float>& network_level<float, LOPSAR_LEVEL>();
template const NetworkKernels<double>& network_level<double, LOPSAR_LEVEL>();

}  // namespace lopsar::cpu
