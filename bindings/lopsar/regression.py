"""Polynomials through points."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from . import _core
from .dims import is_short
from .linear_operator import LinearOperator
from .pattern import native_pattern

__all__ = ["LinearRegression", "Regression"]


class Regression(LinearOperator):
    r"""A polynomial at given places, :math:`y_i = \sum_{n=0}^{\mathrm{order}} x_n t_i^n`.

    Parameters
    ----------
    taxis : (m,) array
        The places t.
    order : int
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, taxis: Any, order: int, dtype: Any = "float64", name: str = "R") -> None:
        taxis = np.asarray(taxis)
        if taxis.ndim != 1 or taxis.size == 0 or taxis.dtype.kind not in "iuf" or order < 0:
            raise _core.InvalidArgument(f"Regression: expected numbers (m,) and an order >= 0, got {taxis.dtype} of shape {taxis.shape}, {order}")
        self.taxis, self.order = taxis, order
        matrix = np.vander(taxis.astype(np.float64), order + 1, increasing=True)
        if is_short(*((n,) for n in matrix.shape)):
            native = native_pattern(matrix, name="Regression")
        else:
            entries = scipy.sparse.coo_array(matrix)
            native = _core.on_fields((order + 1,), (taxis.size,), entries.row, entries.col, entries.data, "Regression")
        super().__init__(native, dtype=dtype, name=name)

    def apply(self, t: Any, x: Any) -> np.ndarray:
        """The polynomial with coefficients `x` at places `t`."""
        return np.vander(np.atleast_1d(t).astype(np.float64), self.order + 1, increasing=True) @ np.asarray(x)


class LinearRegression(Regression):
    r"""A line at given places, :math:`y_i = x_0 + x_1 t_i`: `Regression` of order 1.

    Parameters
    ----------
    taxis : (m,) array
        The places t.
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, taxis: Any, dtype: Any = "float64", name: str = "L") -> None:
        super().__init__(taxis, 1, dtype=dtype, name=name)
