// From a level at run time to the object that was compiled for it.
#pragma once
#include <type_traits>

#include <lopsar/operators/lanes/level.hpp>

namespace lopsar::lanes {

// pick(std::integral_constant<int, level>) for a level that this build contains.
template <class Pick>
decltype(auto) dispatch(Level level, Pick pick) {
#if LOPSAR_X86_LEVELS
  switch (level) {
    case Level::avx512: return pick(std::integral_constant<int, 3>{});
    case Level::avx2: return pick(std::integral_constant<int, 2>{});
    case Level::base: return pick(std::integral_constant<int, 1>{});
    case Level::scalar: break;
  }
#else
  static_cast<void>(level);
#endif
  return pick(std::integral_constant<int, 0>{});
}

}  // namespace lopsar::lanes
