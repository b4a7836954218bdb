#include <lopsar/solvers/iterative.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <oneapi/tbb/enumerable_thread_specific.h>

#include <lopsar/operators/cpu/aligned_memory.hpp>
#include <lopsar/operators/cpu/pixel_loop.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/cpu/krylov.hpp>
#include <lopsar/solvers/direct.hpp>
#include <lopsar/solvers/problem.hpp>

namespace lopsar {
namespace {

using cpu::AlignedMemory;
using cpu::SystemTile;

template <class S>
void check_options(const SolveOptions<S>& options, Method method, std::size_t unknowns) {
  const auto refuse = [](const std::string& text) { throw InvalidArgument("solve: expected " + text); };
  if (method != Method::cg && method != Method::cgls && method != Method::lsqr) refuse("an iterative method, cg, cgls or lsqr, got " + name(method));
  if (options.null_space != NullSpace::none)
    refuse("null_space none with " + name(method) + ": minimum norms are of edge flow; from x0 = 0 the iterations give the least |x| by themselves");
  const auto number = [&](const char* what, double v) {
    if (!(v >= 0) || std::isinf(v)) refuse(std::string(what) + " >= 0 and finite, got " + std::to_string(v));
  };
  number("damp", options.damp), number("atol", options.atol), number("btol", options.btol);
  if (!(options.conlim >= 0)) refuse("conlim >= 0 (0: none), got " + std::to_string(options.conlim));
  if (options.max_iterations < 0) refuse("max_iterations >= 0 (0: 2 n + 20), got " + std::to_string(options.max_iterations));
  const auto& p = options.preconditioner;
  using Kind = typename Preconditioner<S>::Kind;
  if (p.kind == Kind::blocks && p.block.size() != unknowns)
    throw ShapeError("solve: expected a block of the preconditioner for each of " + std::to_string(unknowns) + " unknowns, got " +
                     std::to_string(p.block.size()));
  if (p.kind == Kind::direct && !p.model) refuse("a model to precondition with, got none; set preconditioner.model");
  if (p.kind == Kind::direct && p.model->shape().columns != unknowns)
    throw ShapeError("solve: expected a model of " + std::to_string(unknowns) + " columns to precondition with, as the model, got " +
                     p.model->name() + " with " + std::to_string(p.model->shape().columns));
}

// float32 rounds what the stops look at by a few 6e-8, and x by that times the condition: smaller tolerances than 1e-6, and models that are
// ill-conditioned, are float64's.
template <class S>
Arithmetic arithmetic_of(const LinearOperator& model, ConstBlock<S> y, const SolveOptions<S>& options, Method method) {
  if (options.arithmetic != Arithmetic::automatic) return options.arithmetic;
  const double least = method == Method::cg ? options.atol : std::min(options.atol, options.btol);
  if (sizeof(S) != 4 || !(least >= 1e-6)) return Arithmetic::float64;
  const auto problem = detail::make_problem(model, y, options.weights, options.priors, y.pixels);
  const double condition = detail::condition_estimate(problem.system, y.pixels, options.damp, options.threads);
  return condition <= detail::narrow_condition ? Arithmetic::float32 : Arithmetic::float64;
}

// Everything that does not depend on a pixel.
template <class S, class T>
class Engine {
 public:
  Engine(const LinearOperator& model, Method method, ConstBlock<S> y, const SolveOptions<S>& options, bool variances, bool history)
      : problem_(detail::make_problem(model, y, options.weights, options.priors, y.pixels)),
        level_(lanes::active_level()),
        kernels_(&cpu::krylov_kernels<T>(level_)) {
    using Kind = typename Preconditioner<S>::Kind;
    using krylov = kernels::krylov::Method;
    const auto& system = problem_.system;
    const int m = system.rows(), n = system.columns();
    plan_.method = method == Method::cg ? krylov::cg : method == Method::cgls ? krylov::cgls : krylov::lsqr;
    const double unit = std::numeric_limits<T>::epsilon();
    plan_.problem = {system.by_row().template rows<T>(),
                     system.by_column().template rows<T>(),
                     system.observations(),
                     static_cast<T>(options.damp),
                     static_cast<T>(std::max(options.atol, unit)),
                     static_cast<T>(std::max(options.btol, unit)),
                     options.conlim > 0 ? static_cast<T>(options.conlim) : std::numeric_limits<T>::infinity(),
                     variances,
                     options.preconditioner.kind != Kind::none};
    plan_.values = system.values();
    plan_.max_iterations = options.max_iterations > 0 ? options.max_iterations : 2 * n + 20;
    plan_.history = history;
    plan_.tau = static_cast<T>(10 * n * unit);
    const auto& p = options.preconditioner;
    if (p.kind == Kind::diagonal) plan_.preconditioner = cpu::KrylovPlan<T>::Preconditioner::diagonal;
    if (p.kind == Kind::blocks || p.kind == Kind::direct) {
      plan_.preconditioner = cpu::KrylovPlan<T>::Preconditioner::cholesky;
      if (p.kind == Kind::direct) {
        other_.emplace(detail::make_problem(*p.model, ConstBlock<S>{}, p.weights, p.priors, y.pixels));
        plan_.other_rows = other_->system.rows(), plan_.other_values = other_->system.values();
      }
      cholesky_.emplace(other_ ? other_->system : system, p.kind == Kind::blocks ? p.block : std::vector<int>{});
      plan_.cholesky = cholesky_->template program<T>();
    }
    const bool preconditioned = plan_.preconditioner != cpu::KrylovPlan<T>::Preconditioner::none, lsqr = method == Method::lsqr;
    const auto place = [](int& end, int& at, int rows) { at = end, end += rows; };
    auto& s = plan_.state;
    place(s.rows, s.scalars, kernels::krylov::scalar_rows);
    place(s.rows, s.x, n), place(s.rows, s.p, n), place(s.rows, s.s, n), place(s.rows, s.length, n);
    place(s.rows, s.v, lsqr && preconditioned ? n : 0);
    place(s.rows, s.d, lsqr && options.damp > 0 ? n : 0);
    place(s.rows, s.variances, variances ? n : 0);
    place(s.rows, s.values, plan_.values);
    place(s.rows, s.factors, cholesky_ ? cholesky_->factor_rows() : 0);
    place(s.rows, s.w, m), place(s.rows, s.r, m);
    if (history) {
      const std::int64_t values = (static_cast<std::int64_t>(s.rows) + plan_.max_iterations + 1) * lane();
      if (values > std::numeric_limits<int>::max())
        throw InvalidArgument("solve: expected a history of fewer iterations than " + std::to_string(plan_.max_iterations) +
                              "; set max_iterations, or do without history");
      place(s.rows, s.history, plan_.max_iterations + 1);
    } else s.history = s.rows;
    auto& t = plan_.scratch;
    place(t.rows, t.t, m);
    place(t.rows, t.z, preconditioned ? n : 0);
    place(t.rows, t.slots, cholesky_ ? cholesky_->slot_rows() : 0);
    place(t.rows, t.neighbors, cholesky_ ? cholesky_->neighbor_rows() : 0);
    if (!other_) return;
    spaces_.emplace([this] { return Other(*other_); });
  }
  Engine(const Engine&) = delete;  // the plan points into it
  Engine& operator=(const Engine&) = delete;

  const cpu::KrylovPlan<T>& plan() const { return plan_; }
  int lane() const { return kernels_->lane; }
  std::size_t values_of_group() const { return static_cast<std::size_t>(plan_.state.rows) * static_cast<std::size_t>(lane()); }
  std::size_t scratch_values() const { return static_cast<std::size_t>(plan_.scratch.rows) * static_cast<std::size_t>(lane()); }
  bool iterate(T* state, T* scratch, int first, int last) const { return kernels_->iterate(plan_, state, scratch, first, last); }

  cpu::SystemTask<S, T> task(std::size_t pixels, const SolveOutput<S>& output, const SolveOptions<S>& options) const {
    auto task = detail::make_task<S, T>(problem_, pixels, output, options);
    task.level = level_;
    task.solver.self = this;
    task.solver.scratch_rows = static_cast<std::size_t>(plan_.scratch.rows);
    return task;
  }

  // At once.
  void solve(std::size_t pixels, const SolveOutput<S>& output, const SolveOptions<S>& options) const {
    auto task = this->task(pixels, output, options);
    task.x_in = options.x0;
    task.solver.scratch_rows += static_cast<std::size_t>(plan_.state.rows);
    task.solver.solve = [](const void* self, SystemTile<T>& tile) {
      const auto& engine = *static_cast<const Engine*>(self);
      T *state = tile.scratch, *scratch = state + engine.values_of_group();
      engine.each_group(tile, [&](int c) {
        engine.begin(tile, c, state, scratch);
        engine.iterate(state, scratch, 0, engine.plan_.max_iterations);
        engine.kernels_->finish(engine.plan_, tile, c, state);
      });
    };
    cpu::run(task);
  }

  // What follows keeps the states of all lane groups in `states`.
  void begin(std::size_t pixels, ConstBlock<S> x0, const SolveOptions<S>& options, T* states) {
    states_ = states;
    SolveOutput<S> nothing;
    nothing.x = {nullptr, static_cast<std::size_t>(problem_.system.columns()), pixels};  // make_task checks its shape
    auto task = this->task(pixels, nothing, options);
    task.x = {};
    task.x_in = x0;
    task.solver.solve = [](const void* self, SystemTile<T>& tile) {
      const auto& engine = *static_cast<const Engine*>(self);
      for (int c = 0; c < tile.pixels; c += tile.lane) engine.begin(tile, c, engine.state_of(tile, c), tile.scratch);
    };
    cpu::run(task);
  }
  void read(std::size_t pixels, const SolveOutput<S>& output, const SolveOptions<S>& options) const {
    auto task = this->task(pixels, output, options);
    task.progress = {};
    task.solver.solve = [](const void* self, SystemTile<T>& tile) {
      const auto& engine = *static_cast<const Engine*>(self);
      engine.each_group(tile, [&](int c) { engine.kernels_->finish(engine.plan_, tile, c, engine.state_of(tile, c)); });
    };
    cpu::run(task);
  }

 private:
  // A tile of the model that is factored.
  struct Other {
    AlignedMemory<T> memory;
    SystemTile<T> tile;
    const detail::Problem<S>* problem;
    explicit Other(const detail::Problem<S>& p) : problem(&p) {}

    void load(const SystemTile<T>& like, lanes::Level level) {
      const auto pixels = static_cast<std::size_t>(like.pixels), rows = static_cast<std::size_t>(problem->system.rows()),
                 values = static_cast<std::size_t>(problem->system.values());
      if (!memory) {
        const std::size_t line = 64 / sizeof(T), each = (pixels + line - 1) / line * line;
        memory = AlignedMemory<T>((2 * rows + values + 2) * each);
        T* next = memory.data();
        const auto cut = [&](T*& at, std::size_t n) { at = next, next += n * each; };
        cut(tile.y, rows), cut(tile.w, rows), cut(tile.values, values), cut(tile.count, 1), cut(tile.flaw, 1);
        tile.lane = like.lane, tile.pixels = like.pixels;
      }
      tile.first = like.first, tile.n = like.n;
      cpu::system_kernels<S, T>(level).load(problem->sources.data(), problem->system.rows(), problem->system.observations(), like.first, like.n,
                                            tile);
      if (values) problem->system.fill_values(like.first, like.n, tile.lane, tile.pixels, tile.values, tile.flaw);
      for (std::size_t p = 0; p < pixels; ++p) like.flaw[p] = std::max(like.flaw[p], tile.flaw[p]);
    }
  };

  // The groups with something to solve; the numbers of the others are 0.
  template <class Body>
  void each_group(SystemTile<T>& tile, Body body) const {
    for (int c = 0; c < tile.pixels; c += tile.lane) {
      if (std::any_of(tile.count + c, tile.count + c + tile.lane, [](T n) { return n > 0; })) {
        body(c);
        continue;
      }
      for (T* row : {tile.rank, tile.norm, tile.iterations, tile.status}) std::fill_n(row + c, tile.lane, T(0));
    }
  }
  void begin(const SystemTile<T>& tile, int c, T* state, T* scratch) const {
    SystemTile<T>* other = nullptr;
    if (other_) {
      auto& space = spaces_->local();
      // The factorization scales the weights of its group in place, so that every tile is loaded anew; groups come in order.
      if (c == 0 || !space.memory || space.tile.first != tile.first) space.load(tile, level_);
      other = &space.tile;
    }
    kernels_->begin(plan_, tile, other, c, state, scratch);
  }
  T* state_of(const SystemTile<T>& tile, int c) const {
    return states_ + (tile.first + static_cast<std::size_t>(c)) * static_cast<std::size_t>(plan_.state.rows);
  }

  detail::Problem<S> problem_;
  std::optional<detail::Problem<S>> other_;
  std::optional<detail::Cholesky> cholesky_;
  lanes::Level level_;
  const cpu::KrylovKernels<T>* kernels_;
  cpu::KrylovPlan<T> plan_{};
  mutable std::optional<oneapi::tbb::enumerable_thread_specific<Other>> spaces_;
  T* states_ = nullptr;
};

template <class S>
void check_blocks(const LinearOperator& model, ConstBlock<S> y, const SolveOptions<S>& options) {
  detail::check_block("y", y, model.shape().rows, y.pixels);
  if (options.x0.data) detail::check_block("x0", options.x0, model.shape().columns, y.pixels);
}

}  // namespace

namespace detail {

template <class S>
SolveReport solve_iterative(const LinearOperator& model, ConstBlock<S> y, const SolveOutput<S>& output, const SolveOptions<S>& options) {
  check_options(options, options.method, model.shape().columns);
  check_blocks(model, y, options);
  const Arithmetic arithmetic = arithmetic_of(model, y, options, options.method);
  const auto solve = [&](auto number) {
    const Engine<S, decltype(number)> engine(model, options.method, y, options, output.variances.data != nullptr, output.history.data != nullptr);
    if (output.history.data) check_block("history", output.history, static_cast<std::size_t>(engine.plan().max_iterations) + 1, y.pixels);
    engine.solve(y.pixels, output, options);
  };
  if (arithmetic == Arithmetic::float32) solve(float());
  else solve(double());
  return {options.method, arithmetic};
}
template SolveReport solve_iterative<float>(const LinearOperator&, ConstBlock<float>, const SolveOutput<float>&, const SolveOptions<float>&);
template SolveReport solve_iterative<double>(const LinearOperator&, ConstBlock<double>, const SolveOutput<double>&, const SolveOptions<double>&);

}  // namespace detail

template <class T>
struct IterativeSolve<T>::State {
  // A problem in one arithmetic, with the states of its lane groups.
  template <class A>
  struct In {
    Engine<T, A> engine;
    std::size_t groups;
    AlignedMemory<A> states;
  };

  LinearOperator model;
  Method method;
  SolveOptions<T> options{};  // blocks: of the copies
  std::vector<std::vector<T>> copies{};
  std::size_t pixels = 0, running = 0;
  int iteration = 0;
  SolveReport report{};
  std::variant<std::monostate, std::unique_ptr<In<float>>, std::unique_ptr<In<double>>> in{};

  State(LinearOperator m, Method by) : model(std::move(m)), method(by) {}

  ConstBlock<T> copy(ConstBlock<T> block) {
    if (!block.data) return block;
    std::vector<T> values(block.rows * block.pixels);
    for (std::size_t i = 0; i < block.rows; ++i) std::copy_n(block.row(i), block.pixels, values.data() + i * block.pixels);
    copies.push_back(std::move(values));
    return {copies.back().data(), block.rows, block.pixels};
  }
  template <class Body>
  void visit(Body body) {
    if (auto* f = std::get_if<std::unique_ptr<In<float>>>(&in)) body(**f);
    else if (auto* d = std::get_if<std::unique_ptr<In<double>>>(&in)) body(**d);
    else throw InvalidArgument("IterativeSolve: expected setup before anything else; call setup(y, options)");
  }
  // Counts the pixels that run.
  template <class A>
  void count(const In<A>& of) {
    const auto& s = of.engine.plan().state;
    const auto lane = static_cast<std::size_t>(of.engine.lane());
    running = 0;
    if (iteration >= of.engine.plan().max_iterations) return;
    for (std::size_t g = 0; g < of.groups; ++g) {
      const A* stop = of.states.data() + g * of.engine.values_of_group() + static_cast<std::size_t>(s.scalars + kernels::krylov::stop) * lane;
      running += static_cast<std::size_t>(std::count(stop, stop + lane, A(kernels::krylov::running)));
    }
  }
};

template <class T>
IterativeSolve<T>::IterativeSolve(LinearOperator model, Method method) : state_(std::make_unique<State>(std::move(model), method)) {
  check_options<T>({}, method, state_->model.shape().columns);
}
template <class T>
IterativeSolve<T>::~IterativeSolve() = default;
template <class T>
IterativeSolve<T>::IterativeSolve(IterativeSolve&&) noexcept = default;
template <class T>
IterativeSolve<T>& IterativeSolve<T>::operator=(IterativeSolve&&) noexcept = default;

template <class T>
void IterativeSolve<T>::setup(ConstBlock<T> y, const SolveOptions<T>& options, bool history) {
  // Where anything throws, this is as before the first setup.
  state_ = std::make_unique<State>(std::move(state_->model), state_->method);
  auto next = std::make_unique<State>(state_->model, state_->method);
  State& s = *next;
  check_options(options, s.method, s.model.shape().columns);
  check_blocks(s.model, y, options);
  s.options = options;
  s.options.method = s.method;
  const auto data = s.copy(y);
  s.options.weights = s.copy(options.weights);
  for (auto& prior : s.options.priors) prior.data = s.copy(prior.data), prior.weights = s.copy(prior.weights);
  s.pixels = y.pixels, s.iteration = 0;
  s.report = {s.method, arithmetic_of(s.model, data, s.options, s.method)};
  const auto begin = [&](auto number) {
    using A = decltype(number);
    using In = typename State::template In<A>;
    // Variances are cheap beside the rest of the state: always kept.
    auto of = std::unique_ptr<In>(new In{{s.model, s.method, data, s.options, true, history}, 0, AlignedMemory<A>()});
    const std::size_t lane = static_cast<std::size_t>(of->engine.lane()), longest = cpu::longest_tile;
    of->groups = (s.pixels + longest - 1) / longest * longest / lane;
    of->states = AlignedMemory<A>(of->groups * of->engine.values_of_group());
    // Groups of the last tile that this never begins.
    for (std::size_t g = 0; g < of->groups; ++g)
      std::fill_n(of->states.data() + g * of->engine.values_of_group() + static_cast<std::size_t>(of->engine.plan().state.scalars) * lane,
                  static_cast<std::size_t>(kernels::krylov::scalar_rows) * lane, A(kernels::krylov::empty));
    of->engine.begin(s.pixels, options.x0, s.options, of->states.data());
    s.count(*of);
    s.in = std::move(of);
  };
  if (s.report.arithmetic == Arithmetic::float32) begin(float());
  else begin(double());
  // Needed no more, and of the caller.
  s.options.x0 = {};
  s.options.preconditioner = {};
  state_ = std::move(next);
}

template <class T>
std::size_t IterativeSolve<T>::run(int iterations) {
  State& s = *state_;
  s.visit([&](auto& of) {
    using A = std::remove_pointer_t<decltype(of.states.data())>;
    const int last = s.iteration + std::clamp(iterations, 0, std::max(of.engine.plan().max_iterations - s.iteration, 0));
    oneapi::tbb::enumerable_thread_specific<AlignedMemory<A>> scratches([&] { return AlignedMemory<A>(of.engine.scratch_values()); });
    cpu::for_pixels(of.groups, 4, s.options.threads, [&](std::size_t from, std::size_t to) {
      A* scratch = scratches.local().data();
      for (std::size_t g = from; g < to; ++g) of.engine.iterate(of.states.data() + g * of.engine.values_of_group(), scratch, s.iteration, last);
    });
    s.iteration = last;
    s.count(of);
  });
  return s.running;
}

template <class T>
const LinearOperator& IterativeSolve<T>::model() const {
  return state_->model;
}
template <class T>
Method IterativeSolve<T>::method() const {
  return state_->method;
}
template <class T>
std::size_t IterativeSolve<T>::unknowns() const {
  return state_->model.shape().columns;
}
template <class T>
std::size_t IterativeSolve<T>::pixels() const {
  return state_->pixels;
}
template <class T>
int IterativeSolve<T>::iteration() const {
  return state_->iteration;
}
template <class T>
int IterativeSolve<T>::max_iterations() const {
  int n = 0;
  state_->visit([&](auto& of) { n = of.engine.plan().max_iterations; });
  return n;
}
template <class T>
std::size_t IterativeSolve<T>::running() const {
  return state_->running;
}
template <class T>
SolveReport IterativeSolve<T>::report() const {
  return state_->report;
}

template <class T>
void IterativeSolve<T>::read(const SolveOutput<T>& output) const {
  State& s = *state_;
  s.visit([&](auto& of) {
    if (output.history.data) {
      if (!of.engine.plan().history)
        throw InvalidArgument("IterativeSolve: expected no history, for setup was not asked for one; call setup(y, options, true)");
      detail::check_block("history", output.history, static_cast<std::size_t>(of.engine.plan().max_iterations) + 1, s.pixels);
    }
    // The kernels write what they keep.
    auto whole = output;
    const std::size_t rows = static_cast<std::size_t>(of.engine.plan().max_iterations) + 1;
    std::vector<T> variances, history;
    if (!whole.variances.data) {
      variances.resize(unknowns() * s.pixels);
      whole.variances = {variances.data(), unknowns(), s.pixels};
    }
    if (of.engine.plan().history && !whole.history.data) {
      history.resize(rows * s.pixels);
      whole.history = {history.data(), rows, s.pixels};
    }
    of.engine.read(s.pixels, whole, s.options);
  });
}

template <class T>
void IterativeSolve<T>::residual_norms(T* norms) const {
  State& s = *state_;
  s.visit([&](auto& of) {
    namespace krylov = kernels::krylov;
    const auto lane = static_cast<std::size_t>(of.engine.lane());
    const auto& layout = of.engine.plan().state;
    for (std::size_t p = 0; p < s.pixels; ++p) {
      const auto* group = of.states.data() + p / lane * of.engine.values_of_group();
      const auto scalar = [&](int which) { return static_cast<double>(group[static_cast<std::size_t>(layout.scalars + which) * lane + p % lane]); };
      const double residual = scalar(krylov::residual), norm = scalar(krylov::norm);
      norms[p] = scalar(krylov::stop) == static_cast<double>(krylov::empty)
                     ? std::numeric_limits<T>::quiet_NaN()
                     : static_cast<T>((s.method == Method::lsqr ? residual : std::sqrt(residual)) * norm);
    }
  });
}

template <class T>
Solution<T> IterativeSolve<T>::solution() const {
  Solution<T> r;
  r.unknowns = unknowns(), r.pixels = state_->pixels;
  r.x.resize(r.unknowns * r.pixels);
  r.status.resize(r.pixels), r.rank.resize(r.pixels), r.valid.resize(r.pixels), r.residual_norm.resize(r.pixels), r.iterations.resize(r.pixels);
  SolveOutput<T> output;
  output.x = {r.x.data(), r.unknowns, r.pixels};
  output.status = r.status.data(), output.rank = r.rank.data(), output.valid = r.valid.data();
  output.residual_norm = r.residual_norm.data(), output.iterations = r.iterations.data();
  read(output);
  r.report = state_->report;
  return r;
}

template class IterativeSolve<float>;
template class IterativeSolve<double>;

}  // namespace lopsar
