// R registers side by side as one lane: amortizes decoding of the symbolic program and hides latency.
#pragma once
#include <lopsar/operators/lanes/lane.hpp>

namespace lopsar::lanes {

template <class V, int R>
struct pack {
  V r[R];
  LOPSAR_HD pack() {}
  LOPSAR_HD explicit pack(value_t<V> a) {
    for (int i = 0; i < R; ++i) r[i] = V(a);
  }
};
template <class M, int R>
struct pack_mask {
  M r[R];
};
template <class V, int R>
struct lane<pack<V, R>> {
  using value = value_t<V>;
  static constexpr int width = R * lane<V>::width;
};

#define LOPSAR_EACH LOPSAR_UNROLL for (int i = 0; i < R; ++i)
template <class V, int R>
LOPSAR_HD pack<V, R> operator+(pack<V, R> a, pack<V, R> b) {
  LOPSAR_EACH a.r[i] = a.r[i] + b.r[i];
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> operator-(pack<V, R> a, pack<V, R> b) {
  LOPSAR_EACH a.r[i] = a.r[i] - b.r[i];
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> operator*(pack<V, R> a, pack<V, R> b) {
  LOPSAR_EACH a.r[i] = a.r[i] * b.r[i];
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> operator/(pack<V, R> a, pack<V, R> b) {
  LOPSAR_EACH a.r[i] = a.r[i] / b.r[i];
  return a;
}
template <class V, int R>
LOPSAR_HD auto operator>(pack<V, R> a, pack<V, R> b) {
  pack_mask<decltype(a.r[0] > b.r[0]), R> m;
  LOPSAR_EACH m.r[i] = a.r[i] > b.r[i];
  return m;
}
template <class V, int R>
LOPSAR_HD auto operator<(pack<V, R> a, pack<V, R> b) {
  pack_mask<decltype(a.r[0] < b.r[0]), R> m;
  LOPSAR_EACH m.r[i] = a.r[i] < b.r[i];
  return m;
}
template <class V, int R>
LOPSAR_HD auto operator>=(pack<V, R> a, pack<V, R> b) {
  pack_mask<decltype(a.r[0] >= b.r[0]), R> m;
  LOPSAR_EACH m.r[i] = a.r[i] >= b.r[i];
  return m;
}
template <class V, int R>
LOPSAR_HD auto operator<=(pack<V, R> a, pack<V, R> b) {
  pack_mask<decltype(a.r[0] <= b.r[0]), R> m;
  LOPSAR_EACH m.r[i] = a.r[i] <= b.r[i];
  return m;
}
template <class V, int R>
LOPSAR_HD auto operator!=(pack<V, R> a, pack<V, R> b) {
  pack_mask<decltype(a.r[0] != b.r[0]), R> m;
  LOPSAR_EACH m.r[i] = a.r[i] != b.r[i];
  return m;
}
template <class M, int R>
LOPSAR_HD pack_mask<M, R> operator!(pack_mask<M, R> a) {
  LOPSAR_EACH a.r[i] = !a.r[i];
  return a;
}
template <class M, int R>
LOPSAR_HD pack_mask<M, R> operator&(pack_mask<M, R> a, pack_mask<M, R> b) {
  LOPSAR_EACH a.r[i] = a.r[i] & b.r[i];
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> madd(pack<V, R> a, pack<V, R> b, pack<V, R> c) {
  LOPSAR_EACH c.r[i] = madd(a.r[i], b.r[i], c.r[i]);
  return c;
}
template <class V, int R>
LOPSAR_HD pack<V, R> nmadd(pack<V, R> a, pack<V, R> b, pack<V, R> c) {
  LOPSAR_EACH c.r[i] = nmadd(a.r[i], b.r[i], c.r[i]);
  return c;
}
template <class V, int R>
inline constexpr bool has_madd_down<pack<V, R>> = has_madd_down<V>;
template <class V, int R>
LOPSAR_HD pack<V, R> madd_down(pack<V, R> a, pack<V, R> b, pack<V, R> c) {
  LOPSAR_EACH c.r[i] = madd_down(a.r[i], b.r[i], c.r[i]);
  return c;
}
template <class V, int R>
LOPSAR_HD pack<V, R> at_least(pack<V, R> a, pack<V, R> bound) {
  LOPSAR_EACH a.r[i] = at_least(a.r[i], bound.r[i]);
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> at_most(pack<V, R> a, pack<V, R> bound) {
  LOPSAR_EACH a.r[i] = at_most(a.r[i], bound.r[i]);
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> truncate(pack<V, R> a) {
  LOPSAR_EACH a.r[i] = truncate(a.r[i]);
  return a;
}
template <class M, class V, int R>
LOPSAR_HD pack<V, R> choose(pack_mask<M, R> m, pack<V, R> a, pack<V, R> b) {
  LOPSAR_EACH a.r[i] = choose(m.r[i], a.r[i], b.r[i]);
  return a;
}
template <class M, int R>
LOPSAR_HD bool some(pack_mask<M, R> m) {
  bool any = false;
  LOPSAR_EACH any = any || some(m.r[i]);
  return any;
}
template <class V, int R>
LOPSAR_HD pack<V, R> nearest(pack<V, R> a) {
  LOPSAR_EACH a.r[i] = nearest(a.r[i]);
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> root(pack<V, R> a) {
  LOPSAR_EACH a.r[i] = root(a.r[i]);
  return a;
}
template <class V, int R>
LOPSAR_HD pack<V, R> magnitude(pack<V, R> a) {
  LOPSAR_EACH a.r[i] = magnitude(a.r[i]);
  return a;
}
template <class V, int R>
struct io<pack<V, R>> {
  using P = pack<V, R>;
  LOPSAR_HD static P load(const value_t<V>* p) {
    P a;
    LOPSAR_EACH a.r[i] = io<V>::load(p + i * width<V>);
    return a;
  }
  LOPSAR_HD static P load_any(const value_t<V>* p) {
    P a;
    LOPSAR_EACH a.r[i] = io<V>::load_any(p + i * width<V>);
    return a;
  }
  LOPSAR_HD static void store(value_t<V>* p, P a) { LOPSAR_EACH io<V>::store(p + i * width<V>, a.r[i]); }
  LOPSAR_HD static void store_any(value_t<V>* p, P a) { LOPSAR_EACH io<V>::store_any(p + i * width<V>, a.r[i]); }
};
template <class V, int R>
struct registers<pack<V, R>> {
  static constexpr int count = R;
  using type = V;
  LOPSAR_HD static V at(pack<V, R> a, int i) { return a.r[i]; }
};
#undef LOPSAR_EACH

}  // namespace lopsar::lanes
