#include <lopsar/solvers/identifiability.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include <Eigen/Dense>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/network.hpp>

namespace lopsar {
namespace {

constexpr std::size_t most_columns = 400;
constexpr double most_work = 1e9;
constexpr double negligible_pivot = 1e-10, negligible_part = 1e-8;

// Values of a generic pixel: those of a real one, each row of a field changed by its own random factor. Of 32 pixels the one with the fewest values
// that are 0 or not finite is taken; 0 stays 0, what is not finite becomes 1.
std::vector<double> draw(const Lowering& matrix, std::mt19937& random) {
  const auto uniform = [&] { return static_cast<double>(random()) / 4294967296.0; };
  const std::size_t pixels = matrix.pixels();
  std::map<FieldRow, double> found;
  for (const auto& factor : matrix.factors)
    for (const auto& part : factor) found.try_emplace(part, 1.0);
  std::size_t fewest = found.size() + 1;
  for (int tries = 0; tries < 32 && fewest > 0 && pixels > 0; ++tries) {
    const std::size_t pixel = random() % pixels;
    auto values = found;
    std::size_t flaws = 0;
    for (auto& [part, value] : values) {
      matrix.fields[static_cast<std::size_t>(part.field)].read(part.row, pixel, 1, &value);
      flaws += !std::isfinite(value) || value == 0;
    }
    if (flaws < fewest) fewest = flaws, found = std::move(values);
  }
  for (auto& [part, value] : found) value = (std::isfinite(value) ? value : 1) * (0.75 + 0.5 * uniform());
  std::vector<double> factors;
  for (const auto& factor : matrix.factors) {
    factors.push_back(1);
    for (const auto& part : factor) factors.back() *= found.at(part);
  }
  return factors;
}

struct NullSpaceOf {
  std::size_t rank = 0;
  std::vector<std::vector<std::size_t>> vectors;  // the columns that each null vector moves
};

NullSpaceOf null_space(const Lowering& matrix, const std::vector<double>& factors) {
  const auto [rows, columns] = matrix.shape;
  if (columns == 0) return {};
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(std::max(rows, columns)), static_cast<Eigen::Index>(columns));
  for (const auto& t : matrix.triplets)
    a(static_cast<Eigen::Index>(t.row), static_cast<Eigen::Index>(t.column)) +=
        t.coefficient * (t.factor < 0 ? 1.0 : factors[static_cast<std::size_t>(t.factor)]);
  for (Eigen::Index j = 0; j < a.cols(); ++j) {
    const double norm = a.col(j).norm();
    if (norm > 0) a.col(j) /= norm;
  }
  const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(a);
  const auto& r = qr.matrixQR();
  Eigen::Index rank = 0;
  while (rank < a.cols() && std::abs(r(rank, rank)) > negligible_pivot * std::abs(r(0, 0))) ++rank;
  NullSpaceOf found;
  found.rank = static_cast<std::size_t>(rank);
  if (rank == a.cols()) return found;
  const auto& order = qr.colsPermutation().indices();
  // Column rank + j depends on the first `rank` ones by R11 z = R12.
  const Eigen::MatrixXd z =
      r.topLeftCorner(rank, rank).triangularView<Eigen::Upper>().solve(Eigen::MatrixXd(r.topRightCorner(rank, a.cols() - rank)));
  for (Eigen::Index j = 0; j < a.cols() - rank; ++j) {
    std::vector<std::size_t> moved{static_cast<std::size_t>(order[rank + j])};
    for (Eigen::Index i = 0; i < rank; ++i)
      if (std::abs(z(i, j)) > negligible_part) moved.push_back(static_cast<std::size_t>(order[i]));
    found.vectors.push_back(std::move(moved));
  }
  return found;
}

}  // namespace

Identifiability identifiability(const LinearOperator& model, const std::vector<LinearOperator>& priors) {
  const auto check = [&](const LinearOperator& op) {
    if (!op.pixelwise() || op.complex())
      throw InvalidArgument("identifiability: expected a real pixelwise operator, got " + op.name() + "; only these have a matrix per pixel");
    if (op.shape().columns != model.shape().columns)
      throw ShapeError("identifiability: expected priors with " + std::to_string(model.shape().columns) + " columns, as the model has, got " +
                       std::to_string(op.shape().columns));
  };
  check(model);
  std::size_t rows = model.shape().rows;
  const std::size_t columns = model.shape().columns;
  for (const auto& p : priors) check(p), rows += p.shape().rows;
  Identifiability result;
  result.rank = columns;
  if (columns > most_columns || static_cast<double>(std::max(rows, columns)) * static_cast<double>(columns * columns) > most_work) {
    result.checked = false;
    return result;
  }
  Lowering matrix;
  matrix.shape = {rows, columns};
  matrix.add(model.lower());
  std::size_t row = model.shape().rows;
  for (const auto& p : priors) {
    matrix.add(p.lower(), row);
    row += p.shape().rows;
  }
  std::mt19937 random(20170304);  // the same answer every time
  auto found = null_space(matrix, draw(matrix, random));
  if (!found.vectors.empty() && matrix.pixels() > 0) {
    auto again = null_space(matrix, draw(matrix, random));
    if (again.rank > found.rank) found = std::move(again);
  }
  result.rank = found.rank;

  // Null vectors that share an unknown are one trade-off.
  std::vector<std::size_t> root(columns);
  std::iota(root.begin(), root.end(), std::size_t(0));
  const auto root_of = [&](std::size_t c) {
    while (root[c] != c) c = root[c] = root[root[c]];
    return c;
  };
  for (const auto& v : found.vectors)
    for (std::size_t c : v) root[root_of(c)] = root_of(v.front());
  std::map<std::size_t, TradeOff> groups;
  for (const auto& v : found.vectors) {
    auto& group = groups.try_emplace(root_of(v.front()), TradeOff{{}, 0}).first->second;
    ++group.freedom;
    group.columns.insert(group.columns.end(), v.begin(), v.end());
  }
  for (auto& [first, group] : groups) {
    std::sort(group.columns.begin(), group.columns.end());
    group.columns.erase(std::unique(group.columns.begin(), group.columns.end()), group.columns.end());
    result.groups.push_back(std::move(group));
  }
  std::sort(result.groups.begin(), result.groups.end(), [](const TradeOff& a, const TradeOff& b) { return a.columns < b.columns; });
  return result;
}

std::string describe(const Identifiability& found, const LinearOperator& model, std::vector<std::string> names) {
  if (found.groups.empty()) return {};
  if (names.empty())
    for (const auto& p : model.parameters()) names.push_back(p.name);
  const auto name_of = [&](std::size_t c) { return c < names.size() ? names[c] : "x" + std::to_string(c); };
  bool dates = false;
  std::string text;
  for (const auto& group : found.groups) {
    const auto& c = group.columns;
    std::string list;
    // The first and the last of many: stacks put dates first and what is fitted beside them last.
    const std::size_t shown = 8, tail = 4;
    for (std::size_t i = 0; i < c.size(); ++i) {
      const std::string name = name_of(c[i]);
      dates = dates || std::isdigit(static_cast<unsigned char>(name.empty() ? ' ' : name.front()));
      if (c.size() > shown && i == shown - tail) list += ", ... (" + std::to_string(c.size() - shown) + " more)";
      if (c.size() <= shown || i < shown - tail || i + tail >= c.size()) list += (list.empty() ? "" : ", ") + name;
    }
    if (c.size() == 1) text += list + " is in no observation. ";
    else
      text += list + " trade off against each other: the data determine " + std::to_string(c.size() - group.freedom) + " of these " +
              std::to_string(c.size()) + " unknowns. ";
  }
  if (dynamic_cast<const Network*>(model.node().get()))
    return text +
           "No pair joins these dates with the reference: add pairs that do, or let null_space='min-norm-velocity' (or 'min-norm-phase') of solve "
           "fill them.";
  if (dates)
    return text +
           "Take a deformation model instead of free dates (Network @ HStack of time models), add a prior (smoothness by TimeDifference, or what is "
           "known of a parameter), leave out what trades off, or damp.";
  return text + "Leave out all but one of what trades off, add a prior (what is known of a parameter), or damp.";
}

}  // namespace lopsar
