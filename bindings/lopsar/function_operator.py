"""Operators made of functions, and operators that remember."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from . import _core
from .linear_operator import LinearOperator, aslinearoperator

__all__ = ["FunctionOperator", "MemoizeOperator"]


class FunctionOperator(LinearOperator):
    """An operator from functions on flat arrays: ``FunctionOperator(f, n)``, ``(f, n, m)``, ``(f, fc, n)`` or ``(f, fc, n, m)``.

    Parameters
    ----------
    f : callable
        The map.
    fc : callable, optional
        Its adjoint; without it, applying the adjoint raises NotImplementedError.
    n : int
        Rows.
    m : int, optional
        Columns; default: n.
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, f: Callable[[np.ndarray], Any], *args: Any, **kwargs: Any) -> None:
        sizes = [a for a in args if isinstance(a, Integral)]
        functions = [a for a in args if callable(a)]
        if list(args) != functions + sizes or len(functions) > 1 or len(sizes) not in (1, 2):
            raise _core.InvalidArgument("FunctionOperator: expected (f, n), (f, n, m), (f, fc, n) or (f, fc, n, m)")
        self.f, self.fc = f, functions[0] if functions else None
        super().__init__(shape=(int(sizes[0]), int(sizes[-1])), dtype=kwargs.get("dtype", "float64"), name=kwargs.get("name", "F"))

    def _matvec(self, x: np.ndarray) -> Any:
        return self.f(x)

    def _rmatvec(self, x: np.ndarray) -> Any:
        if self.fc is None:
            raise NotImplementedError("FunctionOperator: Adjoint not implemented: expected a function for it, got none; pass (f, fc, n)")
        return self.fc(x)


class MemoizeOperator(LinearOperator):
    """An operator that remembers its latest results.

    Parameters
    ----------
    Op : operator
    max_neval : int
        Results that are kept, of forward and adjoint together.
    """

    def __init__(self, Op: Any, max_neval: int = 10) -> None:
        super().__init__(aslinearoperator(Op), explicit=False)
        self.max_neval = max_neval
        self.store: list[tuple[bool, np.ndarray, np.ndarray]] = []   # adjoint or not, input, result
        self.neval = 0

    def _remembered(self, x: np.ndarray, adjoint: bool) -> np.ndarray:
        for of_adjoint, given, result in self.store:
            if of_adjoint == adjoint and given.dtype == x.dtype and np.array_equal(given, x):
                return result.copy()
        result = self.Op.rmatvec(x) if adjoint else self.Op.matvec(x)
        self.neval += 1
        self.store = [*self.store[max(0, len(self.store) - self.max_neval + 1):], (adjoint, x.copy(), result.copy())][:self.max_neval]
        return result

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._remembered(x, False)

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return self._remembered(x, True)
