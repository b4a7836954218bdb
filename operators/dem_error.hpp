// What an error of the elevation model adds to a series.
#pragma once
#include <variant>
#include <vector>

#include <lopsar/operators/pattern.hpp>
#include <lopsar/operators/time_axis.hpp>

namespace lopsar {

// Slant range (m) and incidence angle (degrees): one number for all pixels, or a field (1, pixels).
struct Geometry {
  std::variant<double, Field> slant_range, incidence;
};

// x_i = (b_i - b_ref) / (R sin(inc)) dz: from the elevation error dz (pixels) to a series in the same unit (m).
//
// Perpendicular baselines b (m) are relative to the reference date of the axis; without one they are taken as they are. The sign is that of
// MintPy's dem_error: dz > 0 with b > 0 raises x. Fattahi and Amelung (2013), eq. 7. A pixel whose range is not positive or whose incidence is
// not between 0 and 180 degrees (NaN too) is NaN: its adjoint, and its series wherever the (scalar) baseline is not that of the reference date. So is
// a pixel with NaN baselines. The geometry factor is kept in float32 where all its fields are. InvalidArgument: a number for all pixels that makes no
// sense; ShapeError: not one baseline per date, fields that differ in pixels or have the wrong number of rows.
class DemError final : public Pattern {
 public:
  // date_baselines: (D), the reference date too.
  DemError(const TimeAxis& axis, const std::vector<double>& date_baselines, const Geometry& geometry);
  // date_baselines: (D, pixels).
  DemError(const TimeAxis& axis, const Field& date_baselines, const Geometry& geometry);
};

}  // namespace lopsar
