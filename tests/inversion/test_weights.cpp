// Weights against MintPy's numbers (of MintPy 1.6), and the lanes against the definitions in float64.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <lopsar/inversion/time_series.hpp>
#include <lopsar/inversion/weights.hpp>
#include <lopsar/operators/error.hpp>

#include "../support/catch.hpp"
#include "../support/networks.hpp"

using namespace lopsar;
using support::Grid;

namespace {

// Two interferograms of the same two dates with data 0 and 1: x = w1 / (w0 + w1) tells the weight that the lanes gave to the second one.
std::vector<float> share_of_second(const std::vector<float>& coherence, float first_coherence, WeightFunction function, int looks) {
  const Network network(support::Names{{"20200101", "20200113"}, {"20200101", "20200113"}});
  const std::size_t pixels = coherence.size();
  Grid<float> phase(2, pixels), g(2, pixels), series(2, pixels);
  for (std::size_t p = 0; p < pixels; ++p) {
    phase.at(0, p) = 0;
    phase.at(1, p) = 1;
    g.at(0, p) = first_coherence;
    g.at(1, p) = coherence[p];
  }
  TimeSeriesOptions options;
  options.weight_function = function;
  options.looks = looks;
  options.zero_is_missing = false;
  TimeSeriesOutput<float> out;
  out.series = series.block();
  invert_time_series<float>(network, phase.view(), g.view(), nullptr, out, options);
  std::vector<float> share(pixels);
  for (std::size_t p = 0; p < pixels; ++p) share[p] = series.at(1, p);
  return share;
}

// MintPy's bin, in its own words: clip to the ends of the table, divide, truncate, in float64.
int mintpy_bin(float coherence) {
  double g = coherence > 0.05f ? static_cast<double>(coherence) : 0.05;
  g = std::min(std::max(g, 0.0025), 0.9975);
  return static_cast<int>((g - 0.0025) / 0.005);
}

}  // namespace

TEST_CASE("phase variance: MintPy's values", "[inversion][weights]") {
  struct Row {
    int looks;
    double values[9];
  };
  constexpr double coherence[] = {0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999};
  constexpr Row rows[] = {
      {1, {3.17193364, 3.01527591, 2.70752659, 2.40485721, 1.80347742, 1.18399215, 0.489154641, 0.0840266262, 0.0207463734}},
      {5, {2.95518762, 2.58510373, 1.91076435, 1.34136571, 0.550589323, 0.169340791, 0.0315466532, 0.00318236213, 0.000629224204}},
      {20, {2.59094899, 1.91232341, 0.923982727, 0.401798905, 0.0895903706, 0.0285276946, 0.00636555248, 0.000667961033, 0.000207782397}},
      {39, {2.32015192, 1.46855557, 0.492902524, 0.169644459, 0.0416793685, 0.014023732, 0.00317156643, 0.000346891144, 0.000114463961}},
      {80, {1.93987997, 0.94772579, 0.202531648, 0.070414716, 0.0195410412, 0.00669262192, 0.0015229205, 0.000230759573, 2.25156935e-05}}};
  // The values are those of the table's bins (MintPy looks a coherence up), to nine digits.
  for (const auto& row : rows) {
    const auto weight = coherence_to_weight({std::begin(coherence), std::end(coherence)}, WeightFunction::variance, row.looks);
    for (int i = 0; i < 9; ++i) {
      INFO("looks " << row.looks << ", coherence " << coherence[i] << ", relative difference "
                    << 1 / weight[static_cast<std::size_t>(i)] / row.values[i] - 1);
      // Half a unit of the ninth digit, and what q = 1 - b^2 >= 0.005 loses in float64 at phi = pi: 80.5 * 1.1e-16 / 0.005 of terms
      // of size 1.6, times pi^2 * 2 pi / 200 at both ends. (L = 80 at the last bin: a variance of 2e-5.)
      const double digits = std::pow(10, std::floor(std::log10(row.values[i])) - 8) * 0.51 + 2e-12;
      CHECK(std::fabs(1 / weight[static_cast<std::size_t>(i)] - row.values[i]) <= digits);
    }
  }
}

TEST_CASE("weights of 39 looks: MintPy's values", "[inversion][weights]") {
  const auto near = [](double a, double printed) { return std::fabs(a - printed) <= 0.51 * std::pow(10, std::floor(std::log10(printed)) - 6); };
  // MintPy's coherence is float32: 0.9 there is 0.89999998.
  const auto var = coherence_to_weight({0, 0.05f, 0.5f, 0.9f, 0.999f}, WeightFunction::variance, 39);
  const double printed_var[] = {0.4310063, 0.4310063, 23.99269, 315.3016, 8736.374};
  const auto fim = coherence_to_weight({0, 0.05f, 0.5f, 0.9f, 0.9999f}, WeightFunction::fisher, 39);
  const double printed_fim[] = {0.1954887, 0.1954887, 26.0, 332.5262, 38941.51};
  for (std::size_t i = 0; i < 5; ++i) {
    INFO(var[i] << " " << printed_var[i] << ", " << fim[i] << " " << printed_fim[i]);
    CHECK(near(var[i], printed_var[i]));
    CHECK(near(fim[i], printed_fim[i]));
  }
  const auto coh = coherence_to_weight({std::numeric_limits<double>::quiet_NaN(), 0.01, 0.3, 1}, WeightFunction::coherence, 0);
  CHECK(coh == std::vector<double>{0.05, 0.05, 0.3, 1});
  CHECK(coherence_to_weight({0, 0.7}, WeightFunction::none, 0) == std::vector<double>{1, 1});
}

TEST_CASE("weights: tables, names and what is refused", "[inversion][weights]") {
  const auto table = variance_table(39);
  CHECK(table.size() == 200);
  CHECK(std::all_of(table.begin(), table.end(), [](double v) { return v > 0 && std::isfinite(v); }));
  CHECK(table == variance_table(39));
  CHECK(variance_table(80) == variance_table(400));  // MintPy's cap
  CHECK(weight_function("var") == WeightFunction::variance);
  CHECK(weight_function("fim") == WeightFunction::fisher);
  CHECK(weight_function("coh") == WeightFunction::coherence);
  for (const char* name : {"no", "sbas", "none"}) CHECK(weight_function(name) == WeightFunction::none);
  CHECK_THROWS_WITH(weight_function("variance?"), ContainsSubstring("expected var, fim, coh or no, got 'variance?'"));
  for (const int looks : {0, -3}) {
    CHECK_THROWS_WITH(variance_table(looks), ContainsSubstring("expected looks >= 1, got " + std::to_string(looks)));
    CHECK_THROWS_AS(coherence_to_weight({0.5}, WeightFunction::fisher, looks), InvalidArgument);
  }
  for (const double g : {-0.1, 1.0, 2.0}) CHECK_THROWS_AS(phase_variance(g, 5), InvalidArgument);
}

TEST_CASE("every float of [0.05, 0.9975] falls into MintPy's variance bin", "[inversion][weights]") {
  const auto table = variance_table(39);
  const auto weight = [&](int bin) { return 1 / table[static_cast<std::size_t>(bin)]; };
  const double first = weight(mintpy_bin(0.5f));
  std::vector<double> expected(variance_bins);
  for (int i = 0; i < variance_bins; ++i) expected[static_cast<std::size_t>(i)] = weight(i) / (first + weight(i));
  double gap = 1;
  for (int i = 10; i < variance_bins; ++i) gap = std::min(gap, expected[static_cast<std::size_t>(i)] - expected[static_cast<std::size_t>(i) - 1]);
  REQUIRE(gap > 1e-5);  // bins are told apart by far more than float32 rounding
  std::size_t checked = 0, wrong = 0;
  const auto check = [&](const std::vector<float>& coherence) {
    const auto share = share_of_second(coherence, 0.5f, WeightFunction::variance, 39);
    for (std::size_t p = 0; p < coherence.size(); ++p, ++checked) {
      const bool bad = !(std::fabs(static_cast<double>(share[p]) - expected[static_cast<std::size_t>(mintpy_bin(coherence[p]))]) < gap / 2);
      if (bad && wrong < 5)
        UNSCOPED_INFO("coherence " << std::hexfloat << coherence[p] << std::defaultfloat << " " << coherence[p] << ", MintPy's bin "
                                   << mintpy_bin(coherence[p]) << ", weight share " << share[p]);
      wrong += bad;
    }
  };
  std::vector<float> block;
  // Close to every edge, and the ends of the range.
  for (int i = 9; i < variance_bins + 2; ++i) {
    const auto edge = std::bit_cast<std::uint32_t>(static_cast<float>(0.0025 + 0.005 * i));
    for (std::uint32_t b = edge - 300; b <= edge + 300; ++b) block.push_back(std::bit_cast<float>(b));
  }
  for (const float g : {0.05f, 0.0f, -1.f, 0.04999999f, 0.9975f, 0.99750006f, 1.f, 1.5f, std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN()})
    block.push_back(g);
  check(block);
  CHECK(wrong == 0);
  // And all between, in sanitized builds a sample.
  const std::uint32_t last = std::bit_cast<std::uint32_t>(0.9976f);
  const std::uint32_t stride = support::sanitized ? 997 : 1;
  block.clear();
  for (std::uint32_t b = std::bit_cast<std::uint32_t>(0.05f); b <= last; b += stride) {
    block.push_back(std::bit_cast<float>(b));
    if (block.size() == (1u << 20) || b + stride > last) {
      check(block);
      block.clear();
    }
  }
  INFO(checked << " coherences");
  CHECK(wrong == 0);
}

TEST_CASE("weights in the lanes equal the definitions", "[inversion][weights]") {
  std::vector<float> coherence{0, 0.05f, 0.5f, 0.9f, 0.999f, 0.9999f, 1, -1, std::numeric_limits<float>::quiet_NaN()};
  for (int i = 0; i < 2000; ++i) coherence.push_back(static_cast<float>(i) / 1999);
  for (const auto function : {WeightFunction::variance, WeightFunction::fisher, WeightFunction::coherence, WeightFunction::none})
    for (const int looks : {1, 39, 300}) {
      const auto share = share_of_second(coherence, 0.5f, function, looks);
      const auto weight = coherence_to_weight({coherence.begin(), coherence.end()}, function, looks);
      const double first = coherence_to_weight({0.5}, function, looks).front();
      double worst = 0;
      for (std::size_t p = 0; p < share.size(); ++p) {
        // NaN counts as no coherence, in the lanes as in the definitions.
        worst = std::max(worst, std::fabs(static_cast<double>(share[p]) - weight[p] / (first + weight[p])));
      }
      INFO("function " << static_cast<int>(function) << ", looks " << looks << ", largest error " << worst);
      CHECK(worst <= 5e-7);  // a handful of float32 roundings of a number below 1
    }
}
