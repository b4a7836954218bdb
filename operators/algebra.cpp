#include <lopsar/operators/algebra.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include <lopsar/operators/cpu/tile_scratch.hpp>
#include <lopsar/operators/error.hpp>
#include <lopsar/operators/pattern.hpp>
#include <lopsar/operators/pixelwise.hpp>

namespace lopsar {
namespace {

using Node = std::shared_ptr<const Operator>;
using Complex = std::complex<double>;
using Kind = Formula::Kind;

template <class T>
inline constexpr bool is_complex = !std::is_floating_point_v<T>;

std::string text(Shape s) { return "(" + std::to_string(s.rows) + ", " + std::to_string(s.columns) + ")"; }

// ---- what composed operators run -----------------------------------------------------------------------------------

// The same values in one row where they follow each other: a whole field is a block of one column.
template <class T>
Block<T> flat(Block<T> b) {
  return b.contiguous() ? Block<T>(b.data, 1, b.rows * b.pixels) : b;
}

// out += in, out *= factor.
template <class T>
void add(ConstBlock<T> in, Block<T> out) {
  if (in.contiguous() && out.contiguous()) in = flat(in), out = flat(out);
  for (std::size_t i = 0; i < out.rows; ++i) {
    const T* a = in.row(i);
    T* b = out.row(i);
    for (std::size_t p = 0; p < out.pixels; ++p) b[p] += a[p];
  }
}
template <class T>
void scale(Block<T> out, Complex factor) {
  if (factor == 1.0) return;
  out = flat(out);
  T f;
  if constexpr (is_complex<T>) f = T(factor);
  else f = static_cast<T>(factor.real());
  for (std::size_t i = 0; i < out.rows; ++i)
    for (std::size_t p = 0; p < out.pixels; ++p) out.row(i)[p] *= f;
}
template <class T>
void copy(ConstBlock<T> in, Block<T> out) {
  if (in.contiguous() && out.contiguous()) in = flat(in), out = flat(out);
  for (std::size_t i = 0; i < out.rows; ++i) std::copy_n(in.row(i), out.pixels, out.row(i));
}
template <class T>
void clear(Block<T> out) {
  for (std::size_t i = 0; i < out.rows; ++i) std::fill_n(out.row(i), out.pixels, T(0));
}

// An operator times a factor, at a place of a larger one.
struct Placed {
  LinearOperator op;
  Complex factor = 1;
  std::size_t row = 0, column = 0;
};

const LinearOperator& operator_of(const LinearOperator& op) { return op; }
const LinearOperator& operator_of(const Placed& part) { return part.op; }

// The number of pixels for which parts have fields; 0: any. ShapeError where they disagree.
template <class Parts>
std::size_t common_pixels(const Parts& parts) {
  std::size_t pixels = 0;
  for (const auto& part : parts) {
    const std::size_t own = operator_of(part).pixels();
    if (own != 0 && pixels != 0 && own != pixels)
      throw ShapeError("operators: expected fields of equal numbers of pixels, got " + std::to_string(pixels) + " and " + std::to_string(own));
    pixels = own != 0 ? own : pixels;
  }
  return pixels;
}

// For each of the parts in turn: run(part, in, out) writes its output rows; where an earlier part wrote them already, into scratch from
// take(rows), and the sum is formed. Together the parts write every row.
template <class T, class Run, class Take>
void place(const std::vector<Placed>& parts, bool adjoint, ConstBlock<T> in, Block<T> out, Run run, Take take) {
  std::size_t written = 0;  // parts come in the order of their places: rows below are written
  for (const auto& part : parts) {
    const auto s = part.op.shape();
    const std::size_t from = adjoint ? part.column : part.row, n = adjoint ? s.columns : s.rows;
    const auto source = adjoint ? in.slice(part.row, s.rows) : in.slice(part.column, s.columns);
    const auto target = out.slice(from, n);
    const Complex factor = adjoint ? std::conj(part.factor) : part.factor;
    const auto scaled = [&](Block<T> to) {
      if (adjoint && factor.imag() != 0 && !part.op.clinear()) {  // (c A)^H y = A^H (conj(c) y)
        take(s.rows, [&](Block<T> times) {
          copy(source, times);
          scale(times, factor);
          run(part.op, times, to);
        });
        return;
      }
      run(part.op, source, to);
      scale(to, factor);
    };
    if (from >= written) {
      scaled(target);
      written = from + n;
    } else {
      take(n, [&](Block<T> sum) {
        scaled(sum);
        add(ConstBlock<T>(sum), target);
      });
    }
  }
}

const Pixelwise& tiles(const LinearOperator& op);

// Pixelwise parts at their places, tile by tile.
class TileParts final : public Pixelwise {
 public:
  TileParts(Shape shape, std::vector<Placed> parts) : shape_(shape), pixels_(common_pixels(parts)), parts_(std::move(parts)) {}
  Shape shape() const override { return shape_; }
  std::size_t pixels() const override { return pixels_; }
  std::size_t terms() const override {
    std::size_t n = 0;
    for (const auto& p : parts_) n += tiles(p.op).terms();
    return n;
  }
  Lowering lower() const override {
    Lowering matrix;
    matrix.shape = shape_;
    for (const auto& p : parts_) matrix.add(p.op.lower(), p.row, p.column, p.factor.real());
    matrix.compress();
    return matrix;
  }
  std::size_t cost() const override {
    std::size_t n = 0;
    for (const auto& p : parts_) n += tiles(p.op).cost();
    return n;
  }
  std::size_t cached_rows(bool adjoint) const override {
    std::size_t inside = 0;
    for (const auto& p : parts_) inside = std::max(inside, tiles(p.op).cached_rows(adjoint));
    return inside + shape_.rows + shape_.columns;
  }
#define LOPSAR_TILES(T)                                                                                    \
  void forward_tile(ConstBlock<T> x, Block<T> y, Tile tile) const override {                               \
    place(                                                                                                 \
        parts_, false, x, y,                                                                               \
        [&](const LinearOperator& op, ConstBlock<T> in, Block<T> out) {                                    \
          tiles(op).forward_tile(in, out, {tile.first, false, tile.ahead});                                \
        },                                                                                                 \
        [&](std::size_t rows, auto use) { use(cpu::TileScratch(rows, y.pixels, sizeof(T)).block<T>()); }); \
  }                                                                                                        \
  void adjoint_tile(ConstBlock<T> y, Block<T> x, Tile tile) const override {                               \
    place(                                                                                                 \
        parts_, true, y, x,                                                                                \
        [&](const LinearOperator& op, ConstBlock<T> in, Block<T> out) {                                    \
          tiles(op).adjoint_tile(in, out, {tile.first, false, tile.ahead});                                \
        },                                                                                                 \
        [&](std::size_t rows, auto use) { use(cpu::TileScratch(rows, x.pixels, sizeof(T)).block<T>()); }); \
  }
  LOPSAR_TILES(float)
  LOPSAR_TILES(double)
#undef LOPSAR_TILES

 private:
  Shape shape_;
  std::size_t pixels_;
  std::vector<Placed> parts_;
};

// A chain of pixelwise factors, first factor last to be applied; what lies between two of them stays in the cache.
class TileProduct final : public Pixelwise {
 public:
  explicit TileProduct(std::vector<LinearOperator> factors) : pixels_(common_pixels(factors)), factors_(std::move(factors)) {}
  Shape shape() const override { return {factors_.front().shape().rows, factors_.back().shape().columns}; }
  std::size_t pixels() const override { return pixels_; }
  std::size_t terms() const override { return shape().rows * shape().columns; }
  Lowering lower() const override {
    Lowering matrix = factors_.back().lower();
    for (std::size_t i = factors_.size() - 1; i-- > 0;) matrix = product(factors_[i].lower(), matrix);
    return matrix;
  }
  std::size_t cost() const override {
    std::size_t n = 0;
    for (const auto& f : factors_) n += tiles(f).cost() + f.shape().rows;
    return n;
  }
  std::size_t cached_rows(bool adjoint) const override {
    std::size_t rows = 0;
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      const auto [m, n] = factors_[i].shape();
      const bool first = i == 0, last = i + 1 == factors_.size();
      rows = std::max(rows, std::max(tiles(factors_[i]).cached_rows(adjoint), adjoint ? (first ? 0 : m) : (last ? 0 : n)) +
                                (adjoint ? (last ? 0 : n) : (first ? 0 : m)));
    }
    return rows;
  }
#define LOPSAR_TILES(T)                                                                                 \
  void forward_tile(ConstBlock<T> x, Block<T> y, Tile tile) const override {                            \
    const std::size_t n = factors_.size();                                                              \
    chain(                                                                                              \
        x, y, tile, [&](std::size_t i) -> const Pixelwise& { return tiles(factors_[n - 1 - i]); },      \
        [](const Pixelwise& f, ConstBlock<T> in, Block<T> out, Tile t) { f.forward_tile(in, out, t); }, \
        [](const Pixelwise& f) { return f.shape().rows; });                                             \
  }                                                                                                     \
  void adjoint_tile(ConstBlock<T> y, Block<T> x, Tile tile) const override {                            \
    chain(                                                                                              \
        y, x, tile, [&](std::size_t i) -> const Pixelwise& { return tiles(factors_[i]); },              \
        [](const Pixelwise& f, ConstBlock<T> in, Block<T> out, Tile t) { f.adjoint_tile(in, out, t); }, \
        [](const Pixelwise& f) { return f.shape().columns; });                                          \
  }
  LOPSAR_TILES(float)
  LOPSAR_TILES(double)
#undef LOPSAR_TILES

 private:
  template <class T, class At, class Run, class Rows>
  void chain(ConstBlock<T> in, Block<T> out, Tile tile, At at, Run run, Rows rows, std::size_t step = 0) const {
    const Pixelwise& factor = at(step);
    if (step + 1 == factors_.size()) return run(factor, in, out, tile);
    const cpu::TileScratch scratch(rows(factor), out.pixels, sizeof(T));
    run(factor, in, scratch.block<T>(), {tile.first, false, tile.ahead});
    chain<T>(scratch.block<T>(), out, {tile.first, tile.stream, false}, at, run, rows, step + 1);
  }
  std::size_t pixels_;
  std::vector<LinearOperator> factors_;
};

class TileAdjoint final : public Pixelwise {
 public:
  explicit TileAdjoint(LinearOperator of) : of_(std::move(of)) {}
  Shape shape() const override { return {of_.shape().columns, of_.shape().rows}; }
  std::size_t pixels() const override { return of_.pixels(); }
  Lowering lower() const override { return transposed(of_.lower()); }
  std::size_t cost() const override { return tiles(of_).cost(); }
  std::size_t terms() const override { return tiles(of_).terms(); }
  std::size_t cached_rows(bool adjoint) const override { return tiles(of_).cached_rows(!adjoint); }
  void forward_tile(ConstBlock<float> x, Block<float> y, Tile tile) const override { tiles(of_).adjoint_tile(x, y, tile); }
  void forward_tile(ConstBlock<double> x, Block<double> y, Tile tile) const override { tiles(of_).adjoint_tile(x, y, tile); }
  void adjoint_tile(ConstBlock<float> y, Block<float> x, Tile tile) const override { tiles(of_).forward_tile(y, x, tile); }
  void adjoint_tile(ConstBlock<double> y, Block<double> x, Tile tile) const override { tiles(of_).forward_tile(y, x, tile); }

 private:
  LinearOperator of_;
};

// A (x) B: B on every slice of x that belongs to one column of A, then A across the slices. The rows of a slice of A lie `b` rows apart.
class TileKronecker final : public Pixelwise {
 public:
  TileKronecker(LinearOperator a, LinearOperator b) : pixels_(common_pixels(std::vector{a, b})), a_(std::move(a)), b_(std::move(b)) {}
  Shape shape() const override { return {a_.shape().rows * b_.shape().rows, a_.shape().columns * b_.shape().columns}; }
  std::size_t pixels() const override { return pixels_; }
  std::size_t terms() const override { return tiles(a_).terms() * tiles(b_).terms(); }
  Lowering lower() const override { return lopsar::kronecker(a_.lower(), b_.lower()); }
  std::size_t cost() const override { return a_.shape().columns * tiles(b_).cost() + b_.shape().rows * tiles(a_).cost(); }
  std::size_t cached_rows(bool) const override { return shape().rows + shape().columns + a_.shape().columns * b_.shape().rows; }
#define LOPSAR_TILES(T)                                                                                                                           \
  void forward_tile(ConstBlock<T> x, Block<T> y, Tile tile) const override {                                                                      \
    const Shape a = a_.shape(), b = b_.shape();                                                                                                   \
    const cpu::TileScratch scratch(a.columns* b.rows, y.pixels, sizeof(T));                                                                       \
    const auto middle = scratch.block<T>();                                                                                                       \
    const Tile inner{tile.first, false};                                                                                                          \
    for (std::size_t j = 0; j < a.columns; ++j) tiles(b_).forward_tile(x.slice(j* b.columns, b.columns), middle.slice(j* b.rows, b.rows), inner); \
    for (std::size_t i = 0; i < b.rows; ++i)                                                                                                      \
      tiles(a_).forward_tile({middle.row(i), a.columns, middle.pixels, middle.stride * b.rows}, {y.row(i), a.rows, y.pixels, y.stride * b.rows},  \
                             inner);                                                                                                              \
  }                                                                                                                                               \
  void adjoint_tile(ConstBlock<T> y, Block<T> x, Tile tile) const override {                                                                      \
    const Shape a = a_.shape(), b = b_.shape();                                                                                                   \
    const cpu::TileScratch scratch(a.columns* b.rows, x.pixels, sizeof(T));                                                                       \
    const auto middle = scratch.block<T>();                                                                                                       \
    const Tile inner{tile.first, false};                                                                                                          \
    for (std::size_t i = 0; i < b.rows; ++i)                                                                                                      \
      tiles(a_).adjoint_tile({y.row(i), a.rows, y.pixels, y.stride * b.rows}, {middle.row(i), a.columns, middle.pixels, middle.stride * b.rows},  \
                             inner);                                                                                                              \
    for (std::size_t j = 0; j < a.columns; ++j) tiles(b_).adjoint_tile(middle.slice(j* b.rows, b.rows), x.slice(j* b.columns, b.columns), inner); \
  }
  LOPSAR_TILES(float)
  LOPSAR_TILES(double)
#undef LOPSAR_TILES

 private:
  std::size_t pixels_;
  LinearOperator a_, b_;
};

// The same for operators that see all pixels at once; blocks between them are whole.
template <class T>
struct Whole {
  std::unique_ptr<T[]> values;  // written before it is read
  Block<T> block;
  Whole(std::size_t rows, std::size_t pixels) : values(std::make_unique_for_overwrite<T[]>(rows * pixels)), block(values.get(), rows, pixels) {}
};

class SceneParts final : public AnyOperator<SceneParts> {
 public:
  SceneParts(Shape shape, std::vector<Placed> parts) : shape_(shape), pixels_(common_pixels(parts)), parts_(std::move(parts)) {}
  Shape shape() const override { return shape_; }
  std::size_t pixels() const override { return pixels_; }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    place(
        parts_, false, x, y, [&](const LinearOperator& op, ConstBlock<T> in, Block<T> out) { op.apply(in, out, threads); },
        [&](std::size_t rows, auto use) { use(Whole<T>(rows, y.pixels).block); });
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    place(
        parts_, true, y, x, [&](const LinearOperator& op, ConstBlock<T> in, Block<T> out) { op.apply_adjoint(in, out, threads); },
        [&](std::size_t rows, auto use) { use(Whole<T>(rows, x.pixels).block); });
  }

 private:
  Shape shape_;
  std::size_t pixels_;
  std::vector<Placed> parts_;
};

class SceneProduct final : public AnyOperator<SceneProduct> {
 public:
  SceneProduct(std::vector<LinearOperator> factors, Complex factor)
      : pixels_(common_pixels(factors)), factors_(std::move(factors)), factor_(factor) {}
  Shape shape() const override { return {factors_.front().shape().rows, factors_.back().shape().columns}; }
  std::size_t pixels() const override { return pixels_; }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    std::optional<Whole<T>> last, next;
    for (std::size_t i = factors_.size(); i-- > 0;) {
      const auto in = last ? ConstBlock<T>(last->block) : x;
      if (i == 0) factors_[i].apply(in, y, threads);
      else factors_[i].apply(in, next.emplace(factors_[i].shape().rows, x.pixels).block, threads);
      last.swap(next);
    }
    scale(y, factor_);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    std::optional<Whole<T>> last, next;
    const bool first = factor_.imag() != 0;  // where a factor is not linear over the complex numbers, it matters
    if (first) {
      copy(y, last.emplace(y.rows, y.pixels).block);
      scale(last->block, std::conj(factor_));
    }
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      const auto in = last ? ConstBlock<T>(last->block) : y;
      if (i + 1 == factors_.size()) factors_[i].apply_adjoint(in, x, threads);
      else factors_[i].apply_adjoint(in, next.emplace(factors_[i].shape().columns, y.pixels).block, threads);
      last.swap(next);
    }
    if (!first) scale(x, factor_);
  }

 private:
  std::size_t pixels_;
  std::vector<LinearOperator> factors_;
  Complex factor_;
};

class SceneAdjoint final : public AnyOperator<SceneAdjoint> {
 public:
  explicit SceneAdjoint(LinearOperator of) : of_(std::move(of)) {}
  Shape shape() const override { return {of_.shape().columns, of_.shape().rows}; }
  std::size_t pixels() const override { return of_.pixels(); }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    of_.apply_adjoint(x, y, threads);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    of_.apply(y, x, threads);
  }

 private:
  LinearOperator of_;
};

// conj(A) x = conj(A conj(x)); only complex operators get here.
class SceneConjugate final : public AnyOperator<SceneConjugate> {
 public:
  explicit SceneConjugate(LinearOperator of) : of_(std::move(of)) {}
  Shape shape() const override { return of_.shape(); }
  std::size_t pixels() const override { return of_.pixels(); }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    if constexpr (is_complex<T>) {
      of_.apply(conjugated(x).block, y, threads);
      conjugate_in_place(y);
    }
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    if constexpr (is_complex<T>) {
      of_.apply_adjoint(conjugated(y).block, x, threads);
      conjugate_in_place(x);
    }
  }

 private:
  template <class T>
  static void conjugate_in_place(Block<T> b) {
    for (std::size_t i = 0; i < b.rows; ++i)
      for (std::size_t p = 0; p < b.pixels; ++p) b.row(i)[p] = std::conj(b.row(i)[p]);
  }
  template <class T>
  static Whole<T> conjugated(ConstBlock<T> x) {
    Whole<T> c(x.rows, x.pixels);
    copy(x, c.block);
    conjugate_in_place(c.block);
    return c;
  }
  LinearOperator of_;
};

// A (x) B on whole fields: B sees (columns of A) slices, A sees rows of (rows of B) x pixels.
class SceneKronecker final : public AnyOperator<SceneKronecker> {
 public:
  SceneKronecker(LinearOperator a, LinearOperator b) : a_(std::move(a)), b_(std::move(b)) {}
  Shape shape() const override { return {a_.shape().rows * b_.shape().rows, a_.shape().columns * b_.shape().columns}; }
  std::size_t pixels() const override { return b_.pixels(); }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    const Shape a = a_.shape(), b = b_.shape();
    const std::size_t k = x.pixels;
    Whole<T> middle(a.columns * b.rows, k), result(a.rows, b.rows * k);
    for (std::size_t j = 0; j < a.columns; ++j) b_.apply(x.slice(j * b.columns, b.columns), middle.block.slice(j * b.rows, b.rows), threads);
    a_.apply(ConstBlock<T>(middle.values.get(), a.columns, b.rows * k), result.block, threads);
    copy(ConstBlock<T>(result.values.get(), y.rows, k), y);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    const Shape a = a_.shape(), b = b_.shape();
    const std::size_t k = y.pixels;
    Whole<T> data(a.rows, b.rows * k), middle(a.columns, b.rows * k);
    copy(y, Block<T>(data.values.get(), y.rows, k));
    a_.apply_adjoint(data.block, middle.block, threads);
    const ConstBlock<T> slices(middle.values.get(), a.columns * b.rows, k);
    for (std::size_t j = 0; j < a.columns; ++j) b_.apply_adjoint(slices.slice(j * b.rows, b.rows), x.slice(j * b.columns, b.columns), threads);
  }

 private:
  LinearOperator a_, b_;
};

// A pixelwise operator on fields (n, *grid): pixels and right-hand sides are the columns of its block; where it has fields, one
// right-hand side after the other.
class Over final : public AnyOperator<Over> {
 public:
  Over(LinearOperator of, std::size_t grid) : of_(std::move(of)), grid_(grid) {}
  Shape shape() const override { return {of_.shape().rows * grid_, of_.shape().columns * grid_}; }
  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    run(x, y, of_.shape().columns, of_.shape().rows, [&](ConstBlock<T> in, Block<T> out) { of_.apply(in, out, threads); });
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    run(y, x, of_.shape().rows, of_.shape().columns, [&](ConstBlock<T> in, Block<T> out) { of_.apply_adjoint(in, out, threads); });
  }

 private:
  template <class T, class Run>
  void run(ConstBlock<T> in, Block<T> out, std::size_t rows_in, std::size_t rows_out, Run apply) const {
    const std::size_t k = in.pixels;
    if (in.contiguous() && out.contiguous() && (k == 1 || of_.pixels() == 0))
      return apply(ConstBlock<T>(in.data, rows_in, grid_ * k), Block<T>(out.data, rows_out, grid_ * k));
    Whole<T> x(rows_in, grid_), y(rows_out, grid_);
    for (std::size_t c = 0; c < k; ++c) {
      for (std::size_t i = 0; i < in.rows; ++i) x.values[i] = in.row(i)[c];
      apply(x.block, y.block);
      for (std::size_t i = 0; i < out.rows; ++i) out.row(i)[c] = y.values[i];
    }
  }
  LinearOperator of_;
  std::size_t grid_;
};

// ---- composed operators ---------------------------------------------------------------------------------------------

// How it is written and what runs it.
class Composed final : public AnyOperator<Composed> {
 public:
  Composed(Formula formula, Node run, Dims dims, Dims dimsd, bool complex, std::vector<Parameter> parameters)
      : formula_(std::move(formula)),
        run_(std::move(run)),
        dims_(std::move(dims)),
        dimsd_(std::move(dimsd)),
        complex_(complex),
        parameters_(std::move(parameters)) {}

  Shape shape() const override { return run_->shape(); }
  Dims dims() const override { return dims_; }
  Dims dimsd() const override { return dimsd_; }
  bool complex() const override { return complex_; }
  bool clinear() const override {
    return std::all_of(formula_.operands.begin(), formula_.operands.end(), [](const LinearOperator& op) { return op.clinear(); });
  }
  bool pixelwise() const override { return run_->pixelwise(); }
  std::size_t pixels() const override { return run_->pixels(); }
  Lowering lower() const override { return run_->lower(); }
  std::string name() const override {
    switch (formula_.kind) {
      case Kind::product: return "product";
      case Kind::sum: return "sum";
      case Kind::adjoint: return "adjoint";
      case Kind::transpose: return "transpose";
      case Kind::conjugate: return "conjugate";
      case Kind::power: return "power";
      case Kind::vstack: return "vstack";
      case Kind::hstack: return "hstack";
      case Kind::block_diag: return "block_diag";
      case Kind::kronecker: return "kronecker";
      case Kind::over: return "over";
      case Kind::leaf: break;
    }
    return "Operator";
  }
  std::vector<Parameter> parameters() const override { return parameters_; }
  const Formula& formula() const { return formula_; }
  const Operator& run() const { return *run_; }

  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    run_->apply(x, y, threads);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    run_->apply_adjoint(y, x, threads);
  }

 private:
  Formula formula_;
  Node run_;
  Dims dims_, dimsd_;
  bool complex_;
  std::vector<Parameter> parameters_;
};

const Composed* composed(const Operator& op) {
  const auto* handle = dynamic_cast<const LinearOperator*>(&op);
  return dynamic_cast<const Composed*>(handle ? handle->node().get() : &op);
}

const Pixelwise& tiles(const LinearOperator& op) {
  const Operator* run = op.node().get();
  while (const Composed* c = composed(*run)) run = &c->run();  // a power runs a product
  if (const auto* pixelwise = dynamic_cast<const Pixelwise*>(run)) return *pixelwise;
  throw InvalidArgument(op.name() + ": expected a pixelwise operator derived from Pattern or Pixelwise, got another class that says it is one");
}

// Working the matrix of a larger operator out costs more than it could save.
constexpr std::size_t small_enough = 200000;

// The matrices added up if that takes no more operations than one part after the other.
Node run_parts(Shape shape, std::vector<Placed> parts, bool complex) {
  const bool pixelwise = !complex && std::all_of(parts.begin(), parts.end(), [](const Placed& p) { return p.op.pixelwise(); });
  if (!pixelwise) return std::make_shared<const SceneParts>(shape, std::move(parts));
  auto apart = std::make_shared<const TileParts>(shape, std::move(parts));
  if (apart->cost() > small_enough || apart->terms() > apart->cost()) return apart;
  auto matrix = apart->lower();
  if (matrix.triplets.size() > apart->cost()) return apart;
  return std::make_shared<const Pattern>(std::move(matrix));
}

LinearOperator make(Formula formula, Node run, Dims dims, Dims dimsd, bool complex, std::vector<Parameter> parameters = {}) {
  return LinearOperator(
      std::make_shared<const Composed>(std::move(formula), std::move(run), std::move(dims), std::move(dimsd), complex, std::move(parameters)));
}

bool any_complex(const std::vector<LinearOperator>& parts) {
  return std::any_of(parts.begin(), parts.end(), [](const LinearOperator& p) { return p.complex(); });
}

// Neighbors whose product takes no more operations than both are multiplied out.
std::vector<LinearOperator> multiplied(const std::vector<LinearOperator>& factors) {
  std::vector<LinearOperator> out{factors.front()};
  for (std::size_t i = 1; i < factors.size(); ++i) {
    const std::size_t apart = tiles(out.back()).cost() + tiles(factors[i]).cost() + factors[i].shape().rows;
    if (apart <= small_enough && tiles(out.back()).terms() <= apart && tiles(factors[i]).terms() <= apart) {
      const auto left = out.back().lower(), right = factors[i].lower();
      std::vector<std::size_t> in_row(right.shape.rows, 0);
      for (const auto& t : right.triplets) ++in_row[t.row];
      std::size_t terms = 0;  // before equal ones are added up
      for (const auto& t : left.triplets) terms += in_row[t.column];
      if (terms <= 4 * apart) {
        auto matrix = product(left, right);
        if (matrix.triplets.size() <= apart) {
          out.back() = LinearOperator(Pattern(std::move(matrix)));
          continue;
        }
      }
    }
    out.push_back(factors[i]);
  }
  return out;
}

LinearOperator make_product(std::vector<LinearOperator> factors, Complex factor) {
  const bool complex = factor.imag() != 0 || any_complex(factors);
  const bool pixelwise = !complex && std::all_of(factors.begin(), factors.end(), [](const LinearOperator& f) { return f.pixelwise(); });
  Formula f{Kind::product, factors, {factor}, 1, {}};
  const Dims dims = factors.back().dims(), dimsd = factors.front().dimsd();
  const auto parameters = factors.back().parameters();
  Node run;
  if (pixelwise) {
    auto chain = multiplied(factors);
    if (factor != 1.0) {  // into the cheapest matrix of the chain
      const auto cheapest =
          std::min_element(chain.begin(), chain.end(), [](const auto& a, const auto& b) { return tiles(a).cost() < tiles(b).cost(); });
      *cheapest = factor.real() * *cheapest;
    }
    run = chain.size() == 1 ? chain.front().node() : std::make_shared<const TileProduct>(std::move(chain));
    if (const auto* c = dynamic_cast<const Composed*>(run.get())) run = Node(run, &c->run());
  } else {
    run = std::make_shared<const SceneProduct>(std::move(factors), factor);
  }
  return make(std::move(f), std::move(run), dims, dimsd, complex, parameters);
}

LinearOperator make_sum(std::vector<LinearOperator> terms, std::vector<Complex> factors) {
  bool complex = any_complex(terms);
  std::vector<Placed> parts;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    complex = complex || factors[i].imag() != 0;
    parts.push_back({terms[i], factors[i], 0, 0});
  }
  const auto first = terms.front();
  return make({Kind::sum, std::move(terms), std::move(factors), 1, {}}, run_parts(first.shape(), std::move(parts), complex), first.dims(),
              first.dimsd(), complex, first.parameters());
}

// The terms of a sum (the operator itself if it is none), times a factor.
void append_terms(const LinearOperator& op, Complex factor, std::vector<LinearOperator>& terms, std::vector<Complex>& factors) {
  const Formula f = formula(op);
  if (f.kind == Kind::sum) {
    for (std::size_t i = 0; i < f.operands.size(); ++i) {
      terms.push_back(f.operands[i]);
      factors.push_back(factor * f.factors[i]);
    }
  } else {
    terms.push_back(op);
    factors.push_back(factor);
  }
}

// The factors of a product (the operator itself if it is none), and the number before them.
Complex append_factors(const LinearOperator& op, std::vector<LinearOperator>& factors) {
  const Formula f = formula(op);
  if (f.kind == Kind::product || (f.kind == Kind::sum && f.operands.size() == 1)) {
    factors.insert(factors.end(), f.operands.begin(), f.operands.end());
    return f.factors.front();
  }
  factors.push_back(op);
  return 1;
}

// `op` on the grid that the dims of `other` tell, if `op` is pixelwise with `rows` rows on this side and `other` a scene operator.
std::optional<LinearOperator> lifted(const LinearOperator& op, std::size_t rows, const LinearOperator& other, const Dims& dims) {
  if (!op.pixelwise() || other.pixelwise() || dims.size() < 2 || dims.front() != rows) return {};
  return op.over(Dims(dims.begin() + 1, dims.end()));
}

// All parts with the same number of columns (or rows): pixelwise ones are lifted to the grid of a scene operator among them.
void lift_parts(const char* what, std::vector<LinearOperator>& parts, bool columns) {
  const auto count = [&](const LinearOperator& op) { return columns ? op.shape().columns : op.shape().rows; };
  for (const auto& scene : std::vector<LinearOperator>(parts)) {
    if (scene.pixelwise()) continue;
    for (auto& part : parts)
      if (count(part) != count(scene))
        if (auto op = lifted(part, count(part), scene, columns ? scene.dims() : scene.dimsd())) part = *op;
  }
  for (const auto& part : parts)
    if (count(part) != count(parts.front()))
      throw ShapeError(std::string(what) + ": expected operators with equal numbers of " + (columns ? "columns" : "rows") + ", got shapes " +
                       text(parts.front().shape()) + " and " + text(part.shape()) +
                       (part.pixelwise() != parts.front().pixelwise() ? "; lift the pixelwise one with over(grid)" : ""));
}

std::vector<LinearOperator> flattened(std::vector<LinearOperator> parts, Kind kind, const char* what) {
  if (parts.empty()) throw InvalidArgument(std::string(what) + ": expected at least one operator, got none");
  std::vector<LinearOperator> flat;
  for (const auto& p : parts) {
    const Formula f = formula(p);
    if (f.kind == kind) flat.insert(flat.end(), f.operands.begin(), f.operands.end());
    else flat.push_back(p);
  }
  return flat;
}

// Names of the columns of operators side by side; the ones without are numbered.
std::vector<Parameter> joined(const std::vector<LinearOperator>& parts) {
  std::vector<Parameter> all;
  bool named = false;
  for (const auto& p : parts) {
    auto own = p.parameters();
    named = named || !own.empty();
    if (own.empty()) {
      if (p.shape().columns > 10000) return {};
      for (std::size_t c = 0; c < p.shape().columns; ++c) own.push_back({"x" + std::to_string(all.size() + c), ""});
    }
    all.insert(all.end(), own.begin(), own.end());
  }
  return named ? all : std::vector<Parameter>{};
}

}  // namespace

Formula formula(const Operator& op) {
  const Composed* c = composed(op);
  return c ? c->formula() : Formula{};
}

LinearOperator::LinearOperator(std::shared_ptr<const Operator> node) : node_(std::move(node)) {
  if (!node_) throw InvalidArgument("LinearOperator: expected an operator, got none");
  if (const auto* handle = dynamic_cast<const LinearOperator*>(node_.get())) node_ = Node(handle->node());
}

LinearOperator LinearOperator::adjoint() const {
  const Formula f = formula(*this);
  if (f.kind == Kind::adjoint) return f.operands.front();
  Node run = pixelwise() ? Node(std::make_shared<const TileAdjoint>(*this)) : std::make_shared<const SceneAdjoint>(*this);
  return make({Kind::adjoint, {*this}, {}, 1, {}}, std::move(run), dimsd(), dims(), complex());
}

LinearOperator LinearOperator::conjugate() const {
  if (!complex()) return *this;
  const Formula f = formula(*this);
  if (f.kind == Kind::conjugate) return f.operands.front();
  return make({Kind::conjugate, {*this}, {}, 1, {}}, std::make_shared<const SceneConjugate>(*this), dims(), dimsd(), true, parameters());
}

LinearOperator LinearOperator::transpose() const {
  if (!complex()) return adjoint();
  const Formula f = formula(*this);
  if (f.kind == Kind::transpose) return f.operands.front();
  return make({Kind::transpose, {*this}, {}, 1, {}}, conjugate().adjoint().node(), dimsd(), dims(), true);
}

LinearOperator LinearOperator::power(int exponent) const {
  if (shape().rows != shape().columns || exponent < 1)
    throw InvalidArgument("power: expected a square operator and an exponent of 1 or more, got shape " + text(shape()) + " and " +
                          std::to_string(exponent));
  if (exponent == 1) return *this;
  const auto product = make_product(std::vector<LinearOperator>(static_cast<std::size_t>(exponent), *this), 1);
  return make({Kind::power, {*this}, {}, exponent, {}}, product.node(), dims(), dimsd(), complex(), parameters());
}

LinearOperator LinearOperator::over(Dims grid) const {
  if (!pixelwise())
    throw InvalidArgument(complex() ? "over: expected a real operator, got a complex one; lift it before it meets complex numbers"
                                    : "over: expected a pixelwise operator, got " + name() + ", which has a grid of its own");
  const std::size_t n = product(grid);
  if (pixels() != 0 && pixels() != n)
    throw ShapeError("over: expected a grid of " + std::to_string(pixels()) + " pixels, for which the operator has fields, got " + std::to_string(n));
  Dims dims{shape().columns}, dimsd{shape().rows};
  dims.insert(dims.end(), grid.begin(), grid.end());
  dimsd.insert(dimsd.end(), grid.begin(), grid.end());
  return make({Kind::over, {*this}, {}, 1, grid}, std::make_shared<const Over>(*this, n), dims, dimsd, complex());
}

#define LOPSAR_FORWARD(T)                                                                                       \
  void LinearOperator::forward(ConstBlock<T> x, Block<T> y, int threads) const { node_->apply(x, y, threads); } \
  void LinearOperator::adjoint(ConstBlock<T> y, Block<T> x, int threads) const { node_->apply_adjoint(y, x, threads); }
LOPSAR_FORWARD(float)
LOPSAR_FORWARD(double)
LOPSAR_FORWARD(std::complex<float>)
LOPSAR_FORWARD(std::complex<double>)
#undef LOPSAR_FORWARD

LinearOperator operator*(const LinearOperator& a, const LinearOperator& b) {
  if (a.shape().columns != b.shape().rows) {
    if (auto left = lifted(a, a.shape().columns, b, b.dimsd())) return *left * b;
    if (auto right = lifted(b, b.shape().rows, a, a.dims())) return a * *right;
    throw ShapeError("product: expected a second operator with " + std::to_string(a.shape().columns) + " rows, got shapes " + text(a.shape()) +
                     " and " + text(b.shape()) + "; check the order of the factors" +
                     (a.pixelwise() != b.pixelwise() ? " or lift the pixelwise one with over(grid)" : ""));
  }
  std::vector<LinearOperator> factors;
  const Complex left = append_factors(a, factors);
  // A complex number does not pass an operator that is not linear over the complex numbers.
  const bool passes = std::all_of(factors.begin(), factors.end(), [](const LinearOperator& f) { return f.clinear(); });
  std::vector<LinearOperator> behind;
  Complex right = append_factors(b, behind);
  if (!passes && right.imag() != 0) behind.assign(1, b), right = 1;
  factors.insert(factors.end(), behind.begin(), behind.end());
  return make_product(std::move(factors), left * right);
}

LinearOperator operator+(const LinearOperator& a, const LinearOperator& b) {
  std::vector<LinearOperator> both{a, b};
  lift_parts("sum", both, true);
  lift_parts("sum", both, false);
  std::vector<LinearOperator> terms;
  std::vector<Complex> factors;
  for (const auto& op : both) append_terms(op, 1, terms, factors);
  return make_sum(std::move(terms), std::move(factors));
}

LinearOperator operator-(const LinearOperator& a) { return -1.0 * a; }
LinearOperator operator-(const LinearOperator& a, const LinearOperator& b) { return a + (-b); }
LinearOperator operator*(double factor, const LinearOperator& a) { return Complex(factor) * a; }

LinearOperator operator*(std::complex<double> factor, const LinearOperator& a) {
  if (!std::isfinite(factor.real()) || !std::isfinite(factor.imag()))
    throw InvalidArgument("scaling: expected a finite number, got " + std::to_string(factor.real()) + " + " + std::to_string(factor.imag()) + "i");
  if (const Formula f = formula(a); f.kind == Kind::product) return make_product(f.operands, factor * f.factors.front());
  std::vector<LinearOperator> terms;
  std::vector<Complex> factors;
  append_terms(a, factor, terms, factors);
  return make_sum(std::move(terms), std::move(factors));
}

LinearOperator vstack(std::vector<LinearOperator> parts) {
  parts = flattened(std::move(parts), Kind::vstack, "vstack");
  lift_parts("vstack", parts, true);
  const bool complex = any_complex(parts);
  Shape shape{0, parts.front().shape().columns};
  std::vector<Placed> placed;
  std::vector<Parameter> parameters;
  Dims dims = parts.front().dims();
  for (const auto& p : parts) {
    placed.push_back({p, 1, shape.rows, 0});
    shape.rows += p.shape().rows;
    if (parameters.empty()) parameters = p.parameters();
    if (p.dims() != dims) dims = {shape.columns};
  }
  return make({Kind::vstack, std::move(parts), {}, 1, {}}, run_parts(shape, std::move(placed), complex), dims, {shape.rows}, complex,
              std::move(parameters));
}

LinearOperator hstack(std::vector<LinearOperator> parts) {
  parts = flattened(std::move(parts), Kind::hstack, "hstack");
  lift_parts("hstack", parts, false);
  const bool complex = any_complex(parts);
  Shape shape{parts.front().shape().rows, 0};
  std::vector<Placed> placed;
  Dims dimsd = parts.front().dimsd();
  for (const auto& p : parts) {
    placed.push_back({p, 1, 0, shape.columns});
    shape.columns += p.shape().columns;
    if (p.dimsd() != dimsd) dimsd = {shape.rows};
  }
  auto parameters = joined(parts);
  return make({Kind::hstack, std::move(parts), {}, 1, {}}, run_parts(shape, std::move(placed), complex), {shape.columns}, dimsd, complex,
              std::move(parameters));
}

LinearOperator block_diag(std::vector<LinearOperator> parts) {
  parts = flattened(std::move(parts), Kind::block_diag, "block_diag");
  const bool complex = any_complex(parts);
  Shape shape{0, 0};
  std::vector<Placed> placed;
  for (const auto& p : parts) {
    placed.push_back({p, 1, shape.rows, shape.columns});
    shape.rows += p.shape().rows;
    shape.columns += p.shape().columns;
  }
  auto parameters = joined(parts);
  return make({Kind::block_diag, std::move(parts), {}, 1, {}}, run_parts(shape, std::move(placed), complex), {shape.columns}, {shape.rows}, complex,
              std::move(parameters));
}

LinearOperator block(std::vector<std::vector<LinearOperator>> rows) {
  std::vector<LinearOperator> stacked;
  for (auto& row : rows) stacked.push_back(hstack(std::move(row)));
  return vstack(std::move(stacked));
}

LinearOperator kronecker(const LinearOperator& a, const LinearOperator& b) {
  const bool complex = a.complex() || b.complex();
  Node run;
  if (!complex && a.pixelwise() && b.pixelwise()) run = std::make_shared<const TileKronecker>(a, b);
  else if (a.pixels() == 0) run = std::make_shared<const SceneKronecker>(a, b);
  else
    throw ShapeError("kronecker: expected a first operator without fields beside one that couples pixels, got " + a.name() + " with fields of " +
                     std::to_string(a.pixels()) + " pixels; lift it with over(grid)");
  const Dims dims{run->shape().columns}, dimsd{run->shape().rows};
  return make({Kind::kronecker, {a, b}, {}, 1, {}}, std::move(run), dims, dimsd, complex);
}

namespace {

template <class T>
std::vector<T> dense(const Operator& op) {
  const auto [rows, columns] = op.shape();
  std::vector<T> matrix(rows * columns);
  if (op.pixels() > 1)
    throw InvalidArgument("todense: expected an operator without fields, got one with fields of " + std::to_string(op.pixels()) +
                          " pixels; every pixel has a matrix of its own: lower() gives the pattern");
  // Some columns of the identity at a time.
  const std::size_t some = op.pixels() == 1 ? 1 : std::max<std::size_t>(1, std::min<std::size_t>(columns, 64));
  for (std::size_t from = 0; from < columns; from += some) {
    const std::size_t n = std::min(some, columns - from);
    Whole<T> unit(columns, n), out(rows, n);
    clear(unit.block);
    for (std::size_t c = 0; c < n; ++c) unit.block.row(from + c)[c] = T(1);
    op.apply(unit.block, out.block);
    for (std::size_t i = 0; i < rows; ++i) std::copy_n(out.block.row(i), n, matrix.data() + i * columns + from);
  }
  return matrix;
}

}  // namespace

std::vector<double> todense(const Operator& op) { return dense<double>(op); }
std::vector<std::complex<double>> todense_complex(const Operator& op) { return dense<std::complex<double>>(op); }

}  // namespace lopsar
