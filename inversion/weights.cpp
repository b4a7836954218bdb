#include <lopsar/inversion/weights.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <numbers>
#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

constexpr double least_coherence = 0.05, largest_fisher_coherence = 1 - 1e-3;
constexpr double first_bin = 0.0025, last_bin = 0.9975, bin_width = 0.005;

double probability(double phi, double g, int looks) {
  const double L = looks, b = g * std::cos(phi), q = 1 - b * b;
  const double front = std::exp(std::lgamma(2 * L - 1) - 2 * std::lgamma(L) - 2 * (L - 1) * std::numbers::ln2);
  const double first = front * ((2 * L - 1) * b / std::pow(q, L + 0.5) * (std::numbers::pi / 2 + std::asin(b)) + 1 / std::pow(q, L));
  double sum = 0, ratio = 1, power = q * q;  // ratio of gammas and power of q by recurrence in r
  for (int r = 0; r <= looks - 2; ++r) {
    sum += ratio * (1 + (2 * r + 1) * b * b) / power;
    ratio *= (L - 1.5 - r) / (L - 2 - r);
    power *= q;
  }
  const double second = looks > 1 ? sum / (2 * (L - 1)) : 0;
  return std::pow(1 - g * g, L) / (2 * std::numbers::pi) * (first + second);
}

void check_looks(int looks) {
  if (looks < 1) throw InvalidArgument("weights: expected looks >= 1, got " + std::to_string(looks) + "; set NCORRLOOKS, or ALOOKS and RLOOKS");
}

}  // namespace

WeightFunction weight_function(std::string_view name) {
  if (name == "var") return WeightFunction::variance;
  if (name == "fim") return WeightFunction::fisher;
  if (name == "coh") return WeightFunction::coherence;
  if (name == "no" || name == "sbas" || name == "none") return WeightFunction::none;
  throw InvalidArgument("weight function: expected var, fim, coh or no, got '" + std::string(name) + "'");
}

double phase_variance(double coherence, int looks) {
  check_looks(looks);
  if (!(coherence >= 0 && coherence < 1)) throw InvalidArgument("phase variance: expected a coherence in [0, 1), got " + std::to_string(coherence));
  constexpr int samples = 200;
  double variance = 0;
  for (int p = 0; p < samples; ++p) {
    const double phi = -std::numbers::pi + 2 * std::numbers::pi * p / (samples - 1);
    variance += phi * phi * probability(phi, coherence, looks);
  }
  return variance * (2 * std::numbers::pi / samples);
}

std::vector<double> variance_table(int looks) {
  check_looks(looks);
  // Kept: a job asks once per block, and a table costs milliseconds.
  static std::mutex mutex;
  static std::map<int, std::vector<double>> known;
  const std::lock_guard guard(mutex);
  std::vector<double>& table = known[std::min(looks, 80)];
  if (!table.empty()) return table;
  table.resize(variance_bins);
  double smallest = std::numeric_limits<double>::infinity();
  for (int i = 0; i < variance_bins; ++i) {
    table[static_cast<std::size_t>(i)] = phase_variance(first_bin + bin_width * i, std::min(looks, 80));
    if (table[static_cast<std::size_t>(i)] > 0) smallest = std::min(smallest, table[static_cast<std::size_t>(i)]);
  }
  for (double& v : table)
    if (!(v > 0)) v = std::isfinite(smallest) ? smallest : std::numeric_limits<double>::epsilon();
  return table;
}

std::vector<double> coherence_to_weight(const std::vector<double>& coherence, WeightFunction function, int looks) {
  if (function == WeightFunction::variance || function == WeightFunction::fisher) check_looks(looks);
  const auto table = function == WeightFunction::variance ? variance_table(looks) : std::vector<double>{};
  std::vector<double> weight;
  for (double g : coherence) {
    g = g > least_coherence ? g : least_coherence;  // NaN too
    switch (function) {
      case WeightFunction::variance:
        weight.push_back(1 / table[static_cast<std::size_t>((std::clamp(g, first_bin, last_bin) - first_bin) / bin_width)]);
        break;
      case WeightFunction::fisher:
        g = std::min(g, largest_fisher_coherence);
        weight.push_back(2.0 * looks * g * g / (1 - g * g));
        break;
      case WeightFunction::coherence: weight.push_back(g); break;
      case WeightFunction::none: weight.push_back(1); break;
    }
  }
  return weight;
}

}  // namespace lopsar
