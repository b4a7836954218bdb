// The symbolic part of the sparse Cholesky factorization: worked out once per System, run by every pixel. Internal.
#pragma once
#include <cstddef>
#include <vector>

#include <lopsar/solvers/elimination.hpp>
#include <lopsar/solvers/kernels/cholesky.hpp>
#include <lopsar/solvers/system.hpp>

namespace lopsar::detail {

// Structure of N = A'W A with the priors, order of elimination, and what substitution needs. The order is the natural one, approximate minimum
// degree, or the natural one with dense columns last: the one predicted to cost least.
class CholeskyStructure {
 public:
  // block: per column, or empty for one block; entries of N between columns of different blocks are left out. Each column a block of its own: Jacobi.
  explicit CholeskyStructure(const System& system, const std::vector<int>& block = {});

  // To substitute with; points into this object.
  template <class T>
  kernels::CholeskyProgram<T> program() const {
    return {columns(), factor_rows_, 0, nullptr, nullptr, forward_.data(), backward_.data()};
  }
  int columns() const { return static_cast<int>(elimination_.order.size()); }
  const std::vector<int>& order() const { return elimination_.order; }        // columns as eliminated
  const std::vector<int>& position() const { return elimination_.position; }  // and back
  const Structure& neighbors() const { return elimination_.neighbors; }       // at elimination, by position
  int degree(int position) const { return static_cast<int>(neighbors()[static_cast<std::size_t>(position)].size()); }
  int factor_rows() const { return factor_rows_; }  // what factorize() leaves for substitute()

 private:
  Elimination elimination_;
  int factor_rows_ = 0;
  std::vector<int> forward_, backward_;
};

// The same with the program that assembles and eliminates N.
class Cholesky : public CholeskyStructure {
 public:
  explicit Cholesky(const System& system, const std::vector<int>& block = {});

  template <class T>
  kernels::CholeskyProgram<T> program() const {
    auto program = CholeskyStructure::program<T>();
    if constexpr (sizeof(T) == 4) program.coefficient = coefficient_float_.data();
    else program.coefficient = coefficient_.data();
    program.calls = calls_, program.code = code_.data();
    return program;
  }
  int slot_rows() const { return slot_rows_; }                      // scratch of factorize()
  int neighbor_rows() const { return degree_; }                     // likewise
  std::size_t multiplications() const { return multiplications_; }  // of assembly and elimination, per pixel

 private:
  int slot_rows_ = 0, degree_ = 0, calls_ = 0;
  std::size_t multiplications_ = 0;
  std::vector<int> code_;
  std::vector<double> coefficient_;
  std::vector<float> coefficient_float_;
};

}  // namespace lopsar::detail
