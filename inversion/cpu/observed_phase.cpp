#include <lopsar/inversion/cpu/observed_phase.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include <lopsar/inversion/kernels/phase.hpp>
#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/solvers/kernels/phasor_sum.hpp>

namespace lopsar::cpu {
namespace {

constexpr std::size_t tile = 256;

template <class T, class Weight>
void observe_rows(const PhaseStack<T>& stack, std::size_t first, Block<T> y, Block<T> w, std::size_t from, std::size_t to, const Weight& weight) {
  constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  for (std::size_t k = 0; k < y.rows; ++k) {
    const T* phase = stack.phase.row(k) + first;
    const T* coherence = stack.coherence.data ? stack.coherence.row(k) + first : nullptr;
    for (std::size_t p = from; p < to; ++p) {
      bool valid = false;
      T used;
      const T data = kernels::referenced_phase<T>(phase[p], coherence ? coherence[p] : T(0), stack.sign[k], stack.offset[k], stack.zero_is_missing,
                                                  weight, used, valid);
      y.row(k)[p] = valid ? data : nan;
      w.row(k)[p] = used;
    }
  }
}

}  // namespace

template <class T>
void observe(const PhaseStack<T>& stack, std::size_t first, Block<T> y, Block<T> w, int threads) {
  for_pixels(y.pixels, tile, threads, [&](std::size_t from, std::size_t to) {
    const auto rows = [&](const auto& weight) { observe_rows(stack, first, y, w, from, to, weight); };
    switch (stack.function) {
      case WeightFunction::variance: return rows(kernels::VarianceWeight<T>{stack.weight_table});
      case WeightFunction::fisher: return rows(kernels::FisherWeight<T>{stack.twice_looks});
      case WeightFunction::coherence: return rows(kernels::CoherenceWeight<T>{});
      case WeightFunction::none: return rows(kernels::UnitWeight<T>{});
    }
  });
}

template <class T>
void examine(const Network& network, std::size_t exempt, ConstBlock<T> w, std::int32_t* valid, std::int32_t* redundancy, std::int32_t* rank,
             int threads) {
  const auto& pairs = network.pairs();
  const std::size_t dates = network.dates().size();
  const auto least = [&](const std::vector<std::size_t>& count) {
    std::size_t n = std::numeric_limits<std::int32_t>::max();
    for (std::size_t d = 0; d < dates; ++d)
      if (d != exempt) n = std::min(n, count[d]);
    return static_cast<std::int32_t>(n);
  };
  const std::int32_t whole_redundancy = least(network.redundancy()), whole_rank = static_cast<std::int32_t>(network.rank());
  for_pixels(w.pixels, tile, threads, [&](std::size_t from, std::size_t to) {
    std::fill(valid + from, valid + to, 0);
    for (std::size_t k = 0; k < pairs.size(); ++k)
      for (std::size_t p = from; p < to; ++p) valid[p] += w.row(k)[p] > 0;
    std::vector<std::size_t> root(dates), count(dates);
    const auto root_of = [&](std::size_t d) {
      while (root[d] != d) d = root[d] = root[root[d]];
      return d;
    };
    for (std::size_t p = from; p < to; ++p) {
      redundancy[p] = whole_redundancy, rank[p] = whole_rank;
      if (static_cast<std::size_t>(valid[p]) == pairs.size()) continue;
      std::iota(root.begin(), root.end(), std::size_t(0));
      std::fill(count.begin(), count.end(), std::size_t(0));
      rank[p] = 0;
      for (std::size_t k = 0; k < pairs.size(); ++k) {
        if (!(w.row(k)[p] > 0)) continue;
        ++count[pairs[k].first], ++count[pairs[k].second];
        const std::size_t a = root_of(pairs[k].first), b = root_of(pairs[k].second);
        if (a != b) root[a] = b, ++rank[p];  // every edge that joins two parts of the graph
      }
      redundancy[p] = least(count);
    }
  });
}

template <class T>
void temporal_coherence(const Network& network, ConstBlock<T> y, ConstBlock<T> x, T* coherence, int threads) {
  const auto& pairs = network.pairs();
  const std::size_t reference = network.reference();
  const auto row = [&](std::size_t date) { return date == reference ? nullptr : x.row(date - (date > reference ? 1 : 0)); };
  for_pixels(y.pixels, tile, threads, [&](std::size_t from, std::size_t to) {
    std::array<kernels::PhasorSum<T>, tile> sums{};
    std::array<T, tile> count{};
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      const T *first = row(pairs[k].first), *second = row(pairs[k].second);
      for (std::size_t p = from; p < to; ++p) {
        const T data = y.row(k)[p];
        const bool used = data == data;
        const T e = (second ? second[p] : T(0)) - (first ? first[p] : T(0)) - data;
        sums[p - from].add(used ? e : T(0), false);
        count[p - from] += used ? T(1) : T(0);
      }
    }
    for (std::size_t p = from; p < to; ++p) {
      const T n = count[p - from];
      coherence[p] = sums[p - from].mean_length(n, n > 0 ? 1 / n : T(0));
    }
  });
}

#define LOPSAR_OBSERVED_PHASE(T)                                                                                                               \
  template void observe<T>(const PhaseStack<T>&, std::size_t, Block<T>, Block<T>, int);                                                        \
  template void examine<T>(const Network&, std::size_t, ConstBlock<T>, std::int32_t*, std::int32_t*, std::int32_t*, int);                      \
  template void temporal_coherence<T>(const Network&, ConstBlock<T>, ConstBlock<T>, T*, int);
LOPSAR_OBSERVED_PHASE(float)
LOPSAR_OBSERVED_PHASE(double)
#undef LOPSAR_OBSERVED_PHASE

}  // namespace lopsar::cpu
