// Sparse Cholesky against dense least squares in long double (support/dense.hpp).
#include <algorithm>
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
#include "../support/solved.hpp"

using namespace support;
using lopsar::Arithmetic;
using lopsar::LinearOperator;
using lopsar::Method;
using lopsar::Network;
using lopsar::Status;

namespace {

template <class T>
Result<T> solve(const LinearOperator& model, lopsar::ConstBlock<T> y, lopsar::SolveOptions<T> options, std::size_t gap = 0, std::size_t start = 0) {
  if (options.method == Method::automatic) options.method = Method::cholesky;
  Result<T> r(model.shape().columns, y.pixels, gap, start);
  r.report = lopsar::solve_into(model, y, r.output(), options);
  CHECK(r.x.gap_untouched());
  return r;
}

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

constexpr double phase_per_meter = -4 * 3.14159265358979 / 0.0556;

std::vector<Case> cases(std::size_t pixels) {
  const Network network = nearest_neighbors(117, 40).network(3);
  const std::size_t D = network.dates().size();
  std::vector<Case> all;
  all.push_back({"velocity, seasons and DEM error",
                 network * (phase_per_meter * lopsar::hstack(lopsar::Polynomial(network, 1), lopsar::Seasonal(network, {1, 0.5}),
                                                             lopsar::DemError(network, perpendicular_baselines(D), geometry(pixels)))),
                 {},
                 {},
                 0.1});
  all.push_back({"the same with baselines of each pixel",
                 network * (phase_per_meter * lopsar::hstack(lopsar::Polynomial(network, 2), lopsar::Seasonal(network, {1}),
                                                             lopsar::DemError(network, field<float>(D, pixels, -150, 150, 13), geometry(pixels)))),
                 {},
                 {},
                 0.1});
  // Free dates, smoothed: the dense columns stand last.
  const LinearOperator dates = lopsar::hstack(network, network * lopsar::Polynomial(network, 1),
                                              phase_per_meter * (network * lopsar::DemError(network, perpendicular_baselines(D), geometry(pixels))));
  const auto smooth = [&](const LinearOperator& difference, std::size_t others) {
    std::vector<LinearOperator> parts{difference};
    parts.emplace_back(lopsar::Pattern({difference.shape().rows, others}, {}));
    return lopsar::hstack(parts);
  };
  all.push_back({"free dates, velocity and DEM error, smoothed", dates, {smooth(lopsar::TimeDifference(network, 1), 2)}, {0.01}, 0.1});
  all.push_back({"the same, second differences",
                 dates,
                 {smooth(lopsar::TimeDifference(network, 2), 2), smooth(lopsar::TimeDifference(network, 1), 2)},
                 {1e-4, 1e-3},
                 0.1});
  all.push_back({"network", network, {}, {}, 0});
  all.push_back({"free dates and velocity, smoothed",
                 lopsar::hstack(network, network * lopsar::Polynomial(network, 1)),
                 {smooth(lopsar::TimeDifference(network, 1), 1)},
                 {0.01},
                 0.1});
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
      out.y.at(k, p) =
          static_cast<T>(static_cast<double>(y(static_cast<long>(k)) / largest) * amplitude + std::min(1.8, 1 / std::sqrt(w)) * normal(random));
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

// Everything about a pixel that has no unique solution: a model of free dates without smoothing, from which interferograms are taken away.
TEST_CASE("cholesky and QR: rank, status and what remains determined", "[solvers][cholesky][qr][rank]") {
  constexpr std::size_t pixels = 64;
  const Network network = nearest_neighbors(60, 24).network(5);
  const std::size_t D = network.dates().size(), K = 60;
  struct Model {
    std::string name;
    LinearOperator op;
    double damp;
  };
  std::vector<Model> models;
  models.push_back({"network", network, 0});
  models.push_back({"step, velocity and DEM error",
                    network * lopsar::hstack(lopsar::Polynomial(network, 1), lopsar::Step(network, {network.dates()[10], network.dates()[17]}),
                                             1000.0 * lopsar::DemError(network, perpendicular_baselines(D), geometry(pixels))),
                    0});
  // Free dates take up any velocity: exactly collinear.
  models.push_back({"dates and velocity", lopsar::hstack(network, network * lopsar::Polynomial(network, 1)), 0});
  models.push_back({"the same, damped", models.back().op, 0.1});
  for (const auto& model : models) {
    const Case c{model.name, model.op, {}, {}, 0};
    const DenseModel dense(c.model, {}, pixels);
    auto data = simulate<double>(c, dense, pixels, 5, 3);
    std::mt19937_64 random(8);
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t k = 0; k < K; ++k) {
        const auto& pair = network.pairs()[k];
        const auto from = std::min(pair.first, pair.second), to = std::max(pair.first, pair.second);
        bool lost = false;
        if (p % 4 == 1) lost = from < 12 + p % 3 && to >= 12 + p % 3;                // the sequence cut in two
        if (p % 4 == 2) lost = from >= 9 || to >= 9 || uniform(random, 0, 1) < 0.3;  // all data after a date
        if (p % 4 == 3) lost = (from * 7 + to * 3 + p) % 3 != 0;                     // few left
        if (p == 40) lost = k != 7;                                                  // one left
        if (lost && random() % 2) data.y.at(k, p) = std::numeric_limits<double>::quiet_NaN();
        else if (lost) data.w.at(k, p) = 0;
      }
    Grid<float> y32(K, pixels), w32(K, pixels);
    for (std::size_t k = 0; k < K; ++k)
      for (std::size_t p = 0; p < pixels; ++p) y32.at(k, p) = static_cast<float>(data.y.at(k, p)), w32.at(k, p) = static_cast<float>(data.w.at(k, p));
    for (const Method method : {Method::cholesky, Method::qr}) {
      lopsar::SolveOptions<double> options = data.options(c);
      options.method = method, options.damp = model.damp;
      const auto r = ::solve<double>(c.model, data.y.view(), options);
      lopsar::SolveOptions<float> narrow;
      narrow.weights = w32.view(), narrow.method = method, narrow.damp = model.damp;
      narrow.arithmetic = method == Method::cholesky ? Arithmetic::float32 : Arithmetic::automatic;
      const auto r32 = ::solve<float>(c.model, y32.view(), narrow);
      INFO(model.name << ", " << lopsar::name(method));
      int deficient = 0;
      for (std::size_t p = 0; p < pixels; ++p) {
        INFO("pixel " << p);
        // What float32 blocks hold differs from the float64 ones; which numbers are missing does not.
        const auto exact = dense.solve(p, data.column(data.y, p, false), data.column(data.w, p, true), model.damp, 1e-9L);
        const bool whole = exact.rank == static_cast<long>(r.x.rows);
        deficient += !whole;
        const auto status = number(exact.valid == 0 ? Status::no_data : whole ? Status::ok : Status::rank_deficient);
        CHECK(r.status[p] == status);
        CHECK(r32.status[p] == status);
        if (exact.valid == 0) continue;
        CHECK(r.rank[p] == exact.rank);
        CHECK(r32.rank[p] == exact.rank);
        for (std::size_t j = 0; j < r.x.rows; ++j) {
          INFO("unknown " << j);
          const auto at = static_cast<long>(j);
          CHECK(std::isnan(r.x.at(j, p)) == !exact.determined[j]);
          CHECK(std::isnan(r32.x.at(j, p)) == !exact.determined[j]);
          // Rounding of float64 times the condition of what is determined, at most 1e5 here: 1e-9 standard deviations times the data's size.
          if (exact.determined[j])
            CHECK(static_cast<double>(std::fabs(static_cast<long double>(r.x.at(j, p)) - exact.x(at)) / exact.sigma(at)) <= 1e-7);
        }
      }
      if (model.damp == 0) CHECK(deficient >= 16);  // those without data after a date
      else CHECK(deficient == 0);
    }
  }
}

TEST_CASE("cholesky and QR: status of pixels that cannot be solved; they harm nobody", "[solvers][cholesky][qr][status]") {
  constexpr std::size_t pixels = 70;
  const auto c = cases(pixels)[0];
  const DenseModel dense(c.model, c.priors, pixels);
  const auto clean = simulate<float>(c, dense, pixels, 5, 4);
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  auto bad = clean;
  std::vector<Status> expected(pixels, Status::ok);
  for (std::size_t k = 0; k < bad.y.rows; ++k) bad.y.at(k, 3) = nan, bad.w.at(k, 20) = 0, bad.w.at(k, 21) = nan;
  for (const std::size_t p : {3u, 20u, 21u}) expected[p] = Status::no_data;
  const auto put = [&](std::size_t p) { return expected[p] = Status::not_finite, p; };
  for (const std::size_t p : {5u, 6u, 7u, 8u, 64u}) bad.y.at(11, p) = 1, bad.w.at(11, p) = 1;
  bad.y.at(11, put(5)) = infinity;
  bad.y.at(11, put(6)) = -infinity;
  bad.w.at(11, put(7)) = -1;
  bad.w.at(11, put(8)) = infinity;
  bad.w.at(11, put(64)) = -infinity;
  bad.y.at(11, 9) = nan, bad.w.at(11, 9) = infinity;  // missing: not looked at further
  bad.y.at(11, 10) = infinity, bad.w.at(11, 10) = 0;
  for (const Method method : {Method::cholesky, Method::qr})
    for (const Arithmetic arithmetic : {Arithmetic::float32, Arithmetic::float64}) {
      if (method == Method::qr && arithmetic == Arithmetic::float32) continue;
      auto options = clean.options(c), bad_options = bad.options(c);
      options.method = bad_options.method = method, options.arithmetic = bad_options.arithmetic = arithmetic;
      const auto good = ::solve<float>(c.model, clean.y.view(), options), r = ::solve<float>(c.model, bad.y.view(), bad_options);
      for (std::size_t p = 0; p < pixels; ++p) {
        INFO("pixel " << p << ", status " << int(r.status[p]));
        CHECK(r.status[p] == number(expected[p]));
        const bool solved = expected[p] == Status::ok, touched = p == 9 || p == 10 || !solved;
        for (std::size_t j = 0; j < r.x.rows; ++j) {
          CHECK(std::isnan(r.x.at(j, p)) == !solved);
          if (!touched) CHECK(same_bits(r.x.at(j, p), good.x.at(j, p)));
        }
        CHECK(std::isnan(r.residual_norm[p]) == !solved);
        CHECK(r.rank[p] == (solved ? static_cast<int>(r.x.rows) : 0));
      }
    }
}

TEMPLATE_TEST_CASE("cholesky and QR: bits depend on nothing but the pixel", "[solvers][cholesky][qr][bits]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 150;
  const auto all = cases(pixels);
  for (const std::size_t which : {0u, 4u, 5u}) {
    const auto& c = all[which];
    const DenseModel dense(c.model, c.priors, pixels);
    auto data = simulate<T>(c, dense, pixels, 10, 5);
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t k = 0; k < data.w.rows; ++k) {
        if (p % 7 == 3 && k % 3) data.w.at(k, p) = 0;  // rank-deficient ones among the others
        if (p % 11 == 5) data.y.at(k, p) *= T(1000);   // and ones that float32 is not enough for
      }
    for (const Arithmetic arithmetic : {Arithmetic::float32, Arithmetic::float64})
      for (const Method method : {Method::cholesky, Method::qr}) {
        if (method == Method::qr && arithmetic == Arithmetic::float32) continue;
        auto options = data.options(c);
        options.method = method, options.arithmetic = arithmetic, options.threads = 1;
        const auto whole = ::solve<T>(c.model, data.y.view(), options);
        INFO(c.name << ", " << lopsar::name(method) << (arithmetic == Arithmetic::float32 ? " float32" : " float64"));
        const auto solve_of = [&](const std::vector<std::size_t>& pick, std::size_t gap, std::size_t start) {
          const auto y = data.y.taken(pick, gap, start), w = data.w.taken(pick, gap + 1, start);
          auto part = options;
          part.weights = w.view();
          return ::solve<T>(c.model, y.view(), part, gap, start);
        };
        if (c.model.pixels() == 0) {  // fields are not shuffled here
          for (const std::size_t n : {1u, 2u, 7u, 15u, 16u, 17u, 33u, 63u, 64u, 65u})
            CHECK(solve_of(range(n, n), n % 3, n % 5).same_bits(whole, range(n, n)));
          auto shuffled = range(pixels);
          std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(4));
          CHECK(solve_of(shuffled, 0, 0).same_bits(whole, shuffled));
        }
        for (const int threads : {0, 2, 3})
          for (const std::size_t chunk : {0, 1, 100}) {
            options.threads = threads, options.chunk_size = chunk;
            CHECK(::solve<T>(c.model, data.y.view(), options).same_bits(whole, range(pixels)));
          }
      }
  }
}

TEST_CASE("cholesky and QR: normal solves", "[solvers][cholesky][qr]") {
  constexpr std::size_t pixels = 35;
  for (const auto& c : cases(pixels)) {
    const DenseModel dense(c.model, c.priors, pixels);
    const auto data = simulate<double>(c, dense, pixels, 10, 6);
    const std::size_t n = c.model.shape().columns;
    std::mt19937_64 random(7);
    Grid<double> b(n, pixels), x(n, pixels);
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t j = 0; j < n; ++j) b.at(j, p) = uniform(random, -1, 1) * static_cast<double>(dense.matrix(p).col(static_cast<long>(j)).norm());
    for (const Method method : {Method::cholesky, Method::qr}) {
      auto options = data.options(c);
      options.method = method;
      lopsar::SolveOutput<double> out;
      out.x = x.block();
      lopsar::solve_normal_into(c.model, b.view(), out, options, data.y.view());
      double worst = 0;
      for (std::size_t p = 0; p < pixels; ++p) {
        const auto& a = dense.matrix(p);
        const auto y = data.column(data.y, p, false), w = data.column(data.w, p, true);
        DenseModel::Matrix N = DenseModel::Matrix::Zero(static_cast<long>(n), static_cast<long>(n));
        for (long k = 0; k < a.rows(); ++k)
          if (!std::isnan(y[static_cast<std::size_t>(k)]) && w[static_cast<std::size_t>(k)] > 0)
            N += static_cast<long double>(w[static_cast<std::size_t>(k)]) * a.row(k).transpose() * a.row(k);
        // In standard deviations, relative to the length of x in them: the condition cancels to its root.
        DenseModel::Vector right(static_cast<long>(n));
        for (std::size_t j = 0; j < n; ++j) right(static_cast<long>(j)) = static_cast<long double>(b.at(j, p));
        const auto factors = N.ldlt();
        const DenseModel::Vector exact = factors.solve(right);
        DenseModel::Vector error(static_cast<long>(n));
        for (std::size_t j = 0; j < n; ++j) error(static_cast<long>(j)) = static_cast<long double>(x.at(j, p)) - exact(static_cast<long>(j));
        worst = std::max(worst, static_cast<double>(std::sqrt(error.dot(N * error) / exact.dot(N * exact))));
      }
      INFO(c.name << ", " << lopsar::name(method));
      CHECK(worst <= 1e-9);  // condition (to 1e7) times rounding
    }
  }
}

TEST_CASE("cholesky: options that make no sense", "[solvers][cholesky]") {
  const Network network = nearest_neighbors(30, 12).network();
  Grid<float> y(30, 3), x(11, 3);
  for (auto& v : y.values) v = 1;
  lopsar::SolveOutput<float> out;
  out.x = x.block();
  for (const Method method : {Method::cholesky, Method::qr}) {
    lopsar::SolveOptions<float> options;
    options.method = method;
    CHECK_NOTHROW(lopsar::solve_into(network, y.view(), out, options));
    options.null_space = lopsar::NullSpace::minimum_norm_velocity;
    CHECK_THROWS_WITH(lopsar::solve_into(network, y.view(), out, options), ContainsSubstring("edge-flow"));
    options.null_space = lopsar::NullSpace::none;
    options.damp = -1;
    CHECK_THROWS_AS(lopsar::solve_into(network, y.view(), out, options), lopsar::InvalidArgument);
  }
  lopsar::SolveOptions<float> options;
  options.method = Method::qr, options.arithmetic = Arithmetic::float32;
  CHECK_THROWS_AS(lopsar::solve_into(network, y.view(), out, options), lopsar::InvalidArgument);
}

// NSBAS: velocity and a constant tied to the dates by rows of weight gamma^2, which hold parts of a network together that no interferogram joins.
TEST_CASE("qr: keeps digits that the normal matrix loses", "[solvers][qr][accuracy]") {
  constexpr std::size_t pixels = 24;
  const Network network = nearest_neighbors(60, 24).network();
  const std::size_t D = network.dates().size(), K = 60;
  for (const double gamma : {1e-2, 1e-4, 1e-6}) {
    // Unknowns: dates, v, c; rows gamma (x_d - v t_d - c).
    std::vector<lopsar::Triplet> below, none;
    for (std::size_t d = 0; d + 1 < D; ++d) {
      below.push_back({d, d, gamma, -1});
      below.push_back({d, D - 1, -gamma * (network.days()[d + 1] - network.days()[0]) / 365.25, -1});
      below.push_back({d, D, -gamma, -1});
    }
    const LinearOperator model = lopsar::hstack(network, lopsar::Pattern({K, 2}, none));
    const LinearOperator prior = lopsar::Pattern({D - 1, D + 1}, below);
    const Case c{"NSBAS", model, {prior}, {1}, 0};
    const DenseModel dense(c.model, c.priors, pixels);
    // A line in time fits every row, so that the answer is known, and the residual does not bring the square of the condition in.
    std::mt19937_64 random(1);
    auto data = simulate<double>(c, dense, pixels, 10, 9);
    Grid<double> truth(D + 1, pixels);
    for (std::size_t p = 0; p < pixels; ++p) {
      const double v = uniform(random, 5, 20), offset = 0;  // the reference date is zero, and so is the line there
      const auto years = [&](std::size_t d) { return (network.days()[d] - network.days()[0]) / 365.25; };
      for (std::size_t d = 0; d + 1 < D; ++d) truth.at(d, p) = v * years(d + 1);
      truth.at(D - 1, p) = v, truth.at(D, p) = offset;
      for (std::size_t k = 0; k < K; ++k) {
        const auto& pair = network.pairs()[k];
        data.y.at(k, p) = v * years(pair.second) - v * years(pair.first);
        if (std::min(pair.first, pair.second) < 10 + p % 5 && std::max(pair.first, pair.second) >= 10 + p % 5) data.w.at(k, p) = 0;  // cut in two
      }
    }
    double worst[2] = {};
    for (const Method method : {Method::cholesky, Method::qr}) {
      auto options = data.options(c);
      options.method = method;
      const auto r = ::solve<double>(model, data.y.view(), options);
      for (std::size_t p = 0; p < pixels; ++p) {
        if (method == Method::qr) {
          CHECK(r.status[p] == number(Status::ok));
          CHECK(r.rank[p] == static_cast<int>(D + 1));
        }
        for (std::size_t j = 0; j < r.x.rows; ++j) {
          const double e = std::fabs(r.x.at(j, p) - truth.at(j, p)) / 5;
          double& w = worst[method == Method::qr];
          w = std::max(w, e <= 1 ? e : 1);  // NaN counts as 1
        }
      }
    }
    std::cout << "NSBAS, gamma " << std::scientific << std::setprecision(0) << gamma << std::setprecision(1)
              << ": error relative to the velocity, cholesky " << worst[0] << ", qr " << worst[1] << std::endl;
    // Rounding times the condition of A: rows differ by 63 / gamma (weights to 4e3), the network's own condition is about 1e2; its square for
    // Cholesky.
    CHECK(worst[1] <= 2.2e-16 * 1e2 * 63 / gamma * 10);
    if (gamma <= 1e-4) CHECK(worst[1] < 1e-2 * worst[0]);
  }
}

TEST_CASE("cholesky: what all pixels share is factored once", "[solvers][cholesky]") {
  constexpr std::size_t pixels = 90;
  for (const auto& c : cases(pixels)) {
    if (c.model.pixels() != 0) continue;
    const DenseModel dense(c.model, c.priors, pixels);
    auto data = simulate<double>(c, dense, pixels, 10, 15);
    const std::size_t K = data.y.rows;
    Grid<double> one(K, 1), each(K, pixels);
    std::mt19937_64 random(16);
    for (std::size_t k = 0; k < K; ++k) {
      one.at(k, 0) = k == 5 ? 0 : 0.4 * std::pow(10, 4 * uniform(random, 0, 1));
      for (std::size_t p = 0; p < pixels; ++p) {
        each.at(k, p) = one.at(k, 0);
        if (std::isnan(data.y.at(k, p)) && p % 3) data.y.at(k, p) = 1;  // a third of the pixels has gaps
      }
    }
    for (const Arithmetic arithmetic : {Arithmetic::float32, Arithmetic::float64}) {
      auto shared = data.options(c), general = shared;
      shared.weights = one.view(), general.weights = each.view();
      shared.arithmetic = general.arithmetic = arithmetic;
      const auto a = ::solve<double>(c.model, data.y.view(), shared), b = ::solve<double>(c.model, data.y.view(), general);
      double worst = 0;
      for (std::size_t p = 0; p < pixels; ++p) {
        CHECK(a.status[p] == b.status[p]);
        CHECK(a.rank[p] == b.rank[p]);
        CHECK(a.valid[p] == b.valid[p]);
        std::vector<double> w;
        for (std::size_t k = 0; k < K; ++k) w.push_back(one.at(k, 0));
        for (const auto& g : data.prior_weights)
          for (std::size_t k = 0; k < g.rows; ++k) w.push_back(g.at(k, 0));
        const auto exact = dense.solve(p, data.column(data.y, p, false), w);
        for (std::size_t j = 0; j < a.x.rows; ++j)
          worst = std::max(worst, std::fabs(a.x.at(j, p) - b.x.at(j, p)) / static_cast<double>(exact.sigma(static_cast<long>(j))));
      }
      INFO(c.name);
      // Asked for, float32 loses more than automatic lets it: dates and velocity are some ten times the data that they add up to.
      CHECK(worst <= (arithmetic == Arithmetic::float32 ? 1e-3 : 1e-8));
      // Whether a pixel shares factors depends on its own gaps only.
      const std::vector<std::size_t> pick{1, 2, 4, 5, 3};
      const auto y = data.y.taken(pick);
      CHECK(::solve<double>(c.model, y.view(), shared).same_bits(a, pick));
    }
  }
}

// Six unknowns on data of six dates, a line less: rank 5 at most, whatever rounding makes of the pivots.
TEST_CASE("cholesky and QR: rank of models that few data determine", "[solvers][cholesky][qr][rank]") {
  constexpr std::size_t pixels = sanitized ? 100 : 1000;
  const Network network = nearest_neighbors(30, 12).network();
  const std::size_t D = network.dates().size(), K = network.pairs().size();
  const LinearOperator parametric = network * lopsar::hstack(lopsar::Polynomial(network, 3), lopsar::Seasonal(network, {1}),
                                                             lopsar::DemError(network, perpendicular_baselines(D), geometry(pixels)));
  std::mt19937_64 random(31);
  const auto weight = [&] { return std::pow(10, 4 * uniform(random, 0, 1)); };
  struct Scene {
    std::string name;
    LinearOperator model;
    Grid<double> y, w;
  };
  std::vector<Scene> scenes;
  scenes.push_back({"parameters of few dates", parametric, Grid<double>(K, pixels), Grid<double>(K, pixels)});
  for (std::size_t p = 0; p < pixels; ++p) {
    std::vector<std::size_t> dates(D);
    std::iota(dates.begin(), dates.end(), std::size_t{0});
    std::shuffle(dates.begin(), dates.end(), random);
    const auto kept = [&](std::size_t date) { return std::find(dates.begin(), dates.begin() + 6, date) != dates.begin() + 6; };
    for (std::size_t k = 0; k < K; ++k) {
      const auto& pair = network.pairs()[k];
      scenes[0].y.at(k, p) = uniform(random, -5, 5), scenes[0].w.at(k, p) = kept(pair.first) && kept(pair.second) ? weight() : 0;
    }
  }
  for (const double d : {1e-1, 1e-3, 1e-5, 1e-7}) {
    const LinearOperator model = lopsar::Pattern({2, 3}, {{0, 0, 1, -1}, {0, 1, 1, -1}, {1, 0, 1, -1}, {1, 1, 1 + d, -1}, {1, 2, 1, -1}});
    scenes.push_back({"two rows", model, Grid<double>(2, pixels), Grid<double>(2, pixels)});
    for (auto& v : scenes.back().y.values) v = uniform(random, -5, 5);
    for (auto& v : scenes.back().w.values) v = weight();
  }
  for (const auto& scene : scenes)
    for (const Method method : {Method::cholesky, Method::qr})
      for (const bool narrow : {false, true}) {
        if (narrow && method == Method::qr) continue;
        lopsar::SolveOptions<double> options;
        options.method = method, options.weights = scene.w.view();
        if (narrow) options.arithmetic = Arithmetic::float32;
        const auto r = ::solve<double>(scene.model, scene.y.view(), options);
        int wrong = 0, finite = 0;
        for (std::size_t p = 0; p < pixels; ++p) {
          bool whole = true;
          for (std::size_t j = 0; j < r.x.rows; ++j) whole = whole && !std::isnan(r.x.at(j, p));
          finite += whole;
          wrong += r.valid[p] > 0 && (r.status[p] != number(Status::rank_deficient) || r.rank[p] >= static_cast<int>(r.x.rows));
        }
        INFO(scene.name << ", " << lopsar::name(method) << (narrow ? " float32" : " float64"));
        CHECK(wrong == 0);
        CHECK(finite == 0);
      }
}

// What rows of little weight hold trades off with what nothing holds, and must not pass for determined.
TEST_CASE("cholesky and QR: unknowns that weak rows tie to undetermined ones", "[solvers][cholesky][qr][rank]") {
  struct Scene {
    std::string name;
    LinearOperator model;
    Grid<double> y, w;
    std::vector<std::size_t> held;  // by strong rows alone
    std::vector<std::size_t> loose;
  };
  std::vector<Scene> scenes;
  // NSBAS with a quadratic model: dates 1, 2 | 3, 4, 5 of two parts, then velocity, constant and acceleration, tied by rows of weight gamma^2.
  for (const double gamma : {1e-7, 1e-8, 1e-10, 1e-13, 1e-16}) {
    std::vector<lopsar::Triplet> rows{{0, 0, 1, -1}, {1, 0, -1, -1}, {1, 1, 1, -1}, {2, 2, -1, -1}, {2, 3, 1, -1}, {3, 3, -1, -1}, {3, 4, 1, -1}};
    for (std::size_t d = 0; d < 5; ++d) {
      const double t = 12 * static_cast<double>(d + 1) / 365.25;
      rows.insert(rows.end(), {{4 + d, d, gamma, -1}, {4 + d, 5, -gamma * t, -1}, {4 + d, 6, -gamma, -1}, {4 + d, 7, -gamma * t * t, -1}});
    }
    scenes.push_back({"NSBAS", lopsar::Pattern({9, 8}, rows), Grid<double>(9, 1), Grid<double>(9, 1), {0, 1}, {2, 3, 4, 5, 6, 7}});
    const double y[] = {1, 1.2, 0.7, 0.9};
    for (std::size_t k = 0; k < 9; ++k) scenes.back().y.at(k, 0) = k < 4 ? y[k] : 0, scenes.back().w.at(k, 0) = 1;
  }
  // A network in which a third of the pairs hardly counts.
  constexpr std::size_t pixels = 300;
  const Network network = nearest_neighbors(17, 10).network();
  const std::size_t K = network.pairs().size();
  std::mt19937_64 random(61);
  for (const double weak : {1e-12, 1e-14, 1e-16}) {
    scenes.push_back({"network", network, Grid<double>(K, pixels), Grid<double>(K, pixels), {}, {}});
    for (auto& v : scenes.back().y.values) v = uniform(random, -5, 5);
    for (auto& v : scenes.back().w.values) v = random() % 3 ? 1 : weak;
  }
  for (const auto& scene : scenes) {
    const DenseModel dense(scene.model, {}, scene.y.pixels);
    for (const Method method : {Method::cholesky, Method::qr}) {
      lopsar::SolveOptions<double> options;
      options.method = method, options.weights = scene.w.view();
      const auto r = ::solve<double>(scene.model, scene.y.view(), options);
      INFO(scene.name << ", " << lopsar::name(method));
      double worst = 0;
      std::size_t deficient = 0, finite = 0;
      for (std::size_t p = 0; p < scene.y.pixels; ++p) {
        if (r.status[p] != number(Status::rank_deficient)) continue;
        ++deficient;
        std::vector<double> y, w;
        for (std::size_t k = 0; k < scene.y.rows; ++k) y.push_back(scene.y.at(k, p)), w.push_back(scene.w.at(k, p));
        const auto exact = dense.solve(p, y, w, 0, 1e-17L);
        for (std::size_t j = 0; j < r.x.rows; ++j) {
          if (std::isnan(r.x.at(j, p))) continue;
          ++finite;
          worst = std::max(worst, std::fabs(r.x.at(j, p) - static_cast<double>(exact.x(static_cast<long>(j)))));
        }
        for (const auto j : scene.held) CHECK(!std::isnan(r.x.at(j, p)));
        for (const auto j : scene.loose) CHECK(std::isnan(r.x.at(j, p)));
      }
      // Data of 5 rad; what an undetermined date may be, some 10 rad, moves what keeps its value by at most 1e-4 of that.
      CHECK(worst <= 1e-3);
      if (scene.name == "network" && method == Method::cholesky) {
        CHECK(deficient >= pixels / 10);
        CHECK(finite >= deficient / 2);
      }
      if (!scene.held.empty() && method == Method::cholesky) CHECK(deficient == 1);
    }
  }
}

// An unknown that no row touches, or that others determine exactly, keeps its value beside those that are lost.
TEST_CASE("cholesky and QR: what a null vector does not touch keeps its value", "[solvers][cholesky][qr][rank]") {
  // Columns 0, 1: well determined; 2, 3: only as a sum, which column 1 meets, too; 4: in a block of its own; 5: untouched.
  for (const double weight : {1.0, 1e-10, 1e-20}) {
    const LinearOperator model = lopsar::Pattern({6, 6}, {{0, 0, 1, -1},
                                                          {0, 1, 0.3, -1},
                                                          {1, 1, 2, -1},
                                                          {2, 1, 0.7, -1},
                                                          {2, 2, 1.1, -1},
                                                          {2, 3, 1.3, -1},
                                                          {3, 0, 0.1, -1},
                                                          {3, 2, 2.2, -1},
                                                          {3, 3, 2.6, -1},
                                                          {4, 4, 3, -1},
                                                          {5, 0, 1, -1}});
    Grid<double> y(6, 1), w(6, 1);
    const double values[] = {1, 2, 3, 4, 6, 0.5};
    for (std::size_t k = 0; k < 6; ++k) y.at(k, 0) = values[k], w.at(k, 0) = k == 2 || k == 3 || k == 4 ? weight : 1;
    const DenseModel dense(model, {}, 1);
    const auto exact = dense.solve(0, y.values, w.values);
    for (const Method method : {Method::cholesky, Method::qr}) {
      lopsar::SolveOptions<double> options;
      options.method = method, options.weights = w.view();
      const auto r = ::solve<double>(model, y.view(), options);
      INFO(lopsar::name(method) << ", weight " << weight);
      CHECK(r.status[0] == number(Status::rank_deficient));
      CHECK(r.rank[0] == 4);
      for (const std::size_t j : {2u, 3u, 5u}) CHECK(std::isnan(r.x.at(j, 0)));
      // The data of 6 times rounding times the condition, below 1e2.
      for (const std::size_t j : {0u, 1u, 4u}) CHECK(std::fabs(r.x.at(j, 0) - static_cast<double>(exact.x(static_cast<long>(j)))) <= 1e-12);
    }
  }
}

TEST_CASE("cholesky: automatic arithmetic does not depend on the order of pixels", "[solvers][cholesky][bits]") {
  // One pixel in eight makes the columns all but parallel: where it stands must not matter.
  constexpr std::size_t pixels = 64;
  const Network network = nearest_neighbors(30, 12).network();
  const std::size_t D = network.dates().size(), K = network.pairs().size();
  std::mt19937_64 random(41);
  std::vector<float> b(D * pixels);
  for (std::size_t d = 0; d < D; ++d)
    for (std::size_t p = 0; p < pixels; ++p)
      b[d * pixels + p] = static_cast<float>((p % 8 == 0 ? 1e-4 : 100) * uniform(random, -1, 1) + static_cast<double>(network.days()[d]));
  Grid<float> y(K, pixels);
  for (auto& v : y.values) v = static_cast<float>(uniform(random, -5, 5));
  const auto solve_of = [&](const std::vector<std::size_t>& pick) {
    std::vector<float> own(D * pixels);
    for (std::size_t d = 0; d < D; ++d)
      for (std::size_t p = 0; p < pixels; ++p) own[d * pixels + p] = b[d * pixels + pick[p]];
    const LinearOperator model =
        network * lopsar::hstack(lopsar::Polynomial(network, 1), lopsar::DemError(network, lopsar::Field(std::move(own), D, pixels),
                                                                                  {lopsar::Field(std::vector<float>(pixels, 8.5e5f), 1, pixels),
                                                                                   lopsar::Field(std::vector<float>(pixels, 35.f), 1, pixels)}));
    return ::solve<float>(model, y.taken(pick).view(), {});
  };
  const auto whole = solve_of(range(pixels));
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u, 11u, 12u}) {
    auto shuffled = range(pixels);
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(seed));
    const auto r = solve_of(shuffled);
    CHECK(r.report.arithmetic == whole.report.arithmetic);
    CHECK(r.same_bits(whole, shuffled));
  }
}

TEST_CASE("cholesky: pixels without data beside others", "[solvers][cholesky][status]") {
  // Whole registers of them, single ones, and pixels that float32 is not enough for.
  constexpr std::size_t pixels = 200;
  const Network network = nearest_neighbors(30, 12).network();
  Grid<float> y(30, pixels);
  std::mt19937_64 random(51);
  const auto empty = [](std::size_t p) { return (p >= 32 && p < 128) || p % 5 == 0; };
  for (std::size_t k = 0; k < 30; ++k)
    for (std::size_t p = 0; p < pixels; ++p)
      y.at(k, p) = empty(p) ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>((p % 7 ? 1 : 1e5) * uniform(random, -5, 5));
  const auto r = ::solve<float>(network, y.view(), {});
  for (std::size_t p = 0; p < pixels; ++p) {
    CHECK(r.status[p] == number(empty(p) ? Status::no_data : Status::ok));
    CHECK(r.rank[p] == (empty(p) ? 0 : 11));
    CHECK(std::isnan(r.residual_norm[p]) == empty(p));
  }
}

TEST_CASE("all methods: weights and data that vanish in the arithmetic are not missing", "[solvers][cholesky][krylov][edge_flow][arithmetic]") {
  const Network network = nearest_neighbors(30, 12).network();
  Grid<double> y(30, 2), w(30, 2), one(30, 1);
  for (std::size_t k = 0; k < 30; ++k) {
    y.at(k, 0) = y.at(k, 1) = 1;
    w.at(k, 0) = 1e-50, w.at(k, 1) = k == 3 ? 1e-50 : 1;
    one.at(k, 0) = 1e-50;
  }
  for (const Method method : {Method::edge_flow, Method::cholesky, Method::cg, Method::cgls, Method::lsqr}) {
    INFO(lopsar::name(method));
    lopsar::SolveOptions<double> options;
    options.method = method, options.arithmetic = Arithmetic::float32, options.weights = w.view();
    const auto r = ::solve<double>(network, y.view(), options);
    CHECK(r.status[0] == number(Status::not_finite));
    CHECK(r.status[1] == number(Status::not_finite));
    options.weights = one.view();
    CHECK(::solve<double>(network, y.view(), options).status[0] == number(Status::not_finite));
    options.weights = {};
    Grid<double> huge = y;
    huge.at(2, 0) = 1e300, huge.at(2, 1) = 1e-300;
    const auto h = ::solve<double>(network, huge.view(), options);
    CHECK(h.status[0] == number(Status::not_finite));
    CHECK(h.valid[1] == 30);
  }
}

// Residuals of a known size: pairs of parallel interferograms that disagree by 2 s, so that each leaves s.
TEMPLATE_TEST_CASE("direct methods: norms of residuals over the range of data and weights", "[solvers][cholesky][qr][edge_flow]", float, double) {
  using T = TestType;
  const Network network({{"20170101", "20170113"}, {"20170101", "20170113"}, {"20170113", "20170125"}, {"20170113", "20170125"}});
  struct Size {
    double s, w;
  };
  std::vector<Size> sizes{{1e20, 1}, {1e-25, 1}, {1e15, 1e10}, {1e-10, 1e-18}, {3e10, 1e18}, {1, 1}, {0, 1}, {1e29, 1}};
  if (sizeof(T) == 8) sizes.insert(sizes.end(), {{1e-120, 1e-90}, {1e29, 1e100}, {1e-170, 1}});
  Grid<T> y(4, sizes.size()), w(4, sizes.size());
  for (std::size_t p = 0; p < sizes.size(); ++p)
    for (std::size_t k = 0; k < 4; ++k) {
      y.at(k, p) = static_cast<T>((k % 2 ? 3 : 1) * sizes[p].s);
      w.at(k, p) = static_cast<T>(sizes[p].w);
    }
  for (const Method method : {Method::edge_flow, Method::cholesky, Method::qr}) {
    lopsar::SolveOptions<T> options;
    options.method = method, options.weights = w.view();
    const auto r = ::solve<T>(network, y.view(), options);
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      INFO(lopsar::name(method) << ", data " << sizes[p].s << ", weight " << sizes[p].w);
      CHECK(r.status[p] == number(Status::ok));
      const double exact = 2 * sizes[p].s * std::sqrt(sizes[p].w);
      // Four residuals, each rounded relative to data of thrice its size.
      CHECK(std::fabs(static_cast<double>(r.residual_norm[p]) - exact) <= 8 * static_cast<double>(std::numeric_limits<T>::epsilon()) * exact);
    }
  }
}

TEST_CASE("cholesky: a solution beyond the precision of its numbers", "[solvers][cholesky][qr][status]") {
  const LinearOperator model = lopsar::Pattern({2, 2}, {{0, 0, 1, -1}, {1, 1, 1e-30, -1}});
  Grid<float> y(2, 40);
  for (std::size_t p = 0; p < 40; ++p) y.at(0, p) = 1, y.at(1, p) = p % 3 == 1 ? 1e10f : 2e-30f;
  for (const Method method : {Method::cholesky, Method::qr})
    for (const Arithmetic arithmetic : {Arithmetic::automatic, Arithmetic::float32, Arithmetic::float64}) {
      if (method == Method::qr && arithmetic == Arithmetic::float32) continue;
      lopsar::SolveOptions<float> options;
      options.method = method, options.arithmetic = arithmetic;
      const auto r = ::solve<float>(model, y.view(), options);
      INFO(lopsar::name(method) << ", " << lopsar::name(arithmetic));
      for (std::size_t p = 0; p < 40; ++p) {
        CHECK(r.status[p] == number(p % 3 == 1 ? Status::not_finite : Status::ok));
        CHECK(std::isnan(r.x.at(0, p)) == (p % 3 == 1));
        CHECK(std::isnan(r.x.at(1, p)) == (p % 3 == 1));
        if (p % 3 != 1) CHECK(std::fabs(r.x.at(1, p) - 2) <= 1e-6f);
      }
    }
}

TEST_CASE("direct methods: outputs and methods that they have not", "[solvers][cholesky][qr]") {
  const Network network = nearest_neighbors(30, 12).network();
  Grid<float> y(30, 3), x(11, 3), more(11, 3);
  std::vector<float> norm(3, -1.f);
  for (auto& v : y.values) v = 1;
  lopsar::SolveOutput<float> out;
  out.x = x.block();
  lopsar::SolveOptions<float> options;
  for (const Method method : {Method::cholesky, Method::qr}) {
    options.method = method;
    auto asked = out;
    asked.variances = more.block();
    CHECK_THROWS_WITH(lopsar::solve_into(network, y.view(), asked, options), ContainsSubstring("variances"));
    CHECK_THROWS_AS(lopsar::solve_normal_into(network, x.view(), asked, options), lopsar::InvalidArgument);
    asked = out, asked.history = more.block();
    CHECK_THROWS_WITH(lopsar::solve_into(network, y.view(), asked, options), ContainsSubstring("history"));
    asked = out, asked.residual_norm = norm.data();
    lopsar::solve_normal_into(network, more.view(), asked, options);
    for (float& v : norm) {
      CHECK(std::isnan(v));
      v = -1;
    }
  }
  for (const Method method : {Method::edge_flow, Method::cg, Method::cgls, Method::lsqr}) {
    options.method = method;
    CHECK_THROWS_WITH(lopsar::solve_normal_into(network, more.view(), out, options), ContainsSubstring(lopsar::name(method)));
  }
  options.method = Method::automatic;
  CHECK_NOTHROW(lopsar::solve_normal_into(network, more.view(), out, options));
}
