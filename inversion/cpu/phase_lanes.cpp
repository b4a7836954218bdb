// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>

#include <lopsar/inversion/cpu/phase.hpp>
#include <lopsar/inversion/kernels/phase.hpp>
#include <lopsar/solvers/cpu/tile_rows.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

template <class T, class Weight>
struct Prepare {
  const PhaseStack<T>& stack;
  Weight weight;
  struct Row {
    const Weight& weight;
    T sign, offset;
    bool zero_is_missing;
    template <class S>
    LOPSAR_HD S operator()(S y, S coherence, T*, S& w, mask_t<S>& valid) const {
      return referenced_phase(y, coherence, sign, offset, zero_is_missing, weight, w, valid);
    }
  };
  LOPSAR_HD Row row(int k) const { return {weight, stack.sign[k], stack.offset[k], stack.zero_is_missing}; }
};

template <class T>
void load(const void* data, const detail::EdgeFlowSymbolic& s, std::size_t first, std::size_t n, Tile<T>& tile) {
  const auto& stack = *static_cast<const PhaseStack<T>*>(data);
  const auto fill = [&](const auto& weight) {
    using Weight = std::remove_cvref_t<decltype(weight)>;
    constexpr bool unit = std::is_same_v<Weight, UnitWeight<row_lane<T>>>;
    fill_tile(s.pairs, s.edges, stack.phase.data + first, unit ? static_cast<const T*>(nullptr) : stack.coherence.data + first, stack.phase.stride,
              stack.coherence.stride, n, tile, Prepare<T, Weight>{stack, weight});
  };
  using V = row_lane<T>;
  switch (stack.function) {
    case WeightFunction::variance: return fill(VarianceWeight<V>{stack.weight_table});
    case WeightFunction::fisher: return fill(FisherWeight<V>{stack.twice_looks});
    case WeightFunction::coherence: return fill(CoherenceWeight<V>{});
    case WeightFunction::none: return fill(UnitWeight<V>{});
  }
}

}  // namespace

template <class T, int level>
TileSource<T> phase_level(const PhaseStack<T>& stack) {
  return {&stack, stack.phase.data, load<T>};
}
template TileSource<float> phase_level<float, LOPSAR_LEVEL>(const PhaseStack<float>&);
template TileSource<double> phase_level<double, LOPSAR_LEVEL>(const PhaseStack<double>&);

}  // namespace lopsar::cpu
