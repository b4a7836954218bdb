#include <lopsar/solvers/system.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <tuple>

#include <lopsar/operators/error.hpp>

namespace lopsar::detail {
namespace {

void check(const LinearOperator& op, const char* what) {
  if (!op.pixelwise())
    throw InvalidArgument(std::string("solve: expected a pixelwise ") + what + ", got the scene operator " + op.name() +
                          "; cg, cgls and lsqr of krylov.hpp solve whole scenes");
  if (op.complex()) throw InvalidArgument(std::string("solve: expected a real ") + what + ", got the complex operator " + op.name());
}

// Entries, sorted by row, value and column, as groups.
GroupedMatrix grouped(int rows, const std::vector<System::Entry>& entries) {
  GroupedMatrix m;
  m.row_start.push_back(0);
  const auto close = [&](int row) {
    while (static_cast<int>(m.row_start.size()) <= row) m.row_start.push_back(static_cast<int>(m.group_start.size()));
  };
  for (std::size_t e = 0; e < entries.size(); ++e) {
    close(entries[e].row);
    if (e == 0 || entries[e - 1].row != entries[e].row || entries[e - 1].value != entries[e].value) {
      m.group_start.push_back(static_cast<int>(e));
      m.value.push_back(entries[e].value);
    }
    m.column.push_back(entries[e].column);
    m.coefficient.push_back(entries[e].coefficient);
    m.coefficient_float.push_back(static_cast<float>(entries[e].coefficient));
  }
  close(rows);
  m.group_start.push_back(static_cast<int>(entries.size()));
  m.plain = static_cast<int>(m.value.size()) == rows;
  for (int i = 0; i < rows; ++i) m.plain = m.plain && m.row_start[static_cast<std::size_t>(i)] == i && m.value[static_cast<std::size_t>(i)] < 0;
  return m;
}

bool by_place(const System::Entry& a, const System::Entry& b) { return std::tie(a.row, a.value, a.column) < std::tie(b.row, b.value, b.column); }

}  // namespace

System::System(const LinearOperator& model, const std::vector<LinearOperator>& priors) {
  check(model, "model");
  matrix_ = model.lower();
  observations_ = static_cast<int>(matrix_.shape.rows);
  columns_ = static_cast<int>(matrix_.shape.columns);
  if (columns_ == 0) throw InvalidArgument("solve: expected a model with unknowns, got " + model.name() + " without columns");
  for (const auto& prior : priors) {
    check(prior, "prior");
    if (prior.shape().columns != matrix_.shape.columns)
      throw ShapeError("solve: expected priors of " + std::to_string(columns_) + " columns, as the model, got " + prior.name() + " with " +
                       std::to_string(prior.shape().columns));
    matrix_.add(prior.lower(), matrix_.shape.rows, 0);
    matrix_.shape.rows += prior.shape().rows;
  }
  matrix_.compress();  // by row, column and factor
  rows_ = static_cast<int>(matrix_.shape.rows);

  std::map<std::vector<std::pair<double, int>>, int> known;
  const auto value_of = [&](std::vector<std::pair<double, int>> terms) {
    const auto [at, fresh] = known.try_emplace(terms, static_cast<int>(terms_.size()));
    if (fresh) {
      terms_.emplace_back();
      for (const auto& [coefficient, factor] : terms) terms_.back().push_back({coefficient, factor});
    }
    return at->second;
  };
  const auto& triplets = matrix_.triplets;
  for (std::size_t e = 0, next; e < triplets.size(); e = next) {
    const auto& first = triplets[e];
    for (next = e + 1; next < triplets.size() && triplets[next].row == first.row && triplets[next].column == first.column;) ++next;
    const int row = static_cast<int>(first.row), column = static_cast<int>(first.column);
    if (next == e + 1) {  // the coefficient stays outside, so that others can share the value
      entries_.push_back({row, column, first.coefficient, first.factor < 0 ? -1 : value_of({{1.0, first.factor}})});
      continue;
    }
    std::vector<std::pair<double, int>> terms;
    for (std::size_t t = e; t < next; ++t) terms.emplace_back(triplets[t].coefficient, triplets[t].factor);
    entries_.push_back({row, column, 1.0, value_of(std::move(terms))});
  }
  std::sort(entries_.begin(), entries_.end(), by_place);
  by_row_ = grouped(rows_, entries_);
  auto turned = entries_;
  for (auto& e : turned) std::swap(e.row, e.column);
  std::sort(turned.begin(), turned.end(), by_place);
  by_column_ = grouped(columns_, turned);
}

std::vector<int> GroupedMatrix::runs() const {
  std::vector<int> runs;
  for (std::size_t i = 0; i + 1 < row_start.size(); ++i) {
    const auto g = static_cast<std::size_t>(row_start[i]);
    const int groups = row_start[i + 1] - row_start[i];
    const int terms = groups == 0                                                               ? 0
                      : groups == 1 && value[g] < 0 && group_start[g + 1] - group_start[g] <= 8 ? group_start[g + 1] - group_start[g]
                                                                                                : -1;
    if (runs.empty() || runs.back() != terms) runs.insert(runs.end(), {0, terms});
    ++runs[runs.size() - 2];
  }
  return runs;
}

Products::Products(const System& system) : rows_(system.rows()), columns_(system.columns()) {
  // Observations and priors apart: they seldom look alike.
  std::vector<System::Entry> rest;
  const int limits[] = {0, system.observations(), system.rows()};
  for (int q = 0; q < 2; ++q) {
    const int first = limits[q], last = limits[q + 1];
    if (first == last) continue;
    std::map<std::pair<int, int>, int> seen;  // rows with this column and value
    for (const auto& e : system.entries())
      if (e.row >= first && e.row < last) ++seen[{e.column, e.value}];
    std::vector<std::pair<int, std::pair<int, int>>> often;
    for (const auto& [key, n] : seen)
      if (3 * n > last - first) often.push_back({n, key});
    std::stable_sort(often.begin(), often.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    if (often.size() > kernels::widest_segment) often.resize(kernels::widest_segment);
    std::map<std::pair<int, int>, std::size_t> place;
    Dense dense;
    for (const auto& [n, key] : often) {
      place.emplace(key, dense.column.size());
      dense.column.push_back(key.first);
      dense.value.push_back(key.second);
    }
    const std::size_t width = dense.column.size();
    dense.coefficient.assign(static_cast<std::size_t>(last - first) * width, 0.0);
    for (const auto& e : system.entries()) {
      if (e.row < first || e.row >= last) continue;
      const auto found = place.find({e.column, e.value});
      if (found == place.end()) rest.push_back(e);
      else dense.coefficient[static_cast<std::size_t>(e.row - first) * width + found->second] += e.coefficient;
    }
    dense.coefficient_float.assign(dense.coefficient.begin(), dense.coefficient.end());
    dense_.push_back(std::move(dense));
    const auto& d = dense_.back();
    segments_.push_back({first, last - first, static_cast<int>(width), d.column.data(), d.value.data(), d.coefficient.data()});
    segments_float_.push_back({first, last - first, static_cast<int>(width), d.column.data(), d.value.data(), d.coefficient_float.data()});
  }
  by_row_ = grouped(rows_, rest);
  for (auto& e : rest) std::swap(e.row, e.column);
  std::sort(rest.begin(), rest.end(), by_place);
  by_column_ = grouped(columns_, rest);
  row_runs_ = by_row_.runs(), column_runs_ = by_column_.runs();
}

template <class T>
void System::fill_values(std::size_t first, std::size_t n, int lane, int lanes, T* out, T* flaw) const {
  constexpr std::size_t most = 512;  // pixels of a tile
  double sum[most];
  const std::size_t all = static_cast<std::size_t>(lanes), width = static_cast<std::size_t>(lane);
  // Products of field rows first: several values are made of the same.
  thread_local std::vector<double> products;
  products.assign(matrix_.factors.size() * n, 1.0);
  for (std::size_t f = 0; f < matrix_.factors.size(); ++f)
    for (const auto& row : matrix_.factors[f])
      matrix_.fields[static_cast<std::size_t>(row.field)].multiply(row.row, first, n, products.data() + f * n);
  for (std::size_t v = 0; v < terms_.size(); ++v) {
    std::fill_n(sum, all, 0.0);
    for (const auto& term : terms_[v]) {
      const double* const product = products.data() + static_cast<std::size_t>(std::max(term.factor, 0)) * n;
      if (term.factor < 0)
        for (std::size_t p = 0; p < n; ++p) sum[p] += term.coefficient;
      else
        for (std::size_t p = 0; p < n; ++p) sum[p] += term.coefficient * product[p];
    }
    for (std::size_t p = 0; p < n; ++p)
      if (!(std::abs(sum[p]) <= static_cast<double>(std::numeric_limits<T>::max()))) {
        sum[p] = 0;
        flaw[p] = T(1);
      }
    for (std::size_t g = 0; g * width < all; ++g)
      for (std::size_t l = 0; l < width; ++l) out[(g * terms_.size() + v) * width + l] = static_cast<T>(sum[g * width + l]);
  }
}
template void System::fill_values<float>(std::size_t, std::size_t, int, int, float*, float*) const;
template void System::fill_values<double>(std::size_t, std::size_t, int, int, double*, double*) const;

}  // namespace lopsar::detail
