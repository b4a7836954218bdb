// Model and priors of a solve as one matrix, worked out once for the kernels. Internal.
#pragma once
#include <cstddef>
#include <vector>

#include <lopsar/operators/algebra.hpp>
#include <lopsar/solvers/kernels/system.hpp>

namespace lopsar::detail {

// A sparse matrix row by row. The terms of a row that share a value stand together as a group: row i has the groups
// [row_start[i], row_start[i+1]), group g the terms [group_start[g], group_start[g+1]) and the value `value[g]` (-1: none).
struct GroupedMatrix {
  bool plain = false;  // every row is one group without a value
  std::vector<int> row_start, group_start, value, column;
  std::vector<double> coefficient;
  std::vector<float> coefficient_float;

  template <class T>
  kernels::SystemMatrix<T> rows() const {
    const T* c;
    if constexpr (sizeof(T) == 4) c = coefficient_float.data();
    else c = coefficient.data();
    return {static_cast<int>(row_start.size()) - 1, plain, row_start.data(), group_start.data(), value.data(), column.data(), c};
  }
  std::vector<int> runs() const;  // see kernels::SystemProducts
};

class System;

// A matrix and its transpose as the kernels multiply with them fastest.
class Products {
 public:
  explicit Products(const System& system);

  // Points into this object.
  template <class T>
  kernels::SystemProducts<T> products() const {
    const kernels::SystemSegment<T>* s;
    if constexpr (sizeof(T) == 4) s = segments_float_.data();
    else s = segments_.data();
    return {rows_, columns_, static_cast<int>(segments_.size()), s, by_row_.rows<T>(), by_column_.rows<T>(), row_runs_.data(), column_runs_.data()};
  }
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

 private:
  struct Dense {
    std::vector<int> column, value;
    std::vector<double> coefficient;
    std::vector<float> coefficient_float;
  };
  int rows_, columns_;
  std::vector<Dense> dense_;
  std::vector<kernels::SystemSegment<double>> segments_;
  std::vector<kernels::SystemSegment<float>> segments_float_;
  GroupedMatrix by_row_, by_column_;
  std::vector<int> row_runs_, column_runs_;
};

// [A; R_1; R_2; ...]: the rows of the model, which are observations, and below them those of the priors.
//
// An entry is a coefficient, times a *value* where it differs from pixel to pixel: a sum of products of field rows, evaluated once per pixel. Entries
// with one term share the value of its factor, so that e.g. the DEM-error column of all rows has the one value 1/(R sin incidence).
class System {
 public:
  // InvalidArgument: a scene or complex operator; ShapeError: a prior with other columns.
  System(const LinearOperator& model, const std::vector<LinearOperator>& priors);

  // One term of an entry of the matrix; value -1: none. At most one per entry and value.
  struct Entry {
    int row, column;
    double coefficient;
    int value;
  };

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  int observations() const { return observations_; }
  int values() const { return static_cast<int>(terms_.size()); }
  std::size_t pixels() const { return matrix_.pixels(); }         // of the fields, 0: none
  const std::vector<Entry>& entries() const { return entries_; }  // by row, then value, then column
  const GroupedMatrix& by_row() const { return by_row_; }         // A
  const GroupedMatrix& by_column() const { return by_column_; }   // A'

  // The values at pixels [first, first + n) as out[lane group][value][lane], for `lanes` pixels in all. Where one is not finite, flaw[pixel] becomes
  // 1 and the value 0.
  template <class T>
  void fill_values(std::size_t first, std::size_t n, int lane, int lanes, T* out, T* flaw) const;

 private:
  struct Term {
    double coefficient;
    int factor;
  };
  int rows_ = 0, columns_ = 0, observations_ = 0;
  Lowering matrix_;
  std::vector<std::vector<Term>> terms_;  // of each value
  std::vector<Entry> entries_;
  GroupedMatrix by_row_, by_column_;
};

}  // namespace lopsar::detail
