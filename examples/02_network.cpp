// A network of five interferograms, its matrix on a few pixels, and their weighted least squares.
//
// Expected output:
//   network: 5 pairs, 4 dates, shape (5, 3), rank 3
//   pixel 0: 1 3 2  status 0  rank 3  valid 5
//   pixel 1: 1 3 2  status 0  rank 3  valid 4
//   pixel 2: 1 3 nan  status 1  rank 2  valid 3
//   pixel 2 with minimum-norm velocity: 1 3 3  status 1
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include <lopsar/lopsar.hpp>

int main() {
  const lopsar::Network network(
      {{"20170304", "20170316"}, {"20170304", "20170328"}, {"20170316", "20170328"}, {"20170316", "20170409"}, {"20170328", "20170409"}});
  const auto [rows, columns] = network.shape();
  std::printf("network: %zu pairs, %zu dates, shape (%zu, %zu), rank %zu\n", network.pairs().size(), network.dates().size(), rows, columns,
              network.rank());

  // Three pixels with the same date phases. Blocks are (rows, pixels), pixel index fastest.
  constexpr std::size_t pixels = 3;
  const std::vector<float> truth{1, 1, 1, 3, 3, 3, 2, 2, 2};
  std::vector<float> phase(rows * pixels);
  network.apply({truth.data(), columns, pixels}, {phase.data(), rows, pixels});

  // Pixel 1 misses one pair, pixel 2 both pairs of the last date.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  phase[1 * pixels + 1] = phase[3 * pixels + 2] = phase[4 * pixels + 2] = nan;

  const std::vector<float> weights{1, 2, 3, 4, 5};  // inverse variances, one per pair
  const lopsar::ConstBlock<float> y(phase.data(), rows, pixels), w(weights.data(), rows, 1);
  const auto rounded = [](float v) { return std::isnan(v) ? std::numeric_limits<double>::quiet_NaN() : std::round(1e4 * v) / 1e4; };

  lopsar::Solution s = lopsar::solve(network, y, {.weights = w});
  for (std::size_t p = 0; p < pixels; ++p)
    std::printf("pixel %zu: %g %g %g  status %d  rank %d  valid %d\n", p, rounded(s(0, p)), rounded(s(1, p)), rounded(s(2, p)), s.status[p],
                s.rank[p], s.valid[p]);

  s = lopsar::solve(network, y, {.weights = w, .null_space = lopsar::NullSpace::minimum_norm_velocity});
  std::printf("pixel 2 with minimum-norm velocity: %g %g %g  status %d\n", rounded(s(0, 2)), rounded(s(1, 2)), rounded(s(2, 2)), s.status[2]);
}
