"""Speed of the fused inversion, lopsar.invert_arrays(..., out=preallocated): coherence to weights, elimination, temporal coherence.

For each network (K pairs, D dates): pixels/s, GB/s of the minimum traffic 8K + 4D + 8 bytes per pixel, and the share of the read
bandwidth that NumPy's maximum over a large array reaches on the same threads in the same process. Medians; the levels take turns.

    python tests/bench/bench_invert_arrays.py [--threads N] [--repeats 7] [--levels avx512,avx2] [--networks 288x98,...] [--json FILE]
"""

import argparse
import json
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor

import lopsar
import numpy as np

NETWORKS = [(288, 98), (490, 98), (1297, 333), (167, 24), (505, 114)]


def network(pairs: int, dates: int, seed: int = 3) -> lopsar.Network:
    """Every date with its next few; pairs of the next longer span drawn at random until there are `pairs`."""
    span = 0
    edges: list[tuple[int, int]] = []
    while len(edges) + dates - span - 1 <= pairs:
        span += 1
        edges += [(i - span, i) for i in range(span, dates)]
    rest = np.random.default_rng(seed).choice(np.arange(span + 1, dates), pairs - len(edges), replace=False)
    edges = sorted(edges + [(int(i) - span - 1, int(i)) for i in rest])
    day = np.datetime64("2017-03-04") + 12 * np.arange(dates)
    return lopsar.Network([(day[i], day[j]) for i, j in edges])


def read_bandwidth(threads: int, repeats: int) -> float:
    """GB/s of np.max over 1 GiB, one part per thread."""
    parts = np.array_split(np.ones(1 << 28, np.float32), threads)
    with ThreadPoolExecutor(threads) as pool:
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            list(pool.map(np.max, parts))
            seconds.append(time.perf_counter() - start)
    return sum(p.nbytes for p in parts) / np.median(seconds) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--levels", default=",".join(reversed(lopsar.isa_levels())))
    parser.add_argument("--networks", default=",".join(f"{k}x{d}" for k, d in NETWORKS))
    parser.add_argument("--json", help="write the figures to this file")
    args = parser.parse_args()
    levels = args.levels.split(",")
    print(f"lopsar {lopsar.__version__}, {platform.machine()}, {args.threads} threads, medians of {args.repeats}")
    print(f"{'K':>5} {'D':>4} {'pixels':>7} {'level':>7} {'Mpx/s':>7} {'GB/s':>6} {'of read bandwidth':>18}")
    figures = []
    for pairs, dates in (tuple(map(int, n.split("x"))) for n in args.networks.split(",")):
        net = network(pairs, dates)
        bytes_per_pixel = 8 * pairs + 4 * dates + 8
        pixels = min(int(2.5e9 / bytes_per_pixel), 500_000) // 256 * 256
        rng = np.random.default_rng(0)
        y, coherence = (np.empty((pairs, pixels), np.float32) for _ in range(2))
        for k in range(pairs):
            rng.standard_normal(out=y[k], dtype=np.float32)
            rng.random(out=coherence[k], dtype=np.float32)
        out = (np.zeros((dates, pixels), np.float32), np.zeros(pixels, np.float32), np.zeros(pixels, np.int32))
        seconds: dict[str, list[float]] = {level: [] for level in levels}
        bandwidth = []
        for repeat in range(args.repeats + 1):
            bandwidth.append(read_bandwidth(args.threads, 1))
            for level in levels:
                os.environ["LOPSAR_ISA"] = level
                n = pixels if level in ("avx512", "avx2") else pixels // 8 // 256 * 256
                part = slice(0, n)
                start = time.perf_counter()
                if n == pixels:
                    lopsar.invert_arrays(y, net, coherence, "var", 39, out, threads=args.threads)
                else:   # slow levels on a part of the pixels, results into arrays of that size
                    small = (np.zeros((dates, n), np.float32), np.zeros(n, np.float32), np.zeros(n, np.int32))
                    start = time.perf_counter()
                    lopsar.invert_arrays(y[:, part], net, coherence[:, part], "var", 39, small, threads=args.threads)
                if repeat > 0:   # the first round warms up
                    seconds[level].append((time.perf_counter() - start) / n)
        for level in levels:
            rate = 1 / np.median(seconds[level])
            speed = rate * bytes_per_pixel / 1e9
            share = speed / np.median(bandwidth)
            print(f"{pairs:5} {dates:4} {pixels:7} {level:>7} {rate / 1e6:7.2f} {speed:6.1f} {share:17.0%}", flush=True)
            figures.append({"pairs": pairs, "dates": dates, "level": level, "pixels_per_second": rate, "gigabytes_per_second": speed,
                            "read_bandwidth": float(np.median(bandwidth)), "share": share})
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"threads": args.threads, "figures": figures}, file, indent=1)


if __name__ == "__main__":
    main()
