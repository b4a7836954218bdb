#include <lopsar/operators/network.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include <lopsar/operators/cpu/network.hpp>
#include <lopsar/operators/date.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {

Network::Network(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view reference) {
  if (pairs.empty()) throw InvalidArgument("network: expected at least one interferogram, got none; give pairs of dates");
  std::vector<std::pair<std::string, std::string>> clean;
  std::set<std::string> dates;
  for (const auto& [first, second] : pairs) {
    clean.emplace_back(normalized_date(first), normalized_date(second));
    if (clean.back().first == clean.back().second)
      throw InvalidArgument("network: expected two different dates, got the pair " + first + "_" + second + "; remove it");
    dates.insert({clean.back().first, clean.back().second});
  }
  dates_.assign(dates.begin(), dates.end());
  std::transform(dates_.begin(), dates_.end(), std::back_inserter(days_), days_since_epoch);
  const auto index = [&](const std::string& date) {
    return static_cast<std::size_t>(std::lower_bound(dates_.begin(), dates_.end(), date) - dates_.begin());
  };
  if (!reference.empty()) {
    const std::string wanted = normalized_date(reference);
    if (!dates.contains(wanted))
      throw InvalidArgument("network: expected a reference among the " + std::to_string(dates_.size()) + " dates " + dates_.front() + " .. " +
                            dates_.back() + ", got " + wanted + "; choose a date of the network");
    reference_ = index(wanted);
  }
  std::vector<std::vector<int>> incident(dates_.size() - 1);
  const auto column = [&](std::size_t date) { return date == reference_ ? -1 : static_cast<int>(date - (date > reference_ ? 1 : 0)); };
  for (const auto& [first, second] : clean) {
    const int k = static_cast<int>(pairs_.size());
    pairs_.push_back({index(first), index(second)});
    first_column_.push_back(column(pairs_.back().first));
    second_column_.push_back(column(pairs_.back().second));
    if (first_column_.back() >= 0) incident[static_cast<std::size_t>(first_column_.back())].push_back(~k);
    if (second_column_.back() >= 0) incident[static_cast<std::size_t>(second_column_.back())].push_back(k);
  }
  incident_start_.push_back(0);
  for (const auto& at : incident) {
    incident_.insert(incident_.end(), at.begin(), at.end());
    incident_start_.push_back(static_cast<int>(incident_.size()));
  }
}

std::vector<Triplet> Network::lower() const {
  std::vector<Triplet> entries;
  for (std::size_t k = 0; k < pairs_.size(); ++k) {
    if (first_column_[k] >= 0) entries.push_back({k, static_cast<std::size_t>(first_column_[k]), -1.0});
    if (second_column_[k] >= 0) entries.push_back({k, static_cast<std::size_t>(second_column_[k]), 1.0});
  }
  return entries;
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

#define LOPSAR_NETWORK(T)                                                                                  \
  void Network::forward(ConstBlock<T> x, Block<T> y, int threads) const {                                  \
    cpu::network_forward<T>({pairs_.size(), first_column_.data(), second_column_.data()}, x, y, threads);  \
  }                                                                                                        \
  void Network::adjoint(ConstBlock<T> y, Block<T> x, int threads) const {                                  \
    cpu::network_adjoint<T>({dates_.size() - 1, incident_start_.data(), incident_.data()}, y, x, threads); \
  }
LOPSAR_NETWORK(float)
LOPSAR_NETWORK(double)
#undef LOPSAR_NETWORK

}  // namespace lopsar
