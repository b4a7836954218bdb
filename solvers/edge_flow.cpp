#include <lopsar/solvers/edge_flow.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/edge_flow_symbolic.hpp>
#include <lopsar/solvers/elimination.hpp>

namespace lopsar {
namespace {

using Edge = std::pair<int, int>;  // two dates

// Operations of a date: five per pair of neighbors (two loads, three multiply-adds), four per neighbor.
std::size_t cost(std::size_t neighbors) { return neighbors * (neighbors - 1) / 2 * 5 + neighbors * 4; }

// From both ends of time towards the root: with the first date as root, simply from the last date down.
std::vector<int> date_order(int dates, int root) {
  std::vector<int> order;
  for (int v = dates - 1; v > root; --v) order.push_back(v);
  for (int v = 0; v <= root; ++v) order.push_back(v);
  return order;
}

std::map<Edge, double> pseudo_edges(const Network& network, NullSpace null_space, std::size_t norm_date) {
  std::map<Edge, double> edges;
  const int dates = static_cast<int>(network.dates().size());
  const auto& days = network.days();
  if (null_space == NullSpace::minimum_norm_velocity) {
    double shortest = std::numeric_limits<double>::infinity();
    for (std::size_t j = 1; j < days.size(); ++j) shortest = std::min(shortest, days[j] - days[j - 1]);
    for (int j = 1; j < dates; ++j) {
      const double ratio = shortest / (days[static_cast<std::size_t>(j)] - days[static_cast<std::size_t>(j) - 1]);
      edges[{j - 1, j}] = ratio * ratio;
    }
  } else if (null_space == NullSpace::minimum_norm_phase) {
    const int norm = static_cast<int>(norm_date);
    for (int j = 0; j < dates; ++j)
      if (j != norm) edges[{std::min(norm, j), std::max(norm, j)}] = 1.0;
  }
  return edges;
}

template <class Narrow, class Wide>
bool narrowed(const Wide& wide, Narrow& narrow) {
  constexpr auto limit = std::numeric_limits<std::int16_t>::max();
  narrow.clear();
  for (const auto i : wide) {
    if (i > limit || i < -limit) return false;
    narrow.push_back(static_cast<std::int16_t>(i));
  }
  return true;
}

}  // namespace

EdgeFlow::EdgeFlow(const Network& network, NullSpace null_space, std::size_t root_date, std::size_t norm_date,
                   const std::vector<Network::Pair>& priors)
    : null_space_(null_space) {
  const int dates = static_cast<int>(network.dates().size());
  const int root = static_cast<int>(root_date);
  if (std::max(root_date, norm_date) >= network.dates().size())
    throw InvalidArgument("edge flow: expected dates below " + std::to_string(dates) + ", got " + std::to_string(root_date) + " and " +
                          std::to_string(norm_date));
  const auto pseudo = pseudo_edges(network, null_space, norm_date);
  auto pairs = network.pairs();
  pairs.insert(pairs.end(), priors.begin(), priors.end());
  std::vector<Edge> edges;
  for (const auto& p : pairs) edges.emplace_back(static_cast<int>(p.first), static_cast<int>(p.second));
  for (const auto& p : pseudo) edges.push_back(p.first);

  auto program = std::make_shared<detail::EdgeFlowSymbolic>();
  auto& s = *program;
  detail::Structure beside(static_cast<std::size_t>(dates));
  for (const auto& [a, b] : edges) {
    beside[static_cast<std::size_t>(a)].push_back(b);
    beside[static_cast<std::size_t>(b)].push_back(a);
  }
  const auto [order, position, neighbors] = detail::cheapest(beside, {date_order(dates, root), detail::minimum_degree(beside, root)}, cost);
  s.dates = dates;
  s.pairs = static_cast<int>(network.pairs().size());
  s.edges = static_cast<int>(pairs.size());
  s.order.assign(order.begin(), order.end());

  // Edges between two positions (earlier eliminated first); the flow runs from the later one to the earlier one.
  std::map<Edge, std::vector<int>> observed;
  for (int k = 0; k < s.edges; ++k) {
    const auto& p = pairs[static_cast<std::size_t>(k)];
    const int first = position[p.first], second = position[p.second];
    s.sign.push_back(first > second ? 1.f : -1.f);
    observed[{std::min(first, second), std::max(first, second)}].push_back(k);
  }

  // Slots: one per edge that carries weight before its elimination, recycled when the date is gone. Slot 0 stays zero.
  std::map<Edge, int> slot;
  detail::Slots slots;
  const auto open = [&](const Edge& edge) { return slot[edge] = slots.open(); };
  for (const auto& [edge, list] : observed)
    for (std::size_t a = 1; a < list.size(); ++a) {
      const auto found = slot.find(edge);
      const int in = found == slot.end() ? 0 : found->second;
      s.merge.insert(s.merge.end(), {in, in ? in : open(edge), list[a]});
      ++s.merges;
    }
  for (int q = 0; q < dates - 1; ++q) {
    const auto& n = neighbors[static_cast<std::size_t>(q)];
    s.max_degree = std::max(s.max_degree, static_cast<int>(n.size()));
    s.factors += static_cast<int>(n.size()) + 1;
    s.eliminate.push_back(static_cast<int>(n.size()));
    for (int b : n) {
      const auto found = slot.find({q, b});
      s.eliminate.push_back(found == slot.end() ? 0 : found->second);
      if (found != slot.end()) {
        slots.close(found->second);
        slot.erase(found);
      }
      const auto seen = observed.find({q, b});
      s.eliminate.push_back(seen == observed.end() ? -1 : seen->second.front());
      const int u = order[static_cast<std::size_t>(q)], v = order[static_cast<std::size_t>(b)];
      const auto ghost = pseudo.find({std::min(u, v), std::max(u, v)});
      s.pseudo.push_back(ghost == pseudo.end() ? 0.0 : ghost->second);
    }
    for (std::size_t a = 0; a < n.size(); ++a)
      for (std::size_t b = a + 1; b < n.size(); ++b) {
        const auto found = slot.find({n[a], n[b]});
        const int in = found == slot.end() ? 0 : found->second;
        s.eliminate.insert(s.eliminate.end(), {in, in ? in : open({n[a], n[b]})});
        ++s.pair_updates;
      }
  }
  s.slots = slots.rows();
  for (int q = dates - 2; q >= 0; --q) {
    const auto& n = neighbors[static_cast<std::size_t>(q)];
    std::vector<int> residuals;
    for (int b : n)
      if (const auto seen = observed.find({q, b}); seen != observed.end())
        for (int k : seen->second) {
          if (k >= s.pairs) continue;
          residuals.push_back(s.sign[static_cast<std::size_t>(k)] < 0 ? ~k : k);
          residuals.push_back(order[static_cast<std::size_t>(b)]);
        }
    s.substitute.insert(s.substitute.end(), {order[static_cast<std::size_t>(q)], static_cast<int>(n.size()), static_cast<int>(residuals.size() / 2)});
    for (int b : n) s.substitute.push_back(order[static_cast<std::size_t>(b)]);
    s.residual.insert(s.residual.end(), residuals.begin(), residuals.end());
  }
  std::vector<std::vector<int>> at(static_cast<std::size_t>(dates));
  for (int k = 0; k < s.pairs; ++k) {
    at[network.pairs()[static_cast<std::size_t>(k)].first].push_back(k);
    at[network.pairs()[static_cast<std::size_t>(k)].second].push_back(k);
  }
  for (const auto& list : at) {
    s.incident.push_back(static_cast<int>(list.size()));
    s.incident.insert(s.incident.end(), list.begin(), list.end());
  }
  s.narrow = narrowed(s.merge, s.merge16) && narrowed(s.eliminate, s.eliminate16) && narrowed(s.substitute, s.substitute16) &&
             narrowed(s.residual, s.residual16);
  symbolic_ = std::move(program);
}

std::size_t EdgeFlow::max_degree() const { return static_cast<std::size_t>(symbolic_->max_degree); }
std::size_t EdgeFlow::pair_updates() const { return symbolic_->pair_updates; }
std::size_t EdgeFlow::slots() const { return static_cast<std::size_t>(symbolic_->slots) - 1; }
const std::vector<std::size_t>& EdgeFlow::order() const { return symbolic_->order; }

}  // namespace lopsar
