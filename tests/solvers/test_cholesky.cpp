// Sparse Cholesky against dense least squares in long double (support/dense.hpp).
#include <iomanip>
#include <iostream>
#include <limits>

#include <lopsar/operators/dem_error.hpp>
#include <lopsar/operators/difference.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/lanes/level.hpp>
#include <lopsar/operators/network.hpp>
#include <lopsar/operators/time_model.hpp>
#include <lopsar/solvers/solve.hpp>

#include "../support/catch.hpp"
#include "../support/dense.hpp"
#include "../support/networks.hpp"

using namespace support;
using lopsar::Arithmetic;
using lopsar::LinearOperator;
using lopsar::Method;
using lopsar::Network;
using lopsar::Status;

namespace {

double uniform(std::mt19937_64& random, double from, double to) { return from + (to - from) * std::uniform_real_distribution<double>()(random); }

template <class T>
struct Result {
  Grid<T> x;
  std::vector<std::uint8_t> status;
  std::vector<std::int32_t> rank, valid;
  std::vector<T> residual_norm;
  lopsar::SolveReport report;

  bool same_bits(const Result& other, const std::vector<std::size_t>& pick) const {
    for (std::size_t p = 0; p < pick.size(); ++p) {
      const std::size_t q = pick[p];
      if (status[p] != other.status[q] || rank[p] != other.rank[q] || valid[p] != other.valid[q]) return false;
      if (!support::same_bits(residual_norm[p], other.residual_norm[q])) return false;
      for (std::size_t d = 0; d < x.rows; ++d)
        if (!support::same_bits(x.at(d, p), other.x.at(d, q))) return false;
    }
    return true;
  }
};

template <class T>
Result<T> solve(const LinearOperator& model, lopsar::ConstBlock<T> y, lopsar::SolveOptions<T> options, std::size_t gap = 0, std::size_t start = 0) {
  const std::size_t pixels = y.pixels;
  if (options.method == Method::automatic) options.method = Method::cholesky;
  Result<T> r{Grid<T>(model.shape().columns, pixels, gap, start), std::vector<std::uint8_t>(pixels, 99), std::vector<std::int32_t>(pixels, -9),
              std::vector<std::int32_t>(pixels, -9), std::vector<T>(pixels, T(-9)), {}};
  lopsar::SolveOutput<T> out;
  out.x = r.x.block();
  out.status = r.status.data(), out.rank = r.rank.data(), out.valid = r.valid.data(), out.residual_norm = r.residual_norm.data();
  r.report = lopsar::solve_into(model, y, out, options);
  CHECK(r.x.gap_untouched());
  return r;
}

std::uint8_t number(Status s) { return static_cast<std::uint8_t>(s); }

// A model, its priors and the rows that a solve of it needs.
struct Case {
  std::string name;
  LinearOperator model;
  std::vector<LinearOperator> priors;
  std::vector<double> prior_weight;
  double gaps = 0;  // share of observations missing
};

template <class T>
lopsar::Field field(std::size_t rows, std::size_t pixels, double from, double to, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<T> values(rows * pixels);
  for (auto& v : values) v = static_cast<T>(uniform(random, from, to));
  return {std::move(values), rows, pixels};
}

lopsar::Geometry geometry(std::size_t pixels) { return {field<float>(1, pixels, 8.0e5, 9.5e5, 11), field<float>(1, pixels, 30, 45, 12)}; }

std::vector<double> baselines(std::size_t dates) {
  std::mt19937_64 random(5);
  std::vector<double> b(dates);
  for (auto& v : b) v = uniform(random, -150, 150);
  return b;
}

constexpr double phase_per_meter = -4 * 3.14159265358979 / 0.0556;

std::vector<Case> cases(std::size_t pixels) {
  const Network network = nearest_neighbors(117, 40).network(3);
  const std::size_t D = network.dates().size();
  std::vector<Case> all;
  all.push_back({"velocity, seasons and DEM error",
                 network * (phase_per_meter * lopsar::hstack(lopsar::Polynomial(network, 1), lopsar::Seasonal(network, {1, 0.5}),
                                                             lopsar::DemError(network, baselines(D), geometry(pixels)))),
                 {}, {}, 0.1});
  all.push_back({"the same with baselines of each pixel",
                 network * (phase_per_meter * lopsar::hstack(lopsar::Polynomial(network, 2), lopsar::Seasonal(network, {1}),
                                                             lopsar::DemError(network, field<float>(D, pixels, -150, 150, 13), geometry(pixels)))),
                 {}, {}, 0.1});
  // Free dates, smoothed: the dense columns stand last.
  const LinearOperator dates = lopsar::hstack(network, network * lopsar::Polynomial(network, 1),
                                              phase_per_meter * (network * lopsar::DemError(network, baselines(D), geometry(pixels))));
  const auto smooth = [&](const LinearOperator& difference, std::size_t others) {
    std::vector<LinearOperator> parts{difference};
    parts.emplace_back(lopsar::Pattern({difference.shape().rows, others}, {}));
    return lopsar::hstack(parts);
  };
  all.push_back({"free dates, velocity and DEM error, smoothed", dates, {smooth(lopsar::TimeDifference(network, 1), 2)}, {0.01}, 0.1});
  all.push_back({"the same, second differences", dates, {smooth(lopsar::TimeDifference(network, 2), 2), smooth(lopsar::TimeDifference(network, 1), 2)},
                 {1e-4, 1e-3}, 0.1});
  all.push_back({"network", network, {}, {}, 0});
  return all;
}

template <class T>
struct Data {
  Grid<T> y, w;
  std::vector<Grid<T>> prior_weights;
  lopsar::SolveOptions<T> options(const Case& c) const {
    lopsar::SolveOptions<T> o;
    o.weights = w.view();
    for (std::size_t q = 0; q < c.priors.size(); ++q) o.priors.push_back({c.priors[q], {}, prior_weights[q].view()});
    return o;
  }
  std::vector<double> column(const Grid<T>& top, std::size_t p, bool weights) const {
    std::vector<double> v;
    for (std::size_t k = 0; k < top.rows; ++k) v.push_back(static_cast<double>(top.at(k, p)));
    for (const auto& g : prior_weights)
      for (std::size_t k = 0; k < g.rows; ++k) v.push_back(weights ? static_cast<double>(g.at(k, 0)) : 0);
    return v;
  }
};

// Data of up to `amplitude` rad, noise of the weights; weights over four decades.
template <class T>
Data<T> simulate(const Case& c, const DenseModel& dense, std::size_t pixels, double amplitude, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  const std::size_t K = c.model.shape().rows, n = c.model.shape().columns;
  Data<T> out{Grid<T>(K, pixels), Grid<T>(K, pixels), {}};
  for (std::size_t p = 0; p < pixels; ++p) {
    const auto& a = dense.matrix(p);
    DenseModel::Vector x(static_cast<long>(n));
    for (long j = 0; j < x.size(); ++j) x(j) = normal(random) / std::max<long double>(1e-30L, a.col(j).cwiseAbs().maxCoeff());
    const DenseModel::Vector y = a * x;
    const long double largest = y.head(static_cast<long>(K)).cwiseAbs().maxCoeff();
    for (std::size_t k = 0; k < K; ++k) {
      const double w = 0.4 * std::pow(10, 4 * uniform(random, 0, 1));
      out.y.at(k, p) = static_cast<T>(static_cast<double>(y(static_cast<long>(k)) / largest) * amplitude + std::min(1.8, 1 / std::sqrt(w)) * normal(random));
      out.w.at(k, p) = static_cast<T>(w);
      if (uniform(random, 0, 1) < c.gaps) {
        if (random() % 2) out.y.at(k, p) = std::numeric_limits<T>::quiet_NaN();
        else out.w.at(k, p) = 0;
      }
    }
  }
  for (std::size_t q = 0; q < c.priors.size(); ++q) {
    Grid<T> w(c.priors[q].shape().rows, 1);
    for (std::size_t k = 0; k < w.rows; ++k) w.at(k, 0) = static_cast<T>(c.prior_weight[q]);
    out.prior_weights.push_back(std::move(w));
  }
  return out;
}

std::vector<std::size_t> range(std::size_t n, std::size_t first = 0) {
  std::vector<std::size_t> v(n);
  std::iota(v.begin(), v.end(), first);
  return v;
}

}  // namespace

TEST_CASE("cholesky: composed models against dense least squares", "[solvers][cholesky][accuracy]") {
  constexpr std::size_t pixels = sanitized ? 9 : 37;
  std::cout << "\nlargest error / standard deviation of the parameter, level " << lopsar::lanes::name(lopsar::lanes::active_level()) << "\n";
  for (const auto& c : cases(pixels)) {
    const DenseModel dense(c.model, c.priors, pixels);
    double worst[3] = {};
    long double condition = 0;
    const auto data = simulate<float>(c, dense, pixels, 10, 21);
    const auto data64 = simulate<double>(c, dense, pixels, 10, 21);
    auto options = data.options(c);
    options.arithmetic = Arithmetic::float32;
    const auto r32 = ::solve<float>(c.model, data.y.view(), options);
    options.arithmetic = Arithmetic::automatic;
    const auto r = ::solve<float>(c.model, data.y.view(), options);
    const auto r64 = ::solve<double>(c.model, data64.y.view(), data64.options(c));
    INFO(c.name);
    for (std::size_t p = 0; p < pixels; ++p) {
      const auto exact = dense.solve(p, data.column(data.y, p, false), data.column(data.w, p, true));
      const auto exact64 = dense.solve(p, data64.column(data64.y, p, false), data64.column(data64.w, p, true));
      condition = std::max(condition, exact.condition);
      for (std::size_t j = 0; j < r.x.rows; ++j) {
        const auto e = [&](double x, const DenseModel::Answer& a) {
          const auto at = static_cast<long>(j);
          return static_cast<double>(std::fabs(static_cast<long double>(x) - a.x(at)) / a.sigma(at));
        };
        worst[0] = std::max(worst[0], e(static_cast<double>(r32.x.at(j, p)), exact));
        worst[1] = std::max(worst[1], e(static_cast<double>(r.x.at(j, p)), exact));
        worst[2] = std::max(worst[2], e(r64.x.at(j, p), exact64));
      }
      CHECK(r.rank[p] == exact.rank);
      CHECK(r.valid[p] == exact.valid);
      CHECK(r.status[p] == number(Status::ok));
    }
    std::cout << std::left << std::setw(48) << c.name << std::right << std::scientific << std::setprecision(1) << " float32 " << worst[0] << "  auto "
              << worst[1] << "  float64 " << worst[2] << "  condition " << static_cast<double>(condition) << std::endl;
    CHECK(worst[1] <= 1e-4);
    CHECK(worst[2] <= 1e-8);
  }
}
