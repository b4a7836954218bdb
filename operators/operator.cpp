#include <lopsar/operators/operator.hpp>

#include <functional>
#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

template <class T>
void check(const char* what, ConstBlock<T> in, std::size_t rows_in, Block<T> out, std::size_t rows_out) {
  if (in.rows != rows_in || out.rows != rows_out || in.pixels != out.pixels)
    throw ShapeError(std::string(what) + ": expected input (" + std::to_string(rows_in) + ", pixels) and output (" + std::to_string(rows_out) +
                     ", pixels), got (" + std::to_string(in.rows) + ", " + std::to_string(in.pixels) + ") and (" + std::to_string(out.rows) + ", " +
                     std::to_string(out.pixels) + "); rows first, pixels last");
  if (in.pixels == 0 || in.rows == 0 || out.rows == 0) return;
  const T* in_end = in.row(in.rows - 1) + in.pixels;
  const T* out_end = out.row(out.rows - 1) + out.pixels;
  if (std::less<const T*>()(in.data, out_end) && std::less<const T*>()(out.data, in_end))
    throw InvalidArgument(std::string(what) + ": input and output overlap; give the result a block of its own");
}

}  // namespace

#define LOPSAR_APPLY(T)                                                          \
  void Operator::apply(ConstBlock<T> x, Block<T> y, int threads) const {         \
    check("apply", x, shape().columns, y, shape().rows);                         \
    if (y.pixels > 0) forward(x, y, threads);                                    \
  }                                                                              \
  void Operator::apply_adjoint(ConstBlock<T> y, Block<T> x, int threads) const { \
    check("apply_adjoint", y, shape().rows, x, shape().columns);                 \
    if (x.pixels > 0) adjoint(y, x, threads);                                    \
  }
LOPSAR_APPLY(float)
LOPSAR_APPLY(double)
#undef LOPSAR_APPLY

}  // namespace lopsar
