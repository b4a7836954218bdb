// From baselines of pairs to baselines of dates.
#pragma once
#include <vector>

#include <lopsar/operators/network.hpp>

namespace lopsar {

// Perpendicular baselines (m) of dates, and how far they are from those of the pairs, which are not exactly consistent.
struct DateBaselines {
  std::vector<double> date;               // (D), the reference date of the network 0, a date without any pair's baseline NaN
  double rms_misfit = 0, max_misfit = 0;  // m, over the pairs
};

// argmin sum_k (b[second date of k] - b[first date of k] - pair_baselines[k])^2 over the b of dates; minimum norm where pairs do not connect.
//
// pair_baselines (K), m; one that is not finite is missing. ShapeError if there is not one per pair.
DateBaselines date_baselines(const Network& network, const std::vector<double>& pair_baselines);

}  // namespace lopsar
