// Which instruction set the kernels run on.
#pragma once
#include <string_view>
#include <vector>

namespace lopsar::lanes {

// Instruction-set levels, in rising order. `scalar` runs on any processor, the others on x86-64.
enum class Level { scalar = 0, base = 1, avx2 = 2, avx512 = 3 };
inline constexpr int level_count = 4;

std::string_view name(Level level);

// Levels that this build contains and this processor has, in rising order.
std::vector<Level> available_levels();

// The level that kernels take now: the environment variable LOPSAR_ISA (scalar | base | avx2 | avx512) if set, else the
// highest available. Throws InvalidArgument for an unknown name and for a level that this machine lacks.
Level active_level();

}  // namespace lopsar::lanes
