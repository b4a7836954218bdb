#include <lopsar/solvers/givens.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace lopsar::detail {

Givens::Givens(const System& system, const Cholesky& cholesky) : position_(cholesky.order().size()), column_(cholesky.order()) {
  for (std::size_t q = 0; q < column_.size(); ++q) position_[static_cast<std::size_t>(column_[q])] = static_cast<int>(q);
  const int* next = cholesky.program<double>().forward;
  int factor = 0;
  for (std::size_t q = 0; q < column_.size(); ++q) {
    const int m = next[1];
    neighbor_start_.push_back(static_cast<int>(neighbor_.size()));
    factor_.push_back(factor);
    for (int a = 0; a < m; ++a) neighbor_.push_back(position_[static_cast<std::size_t>(next[2 + a])]);
    factor += m + 2;
    next += m + 2;
  }
  neighbor_start_.push_back(static_cast<int>(neighbor_.size()));

  constexpr int none = std::numeric_limits<int>::max();
  std::vector<int> first(static_cast<std::size_t>(system.rows()), none);
  for (const auto& e : system.entries()) {
    int& f = first[static_cast<std::size_t>(e.row)];
    f = std::min(f, position_[static_cast<std::size_t>(e.column)]);
  }
  for (int k = 0; k < system.rows(); ++k) row_.push_back(k);
  std::stable_sort(row_.begin(), row_.end(), [&](int a, int b) { return first[static_cast<std::size_t>(a)] < first[static_cast<std::size_t>(b)]; });
  for (const int k : row_) {
    const int f = first[static_cast<std::size_t>(k)];
    first_.push_back(f == none ? -1 : f);
  }
}

}  // namespace lopsar::detail
