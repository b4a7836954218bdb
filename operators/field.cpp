#include <lopsar/operators/field.hpp>

#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

template <class T>
std::shared_ptr<const std::vector<T>> keep(std::vector<T> values, std::size_t rows, std::size_t pixels) {
  if (values.size() != rows * pixels)
    throw ShapeError("field: expected " + std::to_string(rows) + " x " + std::to_string(pixels) + " values, got " + std::to_string(values.size()));
  return std::make_shared<const std::vector<T>>(std::move(values));
}

}  // namespace

#define LOPSAR_FIELD(T)                                                       \
  Field::Field(std::vector<T> values, std::size_t rows, std::size_t pixels) { \
    auto kept = keep(std::move(values), rows, pixels);                        \
    values_ = ConstBlock<T>(kept->data(), rows, pixels);                      \
    owner_ = std::move(kept);                                                 \
    check();                                                                  \
  }
LOPSAR_FIELD(float)
LOPSAR_FIELD(double)
#undef LOPSAR_FIELD

void Field::check() const {
  if (rows() == 0 || pixels() == 0)
    throw ShapeError("field: expected at least one row and one pixel, got (" + std::to_string(rows()) + ", " + std::to_string(pixels()) + ")");
}

bool Field::same(const Field& other) const {
  const auto equal = [](const auto* a, const auto* b) {
    return a && b && a->data == b->data && a->rows == b->rows && a->pixels == b->pixels && a->stride == b->stride;
  };
  return equal(as<float>(), other.as<float>()) || equal(as<double>(), other.as<double>());
}

}  // namespace lopsar
