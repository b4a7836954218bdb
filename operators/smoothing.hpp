// Moving averages.
#pragma once
#include <cstddef>

#include <lopsar/operators/stencil.hpp>

namespace lopsar {

// y_i = sum of x_j over |j - i| <= n/2, divided by n, along an axis; what lies outside counts as zero. An even n becomes n + 1.
// InvalidArgument: n = 0, or a window that reaches past both ends of the axis from everywhere.
class Smoothing1D : public Stencil {
 public:
  Smoothing1D(std::size_t n, const Dims& dims, std::ptrdiff_t axis = -1);
};

}  // namespace lopsar
