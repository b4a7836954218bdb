// Weighted least squares of a network in long double by Eigen: what "exact" means in the tests. Shares nothing with edge flow.
#pragma once
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <vector>

#include <Eigen/Dense>
#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>

#include <lopsar/operators/network.hpp>

namespace support {

struct ExactPixel {
  std::vector<long double> x;  // per date, the reference's is 0
  std::vector<int> component;  // label per date; that of the reference: root_component
  int root_component = 0, components = 0, rank = 0, valid = 0;
  long double residual_norm = 0, temporal_coherence = 0, largest = 0;  // largest: max |x|, |y|
};

// Normal equations with the sparse LDL' of Eigen in long double (relative error of a Laplacian's solve: condition * 5e-20) and two
// refinements with the residual of the equations themselves. In components without the reference the first date is held at 0.
class ExactSolver {
 public:
  using Real = long double;

  explicit ExactSolver(const lopsar::Network& network) : network_(network), dates_(static_cast<int>(network.dates().size())) {
    matrix_ = assemble(std::vector<Real>(network.pairs().size(), 1), std::vector<Real>(network.dates().size(), 1));
    factors_.analyzePattern(matrix_);
  }

  // y, w as the library gets them; NaN or w = 0 is missing.
  ExactPixel solve(const std::vector<double>& y, const std::vector<double>& w) {
    const auto& pairs = network_.pairs();
    ExactPixel out;
    std::vector<Real> weight(pairs.size(), 0), data(pairs.size(), 0);
    std::vector<std::size_t> parent(static_cast<std::size_t>(dates_));
    std::iota(parent.begin(), parent.end(), std::size_t{0});
    const auto find = [&](std::size_t v) {
      while (parent[v] != v) v = parent[v] = parent[parent[v]];
      return v;
    };
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      if (std::isnan(y[k]) || !(w[k] > 0)) continue;
      weight[k] = w[k];
      data[k] = y[k];
      ++out.valid;
      out.largest = std::max<Real>(out.largest, std::fabs(data[k]));
      parent[find(pairs[k].first)] = find(pairs[k].second);
    }
    std::vector<int> label(static_cast<std::size_t>(dates_), -1);
    std::vector<Real> anchor(static_cast<std::size_t>(dates_), 0);
    const std::size_t root = find(network_.reference());
    for (std::size_t d = 0; d < label.size(); ++d) {
      const std::size_t r = find(d);
      if (label[r] < 0) {
        label[r] = out.components++;
        if (r != root) anchor[d] = 1;
      }
    }
    for (std::size_t d = 0; d < label.size(); ++d) out.component.push_back(label[find(d)]);
    out.root_component = label[root];
    out.rank = dates_ - out.components;
    // An anchor about as strong as what it holds.
    for (std::size_t k = 0; k < pairs.size(); ++k)
      for (const std::size_t d : {pairs[k].first, pairs[k].second})
        if (anchor[d] > 0 && weight[k] > 0) anchor[d] = std::max(anchor[d] == 1 ? Real(0) : anchor[d], weight[k]);

    fill(weight, anchor);
    factors_.factorize(matrix_);
    out.x.assign(static_cast<std::size_t>(dates_), 0);
    for (int pass = 0; pass < 3; ++pass) {
      Vector g = Vector::Zero(dates_ - 1);
      for (std::size_t k = 0; k < pairs.size(); ++k) {
        const Real flow = weight[k] * (data[k] - (out.x[pairs[k].second] - out.x[pairs[k].first]));
        if (const int c = column(pairs[k].second); c >= 0) g(c) += flow;
        if (const int c = column(pairs[k].first); c >= 0) g(c) -= flow;
      }
      for (std::size_t d = 0; d < out.x.size(); ++d)
        if (const int c = column(d); c >= 0) g(c) -= anchor[d] * out.x[d];
      const Vector step = factors_.solve(g);
      for (std::size_t d = 0; d < out.x.size(); ++d)
        if (const int c = column(d); c >= 0) out.x[d] += step(c);
    }
    Real squares = 0;
    std::complex<Real> phasor = 0;
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      if (!(weight[k] > 0)) continue;
      const Real e = data[k] - (out.x[pairs[k].second] - out.x[pairs[k].first]);
      squares += weight[k] * e * e;
      phasor += std::complex<Real>(std::cos(e), std::sin(e));
    }
    out.residual_norm = std::sqrt(squares);
    out.temporal_coherence = out.valid ? std::abs(phasor) / static_cast<Real>(out.valid) : 0;
    update_largest(out);
    return out;
  }

  // Moves the components so that sum_j ((x_j - x_(j-1)) / dt_j)^2 is least: a small dense least-squares problem in their offsets.
  void minimum_norm_velocity(ExactPixel& pixel) const {
    std::vector<Real> rate;
    for (int j = 1; j < dates_; ++j) rate.push_back(1 / static_cast<Real>(day(j) - day(j - 1)));
    move(
        pixel,
        [&](int j) {
          return std::pair{j - 1, j};
        },
        dates_ - 1, rate);
  }
  // The same for sum_j (x_j - x_norm)^2.
  void minimum_norm_phase(ExactPixel& pixel, std::size_t norm) const {
    move(
        pixel,
        [&](int j) {
          return std::pair{static_cast<int>(norm), j - 1};
        },
        dates_, std::vector<Real>(static_cast<std::size_t>(dates_), 1));
  }

  // The normal equations in velocities, solved in float32 by QR: the accuracy that MintPy's float32 lstsq can have.
  std::vector<double> float32_least_squares(const std::vector<double>& y, const std::vector<double>& w) const {
    const auto& pairs = network_.pairs();
    Eigen::MatrixXf B = Eigen::MatrixXf::Zero(static_cast<long>(pairs.size()), dates_ - 1);
    Eigen::VectorXf b = Eigen::VectorXf::Zero(static_cast<long>(pairs.size()));
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      if (std::isnan(y[k]) || !(w[k] > 0)) continue;
      const float root = std::sqrt(static_cast<float>(w[k]));
      const auto from = std::min(pairs[k].first, pairs[k].second), to = std::max(pairs[k].first, pairs[k].second);
      for (auto j = from + 1; j <= to; ++j)
        B(static_cast<long>(k), static_cast<long>(j) - 1) =
            root * static_cast<float>((day(static_cast<int>(j)) - day(static_cast<int>(j) - 1)) / 365.25) * (pairs[k].second == to ? 1.f : -1.f);
      b(static_cast<long>(k)) = root * static_cast<float>(y[k]);
    }
    const Eigen::VectorXf v = B.householderQr().solve(b);
    std::vector<float> sum{0};
    for (int j = 1; j < dates_; ++j) sum.push_back(sum.back() + v(j - 1) * static_cast<float>((day(j) - day(j - 1)) / 365.25));
    std::vector<double> x;
    for (float s : sum) x.push_back(static_cast<double>(s) - static_cast<double>(sum[network_.reference()]));
    return x;
  }

 private:
  using Vector = Eigen::Matrix<Real, Eigen::Dynamic, 1>;
  using Sparse = Eigen::SparseMatrix<Real>;

  double day(int d) const { return network_.days()[static_cast<std::size_t>(d)]; }
  int column(std::size_t date) const { return date == network_.reference() ? -1 : static_cast<int>(date - (date > network_.reference() ? 1 : 0)); }
  Sparse assemble(const std::vector<Real>& weight, const std::vector<Real>& anchor) {
    std::vector<Eigen::Triplet<Real>> entries;
    for (int c = 0; c < dates_ - 1; ++c) entries.emplace_back(c, c, 0);
    for (std::size_t k = 0; k < weight.size(); ++k) {
      const int a = column(network_.pairs()[k].first), b = column(network_.pairs()[k].second);
      if (a >= 0 && b >= 0) entries.emplace_back(std::max(a, b), std::min(a, b), 0);
    }
    Sparse m(dates_ - 1, dates_ - 1);
    m.setFromTriplets(entries.begin(), entries.end());
    m.makeCompressed();
    const auto place = [&](int r, int c) { return static_cast<long>(&m.coeffRef(r, c) - m.valuePtr()); };
    for (int c = 0; c < dates_ - 1; ++c) diagonal_.push_back(place(c, c));
    for (const auto& p : network_.pairs()) {
      const int a = column(p.first), b = column(p.second);
      beside_.push_back(a >= 0 && b >= 0 ? place(std::max(a, b), std::min(a, b)) : -1);
    }
    matrix_ = m;
    fill(weight, anchor);
    return matrix_;
  }
  void fill(const std::vector<Real>& weight, const std::vector<Real>& anchor) {
    Real* value = matrix_.valuePtr();
    std::fill(value, value + matrix_.nonZeros(), Real(0));
    for (std::size_t k = 0; k < weight.size(); ++k) {
      for (const std::size_t d : {network_.pairs()[k].first, network_.pairs()[k].second})
        if (const int c = column(d); c >= 0) value[diagonal_[static_cast<std::size_t>(c)]] += weight[k];
      if (beside_[k] >= 0) value[beside_[k]] -= weight[k];
    }
    for (std::size_t d = 0; d < anchor.size(); ++d)
      if (const int c = column(d); c >= 0) value[diagonal_[static_cast<std::size_t>(c)]] += anchor[d];
  }
  static void update_largest(ExactPixel& pixel) {
    for (const Real v : pixel.x) pixel.largest = std::max<Real>(pixel.largest, std::fabs(v));
  }
  template <class Ends>
  void move(ExactPixel& pixel, Ends ends, int rows, const std::vector<Real>& rate) const {
    if (pixel.components > 1) {
      const auto unknown = [&](int date) {
        const int c = pixel.component[static_cast<std::size_t>(date)];
        return c == pixel.root_component ? -1 : c - (c > pixel.root_component ? 1 : 0);
      };
      Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic> M = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>::Zero(rows, pixel.components - 1);
      Vector b(rows);
      for (int r = 0; r < rows; ++r) {
        const auto [from, to] = ends(r + 1);
        const Real s = rate[static_cast<std::size_t>(r)];
        b(r) = -s * (pixel.x[static_cast<std::size_t>(to)] - pixel.x[static_cast<std::size_t>(from)]);
        if (unknown(to) >= 0) M(r, unknown(to)) += s;
        if (unknown(from) >= 0) M(r, unknown(from)) -= s;
      }
      const Vector offset = M.householderQr().solve(b);
      for (int d = 0; d < dates_; ++d)
        if (unknown(d) >= 0) pixel.x[static_cast<std::size_t>(d)] += offset(unknown(d));
      update_largest(pixel);
    }
  }

  const lopsar::Network& network_;
  int dates_;
  Sparse matrix_;
  std::vector<long> diagonal_, beside_;
  Eigen::SimplicialLDLT<Sparse, Eigen::Lower, Eigen::AMDOrdering<int>> factors_;
};

}  // namespace support
