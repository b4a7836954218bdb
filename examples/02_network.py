"""A network of five interferograms, its matrix on a few pixels, and their weighted least squares; the same by SciPy's lsqr.

    python examples/02_network.py

Expected output:

    network: 5 pairs, 4 dates, shape (5, 3), rank 3
    pixel 0: 1 3 2  status 0  rank 3  valid 5
    pixel 1: 1 3 2  status 0  rank 3  valid 4
    pixel 2: 1 3 nan  status 1  rank 2  valid 3
    pixel 2 with minimum-norm velocity: 1 3 3  status 1
    lsqr, noisy pixel: agrees with solve
    lsqr, rate of the noisy pixel: agrees with a dense solution
"""

import lopsar as lp
import numpy as np
from scipy.sparse.linalg import lsqr

A = lp.Network(["20170304_20170316", "20170304_20170328", "20170316_20170328", "20170316_20170409", "20170328_20170409"])
print(f"network: {A.shape[0]} pairs, {len(A.dates)} dates, shape {A.shape}, rank {A.rank}")


def words(values: np.ndarray) -> str:
    """Numbers to four decimals, without trailing zeros."""
    return " ".join(f"{v:g}" for v in np.round(values.astype(float), 4))


# Three pixels with the same date phases; columns are pixels. Pixel 1 misses one pair, pixel 2 both pairs of the last date.
truth = np.array([1, 3, 2], np.float32)
y = A @ np.repeat(truth[:, None], 3, axis=1)
y[1, 1] = y[3, 2] = y[4, 2] = np.nan
w = np.array([1, 2, 3, 4, 5], np.float32)  # inverse variances, one per pair

s = lp.solve(A, y, weights=w)
for p in range(3):
    print(f"pixel {p}: {words(s.x[:, p])}  status {s.status[p]}  rank {s.rank[p]}  valid {s.valid[p]}")
s = lp.solve(A, y, weights=w, null_space="min-norm-velocity")
print(f"pixel 2 with minimum-norm velocity: {words(s.x[:, 2])}  status {s.status[2]}")


# SciPy takes the operators as they are. Weights are rows scaled by their roots: another operator, chained.
class Diagonal(lp.LinearOperator):
    """y = d * x."""

    def __init__(self, d: np.ndarray) -> None:
        self.d = d
        super().__init__(shape=(len(d), len(d)))

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self.d * x

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        return self.d * y


class Rate(lp.LinearOperator):
    """Phase of every date but the first, from a rate per year: x = rate * t."""

    def __init__(self, network: lp.Network) -> None:
        self.t = network.days[1:] / 365.25
        super().__init__(shape=(len(self.t), 1))

    def _matvec(self, rate: np.ndarray) -> np.ndarray:
        return self.t * rate

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return np.array([self.t @ x])


noisy = A @ truth.astype(float) + np.random.default_rng(0).normal(0, 0.1, 5)
root = np.sqrt(w.astype(float))
W = Diagonal(root)
for operator in (W, Rate(A), W @ A):
    lp.dottest(operator)  # raises AssertionError unless forward and adjoint belong together
x = lsqr(W @ A, root * noisy, atol=1e-14, btol=1e-14)[0]
print("lsqr, noisy pixel:", "agrees with solve" if np.allclose(x, lp.solve(A, noisy, weights=w).x, atol=1e-10) else "differs")
M = A @ Rate(A)
rate = lsqr(M, noisy, atol=1e-14, btol=1e-14)[0]
dense = np.linalg.lstsq(A.todense() @ Rate(A).t[:, None], noisy, rcond=None)[0]
print("lsqr, rate of the noisy pixel:", "agrees with a dense solution" if np.allclose(rate, dense, atol=1e-10) else "differs")
