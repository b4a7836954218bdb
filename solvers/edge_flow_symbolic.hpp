// The arrays of a symbolic program; the kernels see them as EdgeFlowProgram.
#pragma once
#include <cstdint>
#include <vector>

#include <lopsar/solvers/kernels/edge_flow.hpp>

namespace lopsar::detail {

// Rows of data and weights: the pairs, which are observations, and after them the edges of priors.
struct EdgeFlowSymbolic {
  int dates = 0, pairs = 0, edges = 0, slots = 0, factors = 0, max_degree = 0, merges = 0;
  std::size_t pair_updates = 0;
  std::vector<std::size_t> order;
  std::vector<float> sign;     // per edge: +1 if the file's orientation is that of the elimination
  std::vector<double> pseudo;  // as EdgeFlowProgram, relative to pseudo_weight
  std::vector<std::int32_t> merge, eliminate, substitute, residual, incident;
  std::vector<std::int16_t> merge16, eliminate16, substitute16, residual16;  // the same where 15 bits hold every index
  bool narrow = true;

  template <class I>
  kernels::EdgeFlowProgram<I> program() const {
    const int root = static_cast<int>(order.back());
    if constexpr (sizeof(I) == 2) return {dates, root, dates - 1, merges, merge16.data(), eliminate16.data(), substitute16.data(), residual16.data()};
    else return {dates, root, dates - 1, merges, merge.data(), eliminate.data(), substitute.data(), residual.data()};
  }
};

}  // namespace lopsar::detail
