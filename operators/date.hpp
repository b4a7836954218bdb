// Acquisition dates as the InSAR field writes them.
#pragma once
#include <string>
#include <string_view>

namespace lopsar {

// Days since 1970-01-01 of "YYYYMMDD", "YYYYMMDDTHHMM" or "YYYY-MM-DD"; fractional where a time is given. InvalidArgument otherwise.
double days_since_epoch(std::string_view date);

// The same date as MintPy writes it: "YYYYMMDD" or "YYYYMMDDTHHMM". InvalidArgument if it is none.
std::string normalized_date(std::string_view date);

}  // namespace lopsar
