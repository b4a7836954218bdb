// Iterative solvers on whole fields: CG, CGLS and LSQR for one problem and any operator.
#pragma once
#include <complex>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <lopsar/operators/algebra.hpp>

namespace lopsar {

// Why an iteration ended: the numbers of LSQR's istop (Paige and Saunders, 1982), here for all three solvers.
enum class KrylovStop {
  running = -1,
  zero = 0,               // x = 0, or x0, is the exact solution
  residual = 1,           // |y - A x| is as small as asked for
  least_squares = 2,      // |A^H (y - A x) - damp^2 x| is as small as asked for
  condition = 3,          // the condition number exceeds its limit
  residual_rounding = 4,  // as 1, 2, 3, but as small (or large) as the precision allows
  least_squares_rounding = 5,
  condition_rounding = 6,  // also: a direction that the operator maps to zero, as a semidefinite one may
  iteration_limit = 7,
};

struct CgOptions {
  double damp = 0;  // CG: A + damp I (as in PyLops). CGLS: A^H A + damp^2 I
  // CG stops at |r| <= tol |y|; CGLS at a gradient g = A^H r - damp^2 x with |g| <= tol |A^H y| that is also small beside the residual
  // (r2norm, or r), |g| <= tol |A| |r|, unless |r| <= tol |y| itself.
  double tol = 1e-6;
  double rtol = 0;             // also stop at |r| < rtol * (|r| at the start)
  double rtol1 = 0;            // also stop at |r| < rtol1 * |y|
  std::size_t iterations = 0;  // at most; 0: twice the number of unknowns
  int threads = 0;             // 0: all. No influence on the bits of the result.
  // A Hermitian positive definite operator on the model that resembles the inverse of A + damp I (CG) or of A^H A + damp^2 I (CGLS).
  std::optional<LinearOperator> preconditioner{};
};

struct LsqrOptions {
  double damp = 0;
  double atol = 1e-8, btol = 1e-8;  // relative errors of A and of y
  double conlim = 1e8;              // limit of the condition number; 0: none
  std::size_t iterations = 0;       // at most; 0: twice the number of unknowns
  bool variances = false;           // whether to sum up var
  int threads = 0;
};

// What the solvers share: steps, stop rules, and what can be read between steps. Norms are Euclidean, sums are held in float64 and added in an
// order that does not depend on the number of threads. Data and operator are scaled by powers of two inside, so that squares neither overflow nor
// vanish: data times a power of two give the same digits.
class KrylovSolver {
 public:
  virtual ~KrylovSolver() = default;

  // One iteration; nothing where the solution is exact or no step can be made. InvalidArgument as soon as NaN or infinity comes up, and in Cg
  // where the first step finds an operator that is not positive semidefinite.
  virtual void step() = 0;
  // Steps until a rule stops it or `proceed`, called after every step, returns false.
  KrylovStop run(const std::function<bool()>& proceed = {});
  // What can only be said at the end; call it after the last step.
  virtual void finalize() {}

  // Which rule holds now, `running` if none does.
  virtual KrylovStop stop() const = 0;
  std::size_t iteration() const { return iteration_; }
  std::size_t iterations() const { return limit_; }
  void set_iterations(std::size_t most) { limit_ = most; }
  // |y - A x|, sqrt(|y - A x|^2 + damp^2 |x|^2), |A^H (y - A x) - damp^2 x|, |x|; of CG the first three are |y - A x - damp x|.
  double r1norm() const { return r1norm_ * unit_; }
  double r2norm() const { return r2norm_ * unit_; }
  double arnorm() const { return arnorm_ * a_unit_ * unit_; }
  double xnorm() const { return xnorm_ * x_unit_; }
  // r1norm before the first step and after every step; with damping, r2norm.
  const std::vector<double>& cost() const { return cost_; }
  const std::vector<double>& cost_damped() const { return cost_damped_; }

 protected:
  std::size_t iteration_ = 0, limit_ = 0;
  // Powers of two: residuals are kept divided by unit_, products with A or A^H further divided by a_unit_, |x| by x_unit_; x is not.
  double unit_ = 1, a_unit_ = 1, x_unit_ = 1;
  double r1norm_ = 0, r2norm_ = 0, arnorm_ = 0, xnorm_ = 0;  // divided
  std::vector<double> cost_, cost_damped_;
  void start(std::size_t limit);
  void note();
};

// One problem y = A x in values of type T: float, double or their complex numbers.
//
// setup() looks at y, which must live until the end; x0 is copied. ShapeError if they do not fit, InvalidArgument if they are not finite, or (Cgls,
// Lsqr) if A^H y is too small for T.
template <class T>
class KrylovProblem : public KrylovSolver {
 public:
  virtual void setup(std::span<const T> y, std::span<const T> x0 = {}) = 0;
  // The solution so far. Whoever changes it changes what the steps start from, but not the residual that belongs to it.
  std::span<T> x() { return x_; }
  std::span<const T> x() const { return x_; }
  // The residual, of the model (CG) or of the data (CGLS); LSQR has none. A copy.
  std::vector<T> residual() const { return times(r_, unit_); }

 protected:
  explicit KrylovProblem(LinearOperator A, int threads) : A_(std::move(A)), threads_(threads) {}
  void begin(std::span<const T> y, std::span<const T> x0, std::size_t iterations, const char* who);
  static std::vector<T> times(std::vector<T> values, double unit);
  // For the largest number of the data at the start.
  void set_unit(double largest);
  // For A^H r, which is in s; r as kept. InvalidArgument where it has lost its digits.
  void set_a_unit(std::vector<T>& r, std::vector<T>& s, const char* who);
  // Before the first step: x += length direction.
  void set_x_unit(double length, const std::vector<T>& direction);
  LinearOperator A_;
  int threads_;
  std::span<const T> y_;
  double y_size_ = 0;  // the largest magnitude in y
  std::vector<T> x_, r_;
  bool from_zero_ = true;  // whether x0 is zero
};

// Conjugate gradients (Hestenes and Stiefel, 1952): (A + damp I) x = y for a Hermitian positive definite A.
//
// Four vectors besides y, also with a preconditioner. An A that turns out not to be positive semidefinite in the first step is InvalidArgument; else
// the residual norms still tell the truth.
template <class T>
class Cg final : public KrylovProblem<T> {
 public:
  explicit Cg(LinearOperator A, CgOptions options = {});
  void setup(std::span<const T> y, std::span<const T> x0 = {}) override;
  void step() override;
  KrylovStop stop() const override;
  std::vector<T> direction() const { return this->times(c_, this->unit_); }

 private:
  CgOptions options_;
  std::vector<T> c_, q_;
  double rz_ = 0, y_norm_ = 0, first_ = 0;
  bool stuck_ = false;
  void check_curvature(double curvature);
};

// Conjugate gradients of the normal equations (Hestenes and Stiefel, 1952; Bjorck, 1996, alg. 7.4.1): min |y - A x|^2 + damp^2 |x|^2.
//
// Besides y two vectors of data and three of the model, four with a preconditioner. x0 and damping go together.
template <class T>
class Cgls final : public KrylovProblem<T> {
 public:
  explicit Cgls(LinearOperator A, CgOptions options = {});
  void setup(std::span<const T> y, std::span<const T> x0 = {}) override;
  void step() override;
  KrylovStop stop() const override;
  std::vector<T> direction() const { return this->times(c_, this->a_unit_ * this->unit_); }
  std::vector<T> gradient() const { return this->times(s_, this->a_unit_ * this->unit_); }

 private:
  CgOptions options_;
  std::vector<T> c_, q_, s_, z_;
  double gamma_ = 0, y_norm_ = 0, gradient_ = 0, first_ = 0, c_norm_ = 0, a_norm_ = 0;
  bool stuck_ = false;
};

// LSQR (Paige and Saunders, ACM TOMS 8, 1982): min |y - A x|^2 + damp^2 |x|^2 by bidiagonalization, with estimates of |A| and cond(A).
//
// Besides y one vector of data, three of the model and one of the longer kind; with variances, or with damping and x0, one more of the model.
// r1norm and r2norm are estimates until finalize(), which multiplies once more by A.
template <class T>
class Lsqr final : public KrylovProblem<T> {
 public:
  using Real = decltype(std::real(T()));
  explicit Lsqr(LinearOperator A, LsqrOptions options = {});
  void setup(std::span<const T> y, std::span<const T> x0 = {}) override;
  void step() override;
  void finalize() override;
  KrylovStop stop() const override;
  // Estimates of the Frobenius norm and the condition number of [A; damp I]: from below, but for rounding, which makes them grow on once LSQR has
  // converged.
  double anorm() const { return anorm_ * this->a_unit_; }
  double acond() const { return acond_; }
  // Estimate, from below but for rounding, of the diagonal of (A^H A + damp^2 I)^-1; complete after as many steps as A has different singular values
  // that y meets.
  std::span<const Real> var() const { return var_; }

 private:
  LsqrOptions options_;
  std::vector<T> u_, damped_u_, v_, w_, product_;
  std::vector<Real> var_;
  double rnorm_ = 0;  // r2norm by recurrence: what the rules look at
  double alpha_ = 0, beta_ = 0, rhobar_ = 0, phibar_ = 0, res2_ = 0, anorm2_ = 0, ddnorm_ = 0, anorm_ = 0, acond_ = 0, y_norm_ = 0, damp_ = 0;
};

// What a solver found.
template <class T>
struct KrylovResult {
  std::vector<T> x;
  KrylovStop stop = KrylovStop::running;
  std::size_t iterations = 0;
  double r1norm = 0, r2norm = 0, arnorm = 0, xnorm = 0;
  std::vector<double> cost;
  double anorm = 0, acond = 0;                // LSQR
  std::vector<decltype(std::real(T()))> var;  // LSQR, if asked for
};

// The same in one call, e.g. cgls<float>(A, y, {.damp = 0.1}).x.
template <class T>
KrylovResult<T> cg(const LinearOperator& A, std::type_identity_t<std::span<const T>> y, const CgOptions& options = {},
                   std::type_identity_t<std::span<const T>> x0 = {});
template <class T>
KrylovResult<T> cgls(const LinearOperator& A, std::type_identity_t<std::span<const T>> y, const CgOptions& options = {},
                     std::type_identity_t<std::span<const T>> x0 = {});
template <class T>
KrylovResult<T> lsqr(const LinearOperator& A, std::type_identity_t<std::span<const T>> y, const LsqrOptions& options = {},
                     std::type_identity_t<std::span<const T>> x0 = {});

}  // namespace lopsar
