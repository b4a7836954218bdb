// A stencil ready to run: its rows, what is done to each, and the loop over them on all threads.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include <lopsar/operators/axis_matrix.hpp>
#include <lopsar/operators/field.hpp>

namespace lopsar::cpu {

// Rows of the last axis that are done alike: together where a run is long, one by one where every row has taps of its own.
struct Segment {
  std::size_t first;     // run
  std::size_t from, to;  // rows
  bool gather;
};

// y[o] = sum of terms; see Stencil.
struct StencilProgram {
  using Term = AxisTerm;
  Dims in, out;                                 // the grid of model and data
  std::size_t inputs, outputs;                  // planes
  std::vector<Term> terms;                      // by output
  std::vector<std::size_t> part;                // terms of output o: part[o] .. part[o + 1]
  std::size_t axis = 0;                         // the last axis of all terms
  std::vector<std::vector<Segment>> last_axis;  // per output
  std::vector<char> merged;                     // per output: several terms, which share the values on the diagonal
  bool gathers = false;                         // there are rows to gather

  StencilProgram(Dims in_grid, Dims out_grid, std::size_t n_inputs, std::size_t n_outputs, std::vector<Term> all);
  std::shared_ptr<const StencilProgram> transposed() const;
  // x (inputs, *in, k) to y (outputs, *out, k), k right-hand sides.
  template <class T>
  void run(const T* x, T* y, std::size_t k, int threads) const;
};

}  // namespace lopsar::cpu
