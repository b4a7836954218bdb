#include <lopsar/operators/datum.hpp>

#include <algorithm>
#include <cmath>

#include <lopsar/operators/cpu/series.hpp>
#include <lopsar/operators/date.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

// Weight per date of the axis, with the sum 1.
std::vector<double> shares(const TimeAxis& axis, const std::vector<std::string>& chosen, const std::vector<double>& weights) {
  const auto& dates = axis.dates();
  const std::size_t n = chosen.empty() ? dates.size() : chosen.size();
  if (!weights.empty() && weights.size() != n)
    throw ShapeError("Datum: expected " + std::to_string(n) + " weights, one per date, got " + std::to_string(weights.size()));
  std::vector<double> share(dates.size(), -1);
  double sum = 0;
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t d = k;
    if (!chosen.empty()) {
      const auto at = std::find(dates.begin(), dates.end(), normalized_date(chosen[k]));
      if (at == dates.end())
        throw InvalidArgument("Datum: expected a date of the series " + dates.front() + " .. " + dates.back() + ", got " + chosen[k]);
      d = static_cast<std::size_t>(at - dates.begin());
    }
    if (share[d] >= 0) throw InvalidArgument("Datum: expected each date once, got " + dates[d] + " twice");
    share[d] = weights.empty() ? 1.0 : weights[k];
    if (!(share[d] >= 0) || !std::isfinite(share[d]))
      throw InvalidArgument("Datum: expected weights of zero or more, got " + std::to_string(share[d]) + " for " + dates[d]);
    sum += share[d];
  }
  if (!(sum > 0) || !std::isfinite(sum)) throw InvalidArgument("Datum: expected at least one positive weight, got a sum of " + std::to_string(sum));
  for (auto& s : share) s = std::max(s, 0.0) / sum;
  return share;
}

}  // namespace

struct Datum::Program {
  template <class T>
  struct Terms {
    std::vector<cpu::TotalTerm<T>> term, row;
    cpu::TotalRemoval<T> view() const { return {term.size(), row.size(), term.data(), row.data()}; }
  };
  template <class T>
  struct Both {
    Terms<T> forward, adjoint;
    Both(const TimeAxis& axis, const std::vector<double>& share) {
      for (std::size_t d = 0; d < share.size(); ++d) {
        const auto column = axis.place(d);
        const int source = column ? static_cast<int>(*column) : -1;
        forward.row.push_back({source, T(1)});
        adjoint.term.push_back({static_cast<int>(d), T(1)});
        if (!column) continue;
        adjoint.row.push_back({static_cast<int>(d), static_cast<T>(share[d])});
        if (share[d] > 0) forward.term.push_back({source, static_cast<T>(share[d])});
      }
    }
  };
  Both<float> single;
  Both<double> wide;
  Program(const TimeAxis& axis, const std::vector<double>& share) : single(axis, share), wide(axis, share) {}
};

Datum::Datum(const TimeAxis& axis, const std::vector<std::string>& dates, const std::vector<double>& weights)
    : shape_{axis.dates().size(), axis.size()},
      parameters_(axis.parameters()),
      program_(std::make_shared<const Program>(axis, shares(axis, dates, weights))) {}

Lowering Datum::lower() const {
  Lowering matrix;
  matrix.shape = shape_;
  const auto& forward = program_->wide.forward;
  for (std::size_t i = 0; i < forward.row.size(); ++i) {
    if (forward.row[i].source >= 0) matrix.triplets.push_back({i, static_cast<std::size_t>(forward.row[i].source), 1.0});
    for (const auto& term : forward.term) matrix.triplets.push_back({i, static_cast<std::size_t>(term.source), -term.coefficient});
  }
  matrix.compress();
  return matrix;
}

#define LOPSAR_DATUM(T, terms)                                                                                     \
  void Datum::forward_tile(ConstBlock<T> x, Block<T> y, Tile tile) const {                                         \
    cpu::series_kernels<T>(lanes::active_level()).remove_total(program_->terms.forward.view(), x, y, tile.stream); \
  }                                                                                                                \
  void Datum::adjoint_tile(ConstBlock<T> y, Block<T> x, Tile tile) const {                                         \
    cpu::series_kernels<T>(lanes::active_level()).remove_total(program_->terms.adjoint.view(), y, x, tile.stream); \
  }
LOPSAR_DATUM(float, single)
LOPSAR_DATUM(double, wide)
#undef LOPSAR_DATUM

}  // namespace lopsar
