// Compose a model of a stack in C++: velocity and DEM error under a network, per-pixel geometry, adjoint, description.
//
// Expected output:
//   -228.479 A [B | C]    5 x 2 at every pixel, fields of 3 pixels
//     A  Network     5 x 3
//     B  Polynomial  3 x 1
//     C  DemError    3 x 1, fields of 3 pixels
//     unknowns: velocity [1/year], DEM error
//   phase of pair 2, rad: 0.0223 -0.0690 -0.1501
//   the matrix of pixel 1 has 10 entries
//   adjoint test: passed
#include <cmath>
#include <cstdio>
#include <vector>

#include <lopsar/lopsar.hpp>

int main() {
  const lopsar::Network network(
      {{"20170304", "20170316"}, {"20170304", "20170328"}, {"20170316", "20170328"}, {"20170316", "20170409"}, {"20170328", "20170409"}});
  const double phase_per_meter = -4 * 3.14159265358979 / 0.055;
  const std::vector<double> baselines{0, 35, -60, 12};  // perpendicular, m, per date
  constexpr std::size_t pixels = 3;
  const lopsar::Geometry geometry{lopsar::Field(std::vector<double>{800e3, 850e3, 900e3}, 1, pixels), 39.0};
  const auto model = network * (phase_per_meter * hstack(lopsar::Polynomial(network, 1), lopsar::DemError(network, baselines, geometry)));
  std::printf("%s\n", describe(model).c_str());

  const std::vector<double> x{0.02, 0.02, 0.02, 4, 2, 0};  // m/year, m
  std::vector<double> y(5 * pixels);
  model.apply({x.data(), 2, pixels}, {y.data(), 5, pixels});
  std::printf("phase of pair 2, rad: %.4f %.4f %.4f\n", y[6], y[7], y[8]);
  std::printf("the matrix of pixel 1 has %zu entries\n", model.lower().triplets.size());

  std::vector<double> b(y.size()), adjoint(x.size());
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::sin(1.0 + static_cast<double>(i));
  model.apply_adjoint({b.data(), 5, pixels}, {adjoint.data(), 2, pixels});
  double left = 0, right = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) left += y[i] * b[i], size += std::abs(y[i] * b[i]);
  for (std::size_t i = 0; i < x.size(); ++i) right += x[i] * adjoint[i];
  std::printf("adjoint test: %s\n", std::abs(left - right) <= 1e-14 * size * 10 ? "passed" : "failed");
}
