#include <lopsar/operators/scene_operator.hpp>

#include <lopsar/operators/error.hpp>

namespace lopsar {

Dims checked_dims(Dims dims, const char* who) {
  if (dims.empty() || product(dims) == 0) throw InvalidArgument(std::string(who) + ": expected dims of 1 or more, got none or a zero");
  return dims;
}

std::size_t checked_axis(std::ptrdiff_t axis, std::size_t rank, const char* who) {
  const auto n = static_cast<std::ptrdiff_t>(rank);
  if (axis < -n || axis >= n)
    throw InvalidArgument(std::string(who) + ": expected an axis from " + std::to_string(-n) + " to " + std::to_string(n - 1) + ", got " +
                          std::to_string(axis));
  return static_cast<std::size_t>(axis < 0 ? axis + n : axis);
}

}  // namespace lopsar
