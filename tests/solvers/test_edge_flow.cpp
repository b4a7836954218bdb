// Edge flow against weighted least squares in long double (support/exact.hpp). Tolerances: docs/solvers.md, Accuracy.
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>

#include <lopsar/operators/diagonal.hpp>
#include <lopsar/operators/difference.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/lanes/level.hpp>
#include <lopsar/solvers/edge_flow.hpp>
#include <lopsar/solvers/solve.hpp>

#include "../support/catch.hpp"
#include "../support/exact.hpp"
#include "../support/networks.hpp"
#include "../support/solved.hpp"

using namespace support;
using lopsar::Network;
using lopsar::NullSpace;

struct SolveOptions {
  lopsar::NullSpace null_space = lopsar::NullSpace::none;
  int threads = 0;
  std::size_t chunk_size = 0;
};
using lopsar::Status;

namespace {

template <class T>
Result<T> solve(const Network& network, const Grid<T>& y, lopsar::ConstBlock<T> w, SolveOptions options = {}, std::size_t gap = 0,
                std::size_t start = 0) {
  Result<T> r(network.shape().columns, y.pixels, gap, start);
  lopsar::solve_into(
      network, y.view(), r.output(),
      lopsar::SolveOptions<T>{.weights = w, .null_space = options.null_space, .threads = options.threads, .chunk_size = options.chunk_size});
  CHECK(r.x.gap_untouched());
  return r;
}

struct Pixels {
  Grid<float> y, w;
};

enum class Variant { plain, annual, gaps, nearly_disconnected };
const char* const variant_names[] = {"plain", "annual pairs", "10 % gaps", "45 % at 1e-6"};

// Phase of a random walk with a trend, largest value `amplitude`, plus noise of the weights' standard deviation, at most that of
// uniform phase (1.8 rad). Weights over four decades.
Pixels simulate(const Network& network, std::size_t pixels, Variant variant, double amplitude, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  const std::size_t K = network.pairs().size(), D = network.dates().size();
  Pixels out{Grid<float>(K, pixels), Grid<float>(K, pixels)};
  std::vector<double> x(D);
  for (std::size_t p = 0; p < pixels; ++p) {
    const double rate = 0.3 * normal(random);
    for (std::size_t d = 1; d < D; ++d) x[d] = x[d - 1] + rate + normal(random);
    double largest = 0;
    for (std::size_t d = 0; d < D; ++d) largest = std::max(largest, std::fabs(x[d] - x[network.reference()]));
    for (std::size_t k = 0; k < K; ++k) {
      double w = 0.4 * std::pow(10, 4 * uniform(random));
      if (variant == Variant::nearly_disconnected && uniform(random) < 0.45) w = 1e-6;
      const double noise = std::min(1.8, 1 / std::sqrt(w)) * normal(random);
      const auto& pair = network.pairs()[k];
      out.y.at(k, p) = static_cast<float>((x[pair.second] - x[pair.first]) * amplitude / largest + noise);
      out.w.at(k, p) = static_cast<float>(w);
      if (variant == Variant::gaps && uniform(random) < 0.1) {
        if (random() % 2) out.y.at(k, p) = std::numeric_limits<float>::quiet_NaN();
        else out.w.at(k, p) = 0;
      }
    }
  }
  return out;
}

template <class T>
std::vector<double> column_of(const Grid<T>& g, std::size_t p) {
  std::vector<double> v;
  for (std::size_t r = 0; r < g.rows; ++r) v.push_back(static_cast<double>(g.at(r, p)));
  return v;
}

template <class T>
Grid<double> widened(const Grid<T>& g) {
  Grid<double> d(g.rows, g.pixels);
  for (std::size_t r = 0; r < g.rows; ++r)
    for (std::size_t p = 0; p < g.pixels; ++p) d.at(r, p) = static_cast<double>(g.at(r, p));
  return d;
}

std::size_t date_of_row(const Network& network, std::size_t row) { return row + (row >= network.reference() ? 1 : 0); }

// Largest |x - exact| over the determined dates, relative to the pixel's max(|x|, |y|); NaN anywhere there counts as 1e9.
template <class T>
double relative_error(const Network& network, const Grid<T>& x, std::size_t p, const ExactPixel& exact, bool all_dates) {
  long double worst = 0;
  for (std::size_t r = 0; r < x.rows; ++r) {
    const std::size_t d = date_of_row(network, r);
    if (!all_dates && exact.component[d] != exact.root_component) continue;
    const long double e = std::fabs(static_cast<long double>(x.at(r, p)) - exact.x[d]);
    worst = e <= 1e30L ? std::max(worst, e) : 1e9L;
  }
  return static_cast<double>(exact.largest > 0 ? worst / exact.largest : worst);
}

std::vector<std::size_t> range(std::size_t n, std::size_t first = 0) {
  std::vector<std::size_t> v(n);
  std::iota(v.begin(), v.end(), first);
  return v;
}

}  // namespace

TEST_CASE("edge flow: float32 accuracy on the published networks", "[solvers][edge_flow][accuracy]") {
  constexpr std::pair<int, int> sizes[] = {{288, 98}, {490, 98}, {1297, 333}, {167, 24}, {505, 114}};
  constexpr std::size_t pixels = sanitized ? 33 : 352;  // times 4 variants times 3 amplitudes: 4224 per network
  std::cout << "\nlargest error / pixel's max(|x|,|y|), level " << lopsar::lanes::name(lopsar::lanes::active_level()) << ", " << 12 * pixels
            << " pixels per network (QR32: float32 QR in velocities, as MintPy's lstsq, 4 pixels)\n"
            << "    K    D  variant          1 rad    10 rad   100 rad   float64   QR32 at 10 rad     norm\n";
  for (const auto& [K, D] : sizes) {
    const double gate = D == 333 ? 1.5e-6 : 1e-6;
    for (const Variant variant : {Variant::plain, Variant::annual, Variant::gaps, Variant::nearly_disconnected}) {
      Graph g = nearest_neighbors(K, D);
      if (variant == Variant::annual)
        for (int i = 0, span = D > 60 ? 30 : 12; i + span < D; i += 3) g.pairs.emplace_back(i, i + span);
      reverse_some(g, 5);
      const Network network = g.network();
      ExactSolver reference(network);
      double worst[3] = {}, worst64 = 0, worst32 = 0, worst_norm = 0;
      int wrong_rank = 0, wrong_valid = 0;
      for (int a = 0; a < 3; ++a) {
        const double amplitude = std::pow(10.0, a);
        const auto data = simulate(network, pixels, variant, amplitude, static_cast<unsigned>(100 * K + 10 * static_cast<int>(variant) + a));
        const auto r = ::solve<float>(network, data.y, data.w.view());
        const std::size_t few = sanitized ? 5 : 67;  // float64 is four times slower
        const auto y64 = widened(data.y.taken(range(few))), w64 = widened(data.w.taken(range(few)));
        const auto r64 = ::solve<double>(network, y64, w64.view());
        for (std::size_t p = 0; p < pixels; ++p) {
          const auto y = column_of(data.y, p), w = column_of(data.w, p);
          const auto exact = reference.solve(y, w);
          worst[a] = std::max(worst[a], relative_error(network, r.x, p, exact, false));
          wrong_rank += r.rank[p] != exact.rank || r.status[p] != number(exact.components == 1 ? Status::ok : Status::rank_deficient);
          wrong_valid += r.valid[p] != exact.valid;
          // |W^(1/2) e|: every residual carries the error of y and x in float32, weighted.
          long double weight = 0;
          for (std::size_t k = 0; k < w.size(); ++k) weight += std::isnan(y[k]) ? 0 : w[k];
          worst_norm = std::max(worst_norm, static_cast<double>(std::fabs(static_cast<long double>(r.residual_norm[p]) - exact.residual_norm) /
                                                                (std::sqrt(weight) * exact.largest)));
          if (p < few) worst64 = std::max(worst64, relative_error(network, r64.x, p, exact, false));
          if (a == 1 && p < 4 && !sanitized && exact.components == 1) {
            const auto qr = reference.float32_least_squares(y, w);
            for (std::size_t d = 0; d < qr.size(); ++d)
              worst32 = std::max(worst32, static_cast<double>(std::fabs(static_cast<long double>(qr[d]) - exact.x[d]) / exact.largest));
          }
        }
      }
      std::cout << std::setw(5) << K << std::setw(5) << D << "  " << std::left << std::setw(14) << variant_names[static_cast<int>(variant)]
                << std::right << std::scientific << std::setprecision(1) << std::setw(9) << worst[0] << std::setw(10) << worst[1] << std::setw(10)
                << worst[2] << std::setw(10) << worst64 << std::setw(17) << worst32 << std::setw(10) << worst_norm << std::endl;
      INFO("K " << K << ", D " << D << ", " << variant_names[static_cast<int>(variant)]);
      for (const double e : worst) CHECK(e <= gate);
      CHECK(worst64 <= 1e-12);
      CHECK(worst_norm <= gate);  // |norm - exact| <= sqrt(sum w) max |error of e|
      CHECK(wrong_rank == 0);
      CHECK(wrong_valid == 0);
    }
  }
}

TEST_CASE("edge flow: priors and damping as edges", "[solvers][edge_flow][prior]") {
  // The reference is the same least-squares problem as a network with further interferograms: rates times time steps, values against the reference
  // date.
  constexpr std::size_t pixels = 70;
  for (int trial = 0; trial < 6; ++trial) {
    Graph g = nearest_neighbors(trial % 2 ? 167 : 288, trial % 2 ? 24 : 98);
    reverse_some(g, 5);
    const Network network = g.network(trial % 3 ? 7 : 0);
    const std::size_t K = network.pairs().size(), D = network.dates().size(), n = D - 1;
    std::mt19937_64 random(static_cast<unsigned>(trial));
    std::uniform_real_distribution<double> uniform;
    auto data = simulate(network, pixels, trial < 3 ? Variant::plain : Variant::nearly_disconnected, 10, static_cast<unsigned>(trial));
    for (std::size_t p = 0; p < pixels; p += 3)  // a gap that only the priors bridge
      for (std::size_t k = 0; k < K; ++k)
        if ((network.pairs()[k].first < D / 2) != (network.pairs()[k].second < D / 2)) data.w.at(k, p) = 0;

    const lopsar::TimeDifference difference(network, 1);
    std::vector<float> rate(n, 2.5f), rate_weight(n);
    for (auto& w : rate_weight) w = static_cast<float>(std::pow(10, -4 + 2 * uniform(random)));
    Grid<float> value(n, pixels), value_weight(n, pixels);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t p = 0; p < pixels; ++p) {
        value.at(i, p) = uniform(random) < 0.2 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(uniform(random));
        value_weight.at(i, p) = uniform(random) < 0.2 ? 0.f : static_cast<float>(1e-3 * uniform(random));
      }
    const bool damped = trial % 2 == 0;
    lopsar::SolveOptions<float> options;
    options.weights = data.w.view();
    options.priors = {{difference, {rate.data(), n, 1}, {rate_weight.data(), n, 1}}, {lopsar::Identity(n), value.view(), value_weight.view()}};
    options.damp = damped ? 0.25 : 0;
    const auto s = lopsar::solve(network, data.y.view(), options);
    REQUIRE(s.report.method == lopsar::Method::edge_flow);

    Graph more = g;
    std::vector<double> c;
    const auto index = [&](std::size_t date) { return static_cast<int>(date); };
    for (std::size_t j = 1; j < D; ++j) {
      more.pairs.emplace_back(index(j - 1), index(j));
      c.push_back(365.25 / (network.days()[j] - network.days()[j - 1]));
    }
    for (int copy = 0; copy < (damped ? 2 : 1); ++copy)
      for (std::size_t i = 0; i < n; ++i) more.pairs.emplace_back(index(network.reference()), index(date_of_row(network, i)));
    const Network extended = more.network(trial % 3 ? 7 : 0);
    ExactSolver reference(extended);
    double worst = 0, worst_norm = 0;
    for (std::size_t p = 0; p < pixels; ++p) {
      auto y = column_of(data.y, p), w = column_of(data.w, p);
      for (std::size_t j = 0; j < n; ++j) y.push_back(rate[j] / c[j]), w.push_back(rate_weight[j] * c[j] * c[j]);
      for (std::size_t i = 0; i < n; ++i) y.push_back(value.at(i, p)), w.push_back(value_weight.at(i, p));
      for (std::size_t i = 0; damped && i < n; ++i) y.push_back(0), w.push_back(0.25 * 0.25);
      const auto exact = reference.solve(y, w);
      REQUIRE(exact.rank == static_cast<int>(n));
      long double squares = 0, weight = 0;
      int valid = 0;
      for (std::size_t k = 0; k < K; ++k) {
        if (std::isnan(y[k]) || !(w[k] > 0)) continue;
        const long double e = y[k] - (exact.x[network.pairs()[k].second] - exact.x[network.pairs()[k].first]);
        squares += w[k] * e * e, weight += w[k];
        ++valid;
      }
      for (std::size_t i = 0; i < n; ++i)
        worst = std::max(worst, static_cast<double>(std::fabs(s(i, p) - exact.x[date_of_row(network, i)]) / exact.largest));
      worst_norm =
          std::max(worst_norm, static_cast<double>(std::fabs(s.residual_norm[p] - std::sqrt(squares)) / (std::sqrt(weight) * exact.largest)));
      CHECK(s.valid[p] == valid);
      CHECK(s.rank[p] == static_cast<int>(n));
      CHECK(s.status[p] == number(Status::ok));
    }
    INFO("trial " << trial);
    CHECK(worst <= 1e-6);  // the gate of the networks above
    CHECK(worst_norm <= 1e-6);
  }
  const Network network = nearest_neighbors(20, 8).network();
  std::vector<float> y(20, 1.f);
  lopsar::SolveOptions<float> options;
  options.method = lopsar::Method::edge_flow;
  options.priors = {{lopsar::TimeDifference(network, 2)}};  // three dates in a row: no edge
  CHECK_THROWS_AS(lopsar::solve(network, {y.data(), 20, 1}, options), lopsar::InvalidArgument);
}

TEST_CASE("edge flow: minimum norms and rank of disconnected pixels", "[solvers][edge_flow][null_space]") {
  // 120 networks of 16 pixels, each pixel with its own pattern of what is missing: 1,920 cases.
  std::mt19937 random(17);
  std::uniform_real_distribution<double> uniform;
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  int cases = 0, disconnected = 0, most_components = 0, wrong_rank = 0, wrong_nan = 0, wrong_status = 0;
  double worst_velocity = 0, worst_phase = 0, worst_none = 0, worst64 = 0;
  for (int trial = 0; trial < (sanitized ? 30 : 120); ++trial) {
    const int D = trial % 30 == 7 ? 333 : trial % 10 == 3 ? 120 + below(80) : 5 + below(40);
    Graph g = trial % 4 == 3 ? Graph{{}, {}} : nearest_neighbors(std::max(D, (2 + below(3)) * (D - 6)), D, random());
    if (trial % 4 == 3) {  // any pairs, parallel ones too
      for (int d = 0; d + 1 < D; ++d) g.pairs.emplace_back(d, d + 1);
      for (int k = 0; k < D; ++k)
        if (const int a = below(D), b = below(D); a != b) g.pairs.emplace_back(a, b);
    }
    g.days = {0};
    for (int d = 1; d < D; ++d) g.days.push_back(g.days.back() + (D > 100 ? 6 + below(30) : 6 + below(395)));
    reverse_some(g, random());
    const Network network = g.network(trial % 3 == 0 ? 0 : below(D));
    constexpr std::size_t pixels = 16;
    auto data = simulate(network, pixels, Variant::plain, std::pow(10, 2 * uniform(random)), random());
    for (std::size_t p = 0; p < pixels; ++p) {
      const int kind = static_cast<int>(p) % 4;
      const double rate = 0.2 + 0.6 * uniform(random);
      const int cut_from = below(D), cut_to = std::min(D, cut_from + 1 + below(4));
      const auto date_lost = [&](std::size_t d) {  // sequence cut, or isolated dates
        return kind == 1 ? static_cast<int>(d) >= cut_from && static_cast<int>(d) < cut_to : kind == 2 && (d * 2654435761u >> 7) % 5 == p % 5;
      };
      for (std::size_t k = 0; k < network.pairs().size(); ++k) {
        const auto& pair = network.pairs()[k];
        bool lost = kind == 0 ? uniform(random) < rate : date_lost(pair.first) || date_lost(pair.second);
        if (kind == 3) lost = (pair.first + pair.second) % 2 == 1 || uniform(random) < 0.1;  // even and odd dates apart
        if (kind == 1 && std::min(pair.first, pair.second) < static_cast<std::size_t>(cut_from) &&
            std::max(pair.first, pair.second) >= static_cast<std::size_t>(cut_to))
          lost = true;
        if (!lost) continue;
        if (random() % 2) data.y.at(k, p) = std::numeric_limits<float>::quiet_NaN();
        else data.w.at(k, p) = 0;
      }
    }
    SolveOptions velocity, phase, none;
    velocity.null_space = NullSpace::minimum_norm_velocity;
    phase.null_space = NullSpace::minimum_norm_phase;
    const auto rv = ::solve<float>(network, data.y, data.w.view(), velocity), rp = ::solve<float>(network, data.y, data.w.view(), phase),
               rn = ::solve<float>(network, data.y, data.w.view(), none);
    const auto y64 = widened(data.y), w64 = widened(data.w);
    const auto rv64 = ::solve<double>(network, y64, w64.view(), velocity), rp64 = ::solve<double>(network, y64, w64.view(), phase);
    ExactSolver reference(network);
    for (std::size_t p = 0; p < pixels; ++p) {
      const auto exact = reference.solve(column_of(data.y, p), column_of(data.w, p));
      ++cases;
      disconnected += exact.components > 1;
      most_components = std::max(most_components, exact.components);
      const auto status = number(exact.valid == 0 ? Status::no_data : exact.components == 1 ? Status::ok : Status::rank_deficient);
      for (const auto* r : {&rv, &rp, &rn}) {
        wrong_rank += r->rank[p] != exact.rank;
        wrong_status += r->status[p] != status || r->valid[p] != exact.valid;
      }
      for (const auto* r : {&rv64, &rp64}) wrong_rank += r->rank[p] != exact.rank;
      for (std::size_t row = 0; row < rn.x.rows; ++row) {
        const std::size_t d = date_of_row(network, row);
        wrong_nan += std::isnan(rn.x.at(row, p)) != (exact.component[d] != exact.root_component);
      }
      worst_none = std::max(worst_none, relative_error(network, rn.x, p, exact, false));
      if (exact.valid == 0) continue;
      auto v = exact, f = exact;
      reference.minimum_norm_velocity(v);
      reference.minimum_norm_phase(f, network.reference());
      worst_velocity = std::max(worst_velocity, relative_error(network, rv.x, p, v, true));
      worst_phase = std::max(worst_phase, relative_error(network, rp.x, p, f, true));
      worst64 = std::max({worst64, relative_error(network, rv64.x, p, v, true), relative_error(network, rp64.x, p, f, true)});
    }
  }
  std::cout << "\nminimum norm, level " << lopsar::lanes::name(lopsar::lanes::active_level()) << ": " << cases << " cases, " << disconnected
            << " disconnected, up to " << most_components << " components; largest relative error " << std::scientific << std::setprecision(1)
            << "velocity " << worst_velocity << ", phase " << worst_phase << ", none " << worst_none << ", float64 " << worst64 << std::endl;
  CHECK((sanitized || cases >= 1500));
  CHECK(wrong_rank == 0);
  CHECK(wrong_nan == 0);
  CHECK(wrong_status == 0);
  CHECK(worst_velocity <= 2e-6);
  CHECK(worst_phase <= 2e-6);
  CHECK(worst_none <= 1.5e-6);
  CHECK(worst64 <= 1e-12);
}

TEST_CASE("edge flow: status of pixels that cannot be solved; they harm nobody", "[solvers][edge_flow][status]") {
  const Network network = nearest_neighbors(45, 18).network(7);
  constexpr std::size_t pixels = 150;
  const auto clean = simulate(network, pixels, Variant::plain, 5, 1);
  const auto good = ::solve<float>(network, clean.y, clean.w.view());
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  auto bad = clean;
  std::map<std::size_t, Status> expected;
  const auto put = [&](std::size_t p, Status s) { return expected[p] = s, p; };
  for (std::size_t k = 0; k < 45; ++k) {
    bad.y.at(k, 3) = nan;
    bad.w.at(k, 20) = 0;
    bad.w.at(k, 21) = nan;
  }
  for (const std::size_t p : {3u, 20u, 21u}) put(p, Status::no_data);
  bad.y.at(11, put(5, Status::not_finite)) = infinity;
  bad.y.at(11, put(6, Status::not_finite)) = -infinity;
  bad.y.at(11, put(40, Status::not_finite)) = 1e31f;
  bad.w.at(11, put(7, Status::not_finite)) = -1;
  bad.w.at(11, put(8, Status::not_finite)) = infinity;
  bad.w.at(11, put(64, Status::not_finite)) = -infinity;
  bad.w.at(11, put(65, Status::not_finite)) = 1e20f;
  bad.w.at(11, put(149, Status::not_finite)) = 1e-20f;
  // A missing observation is not looked at further.
  bad.y.at(11, put(9, Status::ok)) = nan;
  bad.w.at(11, 9) = infinity;
  bad.y.at(11, put(10, Status::ok)) = infinity;
  bad.w.at(11, 10) = 0;
  for (const auto null_space : {NullSpace::none, NullSpace::minimum_norm_velocity, NullSpace::minimum_norm_phase}) {
    SolveOptions options;
    options.null_space = null_space;
    const auto r = ::solve<float>(network, bad.y, bad.w.view(), options);
    const auto whole = ::solve<float>(network, clean.y, clean.w.view(), options);
    for (std::size_t p = 0; p < pixels; ++p) {
      INFO("pixel " << p << ", status " << int(r.status[p]) << ", rank " << r.rank[p] << ", valid " << r.valid[p]);
      const auto found = expected.find(p);
      if (found == expected.end()) {
        CHECK(r.status[p] == number(Status::ok));
        bool equal = true;
        for (std::size_t d = 0; d < r.x.rows; ++d) equal = equal && same_bits(r.x.at(d, p), whole.x.at(d, p));
        CHECK(equal);
        CHECK(r.valid[p] == 45);
        CHECK(r.rank[p] == 17);
      } else {
        CHECK(r.status[p] == number(found->second));
        const bool solved = found->second == Status::ok;
        for (std::size_t d = 0; d < r.x.rows; ++d) CHECK(std::isnan(r.x.at(d, p)) == !solved);
        CHECK(std::isnan(r.residual_norm[p]) == !solved);
        CHECK(r.valid[p] == (solved ? 44 : 0));
        CHECK(r.rank[p] == (solved ? 17 : 0));
      }
    }
  }
  CHECK(good.status[0] == number(Status::ok));
}

TEMPLATE_TEST_CASE("edge flow: bits depend on nothing but the pixel", "[solvers][edge_flow][bits]", float, double) {
  using T = TestType;
  struct Shape {
    int K, D;
  };
  for (const Shape shape : {Shape{45, 18}, Shape{167, 24}, Shape{190, 20}, Shape{700, 180}}) {  // two registers, one, loops, small tiles
    const Network network = nearest_neighbors(shape.K, shape.D).network(shape.D / 3);
    constexpr std::size_t pixels = 300;
    const auto data = simulate(network, pixels, Variant::gaps, 10, 2);
    Grid<T> y(data.y.rows, pixels), w(data.w.rows, pixels);
    for (std::size_t k = 0; k < y.rows; ++k)
      for (std::size_t p = 0; p < pixels; ++p) {
        y.at(k, p) = static_cast<T>(data.y.at(k, p));
        w.at(k, p) = static_cast<T>(data.w.at(k, p));
        if (p % 7 == 3 && k % 2) w.at(k, p) = 0;  // many rank-deficient pixels among the others
      }
    for (const auto null_space : {NullSpace::none, NullSpace::minimum_norm_velocity, NullSpace::minimum_norm_phase}) {
      SolveOptions options;
      options.null_space = null_space;
      options.threads = 1;
      const auto whole = ::solve<T>(network, y, w.view(), options);
      INFO("K " << shape.K << ", D " << shape.D << ", null space " << static_cast<int>(null_space));
      for (std::size_t n = 0; n <= (sanitized || null_space != NullSpace::none ? 40u : 130u); ++n) {
        const auto pick = range(n, n);
        const auto part = ::solve<T>(network, y.taken(pick, n % 3, n % 5), w.taken(pick, n % 4).view(), options, n % 2, n % 3);
        INFO(n << " pixels");
        CHECK(part.same_bits(whole, pick));
      }
      auto shuffled = range(pixels);
      std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(4));
      CHECK(::solve<T>(network, y.taken(shuffled), w.taken(shuffled).view(), options).same_bits(whole, shuffled));
      for (const int threads : {0, 2, 3, 50})
        for (const std::size_t chunk : {0, 1, 32, 100, 100000}) {
          options.threads = threads;
          options.chunk_size = chunk;
          CHECK(::solve<T>(network, y, w.view(), options).same_bits(whole, range(pixels)));
        }
    }
  }
}

TEST_CASE("edge flow: weights (K, 1) equal the same weights at every pixel", "[solvers][edge_flow]") {
  const Network network = nearest_neighbors(45, 18).network();
  constexpr std::size_t pixels = 77;
  const auto data = simulate(network, pixels, Variant::gaps, 3, 3);
  Grid<float> one(45, 1), all(45, pixels), unit(45, pixels);
  for (std::size_t k = 0; k < 45; ++k) {
    one.at(k, 0) = data.w.at(k, 0) > 0 ? data.w.at(k, 0) : 2.f;
    for (std::size_t p = 0; p < pixels; ++p) {
      all.at(k, p) = one.at(k, 0);
      unit.at(k, p) = 1;
    }
  }
  one.at(7, 0) = 0;
  for (std::size_t p = 0; p < pixels; ++p) all.at(7, p) = 0;
  CHECK(::solve<float>(network, data.y, one.view()).same_bits(::solve<float>(network, data.y, all.view()), range(pixels)));
  CHECK(::solve<float>(network, data.y, {}).same_bits(::solve<float>(network, data.y, unit.view()), range(pixels)));
  // One pixel: (K, 1) is both, with any stride.
  const auto y1 = data.y.taken({0}, 2), w1 = one.taken({0}, 3);
  CHECK(::solve<float>(network, y1, w1.view()).same_bits(::solve<float>(network, data.y, one.view()), {0}));

  Grid<float> x(17, pixels), wrong(16, pixels);
  lopsar::SolveOutput<float> out;
  out.x = wrong.block();
  CHECK_THROWS_AS(lopsar::solve_into(network, data.y.view(), out), lopsar::ShapeError);
  out.x = x.block();
  CHECK_NOTHROW(lopsar::solve_into(network, data.y.view(), out));  // only x is required
  CHECK_THROWS_AS(lopsar::solve_into(network, wrong.view(), out), lopsar::ShapeError);
  CHECK_THROWS_AS(lopsar::solve_into(network, data.y.view(), out, {.weights = wrong.view()}), lopsar::ShapeError);
  Grid<float> two(45, 2);
  CHECK_THROWS_WITH(lopsar::solve_into(network, data.y.view(), out, {.weights = two.view()}),
                    ContainsSubstring("expected weights of shape (45, 77), got (45, 2)"));
}

TEST_CASE("edge flow: parallel pairs equal one pair of their weighted mean", "[solvers][edge_flow]") {
  Graph g = nearest_neighbors(45, 18);
  const Network single = g.network(5);
  constexpr std::size_t pixels = 65;
  const auto data = simulate(single, pixels, Variant::plain, 8, 5);
  // Every third pair in two or three parts, some of them reversed.
  Graph many = g;
  std::vector<std::size_t> source(45);
  std::iota(source.begin(), source.end(), std::size_t{0});
  for (std::size_t k = 0; k < 45; k += 3)
    for (std::size_t c = 0; c < 1 + k % 2; ++c) {
      many.pairs.push_back(c == 0 ? std::pair{g.pairs[k].second, g.pairs[k].first} : g.pairs[k]);
      source.push_back(k);
    }
  const Network merged = many.network(5);
  const std::size_t K = many.pairs.size();
  Grid<float> y(K, pixels), w(K, pixels);
  std::mt19937 random(6);
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t k = 0; k < K; ++k) {
      const float sign = many.pairs[k] == g.pairs[source[k]] ? 1.f : -1.f;
      y.at(k, p) = sign * (data.y.at(source[k], p) + (k >= 45 ? 0.01f * static_cast<float>(random() % 100) : 0.f));
      w.at(k, p) = data.w.at(source[k], p) * (k >= 45 ? 0.7f : 1.f);
      if (k >= 45 && (k + p) % 11 == 0) y.at(k, p) = std::numeric_limits<float>::quiet_NaN();
    }
  Grid<double> ys(45, pixels), ws(45, pixels);
  for (std::size_t p = 0; p < pixels; ++p) {
    for (std::size_t k = 0; k < 45; ++k) ys.at(k, p) = ws.at(k, p) = 0;
    for (std::size_t k = 0; k < K; ++k) {
      if (std::isnan(y.at(k, p))) continue;
      const double sign = many.pairs[k] == g.pairs[source[k]] ? 1 : -1;
      ws.at(source[k], p) += static_cast<double>(w.at(k, p));
      ys.at(source[k], p) += sign * static_cast<double>(w.at(k, p)) * static_cast<double>(y.at(k, p));
    }
    for (std::size_t k = 0; k < 45; ++k) ys.at(k, p) /= ws.at(k, p);
  }
  const auto r = ::solve<float>(merged, y, w.view());
  const auto r64 = ::solve<double>(merged, widened(y), widened(w).view());
  const auto s64 = ::solve<double>(single, ys, ws.view());
  ExactSolver reference(merged);
  for (std::size_t p = 0; p < pixels; ++p) {
    const auto exact = reference.solve(column_of(y, p), column_of(w, p));
    CHECK(relative_error(merged, r.x, p, exact, true) <= 1e-6);
    CHECK(r.valid[p] == exact.valid);
    CHECK(std::fabs(static_cast<double>(r.residual_norm[p]) - static_cast<double>(exact.residual_norm)) <=
          1e-5 * static_cast<double>(exact.residual_norm) + 1e-5);
    for (std::size_t d = 0; d < 17; ++d) CHECK(std::fabs(r64.x.at(d, p) - s64.x.at(d, p)) <= 1e-12 * static_cast<double>(exact.largest));
  }
}

TEST_CASE("edge flow: many neighbors, many pairs, any reference", "[solvers][edge_flow]") {
  struct Form {
    std::string name;
    Graph graph;
    int reference;
    std::size_t pixels;
  };
  std::vector<Form> forms;
  forms.push_back({"all pairs of 30 dates: degrees beyond 10", all_pairs(30), 12, 40});
  forms.push_back({"one date with everyone", {regular_days(40), {}}, 39, 40});
  for (int d = 1; d < 40; ++d) forms.back().graph.pairs.emplace_back(0, d);
  forms.push_back({"reference in the middle, annual pairs", nearest_neighbors(288, 98), 50, 40});
  for (int i = 0; i + 30 < 98; i += 2) forms.back().graph.pairs.emplace_back(i + 30, i);
  forms.push_back({"two dates", {regular_days(2), {{1, 0}}}, 1, 40});
  forms.push_back({"33,000 parallel pairs: the 32-bit program", nearest_neighbors(117, 40), 20, 5});
  {
    auto& pairs = forms.back().graph.pairs;
    for (std::size_t k = 0; pairs.size() < 33000; ++k) pairs.push_back(pairs[k]);
  }
  for (auto& form : forms) {
    DYNAMIC_SECTION(form.name) {
      if (form.graph.pairs.size() > 1) reverse_some(form.graph, 9);
      const Network network = form.graph.network(form.reference);
      const auto data = simulate(network, form.pixels, Variant::gaps, 10, 8);
      const auto r = ::solve<float>(network, data.y, data.w.view());
      SolveOptions filled;
      filled.null_space = NullSpace::minimum_norm_velocity;
      const auto v = ::solve<float>(network, data.y, data.w.view(), filled);
      const auto r64 = ::solve<double>(network, widened(data.y), widened(data.w).view());
      ExactSolver reference(network);
      for (std::size_t p = 0; p < form.pixels; ++p) {
        auto exact = reference.solve(column_of(data.y, p), column_of(data.w, p));
        CHECK(r.rank[p] == exact.rank);
        CHECK(v.rank[p] == exact.rank);
        CHECK(r.valid[p] == exact.valid);
        CHECK(relative_error(network, r.x, p, exact, false) <= 1e-6);
        CHECK(relative_error(network, r64.x, p, exact, false) <= 1e-12);
        if (exact.valid == 0) continue;
        reference.minimum_norm_velocity(exact);
        CHECK(relative_error(network, v.x, p, exact, true) <= 2e-6);
      }
    }
  }
}

TEST_CASE("edge flow: the symbolic program", "[solvers][edge_flow]") {
  const lopsar::EdgeFlow sequential(nearest_neighbors(288, 98).network(), NullSpace::none);
  CHECK(sequential.max_degree() == 3);
  CHECK(sequential.order().front() == 97);  // date order from the last date
  CHECK(sequential.order().back() == 0);
  CHECK(sequential.pair_updates() == 286);  // the prototype's count, lanes.md section A
  CHECK(lopsar::EdgeFlow(nearest_neighbors(490, 98).network(), NullSpace::none).pair_updates() <= 1015);
  Graph annual = nearest_neighbors(288, 98);
  for (int i = 0; i + 30 < 98; ++i) annual.pairs.emplace_back(i, i + 30);
  const Network network = annual.network();
  const lopsar::EdgeFlow ordered(network, NullSpace::none);
  auto order = ordered.order();
  CHECK(order.back() == 0);
  CHECK(order.front() != 97);  // approximate minimum degree where pairs cross the band
  std::sort(order.begin(), order.end());
  CHECK(order == range(98));
  CHECK_THROWS_AS(lopsar::EdgeFlow(network, NullSpace::minimum_norm_phase, 0, 98), lopsar::InvalidArgument);
}

TEMPLATE_TEST_CASE("edge flow: options that it has not, and damping beyond the weights", "[solvers][edge_flow][options]", float, double) {
  using T = TestType;
  const Network network = nearest_neighbors(20, 8).network();
  constexpr std::size_t pixels = 5;
  Grid<T> y(20, pixels), x(7, pixels), further(60, pixels);
  for (std::size_t k = 0; k < 20; ++k)
    for (std::size_t p = 0; p < pixels; ++p) y.at(k, p) = T(network.pairs()[k].second) - T(network.pairs()[k].first);
  for (const auto method : {lopsar::Method::automatic, lopsar::Method::edge_flow}) {
    lopsar::SolveOptions<T> options{.method = method};
    for (const double damp : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
      options.damp = damp;
      CHECK_THROWS_AS(lopsar::solve(network, y.view(), options), lopsar::InvalidArgument);
    }
    options.damp = 0;
    for (const bool history : {false, true}) {
      lopsar::SolveOutput<T> out;
      out.x = x.block();
      if (history) out.history = further.block();
      else out.variances = further.block().slice(0, 7);
      CHECK_THROWS_AS(lopsar::solve_into(network, y.view(), out, options), lopsar::InvalidArgument);
    }
    lopsar::SolveOutput<T> out;
    out.x = x.block();
    options.progress = [](std::size_t) { return false; };  // at the very last call, too
    CHECK_THROWS_AS(lopsar::solve_into(network, y.view(), out, options), lopsar::Interrupted);
    for (std::size_t start = 0; start < 16; ++start) {
      Grid<T> few(20, 1, 0, start), one(7, 1);
      for (std::size_t k = 0; k < 20; ++k) few.at(k, 0) = y.at(k, 0);
      lopsar::SolveOutput<T> to;
      to.x = one.block();
      CHECK_THROWS_AS(lopsar::solve_into(network, few.view(), to, options), lopsar::Interrupted);
    }
  }
  for (const double damp : {1e-10, 1e-60, 1e10}) {  // squares beyond 1e-18 ... 1e18, 1e-100 ... 1e100
    const bool carried = sizeof(T) == 8 && damp > 1e-50;
    lopsar::SolveOptions<T> options{.damp = damp};
    const auto s = lopsar::solve(network, y.view(), options);
    CHECK(s.report.method == (carried ? lopsar::Method::edge_flow : lopsar::Method::cholesky));
    options.method = lopsar::Method::edge_flow;
    if (carried) CHECK_NOTHROW(lopsar::solve(network, y.view(), options));
    else CHECK_THROWS_AS(lopsar::solve(network, y.view(), options), lopsar::InvalidArgument);
    // Pairs of dates 0 ... 7 and unit weights: x_j = j where damping does nothing, and A'y / damp^2 where it does everything.
    const long double eps = std::numeric_limits<T>::epsilon();
    for (std::size_t p = 0; p < pixels; ++p) {
      CHECK(s.status[p] == number(Status::ok));
      for (std::size_t j = 0; j < 7; ++j) {
        if (damp < 1) CHECK(std::fabs(static_cast<long double>(s(j, p)) - static_cast<long double>(j + 1)) <= 400 * eps);
        else CHECK(std::fabs(static_cast<long double>(s(j, p))) <= 140 / (damp * damp));  // |A'y| is at most the sum of |y|, 20 times 7
      }
    }
  }
}

// c (x_j - x_i) is an edge of the weight c^2 w: where the arithmetic has no such weight, it is Cholesky's.
TEMPLATE_TEST_CASE("edge flow: coefficients of priors beyond the weights", "[solvers][edge_flow][prior]", float, double) {
  using T = TestType;
  const Network network = nearest_neighbors(20, 8).network();
  constexpr std::size_t pixels = 4;
  Grid<T> y(20, pixels), each(7, pixels);
  for (std::size_t k = 0; k < 20; ++k)
    for (std::size_t p = 0; p < pixels; ++p) y.at(k, p) = T(network.pairs()[k].second) - T(network.pairs()[k].first);
  for (auto& v : each.values) v = 1;
  const T tiny = sizeof(T) == 4 ? T(1e-12f) : T(1e-60), huge = sizeof(T) == 4 ? T(1e10f) : T(1e60);
  struct Prior {
    double coefficient;
    T weight;
    bool edges;
  };
  for (const auto& [c, weight, edges] :
       {Prior{1, T(1), true}, Prior{static_cast<double>(tiny), T(1), false}, Prior{static_cast<double>(huge), T(1), false},
        Prior{static_cast<double>(tiny), T(1) / tiny, true}, Prior{static_cast<double>(tiny), T(0), true}, Prior{-1, tiny, true}}) {
    const lopsar::LinearOperator op = c * lopsar::TimeDifference(network, 1);
    for (const bool per_pixel : {false, true}) {
      if (per_pixel && weight != T(1)) continue;
      INFO("coefficient " << c << ", weight " << weight);
      lopsar::SolveOptions<T> options;
      options.priors = {{op, {}, per_pixel ? each.view() : lopsar::ConstBlock<T>{}}};
      const std::vector<T> one(7, weight);
      if (!per_pixel) options.priors[0].weights = {one.data(), 7, 1};
      const auto s = lopsar::solve(network, y.view(), options);
      CHECK(s.report.method == (edges ? lopsar::Method::edge_flow : lopsar::Method::cholesky));
      // Of no weight, or one that the arithmetic has: every pixel is solved. TimeDifference's own coefficients are 30 per year.
      for (std::size_t p = 0; p < pixels; ++p) CHECK(s.status[p] == number(Status::ok));
      // Data of a step of 1 from date to date, which rows of little weight do not change, and those of much weight make 0.
      if (c * c * static_cast<double>(weight) < 1e-9) CHECK(std::fabs(static_cast<double>(s(6, 0)) - 7) <= 1e-5);
      if (c > 1) CHECK(std::fabs(static_cast<double>(s(6, 0))) <= 1e-5);
      options.method = lopsar::Method::edge_flow;
      if (edges) CHECK_NOTHROW(lopsar::solve(network, y.view(), options));
      else CHECK_THROWS_WITH(lopsar::solve(network, y.view(), options), ContainsSubstring("coefficients of priors"));
    }
  }
}

TEST_CASE("edge flow: in another precision than that of the blocks", "[solvers][edge_flow][arithmetic]") {
  // The same bits as on blocks converted beforehand; more pixels than are converted at a time.
  constexpr std::size_t pixels = sanitized ? 40 : 16384 + 70;
  const Network network = nearest_neighbors(20, 8).network(3);
  const auto data = simulate(network, pixels, Variant::gaps, 5, 3);
  const auto y = widened(data.y), w = widened(data.w);
  Grid<double> value(7, pixels);
  Grid<float> value32(7, pixels);
  for (std::size_t j = 0; j < 7; ++j)
    for (std::size_t p = 0; p < pixels; ++p) value32.at(j, p) = static_cast<float>(std::sin(double(j + p))), value.at(j, p) = value32.at(j, p);
  const std::vector<double> weak(7, 0.125);
  const std::vector<float> weak32(7, 0.125f);
  for (const auto method : {lopsar::Method::automatic, lopsar::Method::edge_flow})
    for (const auto null_space : {NullSpace::none, NullSpace::minimum_norm_velocity})
      for (const bool priors : {false, true}) {
        lopsar::SolveOptions<float> narrow{.weights = data.w.view(), .method = method, .null_space = null_space};
        lopsar::SolveOptions<double> wide{.weights = w.view(), .method = method, .null_space = null_space};
        if (priors) {
          narrow.priors = {{lopsar::Identity(7), value32.view(), {weak32.data(), 7, 1}}},
          wide.priors = {{lopsar::Identity(7), value.view(), {weak.data(), 7, 1}}};
          narrow.damp = wide.damp = 0.25;
        }
        const auto same32 = lopsar::solve(network, data.y.view(), narrow);
        const auto same64 = lopsar::solve(network, y.view(), wide);
        narrow.arithmetic = lopsar::Arithmetic::float64, wide.arithmetic = lopsar::Arithmetic::float32;
        std::size_t last = 0;
        narrow.progress = [&](std::size_t done) { return last = done, true; };
        const auto by64 = lopsar::solve(network, data.y.view(), narrow);
        CHECK(last == pixels);
        const auto by32 = lopsar::solve(network, y.view(), wide);
        CHECK(by64.report.method == lopsar::Method::edge_flow);
        CHECK(by64.report.arithmetic == lopsar::Arithmetic::float64);
        CHECK(by32.report.arithmetic == lopsar::Arithmetic::float32);
        CHECK(by64.status == same64.status);
        CHECK(by32.status == same32.status);
        CHECK(by64.rank == same64.rank);
        CHECK(by64.valid == same64.valid);
        const auto equal = [](auto a, auto b) { return a == b || (std::isnan(a) && std::isnan(b)); };
        bool same = true;
        for (std::size_t i = 0; i < by64.x.size(); ++i)
          same = same && equal(by64.x[i], static_cast<float>(same64.x[i])) && equal(by32.x[i], static_cast<double>(same32.x[i]));
        for (std::size_t p = 0; p < pixels; ++p)
          same = same && equal(by64.residual_norm[p], static_cast<float>(same64.residual_norm[p])) &&
                 equal(by32.residual_norm[p], static_cast<double>(same32.residual_norm[p]));
        CHECK(same);
      }
  // Stopped, it says how far it came of all pixels.
  lopsar::SolveOptions<double> stopping{.arithmetic = lopsar::Arithmetic::float32};
  std::size_t seen = 0;
  stopping.progress = [&](std::size_t done) { return seen = done, done <= 16384 && done < pixels; };
  CHECK_THROWS_WITH(lopsar::solve(network, y.view(), stopping), ContainsSubstring(" of " + std::to_string(pixels) + " pixels"));
  CHECK_THROWS_WITH(lopsar::solve(network, y.view(), stopping), ContainsSubstring("after " + std::to_string(seen) + " of"));
  // A weight that float32 has not is no missing observation.
  Grid<double> tiny = w;
  tiny.at(2, 1) = 1e-60, tiny.at(2, 2) = 1e60;
  Grid<double> all = y;
  for (std::size_t p = 0; p < 3; ++p) all.at(2, p) = 1, tiny.at(2, 0) = 1;
  const auto s = lopsar::solve(network, all.view(), {.weights = tiny.view(), .arithmetic = lopsar::Arithmetic::float32});
  CHECK(s.status[1] == number(Status::not_finite));
  CHECK(s.status[2] == number(Status::not_finite));
  CHECK(s.status[0] != number(Status::not_finite));
}
