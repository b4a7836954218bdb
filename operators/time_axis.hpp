// The dates on which a series or a time model lives.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lopsar/operators/network.hpp>

namespace lopsar {

// How dates become years. `elapsed`: days / 365.25. `mintpy`: year + (day of year - 1 + time of day) / 365.25, where the night to the first of
// January takes 1.25 days after a common year and 0.25 days after a leap year.
enum class TimeConvention { elapsed, mintpy };

// D dates in their order, and the date whose value is zero, if there is one.
//
// With a reference date a series has D-1 values, those of the other dates in date order: the columns of a Network. Without, it has D. A
// Network becomes a TimeAxis by itself. Immutable.
class TimeAxis {
 public:
  TimeAxis(const Network& network, TimeConvention convention = TimeConvention::elapsed)
      : TimeAxis(network.dates(), network.reference(), convention) {}
  // dates: "YYYYMMDD" or "YYYYMMDDTHHMM". InvalidArgument: no dates, no date, not strictly increasing, reference not below D.
  TimeAxis(const std::vector<std::string>& dates, std::optional<std::size_t> reference = {}, TimeConvention convention = TimeConvention::elapsed);

  const std::vector<std::string>& dates() const { return dates_; }
  std::optional<std::size_t> reference() const { return reference_; }  // index into dates()

  // Years since the first date, (D).
  const std::vector<double>& years() const { return years_; }
  // The same of any date.
  double years(std::string_view date) const;

  // InvalidArgument unless years increase: in MintPy's calendar they do not between the last hours of a leap year and the next day.
  void check_increasing_years(const char* who) const;

  // Values of a series: D, or D-1 with a reference date.
  std::size_t size() const { return dates_.size() - (reference_ ? 1 : 0); }
  // Where a date stands among these; none for the reference date.
  std::optional<std::size_t> place(std::size_t date) const;
  // Names of the values of a series: the dates.
  std::vector<Parameter> parameters() const;

 private:
  std::vector<std::string> dates_;
  std::vector<double> years_;
  std::optional<std::size_t> reference_;
  TimeConvention convention_;
};

}  // namespace lopsar
