#include <lopsar/operators/diagonal.hpp>

#include <algorithm>

namespace lopsar {
namespace {

std::vector<Triplet> diagonal(const std::vector<double>& values) {
  std::vector<Triplet> triplets;
  for (std::size_t i = 0; i < values.size(); ++i) triplets.push_back({i, i, values[i]});
  return triplets;
}

Lowering diagonal(const Field& values) {
  Lowering matrix;
  matrix.shape = {values.rows(), values.rows()};
  matrix.fields = {values};
  for (std::size_t i = 0; i < values.rows(); ++i) {
    matrix.factors.push_back({{0, i}});
    matrix.triplets.push_back({i, i, 1.0, static_cast<int>(i)});
  }
  return matrix;
}

}  // namespace

Identity::Identity(std::size_t rows, std::size_t columns)
    : Pattern({rows, columns}, diagonal(std::vector<double>(std::min(rows, columns), 1.0)), "Identity") {}

Zero::Zero(std::size_t rows, std::size_t columns) : Pattern({rows, columns}, {}, "Zero") {}

Diagonal::Diagonal(const std::vector<double>& values) : Pattern({values.size(), values.size()}, diagonal(values), "Diagonal") {}

Weighting::Weighting(const std::vector<double>& weights) : Pattern({weights.size(), weights.size()}, diagonal(weights), "Weighting") {}

Weighting::Weighting(const Field& weights) : Pattern(diagonal(weights), "Weighting") {}

}  // namespace lopsar
