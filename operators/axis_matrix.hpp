// Sparse matrices that act along one axis, written as runs of equal rows.
#pragma once
#include <cstddef>
#include <vector>

namespace lopsar {

// One entry of every row of a run: row i has `value` in column offset + i, or offset - i if it runs backward.
struct Tap {
  std::ptrdiff_t offset = 0;
  double value = 0;
  bool backward = false;
};

// Rows [from, to) with the taps [first, last).
struct TapRun {
  std::size_t from = 0, to = 0, first = 0, last = 0;
};

// A matrix (rows, columns) of runs; a finite difference is one long run and a few rows at both ends, whatever the length of the axis.
struct AxisMatrix {
  std::size_t rows = 0, columns = 0;
  std::vector<TapRun> runs;  // sorted, without gaps
  std::vector<Tap> taps;

  explicit AxisMatrix(std::size_t n_columns = 0) : columns(n_columns) {}
  // Appends n rows with these taps; offsets count from row number 0. Taps of value 0 are left out.
  void append(std::size_t n, const std::vector<Tap>& row);
  // InvalidArgument if a column does not exist or a value is not finite.
  void check(const char* who) const;
  AxisMatrix transposed() const;
  // The column of a tap in row i.
  static std::ptrdiff_t column(const Tap& tap, std::size_t i) {
    const auto row = static_cast<std::ptrdiff_t>(i);
    return tap.backward ? tap.offset - row : tap.offset + row;
  }
};

// A matrix that acts along `axis` of plane `input`, and adds to plane `output`.
struct AxisTerm {
  std::size_t output = 0, input = 0, axis = 0;
  AxisMatrix matrix;
};

}  // namespace lopsar
