// Operators that move values about: flips, shifts, borders, picks, transposes.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

#include <lopsar/operators/stencil.hpp>

namespace lopsar {

// y_i = x_{n-1-i} along an axis.
class Flip : public Stencil {
 public:
  explicit Flip(const Dims& dims, std::ptrdiff_t axis = -1);
};

// y_i = x_{(i - shift) mod n} along an axis.
class Roll : public Stencil {
 public:
  explicit Roll(const Dims& dims, std::ptrdiff_t axis = -1, std::ptrdiff_t shift = 1);
};

// y_{n-1+i} = y_{n-1-i} = x_i along an axis, which becomes 2n - 1 long.
class Symmetrize : public Stencil {
 public:
  explicit Symmetrize(const Dims& dims, std::ptrdiff_t axis = -1);
};

// y_i = x_{indices_i} along an axis (negative indices count from its end); an index may repeat. The pixelwise operator is Restriction.
class FieldRestriction : public Stencil {
 public:
  FieldRestriction(const Dims& dims, const std::vector<std::ptrdiff_t>& indices, std::ptrdiff_t axis = -1);
};

// y = 0, a field of shape dimsd from one of shape dims.
class FieldZero : public Stencil {
 public:
  FieldZero(const Dims& dimsd, const Dims& dims);
};

// A box of the model to a box of the data, zeros around it.
class BoxCopy : public SceneOperator<BoxCopy> {
 protected:
  // The box starts at `from` in the model and at `to` in the data.
  BoxCopy(Dims dims, Dims dimsd, Dims box, Dims from, Dims to, std::string name);

 private:
  friend SceneOperator<BoxCopy>;
  template <class T>
  void array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const;
  Dims box_, from_, to_;
};

// The field with zeros around it: (before, after) per axis.
class Pad : public BoxCopy {
 public:
  Pad(const Dims& dims, const std::vector<std::pair<std::size_t, std::size_t>>& pad);
};

// y = x; where dimsd is shorter the end is cut off, where it is longer zeros follow. The pixelwise operator is Identity.
class FieldIdentity : public BoxCopy {
 public:
  FieldIdentity(const Dims& dimsd, const Dims& dims);
};

// y = x with axis axes[a] of the model as axis a of the data. InvalidArgument: axes that are not all axes, once each.
class Transpose : public SceneOperator<Transpose> {
 public:
  Transpose(const Dims& dims, const std::vector<std::ptrdiff_t>& axes);

 private:
  friend SceneOperator<Transpose>;
  template <class T>
  void array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const;
  Dims axes_;
};

}  // namespace lopsar
