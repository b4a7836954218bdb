// Operators that leave every value in its place.
#pragma once
#include <cstddef>
#include <vector>

#include <lopsar/operators/pattern.hpp>

namespace lopsar {

// y_i = x_i, i < min(rows, columns); further rows are zero, further columns are dropped.
class Identity final : public Pattern {
 public:
  Identity(std::size_t rows, std::size_t columns);
  explicit Identity(std::size_t n) : Identity(n, n) {}
};

// y = 0.
class Zero final : public Pattern {
 public:
  Zero(std::size_t rows, std::size_t columns);
};

// y_i = d_i x_i, the same d (n) at every pixel. InvalidArgument: values that are not finite.
class Diagonal final : public Pattern {
 public:
  explicit Diagonal(const std::vector<double>& values);
};

// y_i = w_i x_i, with w per observation (m), or per observation and pixel (m, pixels).
//
// For weighted least squares, the roots of inverse variances: Weighting(root) * A fits Weighting(root) * y. Fields are not checked: a NaN weight
// gives NaN at its pixel, also times 0. InvalidArgument: weights (m) that are not finite.
class Weighting final : public Pattern {
 public:
  explicit Weighting(const std::vector<double>& weights);
  explicit Weighting(const Field& weights);
};

}  // namespace lopsar
