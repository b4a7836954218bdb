// Order of elimination and fill-in of a symmetric sparse matrix, or of a graph. Internal.
#pragma once
#include <cstddef>
#include <vector>

namespace lopsar::detail {

using Structure = std::vector<std::vector<int>>;  // per column, or position: the others that share an entry with it

// An order of columns and what it leads to.
struct Elimination {
  std::vector<int> order, position;  // columns as eliminated, and back
  Structure neighbors;               // positions of the neighbors of each column at its elimination, by position, sorted
};

// The first of the orders, unless another is predicted to cost less than nine tenths of what the best so far does: it runs through memory as the data
// do. cost: of a column with so many neighbors.
Elimination cheapest(const Structure& beside, const std::vector<std::vector<int>>& orders, std::size_t (*cost)(std::size_t neighbors));

// Approximate minimum degree (Amestoy, Davis and Duff 1996); last >= 0: that column is eliminated last, as if it were not there.
std::vector<int> minimum_degree(const Structure& beside, int last = -1);

// Numbered rows of scratch, used again when free. Row 0 stays zero.
class Slots {
 public:
  int open() {
    if (free_.empty()) return next_++;
    const int slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void close(int slot) {
    if (slot > 0) free_.push_back(slot);
  }
  int rows() const { return next_; }

 private:
  int next_ = 1;
  std::vector<int> free_;
};

}  // namespace lopsar::detail
