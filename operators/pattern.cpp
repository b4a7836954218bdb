#include <lopsar/operators/pattern.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include <lopsar/operators/cpu/pattern.hpp>
#include <lopsar/operators/cpu/tile_scratch.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {

// The matrix as the kernel walks it.
struct Pattern::Program {
  std::vector<int> row_start, group_start, factor, column;
  std::vector<float> coefficient_float;
  std::vector<double> coefficient_double;
  std::vector<unsigned char> twin;
  bool reads_again = false;  // some column belongs to more than one row

  // The matrix or its transpose, with the same numbers of factors. A row's terms are sorted by factor, so that a factor is read once per row.
  Program(const Lowering& matrix, bool transpose) {
    auto triplets = matrix.triplets;
    const auto [rows, columns] = transpose ? Shape{matrix.shape.columns, matrix.shape.rows} : matrix.shape;
    if (transpose)
      for (auto& t : triplets) std::swap(t.row, t.column);
    std::sort(triplets.begin(), triplets.end(),
              [](const Triplet& a, const Triplet& b) { return std::tie(a.row, a.factor, a.column) < std::tie(b.row, b.factor, b.column); });
    row_start.push_back(0);
    std::vector<bool> used(columns);
    const auto close_rows = [&](std::size_t row) {
      while (row_start.size() <= row) row_start.push_back(static_cast<int>(group_start.size()));
    };
    for (std::size_t e = 0; e < triplets.size(); ++e) {
      const auto& t = triplets[e];
      close_rows(t.row);
      if (e == 0 || triplets[e - 1].row != t.row || triplets[e - 1].factor != t.factor) {
        group_start.push_back(static_cast<int>(e));
        factor.push_back(t.factor);
      }
      column.push_back(static_cast<int>(t.column));
      // Not infinite beyond the range of float: infinity times zero is NaN.
      constexpr double largest = std::numeric_limits<float>::max();
      coefficient_float.push_back(static_cast<float>(std::clamp(t.coefficient, -largest, largest)));
      coefficient_double.push_back(t.coefficient);
      reads_again = reads_again || used[t.column];
      used[t.column] = true;
    }
    close_rows(rows);
    group_start.push_back(static_cast<int>(triplets.size()));
    twin.assign(rows, 0);
    const auto columns_of = [&](std::size_t i) {
      const auto g = static_cast<std::size_t>(row_start[i]);
      return std::span(column).subspan(static_cast<std::size_t>(group_start[g]), static_cast<std::size_t>(group_start[g + 1] - group_start[g]));
    };
    const auto single = [&](std::size_t i) { return row_start[i + 1] - row_start[i] == 1; };
    for (std::size_t i = 0; i + 1 < rows; ++i)
      if (single(i) && single(i + 1) && std::ranges::equal(columns_of(i), columns_of(i + 1))) twin[i++] = 1;
  }
  template <class T>
  cpu::PatternRows<T> rows() const {
    const T* coefficient;
    if constexpr (std::is_same_v<T, float>) coefficient = coefficient_float.data();
    else coefficient = coefficient_double.data();
    return {row_start.size() - 1, row_start.data(), group_start.data(), factor.data(), column.data(), coefficient, twin.data()};
  }
};

Pattern::Pattern(Lowering matrix, std::string name, std::vector<Parameter> parameters) : name_(std::move(name)), parameters_(std::move(parameters)) {
  const auto say = [&](const Triplet& t) {
    return name_ + ": entry (" + std::to_string(t.row) + ", " + std::to_string(t.column) + ") of a " + std::to_string(matrix.shape.rows) + " x " +
           std::to_string(matrix.shape.columns) + " matrix";
  };
  constexpr std::size_t most = std::numeric_limits<int>::max();  // the kernel counts in int
  if (matrix.shape.rows > most || matrix.shape.columns > most || matrix.triplets.size() > most)
    throw InvalidArgument(name_ + ": expected at most " + std::to_string(most) + " rows, columns and entries, got " +
                          std::to_string(matrix.shape.rows) + ", " + std::to_string(matrix.shape.columns) + " and " +
                          std::to_string(matrix.triplets.size()));
  for (const auto& t : matrix.triplets) {
    if (t.row >= matrix.shape.rows || t.column >= matrix.shape.columns) throw InvalidArgument(say(t) + ": expected indices inside the shape");
    if (!std::isfinite(t.coefficient)) throw InvalidArgument(say(t) + ": expected a finite coefficient, got " + std::to_string(t.coefficient));
    if (t.factor >= static_cast<int>(matrix.factors.size()))
      throw InvalidArgument(say(t) + ": expected one of " + std::to_string(matrix.factors.size()) + " factors, got " + std::to_string(t.factor));
  }
  for (const auto& f : matrix.fields)
    if (f.pixels() != matrix.pixels())
      throw ShapeError(name_ + ": expected fields of equal numbers of pixels, got " + std::to_string(matrix.pixels()) + " and " +
                       std::to_string(f.pixels()));
  for (const auto& factor : matrix.factors)
    for (const auto& r : factor)
      if (r.field < 0 || static_cast<std::size_t>(r.field) >= matrix.fields.size() ||
          r.row >= matrix.fields[static_cast<std::size_t>(r.field)].rows())
        throw InvalidArgument(name_ + ": expected factors of the " + std::to_string(matrix.fields.size()) + " fields, got row " +
                              std::to_string(r.row) + " of field " + std::to_string(r.field));
  if (!parameters_.empty() && parameters_.size() != matrix.shape.columns)
    throw ShapeError(name_ + ": expected " + std::to_string(matrix.shape.columns) + " parameters, one per column, got " +
                     std::to_string(parameters_.size()));
  matrix.compress();
  forward_ = std::make_shared<const Program>(matrix, false);
  adjoint_ = std::make_shared<const Program>(matrix, true);
  matrix_ = std::make_shared<const Lowering>(std::move(matrix));
}

Pattern::Pattern(Shape shape, std::vector<Triplet> triplets, std::string name, std::vector<Parameter> parameters)
    : Pattern(Lowering(shape, std::move(triplets)), std::move(name), std::move(parameters)) {}

std::size_t Pattern::cached_rows(bool adjoint) const {
  if (adjoint) return adjoint_->reads_again ? shape().rows : 0;
  return forward_->reads_again ? shape().columns : 0;
}

template <class T>
void Pattern::run(const Program& program, ConstBlock<T> in, Block<T> out, Tile tile) const {
  static thread_local std::vector<const T*> values;
  const auto& factors = matrix_->factors;
  // A factor that is one row of a field in the same precision is read where it lies, others are evaluated here.
  std::size_t evaluated = 0;
  const auto direct = [&](const std::vector<FieldRow>& f) {
    return f.size() == 1 ? matrix_->fields[static_cast<std::size_t>(f[0].field)].as<T>() : nullptr;
  };
  for (const auto& f : factors) evaluated += direct(f) == nullptr;
  const cpu::TileScratch scratch(evaluated, out.pixels, sizeof(T));
  auto block = scratch.block<T>();
  values.clear();
  evaluated = 0;
  for (const auto& f : factors) {
    if (const auto* field = direct(f)) {
      values.push_back(field->row(f[0].row) + tile.first);
      continue;
    }
    T* row = block.row(evaluated++);
    for (std::size_t r = 0; r < f.size(); ++r) {
      const Field& field = matrix_->fields[static_cast<std::size_t>(f[r].field)];
      if (r == 0) field.read(f[r].row, tile.first, out.pixels, row);
      else field.multiply(f[r].row, tile.first, out.pixels, row);
    }
    values.push_back(row);
  }
  cpu::pattern_kernel<T>(lanes::active_level())(program.rows<T>(), values.data(), in, out, tile.stream, tile.ahead);
}

void Pattern::forward_tile(ConstBlock<float> x, Block<float> y, Tile tile) const { run(*forward_, x, y, tile); }
void Pattern::forward_tile(ConstBlock<double> x, Block<double> y, Tile tile) const { run(*forward_, x, y, tile); }
void Pattern::adjoint_tile(ConstBlock<float> y, Block<float> x, Tile tile) const { run(*adjoint_, y, x, tile); }
void Pattern::adjoint_tile(ConstBlock<double> y, Block<double> x, Tile tile) const { run(*adjoint_, y, x, tile); }

}  // namespace lopsar
