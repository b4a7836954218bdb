// invert_time_series: MintPy's rules on stacks in memory, and its numbers against exact least squares.
#include <iomanip>
#include <iostream>
#include <limits>

#include <lopsar/inversion/time_series.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/lanes/level.hpp>

#include "../support/catch.hpp"
#include "../support/exact.hpp"
#include "../support/networks.hpp"

using namespace lopsar;
using support::ExactSolver;
using support::Graph;
using support::Grid;
using support::nearest_neighbors;
using support::regular_days;

namespace {

template <class T>
struct Result {
  Grid<T> series;
  std::vector<T> coherence;
  std::vector<std::int32_t> valid, rank;
  std::vector<std::uint8_t> status;
};

template <class T>
Result<T> invert(const Network& network, const Grid<T>& phase, const Grid<T>* coherence, TimeSeriesOptions options,
                 const std::uint8_t* mask = nullptr) {
  const std::size_t pixels = phase.pixels;
  Result<T> r{Grid<T>(network.dates().size(), pixels, 3), std::vector<T>(pixels, T(-9)), std::vector<std::int32_t>(pixels, -9),
              std::vector<std::int32_t>(pixels, -9), std::vector<std::uint8_t>(pixels, 99)};
  TimeSeriesOutput<T> out;
  out.series = r.series.block();
  out.temporal_coherence = r.coherence.data();
  out.num_ifgram = r.valid.data();
  out.rank = r.rank.data();
  out.status = r.status.data();
  invert_time_series<T>(network, phase.view(), coherence ? coherence->view() : ConstBlock<T>{}, mask, out, options);
  CHECK(r.series.gap_untouched());
  return r;
}

TimeSeriesOptions unweighted() {
  TimeSeriesOptions options;
  options.weight_function = WeightFunction::none;
  return options;
}

std::uint8_t number(Status s) { return static_cast<std::uint8_t>(s); }

// Phase of x at every pixel.
Grid<float> phase_of(const Network& network, const std::vector<double>& x, std::size_t pixels) {
  Grid<float> phase(network.pairs().size(), pixels);
  for (std::size_t k = 0; k < phase.rows; ++k)
    for (std::size_t p = 0; p < pixels; ++p) phase.at(k, p) = static_cast<float>(x[network.pairs()[k].second] - x[network.pairs()[k].first]);
  return phase;
}

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEMPLATE_TEST_CASE("time series: series, coherence and counts against exact least squares", "[inversion][time_series]", float, double) {
  using T = TestType;
  constexpr std::pair<int, int> sizes[] = {{288, 98}, {490, 98}, {1297, 333}, {167, 24}, {505, 114}};
  constexpr std::size_t pixels = support::sanitized ? 20 : sizeof(T) == 4 ? 500 : 100;
  double worst_series = 0, worst_coherence = 0;
  int inverted = 0, deficient = 0;
  for (const auto& [K, D] : sizes)
    for (const int reference : {0, D / 2}) {
      Graph g = nearest_neighbors(K, D);
      if (reference > 0)
        for (int i = 0, span = D > 60 ? 30 : 12; i + span < D; i += 5) g.pairs.emplace_back(i, i + span);
      reverse_some(g, 2);
      const Network network = g.network(reference);
      const std::size_t pairs = network.pairs().size();
      std::mt19937_64 random(static_cast<unsigned>(K + reference));
      std::normal_distribution<double> normal;
      std::uniform_real_distribution<double> uniform;
      Grid<T> phase(pairs, pixels), coherence(pairs, pixels);
      std::vector<double> offset(pairs);
      for (double& o : offset) o = static_cast<double>(static_cast<float>(3 * normal(random)));
      std::vector<double> x(static_cast<std::size_t>(D));
      for (std::size_t p = 0; p < pixels; ++p) {
        for (std::size_t d = 1; d < x.size(); ++d) x[d] = x[d - 1] + 0.1 * static_cast<double>(p % 5) + 0.5 * normal(random);
        const double scatter = 2 * uniform(random);
        for (std::size_t k = 0; k < pairs; ++k) {
          phase.at(k, p) = static_cast<T>(x[network.pairs()[k].second] - x[network.pairs()[k].first] + offset[k] + scatter * normal(random));
          coherence.at(k, p) = static_cast<T>(0.03 + 0.965 * uniform(random));
          if (uniform(random) < (p % 3 == 2 ? 0.4 : 0.05))
            phase.at(k, p) = static_cast<T>(random() % 2 ? std::numeric_limits<double>::quiet_NaN() : 0.0);
        }
      }
      std::vector<double> coherences;
      for (std::size_t p = 0; p < pixels; ++p)
        for (std::size_t k = 0; k < pairs; ++k) coherences.push_back(static_cast<double>(coherence.at(k, p)));
      const auto weights = coherence_to_weight(coherences, WeightFunction::variance, 39);
      TimeSeriesOptions options;
      options.looks = 39;
      options.reference_phase = offset;
      const auto velocity = invert<T>(network, phase, &coherence, options);
      options.null_space = NullSpace::minimum_norm_phase;
      const auto norm_phase = invert<T>(network, phase, &coherence, options);
      const Network from_first = g.network(0);  // the first date is 0, whatever the reference of the network
      ExactSolver exact_solver(from_first);
      for (std::size_t p = 0; p < pixels; ++p) {
        std::vector<double> y, w;
        for (std::size_t k = 0; k < pairs; ++k) {
          const T value = phase.at(k, p);
          y.push_back(std::isnan(value) || value == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                      : static_cast<double>(value - static_cast<T>(offset[k])));
          w.push_back(static_cast<double>(static_cast<T>(weights[p * pairs + k])));  // as held in the table of that precision
        }
        const auto exact = exact_solver.solve(y, w);
        for (const auto* r : {&velocity, &norm_phase}) {
          ++inverted;
          if (r->status[p] == number(Status::below_redundancy)) {
            CHECK(r->valid[p] == 0);
            continue;
          }
          deficient += exact.components > 1;
          CHECK(r->valid[p] == exact.valid);
          CHECK(r->rank[p] == exact.rank);
          CHECK(r->status[p] == number(exact.components == 1 ? Status::ok : Status::rank_deficient));
          auto filled = exact;
          if (r == &velocity) exact_solver.minimum_norm_velocity(filled);
          else exact_solver.minimum_norm_phase(filled, 0);
          for (std::size_t d = 0; d < x.size(); ++d)
            worst_series =
                std::max(worst_series, static_cast<double>(std::fabs(static_cast<long double>(r->series.at(d, p)) - filled.x[d]) / filled.largest));
          worst_coherence =
              std::max(worst_coherence, static_cast<double>(std::fabs(static_cast<long double>(r->coherence[p]) - exact.temporal_coherence)));
        }
      }
    }
  std::cout << "\ntime series, level " << lanes::name(lanes::active_level()) << ", " << (sizeof(T) == 4 ? "float32" : "float64") << std::scientific
            << std::setprecision(1) << ": " << inverted << " inversions, " << deficient << " rank-deficient, largest relative error " << worst_series
            << ", temporal coherence " << worst_coherence << std::endl;
  CHECK(worst_series <= (sizeof(T) == 4 ? 2e-6 : 1e-12));
  CHECK(worst_coherence <= (sizeof(T) == 4 ? 2e-6 : 1e-12));
}

TEST_CASE("time series: the redundancy rule exempts the first date, or the shared reference", "[inversion][time_series]") {
  const Network chain(support::Names{
      {"20200101", "20200113"}, {"20200113", "20200125"}, {"20200101", "20200125"}, {"20200125", "20200206"}, {"20200113", "20200206"}});
  auto phase = phase_of(chain, {0, 1, 2.5, 4}, 6);
  for (const std::size_t k : {0, 2}) phase.at(k, 1) = missing;     // first date lost
  for (const std::size_t k : {0, 1, 4}) phase.at(k, 2) = missing;  // a middle date lost
  for (const std::size_t k : {3, 4}) phase.at(k, 3) = missing;     // the last date lost
  phase.at(4, 4) = missing;                                        // the last date seen once
  for (std::size_t k = 0; k < 5; ++k) phase.at(k, 5) = missing;
  auto options = unweighted();
  auto r = invert<float>(chain, phase, nullptr, options);
  CHECK(r.status == std::vector<std::uint8_t>{number(Status::ok), number(Status::rank_deficient), number(Status::below_redundancy),
                                              number(Status::below_redundancy), number(Status::ok), number(Status::no_data)});
  CHECK(r.valid == std::vector<std::int32_t>{5, 3, 0, 0, 4, 0});
  CHECK(r.rank == std::vector<std::int32_t>{3, 2, 0, 0, 3, 0});
  for (std::size_t d = 0; d < 4; ++d)
    for (const std::size_t p : {2, 3, 5}) CHECK(r.series.at(d, p) == 0);  // MintPy's zeros
  for (const std::size_t p : {2, 3, 5}) CHECK(r.coherence[p] == 0);
  CHECK(r.series.at(3, 0) == Approx(4));
  // First date missing: no velocity in the first interval.
  CHECK(r.series.at(1, 1) == Approx(0).margin(1e-6));
  CHECK(r.series.at(2, 1) == Approx(1.5));
  CHECK(r.series.at(3, 1) == Approx(3));
  options.min_redundancy = 2;
  r = invert<float>(chain, phase, nullptr, options);
  CHECK(r.status[0] == number(Status::ok));
  CHECK(r.status[1] == number(Status::rank_deficient));  // every date but the first is seen twice
  CHECK(r.status[4] == number(Status::below_redundancy));
  options.min_redundancy = 0;
  r = invert<float>(chain, phase, nullptr, options);
  CHECK(r.status[2] == number(Status::rank_deficient));
  CHECK(r.status[3] == number(Status::rank_deficient));
  CHECK(r.status[5] == number(Status::no_data));
  CHECK(r.series.at(3, 3) == Approx(r.series.at(2, 3)));  // no velocity where nothing is known

  // All pairs share their first date, which is not the earliest: MintPy then drops that date's column, and the rule exempts it.
  const Network star(support::Names{{"20200125", "20200101"}, {"20200125", "20200113"}, {"20200125", "20200206"}}, "20200125");
  auto lost = phase_of(star, {1, 2, 0, 3}, 2);
  lost.at(0, 1) = missing;  // the earliest date is lost: it counts here
  options.min_redundancy = 1;
  r = invert<float>(star, lost, nullptr, options);
  CHECK(r.status == std::vector<std::uint8_t>{number(Status::ok), number(Status::below_redundancy)});
  // The shared date is seen three times but each other date once: exemption shows with a minimum of 1, and none passes 2.
  options.min_redundancy = 2;
  CHECK(invert<float>(star, lost, nullptr, options).status[0] == number(Status::below_redundancy));
}

TEST_CASE("time series: zero phase, reference phase, mask, scale", "[inversion][time_series]") {
  const Network network = nearest_neighbors(45, 18).network(4);
  std::vector<double> x;
  for (int d = 0; d < 18; ++d) x.push_back(std::sin(d) + 0.25 * d);
  constexpr std::size_t pixels = 70;
  const auto phase = phase_of(network, x, pixels);
  auto options = unweighted();
  const auto plain = invert<float>(network, phase, nullptr, options);
  for (std::size_t d = 0; d < 18; ++d) CHECK(plain.series.at(d, 11) == Approx(x[d] - x[0]).margin(5e-6));
  CHECK(plain.series.at(0, 11) == 0);
  CHECK(plain.coherence[11] == Approx(1).margin(2e-6));

  SECTION("zero is no data, before or after referencing") {
    auto holes = phase;
    holes.at(10, 3) = 0;
    holes.at(11, 3) = -0.f;
    holes.at(12, 3) = missing;
    CHECK(invert<float>(network, holes, nullptr, options).valid[3] == 42);
    options.reference_phase.assign(45, 0);
    options.reference_phase[20] = static_cast<double>(phase.at(20, 0));  // every pixel's phase becomes 0 there
    CHECK(invert<float>(network, holes, nullptr, options).valid[3] == 41);
    CHECK(invert<float>(network, holes, nullptr, options).valid[4] == 44);
    options.zero_is_missing = false;
    CHECK(invert<float>(network, holes, nullptr, options).valid[3] == 44);
    CHECK(invert<float>(network, holes, nullptr, options).valid[4] == 45);
  }
  SECTION("infinite phase is missing") {
    auto holes = phase;
    holes.at(10, 3) = std::numeric_limits<float>::infinity();
    holes.at(11, 3) = -std::numeric_limits<float>::infinity();
    const auto r = invert<float>(network, holes, nullptr, options);
    CHECK(r.valid[3] == 43);
    CHECK(r.status[3] == number(Status::ok));
  }
  SECTION("reference phase is subtracted") {
    auto shifted = phase;
    for (std::size_t k = 0; k < 45; ++k) {
      options.reference_phase.push_back(0.25 * static_cast<double>(k % 7) - 1);
      for (std::size_t p = 0; p < pixels; ++p) shifted.at(k, p) += static_cast<float>(options.reference_phase[k]);
    }
    const auto r = invert<float>(network, shifted, nullptr, options);
    for (std::size_t d = 0; d < 18; ++d) CHECK(r.series.at(d, 9) == Approx(x[d] - x[0]).margin(5e-6));
    options.reference_phase.pop_back();
    CHECK_THROWS_WITH(invert<float>(network, shifted, nullptr, options), ContainsSubstring("each of 45 pairs, got 44"));
  }
  SECTION("masked pixels are zero and harm nobody") {
    std::vector<std::uint8_t> mask(pixels, 1);
    for (const std::size_t p : {0, 5, 63, 64, 69}) mask[p] = 0;
    const auto r = invert<float>(network, phase, nullptr, options, mask.data());
    for (std::size_t p = 0; p < pixels; ++p) {
      CHECK(r.status[p] == number(mask[p] ? Status::ok : Status::masked));
      CHECK(r.valid[p] == (mask[p] ? 45 : 0));
      for (std::size_t d = 0; d < 18; ++d) CHECK(r.series.at(d, p) == (mask[p] ? plain.series.at(d, p) : 0.f));
    }
  }
  SECTION("scale") {
    options.scale = -0.25;
    const auto r = invert<float>(network, phase, nullptr, options);
    for (std::size_t d = 0; d < 18; ++d) CHECK(r.series.at(d, 9) == -0.25f * plain.series.at(d, 9));
    CHECK(r.coherence == plain.coherence);
  }
  SECTION("numbers of valid interferograms in the type asked for") {
    TimeSeriesOutput<float> out;
    Grid<float> series(18, pixels);
    out.series = series.block();
    std::vector<std::int16_t> small(pixels);
    std::vector<float> real(pixels);
    out.num_ifgram = small.data();
    out.num_ifgram_type = TimeSeriesOutput<float>::Number::int16;
    invert_time_series<float>(network, phase.view(), {}, nullptr, out, options);
    out.num_ifgram = real.data();
    out.num_ifgram_type = TimeSeriesOutput<float>::Number::float32;
    invert_time_series<float>(network, phase.view(), {}, nullptr, out, options);
    CHECK(small == std::vector<std::int16_t>(pixels, 45));
    CHECK(real == std::vector<float>(pixels, 45));
  }
  SECTION("what is refused") {
    Grid<float> few(44, pixels);
    CHECK_THROWS_AS(invert<float>(network, few, nullptr, options), ShapeError);
    options.weight_function = WeightFunction::coherence;
    CHECK_THROWS_AS(invert<float>(network, phase, nullptr, options), InvalidArgument);
    CHECK_THROWS_AS(invert<float>(network, phase, &few, options), ShapeError);
    options.weight_function = WeightFunction::variance;
    options.looks = 0;
    CHECK_THROWS_WITH(invert<float>(network, phase, &phase, options), ContainsSubstring("expected looks >= 1"));
    options = unweighted();
    options.null_space = NullSpace::none;
    CHECK_THROWS_WITH(invert<float>(network, phase, nullptr, options), ContainsSubstring("use solve()"));
  }
}

TEST_CASE("time series: MintPy's rank-deficient answers", "[inversion][time_series]") {
  // MintPy's behavior on truth [0,1,2.5,2,3,4,4.2,6], connections of three dates.
  Graph g{regular_days(8), {}};
  for (int span = 1; span <= 3; ++span)
    for (int i = 0; i + span < 8; ++i) g.pairs.emplace_back(i, i + span);
  const Network network = g.network();
  auto phase = phase_of(network, {0, 1, 2.5, 2, 3, 4, 4.2, 6}, 3);
  for (std::size_t k = 0; k < 18; ++k) {
    const auto& p = network.pairs()[k];
    if (p.first == 0) phase.at(k, 0) = missing;                  // first date missing
    if (p.first <= 3 && p.second > 3) phase.at(k, 1) = missing;  // gap between 4th and 5th date
    if ((p.first + p.second) % 2) phase.at(k, 2) = missing;      // even and odd dates apart
  }
  auto options = unweighted();
  const auto velocity = invert<float>(network, phase, nullptr, options);
  const double o = 0.6 / 7;  // least squares of the seven increments over the offset of the odd dates
  const double expected_velocity[3][8] = {{0, 0, 1.5, 1, 2, 3, 3.2, 5}, {0, 1, 2.5, 2, 2, 3, 3.2, 5}, {0, 1 - o, 2.5, 2 - o, 3, 4 - o, 4.2, 6 - o}};
  options.null_space = NullSpace::minimum_norm_phase;
  const auto norm_phase = invert<float>(network, phase, nullptr, options);
  for (std::size_t p = 0; p < 3; ++p)
    for (std::size_t d = 0; d < 8; ++d) CHECK(velocity.series.at(d, p) == Approx(expected_velocity[p][d]).margin(5e-6));
  CHECK(velocity.valid == std::vector<std::int32_t>{15, 12, 6});
  CHECK(velocity.rank == std::vector<std::int32_t>{6, 6, 6});
  CHECK(norm_phase.series.at(1, 0) == Approx(-2.243).margin(1e-3));
  CHECK(norm_phase.series.at(7, 0) == Approx(2.757).margin(1e-3));
  CHECK(norm_phase.series.at(4, 1) == Approx(-1.3).margin(1e-5));
  CHECK(norm_phase.series.at(7, 1) == Approx(1.7).margin(1e-5));
}

TEMPLATE_TEST_CASE("time series: CG under weights over five decades finds what edge flow finds", "[inversion][time_series][krylov]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = support::sanitized ? 10 : 200;
  const Network network = nearest_neighbors(288, 98).network(0);
  std::mt19937_64 random(12);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  Grid<T> phase(288, pixels), coherence(288, pixels);
  for (std::size_t k = 0; k < 288; ++k)
    for (std::size_t p = 0; p < pixels; ++p) {
      phase.at(k, p) = static_cast<T>(5 * normal(random));
      // Fisher weights 2 L g^2 / (1 - g^2): from 0.05 to 0.9999, five decades.
      coherence.at(k, p) = static_cast<T>(uniform(random) < 0.5 ? 0.05 : 1 - std::pow(10, -4 * uniform(random)));
    }
  TimeSeriesOptions options;
  options.weight_function = WeightFunction::fisher;
  options.looks = 39;
  const auto exact = invert<T>(network, phase, &coherence, options);
  options.method = Method::cg;
  const auto found = invert<T>(network, phase, &coherence, options);
  double worst = 0, largest = 0;
  for (std::size_t p = 0; p < pixels; ++p) {
    CHECK(found.status[p] == exact.status[p]);
    for (std::size_t d = 0; d < 98; ++d) {
      worst = std::max(worst, std::fabs(static_cast<double>(found.series.at(d, p)) - static_cast<double>(exact.series.at(d, p))));
      largest = std::max(largest, std::fabs(static_cast<double>(exact.series.at(d, p))));
    }
  }
  std::cout << "CG against edge flow: " << worst << " rad of " << largest << "\n";
  // Edge flow in float32 is good to 1e-6 of the largest phase (docs/solvers.md); CG's stop, 1e-12 |A'b|, leaves as much over five decades of weights.
  CHECK(worst <= 2e-6 * largest);
}
