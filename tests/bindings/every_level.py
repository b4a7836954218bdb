"""Runs the Python tests: all of them at the highest instruction-set level, those of the numerics at every other level too."""

import os
import subprocess
import sys

import lopsar

NUMERICS = [f"tests/bindings/test_{name}.py" for name in ("solve", "time_series", "linear_operator", "pixelwise", "scene", "pylops", "optimization",
                                                          "invert", "real_data", "physics", "examples")]

failed = []
levels = ["scalar", "base", "avx2", "avx512"]
available = lopsar.isa_levels()
for level in reversed(levels):
    if level not in available:
        print(f"== {level}: skipped, this processor lacks it", flush=True)
        continue
    tests = ["tests"] if level == available[-1] else NUMERICS
    print(f"== {level}: {' '.join(tests)}", flush=True)
    if subprocess.run([sys.executable, "-m", "pytest", "-q", *tests, *sys.argv[1:]], env={**os.environ, "LOPSAR_ISA": level}).returncode:
        failed.append(level)
sys.exit(f"failed at: {', '.join(failed)}" if failed else 0)
