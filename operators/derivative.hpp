// Finite differences along the axes of a field.
#pragma once
#include <cstddef>
#include <vector>

#include <lopsar/operators/stencil.hpp>

namespace lopsar {

// Which neighbors a difference takes: those behind and before, those before, those behind.
enum class Difference { centered, forward, backward };

struct DerivativeOptions {
  double sampling = 1;  // distance h of neighboring values
  Difference kind = Difference::centered;
  bool edge = false;  // centered: one-sided differences where neighbors are missing; else zeros there
  int order = 3;      // values in a centered first derivative: 3 or 5
};

// y_i = (x_{i+1} - x_{i-1}) / 2h (centered), (x_{i+1} - x_i) / h (forward), (x_i - x_{i-1}) / h (backward), or
// (x_{i-2} - 8 x_{i-1} + 8 x_{i+1} - x_{i+2}) / 12h (centered, order 5), along an axis (negative: from the last). Rows whose neighbors are
// missing are zero, unless `edge`: then those of the next lower order. InvalidArgument: an axis shorter than the stencil, a sampling not > 0.
class FirstDerivative : public Stencil {
 public:
  explicit FirstDerivative(const Dims& dims, std::ptrdiff_t axis = -1, DerivativeOptions options = {});
};

// y_i = (x_{i-1} - 2 x_i + x_{i+1}) / h^2 (centered), the same of i, i+1, i+2 (forward) or i-2, i-1, i (backward).
class SecondDerivative : public Stencil {
 public:
  explicit SecondDerivative(const Dims& dims, std::ptrdiff_t axis = -1, DerivativeOptions options = {});
};

// y = sum over axes of weight * second derivative; one sampling per axis. ShapeError: lists of different lengths.
class Laplacian : public Stencil {
 public:
  Laplacian(const Dims& dims, const std::vector<std::ptrdiff_t>& axes = {-2, -1}, const std::vector<double>& weights = {1, 1},
            const std::vector<double>& sampling = {1, 1}, Difference kind = Difference::centered, bool edge = false);
};

// First derivatives along all axes: dims to (axes, *dims). One sampling per axis, or one for all.
class Gradient : public Stencil {
 public:
  explicit Gradient(const Dims& dims, const std::vector<double>& sampling = {1}, Difference kind = Difference::centered, bool edge = false);
};

// Derivative along one direction v, y = sum over axes of v_a * first derivative, in one pass. One component per axis; sampling as for Gradient.
class DirectionalDerivative : public Stencil {
 public:
  DirectionalDerivative(const Dims& dims, const std::vector<double>& v, const std::vector<double>& sampling = {1},
                        Difference kind = Difference::centered, bool edge = false);
};

}  // namespace lopsar
