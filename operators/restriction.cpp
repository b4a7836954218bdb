#include <lopsar/operators/restriction.hpp>

#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

std::vector<Triplet> picked(std::size_t n, const std::vector<std::size_t>& indices) {
  std::vector<Triplet> triplets;
  for (const auto index : indices) {
    if (index >= n) throw InvalidArgument("Restriction: expected indices below " + std::to_string(n) + ", got " + std::to_string(index));
    triplets.push_back({triplets.size(), index, 1.0});
  }
  return triplets;
}

}  // namespace

Restriction::Restriction(std::size_t n, const std::vector<std::size_t>& indices) : Pattern({indices.size(), n}, picked(n, indices), "Restriction") {}

}  // namespace lopsar
