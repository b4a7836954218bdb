// Some of the rows.
#pragma once
#include <cstddef>
#include <vector>

#include <lopsar/operators/pattern.hpp>

namespace lopsar {

// y_i = x[indices[i]], from n values, in any order. Of an index that is there more than once the adjoint adds up all values.
// InvalidArgument: an index that is not below n.
class Restriction final : public Pattern {
 public:
  Restriction(std::size_t n, const std::vector<std::size_t>& indices);
};

}  // namespace lopsar
