#include <lopsar/operators/time_axis.hpp>

#include <cmath>

#include <lopsar/operators/date.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {
namespace {

double calendar_years(std::string_view date) {
  const std::string year = normalized_date(date).substr(0, 4);
  return std::stoi(year) + (days_since_epoch(date) - days_since_epoch(year + "0101")) / 365.25;
}

}  // namespace

TimeAxis::TimeAxis(const std::vector<std::string>& dates, std::optional<std::size_t> reference, TimeConvention convention)
    : reference_(reference), convention_(convention) {
  if (dates.empty()) throw InvalidArgument("dates: expected at least one, got none");
  for (const auto& date : dates) {
    if (!dates_.empty() && !(days_since_epoch(date) > days_since_epoch(dates_.back())))
      throw InvalidArgument("dates: expected strictly increasing dates, got " + date + " after " + dates_.back() + "; sort them and drop duplicates");
    dates_.push_back(normalized_date(date));
  }
  if (reference && *reference >= dates.size())
    throw InvalidArgument("reference: expected an index below the " + std::to_string(dates.size()) + " dates, got " + std::to_string(*reference));
  for (const auto& date : dates_) years_.push_back(years(date));
}

double TimeAxis::years(std::string_view date) const {
  if (convention_ == TimeConvention::mintpy) return calendar_years(date) - calendar_years(dates_.front());
  return (days_since_epoch(date) - days_since_epoch(dates_.front())) / 365.25;
}

void TimeAxis::check_increasing_years(const char* who) const {
  for (std::size_t d = 1; d < years_.size(); ++d)
    if (!(years_[d] > years_[d - 1]))
      throw InvalidArgument(std::string(who) + ": expected dates whose years increase, got " + dates_[d - 1] + " and " + dates_[d] +
                            "; use elapsed years");
}

std::optional<std::size_t> TimeAxis::place(std::size_t date) const {
  if (!reference_) return date;
  if (date == *reference_) return {};
  return date - (date > *reference_ ? 1 : 0);
}

std::vector<Parameter> TimeAxis::parameters() const {
  std::vector<Parameter> parameters;
  for (std::size_t d = 0; d < dates_.size(); ++d)
    if (place(d)) parameters.push_back({dates_[d], ""});
  return parameters;
}

}  // namespace lopsar
