// Scene operators written on plain arrays.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include <lopsar/operators/operator.hpp>

namespace lopsar {

// A scene operator that sees the model as an array (*dims, k) and the data as (*dimsd, k), both without gaps; k right-hand sides. Derived has
//   template <class T> void array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const;
// with from = model, to = data, or the reverse for the adjoint. Base: RealOperator (T = float, double) or AnyOperator (complex as well).
template <class Derived, template <class> class Base = RealOperator>
class SceneOperator : public Base<Derived> {
 public:
  Shape shape() const final { return {product(dimsd_), product(dims_)}; }
  Dims dims() const final { return dims_; }
  Dims dimsd() const final { return dimsd_; }
  std::string name() const final { return name_; }

  template <class T>
  void map(ConstBlock<T> x, Block<T> y, int threads) const {
    run(x, y, false, threads);
  }
  template <class T>
  void map_adjoint(ConstBlock<T> y, Block<T> x, int threads) const {
    run(y, x, true, threads);
  }

 protected:
  SceneOperator(Dims dims, Dims dimsd, std::string name) : dims_(std::move(dims)), dimsd_(std::move(dimsd)), name_(std::move(name)) {}

 private:
  // Right-hand sides that are part of wider rows are copied: the kernels want one array.
  template <class T>
  void run(ConstBlock<T> from, Block<T> to, bool adjoint, int threads) const {
    std::vector<T> dense_from, dense_to;
    const std::size_t k = from.pixels;
    const T* in = from.data;
    T* out = to.data;
    if (!from.contiguous()) {
      dense_from.resize(from.rows * k);
      for (std::size_t r = 0; r < from.rows; ++r) std::copy_n(from.row(r), k, dense_from.data() + r * k);
      in = dense_from.data();
    }
    if (!to.contiguous()) {
      dense_to.resize(to.rows * k);
      out = dense_to.data();
    }
    static_cast<const Derived&>(*this).array(in, out, k, adjoint, threads);
    if (!to.contiguous())
      for (std::size_t r = 0; r < to.rows; ++r) std::copy_n(out + r * k, k, to.row(r));
  }

  Dims dims_, dimsd_;
  std::string name_;
};

// `dims` if there is at least one value to map, else InvalidArgument.
Dims checked_dims(Dims dims, const char* who);
// An axis from -rank to rank - 1 as one from 0; InvalidArgument for others.
std::size_t checked_axis(std::ptrdiff_t axis, std::size_t rank, const char* who);

}  // namespace lopsar
