#include <lopsar/operators/axis_matrix.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {

void AxisMatrix::append(std::size_t n, const std::vector<Tap>& row) {
  if (n == 0) return;
  const std::size_t first = taps.size();
  for (const Tap& tap : row)
    if (tap.value != 0) taps.push_back(tap);
  runs.push_back({rows, rows + n, first, taps.size()});
  rows += n;
}

void AxisMatrix::check(const char* who) const {
  for (const TapRun& run : runs)
    for (std::size_t t = run.first; t < run.last; ++t) {
      if (!std::isfinite(taps[t].value)) throw InvalidArgument(std::string(who) + ": expected finite coefficients, got NaN or infinity");
      for (const std::ptrdiff_t c : {column(taps[t], run.from), column(taps[t], run.to - 1)})
        if (c < 0 || c >= static_cast<std::ptrdiff_t>(columns))
          throw InvalidArgument(std::string(who) + ": expected an index from 0 to " + std::to_string(columns) + " - 1, got " + std::to_string(c));
    }
}

// Tap by tap: the columns [begin, end) that a run's tap reaches are rows of the transpose, where it looks back.
AxisMatrix AxisMatrix::transposed() const {
  struct Reach {
    std::size_t begin, end;
    Tap tap;
  };
  std::vector<Reach> reaches;
  reaches.reserve(taps.size());
  std::vector<std::size_t> breaks{0, columns};
  for (const TapRun& run : runs)
    for (std::size_t t = run.first; t < run.last; ++t) {
      Tap tap = taps[t];
      const auto a = static_cast<std::size_t>(column(tap, run.from)), b = static_cast<std::size_t>(column(tap, run.to - 1));
      if (!tap.backward) tap.offset = -tap.offset;
      reaches.push_back({std::min(a, b), std::max(a, b) + 1, tap});
      breaks.push_back(reaches.back().begin);
      breaks.push_back(reaches.back().end);
    }
  std::stable_sort(reaches.begin(), reaches.end(), [](const Reach& a, const Reach& b) { return a.begin < b.begin; });
  std::sort(breaks.begin(), breaks.end());
  breaks.erase(std::unique(breaks.begin(), breaks.end()), breaks.end());

  AxisMatrix result(rows);
  std::vector<Reach> active;
  std::vector<Tap> row;
  auto next = reaches.begin();
  for (std::size_t b = 0; b + 1 < breaks.size(); ++b) {
    active.erase(std::remove_if(active.begin(), active.end(), [&](const Reach& r) { return r.end <= breaks[b]; }), active.end());
    for (; next != reaches.end() && next->begin == breaks[b]; ++next) active.push_back(*next);
    row.clear();
    for (const Reach& r : active) row.push_back(r.tap);
    result.append(breaks[b + 1] - breaks[b], row);
  }
  return result;
}

}  // namespace lopsar
