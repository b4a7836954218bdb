"""Simulate a volcano, invert it, look at it: what `make demo` runs.

    python examples/01_demo.py [FOLDER]

Expected output: three commands with their plans and summaries, the error against the simulated truth (about 3 mm rms: the noise that
the coherences imply), the speed, and pictures in FOLDER.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lopsar as lp
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
    with ThreadPoolExecutor(threads) as pool:
        seconds = min(timed(lambda: list(pool.map(np.max, parts))) for _ in range(5))
    return sum(p.nbytes for p in parts) / seconds / 1e9


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
stack, truth, mask = folder / "inputs" / "ifgramStack.h5", folder / "truth.h5", folder / "waterMask.h5"
products = [folder / name for name in ("timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5")]
run("simulate", folder, "--shape", "450x600", "--dates", 98, "--connections", 3, "--seed", 0)
run("info", stack)
run("invert", stack, "-w", "var", "-m", mask, "-o", *products, "--json", folder / "run.json")
run("plot", stack, *products, "--truth", truth, "-o", folder)

error = accuracy(products[0], truth, products[1], threshold=0.7)
report = json.loads((folder / "run.json").read_text())
seconds, threads = report["seconds"]["total"], report["plan"]["threads"]

# The kernel by itself, on rows of the same scene in memory.
opened = lp.open_stack(stack)
network = lp.Network(opened.pairs)
phase, coherence = (np.ascontiguousarray(cube[:, 200:350]).reshape(network.shape[0], -1) for cube in (opened.phase, opened.coherence))
pixels, dates = phase.shape[1], len(network.dates)
out = np.zeros((dates, pixels), np.float32), np.zeros(pixels, np.float32), np.zeros(pixels, np.int32)
kernel = pixels / np.median([timed(lambda: lp.invert_arrays(phase, network, coherence, "var", opened.looks, out, threads=threads)) for _ in range(5)])
speed, bandwidth = kernel * (8 * network.shape[0] + 4 * dates + 8) / 1e9, read_bandwidth(threads)
print(f"""
Against the simulated truth, pixels with temporal coherence of 0.7 or more ({error["pixels"]:.0f}):
  displacement  {error["rmse_mm"]:.2f} mm rms, {error["bias_mm"]:+.2f} mm mean
  rate          {error["rate_rmse_mm_per_year"]:.2f} mm/yr rms
Speed ({report["isa"]}, {threads} threads):
  file to file  {report["pixels"] / seconds / 1e6:.2f} million pixels/s, {seconds:.2f} s
  kernel        {kernel / 1e6:.2f} million pixels/s in memory: {speed:.1f} GB/s, {speed / bandwidth:.0%} of the read bandwidth of {bandwidth:.1f} GB/s
Pictures: {", ".join(sorted(p.name for p in folder.glob("*.png")))} in {folder}/""")
