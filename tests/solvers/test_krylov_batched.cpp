// CG, CGLS and LSQR of every pixel against dense least squares in long double (support/dense.hpp).
//
// Tolerances. Let A, b be the whole weighted system, s = A'(b - A x), sigma_j^2 the diagonal of (A'A)^-1, and 1/sigma_min <= sqrt(sum sigma_j^2).
// The error of x is (A'A)^-1 s, so that |x_j - exact_j| / sigma_j <= |s| / sigma_min; and it is at most |A (x - exact)| <= |b - A x|. With the stops
//   |s| <= atol |A| |r|             error / sigma <= atol |A| |r| / sigma_min
//   |r| <= btol |b| + atol |A||x|   error / sigma <= btol |b| + atol |A||x|
//   |s| <= atol |A'b| (CG)          error / sigma <= atol |A'b| / sigma_min
// With a preconditioner A and x are those of columns of length 1: A D^-1, D x, and s, sigma likewise.
// Rounding: the residual that an iteration carries along departs from b - A x by at most a few eps (|b| + |A||x|) per iteration (Greenbaum 1997);
// CG carries s along, whose departure is |A| times that, and is divided by sigma_min.
#include <iostream>
#include <limits>
#include <numeric>

#include <Eigen/SVD>

#include <lopsar/operators/dem_error.hpp>
#include <lopsar/operators/difference.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/lanes/level.hpp>
#include <lopsar/operators/time_model.hpp>
#include <lopsar/solvers/iterative.hpp>

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

constexpr Method methods[] = {Method::cg, Method::cgls, Method::lsqr};
template <class T>
using Kind = typename lopsar::Preconditioner<T>::Kind;

std::vector<std::size_t> range(std::size_t n, std::size_t first = 0) {
  std::vector<std::size_t> v(n);
  std::iota(v.begin(), v.end(), first);
  return v;
}

template <class T>
Result<T> solve(const LinearOperator& model, const Grid<T>& y, lopsar::SolveOptions<T> options) {
  const std::size_t n = model.shape().columns;
  if (options.max_iterations == 0) options.max_iterations = 2 * static_cast<int>(n) + 20;
  Result<T> r(n, y.pixels, 3);
  r.keep_iterations(options.max_iterations);
  r.report = lopsar::solve_into(model, y.view(), r.output(), options);
  CHECK(r.x.gap_untouched());
  return r;
}

struct Case {
  std::string name;
  LinearOperator model;
  std::vector<LinearOperator> priors;
  double prior_weight = 1, damp = 0;
  bool start = false;
};

lopsar::Field field(std::size_t pixels, double from, double to) {
  std::mt19937_64 random(11);
  std::vector<double> v(pixels);
  for (auto& a : v) a = uniform(random, from, to);
  return {std::move(v), 1, pixels};
}
LinearOperator geometry_model(const Network& network, std::size_t pixels) {
  // Columns of comparable size: rates in rad/year, DEM error in units of 100 m.
  return network *
         lopsar::hstack(lopsar::Polynomial(network, 2), lopsar::Seasonal(network, {1.0}),
                        -22850.0 * lopsar::DemError(network, perpendicular_baselines(network.dates().size()), {field(pixels, 8e5, 9.5e5), 39.0}));
}

std::vector<Case> cases(std::size_t pixels) {
  const Network network = nearest_neighbors(45, 18).network(7);
  std::vector<Case> all;
  all.push_back({"network", network, {}});
  all.push_back({"network, damped, from x0", network, {}, 1, 1.5, true});
  all.push_back({"velocity, acceleration, seasons, DEM error", geometry_model(network, pixels), {}});
  all.push_back(
      {"free dates and DEM error, smoothed",
       lopsar::hstack(network, -22850.0 * (network * lopsar::DemError(network, perpendicular_baselines(18), {field(pixels, 8e5, 9.5e5), 39.0}))),
       {lopsar::hstack(lopsar::TimeDifference(network, 1), lopsar::Pattern({lopsar::TimeDifference(network, 1).shape().rows, 1}, {}))},
       0.05});
  return all;
}

template <class T>
struct Data {
  Grid<T> y, w, x0;
};

// Random walks of some rad with the noise of their weights, which span two decades; every eleventh observation is missing.
template <class T>
Data<T> simulate(const DenseModel& dense, std::size_t K, std::size_t n, std::size_t pixels, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Data<T> d{Grid<T>(K, pixels, 2), Grid<T>(K, pixels), Grid<T>(n, pixels, 1)};
  for (std::size_t p = 0; p < pixels; ++p) {
    DenseModel::Vector x(static_cast<long>(n));
    double sum = 0;
    for (long j = 0; j < x.size(); ++j) x(j) = sum += normal(random);
    const DenseModel::Vector y = dense.matrix(p) * x;
    for (std::size_t k = 0; k < K; ++k) {
      const double w = std::pow(10, uniform(random, 0, 2));
      d.y.at(k, p) = static_cast<T>(static_cast<double>(y(static_cast<long>(k))) + normal(random) / std::sqrt(w));
      d.w.at(k, p) = static_cast<T>(w);
      // Never all pairs of a date: these follow each other more closely.
      if (k % 11 == p % 11) {
        if (random() % 2) d.y.at(k, p) = std::numeric_limits<T>::quiet_NaN();
        else d.w.at(k, p) = random() % 2 ? std::numeric_limits<T>::quiet_NaN() : T(0);
      }
    }
    for (std::size_t j = 0; j < n; ++j) d.x0.at(j, p) = static_cast<T>(static_cast<double>(x(static_cast<long>(j))) + 0.1 * normal(random));
  }
  return d;
}

template <class T>
std::vector<double> column(const Grid<T>& g, std::size_t p, std::size_t more, double value) {
  std::vector<double> v;
  for (std::size_t k = 0; k < g.rows; ++k) v.push_back(static_cast<double>(g.at(k, p)));
  v.resize(v.size() + more, value);
  return v;
}

// Norms of the whole weighted system of a pixel; scaled: with columns of length 1.
struct Norms {
  long double a = 0, b = 0, ab = 0, r = 0, x = 0;
  DenseModel::Vector length;  // 1 where they are not scaled
};
Norms norms(const DenseModel::Matrix& a, const std::vector<double>& y, const std::vector<double>& w, double damp, const DenseModel::Vector& x,
            bool scaled = false) {
  Norms n;
  DenseModel::Vector ab = DenseModel::Vector::Zero(a.cols()), squares = DenseModel::Vector::Constant(a.cols(), damp * damp);
  for (long k = 0; k < a.rows(); ++k) {
    const auto u = static_cast<std::size_t>(k);
    if (std::isnan(y[u]) || !(w[u] > 0)) continue;
    const long double e = y[u] - a.row(k).dot(x), weight = w[u];
    n.b += weight * y[u] * y[u], n.r += weight * e * e;
    squares += weight * a.row(k).cwiseAbs2().transpose();
    ab += weight * y[u] * a.row(k).transpose();
  }
  n.length = scaled ? DenseModel::Vector(squares.cwiseSqrt()) : DenseModel::Vector::Ones(a.cols());
  n.a = std::sqrt(squares.cwiseQuotient(n.length.cwiseAbs2()).sum());
  n.r = std::sqrt(n.r + damp * damp * x.squaredNorm());
  n.b = std::sqrt(n.b), n.ab = ab.cwiseQuotient(n.length).norm(), n.x = x.cwiseProduct(n.length).norm();
  return n;
}

template <class T>
lopsar::SolveOptions<T> options_of(const Case& c, const Data<T>& d, Method method, Kind<T> kind, const Grid<T>& prior_weight) {
  lopsar::SolveOptions<T> o;
  o.method = method;
  o.weights = d.w.view();
  for (const auto& prior : c.priors) o.priors.push_back({prior, {}, prior_weight.view()});
  o.damp = c.damp;
  if (c.start) o.x0 = d.x0.view();
  o.preconditioner.kind = kind;
  const std::size_t n = c.model.shape().columns;
  if (kind == Kind<T>::blocks)
    for (std::size_t j = 0; j < n; ++j) o.preconditioner.block.push_back(static_cast<int>(j / 5));
  if (kind == Kind<T>::direct) {
    o.preconditioner.model = std::make_shared<LinearOperator>(c.model);
    o.preconditioner.weights = d.w.view();
    o.preconditioner.priors = o.priors;
  }
  return o;
}

const char* const kind_names[] = {"none", "diagonal", "blocks", "direct"};

}  // namespace

TEMPLATE_TEST_CASE("krylov: composed models against dense least squares", "[solvers][krylov][accuracy]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = sanitized ? 9 : 37;
  const long double eps = std::numeric_limits<T>::epsilon();
  for (const auto& c : cases(pixels)) {
    const DenseModel dense(c.model, c.priors, pixels);
    const std::size_t K = c.model.shape().rows, n = c.model.shape().columns, below = c.priors.empty() ? 0 : c.priors[0].shape().rows;
    const auto d = simulate<T>(dense, K, n, pixels, 21);
    Grid<T> prior_weight(std::max<std::size_t>(below, 1), 1);
    for (std::size_t k = 0; k < prior_weight.rows; ++k) prior_weight.at(k, 0) = static_cast<T>(c.prior_weight);
    std::vector<DenseModel::Answer> exact;
    for (std::size_t p = 0; p < pixels; ++p)
      exact.push_back(dense.solve(p, column(d.y, p, below, 0), column(d.w, p, below, static_cast<double>(prior_weight.at(0, 0))), c.damp));
    std::cout << "\n" << c.name << ", " << (sizeof(T) == 4 ? "float32" : "float64") << ": mean iterations, largest error / tolerance\n";
    for (const Method method : methods)
      for (const auto kind : {Kind<T>::none, Kind<T>::diagonal, Kind<T>::blocks, Kind<T>::direct}) {
        auto options = options_of(c, d, method, kind, prior_weight);
        if (sizeof(T) == 8) options.atol = options.btol = 1e-9;
        options.arithmetic = sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64;  // whatever the condition
        options.max_iterations = 10 * static_cast<int>(n) + 20;
        const auto r = ::solve<T>(c.model, d.y, options);
        INFO(c.name << ", " << lopsar::name(method) << ", " << kind_names[static_cast<int>(kind)]);
        CHECK(r.report.arithmetic == (sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64));
        CHECK(r.report.method == method);
        long double worst = 0, iterations = 0;
        for (std::size_t p = 0; p < pixels; ++p) {
          const auto y = column(d.y, p, below, 0), w = column(d.w, p, below, static_cast<double>(prior_weight.at(0, 0)));
          const auto& e = exact[p];
          REQUIRE(e.rank == static_cast<long>(n));
          CHECK(r.status[p] == number(Status::ok));
          CHECK(r.rank[p] == static_cast<int>(n));
          CHECK(r.valid[p] == e.valid);
          const auto size = norms(dense.matrix(p), y, w, c.damp, e.x, kind != Kind<T>::none);
          const long double inverse = e.sigma.cwiseProduct(size.length).norm(),
                            scale = size.b + size.a * std::max(size.x, size.b * inverse / std::sqrt(static_cast<long double>(n)));
          const long double rounding = (1 + r.iterations[p]) * eps * scale;
          const long double atol = static_cast<long double>(options.atol), btol = static_cast<long double>(options.btol);
          const long double tolerance =
              method == Method::cg ? atol * size.ab * inverse + rounding * size.a * inverse
                                   : std::max(atol * size.a * size.r * inverse * 1.1L, btol * size.b + atol * size.a * size.x * 1.1L) + rounding;
          for (std::size_t j = 0; j < n; ++j) {
            const long double error = std::fabs(static_cast<long double>(r.x.at(j, p)) - e.x(static_cast<long>(j)));
            worst = std::max(worst, error / (tolerance * e.sigma(static_cast<long>(j))));
          }
          // |r(x)|^2 = |r|^2 + |A (x - exact)|^2 of the whole system; of the observations alone the difference is at most |A (x - exact)|.
          CHECK(std::fabs(static_cast<long double>(r.residual_norm[p]) - e.residual_norm) <=
                tolerance * std::sqrt(static_cast<long double>(n)) + rounding);
          iterations += r.iterations[p];
          // The preconditioner has the rows that only y lacks: so many eigenvalues are not 1, and rounding may cost a step.
          if (kind == Kind<T>::direct) {
            int lacking = 0;
            for (std::size_t k = 0; k < K; ++k) lacking += std::isnan(y[k]) && w[k] > 0;
            CHECK(r.iterations[p] <= lacking + 2);
          }
        }
        std::cout << "  " << lopsar::name(method) << " " << kind_names[static_cast<int>(kind)] << ": " << static_cast<double>(iterations / pixels)
                  << ", " << static_cast<double>(worst) << std::endl;
        CHECK(worst <= 1);
      }
  }
}

TEMPLATE_TEST_CASE("krylov: bits depend on nothing but the pixel", "[solvers][krylov][bits]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = sanitized ? 70 : 150;
  const Network network = nearest_neighbors(45, 18).network(7);
  const Case c{"network, damped, from x0", network, {}, 1, 0.3, true};
  const DenseModel dense(c.model, {}, pixels);
  auto d = simulate<T>(dense, 45, 17, pixels, 22);
  for (std::size_t p = 5; p < pixels; p += 9)
    for (std::size_t k = 0; k < 45; k += 2) d.w.at(k, p) = 0;
  const Grid<T> none(1, 1);
  for (const Method method : methods)
    for (const auto kind : {Kind<T>::none, Kind<T>::diagonal, Kind<T>::blocks, Kind<T>::direct}) {
      INFO(lopsar::name(method) << ", " << kind_names[static_cast<int>(kind)]);
      auto options = options_of(c, d, method, kind, none);
      options.threads = 1;
      const auto whole = ::solve<T>(c.model, d.y, options);
      const auto part = [&](const std::vector<std::size_t>& pick) {
        const Data<T> taken{d.y.taken(pick, 3, 1), d.w.taken(pick), d.x0.taken(pick, 0, 2)};
        return ::solve<T>(c.model, taken.y, options_of(c, taken, method, kind, none));
      };
      // Alone: the iteration counts are those of the pixel.
      for (std::size_t p = 0; p < (sanitized ? 10u : 40u); ++p) CHECK(part({p}).same_bits(whole, {p}));
      for (const std::size_t n : {0u, 2u, 15u, 17u, 33u, 63u, 65u}) CHECK(part(range(n, n % 5)).same_bits(whole, range(n, n % 5)));
      auto shuffled = range(pixels);
      std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(4));
      CHECK(part(shuffled).same_bits(whole, shuffled));
      for (const int threads : {0, 2, 3})
        for (const std::size_t chunk : {0u, 1u, 100u}) {
          options.threads = threads, options.chunk_size = chunk;
          CHECK(::solve<T>(c.model, d.y, options).same_bits(whole, range(pixels)));
        }
    }
}

TEMPLATE_TEST_CASE("krylov: pixels that cannot be solved harm nobody", "[solvers][krylov][status]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 100;
  const Network network = nearest_neighbors(45, 18).network(7);
  const DenseModel dense(network, {}, pixels);
  auto clean = simulate<T>(dense, 45, 17, pixels, 23);
  for (auto& v : clean.y.values)
    if (std::isnan(v)) v = T(0.25);
  for (auto& v : clean.w.values)
    if (!(v > 0)) v = T(3);
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  auto bad = clean;
  std::vector<Status> expected(pixels, Status::ok);
  for (std::size_t k = 0; k < 45; ++k) bad.y.at(k, 3) = nan, bad.w.at(k, 20) = 0, bad.w.at(k, 21) = nan;
  expected[3] = expected[20] = expected[21] = Status::no_data;
  bad.y.at(11, 5) = infinity, bad.y.at(11, 6) = -infinity, bad.w.at(11, 7) = -1, bad.w.at(11, 8) = infinity;
  for (const std::size_t p : {5u, 6u, 7u, 8u}) expected[p] = Status::not_finite;
  bad.y.at(11, 9) = nan;
  // No pair of date 16 (unknown 15) at pixel 30; pixel 31: two parts, none of whose dates lacks pairs.
  for (std::size_t k = 0; k < 45; ++k) {
    const auto& pair = network.pairs()[k];
    if (pair.first == 16 || pair.second == 16) bad.w.at(k, 30) = 0;
    if ((pair.first < 9) != (pair.second < 9)) bad.w.at(k, 31) = 0;
  }
  expected[30] = Status::rank_deficient;
  bad.y.at(0, 40) = bad.y.at(1, 40) = T(1e12);
  for (std::size_t k = 0; k < 45; ++k) bad.y.at(k, 41) = 0;  // converged before the first iteration
  const Case c{"", network, {}};
  const Grid<T> none(1, 1);
  for (const Method method : methods)
    for (const auto kind : {Kind<T>::none, Kind<T>::diagonal, Kind<T>::blocks, Kind<T>::direct}) {
      const auto options = options_of(c, bad, method, kind, none);
      const auto r = ::solve<T>(network, bad.y, options), good = ::solve<T>(network, clean.y, options_of(c, clean, method, kind, none));
      for (std::size_t p = 0; p < pixels; ++p) {
        INFO(lopsar::name(method) << ", " << kind_names[static_cast<int>(kind)] << ", pixel " << p << ", iterations " << r.iterations[p]);
        CHECK(r.status[p] == number(expected[p]));
        const bool solved = expected[p] == Status::ok || expected[p] == Status::rank_deficient;
        for (std::size_t j = 0; j < 17; ++j) CHECK(std::isnan(r.x.at(j, p)) == (!solved || (p == 30 && j == 15)));
        CHECK(std::isnan(r.residual_norm[p]) == !solved);
        CHECK(r.rank[p] == (solved ? p == 30 ? 16 : 17 : 0));
        if (!solved) CHECK((r.iterations[p] == 0 && r.valid[p] == 0));
        if (p != 9 && p != 31 && p != 40 && p != 41 && p != 30 && solved) {
          bool equal = r.iterations[p] == good.iterations[p];
          for (std::size_t j = 0; j < 17; ++j) equal = equal && same_bits(r.x.at(j, p), good.x.at(j, p));
          CHECK(equal);
        }
      }
      CHECK(r.iterations[41] == 0);
      for (std::size_t j = 0; j < 17; ++j) CHECK(r.x.at(j, 41) == 0);
      // What the data leave free keeps the least |x|: the part without the reference has mean 0. Only the plain iterations say so, the metric of a
      // preconditioner is another one.
      if (kind == Kind<T>::none) {
        double mean = 0, largest = 0;
        for (std::size_t j = 8; j < 17; ++j)
          mean += static_cast<double>(r.x.at(j, 31)) / 9, largest = std::max(largest, std::fabs(static_cast<double>(r.x.at(j, 31))));
        CHECK(std::fabs(mean) <= 2 * r.iterations[31] * static_cast<double>(std::numeric_limits<T>::epsilon()) * largest);  // rounding of each step
      }
    }
}

TEMPLATE_TEST_CASE("krylov: scaled data and weights", "[solvers][krylov]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 40;
  const Network network = nearest_neighbors(45, 18).network(7);
  const Case c{"", network, {}};
  const DenseModel dense(network, {}, pixels);
  const auto d = simulate<T>(dense, 45, 17, pixels, 24);
  const Grid<T> none(1, 1);
  const auto times = [](Grid<T> g, T factor) {
    for (auto& v : g.values) v *= factor;
    return g;
  };
  for (const Method method : methods) {
    INFO(lopsar::name(method));
    const auto r = ::solve<T>(network, d.y, options_of(c, d, method, Kind<T>::none, none));
    // Powers of two change no bit.
    for (const T factor : {T(std::ldexp(1, -40)), T(std::ldexp(1, 30))}) {
      const Data<T> scaled{times(d.y, factor), d.w, d.x0}, heavy{d.y, times(d.w, factor), d.x0};
      const auto s = ::solve<T>(network, scaled.y, options_of(c, scaled, method, Kind<T>::none, none));
      const auto h = ::solve<T>(network, heavy.y, options_of(c, heavy, method, Kind<T>::none, none));
      for (std::size_t p = 0; p < pixels; ++p) {
        CHECK(s.iterations[p] == r.iterations[p]);
        CHECK(h.iterations[p] == r.iterations[p]);
        CHECK(s.status[p] == number(Status::ok));
        for (std::size_t j = 0; j < 17; ++j) {
          CHECK(s.x.at(j, p) == factor * r.x.at(j, p));
          CHECK(h.x.at(j, p) == r.x.at(j, p));
          CHECK(h.variances.at(j, p) * factor == r.variances.at(j, p));
        }
      }
    }
    // Radians to meters and the like: other rounding of the data, which may move a stop by an iteration or two.
    const Data<T> small{times(d.y, T(1e-6)), d.w, d.x0};
    const auto s = ::solve<T>(network, small.y, options_of(c, small, method, Kind<T>::none, none));
    int moved = 0;
    for (std::size_t p = 0; p < pixels; ++p) {
      CHECK(s.status[p] == number(Status::ok));
      CHECK(std::abs(s.iterations[p] - r.iterations[p]) <= 2);
      moved += s.iterations[p] - r.iterations[p];
    }
    CHECK(std::abs(moved) <= static_cast<int>(pixels / 4));  // and not in one direction
  }
}

TEST_CASE("krylov: preconditioners cut the iterations", "[solvers][krylov]") {
  constexpr std::size_t pixels = 48;
  const Network network = nearest_neighbors(288, 98).network();
  const Case c{"", network, {}};
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  Data<float> d{Grid<float>(288, pixels), Grid<float>(288, pixels), Grid<float>(97, pixels)};
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t k = 0; k < 288; ++k)
      d.y.at(k, p) = static_cast<float>(normal(random)), d.w.at(k, p) = static_cast<float>(std::pow(10, uniform(random, 0, 2)));
  const Grid<float> none(1, 1);
  for (const Method method : methods) {
    long total[4] = {}, most = 0;
    for (const auto kind : {Kind<float>::none, Kind<float>::diagonal, Kind<float>::blocks, Kind<float>::direct}) {
      auto options = options_of(c, d, method, kind, none);
      const auto r = ::solve<float>(network, d.y, options);
      for (std::size_t p = 0; p < pixels; ++p) {
        total[static_cast<int>(kind)] += r.iterations[p];
        CHECK(r.status[p] == number(Status::ok));
        if (kind == Kind<float>::none) most = std::max<long>(most, r.iterations[p]);
      }
    }
    std::cout << lopsar::name(method) << ", 288 x 97, weights over two decades, mean iterations: none " << total[0] / 48. << ", diagonal "
              << total[1] / 48. << ", blocks " << total[2] / 48. << ", direct " << total[3] / 48. << std::endl;
    CHECK(most <= 2 * 97);  // about n: each pixel has its own step lengths
    CHECK(10 * total[1] <= 9 * total[0]);
    CHECK(10 * total[2] <= 9 * total[1]);
    CHECK(total[3] <= 2 * static_cast<long>(pixels));
  }
}

TEST_CASE("krylov: variances after n steps, lower bounds before", "[solvers][krylov]") {
  // In exact arithmetic n steps give (A'A)^-1; in float64, with a condition of the columns of some hundreds, to its square times 1e-16 and n.
  constexpr std::size_t pixels = 20;
  const Network network = nearest_neighbors(12, 7).network(2);
  for (const double damp : {0.0, 0.7}) {
    const Case c{"", network, {}, 1, damp};
    const DenseModel dense(network, {}, pixels);
    auto d = simulate<double>(dense, 12, 6, pixels, 25);
    for (auto& v : d.y.values)
      if (std::isnan(v)) v = 0.3;
    for (auto& v : d.w.values)
      if (!(v > 0)) v = 2;
    const Grid<double> none(1, 1);
    for (const Method method : methods)
      for (const auto kind : {Kind<double>::none, Kind<double>::diagonal}) {
        auto options = options_of(c, d, method, kind, none);
        options.atol = options.btol = 1e-13, options.max_iterations = 6;
        const auto r = ::solve<double>(network, d.y, options);
        options.max_iterations = 3;
        const auto early = ::solve<double>(network, d.y, options);
        for (std::size_t p = 0; p < pixels; ++p) {
          const auto exact = dense.solve(p, column(d.y, p, 0, 0), column(d.w, p, 0, 0), damp);
          INFO(lopsar::name(method) << ", pixel " << p << ", iterations " << r.iterations[p] << ", condition "
                                    << static_cast<double>(exact.condition));
          CHECK(r.iterations[p] == 6);
          for (std::size_t j = 0; j < 6; ++j) {
            const double variance = static_cast<double>(exact.sigma(static_cast<long>(j)) * exact.sigma(static_cast<long>(j)));
            CHECK(r.variances.at(j, p) == Approx(variance).epsilon(1e-9));
            CHECK(early.variances.at(j, p) <= variance * (1 + 1e-9));
            CHECK(early.variances.at(j, p) >= 0);
          }
        }
      }
  }
}

TEMPLATE_TEST_CASE("krylov: histories and limits", "[solvers][krylov]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 33;
  const long double eps = std::numeric_limits<T>::epsilon();
  for (const auto& c : cases(pixels)) {
    const DenseModel dense(c.model, c.priors, pixels);
    const std::size_t K = c.model.shape().rows, n = c.model.shape().columns, below = c.priors.empty() ? 0 : c.priors[0].shape().rows;
    const auto d = simulate<T>(dense, K, n, pixels, 26);
    Grid<T> prior_weight(std::max<std::size_t>(below, 1), 1);
    for (std::size_t k = 0; k < prior_weight.rows; ++k) prior_weight.at(k, 0) = static_cast<T>(c.prior_weight);
    for (const Method method : methods) {
      auto options = options_of(c, d, method, Kind<T>::none, prior_weight);
      options.max_iterations = 200;
      const auto r = ::solve<T>(c.model, d.y, options);
      options.max_iterations = 3;
      const auto stopped = ::solve<T>(c.model, d.y, options);
      for (std::size_t p = 0; p < pixels; ++p) {
        INFO(c.name << ", " << lopsar::name(method) << ", pixel " << p);
        const auto last = static_cast<std::size_t>(r.iterations[p]);
        REQUIRE(last > 3);
        // Residuals of CG, CGLS and LSQR fall; a step may gain less than rounding.
        for (std::size_t i = 0; i < last; ++i) CHECK(r.history.at(i + 1, p) <= r.history.at(i, p) * static_cast<T>(1 + 64 * eps));
        for (std::size_t i = last + 1; i <= 200; ++i) CHECK(std::isnan(r.history.at(i, p)));
        const auto whole = [&](const Result<T>& of) {
          DenseModel::Vector x(static_cast<long>(n));
          for (std::size_t j = 0; j < n; ++j) x(static_cast<long>(j)) = static_cast<long double>(of.x.at(j, p));
          return norms(dense.matrix(p), column(d.y, p, below, 0), column(d.w, p, below, static_cast<double>(prior_weight.at(0, 0))), c.damp, x);
        };
        const auto start = [&] {
          DenseModel::Vector x = DenseModel::Vector::Zero(static_cast<long>(n));
          for (std::size_t j = 0; c.start && j < n; ++j) x(static_cast<long>(j)) = static_cast<long double>(d.x0.at(j, p));
          return norms(dense.matrix(p), column(d.y, p, below, 0), column(d.w, p, below, static_cast<double>(prior_weight.at(0, 0))), c.damp, x);
        }();
        const auto end = whole(r), middle = whole(stopped);
        const long double scale = start.r + start.b + start.a * end.x;
        CHECK(std::fabs(static_cast<long double>(r.history.at(0, p)) - start.r) <= 16 * eps * scale);
        // CG's comes from a recurrence of squares: rounding counts before the root.
        const auto close = [&](long double norm, long double exact, int steps) {
          return method == Method::cg ? std::fabs(norm * norm - exact * exact) <= 16 * steps * eps * scale * scale
                                      : std::fabs(norm - exact) <= 4 * steps * eps * scale;
        };
        CHECK(close(static_cast<long double>(r.history.at(last, p)), end.r, r.iterations[p]));
        CHECK(close(static_cast<long double>(stopped.history.at(3, p)), middle.r, 3));
        CHECK(stopped.status[p] == number(Status::not_converged));
        CHECK(stopped.iterations[p] == 3);
        for (std::size_t i = 0; i <= 3; ++i) CHECK(same_bits(stopped.history.at(i, p), r.history.at(i, p)));
      }
    }
  }
}

TEST_CASE("krylov: ill-conditioned and overflowing pixels stop with their status", "[solvers][krylov][status]") {
  constexpr std::size_t pixels = 20;
  const Network network = nearest_neighbors(45, 18).network(7);
  const DenseModel dense(network, {}, pixels);
  const auto d = simulate<double>(dense, 45, 17, pixels, 27);
  const Grid<double> none(1, 1);
  const Case c{"", network, {}};
  for (const Method method : methods) {
    auto options = options_of(c, d, method, Kind<double>::none, none);
    options.conlim = 8;  // |A|_F |A^-1|_F is at least n = 17 at the end
    const auto r = ::solve<double>(network, d.y, options);
    options.conlim = 0;
    const auto unlimited = ::solve<double>(network, d.y, options);
    for (std::size_t p = 0; p < pixels; ++p) {
      CHECK(r.status[p] == number(Status::not_converged));
      CHECK(r.iterations[p] < unlimited.iterations[p]);
      CHECK(unlimited.status[p] == number(Status::ok));
    }
  }
  // A range of 1e-26 m: the squares of its column leave float32.
  std::vector<double> range(pixels, 8e5);
  range[6] = 1e-26;
  const LinearOperator model = network * lopsar::hstack(lopsar::Polynomial(network, 2), lopsar::DemError(network, perpendicular_baselines(18),
                                                                                                         {lopsar::Field(range, 1, pixels), 39.0}));
  Grid<float> y(45, pixels);
  for (std::size_t k = 0; k < 45; ++k)
    for (std::size_t p = 0; p < pixels; ++p) y.at(k, p) = static_cast<float>(std::sin(1.0 + static_cast<double>(3 * k + p)));
  for (const Method method : methods) {
    lopsar::SolveOptions<float> options;
    options.method = method, options.max_iterations = 100;
    const auto r = ::solve<float>(model, y, options);
    for (std::size_t p = 0; p < pixels; ++p) CHECK((r.status[p] == number(Status::breakdown)) == (p == 6));
    options.preconditioner.kind = Kind<float>::diagonal;
    for (const auto arithmetic : {Arithmetic::float32, Arithmetic::float64}) {
      options.arithmetic = arithmetic;
      const auto scaled = ::solve<float>(model, y, options);
      CHECK(scaled.status[6] == number(Status::ok));
      for (std::size_t j = 0; j < 3; ++j) CHECK(std::isfinite(scaled.x.at(j, 6)));
    }
  }
}

TEMPLATE_TEST_CASE("krylov: step by step the bits are those of one solve", "[solvers][krylov][steps]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 83;
  for (const auto& c : cases(pixels)) {
    const DenseModel dense(c.model, c.priors, pixels);
    const std::size_t n = c.model.shape().columns, below = c.priors.empty() ? 1 : c.priors[0].shape().rows;
    const auto clean = simulate<T>(dense, c.model.shape().rows, n, pixels, 28);
    Grid<T> prior_weight(below, 1);
    for (std::size_t k = 0; k < below; ++k) prior_weight.at(k, 0) = static_cast<T>(c.prior_weight);
    for (const Method method : methods)
      for (const auto kind : {Kind<T>::none, Kind<T>::diagonal, Kind<T>::blocks, Kind<T>::direct}) {
        INFO(c.name << ", " << lopsar::name(method) << ", " << kind_names[static_cast<int>(kind)]);
        auto d = clean;
        for (std::size_t k = 0; k < d.y.rows; ++k) d.y.at(k, 12) = std::numeric_limits<T>::quiet_NaN();
        auto options = options_of(c, d, method, kind, prior_weight);
        options.max_iterations = 120;
        const auto whole = ::solve<T>(c.model, d.y, options);
        lopsar::IterativeSolve<T> steps(c.model, method);
        CHECK_THROWS_AS(steps.step(), lopsar::InvalidArgument);
        steps.setup(d.y.view(), options, true);
        CHECK(steps.max_iterations() == 120);
        CHECK(steps.running() <= pixels - 1);
        // It has copies of its own.
        for (Grid<T>* g : {&d.y, &d.w, &d.x0})
          for (auto& v : g->values) v = T(-1);
        const auto stopped_at = [&](std::size_t p) { return whole.iterations[p]; };
        std::size_t left = steps.running();
        for (int i = 1; left > 0; ++i) {
          left = i < 5 ? steps.step() : steps.run(7);
          std::size_t expected = 0;
          for (std::size_t p = 0; p < pixels; ++p) expected += whole.status[p] == number(Status::ok) && stopped_at(p) > steps.iteration();
          CHECK(left == expected);
          if (i == 2) {
            std::vector<T> norm(pixels);
            steps.residual_norms(norm.data());
            for (std::size_t p = 0; p < pixels; ++p) {
              CHECK(std::isnan(norm[p]) == (p == 12));
              const auto at = static_cast<std::size_t>(std::min(2, whole.iterations[p]));
              if (p != 12)
                CHECK(static_cast<double>(norm[p]) ==
                      Approx(static_cast<double>(whole.history.at(at, p))).epsilon(4 * std::numeric_limits<T>::epsilon()));
            }
          }
        }
        Result<T> end(n, pixels, 3);
        end.keep_iterations(120);
        steps.read(end.output());
        CHECK(end.same_bits(whole, range(pixels)));
        const auto solution = steps.finalize();
        for (std::size_t p = 0; p < pixels; ++p) {
          CHECK(solution.status[p] == whole.status[p]);
          CHECK(solution.iterations[p] == whole.iterations[p]);
        }
        CHECK(steps.step() == 0);
      }
  }
}

TEST_CASE("krylov: arithmetic and errors", "[solvers][krylov]") {
  const Network network = nearest_neighbors(45, 18).network(7);
  Grid<float> y(45, 5), x0(17, 4);
  for (auto& v : y.values) v = 1;
  lopsar::SolveOptions<float> o;
  o.method = Method::lsqr;
  CHECK(::solve<float>(network, y, o).report.arithmetic == Arithmetic::float32);
  o.atol = 1e-7;
  CHECK(::solve<float>(network, y, o).report.arithmetic == Arithmetic::float64);
  o.arithmetic = Arithmetic::float32;
  CHECK(::solve<float>(network, y, o).report.arithmetic == Arithmetic::float32);
  const auto refused = [&](auto change, const char* text) {
    lopsar::SolveOptions<float> options;
    options.method = Method::cgls;
    change(options);
    CHECK_THROWS_WITH(lopsar::solve(network, y.view(), options), ContainsSubstring(text));
  };
  refused([](auto& s) { s.damp = -1; }, "damp >= 0");
  refused([](auto& s) { s.atol = std::nan(""); }, "atol >= 0");
  refused([](auto& s) { s.max_iterations = -2; }, "max_iterations >= 0");
  refused([&](auto& s) { s.x0 = x0.view(); }, "expected x0 of shape (17, 5), got (17, 4)");
  refused([](auto& s) { s.null_space = lopsar::NullSpace::minimum_norm_phase; }, "null_space none with cgls");
  refused([](auto& s) { s.preconditioner.kind = Kind<float>::direct; }, "a model to precondition with");
  refused([](auto& s) { s.preconditioner.kind = Kind<float>::blocks, s.preconditioner.block = {1, 2}; }, "each of 17 unknowns, got 2");
  refused(
      [](auto& s) {
        s.preconditioner.kind = Kind<float>::direct;
        s.preconditioner.model = std::make_shared<LinearOperator>(nearest_neighbors(12, 7).network());
      },
      "a model of 17 columns");
  refused([](auto& s) { s.progress = [](std::size_t) { return false; }; }, "stopped by its progress callback");
  CHECK_THROWS_AS(lopsar::IterativeSolve<float>(network, Method::cholesky), lopsar::InvalidArgument);
  Grid<float> x(17, 5), history(9, 5);
  lopsar::SolveOutput<float> out;
  out.x = x.block(), out.history = history.block();
  CHECK_THROWS_WITH(lopsar::solve_into(network, y.view(), out, {.method = Method::cg}),
                    ContainsSubstring("expected history of shape (55, 5), got (9, 5)"));
  lopsar::IterativeSolve<float> steps(network);
  steps.setup(y.view());
  CHECK_THROWS_WITH(steps.read(out), ContainsSubstring("not asked for one"));
}

TEMPLATE_TEST_CASE("krylov: no more rank than rows, unless damping determines the rest", "[solvers][krylov][status]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 20;
  const Network network = nearest_neighbors(45, 18).network(7);
  const LinearOperator model = geometry_model(network, pixels);
  const std::size_t n = model.shape().columns;
  Grid<T> y(45, pixels), prior_weight(2, pixels);
  for (std::size_t p = 0; p < pixels; ++p) {
    for (std::size_t k = 0; k < 45; ++k) y.at(k, p) = k < p % 3 + 1 ? T(1 + k) : std::numeric_limits<T>::quiet_NaN();
    prior_weight.at(0, p) = T(1), prior_weight.at(1, p) = p % 2 ? T(0) : T(1);
  }
  for (const Method method : methods) {
    lopsar::SolveOptions<T> options;
    options.method = method;
    const auto few = ::solve<T>(model, y, options);
    options.priors = {{LinearOperator(lopsar::Pattern({2, n}, {{0, 0, 1.0}, {1, 1, 1.0}})), {}, prior_weight.view()}};
    const auto more = ::solve<T>(model, y, options);
    options.damp = 0.5;
    const auto damped = ::solve<T>(model, y, options);
    for (std::size_t p = 0; p < pixels; ++p) {
      INFO(lopsar::name(method) << ", pixel " << p);
      const auto rows = static_cast<std::int32_t>(p % 3 + 1), below = p % 2 ? 1 : 2;
      CHECK(few.rank[p] == rows);
      CHECK(few.status[p] == number(Status::rank_deficient));
      CHECK(more.rank[p] == std::min(rows + below, static_cast<std::int32_t>(n)));
      CHECK(more.status[p] == number(rows + below < static_cast<int>(n) ? Status::rank_deficient : Status::ok));
      CHECK(damped.rank[p] == static_cast<std::int32_t>(n));
      CHECK(damped.status[p] == number(Status::ok));
      for (std::size_t j = 0; j < n; ++j) CHECK(std::isfinite(few.x.at(j, p)));
    }
  }
}

TEMPLATE_TEST_CASE("krylov: x0 and preconditioners that are not finite, at once and in steps", "[solvers][krylov][status][steps]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 40;
  const Network network = nearest_neighbors(45, 18).network(7);
  Grid<T> y(45, pixels), w(45, pixels), x0(17, pixels);
  for (auto& v : y.values) v = T(1);
  for (auto& v : w.values) v = T(2);
  for (auto& v : x0.values) v = T(0.5);
  for (std::size_t k = 0; k < 45; ++k) y.at(k, 20) = std::numeric_limits<T>::quiet_NaN();
  w.at(4, 9) = std::numeric_limits<T>::infinity();
  x0.at(3, 11) = std::numeric_limits<T>::quiet_NaN(), x0.at(16, 33) = -std::numeric_limits<T>::infinity();
  for (const Method method : methods) {
    lopsar::SolveOptions<T> options;
    options.method = method;
    options.x0 = x0.view();
    options.preconditioner.kind = Kind<T>::direct;
    options.preconditioner.model = std::make_shared<LinearOperator>(network);
    options.preconditioner.weights = w.view();
    options.max_iterations = 60;
    const auto whole = ::solve<T>(network, y, options);
    lopsar::IterativeSolve<T> steps(network, method);
    steps.setup(y.view(), options, true);
    CHECK(steps.running() > 0);
    steps.step();
    CHECK(steps.run(std::numeric_limits<int>::max()) == 0);
    CHECK(steps.iteration() == 60);
    CHECK(steps.run(-3) == 0);
    CHECK(steps.iteration() == 60);
    Result<T> end(17, pixels, 3);
    end.keep_iterations(60);
    steps.read(end.output());
    CHECK(end.same_bits(whole, range(pixels)));
    for (std::size_t p = 0; p < pixels; ++p) {
      INFO(lopsar::name(method) << ", pixel " << p);
      const bool bad = p == 9 || p == 11 || p == 33;
      CHECK(whole.status[p] == number(bad ? Status::not_finite : p == 20 ? Status::no_data : Status::ok));
      for (std::size_t j = 0; j < 17; ++j) CHECK(std::isnan(whole.x.at(j, p)) == (bad || p == 20));
    }
    // A setup that throws leaves nothing behind.
    options.damp = -1;
    CHECK_THROWS_AS(steps.setup(y.view(), options), lopsar::InvalidArgument);
    CHECK(steps.pixels() == 0);
    CHECK(steps.running() == 0);
    CHECK_THROWS_AS(steps.step(), lopsar::InvalidArgument);
    options.damp = 0;
    steps.setup(y.view(), options);
    CHECK(steps.pixels() == pixels);
    options.progress = [](std::size_t) { return false; };
    CHECK_THROWS_AS(steps.setup(y.view(), options), lopsar::Interrupted);
    CHECK_THROWS_AS(steps.step(), lopsar::InvalidArgument);
    CHECK(steps.model().shape().columns == 17);
  }
}

TEMPLATE_TEST_CASE("krylov: variances count n directions, however long a pixel iterates", "[solvers][krylov]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 37;
  const Network network = nearest_neighbors(45, 18).network(7);
  const DenseModel dense(network, {}, pixels);
  const auto d = simulate<T>(dense, 45, 17, pixels, 31);
  const Grid<T> none(1, 1);
  for (const Method method : methods) {
    auto options = options_of(Case{"", network, {}}, d, method, Kind<T>::none, none);
    options.arithmetic = sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64;
    options.atol = options.btol = 0, options.conlim = 0;  // the rounding unit: on for as long as there is anything to gain
    options.max_iterations = 17;
    const auto some = ::solve<T>(network, d.y, options);
    options.max_iterations = 200;
    const auto all = ::solve<T>(network, d.y, options);
    int further = 0;
    for (std::size_t p = 0; p < pixels; ++p) {
      further += all.iterations[p] > 17;
      for (std::size_t j = 0; j < 17; ++j) CHECK(same_bits(all.variances.at(j, p), some.variances.at(j, p)));
    }
    INFO(lopsar::name(method));
    CHECK(further > 0);
  }
}

TEST_CASE("krylov: automatic arithmetic looks at the condition", "[solvers][krylov][arithmetic]") {
  constexpr std::size_t pixels = 9;
  const Network network = nearest_neighbors(45, 18).network(7);
  Grid<float> y(45, pixels);
  for (std::size_t k = 0; k < 45; ++k)
    for (std::size_t p = 0; p < pixels; ++p) y.at(k, p) = static_cast<float>(std::sin(1.0 + static_cast<double>(3 * k + p)));
  int narrow = 0, wide = 0;
  for (int degree = 1; degree <= 6; ++degree) {
    const LinearOperator model = network * lopsar::Polynomial(network, degree);
    const DenseModel::Matrix a = DenseModel(model, {}, 1).matrix(0);
    DenseModel::Matrix scaled = a;
    for (long j = 0; j < a.cols(); ++j) scaled.col(j) /= a.col(j).norm();
    const auto singular = Eigen::JacobiSVD<DenseModel::Matrix>(scaled).singularValues();
    const double condition = static_cast<double>(singular(0) * singular(0) / (singular(singular.size() - 1) * singular(singular.size() - 1)));
    if (condition > 500 && condition < 2000) continue;  // estimates are good to a factor of two
    for (const Method method : methods) {
      INFO(lopsar::name(method) << ", degree " << degree << ", condition " << condition);
      lopsar::SolveOptions<float> options;
      options.method = method;
      const auto expected = condition < 1000 ? Arithmetic::float32 : Arithmetic::float64;
      CHECK(::solve<float>(model, y, options).report.arithmetic == expected);
      lopsar::IterativeSolve<float> steps(model, method);
      steps.setup(y.view(), options);
      CHECK(steps.report().arithmetic == expected);
      ++(condition < 1000 ? narrow : wide);
    }
  }
  CHECK(narrow > 0);
  CHECK(wide > 0);
}

namespace {

// A dense model whose columns have the units given, for data that some x fits up to noise.
struct Units {
  DenseModel::Matrix a;
  explicit Units(std::size_t rows, std::size_t columns, unsigned seed) : a(static_cast<long>(rows), static_cast<long>(columns)) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    for (long i = 0; i < a.rows(); ++i)
      for (long j = 0; j < a.cols(); ++j) a(i, j) = static_cast<float>(normal(random));
  }
  LinearOperator model(const std::vector<double>& unit) const {
    std::vector<lopsar::Triplet> entries;
    for (std::size_t i = 0; i < static_cast<std::size_t>(a.rows()); ++i)
      for (std::size_t j = 0; j < unit.size(); ++j)
        entries.push_back({i, j, static_cast<double>(a(static_cast<long>(i), static_cast<long>(j))) * unit[j]});
    return lopsar::Pattern({static_cast<std::size_t>(a.rows()), static_cast<std::size_t>(a.cols())}, entries);
  }
  template <class T>
  Grid<T> data(std::size_t pixels) const {
    std::mt19937_64 random(8);
    std::normal_distribution<double> normal;
    Grid<T> y(static_cast<std::size_t>(a.rows()), pixels);
    for (std::size_t p = 0; p < pixels; ++p) {
      DenseModel::Vector x(a.cols());
      for (long j = 0; j < x.size(); ++j) x(j) = normal(random);
      const DenseModel::Vector b = a * x;
      for (std::size_t k = 0; k < y.rows; ++k) y.at(k, p) = static_cast<T>(static_cast<double>(b(static_cast<long>(k))) + 0.1 * normal(random));
    }
    return y;
  }
};

template <class T>
lopsar::SolveOptions<T> options_in(const LinearOperator& model, Method method, Kind<T> kind) {
  lopsar::SolveOptions<T> o;
  o.method = method;
  o.arithmetic = sizeof(T) == 4 ? Arithmetic::float32 : Arithmetic::float64;
  o.preconditioner.kind = kind;
  if (kind == Kind<T>::blocks)
    for (std::size_t j = 0; j < model.shape().columns; ++j) o.preconditioner.block.push_back(static_cast<int>(j / 2));
  if (kind == Kind<T>::direct) o.preconditioner.model = std::make_shared<LinearOperator>(model);
  return o;
}

}  // namespace

TEMPLATE_TEST_CASE("krylov: units of columns are nothing to a preconditioned iteration", "[solvers][krylov][units]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 21, rows = 30, n = 5;
  const Units problem(rows, n, 41);
  const auto y = problem.data<T>(pixels);
  const std::vector<double> one(n, 1.0);
  const LinearOperator plain = problem.model(one);
  const DenseModel dense(plain, {}, pixels);
  const long double eps = std::numeric_limits<T>::epsilon();
  for (const Method method : methods)
    for (const auto kind : {Kind<T>::diagonal, Kind<T>::blocks, Kind<T>::direct}) {
      const auto base = ::solve<T>(plain, y, options_in<T>(plain, method, kind));
      // Powers of two, up to 1e8, change no bit but their own.
      for (const auto& powers : {std::vector<int>{27, 0, -27, 13, -5}, std::vector<int>{-27, -20, -27, 27, 27}, std::vector<int>{20, 0, 0, 0, 0}}) {
        std::vector<double> unit;
        for (const int power : powers) unit.push_back(std::ldexp(1.0, power));
        const LinearOperator model = problem.model(unit);
        const auto r = ::solve<T>(model, y, options_in<T>(model, method, kind));
        INFO(lopsar::name(method) << ", " << kind_names[static_cast<int>(kind)] << ", 2^" << powers[0]);
        for (std::size_t p = 0; p < pixels; ++p) {
          CHECK(r.status[p] == number(Status::ok));
          CHECK(r.iterations[p] == base.iterations[p]);
          CHECK(same_bits(r.residual_norm[p], base.residual_norm[p]));
          for (std::size_t j = 0; j < n; ++j) CHECK(r.x.at(j, p) * static_cast<T>(unit[j]) == base.x.at(j, p));
        }
      }
      for (const auto& unit :
           {std::vector<double>{1, 1e5, 1, 1, 1}, {1, 1e6, 1, 1, 1}, {1e3, 1, 1e-3, 1, 1}, {1e-8, 1e8, 1e4, 1e-4, 1e8}, {1e8, 1, 1, 1e-8, 1e-8}}) {
        const LinearOperator model = problem.model(unit);
        const auto r = ::solve<T>(model, y, options_in<T>(model, method, kind));
        for (std::size_t p = 0; p < pixels; ++p) {
          INFO(lopsar::name(method) << ", " << kind_names[static_cast<int>(kind)] << ", units " << unit[0] << " " << unit[1] << ", pixel " << p);
          CHECK(r.status[p] == number(Status::ok));
          CHECK(std::abs(r.iterations[p] - base.iterations[p]) <= 1);
          const std::vector<double> data = column(y, p, 0, 0), weights(rows, 1.0);
          const auto exact = dense.solve(p, data, weights, 0);
          const auto size = norms(dense.matrix(p), data, weights, 0, exact.x, true);
          const long double inverse = exact.sigma.cwiseProduct(size.length).norm();
          // As above; besides, coefficients are rounded by eps.
          const long double rounding = (2 + r.iterations[p]) * eps * (size.b + size.a * size.x) * (1 + size.a * inverse);
          const long double tolerance =
              (method == Method::cg ? 1e-6L * size.ab * inverse : std::max(1e-6L * size.a * size.r * inverse, 1e-6L * (size.b + size.a * size.x))) *
                  1.1L +
              rounding;
          for (std::size_t j = 0; j < n; ++j)
            CHECK(std::fabs(static_cast<long double>(r.x.at(j, p)) * unit[j] - exact.x(static_cast<long>(j))) <=
                  tolerance * exact.sigma(static_cast<long>(j)));
        }
      }
    }
}

TEST_CASE("krylov: columns over 24 decades in float32", "[solvers][krylov][units]") {
  // Their squares are out of the range of float32 beside each other.
  constexpr std::size_t pixels = 9;
  const Units problem(30, 4, 42);
  const auto y = problem.data<float>(pixels);
  const LinearOperator plain = problem.model({1, 1, 1, 1});
  for (const auto& powers : {std::vector<int>{40, 0, -40, 0}, std::vector<int>{60, 60, -60, 80}, std::vector<int>{-70, -70, -70, -70}}) {
    std::vector<double> unit;
    for (const int power : powers) unit.push_back(std::ldexp(1.0, power));
    const LinearOperator model = problem.model(unit);
    for (const Method method : methods) {
      INFO(lopsar::name(method) << ", 2^" << powers[0]);
      const auto base = ::solve<float>(plain, y, options_in<float>(plain, method, Kind<float>::diagonal));
      const auto r = ::solve<float>(model, y, options_in<float>(model, method, Kind<float>::diagonal));
      for (std::size_t p = 0; p < pixels; ++p) {
        CHECK(r.status[p] == number(Status::ok));
        CHECK(r.rank[p] == 4);
        CHECK(r.iterations[p] == base.iterations[p]);
        for (std::size_t j = 0; j < 4; ++j) CHECK(std::ldexp(r.x.at(j, p), powers[j]) == base.x.at(j, p));
      }
      // Others may fail, but say so.
      for (const auto kind : {Kind<float>::none, Kind<float>::blocks, Kind<float>::direct}) {
        const auto other = ::solve<float>(model, y, options_in<float>(model, method, kind));
        for (std::size_t p = 0; p < pixels; ++p)
          for (std::size_t j = 0; j < 4; ++j)
            CHECK((other.status[p] != number(Status::ok) || (std::isfinite(other.x.at(j, p)) && std::isfinite(other.residual_norm[p]))));
      }
    }
  }
  // x beyond what the caller's numbers hold, in either arithmetic.
  const LinearOperator model = problem.model({1, 1, 1, 0x1p-60});
  auto large = y;
  for (auto& v : large.values) v *= 0x1p80f;
  for (const Method method : methods)
    for (const auto arithmetic : {Arithmetic::float32, Arithmetic::float64}) {
      auto options = options_in<float>(model, method, Kind<float>::diagonal);
      options.arithmetic = arithmetic;
      const auto r = ::solve<float>(model, large, options);
      for (std::size_t p = 0; p < pixels; ++p) {
        CHECK(std::isnan(r.x.at(3, p)));
        CHECK(r.status[p] == number(Status::not_finite));
      }
    }
}

TEMPLATE_TEST_CASE("krylov: zero data, from wherever", "[solvers][krylov]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 7, rows = 30, n = 5;
  const Units problem(rows, n, 43);
  const LinearOperator model = problem.model(std::vector<double>(n, 1.0));
  const DenseModel dense(model, {}, pixels);
  Grid<T> y(rows, pixels), x0(n, pixels);
  for (auto& v : y.values) v = 0;
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t j = 0; j < n; ++j) x0.at(j, p) = static_cast<T>(std::cos(static_cast<double>(1 + 3 * j + p)));
  for (const Method method : methods)
    for (const auto kind : {Kind<T>::none, Kind<T>::diagonal, Kind<T>::direct}) {
      auto options = options_in<T>(model, method, kind);
      options.x0 = x0.view();
      const auto r = ::solve<T>(model, y, options);
      for (std::size_t p = 0; p < pixels; ++p) {
        INFO(lopsar::name(method) << ", " << kind_names[static_cast<int>(kind)] << ", pixel " << p);
        CHECK(r.status[p] == number(Status::ok));
        CHECK(r.iterations[p] <= static_cast<int>(n) + 1);  // n in exact arithmetic
        DenseModel::Vector start(static_cast<long>(n));
        for (std::size_t j = 0; j < n; ++j) start(static_cast<long>(j)) = static_cast<long double>(x0.at(j, p));
        const std::vector<double> data(rows, 0.0), weights(rows, 1.0);
        const auto exact = dense.solve(p, data, weights, 0);
        const auto size = norms(dense.matrix(p), data, weights, 0, start, kind != Kind<T>::none);
        const long double inverse = exact.sigma.cwiseProduct(size.length).norm(),
                          rounding = (2 + r.iterations[p]) * std::numeric_limits<T>::epsilon() * size.a * size.x;
        // |s| <= atol |A'r0| <= atol |A||r0|, or |r| <= btol |r0| + atol |A||x|, |x| <= |r| / sigma_min.
        const long double tolerance = (1e-6L * size.r + rounding) * (1 + size.a * inverse) * 1.1L;
        for (std::size_t j = 0; j < n; ++j) CHECK(std::fabs(static_cast<long double>(r.x.at(j, p))) <= tolerance * exact.sigma(static_cast<long>(j)));
      }
    }
}

TEMPLATE_TEST_CASE("krylov: residual norms of data of any size", "[solvers][krylov]", float, double) {
  using T = TestType;
  constexpr std::size_t pixels = 9;
  const Units problem(30, 4, 44);
  const LinearOperator model = problem.model(std::vector<double>(4, 1.0));
  const auto y = problem.data<T>(pixels);
  for (const Method method : methods)
    for (const auto kind : {Kind<T>::none, Kind<T>::diagonal}) {
      const auto options = options_in<T>(model, method, kind);
      const auto base = ::solve<T>(model, y, options);
      for (const int power : {0, 67, -83}) {  // 1e20, 1e-25
        auto scaled = y;
        for (auto& v : scaled.values) v = std::ldexp(v, power);
        const auto r = ::solve<T>(model, scaled, options);
        for (std::size_t p = 0; p < pixels; ++p) {
          INFO(lopsar::name(method) << ", 2^" << power << ", pixel " << p);
          CHECK(r.residual_norm[p] == std::ldexp(base.residual_norm[p], power));
          // That of the recurrence: CG's is of squares.
          const T norm = r.residual_norm[p], last = r.history.at(static_cast<std::size_t>(r.iterations[p]), p), first = r.history.at(0, p),
                  rounding = 64 * std::numeric_limits<T>::epsilon();
          if (method == Method::cg) CHECK(std::fabs((norm / first) * (norm / first) - (last / first) * (last / first)) <= rounding);
          else CHECK(std::fabs(norm - last) <= rounding * first);
        }
      }
    }
}

TEST_CASE("krylov: histories that no index reaches are refused", "[solvers][krylov]") {
  const Network network = nearest_neighbors(45, 18).network(7);
  Grid<float> y(45, 5);
  for (auto& v : y.values) v = 1;
  lopsar::SolveOptions<float> options;
  options.method = Method::cgls;
  for (const int most : {std::numeric_limits<int>::max(), std::numeric_limits<int>::max() - 100}) {
    options.max_iterations = most;
    lopsar::IterativeSolve<float> steps(network);
    CHECK_THROWS_WITH(steps.setup(y.view(), options, true), ContainsSubstring("a history of fewer iterations than " + std::to_string(most)));
    CHECK_THROWS_AS(steps.step(), lopsar::InvalidArgument);
    CHECK_NOTHROW(steps.setup(y.view(), options));
    CHECK(steps.run(std::numeric_limits<int>::max()) == 0);
  }
}
