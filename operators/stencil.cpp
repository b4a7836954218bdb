#include <lopsar/operators/stencil.hpp>

#include <algorithm>

#include <lopsar/operators/cpu/stencil_program.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

Dims with_axis(Dims grid, std::size_t axis, std::size_t n) {
  grid[axis] = n;
  return grid;
}

}  // namespace

Stencil::Stencil(const Dims& grid, std::size_t axis, AxisMatrix matrix, std::string name)
    : Stencil(grid, axis, matrix, grid, with_axis(grid, axis, matrix.rows), std::move(name)) {}

Stencil::Stencil(const Dims& grid, std::size_t axis, AxisMatrix matrix, Dims dims, Dims dimsd, std::string name)
    : SceneOperator(std::move(dims), std::move(dimsd), std::move(name)) {
  matrix.check(this->name().c_str());
  const Dims out = with_axis(grid, axis, matrix.rows);
  std::vector<Term> terms;
  terms.push_back({0, 0, axis, std::move(matrix)});
  forward_ = std::make_shared<const cpu::StencilProgram>(grid, out, 1, 1, std::move(terms));
  adjoint_ = forward_->transposed();
}

Stencil::Stencil(const Dims& grid, std::vector<Term> terms, Dims dims, Dims dimsd, std::string name)
    : SceneOperator(std::move(dims), std::move(dimsd), std::move(name)) {
  const std::size_t n = product(grid);
  for (const Term& term : terms) {
    term.matrix.check(this->name().c_str());
    if (std::any_of(term.matrix.taps.begin(), term.matrix.taps.end(), [](const Tap& tap) { return tap.backward; }))
      throw InvalidArgument(this->name() + ": expected taps that run forward in a sum of several terms");
  }
  forward_ = std::make_shared<const cpu::StencilProgram>(grid, grid, product(this->dims()) / n, product(this->dimsd()) / n, std::move(terms));
  adjoint_ = forward_->transposed();
}

std::vector<Triplet> Stencil::triplets() const {
  if (dims().size() != 1 || dimsd().size() != 1) throw InvalidArgument(name() + ": expected an operator on one axis, got several axes");
  const AxisMatrix& matrix = forward_->terms.front().matrix;
  std::vector<Triplet> result;
  for (const TapRun& run : matrix.runs)
    for (std::size_t i = run.from; i < run.to; ++i)
      for (std::size_t t = run.first; t < run.last; ++t)
        result.push_back({i, static_cast<std::size_t>(AxisMatrix::column(matrix.taps[t], i)), matrix.taps[t].value});
  return result;
}

template <class T>
void Stencil::array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const {
  (adjoint ? adjoint_ : forward_)->run(from, to, k, threads);
}
template void Stencil::array(const float*, float*, std::size_t, bool, int) const;
template void Stencil::array(const double*, double*, std::size_t, bool, int) const;

}  // namespace lopsar
