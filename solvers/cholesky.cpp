#include <lopsar/solvers/cholesky.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <Eigen/OrderingMethods>
#include <Eigen/SparseCore>

namespace lopsar::detail {
namespace {

using Pair = std::pair<int, int>;
using Structure = std::vector<std::vector<int>>;  // per column, or position: the others that share an entry with it

std::size_t at(int i) { return static_cast<std::size_t>(i); }

Structure structure_of(const System& system, const std::vector<int>& block) {
  std::vector<std::set<int>> beside(at(system.columns()));
  const auto& entries = system.entries();
  for (std::size_t first = 0, next; first < entries.size(); first = next) {
    for (next = first; next < entries.size() && entries[next].row == entries[first].row;) ++next;
    for (std::size_t a = first; a < next; ++a)
      for (std::size_t b = first; b < next; ++b) {
        const int i = entries[a].column, j = entries[b].column;
        if (i != j && (block.empty() || block[at(i)] == block[at(j)])) beside[at(i)].insert(j);
      }
  }
  Structure s;
  for (const auto& set : beside) s.emplace_back(set.begin(), set.end());
  return s;
}

// Positions of the neighbors of each column at its elimination, by position, sorted.
Structure fill_in(const std::vector<int>& order, const Structure& beside) {
  std::vector<int> position(order.size());
  for (std::size_t q = 0; q < order.size(); ++q) position[at(order[q])] = static_cast<int>(q);
  std::vector<std::set<int>> later(order.size());
  for (std::size_t j = 0; j < beside.size(); ++j)
    for (const int i : beside[j])
      if (position[at(i)] > position[j]) later[at(position[j])].insert(position[at(i)]);
  Structure neighbors(order.size());
  for (std::size_t q = 0; q < order.size(); ++q) {
    neighbors[q].assign(later[q].begin(), later[q].end());
    // What a column leaves to the first of its neighbors reaches the others from there.
    if (!neighbors[q].empty()) later[at(neighbors[q][0])].insert(neighbors[q].begin() + 1, neighbors[q].end());
  }
  return neighbors;
}

// Loads, multiply-adds and stores of elimination and substitution.
std::size_t predicted_cost(const Structure& neighbors) {
  std::size_t cost = 0;
  for (const auto& n : neighbors) cost += n.size() * (n.size() + 1) / 2 * 3 + n.size() * 8 + 20;
  return cost;
}

std::vector<int> natural(int columns) {
  std::vector<int> order;
  for (int j = 0; j < columns; ++j) order.push_back(j);
  return order;
}

std::vector<int> dense_last(const Structure& beside) {
  auto order = natural(static_cast<int>(beside.size()));
  std::stable_partition(order.begin(), order.end(), [&](int j) { return 2 * beside[at(j)].size() < beside.size(); });
  return order;
}

std::vector<int> minimum_degree(const Structure& beside) {
  const int columns = static_cast<int>(beside.size());
  std::vector<Eigen::Triplet<double>> entries;
  for (int j = 0; j < columns; ++j) {
    entries.emplace_back(j, j, 1.0);
    for (const int i : beside[at(j)]) entries.emplace_back(i, j, 1.0);
  }
  Eigen::SparseMatrix<double> pattern(columns, columns);
  pattern.setFromTriplets(entries.begin(), entries.end());
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, int> permutation;
  Eigen::AMDOrdering<int>()(pattern, permutation);
  std::vector<int> order;
  for (int q = 0; q < columns; ++q) order.push_back(permutation.indices()[q]);
  return order;
}

// Rows of an accumulator: k, or k and two values.
struct Rows {
  bool valued = false;
  std::vector<int> items;
  auto operator<=>(const Rows&) const = default;
};
struct Accumulator {
  Pair entry;  // positions i >= j
  int value_a, value_b;
  std::vector<double> coefficient;
};
struct Panel {
  Rows rows;
  std::vector<Accumulator> accumulators;
};

// c_ki c_kj of row k, times values.
struct Contribution {
  int column, i, value_a, value_b, row;  // column: position j, i >= j
  double coefficient;
};

std::vector<Contribution> contributions(const System& system, const std::vector<int>& block, const std::vector<int>& position) {
  std::vector<Contribution> all;
  const auto& entries = system.entries();
  for (std::size_t first = 0, next; first < entries.size(); first = next) {
    for (next = first; next < entries.size() && entries[next].row == entries[first].row;) ++next;
    for (std::size_t a = first; a < next; ++a)
      for (std::size_t b = first; b < next; ++b) {
        const auto &u = entries[a], &v = entries[b];
        if (position[at(u.column)] < position[at(v.column)]) continue;
        if (!block.empty() && block[at(u.column)] != block[at(v.column)]) continue;
        all.push_back({position[at(v.column)], position[at(u.column)], std::max(u.value, v.value), std::min(u.value, v.value), u.row,
                       u.coefficient * v.coefficient});
      }
  }
  const auto place = [](const Contribution& c) { return std::tie(c.column, c.i, c.value_a, c.value_b, c.row); };
  std::stable_sort(all.begin(), all.end(), [&](const auto& x, const auto& y) { return place(x) < place(y); });
  std::vector<Contribution> merged;
  for (const auto& c : all) {
    if (!merged.empty() && place(merged.back()) == place(c)) merged.back().coefficient += c.coefficient;
    else merged.push_back(c);
  }
  return merged;
}

// Panels of the columns, in the order in which they are needed: the first column of each.
std::vector<std::vector<Panel>> panels_of(int columns, const std::vector<Contribution>& all) {
  constexpr std::size_t shared_rows = 16;  // longer lists of rows serve several columns at once
  std::map<std::pair<int, Rows>, std::vector<Accumulator>> found;
  std::map<Rows, int> first_column;
  for (std::size_t first = 0, next; first < all.size(); first = next) {
    std::size_t groups = 0;
    for (next = first; next < all.size() && all[next].column == all[first].column && all[next].i == all[first].i; ++next)
      groups += next == first || all[next].value_a != all[next - 1].value_a || all[next].value_b != all[next - 1].value_b;
    const Pair entry{all[first].i, all[first].column};
    // Where nearly every row has values of its own they are multiplied row by row, else after the sum of a group.
    const bool valued = groups > 1 && 4 * groups > next - first;
    const auto keep = [&](Rows rows, Accumulator accumulator) {
      int column = entry.second;
      if (rows.items.size() >= shared_rows) column = first_column.try_emplace(rows, column).first->second;
      found[{column, std::move(rows)}].push_back(std::move(accumulator));
    };
    if (valued) {
      // Rows without values first: they form a group of their own.
      Rows rows{true, {}}, plain;
      Accumulator a{entry, -1, -1, {}}, b{entry, -1, -1, {}};
      for (std::size_t c = first; c < next; ++c) {
        if (all[c].value_a < 0) {
          plain.items.push_back(all[c].row);
          b.coefficient.push_back(all[c].coefficient);
        } else {
          rows.items.insert(rows.items.end(), {all[c].row, all[c].value_a, all[c].value_b});
          a.coefficient.push_back(all[c].coefficient);
        }
      }
      if (!plain.items.empty()) keep(std::move(plain), std::move(b));
      if (!rows.items.empty()) keep(std::move(rows), std::move(a));
      continue;
    }
    for (std::size_t g = first, end; g < next; g = end) {
      Rows rows;
      Accumulator a{entry, all[g].value_a, all[g].value_b, {}};
      for (end = g; end < next && all[end].value_a == all[g].value_a && all[end].value_b == all[g].value_b; ++end) {
        rows.items.push_back(all[end].row);
        a.coefficient.push_back(all[end].coefficient);
      }
      keep(std::move(rows), std::move(a));
    }
  }
  std::vector<std::vector<Panel>> panels(at(columns));
  for (auto& [key, accumulators] : found) {
    const std::size_t widest = kernels::widest_panel, parts = (accumulators.size() + widest - 1) / widest;
    for (std::size_t p = 0; p < parts; ++p) {
      const auto from = accumulators.begin() + static_cast<std::ptrdiff_t>(p * accumulators.size() / parts);
      const auto to = accumulators.begin() + static_cast<std::ptrdiff_t>((p + 1) * accumulators.size() / parts);
      panels[at(key.first)].push_back({key.second, {from, to}});
    }
  }
  return panels;
}

// Numbered rows of scratch, used again when free. Row 0 stays zero.
class Slots {
 public:
  int open() {
    if (free_.empty()) return next_++;
    const int slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void close(int slot) {
    if (slot > 0) free_.push_back(slot);
  }
  int rows() const { return next_; }

 private:
  int next_ = 1;
  std::vector<int> free_;
};

}  // namespace

Cholesky::Cholesky(const System& system, const std::vector<int>& block) : columns_(system.columns()) {
  const auto beside = structure_of(system, block);
  order_ = natural(columns_);
  auto neighbors = fill_in(order_, beside);
  for (auto& other : {dense_last(beside), minimum_degree(beside)}) {
    // The natural order runs through memory as the data do; another one has to win clearly.
    auto candidate = fill_in(other, beside);
    if (10 * predicted_cost(candidate) < 9 * predicted_cost(neighbors)) {
      order_ = other;
      neighbors = std::move(candidate);
    }
  }
  std::vector<int> position(order_.size());
  for (std::size_t q = 0; q < order_.size(); ++q) position[at(order_[q])] = static_cast<int>(q);
  const auto panels = panels_of(columns_, contributions(system, block, position));

  Slots slots;
  std::map<Pair, int> assembled, updates;  // slots by positions (i, j), i >= j
  const auto taken = [&](std::map<Pair, int>& of, const Pair& entry) {
    const auto found = of.find(entry);
    if (found == of.end()) return 0;
    const int slot = found->second;
    of.erase(found);
    return slot;
  };
  std::vector<int> closing;
  for (int q = 0; q < columns_; ++q) {
    // Entries of one row first, all others in panels.
    const auto single = [](const Panel& p) {
      return !p.rows.valued && p.rows.items.size() == 1 && p.accumulators.size() == 1 && p.accumulators[0].value_a < 0;
    };
    std::map<Pair, int> parts;
    for (const auto& panel : panels[at(q)])
      for (const auto& a : panel.accumulators) ++parts[a.entry];
    std::vector<const Panel*> singles, others;
    for (const auto& panel : panels[at(q)])
      (single(panel) && parts[panel.accumulators[0].entry] == 1 && !assembled.count(panel.accumulators[0].entry) ? singles : others)
          .push_back(&panel);
    ++calls_;
    code_.push_back(static_cast<int>(singles.size()));
    for (const auto* panel : singles) {
      const int slot = slots.open();
      assembled[panel->accumulators[0].entry] = slot;
      code_.insert(code_.end(), {slot, panel->rows.items[0]});
      coefficient_.push_back(panel->accumulators[0].coefficient[0]);
    }
    code_.push_back(static_cast<int>(others.size()));
    for (const auto* of : others) {
      const Panel& panel = *of;
      calls_ += static_cast<int>(panel.accumulators[0].coefficient.size());
      const auto width = panel.accumulators.size(), n = panel.accumulators[0].coefficient.size();
      code_.insert(code_.end(), {static_cast<int>(width), static_cast<int>(n), panel.rows.valued ? 1 : 0});
      for (const auto& a : panel.accumulators) {
        const auto [slot, fresh] = assembled.try_emplace(a.entry, 0);
        if (fresh) slot->second = slots.open();
        code_.insert(code_.end(), {slot->second, fresh ? 0 : slot->second, a.value_a, a.value_b});
      }
      code_.insert(code_.end(), panel.rows.items.begin(), panel.rows.items.end());
      for (std::size_t i = 0; i < n; ++i)
        for (const auto& a : panel.accumulators) coefficient_.push_back(a.coefficient[i]);
      multiplications_ += width * n;
    }
    const auto& n = neighbors[at(q)];
    const int m = static_cast<int>(n.size());
    degree_ = std::max(degree_, m);
    degrees_.push_back(m);
    code_.push_back(m);
    closing.clear();
    const auto read = [&](const Pair& entry) {
      const int a = taken(assembled, entry), u = taken(updates, entry);
      code_.insert(code_.end(), {a, u});
      closing.insert(closing.end(), {a, u});
    };
    read({q, q});
    for (const int i : n) read({i, q});
    for (const int slot : closing) slots.close(slot);  // they are read before the first update is written
    for (std::size_t a = 0; a < n.size(); ++a)
      for (std::size_t b = a; b < n.size(); ++b) {
        const auto [slot, fresh] = updates.try_emplace({n[b], n[a]}, 0);
        if (fresh) slot->second = slots.open();
        code_.insert(code_.end(), {fresh ? 0 : slot->second, slot->second});
        ++multiplications_;
      }
    forward_.insert(forward_.end(), {order_[at(q)], m});
    for (const int i : n) forward_.push_back(order_[at(i)]);
    factor_rows_ += m + 2;
  }
  for (int q = columns_ - 1; q >= 0; --q) {
    const auto& n = neighbors[at(q)];
    backward_.insert(backward_.end(), {order_[at(q)], static_cast<int>(n.size())});
    for (const int i : n) backward_.push_back(order_[at(i)]);
  }
  slot_rows_ = slots.rows();
  coefficient_float_.assign(coefficient_.begin(), coefficient_.end());
}

}  // namespace lopsar::detail
