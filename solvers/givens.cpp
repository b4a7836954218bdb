#include <lopsar/solvers/givens.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace lopsar::detail {

Givens::Givens(const System& system, const CholeskyStructure& cholesky) : position_(cholesky.position()), column_(cholesky.order()) {
  int factor = 0;
  for (const auto& neighbors : cholesky.neighbors()) {
    neighbor_start_.push_back(static_cast<int>(neighbor_.size()));
    factor_.push_back(factor);
    neighbor_.insert(neighbor_.end(), neighbors.begin(), neighbors.end());
    factor += static_cast<int>(neighbors.size()) + 2;
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
