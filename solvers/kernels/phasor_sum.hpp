// |sum of exp(i e)| over the residuals of a pixel, two fused multiply-adds per term beyond sine and cosine.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::kernels {
using namespace lanes;

// With s = sin(e/2), c = cos(e/2):  sum cos e = n - 2 sum s^2,  sum sin e = 2 sum s c.
// The half angle is reduced by whole turns of e, so sin and cos need only [-pi/2, pi/2]. Polynomials in r^2, r = e/2pi - round:
// minimax on [-1/2, 1/2], term error <= 9e-7 (float); in double ten Taylor terms, error < 4e-15.
template <class V>
struct PhasorSum {
  using T = value_t<V>;
  V ss = V(T(0)), sc = V(T(0));  // never braces: xsimd 8 takes them for an initializer_list

  // turned conjugates the term: |sum exp(i e)| changes when single residuals change orientation.
  // A missing observation has e near `missing`, which float arithmetic takes for whole turns: its term is that of e = 0, and its
  // absence from n corrects the sum.
  LOPSAR_HD void add(V e, bool turned) {
    const V turns = e * V(turned ? T(-0.15915494309189535) : T(0.15915494309189535));
    const V r = turns - nearest(turns);
    const V u = r * r;
    V s, c;
    if constexpr (sizeof(T) == 4) {
      s = madd(V(T(0.07725965)), u, V(T(-0.5980689)));
      s = madd(s, u, V(T(2.5500362)));
      s = madd(s, u, V(T(-5.1677074)));
      s = madd(s, u, V(T(3.1415925)));
      c = madd(V(T(0.2196968)), u, V(T(-1.3318802)));
      c = madd(c, u, V(T(4.058412)));
      c = madd(c, u, V(T(-4.934793)));
      c = madd(c, u, V(T(0.99999994)));
    } else {  // Taylor series of sin(pi r) and cos(pi r)
      constexpr double a[] = {3.141592653589793,     -5.167712780049969,     2.550164039877345,       -0.5992645293207919,   0.08214588661112819,
                              -0.007370430945714348, 0.00046630280576761234, -2.1915353447830204e-05, 7.952054001475508e-07, -2.2948428997269856e-08};
      constexpr double b[] = {1.0,
                              -4.934802200544679,
                              4.058712126416768,
                              -1.3352627688545893,
                              0.23533063035889312,
                              -0.02580689139001405,
                              0.001929574309403922,
                              -0.00010463810492484565,
                              4.303069587032944e-06,
                              -1.387895246221376e-07};
      s = V(T(a[9]));
      c = V(T(b[9]));
      LOPSAR_UNROLL for (int i = 8; i >= 0; --i) {
        s = madd(s, u, V(T(a[i])));
        c = madd(c, u, V(T(b[i])));
      }
    }
    s = s * r;
    ss = madd(s, s, ss);
    sc = madd(s, c, sc);
  }

  // |sum| / n; inverse_count = 1/n, or 0 where n = 0.
  LOPSAR_HD V mean_length(V count, V inverse_count) const {
    const V re = nmadd(V(T(2)), ss, count), im = V(T(2)) * sc;
    return root(madd(im, im, re * re)) * inverse_count;
  }
};

}  // namespace lopsar::kernels
