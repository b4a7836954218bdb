// The symbolic part of QR: worked out once per System, run by every pixel. Internal.
#pragma once
#include <vector>

#include <lopsar/solvers/cholesky.hpp>
#include <lopsar/solvers/kernels/givens.hpp>

namespace lopsar::detail {

// Order and structure are those of the Cholesky factor. Rows are taken in the order of their first column, so that a band costs rows * band^2.
class Givens {
 public:
  Givens(const System& system, const CholeskyStructure& cholesky);

  // Points into this object.
  kernels::GivensProgram program() const {
    return {static_cast<int>(row_.size()),
            static_cast<int>(position_.size()),
            row_.data(),
            first_.data(),
            position_.data(),
            column_.data(),
            factor_.data(),
            neighbor_start_.data(),
            neighbor_.data()};
  }

 private:
  std::vector<int> row_, first_, position_, column_, factor_, neighbor_start_, neighbor_;
};

}  // namespace lopsar::detail
