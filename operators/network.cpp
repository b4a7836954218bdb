#include <lopsar/operators/network.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include <lopsar/operators/date.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {

namespace {

Lowering incidence(const std::vector<Network::Pair>& pairs, std::size_t dates, std::size_t reference) {
  Lowering matrix;
  matrix.shape = {pairs.size(), dates - 1};
  const auto add = [&](std::size_t k, std::size_t date, double sign) {
    if (date != reference) matrix.triplets.push_back({k, date - (date > reference ? 1 : 0), sign});
  };
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    add(k, pairs[k].first, -1);
    add(k, pairs[k].second, 1);
  }
  return matrix;
}

std::vector<Parameter> phases(const std::vector<std::string>& dates, std::size_t reference) {
  std::vector<Parameter> names;
  for (std::size_t d = 0; d < dates.size(); ++d)
    if (d != reference) names.push_back({dates[d], ""});
  return names;
}

}  // namespace

Network::Graph Network::read(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view reference) {
  if (pairs.empty()) throw InvalidArgument("network: expected at least one interferogram, got none; give pairs of dates");
  std::vector<std::pair<std::string, std::string>> clean;
  std::set<std::string> dates;
  for (const auto& [first, second] : pairs) {
    clean.emplace_back(normalized_date(first), normalized_date(second));
    if (clean.back().first == clean.back().second)
      throw InvalidArgument("network: expected two different dates, got the pair " + first + "_" + second + "; remove it");
    dates.insert({clean.back().first, clean.back().second});
  }
  Graph graph;
  graph.dates.assign(dates.begin(), dates.end());
  const auto index = [&](const std::string& date) {
    return static_cast<std::size_t>(std::lower_bound(graph.dates.begin(), graph.dates.end(), date) - graph.dates.begin());
  };
  if (!reference.empty()) {
    const std::string wanted = normalized_date(reference);
    if (!dates.contains(wanted))
      throw InvalidArgument("network: expected a reference among the " + std::to_string(graph.dates.size()) + " dates " + graph.dates.front() +
                            " .. " + graph.dates.back() + ", got " + wanted + "; choose a date of the network");
    graph.reference = index(wanted);
  }
  for (const auto& [first, second] : clean) graph.pairs.push_back({index(first), index(second)});
  return graph;
}

Network::Network(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view reference) : Network(read(pairs, reference)) {}

Network::Network(Graph graph)
    : Pattern(incidence(graph.pairs, graph.dates.size(), graph.reference), "Network", phases(graph.dates, graph.reference)),
      dates_(std::move(graph.dates)),
      pairs_(std::move(graph.pairs)),
      reference_(graph.reference) {
  std::transform(dates_.begin(), dates_.end(), std::back_inserter(days_), days_since_epoch);
}

std::vector<std::size_t> Network::redundancy() const {
  std::vector<std::size_t> count(dates_.size(), 0);
  for (const Pair& p : pairs_) {
    ++count[p.first];
    ++count[p.second];
  }
  return count;
}

std::vector<std::size_t> Network::components() const {
  std::vector<std::size_t> parent(dates_.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const std::function<std::size_t(std::size_t)> find = [&](std::size_t v) { return parent[v] == v ? v : parent[v] = find(parent[v]); };
  for (const Pair& p : pairs_) parent[std::max(find(p.first), find(p.second))] = std::min(find(p.first), find(p.second));
  std::vector<std::size_t> label(dates_.size());
  std::size_t next = 0;
  for (std::size_t v = 0; v < label.size(); ++v) label[v] = find(v) == v ? next++ : label[find(v)];
  return label;
}

std::size_t Network::component_count() const {
  const auto label = components();
  return *std::max_element(label.begin(), label.end()) + 1;
}

}  // namespace lopsar
