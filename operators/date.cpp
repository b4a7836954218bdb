#include <lopsar/operators/date.hpp>

#include <algorithm>
#include <chrono>

#include <lopsar/operators/error.hpp>

namespace lopsar {

std::string normalized_date(std::string_view date) {
  std::string d(date);
  if (d.size() >= 10 && d[4] == '-' && d[7] == '-') d = d.substr(0, 4) + d.substr(5, 2) + d.substr(8);
  const auto digits = [&](std::size_t from, std::size_t to) {
    return std::all_of(d.begin() + static_cast<long>(from), d.begin() + static_cast<long>(to), [](char c) { return c >= '0' && c <= '9'; });
  };
  const bool day = d.size() == 8 && digits(0, 8);
  const bool minute = d.size() == 13 && d[8] == 'T' && digits(0, 8) && digits(9, 13);
  if (!day && !minute) throw InvalidArgument("date: expected YYYYMMDD, YYYYMMDDTHHMM or YYYY-MM-DD, got '" + std::string(date) + "'");
  return d;
}

double days_since_epoch(std::string_view date) {
  using namespace std::chrono;
  const std::string d = normalized_date(date);
  const year_month_day ymd{year{std::stoi(d.substr(0, 4))}, month{static_cast<unsigned>(std::stoi(d.substr(4, 2)))},
                           day{static_cast<unsigned>(std::stoi(d.substr(6, 2)))}};
  const int hour = d.size() > 8 ? std::stoi(d.substr(9, 2)) : 0, minute = d.size() > 8 ? std::stoi(d.substr(11, 2)) : 0;
  if (!ymd.ok() || hour > 23 || minute > 59) throw InvalidArgument("date: '" + std::string(date) + "' is not in the calendar");
  return static_cast<double>(sys_days{ymd}.time_since_epoch().count()) + (hour * 60 + minute) / 1440.0;
}

}  // namespace lopsar
