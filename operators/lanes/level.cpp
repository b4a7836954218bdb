#include <cstdlib>
#include <string>

#include <lopsar/operators/error.hpp>
#include <lopsar/operators/lanes/level.hpp>

namespace lopsar::lanes {

std::string_view name(Level level) {
  constexpr std::string_view names[] = {"scalar", "base", "avx2", "avx512"};
  return names[static_cast<int>(level)];
}

std::vector<Level> available_levels() {
  std::vector<Level> levels{Level::scalar};
#if LOPSAR_LEVEL_BITS & 2
  levels.push_back(Level::base);
#endif
#if LOPSAR_LEVEL_BITS & 12
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
#if LOPSAR_LEVEL_BITS & 4
  if (avx2) levels.push_back(Level::avx2);
#endif
#if LOPSAR_LEVEL_BITS & 8
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
    levels.push_back(Level::avx512);
#endif
  return levels;
}

Level active_level() {
  static const auto levels = available_levels();
  const char* wanted = std::getenv("LOPSAR_ISA");
  if (wanted == nullptr || *wanted == '\0') return levels.back();
  std::string known;
  for (Level level : levels) {
    if (name(level) == wanted) return level;
    known += (known.empty() ? "" : ", ") + std::string(name(level));
  }
  throw InvalidArgument("LOPSAR_ISA: expected one of the levels of this build and machine (" + known + "), got '" + wanted +
                        "'; unset it to use the highest one");
}

}  // namespace lopsar::lanes
