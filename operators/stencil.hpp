// Sums of matrices along axes: what finite differences, smoothing, interpolation and copies have in common.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <lopsar/operators/axis_matrix.hpp>
#include <lopsar/operators/scene_operator.hpp>

namespace lopsar {
namespace cpu {
struct StencilProgram;
}

// y[o] = sum of A x[i] over the terms (o, i, axis, A), A acting along that axis of a grid; o and i count the planes of data and model.
//
// The adjoint is the same sum with transposed matrices, so both run through one kernel: row by row, every value the sum of its taps, x read once
// from memory (its neighbors lie in the cache) and y written once. Derive from it to name an operator: the constructor works out the terms.
class Stencil : public SceneOperator<Stencil> {
 public:
  using Term = AxisTerm;
  // One plane in, one plane out, one matrix along `axis` of `grid` (matrix.columns long there; matrix.rows in the data).
  Stencil(const Dims& grid, std::size_t axis, AxisMatrix matrix, std::string name);
  // The same under other dims with as many values, e.g. where the matrix acts on two axes at once.
  Stencil(const Dims& grid, std::size_t axis, AxisMatrix matrix, Dims dims, Dims dimsd, std::string name);
  // Planes of equal shape `grid`; square matrices, at most one per output and axis. dims and dimsd: (planes, *grid), or grid if they say so.
  Stencil(const Dims& grid, std::vector<Term> terms, Dims dims, Dims dimsd, std::string name);

  // The entries of the matrix along the axis of an operator that maps (n) to (m); one of them at every pixel is a Pattern. InvalidArgument for
  // others.
  std::vector<Triplet> triplets() const;

 private:
  friend SceneOperator<Stencil>;
  template <class T>
  void array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const;

  std::shared_ptr<const cpu::StencilProgram> forward_, adjoint_;
};

}  // namespace lopsar
