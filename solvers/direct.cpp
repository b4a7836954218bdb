#include <lopsar/solvers/direct.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/cholesky.hpp>
#include <lopsar/solvers/cpu/cholesky.hpp>
#include <lopsar/solvers/cpu/qr.hpp>
#include <lopsar/solvers/givens.hpp>
#include <lopsar/solvers/kernels/observation.hpp>
#include <lopsar/solvers/problem.hpp>

namespace lopsar::detail {
namespace {

// Pivots below this share of the diagonal entry are doubtful in float32.
constexpr double doubtful = 1e-3;

// Rounding of sums over rows and columns, relative to what a pivot was made of. float32 decides no rank: what it doubts goes to float64.
template <class T>
T rank_limit(const System& system) {
  if (sizeof(T) == 4) return static_cast<T>(doubtful);
  return static_cast<T>(std::numeric_limits<double>::epsilon() * (system.rows() + 16 * system.columns()));
}

// Rounding units in a sum over the rows, as random signs leave them: what undetermined() takes for zero, NaN in doubt.
double noise(const System& system) { return 2 + std::sqrt(static_cast<double>(system.rows())); }

}  // namespace

template <class T>
cpu::CholeskyTask<T> cholesky_task(const System& system, const Cholesky& cholesky, const Products& products, double damp) {
  cpu::CholeskyTask<T> task;
  task.program = cholesky.program<T>();
  task.matrix = products.products<T>();
  task.by_row = system.by_row().template rows<T>(), task.by_column = system.by_column().template rows<T>();
  task.observations = system.observations(), task.values = system.values();
  task.damp2 = static_cast<T>(damp * damp);
  task.tau = rank_limit<T>(system);
  task.weak = static_cast<T>(sizeof(T) == 4 ? doubtful : 1e-6);
  task.noise = static_cast<T>(noise(system) * static_cast<double>(std::numeric_limits<T>::epsilon()));
  task.slots = std::max(cholesky.slot_rows(), cholesky.columns()), task.neighbors = std::max(cholesky.neighbor_rows(), cholesky.columns());
  return task;
}
template cpu::CholeskyTask<float> cholesky_task<float>(const System&, const Cholesky&, const Products&, double);
template cpu::CholeskyTask<double> cholesky_task<double>(const System&, const Cholesky&, const Products&, double);

namespace {

template <class S>
void check(const SolveOptions<S>& options, const SolveOutput<S>& output) {
  for (const auto* block : {&output.variances, &output.history})
    if (block->data)
      throw InvalidArgument(std::string("solve: expected no ") + (block == &output.history ? "history" : "variances") +
                            " with a direct method, which does not iterate; use method cgls or lsqr, or leave them out");
  if (options.null_space != NullSpace::none)
    throw InvalidArgument("solve: expected null_space none with method " +
                          name(options.method == Method::automatic ? Method::cholesky : options.method) +
                          ", as minimum norms are those of a network; use method edge-flow, or a prior or damp that decides what data leave open");
  if (!(options.damp >= 0 && options.damp < 1e15)) throw InvalidArgument("solve: expected damp >= 0 and finite, got " + std::to_string(options.damp));
}

using Rows = lanes::packed_rows<double>;

// One pixel; inlining the kernel at every call would take minutes to compile.
kernels::CholeskyResult<double> factorize_one(const cpu::CholeskyTask<double>& task, std::vector<double>& values, std::vector<double>& w, double tau,
                                              double weak, std::vector<double>& factors) {
  std::vector<double> scratch(static_cast<std::size_t>(task.slots + task.neighbors) + 1);
  factors.assign(static_cast<std::size_t>(task.program.factor_rows) + 1, 0.0);
  return kernels::factorize<double>(task.program, Rows{values.data()}, Rows{w.data()}, task.damp2, tau, weak, Rows{scratch.data()},
                                    Rows{scratch.data() + task.slots}, Rows{factors.data()});
}

// The values of the pixel whose values have the smallest hash: any pixel, but the same one in whatever order they come. Empty: every pixel has a
// value that is not finite.
std::vector<double> typical_values(const System& system, std::size_t pixels, int threads) {
  const auto n = static_cast<std::size_t>(system.values());
  if (n == 0) return {0.0};
  constexpr std::size_t tile = 256;
  std::vector<double> found;
  std::uint64_t least = ~std::uint64_t{0};
  std::mutex comparing;
  cpu::for_pixels(pixels, 16 * tile, threads, [&](std::size_t from, std::size_t to) {
    std::vector<double> values(n * tile), flaw(tile);
    std::vector<std::uint64_t> hash(tile);
    for (std::size_t first = from; first < to; first += tile) {
      const std::size_t m = std::min(tile, to - first);
      std::fill(flaw.begin(), flaw.end(), 0.0);
      std::fill(hash.begin(), hash.end(), 0);
      system.fill_values<double>(first, m, static_cast<int>(tile), static_cast<int>(tile), values.data(), flaw.data());
      for (std::size_t v = 0; v < n; ++v)
        for (std::size_t p = 0; p < m; ++p) {
          const std::uint64_t h = (hash[p] ^ std::bit_cast<std::uint64_t>(values[v * tile + p])) * 0x9e3779b97f4a7c15;
          hash[p] = h ^ (h >> 32);
        }
      const std::lock_guard lock(comparing);
      for (std::size_t p = 0; p < m; ++p) {
        if (flaw[p] > 0 || (hash[p] >= least && !found.empty())) continue;
        least = hash[p];
        found.resize(n);
        for (std::size_t v = 0; v < n; ++v) found[v] = values[v * tile + p];
      }
    }
  });
  return found;
}

double condition(const Cholesky& cholesky, const Products& products, const System& system, std::size_t pixels, double damp, int threads) {
  using Values = std::vector<double>;
  const auto n = static_cast<std::size_t>(system.columns());
  Values values = typical_values(system, pixels, threads);
  if (values.empty()) return std::numeric_limits<double>::infinity();
  const auto task = cholesky_task<double>(system, cholesky, products, damp);
  Values w(static_cast<std::size_t>(system.rows()) + 1, 1.0), factors, x(n), z(n), r(w.size()), scale(n);
  const auto result = factorize_one(task, values, w, task.tau, task.weak, factors);
  if (result.rank < static_cast<double>(n)) return std::numeric_limits<double>::infinity();
  for (std::size_t q = 0, at = 0; q < n; ++q) {
    const auto j = static_cast<std::size_t>(cholesky.order()[q]);
    scale[j] = std::sqrt(factors[at + 1]);
    at += 2 + static_cast<std::size_t>(cholesky.degree(static_cast<int>(q)));
  }
  const auto largest = [&](auto apply) {  // eigenvalue of apply(x)
    double size = 0;
    for (std::size_t j = 0; j < n; ++j) x[j] = 1 + 0.5 * std::sin(static_cast<double>(7 * j + 1));
    for (int pass = 0; pass < 30; ++pass) {
      size = 0;
      for (const double v : x) size += v * v;
      for (double& v : x) v /= std::sqrt(size);
      apply();
    }
    size = 0;
    for (const double v : x) size += v * v;
    return std::sqrt(size);
  };
  const double above = largest([&] {
    for (std::size_t j = 0; j < n; ++j) z[j] = x[j] / scale[j];
    kernels::product<double>(task.matrix, task.matrix.rows, Rows{values.data()}, Rows{z.data()},
                             [&](int k, double ax) { r[static_cast<std::size_t>(k)] = ax; });
    kernels::adjoint<double>(task.matrix, Rows{values.data()}, Rows{r.data()}, Rows{x.data()});
    for (std::size_t j = 0; j < n; ++j) x[j] = (x[j] + task.damp2 * z[j]) / scale[j];
  });
  const double below = largest([&] {
    for (std::size_t j = 0; j < n; ++j) x[j] *= scale[j];
    kernels::substitute<double>(task.program, Rows{factors.data()}, Rows{x.data()});
    for (std::size_t j = 0; j < n; ++j) x[j] *= scale[j];
  });
  return above * below;
}

// The factors that all pixels without gaps have in common, if they do.
template <class T>
struct SharedFactors {
  std::vector<T> factors;

  template <class S>
  SharedFactors(const Problem<S>& problem, const Cholesky& cholesky, const Products& products, const SolveOptions<S>& options,
                cpu::CholeskyTask<T>& task) {
    const System& system = problem.system;
    if (system.values() > 0) return;
    std::vector<double> w;
    int count = 0;
    for (const auto& source : problem.sources) {
      const bool observation = static_cast<int>(w.size()) < system.observations();
      const double weight = static_cast<double>(source.w_all);
      if (source.w || (!observation && source.y)) return;
      // What the kernels take as missing, or refuse.
      const bool there = weight >= static_cast<double>(kernels::smallest_weight<T>) && weight <= static_cast<double>(kernels::largest_weight<T>);
      if (!there && std::abs(weight) > 0) return;
      const bool datum = source.y || std::abs(static_cast<double>(source.y_all)) < 1e15;
      if (!datum && !std::isnan(source.y_all)) return;
      w.push_back(there && datum ? weight : 0.0);
      count += observation && w.back() > 0;
    }
    std::vector<double> values(1), found;
    const auto result = factorize_one(cholesky_task<double>(system, cholesky, products, options.damp), values, w, static_cast<double>(task.tau),
                                      static_cast<double>(task.weak), found);
    factors.assign(found.begin(), found.end());
    task.shared = factors.data(), task.shared_count = static_cast<T>(count);
    task.shared_rank = static_cast<T>(result.rank), task.shared_weak = static_cast<T>(result.weak);
  }
};

template <class S, class T>
void run_cholesky(const Problem<S>& problem, const Cholesky& cholesky, const Products& products, std::size_t pixels, ConstBlock<S> b,
                  const SolveOutput<S>& output, const SolveOptions<S>& options) {
  auto direct = cholesky_task<T>(problem.system, cholesky, products, options.damp);
  auto wide = cholesky_task<double>(problem.system, cholesky, products, options.damp);
  direct.normal = wide.normal = b.data != nullptr;
  if constexpr (sizeof(T) == 4) direct.wide = &wide;
  const SharedFactors<T> shared(problem, cholesky, products, options, direct);
  direct.norm = output.residual_norm != nullptr;
  auto task = make_task<S, T>(problem, pixels, output, options);
  task.x_in = b;
  task.needs_observations = !direct.normal;
  task.solver = tile_solver(direct, task.level);
  cpu::run(task);
}

// A rotation leaves rounding errors relative to what the column held, in the root of d.
template <class S>
SolveReport run_qr(const Problem<S>& problem, std::size_t pixels, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  if (options.arithmetic == Arithmetic::float32)
    throw InvalidArgument("solve: expected arithmetic float64 with method qr, got float32; use method cholesky");
  const System& system = problem.system;
  const CholeskyStructure structure(system);
  const Givens givens(system, structure);
  cpu::QrTask direct;
  direct.givens = givens.program();
  direct.factors = structure.program<double>();
  direct.by_row = system.by_row().template rows<double>(), direct.by_column = system.by_column().template rows<double>();
  direct.observations = system.observations(), direct.values = system.values();
  direct.normal = b.data != nullptr;
  direct.damp2 = options.damp * options.damp;
  const double root = std::numeric_limits<double>::epsilon() * (system.rows() + system.columns());
  direct.tau = root * root;
  direct.noise = noise(system) * std::numeric_limits<double>::epsilon();
  auto task = make_task<S, double>(problem, pixels, output, options);
  task.x_in = b;
  task.needs_observations = !direct.normal;
  task.solver = {&direct, cpu::qr_kernel(task.level), direct.scratch_rows(), 1};
  cpu::run(task);
  return {Method::qr, Arithmetic::float64};
}

template <class S>
SolveReport run(const Problem<S>& problem, std::size_t pixels, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  if (options.method == Method::qr) return run_qr(problem, pixels, b, output, options);
  const Cholesky cholesky(problem.system);
  const Products products(problem.system);
  const bool narrow = options.arithmetic == Arithmetic::float32 ||
                      (options.arithmetic == Arithmetic::automatic && sizeof(S) == 4 &&
                       condition(cholesky, products, problem.system, pixels, options.damp, options.threads) <= narrow_condition);
  if (narrow) run_cholesky<S, float>(problem, cholesky, products, pixels, b, output, options);
  else run_cholesky<S, double>(problem, cholesky, products, pixels, b, output, options);
  return {Method::cholesky, narrow ? Arithmetic::float32 : Arithmetic::float64};
}

}  // namespace

double condition_estimate(const System& system, std::size_t pixels, double damp, int threads) {
  return condition(Cholesky(system), Products(system), system, pixels, damp, threads);
}

template <class S>
SolveReport solve_direct(const LinearOperator& model, ConstBlock<S> y, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  check(options, output);
  return run<S>(make_problem<S>(model, y, options.weights, options.priors, y.pixels), y.pixels, {}, output, options);
}

template <class S>
SolveReport solve_direct_normal(const LinearOperator& model, ConstBlock<S> b, const SolveOutput<S>& output, const SolveOptions<S>& options,
                                ConstBlock<S> observed) {
  check(options, output);
  if (options.method != Method::automatic && options.method != Method::cholesky && options.method != Method::qr)
    throw InvalidArgument("solve: expected method auto, cholesky or qr for a normal solve, got " + name(options.method) + "; use method auto");
  check_block("b", b, model.shape().columns, b.pixels);
  if (output.residual_norm) std::fill_n(output.residual_norm, b.pixels, std::numeric_limits<S>::quiet_NaN());
  auto without = output;
  without.residual_norm = nullptr;  // of no data
  return run<S>(make_problem<S>(model, observed, options.weights, options.priors, b.pixels), b.pixels, b, without, options);
}

#define LOPSAR_DIRECT(S)                                                                                                     \
  template SolveReport solve_direct<S>(const LinearOperator&, ConstBlock<S>, const SolveOutput<S>&, const SolveOptions<S>&); \
  template SolveReport solve_direct_normal<S>(const LinearOperator&, ConstBlock<S>, const SolveOutput<S>&, const SolveOptions<S>&, ConstBlock<S>);
LOPSAR_DIRECT(float)
LOPSAR_DIRECT(double)
#undef LOPSAR_DIRECT

}  // namespace lopsar::detail
