// Two operators that lopsar does not have, written by a user, inside one model.
//
// HeightDelay is pixelwise: it gives its matrix, and lopsar does the rest (adjoint, threads, registers, fusion with its neighbors).
// Demean sees whole maps: it has two methods, forward and adjoint.
//
// Expected output:
//   A B    5 x 3 at every pixel, fields of 4 pixels
//     A  Network      5 x 3
//     B  HeightDelay  3 x 3, fields of 4 pixels
//     unknowns: delay 1 [rad/km], delay 2 [rad/km], delay 3 [rad/km]
//   pixel 2: 3 6 3 1.5 -1.5
//   adjoint test: passed
//   mean of every demeaned map: 0 0 0 0 0
#include <cmath>
#include <cstdio>
#include <vector>

#include <lopsar/lopsar.hpp>

// Stratified troposphere: the delay of a date grows with height, y_d = h(pixel) x_d. x in rad/km, h in km.
class HeightDelay : public lopsar::Pattern {
 public:
  HeightDelay(std::size_t dates, std::vector<double> height) : Pattern(matrix(dates, std::move(height)), "HeightDelay", names(dates)) {}

 private:
  static lopsar::Lowering matrix(std::size_t dates, std::vector<double> height) {
    lopsar::Lowering m({dates, dates});
    const std::size_t pixels = height.size();
    m.fields = {lopsar::Field(std::move(height), 1, pixels)};
    m.factors = {{{0, 0}}};  // factor 0: row 0 of field 0
    for (std::size_t d = 0; d < dates; ++d) m.triplets.push_back({d, d, 1.0, 0});
    return m;
  }
  static std::vector<lopsar::Parameter> names(std::size_t dates) {
    std::vector<lopsar::Parameter> all;
    for (std::size_t d = 1; d <= dates; ++d) all.push_back({"delay " + std::to_string(d), "rad/km"});
    return all;
  }
};

// Maps (maps, rows, columns) minus the mean of each: y = x - mean(x). It is its own adjoint.
class Demean : public lopsar::RealOperator<Demean> {
 public:
  explicit Demean(lopsar::Dims dims) : dims_(std::move(dims)) {}
  lopsar::Shape shape() const override { return {lopsar::product(dims_), lopsar::product(dims_)}; }
  lopsar::Dims dims() const override { return dims_; }
  lopsar::Dims dimsd() const override { return dims_; }
  std::string name() const override { return "Demean"; }

  template <class T>
  void map(lopsar::ConstBlock<T> x, lopsar::Block<T> y, int) const {
    const std::size_t size = x.rows / dims_[0];
    for (std::size_t column = 0; column < x.pixels; ++column)  // right-hand sides
      for (std::size_t m = 0; m < dims_[0]; ++m) {
        double mean = 0;
        for (std::size_t i = m * size; i < (m + 1) * size; ++i) mean += x.row(i)[column] / static_cast<double>(size);
        for (std::size_t i = m * size; i < (m + 1) * size; ++i) y.row(i)[column] = x.row(i)[column] - static_cast<T>(mean);
      }
  }
  template <class T>
  void map_adjoint(lopsar::ConstBlock<T> y, lopsar::Block<T> x, int threads) const {
    map(y, x, threads);
  }

 private:
  lopsar::Dims dims_;
};

int main() {
  const lopsar::Network network(
      {{"20170304", "20170316"}, {"20170304", "20170328"}, {"20170316", "20170328"}, {"20170316", "20170409"}, {"20170328", "20170409"}});
  const lopsar::LinearOperator model = network * HeightDelay(3, {0.0, 0.5, 1.5, 2.0});
  std::printf("%s\n", describe(model).c_str());

  constexpr std::size_t pixels = 4;
  const std::vector<double> x{2, 2, 2, 2, 4, 4, 4, 4, 3, 3, 3, 3};
  std::vector<double> y(5 * pixels);
  model.apply({x.data(), 3, pixels}, {y.data(), 5, pixels});
  std::printf("pixel 2: %g %g %g %g %g\n", y[2], y[6], y[10], y[14], y[18]);

  // The whole: model on the 2 x 2 pixels of a scene, then without the mean of every interferogram. The model lifts itself to the grid.
  const lopsar::LinearOperator scene = Demean({5, 2, 2}) * model;
  std::vector<double> a(scene.shape().columns), b(scene.shape().rows), forward(b.size()), adjoint(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(1.0 + static_cast<double>(i));
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::cos(2.0 * static_cast<double>(i));
  scene.apply({a.data(), a.size(), 1}, {forward.data(), b.size(), 1});
  scene.apply_adjoint({b.data(), b.size(), 1}, {adjoint.data(), a.size(), 1});
  double left = 0, right = 0;
  for (std::size_t i = 0; i < b.size(); ++i) left += forward[i] * b[i];
  for (std::size_t i = 0; i < a.size(); ++i) right += a[i] * adjoint[i];
  std::printf("adjoint test: %s\n", std::abs(left - right) < 1e-12 ? "passed" : "failed");
  std::printf("mean of every demeaned map:");
  for (std::size_t k = 0; k < 5; ++k) {
    double mean = 0;
    for (std::size_t p = 0; p < pixels; ++p) mean += forward[k * pixels + p] / pixels;
    std::printf(" %g", std::round(1e12 * mean) / 1e12 + 0.0);
  }
  std::printf("\n");
}
