#include <lopsar/solvers/solve_operator.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <utility>

#include <lopsar/operators/cpu/tile_scratch.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/pattern.hpp>
#include <lopsar/solvers/cpu/system.hpp>
#include <lopsar/solvers/direct.hpp>
#include <lopsar/solvers/system.hpp>

namespace lopsar {
namespace {

std::vector<LinearOperator> operators_of(const std::vector<LinearPrior>& priors) {
  std::vector<LinearOperator> all;
  for (const auto& p : priors) all.push_back(p.op);
  return all;
}

// Weights in the precision of the blocks, converted where they are held in the other.
class Weights {
 public:
  Weights(const char* name, const std::optional<Field>& field, std::size_t rows, std::size_t& pixels) : field_(field) {
    if (!field) return;
    if (field->rows() != rows)
      throw ShapeError(std::string("Solve: expected ") + name + " with " + std::to_string(rows) + " rows, got " + std::to_string(field->rows()));
    shared_ = field->pixels() == 1;
    if (!shared_ && pixels != 0 && pixels != field->pixels())
      throw ShapeError(std::string("Solve: expected ") + name + " of " + std::to_string(pixels) + " pixels or one, got " +
                       std::to_string(field->pixels()));
    if (!shared_) pixels = field->pixels();
    std::vector<double> row(field->pixels());
    for (std::size_t i = 0; i < rows; ++i) {
      field->read(i, 0, row.size(), row.data());
      const auto bad = std::find_if(row.begin(), row.end(), [](double w) { return w < 0 || std::isinf(w); });
      if (bad != row.end())
        throw InvalidArgument(std::string("Solve: expected ") + name + " >= 0 and finite, or NaN, got " + std::to_string(*bad) + " in row " +
                              std::to_string(i) + "; give 0 for what is missing");
    }
  }

  template <class S>
  void put(std::vector<cpu::RowSource<S>>& sources, std::size_t at, std::size_t first) const {
    if (!field_) return;
    const ConstBlock<S> block = values<S>();
    for (std::size_t i = 0; i < block.rows; ++i) {
      if (shared_) sources[at + i].w_all = *block.row(i);
      else sources[at + i].w = block.row(i) + first;
    }
  }
  // y *= w, where w is there.
  template <class S>
  void multiply(Block<S> y, std::size_t first) const {
    if (!field_) return;
    const ConstBlock<S> block = values<S>();
    for (std::size_t i = 0; i < y.rows; ++i)
      for (std::size_t p = 0; p < y.pixels; ++p) {
        const S w = shared_ ? *block.row(i) : block.row(i)[first + p];
        y.row(i)[p] = w > 0 ? y.row(i)[p] * w : S(0);
      }
  }

 private:
  template <class S>
  ConstBlock<S> values() const {
    if (const auto* held = field_->as<S>()) return *held;
    const std::lock_guard lock(*converting_);
    auto& to = std::get<std::vector<S>>(converted_);
    if (to.empty()) {
      to.resize(field_->rows() * field_->pixels());
      for (std::size_t i = 0; i < field_->rows(); ++i) field_->read(i, 0, field_->pixels(), to.data() + i * field_->pixels());
    }
    return {to.data(), field_->rows(), field_->pixels()};
  }
  std::optional<Field> field_;
  bool shared_ = true;
  std::unique_ptr<std::mutex> converting_ = std::make_unique<std::mutex>();
  mutable std::pair<std::vector<float>, std::vector<double>> converted_;
};

[[noreturn]] void no_matrix(const std::string& name) {
  throw InvalidArgument(name +
                        ": expected an operator whose matrix is known, got a solve, which every pixel does by elimination; apply it, or compose it "
                        "where nothing asks for the matrix (todense gives it column by column)");
}

}  // namespace

struct Solve::Prepared {
  Shape shape;  // of the model
  Pattern model;
  detail::System system;
  detail::Cholesky cholesky;
  detail::Products products;
  std::size_t pixels;
  std::vector<Weights> weights;  // of the model and of each prior
  std::vector<std::size_t> rows;
  double damp;
  bool narrow, fit;

  static LinearOperator checked(const LinearOperator& model) {
    if (!model.pixelwise() || model.complex())
      throw InvalidArgument("Solve: expected a real operator that maps each pixel on its own, got " + model.name());
    return model;
  }

  Prepared(const LinearOperator& of, const SolveOperatorOptions& options)
      : shape(checked(of).shape()),
        model(of.lower()),
        system(of, operators_of(options.priors)),
        cholesky(system),
        products(system),
        pixels(system.pixels()),
        damp(options.damp),
        narrow(options.arithmetic == Arithmetic::float32),
        fit(options.fit) {
    if (options.method != Method::automatic && options.method != Method::cholesky)
      throw InvalidArgument("Solve: expected method auto or cholesky, got " + lopsar::name(options.method) + "; solve() takes the others");
    if (!(damp >= 0 && damp < 1e15)) throw InvalidArgument("Solve: expected damp >= 0 and finite, got " + std::to_string(damp));
    weights.emplace_back("weights", options.weights, shape.rows, pixels);
    rows.push_back(shape.rows);
    for (const auto& p : options.priors) {
      weights.emplace_back("weights of a prior", p.weights, p.op.shape().rows, pixels);
      rows.push_back(p.op.shape().rows);
    }
  }

  // x from the observations `in` (K rows), or from the right-hand side `in` (n rows). Returns the status of each pixel.
  template <class S, class T>
  std::vector<std::uint8_t> run_in(ConstBlock<S> in, Block<S> x, bool normal, bool reveal, std::size_t first) const {
    auto direct = detail::cholesky_task<T>(system, cholesky, products, damp);
    auto wide = detail::cholesky_task<double>(system, cholesky, products, damp);
    direct.normal = wide.normal = normal, direct.everywhere = wide.everywhere = true, direct.norm = wide.norm = false,
    direct.reveal = wide.reveal = reveal;
    if constexpr (sizeof(T) == 4) direct.wide = &wide;
    cpu::SystemTask<S, T> task;
    task.system = &system;
    task.sources.resize(static_cast<std::size_t>(system.rows()));
    for (std::size_t i = 0, at = 0; i < rows.size(); at += rows[i], ++i) weights[i].template put<S>(task.sources, at, first);
    if (normal) task.x_in = in;
    else
      for (std::size_t k = 0; k < shape.rows; ++k) task.sources[k].y = in.row(k);
    task.pixels = x.pixels;
    task.first = first;
    task.needs_observations = false;  // without them everything is undetermined, unless a prior says something
    task.x = x;
    std::vector<std::uint8_t> status(x.pixels);
    task.status = status.data();
    task.level = lanes::active_level();
    task.threads = 1;  // the loop over tiles has them all
    task.solver = detail::tile_solver(direct, task.level);
    cpu::run(task);
    return status;
  }
  template <class S>
  std::vector<std::uint8_t> run(ConstBlock<S> in, Block<S> x, bool normal, bool reveal, std::size_t first) const {
    return narrow ? run_in<S, float>(in, x, normal, reveal, first) : run_in<S, double>(in, x, normal, reveal, first);
  }

  // Whether NaN of x says that nothing determines the unknown, and not that the input makes no sense.
  static bool undetermined(std::uint8_t status) {
    return status == static_cast<std::uint8_t>(Status::rank_deficient) || status == static_cast<std::uint8_t>(Status::no_data);
  }

  template <class S>
  void forward(ConstBlock<S> y, Block<S> x, std::size_t first) const {
    const auto status = run(y, x, false, !fit, first);
    for (std::size_t i = 0; i < x.rows; ++i)
      for (std::size_t p = 0; p < x.pixels; ++p)
        if (std::isnan(x.row(i)[p]) && undetermined(status[p])) x.row(i)[p] = 0;
  }
  // N^-1 b, NaN where b is not finite. Where unknowns are undetermined, b without its values there: what is left is symmetric.
  // keep: whether undetermined unknowns keep the value that fits the others, as W A N^-1 needs it, or are 0.
  template <class S>
  void normal(ConstBlock<S> b, Block<S> x, bool keep, std::size_t first) const {
    const auto status = run(b, x, true, true, first);
    std::vector<bool> open(b.pixels);
    for (std::size_t p = 0; p < b.pixels; ++p) {
      bool finite = true;
      for (std::size_t i = 0; i < b.rows; ++i) finite = finite && std::isfinite(b.row(i)[p]);
      open[p] = finite && undetermined(status[p]);
      for (std::size_t i = 0; i < x.rows && !finite; ++i) x.row(i)[p] = std::numeric_limits<S>::quiet_NaN();
    }
    if (std::find(open.begin(), open.end(), true) == open.end()) return;
    const cpu::TileScratch scratch(b.rows, b.pixels, sizeof(S)), again(b.rows, b.pixels, sizeof(S));
    const auto part = scratch.block<S>(), fitting = again.block<S>();
    for (std::size_t i = 0; i < x.rows; ++i)
      for (std::size_t p = 0; p < x.pixels; ++p) part.row(i)[p] = std::isnan(x.row(i)[p]) ? S(0) : b.row(i)[p];
    run<S>(part, fitting, true, false, first);
    for (std::size_t i = 0; i < x.rows; ++i)
      for (std::size_t p = 0; p < x.pixels; ++p)
        if (open[p]) x.row(i)[p] = keep || !std::isnan(x.row(i)[p]) ? fitting.row(i)[p] : S(0);
  }
  template <class S>
  void adjoint(ConstBlock<S> g, Block<S> y, Tile tile) const {
    if (fit) throw InvalidArgument("Solve: expected no adjoint with fit, as it is another map than the adjoint of N^-1 A'W; set fit = false");
    const cpu::TileScratch scratch(g.rows, g.pixels, sizeof(S));
    const auto x = scratch.block<S>();
    normal<S>(g, x, true, tile.first);
    model.forward_tile(x, y, {tile.first, false, false});
    weights[0].template multiply<S>(y, tile.first);
  }
};

Solve::Solve(const LinearOperator& model, const SolveOperatorOptions& options) : prepared_(std::make_shared<const Prepared>(model, options)) {}

Shape Solve::shape() const { return {prepared_->shape.columns, prepared_->shape.rows}; }
std::size_t Solve::pixels() const { return prepared_->pixels; }
Lowering Solve::lower() const { no_matrix(name()); }
// More than the algebra multiplies out (small_enough in algebra.cpp), so that it never asks for the matrix.
std::size_t Solve::cost() const { return (std::size_t(1) << 20) + prepared_->cholesky.multiplications(); }
void Solve::forward_tile(ConstBlock<float> y, Block<float> x, Tile tile) const { prepared_->forward(y, x, tile.first); }
void Solve::forward_tile(ConstBlock<double> y, Block<double> x, Tile tile) const { prepared_->forward(y, x, tile.first); }
void Solve::adjoint_tile(ConstBlock<float> x, Block<float> y, Tile tile) const { prepared_->adjoint(x, y, tile); }
void Solve::adjoint_tile(ConstBlock<double> x, Block<double> y, Tile tile) const { prepared_->adjoint(x, y, tile); }
NormalSolve Solve::normal() const { return NormalSolve(*this); }

Lowering NormalSolve::lower() const { no_matrix(name()); }
void NormalSolve::forward_tile(ConstBlock<float> b, Block<float> x, Tile tile) const { of_.prepared_->normal(b, x, false, tile.first); }
void NormalSolve::forward_tile(ConstBlock<double> b, Block<double> x, Tile tile) const { of_.prepared_->normal(b, x, false, tile.first); }

}  // namespace lopsar
