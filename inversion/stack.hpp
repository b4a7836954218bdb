// A MintPy stack of interferograms, opened.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lopsar/operators/network.hpp>

namespace lopsar {

namespace files {
class Hdf5File;
}

// What an ifgramStack file says of itself; pixels stay in the file. Immutable, cheap to copy.
//
// Datasets: `date` (m, 2), `unwrapPhase*` (m, l, w) rad, second date minus first, optionally `coherence` (m, l, w), `bperp` (m) m,
// `dropIfgram` (m), true = keep. Every failure names the file, the dataset or attribute, what was expected and what came.
class Stack {
 public:
  struct Pixel {
    std::size_t row = 0, column = 0;
  };

  // FileError: no such file, not HDF5, truncated, not a stack, missing date or phase. ShapeError: shapes that do not belong together.
  // InvalidArgument: malformed dates, a pair of a date with itself, all pairs dropped.
  explicit Stack(const std::string& path);

  const std::string& path() const;
  const std::map<std::string, std::string>& attributes() const;  // of the root, as text
  // An attribute; FileError that says what it is needed for (`why`) if there is none.
  const std::string& attribute(const std::string& key, const std::string& why) const;

  const std::vector<std::pair<std::string, std::string>>& all_pairs() const;  // (m) first and second date, dropped pairs too
  const std::vector<bool>& keep() const;                                      // (m)
  const std::vector<std::size_t>& kept() const;                               // (K) indices of the kept pairs
  const Network& network() const;                                             // of the kept pairs, relative to their first date
  std::size_t length() const;
  std::size_t width() const;
  const std::vector<std::string>& datasets() const;  // names in the file

  double wavelength() const;       // m, WAVELENGTH; FileError if missing or no positive number
  double phase_per_meter() const;  // -4 pi / wavelength, MintPy's sign: motion towards the satellite shortens the path
  // Independent looks: NCORRLOOKS, or ALOOKS RLOOKS / 1.94, rounded half to even, at least 1. FileError if neither is there.
  int looks() const;
  // REF_Y, REF_X, if both are there; FileError for a pixel outside the scene or what is no number.
  std::optional<Pixel> reference() const;

  // Perpendicular baselines (m): of all pairs (m), of dates (D), first date 0, by least squares from the kept pairs (minimum norm
  // where those do not connect), and rms and largest misfit (m) of that. FileError without the dataset `bperp`.
  // MintPy puts the dates of a network whose pairs share one first date in another order unless that is the earliest; not here.
  struct Baselines {
    std::vector<double> pair, date;
    double rms_misfit = 0, max_misfit = 0;
  };
  Baselines baselines() const;

  // The open file, for code that reads pixels.
  const files::Hdf5File& file() const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace lopsar
