// The symbolic part of the sparse Cholesky factorization: worked out once per System, run by every pixel. Internal.
#pragma once
#include <cstddef>
#include <vector>

#include <lopsar/solvers/kernels/cholesky.hpp>
#include <lopsar/solvers/system.hpp>

namespace lopsar::detail {

// Structure of N = A'W A with the priors, order of elimination, and the program of it. The order is the natural one, approximate minimum degree, or
// the natural one with dense columns last: the one predicted to cost least.
class Cholesky {
 public:
  // block: per column, or empty for one block; entries of N between columns of different blocks are left out. Each column a block of its own: Jacobi.
  explicit Cholesky(const System& system, const std::vector<int>& block = {});

  template <class T>
  kernels::CholeskyProgram<T> program() const {
    const T* c;
    if constexpr (sizeof(T) == 4) c = coefficient_float_.data();
    else c = coefficient_.data();
    return {columns_, factor_rows_, calls_, code_.data(), c, forward_.data(), backward_.data()};
  }
  int columns() const { return columns_; }
  const std::vector<int>& order() const { return order_; }                                 // columns as eliminated
  int degree(int position) const { return degrees_[static_cast<std::size_t>(position)]; }  // neighbors at elimination
  int slot_rows() const { return slot_rows_; }                                             // scratch of factorize()
  int neighbor_rows() const { return degree_; }                                            // likewise
  int factor_rows() const { return factor_rows_; }                                         // what it leaves for substitute()
  std::size_t multiplications() const { return multiplications_; }                         // of assembly and elimination, per pixel

 private:
  int columns_ = 0, slot_rows_ = 0, factor_rows_ = 0, degree_ = 0, calls_ = 0;
  std::size_t multiplications_ = 0;
  std::vector<int> order_, degrees_, code_, forward_, backward_;
  std::vector<double> coefficient_;
  std::vector<float> coefficient_float_;
};

}  // namespace lopsar::detail
