#include <lopsar/solvers/elimination.hpp>

#include <set>
#include <utility>

#include <Eigen/OrderingMethods>
#include <Eigen/SparseCore>

namespace lopsar::detail {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

Elimination fill_in(const std::vector<int>& order, const Structure& beside) {
  Elimination e{order, std::vector<int>(order.size()), Structure(order.size())};
  for (std::size_t q = 0; q < order.size(); ++q) e.position[at(order[q])] = static_cast<int>(q);
  std::vector<std::set<int>> later(order.size());
  for (std::size_t j = 0; j < beside.size(); ++j)
    for (const int i : beside[j])
      if (e.position[at(i)] > e.position[j]) later[at(e.position[j])].insert(e.position[at(i)]);
  for (std::size_t q = 0; q < order.size(); ++q) {
    auto& neighbors = e.neighbors[q];
    neighbors.assign(later[q].begin(), later[q].end());
    // What a column leaves to the first of its neighbors reaches the others from there.
    if (!neighbors.empty()) later[at(neighbors[0])].insert(neighbors.begin() + 1, neighbors.end());
    later[q].clear();
  }
  return e;
}

std::size_t total(const Structure& neighbors, std::size_t (*cost)(std::size_t)) {
  std::size_t sum = 0;
  for (const auto& n : neighbors) sum += cost(n.size());
  return sum;
}

}  // namespace

Elimination cheapest(const Structure& beside, const std::vector<std::vector<int>>& orders, std::size_t (*cost)(std::size_t)) {
  Elimination best = fill_in(orders.front(), beside);
  for (std::size_t o = 1; o < orders.size(); ++o) {
    auto candidate = fill_in(orders[o], beside);
    if (10 * total(candidate.neighbors, cost) < 9 * total(best.neighbors, cost)) best = std::move(candidate);
  }
  return best;
}

std::vector<int> minimum_degree(const Structure& beside, int last) {
  const int columns = static_cast<int>(beside.size()) - (last >= 0 ? 1 : 0);
  const auto index = [&](int column) { return column - (last >= 0 && column > last ? 1 : 0); };
  std::vector<Eigen::Triplet<double>> entries;
  for (int j = 0; j < static_cast<int>(beside.size()); ++j) {
    if (j == last) continue;
    entries.emplace_back(index(j), index(j), 1.0);
    for (const int i : beside[at(j)])
      if (i != last) entries.emplace_back(index(i), index(j), 1.0);
  }
  Eigen::SparseMatrix<double> pattern(columns, columns);
  pattern.setFromTriplets(entries.begin(), entries.end());
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, int> permutation;
  Eigen::AMDOrdering<int>()(pattern, permutation);
  std::vector<int> order;
  for (int q = 0; q < columns; ++q) {
    const int j = permutation.indices()[q];
    order.push_back(j + (last >= 0 && j >= last ? 1 : 0));
  }
  if (last >= 0) order.push_back(last);
  return order;
}

}  // namespace lopsar::detail
