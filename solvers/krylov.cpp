#include <lopsar/solvers/krylov.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include <lopsar/operators/error.hpp>
#include <lopsar/solvers/cpu/field_pass.hpp>

namespace lopsar {
namespace {

template <class T>
using real_t = decltype(std::real(T()));
template <class T>
inline constexpr std::size_t reals = sizeof(T) / sizeof(real_t<T>);
// Half the distance from 1 to the next number: 1 + epsilon rounds to 1.
template <class T>
inline constexpr double epsilon = std::numeric_limits<real_t<T>>::epsilon() / 2;

// All scalars of the three methods are real, so a complex vector is one of twice as many real numbers.
template <class T>
real_t<T>* numbers(std::vector<T>& values) {
  return reinterpret_cast<real_t<T>*>(values.data());
}
template <class T>
const real_t<T>* numbers(std::span<const T> values) {
  return reinterpret_cast<const real_t<T>*>(values.data());
}
template <class R>
double square(R value) {
  return static_cast<double>(value) * static_cast<double>(value);
}

// |values| times scale.
template <class T>
double norm(std::span<const T> values, int threads, double scale = 1) {
  const auto* v = numbers(values);
  return std::sqrt(
      cpu::field_sums<1>(values.size() * reals<T>, threads, [=](std::size_t i) { return std::array{square(scale * static_cast<double>(v[i]))}; })[0]);
}

// The largest magnitude of a real number; infinity if one is not finite.
template <class T>
double largest(std::span<const T> values, int threads) {
  using R = real_t<T>;
  const R* v = numbers(values);
  const std::size_t n = values.size() * reals<T>;
  constexpr std::size_t lanes = 16;
  std::vector<double> most(n / cpu::field_chunk + 1, 0.0);
  cpu::for_pixels(n, cpu::field_chunk, threads, [&](std::size_t from, std::size_t to) {
    R each[lanes] = {}, finite[lanes] = {};  // finite: 0, or NaN
    std::size_t i = from;
    const auto take = [&](std::size_t l, R value) {
      const R size = std::abs(value);
      each[l] = size > each[l] ? size : each[l];
      finite[l] += R(0) * value;
    };
    for (; i + lanes <= to; i += lanes)
      for (std::size_t l = 0; l < lanes; ++l) take(l, v[i + l]);
    for (; i < to; ++i) take(0, v[i]);
    const bool all = std::all_of(finite, finite + lanes, [](R value) { return value == R(0); });
    most[from / cpu::field_chunk] = all ? static_cast<double>(*std::max_element(each, each + lanes)) : std::numeric_limits<double>::infinity();
  });
  return *std::max_element(most.begin(), most.end());
}

// The power of two that a number is divided by, of which R holds the inverse; 1 for 0.
template <class R>
double power_of_two(double value) {
  constexpr int most = std::numeric_limits<R>::max_exponent - 2;
  return value > 0 && std::isfinite(value) ? std::ldexp(1.0, std::clamp(std::ilogb(value), -most, most)) : 1;
}

// Where a vector stops being finite, for the message. A norm that is not finite says that it does, or that its values are too large.
template <class T>
[[noreturn]] void not_finite(std::span<const T> values, const std::string& what, const char* help) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(std::abs(values[i]))) {
      const bool nan = std::isnan(std::real(values[i])) || std::isnan(std::imag(values[i]));
      throw InvalidArgument(what + ": expected finite values, got " + (nan ? "NaN" : "infinity") + " at index " + std::to_string(i) + "; " + help);
    }
  throw InvalidArgument(what + ": expected values whose squares can be added up, got larger ones; scale the problem down");
}

template <class T>
void check_norm(double value, const std::vector<T>& values, const char* who, const char* what, std::size_t iteration) {
  if (std::isfinite(value)) return;
  not_finite(std::span<const T>(values), std::string(who) + ": " + what + " in iteration " + std::to_string(iteration), "check the operator");
}

template <class T>
void apply(const LinearOperator& A, std::span<const T> x, std::vector<T>& y, int threads) {
  A.apply(ConstBlock<T>(x.data(), A.shape().columns, 1), Block<T>(y.data(), A.shape().rows, 1), threads);
}
template <class T>
void apply_adjoint(const LinearOperator& A, const std::vector<T>& y, std::vector<T>& x, int threads) {
  A.apply_adjoint(ConstBlock<T>(y.data(), A.shape().rows, 1), Block<T>(x.data(), A.shape().columns, 1), threads);
}

std::string text(double value) {
  char number[32];
  std::snprintf(number, sizeof number, "%g", value);
  return number;
}
std::string text(Shape s) { return "(" + std::to_string(s.rows) + ", " + std::to_string(s.columns) + ")"; }

void check(double value, const char* who, const char* name) {
  if (!(value >= 0) || !std::isfinite(value)) throw InvalidArgument(std::string(who) + ": expected " + name + " of 0 or more, got " + text(value));
}

void check(const LinearOperator& A, const CgOptions& options, const char* who) {
  check(options.damp, who, "damp");
  check(options.tol, who, "tol");
  check(options.rtol, who, "rtol");
  check(options.rtol1, who, "rtol1");
  const std::size_t n = A.shape().columns;
  if (options.preconditioner && options.preconditioner->shape() != Shape{n, n})
    throw ShapeError(std::string(who) + ": expected a preconditioner of shape " + text({n, n}) + ", got " + text(options.preconditioner->shape()));
}

// <r, M r>, which is positive for every M that may be a preconditioner.
template <class T>
double preconditioned(const std::vector<T>& r, const std::vector<T>& z, double r_norm, const char* who, std::size_t iteration, int threads) {
  const auto *a = numbers(std::span<const T>(r)), *b = numbers(std::span<const T>(z));
  const double rz = cpu::field_sums<1>(r.size() * reals<T>, threads,
                                       [=](std::size_t i) { return std::array{static_cast<double>(a[i]) * static_cast<double>(b[i])}; })[0];
  check_norm(rz, z, who, "the preconditioned residual", iteration);
  if (rz <= 0 && r_norm > 0)
    throw InvalidArgument(std::string(who) + ": expected a positive definite preconditioner M, got r^H M r = " + text(rz) + " in iteration " +
                          std::to_string(iteration));
  return rz;
}

// A ratio that is none where there is nothing to divide by.
double quotient(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

// ---- what the solvers share --------------------------------------------------------------------------------------------

void KrylovSolver::start(std::size_t limit) {
  limit_ = limit;
  iteration_ = 0;
  cost_.clear();
  cost_damped_.clear();
}

void KrylovSolver::note() {
  cost_.push_back(r1norm());
  cost_damped_.push_back(r2norm());
}

KrylovStop KrylovSolver::run(const std::function<bool()>& proceed) {
  KrylovStop why = stop();
  while (why == KrylovStop::running) {
    step();
    why = stop();
    if (proceed && !proceed()) break;
  }
  return why;
}

template <class T>
void KrylovProblem<T>::begin(std::span<const T> y, std::span<const T> x0, std::size_t iterations, const char* who) {
  const Shape shape = A_.shape();
  const auto fits = [&](std::span<const T> values, std::size_t n, const char* name) {
    if (values.size() != n)
      throw ShapeError(std::string(who) + ": expected " + name + " of " + std::to_string(n) + " values for an operator of shape " + text(shape) +
                       ", got " + std::to_string(values.size()));
    const double size = largest(values, threads_);
    if (!std::isfinite(size))
      not_finite(values, std::string(who) + ": " + name, "leave such data out (Restriction), or give them a finite value and weight 0");
    return size;
  };
  y_size_ = fits(y, shape.rows, "y");
  const double start = x0.empty() ? 0 : fits(x0, shape.columns, "x0");
  y_ = y;
  x_.assign(shape.columns, T(0));
  std::copy(x0.begin(), x0.end(), x_.begin());
  from_zero_ = std::all_of(x_.begin(), x_.end(), [](T value) { return value == T(0); });
  unit_ = a_unit_ = 1;
  x_unit_ = power_of_two<double>(start);
  KrylovSolver::start(iterations > 0 ? iterations : 2 * shape.columns);
}

template <class T>
std::vector<T> KrylovProblem<T>::times(std::vector<T> values, double unit) {
  auto* v = numbers(values);
  for (std::size_t i = 0; i < values.size() * reals<T>; ++i) v[i] = static_cast<real_t<T>>(static_cast<double>(v[i]) * unit);
  return values;
}

template <class T>
void KrylovProblem<T>::set_unit(double size) {
  unit_ = power_of_two<real_t<T>>(size);
}

template <class T>
void KrylovProblem<T>::set_a_unit(std::vector<T>& r, std::vector<T>& s, const char* who) {
  using R = real_t<T>;
  const double size = largest(std::span<const T>(s), threads_), enough = static_cast<double>(std::numeric_limits<R>::min()) / epsilon<T>;
  a_unit_ = power_of_two<R>(size);
  if (size >= enough) return;
  bool vanished = size > 0;
  if (!vanished) {  // 0, or too small for any digit? r is of the size 1.
    const R up = std::ldexp(R(1), std::numeric_limits<R>::max_exponent * 3 / 4);
    auto *values = numbers(r), *product = numbers(s);
    const std::size_t m = r.size() * reals<T>, n = s.size() * reals<T>;
    cpu::field_update(m, threads_, [=](std::size_t i) { values[i] *= up; });
    apply_adjoint(A_, r, s, threads_);
    vanished = std::any_of(product, product + n, [](R value) { return value != R(0); });
    cpu::field_update(m, threads_, [=](std::size_t i) { values[i] /= up; });
    std::fill(s.begin(), s.end(), T(0));
  }
  if (vanished)
    throw InvalidArgument(std::string(who) + ": A^H y: expected values that the precision holds, got smaller ones; scale the operator up");
}

template <class T>
void KrylovProblem<T>::set_x_unit(double length, const std::vector<T>& direction) {
  const double step = std::abs(length) * largest(std::span<const T>(direction), threads_);
  x_unit_ = power_of_two<double>(from_zero_ ? step : std::max(x_unit_, step));
}

// ---- CG ----------------------------------------------------------------------------------------------------------------

template <class T>
Cg<T>::Cg(LinearOperator A, CgOptions options) : KrylovProblem<T>(std::move(A), options.threads), options_(std::move(options)) {
  check(this->A_, options_, "cg");
  if (this->A_.shape().rows != this->A_.shape().columns)
    throw ShapeError("cg: expected a square operator, got shape " + text(this->A_.shape()) + "; use cgls or lsqr");
}

template <class T>
void Cg<T>::setup(std::span<const T> y, std::span<const T> x0) {
  this->begin(y, x0, options_.iterations, "cg");
  const std::size_t n = y.size() * reals<T>;
  const int threads = this->threads_;
  std::vector<T>& residual = this->r_;
  residual.assign(y.begin(), y.end());
  q_.assign(y.size(), T(0));
  stuck_ = false;
  auto* r = numbers(residual);
  double size = this->y_size_;
  if (!this->from_zero_) {
    apply(this->A_, std::span<const T>(this->x_), q_, threads);
    const auto *q = numbers(q_), *x = numbers(this->x_);
    const auto damp = static_cast<real_t<T>>(options_.damp);
    cpu::field_update(n, threads, [=](std::size_t i) { r[i] -= q[i] + damp * x[i]; });
    size = std::max(size, largest(std::span<const T>(residual), threads));
  }
  this->set_unit(size);
  const double down = 1 / this->unit_;
  cpu::field_update(n, threads, [=, by = static_cast<real_t<T>>(down)](std::size_t i) { r[i] *= by; });
  y_norm_ = norm(y, threads, down);
  this->xnorm_ = norm(std::span<const T>(this->x_), threads, 1 / this->x_unit_);
  const double r_norm = norm(std::span<const T>(residual), threads);
  check_norm(r_norm, residual, "cg", "y - A x0", 0);
  c_ = residual;
  rz_ = r_norm * r_norm;
  if (options_.preconditioner) {
    apply(*options_.preconditioner, std::span<const T>(residual), c_, threads);
    rz_ = preconditioned(residual, c_, r_norm, "cg", 0, threads);
  }
  first_ = this->r1norm_ = this->r2norm_ = this->arnorm_ = r_norm;
  this->note();
}

template <class T>
void Cg<T>::step() {
  if (rz_ == 0 || stuck_) return;
  using R = real_t<T>;
  const std::size_t n = this->x_.size() * reals<T>, iteration = this->iteration_ + 1;
  const int threads = this->threads_;
  auto *x = numbers(this->x_), *r = numbers(this->r_), *c = numbers(c_), *q = numbers(q_);
  apply(this->A_, std::span<const T>(c_), q_, threads);
  const R damp = static_cast<R>(options_.damp);
  const auto [cq] = cpu::field_sums<1>(n, threads, [=](std::size_t i) {
    q[i] += damp * c[i];
    return std::array{static_cast<double>(c[i]) * static_cast<double>(q[i])};
  });
  check_norm(cq, q_, "cg", "A x", iteration);
  const double a = rz_ / cq;
  if (iteration == 1 && cq <= 0) check_curvature(cq);
  if (stuck_ || !std::isfinite(a)) {  // nothing to go along: the operator maps the direction to zero
    stuck_ = true;
    return;
  }
  if (iteration == 1) this->set_x_unit(a * this->unit_, c_);
  const R step_length = static_cast<R>(a), x_length = static_cast<R>(a * this->unit_);
  const double x_down = 1 / this->x_unit_;
  const auto [rr, xx] = cpu::field_sums<2>(n, threads, [=](std::size_t i) {
    x[i] += x_length * c[i];
    r[i] -= step_length * q[i];
    return std::array{square(r[i]), square(x_down * static_cast<double>(x[i]))};
  });
  check_norm(rr, this->r_, "cg", "the residual", iteration);
  check_norm(xx, this->x_, "cg", "x", iteration);
  const double r_norm = std::sqrt(rr);
  double rz = rr;
  const R* z = r;
  if (options_.preconditioner) {  // A c is no longer needed
    apply(*options_.preconditioner, std::span<const T>(this->r_), q_, threads);
    rz = preconditioned(this->r_, q_, r_norm, "cg", iteration, threads);
    z = q;
  }
  const R b = static_cast<R>(rz / rz_);
  cpu::field_update(n, threads, [=](std::size_t i) { c[i] = z[i] + b * c[i]; });
  rz_ = rz;
  this->xnorm_ = std::sqrt(xx);
  this->r1norm_ = this->r2norm_ = this->arnorm_ = r_norm;
  this->iteration_ = iteration;
  this->note();
}

// A semidefinite operator has no curvature along c only if it maps c to zero. What it maps to rounding is less than |A| |c| by the rounding unit; |A|
// is at least what it makes of the image.
template <class T>
void Cg<T>::check_curvature(double curvature) {
  stuck_ = true;
  std::vector<T> image(q_.size());
  const int threads = this->threads_;
  apply(this->A_, std::span<const T>(q_), image, threads);
  const double c = norm(std::span<const T>(c_), threads), q = norm(std::span<const T>(q_), threads),
               a = quotient(norm(std::span<const T>(image), threads), q) + options_.damp;
  if (q > 1000 * epsilon<T> * a * c)
    throw InvalidArgument("cg: expected a positive definite operator, got x^H A x = " + text(quotient(curvature, c * c)) +
                          " |x|^2 in iteration 1; use cgls or lsqr");
}

template <class T>
KrylovStop Cg<T>::stop() const {
  const double r = this->r1norm_, scale = y_norm_ > 0 ? y_norm_ : first_;
  if (r == 0) return this->iteration_ == 0 ? KrylovStop::zero : KrylovStop::residual;
  if (r <= options_.tol * scale || r < options_.rtol * first_ || r < options_.rtol1 * y_norm_) return KrylovStop::residual;
  if (stuck_ || rz_ == 0) return KrylovStop::condition_rounding;
  return this->iteration_ >= this->limit_ ? KrylovStop::iteration_limit : KrylovStop::running;
}

// ---- CGLS --------------------------------------------------------------------------------------------------------------

template <class T>
Cgls<T>::Cgls(LinearOperator A, CgOptions options) : KrylovProblem<T>(std::move(A), options.threads), options_(std::move(options)) {
  check(this->A_, options_, "cgls");
}

template <class T>
void Cgls<T>::setup(std::span<const T> y, std::span<const T> x0) {
  this->begin(y, x0, options_.iterations, "cgls");
  using R = real_t<T>;
  const std::size_t m = y.size() * reals<T>, n = this->x_.size() * reals<T>;
  const int threads = this->threads_;
  std::vector<T>& residual = this->r_;
  residual.assign(y.begin(), y.end());
  q_.assign(y.size(), T(0));
  s_.assign(this->x_.size(), T(0));
  c_.assign(this->x_.size(), T(0));
  stuck_ = false;
  a_norm_ = 0;
  auto *r = numbers(residual), *q = numbers(q_), *s = numbers(s_), *x = numbers(this->x_);
  double size = this->y_size_;
  if (!this->from_zero_) {
    apply(this->A_, std::span<const T>(this->x_), q_, threads);
    size = std::max(size, largest(std::span<const T>(q_), threads));
  }
  this->set_unit(size);
  const double down = 1 / this->unit_;
  const R by = static_cast<R>(down);
  cpu::field_update(m, threads, [=](std::size_t i) { r[i] *= by; });
  y_norm_ = norm(y, threads, down);
  apply_adjoint(this->A_, residual, s_, threads);
  const double own = power_of_two<double>(largest(std::span<const T>(s_), threads));
  gradient_ = norm(std::span<const T>(s_), threads, 1 / own);
  check_norm(gradient_, s_, "cgls", "A^H y", 0);
  this->arnorm_ = gradient_;
  this->r1norm_ = y_norm_;
  this->xnorm_ = 0;
  if (!this->from_zero_) {
    const auto [rr] = cpu::field_sums<1>(m, threads, [=](std::size_t i) {
      r[i] -= by * q[i];
      return std::array{square(r[i])};
    });
    check_norm(rr, q_, "cgls", "A x0", 0);
    this->r1norm_ = std::sqrt(rr);
    apply_adjoint(this->A_, residual, s_, threads);
  }
  if (this->r1norm_ > 0) this->set_a_unit(residual, s_, "cgls");
  if (options_.preconditioner) this->a_unit_ = 1;  // it has the size of A in it
  const double a_down = 1 / this->a_unit_;
  const R s_by = static_cast<R>(a_down);
  gradient_ *= own * a_down;
  this->arnorm_ = gradient_;
  if (this->from_zero_) cpu::field_update(n, threads, [=](std::size_t i) { s[i] *= s_by; });
  else {
    const R damp2 = static_cast<R>(options_.damp * a_down * options_.damp * down);
    const double x_down = 1 / this->x_unit_;
    const auto [ss, xx] = cpu::field_sums<2>(n, threads, [=](std::size_t i) {
      s[i] = s_by * s[i] - damp2 * x[i];
      return std::array{square(s[i]), square(x_down * static_cast<double>(x[i]))};
    });
    check_norm(ss, s_, "cgls", "A^H (y - A x0)", 0);
    this->arnorm_ = std::sqrt(ss);
    this->xnorm_ = std::sqrt(xx);
  }
  if (gradient_ == 0) gradient_ = this->arnorm_;
  gamma_ = this->arnorm_ * this->arnorm_;
  c_ = s_;
  if (options_.preconditioner) {
    z_.assign(s_.size(), T(0));
    apply(*options_.preconditioner, std::span<const T>(s_), z_, threads);
    gamma_ = preconditioned(s_, z_, this->arnorm_, "cgls", 0, threads);
    c_ = z_;
  }
  c_norm_ = norm(std::span<const T>(c_), threads);
  this->r2norm_ = std::hypot(this->r1norm_, options_.damp * this->xnorm_ * (this->x_unit_ * down));
  first_ = this->r1norm_;
  this->note();
}

template <class T>
void Cgls<T>::step() {
  if (gamma_ == 0 || stuck_) return;
  using R = real_t<T>;
  const std::size_t m = this->y_.size() * reals<T>, n = this->x_.size() * reals<T>, iteration = this->iteration_ + 1;
  const int threads = this->threads_;
  auto *x = numbers(this->x_), *r = numbers(this->r_), *c = numbers(c_), *q = numbers(q_), *s = numbers(s_);
  apply(this->A_, std::span<const T>(c_), q_, threads);
  const double down = 1 / this->unit_, a_down = 1 / this->a_unit_;
  const auto [qq] = cpu::field_sums<1>(m, threads, [=](std::size_t i) { return std::array{square(a_down * static_cast<double>(q[i]))}; });
  check_norm(qq, q_, "cgls", "A x", iteration);
  const double delta = qq + square(options_.damp * a_down * c_norm_), a = gamma_ / delta;
  if (!std::isfinite(a)) {
    stuck_ = true;
    return;
  }
  a_norm_ = std::max(a_norm_, quotient(std::sqrt(delta), c_norm_));
  const double length = a * a_down * this->unit_;
  if (iteration == 1) this->set_x_unit(length, c_);
  const R r_length = static_cast<R>(a * a_down), x_length = static_cast<R>(length), s_by = static_cast<R>(a_down),
          damp2 = static_cast<R>(options_.damp * a_down * options_.damp * down);
  const double x_down = 1 / this->x_unit_;
  const auto [rr] = cpu::field_sums<1>(m, threads, [=](std::size_t i) {
    r[i] -= r_length * q[i];
    return std::array{square(r[i])};
  });
  check_norm(rr, this->r_, "cgls", "the residual", iteration);
  apply_adjoint(this->A_, this->r_, s_, threads);
  const auto [ss, xx] = cpu::field_sums<2>(n, threads, [=](std::size_t i) {
    x[i] += x_length * c[i];
    s[i] = s_by * s[i] - damp2 * x[i];
    return std::array{square(s[i]), square(x_down * static_cast<double>(x[i]))};
  });
  check_norm(xx, this->x_, "cgls", "x", iteration);  // first, for s has damp^2 x in it
  check_norm(ss, s_, "cgls", "A^H r", iteration);
  this->arnorm_ = std::sqrt(ss);
  double gamma = ss;
  const R* z = s;
  if (options_.preconditioner) {
    apply(*options_.preconditioner, std::span<const T>(s_), z_, threads);
    gamma = preconditioned(s_, z_, this->arnorm_, "cgls", iteration, threads);
    z = numbers(z_);
  }
  const R b = static_cast<R>(gamma / gamma_);
  const auto [cc] = cpu::field_sums<1>(n, threads, [=](std::size_t i) {
    c[i] = z[i] + b * c[i];
    return std::array{square(c[i])};
  });
  gamma_ = gamma;
  c_norm_ = std::sqrt(cc);
  this->r1norm_ = std::sqrt(rr);
  this->xnorm_ = std::sqrt(xx);
  this->r2norm_ = std::hypot(this->r1norm_, options_.damp * this->xnorm_ * (this->x_unit_ * down));
  this->iteration_ = iteration;
  this->note();
}

template <class T>
KrylovStop Cgls<T>::stop() const {
  const double s = this->arnorm_, r = this->r1norm_;
  if (s == 0) return this->iteration_ == 0 ? KrylovStop::zero : KrylovStop::least_squares;
  if (r < options_.rtol * first_ || r < options_.rtol1 * y_norm_) return KrylovStop::residual;
  // As small as A^H y alone would be too much to allow where the data fit: then the residual, or the gradient beside it, has to be small too.
  const double tol = options_.tol, r2 = this->r2norm_;
  if (s <= tol * gradient_ && (r2 <= tol * y_norm_ || s <= tol * a_norm_ * r2)) return KrylovStop::least_squares;
  // What is left is the rounding of A^H r (Paige and Saunders' second rule, with the largest |A c| / |c| so far for |A|).
  if (s <= epsilon<T> * a_norm_ * this->r2norm_) return KrylovStop::least_squares_rounding;
  if (stuck_ || gamma_ == 0) return KrylovStop::condition_rounding;
  return this->iteration_ >= this->limit_ ? KrylovStop::iteration_limit : KrylovStop::running;
}

// ---- LSQR --------------------------------------------------------------------------------------------------------------

template <class T>
Lsqr<T>::Lsqr(LinearOperator A, LsqrOptions options) : KrylovProblem<T>(std::move(A), options.threads), options_(options) {
  check(options_.damp, "lsqr", "damp");
  check(options_.atol, "lsqr", "atol");
  check(options_.btol, "lsqr", "btol");
  check(options_.conlim, "lsqr", "conlim");
}

template <class T>
void Lsqr<T>::setup(std::span<const T> y, std::span<const T> x0) {
  this->begin(y, x0, options_.iterations, "lsqr");
  using R = real_t<T>;
  const std::size_t rows = y.size(), columns = this->x_.size(), m = rows * reals<T>, n = columns * reals<T>;
  const int threads = this->threads_;
  damp_ = options_.damp;
  u_.assign(y.begin(), y.end());
  v_.assign(columns, T(0));
  product_.assign(std::max(rows, columns), T(0));
  damped_u_.clear();
  var_.assign(options_.variances ? columns : 0, R(0));
  auto *u = numbers(u_), *v = numbers(v_), *p = numbers(product_), *x = numbers(this->x_);
  double size = this->y_size_;
  if (!this->from_zero_) {
    apply(this->A_, std::span<const T>(this->x_), product_, threads);
    size = std::max(size, largest(std::span<const T>(product_.data(), rows), threads));
  }
  this->set_unit(size);
  const double down = 1 / this->unit_;
  const R by = static_cast<R>(down);
  y_norm_ = norm(y, threads, down);
  beta_ = y_norm_;
  this->xnorm_ = norm(std::span<const T>(this->x_), threads, 1 / this->x_unit_);
  double damped = 0;
  if (this->from_zero_) cpu::field_update(m, threads, [=](std::size_t i) { u[i] *= by; });
  else {
    const auto [uu] = cpu::field_sums<1>(m, threads, [=](std::size_t i) {
      u[i] = by * u[i] - by * p[i];
      return std::array{square(u[i])};
    });
    check_norm(uu, product_, "lsqr", "A x0", 0);
    beta_ = std::sqrt(uu);
    // The step from x0 minimizes |(y - A x0) - A d|^2 + |-damp x0 - damp d|^2: damping by rotations would forget x0, so its rows are kept.
    if (damp_ > 0) {
      damped_u_.assign(columns, T(0));
      auto* d = numbers(damped_u_);
      const R factor = static_cast<R>(-damp_ * down);
      cpu::field_update(n, threads, [=](std::size_t i) { d[i] = factor * x[i]; });
      damped = damp_ * this->xnorm_ * (this->x_unit_ * down);
      damp_ = 0;
    }
  }
  this->r1norm_ = beta_;
  beta_ = std::hypot(beta_, damped);
  apply_adjoint(this->A_, u_, v_, threads);
  if (this->r1norm_ > 0) this->set_a_unit(u_, v_, "lsqr");
  const double a_down = 1 / this->a_unit_;
  damp_ *= a_down;
  const R inverse = static_cast<R>(quotient(a_down, beta_)), own = static_cast<R>(quotient(options_.damp * a_down, beta_));
  const R* d = damped_u_.empty() ? nullptr : numbers(damped_u_);
  const auto [vv] = cpu::field_sums<1>(n, threads, [=](std::size_t i) {
    v[i] = inverse * v[i] + (d ? own * d[i] : R(0));
    return std::array{square(v[i])};
  });
  check_norm(vv, v_, "lsqr", "A^H y", 0);
  alpha_ = std::sqrt(vv);
  w_ = v_;
  auto* w = numbers(w_);
  const R to_unit = static_cast<R>(quotient(1, alpha_));
  cpu::field_update(n, threads, [=](std::size_t i) { w[i] *= to_unit; });
  rhobar_ = alpha_;
  phibar_ = beta_;
  res2_ = anorm2_ = ddnorm_ = anorm_ = acond_ = 0;
  rnorm_ = this->r2norm_ = beta_;
  this->arnorm_ = alpha_ * beta_;
  this->note();
}

// u and v are kept as beta u and alpha v, so that no pass is needed to normalize them.
template <class T>
void Lsqr<T>::step() {
  if (this->arnorm_ == 0) return;
  using R = real_t<T>;
  const std::size_t m = this->y_.size() * reals<T>, n = this->x_.size() * reals<T>, iteration = this->iteration_ + 1;
  const int threads = this->threads_;
  auto *x = numbers(this->x_), *u = numbers(u_), *v = numbers(v_), *w = numbers(w_), *p = numbers(product_);
  auto* d = damped_u_.empty() ? nullptr : numbers(damped_u_);
  const double a_down = 1 / this->a_unit_;
  const auto given = static_cast<R>(options_.damp * a_down);

  // beta u = A v - alpha u, alpha v = A^H u - beta v.
  const R by_alpha = static_cast<R>(1 / alpha_), p_by = static_cast<R>(a_down / alpha_), keep_u = static_cast<R>(alpha_ / beta_);
  apply(this->A_, std::span<const T>(v_), product_, threads);
  const auto [uu] = cpu::field_sums<1>(m, threads, [=](std::size_t i) {
    u[i] = p_by * p[i] - keep_u * u[i];
    return std::array{square(u[i])};
  });
  check_norm(uu, u_, "lsqr", "A v", iteration);
  double dd = 0;
  if (d)
    dd = cpu::field_sums<1>(n, threads, [=](std::size_t i) {
      d[i] = given * by_alpha * v[i] - keep_u * d[i];
      return std::array{square(d[i])};
    })[0];
  const double beta = std::sqrt(uu + dd);
  anorm2_ += square(alpha_) + square(beta) + square(damp_);
  double alpha = 0;
  if (beta > 0) {
    const R by_beta = static_cast<R>(a_down / beta), keep_v = static_cast<R>(beta / alpha_), own = static_cast<R>(options_.damp * a_down / beta);
    apply_adjoint(this->A_, u_, product_, threads);
    const auto [vv] = cpu::field_sums<1>(n, threads, [=](std::size_t i) {
      v[i] = by_beta * p[i] - keep_v * v[i] + (d ? own * d[i] : R(0));
      return std::array{square(v[i])};
    });
    check_norm(vv, v_, "lsqr", "A^H u", iteration);
    alpha = std::sqrt(vv);
  }

  // Two rotations: one for damping, one for the subdiagonal.
  const double rhobar1 = std::hypot(rhobar_, damp_), psi = damp_ / rhobar1 * phibar_;
  phibar_ *= rhobar_ / rhobar1;
  const double rho = std::hypot(rhobar1, beta), cs = rhobar1 / rho, sn = beta / rho, theta = sn * alpha, phi = cs * phibar_;
  rhobar_ = -cs * alpha;
  phibar_ *= sn;

  const double length = phi / rho * a_down * this->unit_;
  if (iteration == 1) this->set_x_unit(length, w_);
  const R along = static_cast<R>(length), unit = static_cast<R>(quotient(1, alpha)), back = static_cast<R>(theta / rho);
  const double by_rho = 1 / rho, x_down = 1 / this->x_unit_;
  // Directions after as many steps as unknowns repeat, by rounding, what is there.
  R* var = var_.empty() || iteration > var_.size() ? nullptr : var_.data();
  const auto [ww, xx] = cpu::field_sums<2>(n, threads, [=](std::size_t i) {
    const double dk = by_rho * static_cast<double>(w[i]);
    // Both numbers of a complex one lie in the same chunk.
    if (var) var[i / reals<T>] += static_cast<R>(square(dk * a_down));
    x[i] += along * w[i];
    w[i] = unit * v[i] - back * w[i];
    return std::array{dk * dk, square(x_down * static_cast<double>(x[i]))};
  });
  check_norm(xx, this->x_, "lsqr", "x", iteration);
  ddnorm_ += ww;
  beta_ = beta;
  alpha_ = alpha;
  res2_ += square(psi);
  anorm_ = std::sqrt(anorm2_);
  acond_ = anorm_ * std::sqrt(ddnorm_);
  this->xnorm_ = std::sqrt(xx);
  rnorm_ = this->r2norm_ = std::sqrt(square(phibar_) + res2_);
  this->r1norm_ = std::sqrt(std::max(0.0, square(this->r2norm_) - square(options_.damp * this->xnorm_ * (this->x_unit_ / this->unit_))));
  this->arnorm_ = alpha * std::abs(sn * phi);
  this->iteration_ = iteration;
  this->note();
}

// The recurrences believe in the adjoint and in orthogonality; this does not.
template <class T>
void Lsqr<T>::finalize() {
  const std::size_t m = this->y_.size() * reals<T>;
  apply(this->A_, std::span<const T>(this->x_), product_, this->threads_);
  const auto *p = numbers(product_), *y = numbers(this->y_);
  const double down = 1 / this->unit_;
  const auto [rr] = cpu::field_sums<1>(
      m, this->threads_, [=](std::size_t i) { return std::array{square(down * (static_cast<double>(y[i]) - static_cast<double>(p[i])))}; });
  check_norm(rr, product_, "lsqr", "A x", this->iteration_);
  this->r1norm_ = std::sqrt(rr);
  this->r2norm_ = std::hypot(this->r1norm_, options_.damp * this->xnorm_ * (this->x_unit_ * down));
  if (!this->cost_.empty()) {
    this->cost_.back() = this->r1norm();
    this->cost_damped_.back() = this->r2norm();
  }
}

template <class T>
KrylovStop Lsqr<T>::stop() const {
  if (this->iteration_ == 0) {
    if (this->arnorm_ == 0) return KrylovStop::zero;
    return this->limit_ == 0 ? KrylovStop::iteration_limit : KrylovStop::running;
  }
  const double rnorm = rnorm_, arnorm = this->arnorm_, by_x = anorm_ * this->xnorm_ * (this->x_unit_ / this->unit_ * this->a_unit_), eps = epsilon<T>;
  const double gradient = quotient(arnorm, anorm_ * rnorm), inverse_condition = quotient(1, acond_);
  // In the order of Paige and Saunders, where the last to hold counts.
  if (rnorm <= options_.btol * y_norm_ + options_.atol * by_x) return KrylovStop::residual;
  if (gradient <= options_.atol) return KrylovStop::least_squares;
  if (options_.conlim > 0 && acond_ >= options_.conlim) return KrylovStop::condition;
  if (rnorm <= eps * (y_norm_ + by_x)) return KrylovStop::residual_rounding;
  if (gradient <= eps) return KrylovStop::least_squares_rounding;
  if (inverse_condition <= eps) return KrylovStop::condition_rounding;
  return this->iteration_ >= this->limit_ ? KrylovStop::iteration_limit : KrylovStop::running;
}

// ---- in one call -------------------------------------------------------------------------------------------------------

namespace {

template <class T, class Solver>
KrylovResult<T> finished(Solver solver, std::span<const T> y, std::span<const T> x0) {
  solver.setup(y, x0);
  KrylovResult<T> result;
  result.stop = solver.run();
  solver.finalize();
  result.x.assign(solver.x().begin(), solver.x().end());
  result.iterations = solver.iteration();
  result.r1norm = solver.r1norm();
  result.r2norm = solver.r2norm();
  result.arnorm = solver.arnorm();
  result.xnorm = solver.xnorm();
  result.cost = solver.cost();
  if constexpr (std::is_same_v<Solver, Lsqr<T>>) {
    result.anorm = solver.anorm();
    result.acond = solver.acond();
    result.var.assign(solver.var().begin(), solver.var().end());
  }
  return result;
}

}  // namespace

template <class T>
KrylovResult<T> cg(const LinearOperator& A, std::type_identity_t<std::span<const T>> y, const CgOptions& options,
                   std::type_identity_t<std::span<const T>> x0) {
  return finished<T>(Cg<T>(A, options), y, x0);
}
template <class T>
KrylovResult<T> cgls(const LinearOperator& A, std::type_identity_t<std::span<const T>> y, const CgOptions& options,
                     std::type_identity_t<std::span<const T>> x0) {
  return finished<T>(Cgls<T>(A, options), y, x0);
}
template <class T>
KrylovResult<T> lsqr(const LinearOperator& A, std::type_identity_t<std::span<const T>> y, const LsqrOptions& options,
                     std::type_identity_t<std::span<const T>> x0) {
  return finished<T>(Lsqr<T>(A, options), y, x0);
}

#define LOPSAR_INSTANTIATE(T)                                                                                        \
  template class KrylovProblem<T>;                                                                                   \
  template class Cg<T>;                                                                                              \
  template class Cgls<T>;                                                                                            \
  template class Lsqr<T>;                                                                                            \
  template KrylovResult<T> cg<T>(const LinearOperator&, std::span<const T>, const CgOptions&, std::span<const T>);   \
  template KrylovResult<T> cgls<T>(const LinearOperator&, std::span<const T>, const CgOptions&, std::span<const T>); \
  template KrylovResult<T> lsqr<T>(const LinearOperator&, std::span<const T>, const LsqrOptions&, std::span<const T>);
LOPSAR_INSTANTIATE(float)
LOPSAR_INSTANTIATE(double)
LOPSAR_INSTANTIATE(std::complex<float>)
LOPSAR_INSTANTIATE(std::complex<double>)
#undef LOPSAR_INSTANTIATE

}  // namespace lopsar
