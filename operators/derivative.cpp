#include <lopsar/operators/derivative.hpp>

#include <cmath>
#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

void needs(std::size_t n, std::size_t stencil, double h, const char* who) {
  if (n < stencil)
    throw InvalidArgument(std::string(who) + ": expected an axis of at least " + std::to_string(stencil) + " values, as many as the stencil, got " +
                          std::to_string(n) + "; leave this axis out");
  if (!(h > 0) || !std::isfinite(h)) throw InvalidArgument(std::string(who) + ": expected a sampling > 0, got " + std::to_string(h));
}

AxisMatrix first_difference(std::size_t n, const DerivativeOptions& o) {
  const char* who = "FirstDerivative";
  if (o.order != 3 && o.order != 5) throw InvalidArgument("FirstDerivative: expected order 3 or 5, got " + std::to_string(o.order));
  const double h = o.sampling;
  const std::vector<Tap> forward{{0, -1 / h}, {1, 1 / h}}, backward{{-1, -1 / h}, {0, 1 / h}}, centered{{-1, -0.5 / h}, {1, 0.5 / h}}, none;
  AxisMatrix m(n);
  if (o.kind == Difference::forward) {
    needs(n, 2, h, who);
    m.append(n - 1, forward);
    m.append(1, none);
  } else if (o.kind == Difference::backward) {
    needs(n, 2, h, who);
    m.append(1, none);
    m.append(n - 1, backward);
  } else if (o.order == 3) {
    needs(n, 3, h, who);
    m.append(1, o.edge ? forward : none);
    m.append(n - 2, centered);
    m.append(1, o.edge ? backward : none);
  } else {
    needs(n, 5, h, who);
    m.append(1, o.edge ? forward : none);
    m.append(1, o.edge ? centered : none);
    m.append(n - 4, {{-2, 1 / (12 * h)}, {-1, -2 / (3 * h)}, {1, 2 / (3 * h)}, {2, -1 / (12 * h)}});
    m.append(1, o.edge ? centered : none);
    m.append(1, o.edge ? backward : none);
  }
  return m;
}

AxisMatrix second_difference(std::size_t n, const DerivativeOptions& o, double weight, const char* who) {
  needs(n, 3, o.sampling, who);
  if (!std::isfinite(weight)) throw InvalidArgument(std::string(who) + ": expected a finite weight, got " + std::to_string(weight));
  const double w = weight / (o.sampling * o.sampling);
  const auto taps = [&](std::ptrdiff_t from) { return std::vector<Tap>{{from, w}, {from + 1, -2 * w}, {from + 2, w}}; };
  AxisMatrix m(n);
  if (o.kind == Difference::forward) {
    m.append(n - 2, taps(0));
    m.append(2, {});
  } else if (o.kind == Difference::backward) {
    m.append(2, {});
    m.append(n - 2, taps(-2));
  } else {
    m.append(1, o.edge ? taps(0) : std::vector<Tap>{});
    m.append(n - 2, taps(-1));
    m.append(1, o.edge ? taps(-2) : std::vector<Tap>{});
  }
  return m;
}

std::vector<Stencil::Term> laplacian_terms(const Dims& dims, const std::vector<std::ptrdiff_t>& axes, const std::vector<double>& weights,
                                           const std::vector<double>& sampling, Difference kind, bool edge) {
  checked_dims(dims, "Laplacian");
  if (axes.empty() || axes.size() != weights.size() || axes.size() != sampling.size())
    throw ShapeError("Laplacian: expected one weight and one sampling per axis, got " + std::to_string(axes.size()) + " axes, " +
                     std::to_string(weights.size()) + " weights, " + std::to_string(sampling.size()) + " samplings");
  std::vector<Stencil::Term> terms;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const std::size_t axis = checked_axis(axes[a], dims.size(), "Laplacian");
    for (const auto& term : terms)
      if (term.axis == axis)
        throw InvalidArgument("Laplacian: expected different axes, got " + std::to_string(axis) + " twice; add up their weights");
    terms.push_back({0, 0, axis, second_difference(dims[axis], {sampling[a], kind, edge, 3}, weights[a], "Laplacian")});
  }
  return terms;
}

std::vector<Stencil::Term> gradient_terms(const Dims& dims, const std::vector<double>& sampling, Difference kind, bool edge) {
  checked_dims(dims, "Gradient");
  if (sampling.size() != 1 && sampling.size() != dims.size())
    throw ShapeError("Gradient: expected one sampling or one per axis (" + std::to_string(dims.size()) + "), got " + std::to_string(sampling.size()));
  std::vector<Stencil::Term> terms;
  for (std::size_t a = 0; a < dims.size(); ++a)
    terms.push_back({a, 0, a, first_difference(dims[a], {sampling[sampling.size() == 1 ? 0 : a], kind, edge, 3})});
  return terms;
}

// All on one plane, times the components of a direction; what a component of 0 leaves out cannot pass a NaN on.
std::vector<Stencil::Term> directional_terms(const Dims& dims, const std::vector<double>& v, const std::vector<double>& sampling, Difference kind,
                                             bool edge) {
  if (v.size() != dims.size())
    throw ShapeError("DirectionalDerivative: expected one component per axis (" + std::to_string(dims.size()) + "), got " + std::to_string(v.size()));
  std::vector<Stencil::Term> terms;
  for (auto& term : gradient_terms(dims, sampling, kind, edge)) {
    if (v[term.axis] == 0) continue;
    for (Tap& tap : term.matrix.taps) tap.value *= v[term.axis];
    terms.push_back({0, 0, term.axis, std::move(term.matrix)});
  }
  return terms;
}

Dims with_planes(const Dims& dims) {
  Dims result{dims.size()};
  result.insert(result.end(), dims.begin(), dims.end());
  return result;
}

std::size_t axis_of(const Dims& dims, std::ptrdiff_t axis, const char* who) { return checked_axis(axis, checked_dims(dims, who).size(), who); }

}  // namespace

FirstDerivative::FirstDerivative(const Dims& dims, std::ptrdiff_t axis, DerivativeOptions options)
    : Stencil(dims, axis_of(dims, axis, "FirstDerivative"), first_difference(dims[axis_of(dims, axis, "FirstDerivative")], options),
              "FirstDerivative") {}

SecondDerivative::SecondDerivative(const Dims& dims, std::ptrdiff_t axis, DerivativeOptions options)
    : Stencil(dims, axis_of(dims, axis, "SecondDerivative"),
              second_difference(dims[axis_of(dims, axis, "SecondDerivative")], options, 1, "SecondDerivative"), "SecondDerivative") {}

Laplacian::Laplacian(const Dims& dims, const std::vector<std::ptrdiff_t>& axes, const std::vector<double>& weights,
                     const std::vector<double>& sampling, Difference kind, bool edge)
    : Stencil(dims, laplacian_terms(dims, axes, weights, sampling, kind, edge), dims, dims, "Laplacian") {}

Gradient::Gradient(const Dims& dims, const std::vector<double>& sampling, Difference kind, bool edge)
    : Stencil(dims, gradient_terms(dims, sampling, kind, edge), dims, with_planes(dims), "Gradient") {}

DirectionalDerivative::DirectionalDerivative(const Dims& dims, const std::vector<double>& v, const std::vector<double>& sampling, Difference kind,
                                             bool edge)
    : Stencil(dims, directional_terms(dims, v, sampling, kind, edge), dims, dims, "DirectionalDerivative") {}

}  // namespace lopsar
