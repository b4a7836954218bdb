"""What a call costs where the work is next to nothing: ``A @ x``, ``A.matvec(x)`` and making A, on tiny arrays, against PyLops.

    python tests/bench/bench_call_overhead.py
"""

import timeit
from collections.abc import Callable
from functools import partial
from operator import matmul
from typing import Any

import lopsar
import numpy as np
import pylops

rng = np.random.default_rng(0)
x, cube, matrix = rng.standard_normal(10), rng.standard_normal((5, 4)), rng.standard_normal((8, 10))
OPERATORS = [
    ("Identity", x, lambda m: m.Identity(10)),
    ("Diagonal", x, lambda m: m.Diagonal(x)),
    ("FirstDerivative", x, lambda m: m.FirstDerivative(10)),
    ("FirstDerivative (5, 4)", cube, lambda m: m.FirstDerivative((5, 4))),
    ("MatrixMult", x, lambda m: m.MatrixMult(matrix)),
    ("MatrixMult otherdims", cube, lambda m: m.MatrixMult(matrix[:, :5], otherdims=4)),
    ("VStack", x, lambda m: m.VStack([m.Identity(10), m.FirstDerivative(10)])),
    ("M.H @ M", x, lambda m: m.MatrixMult(matrix).H @ m.MatrixMult(matrix)),
]


def microseconds(call: Callable[[], Any], number: int) -> float:
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6


def main() -> None:
    print(f"lopsar {lopsar.__version__} / PyLops {pylops.__version__}, microseconds, best of 5")
    print(f"{'':24}{'A @ x':>16}{'A.matvec(x)':>16}{'making A':>16}")
    for name, given, make in OPERATORS:
        figures = []
        for package in (lopsar, pylops):
            op = make(package)
            figures.append((microseconds(partial(matmul, op, given), 20000), microseconds(partial(op.matvec, given.ravel()), 20000),
                            microseconds(partial(make, package), 500)))
        print(f"{name:24}" + "".join(f"{f'{ours:.2f} / {theirs:.2f}':>16}" for ours, theirs in zip(*figures)))


if __name__ == "__main__":
    main()
