#include <lopsar/operators/operator.hpp>

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

template <class T>
void check(const Operator& op, const char* what, ConstBlock<T> in, std::size_t rows_in, Block<T> out, std::size_t rows_out) {
  const auto where = [&] { return op.name() + "." + what; };
  if (in.rows != rows_in || out.rows != rows_out || in.pixels != out.pixels)
    throw ShapeError(where() + ": expected input (" + std::to_string(rows_in) + ", pixels) and output (" + std::to_string(rows_out) +
                     ", pixels), got (" + std::to_string(in.rows) + ", " + std::to_string(in.pixels) + ") and (" + std::to_string(out.rows) + ", " +
                     std::to_string(out.pixels) + "); rows first, pixels last");
  if (in.pixels == 0) return;
  if (const std::size_t own = op.pixels(); own != 0 && own != in.pixels)
    throw ShapeError(where() + ": expected " + std::to_string(own) + " pixels, for which the operator has fields, got " + std::to_string(in.pixels) +
                     "; give all pixels of the fields");
  if constexpr (std::is_floating_point_v<T>)
    if (op.complex()) throw InvalidArgument(where() + ": expected complex numbers, because the operator is complex, got real ones; convert them");
  if (in.rows == 0 || out.rows == 0) return;
  const T* in_end = in.row(in.rows - 1) + in.pixels;
  const T* out_end = out.row(out.rows - 1) + out.pixels;
  if (std::less<const T*>()(in.data, out_end) && std::less<const T*>()(out.data, in_end))
    throw InvalidArgument(where() + ": input and output overlap; give the result a block of its own");
}

// A real map of complex numbers is the same map of their parts. A block of complex numbers is a block of twice as many real pixels, except
// where fields tell one pixel from the next.
template <class R, class Map>
void by_parts(bool fields, ConstBlock<std::complex<R>> in, Block<std::complex<R>> out, Map map) {
  if (!fields) {
    map(ConstBlock<R>(reinterpret_cast<const R*>(in.data), in.rows, 2 * in.pixels, 2 * in.stride),
        Block<R>(reinterpret_cast<R*>(out.data), out.rows, 2 * out.pixels, 2 * out.stride));
    return;
  }
  std::vector<R> x(in.rows * in.pixels), y(out.rows * out.pixels);
  for (int part = 0; part < 2; ++part) {
    for (std::size_t i = 0; i < in.rows; ++i)
      for (std::size_t p = 0; p < in.pixels; ++p) x[i * in.pixels + p] = reinterpret_cast<const R*>(in.row(i) + p)[part];
    map(ConstBlock<R>(x.data(), in.rows, in.pixels), Block<R>(y.data(), out.rows, out.pixels));
    for (std::size_t i = 0; i < out.rows; ++i)
      for (std::size_t p = 0; p < out.pixels; ++p) reinterpret_cast<R*>(out.row(i) + p)[part] = y[i * out.pixels + p];
  }
}

template <class T>
void clear(Block<T> out) {
  for (std::size_t i = 0; i < out.rows; ++i)
    for (std::size_t p = 0; p < out.pixels; ++p) out.row(i)[p] = T(0);
}

}  // namespace

Lowering Operator::lower() const {
  throw InvalidArgument(name() + ": expected a pixelwise operator, got one that " + (complex() ? "is complex" : "couples pixels") +
                        "; it has no matrix per pixel");
}

// An operator without columns maps nothing to zero.
#define LOPSAR_APPLY(T)                                                          \
  void Operator::apply(ConstBlock<T> x, Block<T> y, int threads) const {         \
    check(*this, "apply", x, shape().columns, y, shape().rows);                  \
    if (y.pixels == 0 || y.rows == 0) return;                                    \
    if (x.rows == 0) clear(y);                                                   \
    else forward(x, y, threads);                                                 \
  }                                                                              \
  void Operator::apply_adjoint(ConstBlock<T> y, Block<T> x, int threads) const { \
    check(*this, "apply_adjoint", y, shape().rows, x, shape().columns);          \
    if (x.pixels == 0 || x.rows == 0) return;                                    \
    if (y.rows == 0) clear(x);                                                   \
    else adjoint(y, x, threads);                                                 \
  }
LOPSAR_APPLY(float)
LOPSAR_APPLY(double)
LOPSAR_APPLY(std::complex<float>)
LOPSAR_APPLY(std::complex<double>)
#undef LOPSAR_APPLY

#define LOPSAR_PARTS(R)                                                                                                         \
  void Operator::forward(ConstBlock<R>, Block<R>, int) const { throw InvalidArgument(name() + ": does not map real numbers"); } \
  void Operator::adjoint(ConstBlock<R>, Block<R>, int) const { throw InvalidArgument(name() + ": does not map real numbers"); } \
  void Operator::forward(ConstBlock<std::complex<R>> x, Block<std::complex<R>> y, int threads) const {                          \
    by_parts<R>(pixels() != 0, x, y, [&](ConstBlock<R> in, Block<R> out) { forward(in, out, threads); });                       \
  }                                                                                                                             \
  void Operator::adjoint(ConstBlock<std::complex<R>> y, Block<std::complex<R>> x, int threads) const {                          \
    by_parts<R>(pixels() != 0, y, x, [&](ConstBlock<R> in, Block<R> out) { adjoint(in, out, threads); });                       \
  }
LOPSAR_PARTS(float)
LOPSAR_PARTS(double)
#undef LOPSAR_PARTS

}  // namespace lopsar
