"""One PyLops script, run twice: with PyLops and with `import lopsar as pylops`. Needs PyLops (pip install pylops).

    python examples/05_pylops_side_by_side.py

Expected output:

    largest difference of 7 results: below 1e-12 of their size
    the types that come back: the same
    an operator of lopsar inside one of PyLops, and the other way round: the same
"""

import types

import lopsar
import numpy as np
import pylops as the_other


def script(pylops: types.ModuleType) -> list[np.ndarray]:
    """A PyLops script as its users write them."""
    ny, nx = 21, 30
    x = np.outer(np.hanning(ny), np.arange(nx, dtype=float))

    D = pylops.Gradient((ny, nx), sampling=(2.0, 1.0), edge=True, kind="centered")
    L = pylops.Laplacian((ny, nx), axes=(0, 1), weights=(1, 2))
    R = pylops.Restriction((ny, nx), [1, 4, 9], axis=0)
    W = pylops.Diagonal(np.linspace(1, 2, ny * nx).reshape(ny, nx))
    C = pylops.CausalIntegration((ny, nx), axis=0, sampling=0.5, kind="trapezoidal")
    S = pylops.VStack([L * W, 0.3 * pylops.Identity(ny * nx)])
    M = pylops.MatrixMult(np.vander(np.linspace(0, 1, ny), 3).T, otherdims=(nx,))
    return [D @ x, D.H @ (D @ x), R @ x, C * x.ravel(), S @ x.ravel(), S.H @ (S @ x.ravel()), (M @ W) @ x]


ours, theirs = script(lopsar), script(the_other)
worst = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True))
print(f"largest difference of {len(ours)} results: {'below 1e-12 of their size' if worst < 1e-12 else worst}")
same = all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(ours, theirs, strict=True))
print("the types that come back:", "the same" if same else "different")

n = 50
a, b = lopsar.FirstDerivative(n), the_other.SecondDerivative(n)
x = np.random.default_rng(0).normal(size=n)
mixed = [a @ b @ x, (the_other.VStack([a, b]) @ x)[:n], (lopsar.VStack([b, a]) @ x)[n:]]
print("an operator of lopsar inside one of PyLops, and the other way round:",
      "the same" if np.allclose(mixed[0], a @ (b @ x)) and np.array_equal(mixed[1], mixed[2]) else "different")
