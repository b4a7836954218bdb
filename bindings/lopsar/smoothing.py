"""Moving averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _core
from .dims import shape_of
from .linear_operator import LinearOperator

__all__ = ["Smoothing1D", "Smoothing2D", "SmoothingND"]


class Smoothing1D(LinearOperator):
    r"""Moving average along an axis, :math:`y_i = \frac{1}{n} \sum_{|j - i| \le n/2} x_j`; what lies outside counts as zero.

    Parameters
    ----------
    nsmooth : int
        Length n of the window; an even one becomes odd by 1 more.
    dims : int or tuple of int
        Shape of the field.
    axis : int
    dtype, name
        As for `LinearOperator`.
    """

    _passes = "all"

    def __init__(self, nsmooth: int, dims: Any, axis: int = -1, dtype: Any = "float64", name: str = "S") -> None:
        self.nsmooth, self.axis = nsmooth, axis
        super().__init__(_core.smoothing(nsmooth, shape_of(dims), axis), dtype=dtype, name=name)


class SmoothingND(LinearOperator):
    r"""Moving averages along several axes, one after the other.

    Parameters
    ----------
    nsmooth, axes : tuple of int
        A window and an axis each.
    dims : tuple of int
        Shape of the field.
    dtype, name
        As for `LinearOperator`.
    """

    _passes = "all"

    def __init__(self, nsmooth: Sequence[int], dims: Any, axes: Sequence[int] = (-2, -1), dtype: Any = "float64", name: str = "S") -> None:
        if len(nsmooth) != len(axes) or len(axes) == 0:
            raise _core.ShapeError(f"{type(self).__name__}: expected one window per axis, got {len(nsmooth)} for {len(axes)} axes")
        self.nsmooth, self.axes = nsmooth, axes
        along: Any = None
        for n, axis in zip(nsmooth, axes):
            one = Smoothing1D(n, dims, axis)
            along = one if along is None else along @ one
        super().__init__(along, dtype=dtype, name=name)


class Smoothing2D(SmoothingND):
    """Moving averages along two axes: `SmoothingND` under its name for planes."""
