// Compiled once per instruction-set level: nothing here may leave a weak symbol that another level's object could share.
#include <lopsar/operators/lanes/target.hpp>

#include <lopsar/solvers/cpu/krylov.hpp>
#include <lopsar/solvers/status.hpp>

namespace lopsar::cpu {
namespace {
using namespace kernels;

template <class V>
LOPSAR_HD packed_rows<V> at(value_t<V>* base, int row) {
  return {base + static_cast<std::ptrdiff_t>(row) * width<V>};
}

template <class V>
LOPSAR_HD krylov::State<packed_rows<V>> rows_of(const KrylovPlan<value_t<V>>& plan, value_t<V>* state, value_t<V>* scratch) {
  const auto& s = plan.state;
  return {at<V>(state, s.values), at<V>(state, s.w), at<V>(state, s.r),      at<V>(scratch, plan.scratch.t),
          at<V>(state, s.x),      at<V>(state, s.p), at<V>(state, s.s),      at<V>(scratch, plan.scratch.z),
          at<V>(state, s.v),      at<V>(state, s.d), at<V>(state, s.length), at<V>(state, s.variances),
          at<V>(state, s.scalars)};
}
template <class V>
LOPSAR_HD krylov::History<packed_rows<V>> history_of(const KrylovPlan<value_t<V>>& plan, value_t<V>* state) {
  return {at<V>(state, plan.state.history), plan.history};
}

// body(method, M) with the preconditioner of the plan.
template <class V, class Body>
LOPSAR_HD void with(const KrylovPlan<value_t<V>>& plan, value_t<V>* state, Body&& body) {
  using T = value_t<V>;
  using Rows = packed_rows<V>;
  using krylov::Method;
  const auto by_method = [&](const auto& m) {
    switch (plan.method) {
      case Method::cg: return body(std::integral_constant<Method, Method::cg>{}, m);
      case Method::cgls: return body(std::integral_constant<Method, Method::cgls>{}, m);
      case Method::lsqr: return body(std::integral_constant<Method, Method::lsqr>{}, m);
    }
  };
  const Rows length = at<V>(state, plan.state.length);
  switch (plan.preconditioner) {
    case KrylovPlan<T>::Preconditioner::none: return by_method(krylov::NoPreconditioner{});
    case KrylovPlan<T>::Preconditioner::diagonal: return by_method(krylov::DiagonalPreconditioner<Rows>{length});
    case KrylovPlan<T>::Preconditioner::cholesky:
      return by_method(krylov::CholeskyPreconditioner<T, Rows>{plan.cholesky, at<V>(state, plan.state.factors), length});
  }
}

template <class V>
void begin_group(const KrylovPlan<value_t<V>>& plan, const SystemTile<value_t<V>>& tile, const SystemTile<value_t<V>>* other, int c,
                 value_t<V>* state, value_t<V>* scratch) {
  using T = value_t<V>;
  const V zero(T(0)), one(T(1)), nan(zero / zero);
  const auto of = rows_of<V>(plan, state, scratch);
  const auto group = [&](T* rows, int n) { return packed_rows<V>{rows + static_cast<std::ptrdiff_t>(c) * n}; };
  const int rows = plan.problem.rows.rows, n = plan.problem.columns.rows;
  if (plan.values > 0) {
    const auto values = group(tile.values, plan.values);
    for (int v = 0; v < plan.values; ++v) of.values.set(v, values[v]);
  }
  if (plan.history)
    for (int i = 0; i <= plan.max_iterations; ++i) at<V>(state, plan.state.history).set(i, nan);
  const auto y = group(tile.y, rows);
  V live = choose(io<V>::load(tile.count + c) > zero, one, zero);
  live = choose(io<V>::load(tile.flaw + c) > zero, zero, live);
  const auto x0 = group(tile.x, n);
  for (int j = 0; j < n; ++j) live = choose(magnitude(x0[j]) < V(krylov::most<T>), live, zero);
  krylov::scaling<V>(plan.problem, of, y, group(tile.w, rows), x0, live);
  if (plan.preconditioner == KrylovPlan<T>::Preconditioner::cholesky) {
    const auto slots = at<V>(scratch, plan.scratch.slots), neighbors = at<V>(scratch, plan.scratch.neighbors),
               factors = at<V>(state, plan.state.factors);
    const V damping = of.scalars[krylov::damp], damp2 = damping * damping;
    if (!other) factorize<V>(plan.cholesky, of.values, of.w, damp2, plan.tau, T(0), slots, neighbors, factors);
    else {
      const auto w = group(other->w, plan.other_rows);
      const V weight = of.scalars[krylov::weight];
      for (int i = 0; i < plan.other_rows; ++i) w.set(i, w[i] * weight);
      factorize<V>(plan.cholesky, group(other->values, plan.other_values), w, damp2, plan.tau, T(0), slots, neighbors, factors);
    }
  }
  with<V>(plan, state, [&](auto method, const auto& m) { krylov::begin<V, method.value>(plan.problem, of, m, y, history_of<V>(plan, state)); });
}

template <class V>
bool iterate_group(const KrylovPlan<value_t<V>>& plan, value_t<V>* state, value_t<V>* scratch, int first, int last) {
  const auto of = rows_of<V>(plan, state, scratch);
  with<V>(plan, state,
          [&](auto method, const auto& m) { krylov::iterate<V, method.value>(plan.problem, of, m, first, last, history_of<V>(plan, state)); });
  return some(of.scalars[krylov::stop] < V(value_t<V>(0.5)));
}

template <class V>
void finish_group(const KrylovPlan<value_t<V>>& plan, SystemTile<value_t<V>>& tile, int c, value_t<V>* state) {
  using T = value_t<V>;
  const auto of = rows_of<V>(plan, state, state);  // no scratch is used
  const auto group = [&](T* rows, int n) { return packed_rows<V>{rows + static_cast<std::ptrdiff_t>(c) * n}; };
  const int rows = plan.problem.rows.rows, n = plan.problem.columns.rows;
  const auto finished =
      krylov::finish<V>(plan.problem, of, group(tile.y, rows), group(tile.x, n), plan.problem.variances ? group(tile.variances, n) : of.s);
  io<V>::store(tile.norm + c, finished.norm);
  if (plan.history) {
    const auto from = at<V>(state, plan.state.history), to = group(tile.history, plan.max_iterations + 1);
    for (int i = 0; i <= plan.max_iterations; ++i) to.set(i, from[i]);
  }
  const auto number = [](Status s) { return V(T(static_cast<int>(s))); };
  const V zero(T(0)), one(T(1)), stop = of.scalars[krylov::stop];
  V rank = of.scalars[krylov::touched];
  if (!(plan.problem.damp > T(0))) limit_rank<V>(rows, group(tile.w, rows), rank);
  V status = number(Status::not_converged);
  status = choose(stop > V(T(krylov::broken) - T(0.5)), number(Status::breakdown), status);
  status = choose(stop > V(T(krylov::ill_conditioned) - T(0.5)), number(Status::not_converged), status);
  status =
      choose((stop > V(T(0.5))) & (stop < V(T(1.5))), choose(rank < V(T(n) - T(0.5)), number(Status::rank_deficient), number(Status::ok)), status);
  status = choose(finished.broken > zero, number(Status::breakdown), status);
  io<V>::store(tile.status + c, status);
  io<V>::store(tile.rank + c, rank);
  // What begin refused: x0, or the model of the preconditioner, whose flaws only the tile of begin() knew.
  const auto refused = (stop > V(T(krylov::empty) - T(0.5))) & (io<V>::load(tile.count + c) > zero);
  io<V>::store(tile.flaw + c, choose(refused | (finished.beyond > zero), one, io<V>::load(tile.flaw + c)));
  io<V>::store(tile.iterations + c, of.scalars[krylov::iterations]);
}

}  // namespace

template <class T, int level>
const KrylovKernels<T>& krylov_level() {
  static constexpr KrylovKernels<T> kernels{width<native<T>>, begin_group<native<T>>, iterate_group<native<T>>, finish_group<native<T>>};
  return kernels;
}
template const KrylovKernels<float>& krylov_level<float, LOPSAR_LEVEL>();
template const KrylovKernels<double>& krylov_level<double, LOPSAR_LEVEL>();

}  // namespace lopsar::cpu
