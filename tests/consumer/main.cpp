// A program of somebody else: what the README shows.
#include <cmath>
#include <cstdio>
#include <vector>

#include <lopsar/lopsar.hpp>

int main() {
  const std::vector<std::pair<std::string, std::string>> pairs{{"20200101", "20200113"}, {"20200113", "20200125"}, {"20200101", "20200125"}};
  const lopsar::Network network(pairs);
  const std::vector<double> phase{1, 1.5, 2.5}, weights{1, 2, 3};  // (3 pairs, 1 pixel)
  const lopsar::ConstBlock<double> y(phase.data(), 3, 1), w(weights.data(), 3, 1);
  lopsar::Solution s = lopsar::solve(network, y, {.weights = w, .method = lopsar::Method::automatic});
  std::printf("%g %g\n", s(0, 0), s(1, 0));
  return std::fabs(s(0, 0) - 1) < 1e-12 && std::fabs(s(1, 0) - 2.5) < 1e-12 ? 0 : 1;
}
