// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>

#include <lopsar/operators/lanes/stream_row.hpp>
#include <lopsar/solvers/cpu/edge_flow_tile.hpp>
#include <lopsar/solvers/cpu/observations.hpp>
#include <lopsar/solvers/cpu/tile_rows.hpp>
#include <lopsar/solvers/kernels/observation.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

template <class V, Quality Q, class I>
void solve_groups(const detail::EdgeFlowSymbolic& s, const value_t<V>* pseudo, bool mark_determined, bool redundancy, int exempt,
                  Tile<value_t<V>>& tile) {
  using T = value_t<V>;
  constexpr int W = width<V>;
  const V zero(T(0)), one(T(1));
  const auto program = s.program<I>();
  Spread<NextRow<T>> next(NextRow<T>(tile), s.pairs, tile_pixels<T> / W * 2 * (s.dates - 1));
  for (int c = 0; c < tile_pixels<T>; c += W) {
    const V count = io<V>::load(tile.count + c);
    if (!some(count > zero)) {
      io<V>::store(tile.rank + c, zero);
      io<V>::store(tile.quality + c, zero);
      io<V>::store(tile.redundancy + c, zero);
      continue;
    }
    const std::size_t group = static_cast<std::size_t>(c) * static_cast<std::size_t>(s.edges);
    const packed_rows<V> y{tile.y + group}, w{tile.w + group}, x{tile.x + static_cast<std::size_t>(c) * static_cast<std::size_t>(s.dates)};
    const V w_min = choose(count > zero, io<V>::load(tile.w_min + c), one);
    const packed_rows<V> factors{tile.factors};
    const auto result =
        edge_flow<V, Q, I>(program, pseudo, y, w, w_min, count, packed_rows<V>{tile.slots}, factors, packed_rows<V>{tile.neighbors}, x, next);
    io<V>::store(tile.rank + c, result.rank);
    V quality = result.quality;
    if constexpr (Q == Quality::residual_norm) {
      quality = root(result.quality);
      const auto unsafe = !safe_squares(result.quality);
      if (some(unsafe)) quality = choose(unsafe, residual_norm<V>(program, y, w, x), quality);
    }
    io<V>::store(tile.quality + c, quality);
    // Where nothing is missing, the network itself says how often a date is seen (the caller checks that once).
    if (redundancy)
      io<V>::store(tile.redundancy + c, some(count < V(T(s.pairs))) ? least_redundancy<V>(s.incident.data(), s.dates, exempt, w) : V(T(1e9)));
    if (mark_determined && some(result.rank < V(T(s.dates) - T(1.5)))) {
      const packed_rows<V> u{tile.dates};
      determined<V>(program, s.factors, factors, u);
      const V nan(T(0) / T(0));
      for (int d = 0; d < s.dates; ++d) x.set(d, choose(u[d] > zero, x[d], nan));
    }
  }
  next.finish();  // what groups without an observation left over
}

template <class T>
void solve(const detail::EdgeFlowSymbolic& s, const T* pseudo, Quality quality, int registers, bool mark_determined, bool redundancy, int exempt,
           Tile<T>& tile) {
  using V = native<T>;
  const auto run = [&](auto of_width) {
    using L = decltype(of_width);
    if (!s.narrow) {  // more than 32767 pairs: the interpreted form, whatever the quality
      if (quality == Quality::temporal_coherence)
        solve_groups<L, Quality::temporal_coherence, std::int32_t>(s, pseudo, mark_determined, redundancy, exempt, tile);
      else solve_groups<L, Quality::residual_norm, std::int32_t>(s, pseudo, mark_determined, redundancy, exempt, tile);
    } else if (quality == Quality::temporal_coherence)
      solve_groups<L, Quality::temporal_coherence, std::int16_t>(s, pseudo, mark_determined, redundancy, exempt, tile);
    else solve_groups<L, Quality::residual_norm, std::int16_t>(s, pseudo, mark_determined, redundancy, exempt, tile);
  };
  if constexpr (sizeof(T) == 4) {
    if (registers == 2) return run(pack<V, 2>{});
  }
  static_cast<void>(registers);
  run(V(T(0)));
}

template <class T>
void write(const detail::EdgeFlowSymbolic& s, const TileSink<T>& sink, const Tile<T>& tile, std::size_t first, std::size_t n) {
  using S = native<T>;
  constexpr int step = width<S>;
  const S scale(sink.scale), fill(sink.fill), half(T(0.5));
  alignas(64) T row[tile_pixels<T>];
  const std::size_t group = static_cast<std::size_t>(s.dates) * static_cast<std::size_t>(tile.lane);
  for (int d = 0; d < s.dates; ++d) {
    if (sink.date_row[d] < 0) continue;
    const T* from = tile.x + static_cast<std::size_t>(d) * static_cast<std::size_t>(tile.lane);
    int within = 0;
    for (int c = 0; c < tile_pixels<T>; c += step) {
      const auto keep = io<S>::load(tile.keep + c) > half;
      io<S>::store(row + c, choose(keep, io<S>::load(from + within) * scale, fill));
      within += step;
      if (within == tile.lane) {
        within = 0;
        from += group;
      }
    }
    stream_row<S>(sink.x + static_cast<std::size_t>(sink.date_row[d]) * sink.stride + first, row, n);
  }
  finish_streaming();
}

// Observations of `solve`: per-pixel weights, or one weight per pair.
template <class T>
struct PixelWeights {
  const float* sign;
  struct Row {
    T sign;
    template <class S>
    LOPSAR_HD S operator()(S y, S weight, T* flaw, S& w, mask_t<S>& valid) const {
      return observation(y, weight, sign, flaw, w, valid);
    }
  };
  LOPSAR_HD Row row(int k) const { return {T(sign[k])}; }
};
template <class T>
struct PairWeights {
  const float* sign;
  const T* weights;  // null: 1
  struct Row {
    T sign, weight;
    template <class S>
    LOPSAR_HD S operator()(S y, S, T* flaw, S& w, mask_t<S>& valid) const {
      return observation(y, S(weight), sign, flaw, w, valid);
    }
  };
  LOPSAR_HD Row row(int k) const { return {T(sign[k]), weights ? weights[k] : T(1)}; }
};

// The rows of priors, which nobody counts.
template <class T>
void load_priors(const PriorEdge<T>* priors, const detail::EdgeFlowSymbolic& s, std::size_t first, std::size_t n, Tile<T>& tile) {
  using S = native<T>;
  constexpr int pixels = tile_pixels<T>;
  alignas(64) T y_copy[pixels], w_copy[pixels];
  for (int k = s.pairs; k < s.edges; ++k) {
    const auto& prior = priors[k - s.pairs];
    const T* y = prior.source.y ? readable(prior.source.y + first, n, pixels, y_copy) : nullptr;
    const T* w = prior.source.w ? readable(prior.source.w + first, n, pixels, w_copy) : nullptr;
    const S y_all(prior.source.y_all), w_all(prior.source.w_all), y_scale(T(1) / prior.scale), w_scale(prior.scale * prior.scale);
    for (int c = 0; c < pixels; c += width<S>) {
      S weight;
      mask_t<S> usable;
      const S datum = observation((y ? io<S>::load_any(y + c) : y_all) * y_scale, (w ? io<S>::load_any(w + c) : w_all) * w_scale, T(s.sign[k]),
                                  tile.flaw + c, weight, usable);
      const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(c / tile.lane) * s.edges + k) * tile.lane + c % tile.lane;
      io<S>::store(tile.y + at, datum);
      io<S>::store(tile.w + at, weight);
      const S least = io<S>::load(tile.w_min + c);
      io<S>::store(tile.w_min + c, choose(usable, at_most(least, weight), least));
    }
  }
}

template <class T>
void load(const void* data, const detail::EdgeFlowSymbolic& s, std::size_t first, std::size_t n, Tile<T>& tile) {
  const auto& o = *static_cast<const Observations<T>*>(data);
  if (o.weights.data && o.weights_per_pixel)
    fill_tile(s.pairs, s.edges, o.y.data + first, o.weights.data + first, o.y.stride, o.weights.stride, n, tile, PixelWeights<T>{s.sign.data()});
  else
    fill_tile(s.pairs, s.edges, o.y.data + first, static_cast<const T*>(nullptr), o.y.stride, 0, n, tile,
              PairWeights<T>{s.sign.data(), o.weights.data});
  load_priors(o.priors, s, first, n, tile);
}

}  // namespace

template <class T, int level>
const EdgeFlowKernels<T>& edge_flow_level() {
  static constexpr EdgeFlowKernels<T> kernels{width<native<T>>, solve<T>, write<T>};
  return kernels;
}
template const EdgeFlowKernels<float>& edge_flow_level<float, LOPSAR_LEVEL>();
template const EdgeFlowKernels<double>& edge_flow_level<double, LOPSAR_LEVEL>();

template <class T, int level>
TileSource<T> observations_level(const Observations<T>& observations) {
  return {&observations, observations.y.data, load<T>};
}
template TileSource<float> observations_level<float, LOPSAR_LEVEL>(const Observations<float>&);
template TileSource<double> observations_level<double, LOPSAR_LEVEL>(const Observations<double>&);

}  // namespace lopsar::cpu
