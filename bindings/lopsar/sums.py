"""Sums and integrals along an axis."""

from __future__ import annotations

from typing import Any

from . import _core
from .dims import shape_of
from .linear_operator import LinearOperator

__all__ = ["CausalIntegration", "Sum"]


class Sum(LinearOperator):
    r"""Sum along an axis, which disappears, :math:`y = \sum_i x_i`; from ``(n,)`` to ``(1,)``.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    axis : int
    forceflat, dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, axis: int = -1, forceflat: bool | None = None, dtype: Any = "float64", name: str = "S") -> None:
        self.axis = axis
        super().__init__(_core.sum_axis(shape_of(dims), axis), forceflat=forceflat, dtype=dtype, name=name)


class CausalIntegration(LinearOperator):
    r"""Integral along an axis from its start, :math:`y_i = h (\sum_{j<i} x_j + x_i)`.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    axis : int
    sampling : float
        Distance h of neighboring values.
    kind : {"full", "half", "trapezoidal"}
        :math:`x_i` counts whole (full) or half (half); the first value counts half as well (trapezoidal).
    removefirst : bool
        Without the first row: the axis of the data is one shorter.
    dtype, name
        As for `LinearOperator`.

    Notes
    -----
    Sums are taken in float64, whatever the precision of the input.
    """

    def __init__(self, dims: Any, axis: int = -1, sampling: float = 1.0, kind: str = "full", removefirst: bool = False,
                 dtype: Any = "float64", name: str = "C") -> None:
        self.axis, self.sampling, self.kind, self.removefirst = axis, sampling, kind, removefirst
        super().__init__(_core.causal_integration(shape_of(dims), axis, sampling, kind, removefirst), dtype=dtype, name=name)
