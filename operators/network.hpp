// The network of interferograms as a linear operator.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lopsar/operators/pattern.hpp>

namespace lopsar {

// Interferometric phase from date phases: (A x)_k = x[second date of pair k] - x[first date of pair k].
//
// Unknowns are the phases of all dates but the reference, in date order: shape (K, D-1). Pairs may be reversed, parallel (the same
// two dates more than once) and of any graph, connected or not. Immutable.
class Network final : public Pattern {
 public:
  // Indices into dates() of a pair's first and second date: phase = second minus first.
  struct Pair {
    std::size_t first = 0, second = 0;
    bool operator==(const Pair&) const = default;
  };

  // pairs: first and second date of each interferogram, "YYYYMMDD" or "YYYYMMDDTHHMM". reference: the date whose phase is zero
  // (empty: the earliest). InvalidArgument: no pairs, no date, a pair of a date with itself, reference not among the dates.
  explicit Network(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view reference = {});

  const std::vector<std::string>& dates() const { return dates_; }  // sorted, unique
  const std::vector<double>& days() const { return days_; }         // days since 1970-01-01
  const std::vector<Pair>& pairs() const { return pairs_; }
  std::size_t reference() const { return reference_; }  // index into dates()

  std::vector<std::size_t> redundancy() const;  // interferograms per date
  std::vector<std::size_t> components() const;  // label per date, 0 for the component of the earliest date
  std::size_t component_count() const;
  bool connected() const { return component_count() == 1; }
  std::size_t rank() const { return dates_.size() - component_count(); }  // of the matrix: D - components

 private:
  struct Graph {
    std::vector<std::string> dates;
    std::vector<Pair> pairs;
    std::size_t reference = 0;
  };
  static Graph read(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view reference);
  explicit Network(Graph graph);

  std::vector<std::string> dates_;
  std::vector<double> days_;
  std::vector<Pair> pairs_;
  std::size_t reference_ = 0;
};

}  // namespace lopsar
