// From a level at run time to the object that was compiled for it.
#pragma once
#include <type_traits>

#include <lopsar/operators/lanes/level.hpp>

namespace lopsar::lanes {

// pick(std::integral_constant<int, level>) for a level that this build contains.
template <class Pick>
decltype(auto) dispatch(Level level, Pick pick) {
  static_cast<void>(level);  // in a build of scalar alone
#if LOPSAR_LEVEL_BITS & 8
  if (level == Level::avx512) return pick(std::integral_constant<int, 3>{});
#endif
#if LOPSAR_LEVEL_BITS & 4
  if (level == Level::avx2) return pick(std::integral_constant<int, 2>{});
#endif
#if LOPSAR_LEVEL_BITS & 2
  if (level == Level::base) return pick(std::integral_constant<int, 1>{});
#endif
  return pick(std::integral_constant<int, 0>{});
}

}  // namespace lopsar::lanes
