#include <lopsar/operators/lowering.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

// Factors and fields of several lowerings, each only once.
class Merged {
 public:
  explicit Merged(Lowering& into) : into_(into) {
    for (std::size_t f = 0; f < into.factors.size(); ++f) known_[into.factors[f]] = static_cast<int>(f);
  }
  // The field rows of a factor of `part` in terms of the merged fields; empty for factor < 0.
  std::vector<FieldRow> rows(const Lowering& part, int factor) {
    std::vector<FieldRow> rows;
    if (factor < 0) return rows;
    for (const auto& r : part.factors[static_cast<std::size_t>(factor)])
      rows.push_back({field(part.fields[static_cast<std::size_t>(r.field)]), r.row});
    return rows;
  }
  int factor(std::vector<FieldRow> rows) {
    if (rows.empty()) return -1;
    std::sort(rows.begin(), rows.end());
    const auto [at, fresh] = known_.try_emplace(rows, static_cast<int>(into_.factors.size()));
    if (fresh) into_.factors.push_back(std::move(rows));
    return at->second;
  }

 private:
  int field(const Field& f) {
    const auto at = std::find_if(into_.fields.begin(), into_.fields.end(), [&](const Field& g) { return g.same(f); });
    if (at != into_.fields.end()) return static_cast<int>(at - into_.fields.begin());
    if (!into_.fields.empty() && into_.fields.front().pixels() != f.pixels())
      throw ShapeError("operators: expected fields of equal numbers of pixels, got " + std::to_string(into_.fields.front().pixels()) + " and " +
                       std::to_string(f.pixels()));
    into_.fields.push_back(f);
    return static_cast<int>(into_.fields.size()) - 1;
  }
  Lowering& into_;
  std::map<std::vector<FieldRow>, int> known_;
};

}  // namespace

void Lowering::add(const Lowering& part, std::size_t row, std::size_t column, double coefficient) {
  Merged merged(*this);
  std::vector<int> factor;
  for (std::size_t f = 0; f < part.factors.size(); ++f) factor.push_back(merged.factor(merged.rows(part, static_cast<int>(f))));
  for (const auto& t : part.triplets)
    triplets.push_back({t.row + row, t.column + column, coefficient * t.coefficient, t.factor < 0 ? -1 : factor[static_cast<std::size_t>(t.factor)]});
}

void Lowering::compress() {
  const auto place = [](const Triplet& t) { return std::tuple(t.row, t.column, t.factor); };
  std::stable_sort(triplets.begin(), triplets.end(), [&](const Triplet& a, const Triplet& b) { return place(a) < place(b); });
  Lowering out;
  out.shape = shape;
  std::vector<Triplet> terms;
  for (const auto& t : triplets) {
    if (!terms.empty() && place(terms.back()) == place(t)) terms.back().coefficient += t.coefficient;
    else terms.push_back(t);
  }
  Merged merged(out);
  std::vector<int> factor(factors.size(), -2);
  for (auto t : terms) {
    if (t.coefficient == 0) continue;
    if (t.factor >= 0) {
      int& f = factor[static_cast<std::size_t>(t.factor)];
      if (f == -2) f = merged.factor(merged.rows(*this, t.factor));
      t.factor = f;
    }
    out.triplets.push_back(t);
  }
  *this = std::move(out);
}

Lowering product(const Lowering& a, const Lowering& b) {
  Lowering out;
  out.shape = {a.shape.rows, b.shape.columns};
  std::vector<std::vector<const Triplet*>> rows(b.shape.rows);
  for (const auto& t : b.triplets) rows[t.row].push_back(&t);
  Merged merged(out);
  std::map<std::pair<int, int>, int> factor;  // of a factor of a and one of b
  for (const auto& s : a.triplets)
    for (const auto* t : rows[s.column]) {
      const auto [at, fresh] = factor.try_emplace({s.factor, t->factor}, -1);
      if (fresh) {
        auto both = merged.rows(a, s.factor);
        const auto more = merged.rows(b, t->factor);
        both.insert(both.end(), more.begin(), more.end());
        at->second = merged.factor(std::move(both));
      }
      out.triplets.push_back({s.row, t->column, s.coefficient * t->coefficient, at->second});
    }
  out.compress();
  return out;
}

Lowering transposed(const Lowering& a) {
  Lowering out = a;
  std::swap(out.shape.rows, out.shape.columns);
  for (auto& t : out.triplets) std::swap(t.row, t.column);
  out.compress();
  return out;
}

Lowering kronecker(const Lowering& a, const Lowering& b) {
  Lowering out;
  out.shape = {a.shape.rows * b.shape.rows, a.shape.columns * b.shape.columns};
  Merged merged(out);
  for (const auto& s : a.triplets)
    for (const auto& t : b.triplets) {
      auto both = merged.rows(a, s.factor);
      const auto more = merged.rows(b, t.factor);
      both.insert(both.end(), more.begin(), more.end());
      out.triplets.push_back(
          {s.row * b.shape.rows + t.row, s.column * b.shape.columns + t.column, s.coefficient * t.coefficient, merged.factor(std::move(both))});
    }
  out.compress();
  return out;
}

}  // namespace lopsar
