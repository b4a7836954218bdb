"""Finite differences along the axes of fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _core
from .diagonal import Diagonal
from .dims import shape_of
from .linear_operator import LinearOperator
from .sums import Sum

__all__ = ["FirstDerivative", "FirstDirectionalDerivative", "Gradient", "Laplacian", "SecondDerivative", "SecondDirectionalDerivative"]


class FirstDerivative(LinearOperator):
    r"""First derivative along an axis.

    :math:`y_i = (x_{i+1} - x_{i-1}) / 2h` (centered), :math:`(x_{i+1} - x_i) / h` (forward), :math:`(x_i - x_{i-1}) / h` (backward), or
    :math:`(x_{i-2} - 8 x_{i-1} + 8 x_{i+1} - x_{i+2}) / 12h` (centered, order 5).

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    axis : int
    sampling : float
        Distance h of neighboring values.
    kind : {"centered", "forward", "backward"}
    edge : bool
        Centered: one-sided differences where neighbors are missing. Otherwise such rows are zero.
    order : {3, 5}
        Values in a centered stencil.
    dtype, name
        As for `LinearOperator`.

    Raises
    ------
    InvalidArgument
        An axis shorter than the stencil, another kind or order.
    """

    _passes = "all"

    def __init__(self, dims: Any, axis: int = -1, sampling: float = 1.0, kind: str = "centered", edge: bool = False, order: int = 3,
                 dtype: Any = "float64", name: str = "F") -> None:
        self.axis, self.sampling, self.kind, self.edge, self.order = axis, sampling, kind, edge, order
        super().__init__(_core.first_derivative(shape_of(dims), axis, sampling, kind, edge, order), dtype=dtype, name=name)


class SecondDerivative(LinearOperator):
    r"""Second derivative along an axis.

    :math:`y_i = (x_{i-1} - 2 x_i + x_{i+1}) / h^2` (centered), the same of i, i+1, i+2 (forward) or i-2, i-1, i (backward).

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    axis : int
    sampling : float
        Distance h of neighboring values.
    kind : {"centered", "forward", "backward"}
    edge : bool
        Centered: the first and last rows take the nearest three values. Otherwise rows without neighbors are zero.
    dtype, name
        As for `LinearOperator`.
    """

    _passes = "all"

    def __init__(self, dims: Any, axis: int = -1, sampling: float = 1.0, kind: str = "centered", edge: bool = False,
                 dtype: Any = "float64", name: str = "S") -> None:
        self.axis, self.sampling, self.kind, self.edge = axis, sampling, kind, edge
        super().__init__(_core.second_derivative(shape_of(dims), axis, sampling, kind, edge), dtype=dtype, name=name)


class Laplacian(LinearOperator):
    r"""Weighted sum of second derivatives, :math:`y = \sum_a w_a\, \partial^2 x / \partial a^2`, in one pass over memory.

    Parameters
    ----------
    dims : tuple of int
        Shape of the field.
    axes, weights, sampling : tuple
        One of each per derivative.
    edge, kind
        As for `SecondDerivative`, on all axes.
    dtype, name
        As for `LinearOperator`.
    """

    _passes = "all"

    def __init__(self, dims: Any, axes: Sequence[int] = (-2, -1), weights: Sequence[float] = (1.0, 1.0),
                 sampling: Sequence[float] = (1.0, 1.0), edge: bool = False, kind: str = "centered", dtype: Any = "float64",
                 name: str = "L") -> None:
        self.axes, self.weights, self.sampling, self.edge, self.kind = axes, weights, sampling, edge, kind
        super().__init__(_core.laplacian(shape_of(dims), list(axes), list(weights), list(sampling), kind, edge), dtype=dtype, name=name)


class Gradient(LinearOperator):
    r"""First derivatives along all axes, from ``dims`` to ``(len(dims), *dims)``, in one pass over memory.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    sampling : float or tuple of float
        Distance of neighboring values, on all axes or on each.
    edge, kind
        As for `FirstDerivative`.
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, sampling: float | Sequence[float] = 1.0, edge: bool = False, kind: str = "centered",
                 dtype: Any = "float64", name: str = "G") -> None:
        self.sampling, self.edge, self.kind = sampling, edge, kind
        super().__init__(_core.gradient(shape_of(dims), np.atleast_1d(sampling).tolist(), kind, edge), dtype=dtype, name=name)


def _along(dims: Any, v: Any, sampling: Any, edge: bool, kind: str) -> LinearOperator:
    """v . grad; in one pass if v is one direction."""
    v, fields = np.asarray(v), (len(shape_of(dims)), *shape_of(dims))
    if v.shape not in ((fields[0],), fields):
        raise _core.ShapeError(f"directional derivative: expected one direction {(fields[0],)} or one per value {fields}, got {v.shape}")
    if v.ndim == 1 and v.dtype.kind != "c":
        return LinearOperator(_core.directional_derivative(fields[1:], v.tolist(), np.atleast_1d(sampling).tolist(), kind, edge))
    return Sum(fields, axis=0) @ (Diagonal(v, dims=fields, axis=0) if v.ndim == 1 else Diagonal(v)) @ Gradient(dims, sampling, edge, kind)


class FirstDirectionalDerivative(LinearOperator):
    r"""Derivative along a direction, :math:`y = v \cdot \nabla x`.

    Parameters
    ----------
    dims : tuple of int
        Shape of the field.
    v : (len(dims),) or (len(dims), \*dims) array
        One direction, or one for each value.
    sampling, edge, kind
        As for `Gradient`.
    dtype, name
        As for `LinearOperator`.
    """

    _passes = "all"

    def __init__(self, dims: Any, v: Any, sampling: Any = 1.0, edge: bool = False, kind: str = "centered", dtype: Any = "float64",
                 name: str = "F") -> None:
        self.v, self.sampling, self.edge, self.kind = v, sampling, edge, kind
        super().__init__(_along(dims, v, sampling, edge, kind), dtype=dtype, name=name)


class SecondDirectionalDerivative(LinearOperator):
    r"""Second derivative along a direction, :math:`y = -D_v^T D_v x` with the first directional derivative :math:`D_v`.

    Parameters
    ----------
    dims, v, sampling, edge, kind, dtype, name
        As for `FirstDirectionalDerivative`.
    """

    _passes = "all"

    def __init__(self, dims: Any, v: Any, sampling: Any = 1.0, edge: bool = False, kind: str = "centered", dtype: Any = "float64",
                 name: str = "S") -> None:
        self.v, self.sampling, self.edge, self.kind = v, sampling, edge, kind
        first = _along(dims, v, sampling, edge, kind)
        super().__init__(-(first.H @ first), dtype=dtype, name=name)
