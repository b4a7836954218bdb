// Views on blocks of data (rows, pixels), pixel index fastest, and fields that operators keep.
#pragma once
#include <cstddef>
#include <memory>
#include <type_traits>
#include <variant>
#include <vector>

namespace lopsar {

// Rows (data) and columns (unknowns) of an operator.
struct Shape {
  std::size_t rows = 0, columns = 0;
  bool operator==(const Shape&) const = default;
};

// The shape of a model or of data as a field, last index fastest.
using Dims = std::vector<std::size_t>;
inline std::size_t product(const Dims& dims) {
  std::size_t n = 1;
  for (const auto d : dims) n *= d;
  return n;
}

// A view on `rows` x `pixels` values; row i starts at data + i*stride (in values, stride >= pixels). Owns nothing.
template <class T>
struct Block {
  T* data = nullptr;
  std::size_t rows = 0, pixels = 0, stride = 0;

  Block() = default;
  Block(T* d, std::size_t r, std::size_t p) : data(d), rows(r), pixels(p), stride(p) {}
  Block(T* d, std::size_t r, std::size_t p, std::size_t s) : data(d), rows(r), pixels(p), stride(s) {}
  // A block of T is also a block of const T.
  template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
  Block(const Block<U>& other) : data(other.data), rows(other.rows), pixels(other.pixels), stride(other.stride) {}

  T* row(std::size_t i) const { return data + i * stride; }
  // Rows [from, from + n), and pixels [from, from + n) of every row.
  Block slice(std::size_t from, std::size_t n) const { return {row(from), n, pixels, stride}; }
  Block part(std::size_t from, std::size_t n) const { return {data + from, rows, n, stride}; }
  // Whether the rows follow each other without gaps.
  bool contiguous() const { return stride == pixels || rows <= 1; }
};

template <class T>
using ConstBlock = Block<const T>;

// Values (rows, pixels) that an operator keeps, e.g. look geometry or weights. Immutable; copies share the values.
class Field {
 public:
  // Keeps the values. ShapeError: no rows or pixels, or values.size() is not rows * pixels.
  Field(std::vector<float> values, std::size_t rows, std::size_t pixels);
  Field(std::vector<double> values, std::size_t rows, std::size_t pixels);
  // Looks at the values of somebody else, whom `owner` keeps alive; they must not change.
  Field(ConstBlock<float> values, std::shared_ptr<const void> owner) : values_(values), owner_(std::move(owner)) { check(); }
  Field(ConstBlock<double> values, std::shared_ptr<const void> owner) : values_(values), owner_(std::move(owner)) { check(); }

  std::size_t rows() const {
    return std::visit([](const auto& v) { return v.rows; }, values_);
  }
  std::size_t pixels() const {
    return std::visit([](const auto& v) { return v.pixels; }, values_);
  }
  // Whether the rows follow each other without gaps.
  bool contiguous() const {
    return std::visit([](const auto& v) { return v.contiguous(); }, values_);
  }
  // The values if they are held in precision T, else null.
  template <class T>
  const ConstBlock<T>* as() const {
    return std::get_if<ConstBlock<T>>(&values_);
  }
  // out[p] = value of `row` at pixel from + p, for p < n; or out[p] *= it.
  template <class T>
  void read(std::size_t row, std::size_t from, std::size_t n, T* out) const {
    std::visit(
        [&](const auto& v) {
          for (std::size_t p = 0; p < n; ++p) out[p] = static_cast<T>(v.row(row)[from + p]);
        },
        values_);
  }
  template <class T>
  void multiply(std::size_t row, std::size_t from, std::size_t n, T* out) const {
    std::visit(
        [&](const auto& v) {
          for (std::size_t p = 0; p < n; ++p) out[p] *= static_cast<T>(v.row(row)[from + p]);
        },
        values_);
  }
  // Whether both look at the same values.
  bool same(const Field& other) const;

 private:
  void check() const;
  std::variant<ConstBlock<float>, ConstBlock<double>> values_;
  std::shared_ptr<const void> owner_;
};

}  // namespace lopsar
