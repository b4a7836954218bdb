// The options of a solve, checked and laid out for the kernels. Internal.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include <lopsar/solvers/cpu/system.hpp>
#include <lopsar/solvers/solve.hpp>
#include <lopsar/solvers/system.hpp>

namespace lopsar::detail {

// Whether every pixel has the same weights, missing rows and matrix is for the solver to find out; this only says where things lie.
template <class S>
struct Problem {
  System system;
  std::vector<cpu::RowSource<S>> sources;  // one per row of the system
};

// y: (K, pixels), or a null block where there are no data (normal solves). ShapeError where blocks do not fit the model.
template <class S>
Problem<S> make_problem(const LinearOperator& model, ConstBlock<S> y, ConstBlock<S> weights, const std::vector<Prior<S>>& priors, std::size_t pixels);

// A task with everything that does not depend on the method. output blocks are checked.
template <class S, class T>
cpu::SystemTask<S, T> make_task(const Problem<S>& problem, std::size_t pixels, const SolveOutput<S>& output, const SolveOptions<S>& options);

// Row i of a prior of `rows` rows. ShapeError where data or weights have other shapes than (rows, pixels), (rows, 1) or none.
template <class S>
cpu::RowSource<S> row_source(const std::string& name, ConstBlock<S> data, ConstBlock<S> weights, std::size_t rows, std::size_t pixels, std::size_t i);

// ShapeError unless the block is (rows, pixels).
template <class S>
void check_block(const char* name, const Block<S>& block, std::size_t rows, std::size_t pixels);

}  // namespace lopsar::detail
