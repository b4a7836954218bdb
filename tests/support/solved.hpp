// What a solve wrote, and whether two solves wrote the same.
#pragma once
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <lopsar/solvers/solve.hpp>

#include "catch.hpp"
#include "networks.hpp"

namespace support {

inline std::uint8_t number(lopsar::Status s) { return static_cast<std::uint8_t>(s); }

// Filled with numbers that no solve writes. Variances and history: of iterative methods.
template <class T>
struct Result {
  Grid<T> x, variances, history;
  std::vector<std::uint8_t> status;
  std::vector<std::int32_t> rank, valid, iterations;
  std::vector<T> residual_norm;
  lopsar::SolveReport report{};

  Result(std::size_t n, std::size_t pixels, std::size_t gap = 0, std::size_t start = 0)
      : x(n, pixels, gap, start),
        variances(0, pixels),
        history(0, pixels),
        status(pixels, 99),
        rank(pixels, -9),
        valid(pixels, -9),
        iterations(pixels, -9),
        residual_norm(pixels, T(-9)) {}

  void keep_iterations(int steps) {
    variances = Grid<T>(x.rows, x.pixels);
    history = Grid<T>(static_cast<std::size_t>(steps) + 1, x.pixels);
  }
  lopsar::SolveOutput<T> output() {
    lopsar::SolveOutput<T> out;
    out.x = x.block();
    if (variances.rows > 0) out.variances = variances.block(), out.history = history.block();
    out.status = status.data(), out.rank = rank.data(), out.valid = valid.data(), out.iterations = iterations.data();
    out.residual_norm = residual_norm.data();
    return out;
  }
  // Pixel p here is pick[p] there. One NaN is as good as another.
  bool same_bits(const Result& other, const std::vector<std::size_t>& pick) const {
    const auto same = [](T a, T b) { return support::same_bits(a, b) || (std::isnan(a) && std::isnan(b)); };
    for (std::size_t p = 0; p < pick.size(); ++p) {
      const std::size_t q = pick[p];
      if (status[p] != other.status[q] || rank[p] != other.rank[q] || valid[p] != other.valid[q] || iterations[p] != other.iterations[q])
        return false;
      if (!same(residual_norm[p], other.residual_norm[q])) return false;
      for (const auto& [a, b] : {std::pair{&x, &other.x}, std::pair{&variances, &other.variances}, std::pair{&history, &other.history}})
        for (std::size_t r = 0; r < a->rows; ++r)
          if (!same(a->at(r, p), b->at(r, q))) return false;
    }
    return true;
  }
};

}  // namespace support
