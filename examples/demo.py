"""Simulate a volcano, invert it, look at it: what `make demo` runs.

    python examples/demo.py [FOLDER]

Expected output: three commands with their plans and summaries, the error against the simulated truth (about 3 mm rms: the noise that
the coherences imply), the speed, and pictures in FOLDER.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lopsar.command_line import main as lopsar
from lopsar.plot import accuracy


def run(*arguments: object) -> None:
    """Run a command as a user would type it."""
    words = [str(a) for a in arguments]
    print(f"\n$ lopsar {' '.join(words)}", flush=True)
    if code := lopsar(words):
        sys.exit(code)


def read_bandwidth(threads: int) -> float:
    """GB/s of reading memory on all threads: np.max over 512 MB, best of five."""
    parts = np.array_split(np.ones(1 << 27, np.float32), threads)
    best = np.inf
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            start = time.perf_counter()
            list(pool.map(np.max, parts))
            best = min(best, time.perf_counter() - start)
    return sum(p.nbytes for p in parts) / best / 1e9


folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
stack, truth, mask = folder / "inputs" / "ifgramStack.h5", folder / "truth.h5", folder / "waterMask.h5"
products = [folder / name for name in ("timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5")]
run("simulate", folder, "--shape", "450x600", "--dates", 98, "--connections", 3, "--seed", 0)
run("info", stack)
run("invert", stack, "-w", "var", "-m", mask, "-o", *products, "--json", folder / "run.json")
run("plot", stack, *products, "--truth", truth, "-o", folder)

error = accuracy(products[0], truth, products[1], threshold=0.7)
report = json.loads((folder / "run.json").read_text())
plan = report["plan"]
rate = report["pixels_inverted"] / report["seconds"]
kernel = report["pixels_inverted"] / report["compute_seconds"]
floor = 8 * plan["pairs"] + 4 * plan["dates"] + 8
bandwidth = read_bandwidth(plan["threads"])
print(f"""
Against the simulated truth, pixels with temporal coherence of 0.7 or more ({error["pixels"]:.0f}):
  displacement  {error["rmse_mm"]:.2f} mm rms, {error["bias_mm"]:+.2f} mm mean
  rate          {error["rate_rmse_mm_per_year"]:.2f} mm/yr rms
Speed ({plan["isa"]}, {plan["threads"]} threads):
  file to file  {rate / 1e6:.2f} million pixels/s, {report["seconds"]:.2f} s
  kernel        {kernel / 1e6:.2f} million pixels/s while it ran beside reading and writing: {kernel * floor / 1e9:.1f} GB/s,
                {kernel * floor / 1e9 / bandwidth:.0%} of the read bandwidth of {bandwidth:.1f} GB/s
Pictures: {", ".join(sorted(p.name for p in folder.glob("*.png")))} in {folder}/""")
