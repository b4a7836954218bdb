#include <lopsar/operators/dem_error.hpp>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

double factor_of(double range, double incidence) {
  if (!(range > 0 && std::isfinite(range) && incidence > 0 && incidence < 180)) return std::numeric_limits<double>::quiet_NaN();
  return 1 / (range * std::sin(incidence * (std::numbers::pi / 180)));
}

// 1 / (R sin(inc)): a number, or a field.
template <class T>
Field factor_field(const Geometry& geometry, std::size_t pixels) {
  const auto value = [](const std::variant<double, Field>& v, std::size_t p) {
    if (const auto* number = std::get_if<double>(&v)) return *number;
    double at = 0;
    std::get<Field>(v).read(0, p, 1, &at);
    return at;
  };
  std::vector<T> factor(pixels);
  for (std::size_t p = 0; p < pixels; ++p) factor[p] = static_cast<T>(factor_of(value(geometry.slant_range, p), value(geometry.incidence, p)));
  return Field(std::move(factor), 1, pixels);
}

std::variant<double, Field> factor_of(const Geometry& geometry) {
  std::size_t pixels = 0;
  bool wide = false;
  for (const auto& [name, v] : {std::pair("slant range", &geometry.slant_range), std::pair("incidence", &geometry.incidence)}) {
    const auto* field = std::get_if<Field>(v);
    if (!field) continue;
    if (field->rows() != 1)
      throw ShapeError("DemError: expected a " + std::string(name) + " (1, pixels), got " + std::to_string(field->rows()) + " rows");
    if (pixels != 0 && field->pixels() != pixels)
      throw ShapeError("DemError: expected slant range and incidence of equal numbers of pixels, got " + std::to_string(pixels) + " and " +
                       std::to_string(field->pixels()));
    pixels = field->pixels();
    wide = wide || field->as<float>() == nullptr;
  }
  const auto* range = std::get_if<double>(&geometry.slant_range);
  if (range && !(*range > 0 && std::isfinite(*range)))
    throw InvalidArgument("DemError: expected a positive slant range in meters, got " + std::to_string(*range));
  const auto* incidence = std::get_if<double>(&geometry.incidence);
  if (incidence && !(*incidence > 0 && *incidence < 180))
    throw InvalidArgument("DemError: expected an incidence between 0 and 180 degrees, got " + std::to_string(*incidence));
  if (range && incidence) return factor_of(*range, *incidence);
  return wide ? factor_field<double>(geometry, pixels) : factor_field<float>(geometry, pixels);
}

void check_dates(const TimeAxis& axis, std::size_t baselines) {
  if (baselines != axis.dates().size())
    throw ShapeError("DemError: expected one baseline per date, " + std::to_string(axis.dates().size()) + ", got " + std::to_string(baselines) +
                     "; reduce baselines of pairs with date_baselines()");
}

Lowering matrix_of(const TimeAxis& axis, const std::vector<double>& baselines, const Geometry& geometry) {
  check_dates(axis, baselines.size());
  const auto factor = factor_of(geometry);
  const auto* number = std::get_if<double>(&factor);
  Lowering matrix;
  matrix.shape = {axis.size(), 1};
  if (!number) {
    matrix.fields = {std::get<Field>(factor)};
    matrix.factors = {{{0, 0}}};
  }
  const double reference = axis.reference() ? baselines[*axis.reference()] : 0;
  for (std::size_t d = 0; d < baselines.size(); ++d) {
    if (!std::isfinite(baselines[d])) throw InvalidArgument("DemError: expected a finite baseline, got none for " + axis.dates()[d]);
    if (const auto row = axis.place(d)) matrix.triplets.push_back({*row, 0, (baselines[d] - reference) * (number ? *number : 1), number ? -1 : 0});
  }
  return matrix;
}

Lowering matrix_of(const TimeAxis& axis, const Field& baselines, const Geometry& geometry) {
  check_dates(axis, baselines.rows());
  const auto factor = factor_of(geometry);
  const auto* number = std::get_if<double>(&factor);
  Lowering matrix;
  matrix.shape = {axis.size(), 1};
  matrix.fields = {baselines};
  if (!number) matrix.fields.push_back(std::get<Field>(factor));
  for (std::size_t d = 0; d < baselines.rows(); ++d) {
    matrix.factors.push_back({{0, d}});
    if (!number) matrix.factors.back().push_back({1, 0});
  }
  const double coefficient = number ? *number : 1;
  for (std::size_t d = 0; d < baselines.rows(); ++d)
    if (const auto row = axis.place(d)) {
      matrix.triplets.push_back({*row, 0, coefficient, static_cast<int>(d)});
      if (axis.reference()) matrix.triplets.push_back({*row, 0, -coefficient, static_cast<int>(*axis.reference())});
    }
  return matrix;
}

}  // namespace

DemError::DemError(const TimeAxis& axis, const std::vector<double>& date_baselines, const Geometry& geometry)
    : Pattern(matrix_of(axis, date_baselines, geometry), "DemError", {{"DEM error", ""}}) {}

DemError::DemError(const TimeAxis& axis, const Field& date_baselines, const Geometry& geometry)
    : Pattern(matrix_of(axis, date_baselines, geometry), "DemError", {{"DEM error", ""}}) {}

}  // namespace lopsar
