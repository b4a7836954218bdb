// Products with the sparse matrix of a model and its transpose, on one lane of pixels. Arithmetic on V only.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::kernels {
using namespace lanes;

// See detail::GroupedMatrix.
template <class T>
struct SystemMatrix {
  int rows;
  bool plain;  // every row is one group without a value: group i is row i
  const int *row_start, *group_start, *value, *column;
  const T* coefficient;
};

// sum_j a_ij x_j of row i. values, x: rows of lanes.
template <class V, class Values, class Rows>
LOPSAR_HD V row_product(const SystemMatrix<value_t<V>>& a, int i, Values values, Rows x) {
  if (a.plain) {
    int e = a.group_start[i];
    const int end = a.group_start[i + 1];
    V sum = V(a.coefficient[e]) * x[a.column[e]];
    while (++e < end) sum = madd(V(a.coefficient[e]), x[a.column[e]], sum);
    return sum;
  }
  V total(value_t<V>(0));
  for (int g = a.row_start[i]; g < a.row_start[i + 1]; ++g) {
    V sum(value_t<V>(0));
    for (int e = a.group_start[g]; e < a.group_start[g + 1]; ++e) sum = madd(V(a.coefficient[e]), x[a.column[e]], sum);
    total = a.value[g] < 0 ? total + sum : madd(values[a.value[g]], sum, total);
  }
  return total;
}

// sum_j a_ij^2 w_j of row i.
template <class V, class Values, class Rows>
LOPSAR_HD V row_squares(const SystemMatrix<value_t<V>>& a, int i, Values values, Rows w) {
  V total(value_t<V>(0));
  for (int g = a.row_start[i]; g < a.row_start[i + 1]; ++g) {
    V sum(value_t<V>(0));
    for (int e = a.group_start[g]; e < a.group_start[g + 1]; ++e) sum = madd(V(a.coefficient[e] * a.coefficient[e]), w[a.column[e]], sum);
    if (a.value[g] < 0) total = total + sum;
    else {
      const V value = values[a.value[g]];
      total = madd(value * value, sum, total);
    }
  }
  return total;
}

}  // namespace lopsar::kernels
