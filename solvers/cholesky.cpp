#include <lopsar/solvers/cholesky.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

namespace lopsar::detail {
namespace {

using Pair = std::pair<int, int>;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// Entries of the system with where those of a row, or a column, stand.
struct Entries {
  const std::vector<System::Entry>& all;  // by row
  std::vector<std::size_t> row_start;
  std::vector<std::vector<std::size_t>> of_column;

  explicit Entries(const System& system) : all(system.entries()), row_start(at(system.rows()) + 1), of_column(at(system.columns())) {
    for (const auto& e : all) ++row_start[at(e.row) + 1];
    for (std::size_t k = 1; k < row_start.size(); ++k) row_start[k] += row_start[k - 1];
    for (std::size_t e = 0; e < all.size(); ++e) of_column[at(all[e].column)].push_back(e);
  }
};

bool together(const std::vector<int>& block, int i, int j) { return block.empty() || block[at(i)] == block[at(j)]; }

Structure structure_of(const System& system, const std::vector<int>& block) {
  const Entries entries(system);
  Structure beside(at(system.columns()));
  std::vector<int> seen(at(system.columns()), -1);
  for (int j = 0; j < system.columns(); ++j) {
    seen[at(j)] = j;
    for (const std::size_t e : entries.of_column[at(j)]) {
      const auto row = at(entries.all[e].row);
      for (std::size_t a = entries.row_start[row]; a < entries.row_start[row + 1]; ++a) {
        const int i = entries.all[a].column;
        if (seen[at(i)] == j) continue;
        seen[at(i)] = j;
        if (together(block, i, j)) beside[at(j)].push_back(i);
      }
    }
    std::sort(beside[at(j)].begin(), beside[at(j)].end());
  }
  return beside;
}

// Loads, multiply-adds and stores of elimination and substitution of a column.
std::size_t cost(std::size_t neighbors) { return neighbors * (neighbors + 1) / 2 * 3 + neighbors * 8 + 20; }

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
  int i, value_a, value_b, row;  // position i >= j
  double coefficient;
};

// Those to the entries of column j of N, by place.
std::vector<Contribution> contributions(const Entries& entries, const std::vector<int>& block, const std::vector<int>& position, int j) {
  std::vector<Contribution> all;
  const auto& own = entries.of_column[at(j)];
  for (std::size_t first = 0, next; first < own.size(); first = next) {
    const int row = entries.all[own[first]].row;
    for (next = first; next < own.size() && entries.all[own[next]].row == row;) ++next;
    for (std::size_t a = entries.row_start[at(row)]; a < entries.row_start[at(row) + 1]; ++a)
      for (std::size_t b = first; b < next; ++b) {
        const auto &u = entries.all[a], &v = entries.all[own[b]];
        if (position[at(u.column)] < position[at(j)] || !together(block, u.column, j)) continue;
        all.push_back({position[at(u.column)], std::max(u.value, v.value), std::min(u.value, v.value), row, u.coefficient * v.coefficient});
      }
  }
  const auto place = [](const Contribution& c) { return std::tie(c.i, c.value_a, c.value_b, c.row); };
  std::stable_sort(all.begin(), all.end(), [&](const auto& x, const auto& y) { return place(x) < place(y); });
  std::size_t kept = 0;
  for (const auto& c : all) {
    if (kept > 0 && place(all[kept - 1]) == place(c)) all[kept - 1].coefficient += c.coefficient;
    else all[kept++] = c;
  }
  all.resize(kept);
  return all;
}

// Panels of the columns, in the order in which they are needed: the first column of each. Contributions of one column are there at a time.
std::vector<std::vector<Panel>> panels_of(const System& system, const std::vector<int>& block, const std::vector<int>& order,
                                          const std::vector<int>& position) {
  constexpr std::size_t shared_rows = 16;  // longer lists of rows serve several columns at once
  const Entries entries(system);
  std::map<std::pair<int, Rows>, std::vector<Accumulator>> found;
  std::map<Rows, int> first_column;
  for (int q = 0; q < static_cast<int>(order.size()); ++q) {
    const auto all = contributions(entries, block, position, order[at(q)]);
    for (std::size_t first = 0, next; first < all.size(); first = next) {
      std::size_t groups = 0;
      for (next = first; next < all.size() && all[next].i == all[first].i; ++next)
        groups += next == first || all[next].value_a != all[next - 1].value_a || all[next].value_b != all[next - 1].value_b;
      const Pair entry{all[first].i, q};
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
        a.coefficient.reserve(next - g);
        for (end = g; end < next && all[end].value_a == all[g].value_a && all[end].value_b == all[g].value_b; ++end) {
          rows.items.push_back(all[end].row);
          a.coefficient.push_back(all[end].coefficient);
        }
        keep(std::move(rows), std::move(a));
      }
    }
  }
  std::vector<std::vector<Panel>> panels(order.size());
  for (auto& [key, accumulators] : found) {
    const std::size_t widest = kernels::widest_panel, parts = (accumulators.size() + widest - 1) / widest;
    for (std::size_t p = 0; p < parts; ++p) {
      const auto from = accumulators.begin() + static_cast<std::ptrdiff_t>(p * accumulators.size() / parts);
      const auto to = accumulators.begin() + static_cast<std::ptrdiff_t>((p + 1) * accumulators.size() / parts);
      panels[at(key.first)].push_back({key.second, {std::make_move_iterator(from), std::make_move_iterator(to)}});
    }
  }
  return panels;
}

}  // namespace

CholeskyStructure::CholeskyStructure(const System& system, const std::vector<int>& block) {
  const auto beside = structure_of(system, block);
  elimination_ = cheapest(beside, {natural(system.columns()), dense_last(beside), minimum_degree(beside)}, cost);
  const auto put = [&](std::vector<int>& program, std::size_t q) {
    const auto& n = neighbors()[q];
    program.insert(program.end(), {order()[q], static_cast<int>(n.size())});
    for (const int i : n) program.push_back(order()[at(i)]);
  };
  for (std::size_t q = 0; q < order().size(); ++q) {
    put(forward_, q);
    put(backward_, order().size() - 1 - q);
    factor_rows_ += degree(static_cast<int>(q)) + 2;
  }
}

Cholesky::Cholesky(const System& system, const std::vector<int>& block) : CholeskyStructure(system, block) {
  auto panels = panels_of(system, block, order(), position());
  std::size_t coefficients = 0;
  for (const auto& of : panels)
    for (const auto& panel : of)
      for (const auto& a : panel.accumulators) coefficients += a.coefficient.size();
  coefficient_.reserve(coefficients);

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
  for (int q = 0; q < columns(); ++q) {
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
    const auto& n = neighbors()[at(q)];
    const int m = static_cast<int>(n.size());
    degree_ = std::max(degree_, m);
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
    panels[at(q)] = {};
  }
  slot_rows_ = slots.rows();
  coefficient_float_.assign(coefficient_.begin(), coefficient_.end());
}

}  // namespace lopsar::detail
