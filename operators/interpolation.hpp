// Values between the samples of a field, and general sparse matrices along an axis.
#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <lopsar/operators/lowering.hpp>
#include <lopsar/operators/stencil.hpp>

namespace lopsar {

// A sparse matrix (n, dims[axis]), given by triplets without factors, along an axis; triplets of one entry add up.
// InvalidArgument: entries outside the matrix.
class AlongAxis : public Stencil {
 public:
  AlongAxis(const Dims& dims, std::ptrdiff_t axis, std::size_t n, const std::vector<Triplet>& triplets, std::string name = "AlongAxis");
  // A matrix (product(dimsd), product(dims)) on whole fields.
  AlongAxis(const Dims& dims, const Dims& dimsd, const std::vector<Triplet>& triplets, std::string name = "AlongAxis");
};

enum class Interpolant { nearest, linear, sinc };

// y_i = x(p_i), along an axis at positions p from 0 to n - 1: the nearest sample (of two equally near ones the even), the straight line between
// the neighbors, or sum of x_j sinc(p_i - j). Positions may repeat. InvalidArgument: a position outside the axis (sinc takes any).
class Interpolation : public AlongAxis {
 public:
  Interpolation(const Dims& dims, const std::vector<double>& positions, std::ptrdiff_t axis = -1, Interpolant kind = Interpolant::linear);
};

// y_i = x(p_i, q_i), bilinear on the first two axes, at positions from 0 to n - 1: dims (n, m, ...) to (positions, ...). Positions may repeat.
class Bilinear : public Stencil {
 public:
  Bilinear(const Dims& dims, const std::vector<double>& first, const std::vector<double>& second);
};

// Sum along an axis, which disappears; (n) to (1).
class Sum : public Stencil {
 public:
  explicit Sum(const Dims& dims, std::ptrdiff_t axis = -1);
};

}  // namespace lopsar
