// Networks and pixels for the tests.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <lopsar/operators/network.hpp>

namespace support {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;  // same tests, fewer pixels
#else
inline constexpr bool sanitized = false;
#endif

using Names = std::vector<std::pair<std::string, std::string>>;

// YYYYMMDD of a day after 2014-10-04; with a fraction, YYYYMMDDTHHMM.
inline std::string date_text(double day) {
  using namespace std::chrono;
  const double whole = std::floor(day);
  const year_month_day d{sys_days{year{2014} / October / 4} + days{static_cast<int>(whole)}};
  char text[32];
  int n =
      std::snprintf(text, sizeof text, "%04d%02u%02u", static_cast<int>(d.year()), static_cast<unsigned>(d.month()), static_cast<unsigned>(d.day()));
  if (day != whole) {
    const int minutes = static_cast<int>(std::lround((day - whole) * 1440));
    std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), "T%02d%02d", minutes / 60, minutes % 60);
  }
  return text;
}

// Dates by day, pairs by date index.
struct Graph {
  std::vector<double> days;
  std::vector<std::pair<int, int>> pairs;

  int dates() const { return static_cast<int>(days.size()); }
  Names names() const {
    Names n;
    for (const auto& [a, b] : pairs) n.emplace_back(date_text(days[static_cast<std::size_t>(a)]), date_text(days[static_cast<std::size_t>(b)]));
    return n;
  }
  lopsar::Network network(int reference = 0) const { return lopsar::Network(names(), date_text(days[static_cast<std::size_t>(reference)])); }
};

inline std::vector<double> regular_days(int dates, double step = 12) {
  std::vector<double> days;
  for (int d = 0; d < dates; ++d) days.push_back(d * step);
  return days;
}

// K pairs of D dates: all pairs of the shortest spans, the rest drawn from the next span; sorted by first, second date.
inline Graph nearest_neighbors(int K, int D, unsigned seed = 3) {
  Graph g{regular_days(D), {}};
  int span = 1, left = K;
  for (; span < D && left >= D - span; left -= D - span, ++span)
    for (int i = span; i < D; ++i) g.pairs.emplace_back(i - span, i);
  std::vector<std::pair<int, int>> next;
  for (int i = span; i < D; ++i) next.emplace_back(i - span, i);
  std::mt19937 random(seed);
  std::shuffle(next.begin(), next.end(), random);
  g.pairs.insert(g.pairs.end(), next.begin(), next.begin() + left);
  std::sort(g.pairs.begin(), g.pairs.end());
  return g;
}

inline Graph all_pairs(int D) {
  Graph g{regular_days(D), {}};
  for (int i = 0; i < D; ++i)
    for (int j = i + 1; j < D; ++j) g.pairs.emplace_back(i, j);
  return g;
}

inline void reverse_some(Graph& g, unsigned seed) {
  std::mt19937 random(seed);
  for (auto& p : g.pairs)
    if (random() % 2) std::swap(p.first, p.second);
}

// A block (rows, pixels) that owns its memory; rows are `stride` apart, and the gap holds a value that must survive.
template <class T>
struct Grid {
  std::size_t rows, pixels, stride, offset;
  std::vector<T> values;
  static constexpr T guard = T(-77777);

  Grid(std::size_t r, std::size_t p, std::size_t gap = 0, std::size_t start = 0)
      : rows(r), pixels(p), stride(p + gap), offset(start), values(start + r * (p + gap) + 1, guard) {}
  T& at(std::size_t r, std::size_t p) { return values[offset + r * stride + p]; }
  const T& at(std::size_t r, std::size_t p) const { return values[offset + r * stride + p]; }
  lopsar::Block<T> block() { return {values.data() + offset, rows, pixels, stride}; }
  lopsar::ConstBlock<T> view() const { return {values.data() + offset, rows, pixels, stride}; }
  bool gap_untouched() const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool inside = i >= offset && pixels > 0 && (i - offset) / stride < rows && (i - offset) % stride < pixels;
      if (!inside && values[i] != guard) return false;
    }
    return true;
  }
  // Pixels pick[0], pick[1], ... as a new grid.
  Grid taken(const std::vector<std::size_t>& pick, std::size_t gap = 0, std::size_t start = 0) const {
    Grid g(rows, pick.size(), gap, start);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t p = 0; p < pick.size(); ++p) g.at(r, p) = at(r, pick[p]);
    return g;
  }
};

inline double uniform(std::mt19937_64& random, double from, double to) { return std::uniform_real_distribution<double>(from, to)(random); }

// In m.
inline std::vector<double> perpendicular_baselines(std::size_t dates) {
  std::mt19937_64 random(5);
  std::vector<double> b(dates);
  for (auto& v : b) v = uniform(random, -150, 150);
  return b;
}

template <class T>
bool same_bits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

}  // namespace support
