"""Speed of operators, forward and adjoint, against PyLops (where it is installed) and SciPy's sparse matrices in the same process.

For each operator: milliseconds into a preallocated array, the share of the bandwidth that np.copyto reaches on the same threads (bytes read and
written once), milliseconds of ``A @ x``, which makes a new array, and how many times
longer ``A @ x`` of the peers takes than ours. Medians; all take turns.

    python tests/bench/bench_operators.py [--threads N] [--repeats 7] [--pixels 400000] [--shapes 2000x2000,98x400x400] [--json FILE]
"""

import argparse
import json
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import matmul
from typing import Any

import lopsar
import numpy as np
import scipy.sparse

try:
    import pylops
except ImportError:
    pylops = None

SPARSE = 5_000_000   # rows up to which a sparse matrix is built


def copy_bandwidth(threads: int, repeats: int) -> float:
    """GB/s of np.copyto, bytes read and written, over 256 MiB in one part per thread."""
    source, target = (np.array_split(np.ones(1 << 26, np.float32), threads) for _ in range(2))
    with ThreadPoolExecutor(threads) as pool:
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            list(pool.map(np.copyto, target, source))
            seconds.append(time.perf_counter() - start)
    return 2 * sum(p.nbytes for p in source) / np.median(seconds) / 1e9


def medians(calls: dict[str, Any], repeats: int, pause: float = 0.05) -> dict[str, float]:
    """Seconds of each. The pause lets the threads of the other's BLAS stop spinning, and the call before wakes its own."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            time.sleep(pause)
            call()
            start = time.perf_counter()
            call()
            if repeat:   # the first is for warming up
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(s)) for name, s in seconds.items()}


def table(entries: Any, bandwidth: float, repeats: int, threads: int, columns: int = 0, dtype: Any = np.float32) -> list[dict[str, Any]]:
    """Prints a line per operator and direction and returns the figures.

    `entries` are (name, lopsar operator, {peer: operator or sparse matrix}); `columns` right-hand sides, 0: one flat vector.
    """
    figures = []
    peers_known = list(dict.fromkeys(peer for _, _, peers in entries for peer in peers))
    print(f"{'':38}{'ms':>8} {'of copy':>8} {'A @ x ms':>9}" + "".join(f" {peer + ' x':>10}" for peer in peers_known))
    rng = np.random.default_rng(0)
    for name, op, peers in entries:
        for adjoint in (False, True):
            m, n = op.shape[::-1] if adjoint else op.shape
            x = rng.standard_normal((n, columns) if columns else n, dtype=np.float32).astype(dtype)
            out = np.empty((m, columns) if columns else m, dtype)
            turned = op.H if adjoint else op
            wanted = None if threads == os.cpu_count() else threads
            calls = {"into": partial(op.apply_into, x, out, adjoint=adjoint, threads=wanted), "lopsar": partial(matmul, turned, x)}
            for peer, other in peers.items():
                other = (other.T if scipy.sparse.issparse(other) else other.H) if adjoint else other
                calls[peer] = partial(matmul, other, x)
            seconds = medians(calls, repeats)
            figure = {"operator": name, "adjoint": adjoint, "milliseconds": 1e3 * seconds["into"], "milliseconds_new_array": 1e3 * seconds["lopsar"],
                      "of_copy": (x.nbytes + out.nbytes) / seconds["into"] / 1e9 / bandwidth,
                      "times_faster": {peer: seconds[peer] / seconds["lopsar"] for peer in peers}}
            figures.append(figure)
            print(f"{name + (' adjoint' if adjoint else ''):38}{figure['milliseconds']:8.2f} {figure['of_copy']:8.0%}"
                  f" {figure['milliseconds_new_array']:9.2f}"
                  + "".join(f" {figure['times_faster'][peer]:10.1f}" if peer in peers else f" {'':>10}" for peer in peers_known), flush=True)
    return figures


def along(dims: tuple[int, ...], axis: int, matrix: Any) -> Any:
    """A matrix along one axis as a sparse matrix on the whole field."""
    left, right = (scipy.sparse.identity(int(np.prod(part)), np.float32) for part in (dims[:axis], dims[axis + 1:]))
    return scipy.sparse.kron(scipy.sparse.kron(left, matrix), right, format="csr").astype(np.float32)


def first(n: int) -> Any:
    inside = np.r_[0, np.full(n - 2, 0.5), 0]
    return scipy.sparse.diags([-inside[1:], inside[:-1]], [-1, 1])


def second(n: int) -> Any:
    inside = np.r_[0, np.ones(n - 2), 0]
    return scipy.sparse.diags([inside[1:], -2 * inside, inside[:-1]], [-1, 0, 1])


def stencils(dims: tuple[int, ...]) -> list[Any]:
    """FirstDerivative along the first and last axis, Gradient and Laplacian of a field."""
    last, n = len(dims) - 1, int(np.prod(dims))
    makes = [
        ("FirstDerivative 0", lambda m: m.FirstDerivative(dims, axis=0, dtype="float32"), lambda: along(dims, 0, first(dims[0]))),
        ("FirstDerivative -1", lambda m: m.FirstDerivative(dims, dtype="float32"), lambda: along(dims, last, first(dims[last]))),
        ("Gradient", lambda m: m.Gradient(dims, dtype="float32"),
         lambda: scipy.sparse.vstack([along(dims, a, first(d)) for a, d in enumerate(dims)], "csr")),
        ("Laplacian", lambda m: m.Laplacian(dims, dtype="float32"),
         lambda: along(dims, last - 1, second(dims[-2])) + along(dims, last, second(dims[-1]))),
    ]
    entries = []
    for name, make, sparse in makes:
        peers = {"PyLops": make(pylops)} if pylops else {}
        if n <= SPARSE:
            peers["SciPy"] = sparse()
        entries.append((f"{name} {'x'.join(map(str, dims))}", make(lopsar), peers))
    return entries


class Flat:
    """An operator of PyLops on flat vectors, applied to columns of pixels."""

    def __init__(self, op: Any) -> None:
        self.op = op

    @property
    def H(self) -> "Flat":
        return Flat(self.op.H)

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        return self.op @ x.ravel()


def models(pixels: int) -> list[Any]:
    """A network of 98 dates and 288 pairs, and a model of velocity, seasonal terms and DEM error with per-pixel geometry under it."""
    rng = np.random.default_rng(0)
    dates = np.datetime64("2017-03-04") + 12 * np.arange(98)
    A = lopsar.Network([(dates[i], dates[j]) for i in range(98) for j in range(i + 1, min(98, i + 4))])
    slant_range, incidence = np.linspace(8e5, 9e5, pixels, dtype=np.float32), np.linspace(30, 45, pixels, dtype=np.float32)
    baselines = rng.normal(0, 80, 98)
    curves = lopsar.HStack([lopsar.Polynomial(A, degree=1), lopsar.Seasonal(A, [1.0, 0.5])])
    M = A @ lopsar.HStack([curves, lopsar.DemError(A, baselines, slant_range, incidence)])
    network: dict[str, Any] = {"SciPy": A.tosparse().astype(np.float32)}
    model: dict[str, Any] = {}
    if pylops:
        incidence_matrix = pylops.MatrixMult(A.tosparse().astype(np.float32), otherdims=(pixels,), dtype="float32")
        network["PyLops"] = Flat(incidence_matrix)
        dem = pylops.MatrixMult((baselines[1:] - baselines[0]).astype(np.float32)[:, None], otherdims=(pixels,), dtype="float32")
        geometry = pylops.Diagonal(1 / (slant_range * np.sin(np.deg2rad(incidence))), dtype="float32")
        shared = pylops.MatrixMult(curves.todense().astype(np.float32), otherdims=(pixels,), dtype="float32")
        model["PyLops"] = Flat(incidence_matrix @ pylops.HStack([shared, dem @ geometry], dtype="float32"))
    return [("Network 288 x 97", A, network), ("Network @ HStack, 288 x 6", M, model)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--pixels", type=int, default=400_000)
    parser.add_argument("--shapes", default="2000x2000,98x400x400")
    parser.add_argument("--json", help="write the figures to this file")
    args = parser.parse_args()
    bandwidth = copy_bandwidth(args.threads, args.repeats)
    peers = f"PyLops {pylops.__version__}" if pylops else "no PyLops"
    print(f"lopsar {lopsar.__version__}, {lopsar.active_isa()}, {platform.machine()}, {args.threads} threads, float32, "
          f"copy {bandwidth:.1f} GB/s, {peers}")
    figures = table(models(args.pixels), bandwidth, args.repeats, args.threads, args.pixels)
    for shape in args.shapes.split(","):
        figures += table(stencils(tuple(map(int, shape.split("x")))), bandwidth, args.repeats, args.threads)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"copy_gigabytes_per_second": bandwidth, "threads": args.threads, "operators": figures}, file, indent=1)


if __name__ == "__main__":
    main()
