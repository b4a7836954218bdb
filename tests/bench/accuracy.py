"""Largest error of float32 inversions against float64 least squares, ours beside MintPy's.

Weights over four decades, noise matching them (at most 1.8 rad), networks of bench_invert_arrays.py. MintPy's figure is that of its
own estimate_timeseries where MintPy is installed, else of the call that it makes (scipy.linalg.lstsq in float32, cond 1e-5).

    python tests/bench/accuracy.py [--pixels 64]
"""

import argparse

import lopsar as lp
import numpy as np
import scipy.linalg
from bench_invert_arrays import NETWORKS, network

try:
    from mintpy.ifgram_inversion import estimate_timeseries
except ImportError:
    estimate_timeseries = None


def peer(A: np.ndarray, B: np.ndarray, y: np.ndarray, w: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """One pixel as MintPy solves it: velocities, float32, singular values cut at 1e-5."""
    root = np.sqrt(w).astype(np.float32)
    if estimate_timeseries is not None:
        series, *_ = estimate_timeseries(A, B, y[:, None], steps.reshape(-1, 1), weight_sqrt=root[:, None], min_norm_velocity=True, print_msg=False)
        return np.asarray(series).ravel()[1:]
    velocity = scipy.linalg.lstsq(B * root[:, None], y * root, cond=1e-5)[0]
    return np.cumsum(velocity * steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=64)
    pixels = parser.parse_args().pixels
    print(f"largest error over {pixels} pixels, rad (of max(|x|, |y|)); MintPy: {'estimate_timeseries' if estimate_timeseries else 'its lstsq call'}")
    print(f"{'K':>5} {'D':>4} {'network':>20} {'lopsar':>20} {'MintPy':>20}")
    for pairs, dates in NETWORKS:
        for weak in (False, True):
            net = network(pairs, dates)
            A = net.todense()
            rng = np.random.default_rng(1)
            w = 10 ** rng.uniform(-0.4, 3.6, (pairs, pixels))
            noise = np.minimum(w**-0.5, 1.8) * rng.standard_normal(w.shape)
            if weak:
                w[rng.random(w.shape) < 0.45] = 1e-6
            w = w.astype(np.float32)
            x = 10 * rng.uniform(-1, 1, (dates - 1, pixels))
            y = (A @ x + noise).astype(np.float32)
            steps = (np.diff(net.days) / 365.25).astype(np.float32)
            B = np.zeros(A.shape, np.float32)
            index = {d: i for i, d in enumerate(net.dates)}
            for k, (first, second) in enumerate(net.pairs):
                B[k, index[first] : index[second]] = steps[index[first] : index[second]]
            ours = lp.solve(net, y, weights=w).x
            double = lp.solve(net, y.astype(np.float64), weights=w.astype(np.float64)).x
            errors = np.zeros((2, 2))
            for p in range(pixels):
                root = np.sqrt(w[:, p].astype(float))
                exact = scipy.linalg.lstsq(A * root[:, None], y[:, p].astype(float) * root)[0]
                # QR and SVD in float64 lose 1e-16 times the condition number, which the weak links raise to 1e12: there our
                # float64 elimination, tested in C++ against long double, is the more exact one.
                exact = double[:, p] if weak else exact
                scale = max(np.abs(exact).max(), np.abs(y[:, p]).max())
                for i, got in enumerate((ours[:, p], peer(A.astype(np.float32), B, y[:, p], w[:, p], steps))):
                    worst = np.abs(got - exact).max()
                    errors[i] = np.maximum(errors[i], (worst, worst / scale))
            cells = [f"{e[0]:.1e} ({e[1]:.1e})" for e in errors]
            print(f"{pairs:5} {dates:4} {'45 % of links weak' if weak else 'sequential':>20} {cells[0]:>20} {cells[1]:>20}", flush=True)


if __name__ == "__main__":
    main()
