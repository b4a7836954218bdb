// Rows of the next tile come from memory while the arithmetic of this one runs. They are far apart, so that no hardware prefetcher follows them.
#pragma once
#include <cstddef>

#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::cpu {

// step() is done `steps` times, a few of them at each of `calls` calls. What kernels call meanwhile().
template <class Step>
class Spread {
 public:
  LOPSAR_HD Spread(const Step& step, int steps, int calls) : step_(step), left_(steps), steps_(steps), calls_(calls) {}
  LOPSAR_HD void operator()() {
    for (due_ += steps_; due_ > 0 && left_ > 0; due_ -= calls_, --left_) step_();
  }
  LOPSAR_HD void finish() {
    for (; left_ > 0; --left_) step_();
  }

 private:
  Step step_;
  int left_, steps_, calls_, due_ = 0;
};

// Asks for the 64 bytes of a row that begin here. The last of them: where rows are not aligned to cache lines, its line is the one that no earlier
// tile has read.
LOPSAR_HD void ask_for(const char* bytes) { __builtin_prefetch(bytes + 63); }

}  // namespace lopsar::cpu
