#include <lopsar/operators/rearrange.hpp>

#include <algorithm>
#include <string>

#include <lopsar/operators/cpu/copy.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

std::size_t axis_of(const Dims& dims, std::ptrdiff_t axis, const char* who) { return checked_axis(axis, checked_dims(dims, who).size(), who); }

AxisMatrix flipped(std::size_t n) {
  AxisMatrix m(n);
  m.append(n, {{static_cast<std::ptrdiff_t>(n) - 1, 1, true}});
  return m;
}

AxisMatrix rolled(std::size_t n, std::ptrdiff_t shift) {
  const auto length = static_cast<std::ptrdiff_t>(n), s = (shift % length + length) % length;
  AxisMatrix m(n);
  m.append(static_cast<std::size_t>(s), {{length - s, 1}});
  m.append(static_cast<std::size_t>(length - s), {{-s, 1}});
  return m;
}

AxisMatrix mirrored(std::size_t n) {
  const auto last = static_cast<std::ptrdiff_t>(n) - 1;
  AxisMatrix m(n);
  m.append(n - 1, {{last, 1, true}});
  m.append(n, {{-last, 1}});
  return m;
}

AxisMatrix picked(std::size_t n, const std::vector<std::ptrdiff_t>& indices) {
  const auto length = static_cast<std::ptrdiff_t>(n);
  if (indices.empty()) throw InvalidArgument("Restriction: expected at least one index, got none");
  AxisMatrix m(n);
  for (std::size_t i = 0, past; i < indices.size(); i = past) {  // indices in a row are one run
    if (indices[i] < -length || indices[i] >= length)
      throw InvalidArgument("Restriction: expected indices from " + std::to_string(-length) + " to " + std::to_string(length - 1) + ", got " +
                            std::to_string(indices[i]));
    const std::ptrdiff_t index = indices[i] < 0 ? indices[i] + length : indices[i];
    for (past = i + 1; past < indices.size() && indices[past] == indices[past - 1] + 1 && indices[past] != 0 && indices[past] < length;) ++past;
    m.append(past - i, {{index - static_cast<std::ptrdiff_t>(i), 1}});
  }
  return m;
}

Dims padded(const Dims& dims, const std::vector<std::pair<std::size_t, std::size_t>>& pad) {
  checked_dims(dims, "Pad");
  if (pad.size() != dims.size())
    throw ShapeError("Pad: expected one pair (before, after) per axis (" + std::to_string(dims.size()) + "), got " + std::to_string(pad.size()));
  Dims result;
  for (std::size_t a = 0; a < dims.size(); ++a) result.push_back(pad[a].first + dims[a] + pad[a].second);
  return result;
}

Dims before(const std::vector<std::pair<std::size_t, std::size_t>>& pad) {
  Dims result;
  for (const auto& p : pad) result.push_back(p.first);
  return result;
}

Dims smaller(const Dims& a, const Dims& b) {
  if (a.size() != b.size())
    throw ShapeError("Identity: expected as many axes in the data as in the model, got " + std::to_string(a.size()) + " and " +
                     std::to_string(b.size()));
  Dims result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back(std::min(a[i], b[i]));
  return result;
}

Dims permutation(const Dims& dims, const std::vector<std::ptrdiff_t>& axes) {
  checked_dims(dims, "Transpose");
  Dims result, sorted;
  for (const std::ptrdiff_t axis : axes) result.push_back(checked_axis(axis, dims.size(), "Transpose"));
  sorted = result;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.size() != dims.size() || std::unique(sorted.begin(), sorted.end()) != sorted.end())
    throw InvalidArgument("Transpose: expected every axis once, " + std::to_string(dims.size()) + " of them, got others");
  return result;
}

Dims permuted(const Dims& dims, const Dims& axes) {
  Dims result;
  for (const std::size_t a : axes) result.push_back(dims[a]);
  return result;
}

}  // namespace

Flip::Flip(const Dims& dims, std::ptrdiff_t axis) : Stencil(dims, axis_of(dims, axis, "Flip"), flipped(dims[axis_of(dims, axis, "Flip")]), "Flip") {}

Roll::Roll(const Dims& dims, std::ptrdiff_t axis, std::ptrdiff_t shift)
    : Stencil(dims, axis_of(dims, axis, "Roll"), rolled(dims[axis_of(dims, axis, "Roll")], shift), "Roll") {}

Symmetrize::Symmetrize(const Dims& dims, std::ptrdiff_t axis)
    : Stencil(dims, axis_of(dims, axis, "Symmetrize"), mirrored(dims[axis_of(dims, axis, "Symmetrize")]), "Symmetrize") {}

FieldRestriction::FieldRestriction(const Dims& dims, const std::vector<std::ptrdiff_t>& indices, std::ptrdiff_t axis)
    : Stencil(dims, axis_of(dims, axis, "Restriction"), picked(dims[axis_of(dims, axis, "Restriction")], indices), "Restriction") {}

FieldZero::FieldZero(const Dims& dimsd, const Dims& dims)
    : Stencil(
          {product(checked_dims(dims, "Zero"))}, 0,
          [&] {
            AxisMatrix m(product(dims));
            m.append(product(checked_dims(dimsd, "Zero")), {});
            return m;
          }(),
          dims, dimsd, "Zero") {}

BoxCopy::BoxCopy(Dims dims, Dims dimsd, Dims box, Dims from, Dims to, std::string name)
    : SceneOperator(std::move(dims), std::move(dimsd), std::move(name)), box_(std::move(box)), from_(std::move(from)), to_(std::move(to)) {}

template <class T>
void BoxCopy::array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const {
  if (adjoint) cpu::copy_box(box_, from, dimsd(), to_, to, dims(), from_, k, threads);
  else cpu::copy_box(box_, from, dims(), from_, to, dimsd(), to_, k, threads);
}
template void BoxCopy::array(const float*, float*, std::size_t, bool, int) const;
template void BoxCopy::array(const double*, double*, std::size_t, bool, int) const;

Pad::Pad(const Dims& dims, const std::vector<std::pair<std::size_t, std::size_t>>& pad)
    : BoxCopy(dims, padded(dims, pad), dims, Dims(dims.size(), 0), before(pad), "Pad") {}

FieldIdentity::FieldIdentity(const Dims& dimsd, const Dims& dims)
    : BoxCopy(checked_dims(dims, "Identity"), checked_dims(dimsd, "Identity"), smaller(dims, dimsd), Dims(dims.size(), 0), Dims(dims.size(), 0),
              "Identity") {}

Transpose::Transpose(const Dims& dims, const std::vector<std::ptrdiff_t>& axes)
    : SceneOperator(dims, permuted(dims, permutation(dims, axes)), "Transpose"), axes_(permutation(dims, axes)) {}

template <class T>
void Transpose::array(const T* from, T* to, std::size_t k, bool adjoint, int threads) const {
  if (!adjoint) return cpu::transpose(dims(), axes_, from, to, k, threads);
  Dims back(axes_.size());
  for (std::size_t a = 0; a < axes_.size(); ++a) back[axes_[a]] = a;
  cpu::transpose(dimsd(), back, from, to, k, threads);
}
template void Transpose::array(const float*, float*, std::size_t, bool, int) const;
template void Transpose::array(const double*, double*, std::size_t, bool, int) const;

}  // namespace lopsar
