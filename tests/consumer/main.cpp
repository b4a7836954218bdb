// A program of somebody else: design.md section 8.
#include <cmath>
#include <cstdio>
#include <vector>

#include <lopsar/lopsar.hpp>

int main() {
  const std::vector<std::pair<std::string, std::string>> pairs{{"20200101", "20200113"}, {"20200113", "20200125"}, {"20200101", "20200125"}};
  const lopsar::Network network(pairs);
  const std::vector<double> phase{1, 1.5, 2.5}, weights{1, 2, 3};   // (3 pairs, 1 pixel)
  std::vector<double> x(2);
  lopsar::SolveOutput<double> output;
  output.x = lopsar::Block<double>(x.data(), 2, 1);
  lopsar::solve<double>(network, lopsar::ConstBlock<double>(phase.data(), 3, 1), lopsar::ConstBlock<double>(weights.data(), 3, 1), output);
  std::printf("%g %g\n", x[0], x[1]);
  return std::fabs(x[0] - 1) < 1e-12 && std::fabs(x[1] - 2.5) < 1e-12 ? 0 : 1;
}
