#include <lopsar/operators/cumulative_sum.hpp>

#include <lopsar/operators/cpu/series.hpp>
#include <lopsar/operators/error.hpp>

namespace lopsar {

// The running sums away from the reference date, and those towards it for the adjoint.
struct CumulativeSum::Program {
  struct Steps {
    std::vector<cpu::SumStep<float>> single;
    std::vector<cpu::SumStep<double>> wide;
    void restart(int destination = -1) { add(-1, destination, 0, 1); }
    void add(int source, int destination, double coefficient, double scale) {
      single.push_back({source, destination, static_cast<float>(coefficient), static_cast<float>(scale)});
      wide.push_back({source, destination, coefficient, scale});
    }
  };
  Steps forward, adjoint;

  Program(const TimeAxis& axis, Increment increment) {
    const int last = static_cast<int>(axis.years().size()) - 1;
    const int reference = static_cast<int>(axis.reference().value_or(0));
    const auto row = [&](int date) { return static_cast<int>(*axis.place(static_cast<std::size_t>(date))); };
    const auto length = [&](int column) {
      const auto j = static_cast<std::size_t>(column);
      return increment == Increment::rate ? axis.years()[j + 1] - axis.years()[j] : 1.0;
    };
    forward.restart(axis.reference() ? -1 : 0);
    for (int d = reference + 1; d <= last; ++d) forward.add(d - 1, row(d), length(d - 1), 1);
    forward.restart();
    for (int d = reference - 1; d >= 0; --d) forward.add(d, row(d), -length(d), 1);

    adjoint.restart();
    for (int d = last; d > reference; --d) adjoint.add(row(d), d - 1, 1, length(d - 1));
    adjoint.restart();
    for (int d = 0; d < reference; ++d) adjoint.add(row(d), d, 1, -length(d));
  }
};

CumulativeSum::CumulativeSum(const TimeAxis& axis, Increment increment) {
  const auto& dates = axis.dates();
  if (dates.size() < 2) throw InvalidArgument("CumulativeSum: expected at least two dates, got " + dates.front() + " only");
  if (increment == Increment::rate) axis.check_increasing_years("CumulativeSum");
  shape_ = {axis.size(), dates.size() - 1};
  for (std::size_t j = 1; j < dates.size(); ++j) parameters_.push_back({dates[j - 1] + "_" + dates[j], increment == Increment::rate ? "1/year" : ""});
  program_ = std::make_shared<const Program>(axis, increment);
}

Lowering CumulativeSum::lower() const {
  Lowering matrix;
  matrix.shape = shape_;
  std::vector<Triplet> terms;  // of the running sum
  for (const auto& step : program_->forward.wide) {
    if (step.source < 0) terms.clear();
    else terms.push_back({0, static_cast<std::size_t>(step.source), step.coefficient});
    for (auto term : terms) {
      term.row = static_cast<std::size_t>(step.destination);
      matrix.triplets.push_back(term);
    }
  }
  matrix.compress();
  return matrix;
}

#define LOPSAR_CUMULATIVE_SUM(T, steps)                                                                                                           \
  void CumulativeSum::forward_tile(ConstBlock<T> x, Block<T> y, Tile tile) const {                                                                \
    cpu::series_kernels<T>(lanes::active_level()).running_sum(program_->forward.steps.data(), program_->forward.steps.size(), x, y, tile.stream); \
  }                                                                                                                                               \
  void CumulativeSum::adjoint_tile(ConstBlock<T> y, Block<T> x, Tile tile) const {                                                                \
    cpu::series_kernels<T>(lanes::active_level()).running_sum(program_->adjoint.steps.data(), program_->adjoint.steps.size(), y, x, tile.stream); \
  }
LOPSAR_CUMULATIVE_SUM(float, single)
LOPSAR_CUMULATIVE_SUM(double, wide)
#undef LOPSAR_CUMULATIVE_SUM

}  // namespace lopsar
