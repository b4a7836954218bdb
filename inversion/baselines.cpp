#include <lopsar/inversion/baselines.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/solve.hpp>

namespace lopsar {

DateBaselines date_baselines(const Network& network, const std::vector<double>& pair_baselines) {
  const auto& pairs = network.pairs();
  if (pair_baselines.size() != pairs.size())
    throw ShapeError("date_baselines: expected one baseline per pair, " + std::to_string(pairs.size()) + ", got " +
                     std::to_string(pair_baselines.size()));
  constexpr double missing = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> y;
  std::vector<bool> seen(network.dates().size(), false);
  seen[network.reference()] = true;
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    const bool valid = std::isfinite(pair_baselines[k]);
    y.push_back(valid ? pair_baselines[k] : missing);
    if (valid) seen[pairs[k].first] = seen[pairs[k].second] = true;
  }
  const auto solution = solve(network, ConstBlock<double>(y.data(), y.size(), 1), {.null_space = NullSpace::minimum_norm_phase, .threads = 1});
  DateBaselines result;
  result.date = solution.x;
  result.date.insert(result.date.begin() + static_cast<std::ptrdiff_t>(network.reference()), 0.0);
  for (std::size_t d = 0; d < seen.size(); ++d)
    if (!seen[d]) result.date[d] = missing;
  double sum = 0;
  std::size_t n = 0;
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    const double misfit = std::abs(result.date[pairs[k].second] - result.date[pairs[k].first] - y[k]);
    if (!std::isfinite(misfit)) continue;
    sum += misfit * misfit, ++n;
    result.max_misfit = std::max(result.max_misfit, misfit);
  }
  result.rms_misfit = n ? std::sqrt(sum / double(n)) : 0;
  return result;
}

}  // namespace lopsar
