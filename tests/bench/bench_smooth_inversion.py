"""Iterations of smooth joint inversion to 1e-6 by preconditioner, what "auto" expects and takes, and the time of an iteration.

The experiment: 40 dates, 117 pairs, 24 x 24 pixels, weights over two decades, without pattern in space; with three kinds of boundary. Then a
scene whose weights vary from place to place, and one with a hole.

    python tests/bench/bench_smooth_inversion.py [--size 24] [--quick]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import lopsar as lp
import numpy as np

KINDS = (None, "jacobi", "pixelwise", "spectral")


def network(dates: int) -> lp.Network:
    days = np.datetime64("2020-01-01") + 12 * np.arange(dates)
    return lp.Network([(days[i], days[i + s]) for s in (1, 2, 3) for i in range(dates - s)])


def observed(A: lp.Network, w: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random walk in time at every pixel, with noise of these weights."""
    truth = np.cumsum(rng.normal(0, 0.3, (A.shape[1], *w.shape[1:])), 0)
    return A @ truth + rng.normal(0, 1, w.shape) / np.sqrt(np.where(w > 0, w, 1))


def row(name: str, A: lp.Network, y: np.ndarray, w: np.ndarray, smoothness: float, boundary: str) -> None:
    counts = [lp.smooth_inversion(A, y, smoothness, w, boundary=boundary, preconditioner=kind).iterations for kind in KINDS]
    estimate = lp.SmoothInversion(A, y, smoothness, w, boundary=boundary).estimate()
    chosen = min(estimate, key=lambda kind: estimate[kind])
    expected = " / ".join(f"{estimate[kind]:.0f}" for kind in KINDS[2:])
    print(f"| {name} | {smoothness:g} | {' | '.join(map(str, counts))} | {expected} | {chosen} |", flush=True)


def milliseconds(call: Callable[[], Any], repeats: int = 9) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1e3 * float(np.median(seconds))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--size", type=int, default=24, help="pixels along a side of the experiment")
parser.add_argument("--quick", action="store_true", help="the experiment only")
options = parser.parse_args()

print("| problem | smoothness | CG | Jacobi | pixelwise | spectral | estimate | auto |\n|---|---|---|---|---|---|---|---|")
rng = np.random.default_rng(0)
A = network(40)
w = 10 ** rng.uniform(-1, 1, (A.shape[0], options.size, options.size))
y = observed(A, w, rng)
for boundary in ("zero", "reflected", "free"):
    for smoothness in (0.1, 0.3, 1.0, 3.0):
        row(f"experiment, {boundary}", A, y, w, smoothness, boundary)

if not options.quick:
    rng = np.random.default_rng(1)
    A, shape = network(24), (32, 40)
    i, j = np.meshgrid(np.linspace(0, 6, shape[0]), np.linspace(0, 7, shape[1]), indexing="ij")
    varied = 10 ** (np.sin(i) * np.cos(j) + rng.uniform(-0.3, 0.3, (A.shape[0], *shape)))
    hole = 10 ** rng.uniform(-1, 1, varied.shape)
    hole[:, 8:20, 10:25] = 0
    for name, w in (("weights vary in space", varied), ("hole of 12 x 15", hole)):
        y = observed(A, w, rng)
        for smoothness in (0.1, 1.0, 10.0):
            row(name, A, y, w, smoothness, "free")

    print("\n| K, n, grid, precision | product with H | pixelwise | spectral | estimate (once) |\n|---|---|---|---|---|")
    for dates, grid, dtype in ((40, (96, 128), "float64"), (98, (200, 300), "float32")):
        A = network(dates)
        w = (10 ** rng.uniform(-1, 1, (A.shape[0], *grid))).astype(dtype)
        problem = lp.SmoothInversion(A, rng.standard_normal(w.shape).astype(dtype), 0.3, w)
        x = problem.data
        operators = [problem.normal, problem.preconditioner("pixelwise"), problem.preconditioner("spectral")]
        times = [milliseconds(lambda op=op, x=x: op @ x) for op in operators] + [milliseconds(problem.estimate, 1)]
        print(f"| {A.shape[0]}, {A.shape[1]}, {grid[0]} x {grid[1]}, {dtype} | " + " | ".join(f"{t:.1f} ms" for t in times) + " |", flush=True)
