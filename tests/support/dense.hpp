// Weighted least squares of any small pixelwise model in long double by Eigen: what "exact" means in the tests of general models. The matrix is
// what the operator does to unit vectors; nothing is shared with the solvers.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include <Eigen/Dense>

#include <lopsar/operators/algebra.hpp>

namespace support {

// [A; R_1; ...] of every pixel.
class DenseModel {
 public:
  using Real = long double;
  using Matrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>;
  using Vector = Eigen::Matrix<Real, Eigen::Dynamic, 1>;

  DenseModel(const lopsar::LinearOperator& model, const std::vector<lopsar::LinearOperator>& priors, std::size_t pixels)
      : observations_(static_cast<long>(model.shape().rows)), columns_(static_cast<long>(model.shape().columns)) {
    std::vector<lopsar::LinearOperator> all{model};
    all.insert(all.end(), priors.begin(), priors.end());
    long rows = 0;
    for (const auto& op : all) rows += static_cast<long>(op.shape().rows);
    matrix_.assign(pixels, Matrix::Zero(rows, columns_));
    long first = 0;
    for (const auto& op : all) {
      const auto n = op.shape().columns, m = op.shape().rows;
      std::vector<double> x(n * pixels), y(m * pixels);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t i = 0; i < n * pixels; ++i) x[i] = i / pixels == j ? 1 : 0;
        op.apply(lopsar::ConstBlock<double>(x.data(), n, pixels), lopsar::Block<double>(y.data(), m, pixels), 1);
        for (std::size_t k = 0; k < m; ++k)
          for (std::size_t p = 0; p < pixels; ++p)
            matrix_[p](first + static_cast<long>(k), static_cast<long>(j)) = static_cast<Real>(y[k * pixels + p]);
      }
      first += static_cast<long>(m);
    }
  }

  struct Answer {
    Vector x, sigma;  // sigma: standard deviations of x, sqrt of the diagonal of N^-1; infinite where undetermined
    std::vector<bool> determined;
    long rank = 0, valid = 0;
    Real residual_norm = 0;
    Real condition = 0;  // of the scaled normal matrix, without its null space
  };

  const Matrix& matrix(std::size_t pixel) const { return matrix_[pixel]; }

  // y, w: of all rows; NaN or w = 0 is missing. Singular values of the matrix with columns of length 1 below `limit` of the largest count as zero.
  Answer solve(std::size_t pixel, const std::vector<double>& y, const std::vector<double>& w, double damp = 0, Real limit = 1e-9L) const {
    const Matrix& a = matrix_[pixel];
    Matrix b = Matrix::Zero(a.rows() + columns_, columns_);
    Vector c = Vector::Zero(b.rows());
    Answer out;
    for (long k = 0; k < a.rows(); ++k) {
      const auto u = static_cast<std::size_t>(k);
      if (std::isnan(y[u]) || !(w[u] > 0)) continue;
      if (k < observations_) ++out.valid;
      const Real root = std::sqrt(static_cast<Real>(w[u]));
      b.row(k) = root * a.row(k);
      c(k) = root * static_cast<Real>(y[u]);
    }
    for (long j = 0; j < columns_; ++j) b(a.rows() + j, j) = static_cast<Real>(damp);
    Vector scale(columns_);
    for (long j = 0; j < columns_; ++j) {
      const Real norm = b.col(j).norm();
      scale(j) = norm > 0 ? 1 / norm : 1;
      b.col(j) *= scale(j);
    }
    // Triangular first: singular values of a small square matrix.
    const Eigen::HouseholderQR<Matrix> qr(b);
    const Matrix r = qr.matrixQR().topRows(columns_).template triangularView<Eigen::Upper>();
    const Vector d = (qr.householderQ().adjoint() * c).head(columns_);
    const Eigen::JacobiSVD<Matrix> svd(r, Eigen::ComputeFullU | Eigen::ComputeFullV);
    const auto& s = svd.singularValues();
    out.x = Vector::Zero(columns_), out.sigma = Vector::Zero(columns_);
    out.determined.assign(static_cast<std::size_t>(columns_), true);
    for (long i = 0; i < columns_; ++i) {
      if (s(i) > limit * s(0)) {
        ++out.rank;
        out.x += svd.matrixV().col(i) * (svd.matrixU().col(i).dot(d) / s(i));
        out.sigma += (svd.matrixV().col(i) / s(i)).cwiseAbs2();
        out.condition = (s(0) / s(i)) * (s(0) / s(i));
      } else {
        for (long j = 0; j < columns_; ++j)
          if (std::fabs(svd.matrixV()(j, i)) > 1e-7L) out.determined[static_cast<std::size_t>(j)] = false;
      }
    }
    out.x = out.x.cwiseProduct(scale);
    out.sigma = out.sigma.cwiseSqrt().cwiseProduct(scale);
    Real squares = 0;
    const Vector residual = a * out.x;
    for (long k = 0; k < observations_; ++k) {
      const auto u = static_cast<std::size_t>(k);
      if (std::isnan(y[u]) || !(w[u] > 0)) continue;
      const Real e = static_cast<Real>(y[u]) - residual(k);
      squares += static_cast<Real>(w[u]) * e * e;
    }
    out.residual_norm = std::sqrt(squares);
    return out;
  }

 private:
  long observations_, columns_;
  std::vector<Matrix> matrix_;
};

}  // namespace support
