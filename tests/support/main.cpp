// Catch2's runner, and the rule for instruction-set levels: a level that this processor lacks is named and skipped (exit code 77,
// which ctest knows), a level that was asked for and did not run is a failure.
#define CATCH_CONFIG_RUNNER
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#endif
#include "catch.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>

#include <lopsar/operators/lanes/level.hpp>

namespace lanes = lopsar::lanes;

TEST_CASE("the level that was asked for is the one that runs", "[level]") {
  const char* asked = std::getenv("LOPSAR_ISA");
  if (asked == nullptr || *asked == '\0') CHECK(lanes::active_level() == lanes::available_levels().back());
  else CHECK(lanes::name(lanes::active_level()) == asked);
}

int main(int argc, char** argv) {
  const std::string asked = std::getenv("LOPSAR_ISA") ? std::getenv("LOPSAR_ISA") : "";
  const auto levels = lanes::available_levels();
  const auto is_asked = [&](lanes::Level level) { return lanes::name(level) == asked; };
  for (int l = 0; l < lanes::level_count; ++l)
    if (is_asked(static_cast<lanes::Level>(l)) && std::none_of(levels.begin(), levels.end(), is_asked)) {
      std::cout << "skipped: this processor or build lacks the instruction-set level " << asked << std::endl;
      return 77;
    }
  return Catch::Session().run(argc, argv);
}
