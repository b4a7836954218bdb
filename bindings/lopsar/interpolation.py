"""Values between the samples of fields."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.interpolate

from . import _core
from .dims import shape_of
from .linear_operator import LinearOperator, _size

__all__ = ["Bilinear", "Interp", "Spread"]


def Interp(dims: Any, iava: Any, axis: int = -1, kind: str = "linear", tol: float | None = None, dtype: Any = "float64",
           name: str = "I") -> tuple[LinearOperator, np.ndarray]:
    r"""Values at any position along an axis, :math:`y_i = x(p_i)`.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    iava : (n,) array
        Positions p, from 0 to the last index of the axis; they may repeat. Positions above are moved there, with a warning.
    axis : int
    kind : {"linear", "nearest", "sinc", "cubic_spline"}
        A straight line between neighbors; the nearest value (of two the even); :math:`\sum_j x_j \operatorname{sinc}(p_i - j)`, with which
        positions may lie anywhere; or the natural cubic spline.
    tol : float, optional
        Weights of "sinc" below it in magnitude are left out.
    dtype, name
        As for `LinearOperator`.

    Returns
    -------
    LinearOperator
    iava : (n,) array
        The positions taken: integers for "nearest".
    """
    dims, positions = shape_of(dims), np.asarray(iava)
    if not -len(dims) <= axis < len(dims):
        raise _core.InvalidArgument(f"Interp: expected an axis of {len(dims)}, got {axis}")
    n = dims[axis]
    if positions.ndim != 1 or positions.size == 0 or positions.dtype.kind not in "iuf":
        raise _core.InvalidArgument(f"Interp: expected a list of positions, got {positions.dtype} of shape {positions.shape}")
    positions = positions.astype(np.float64)
    if kind == "nearest":
        positions = np.round(positions)
    elif kind != "sinc" and (positions > n - 1).any():
        warnings.warn(f"Interp: positions above the last index {n - 1} are moved there", stacklevel=2)
        positions = np.minimum(positions, n - 1)
    if kind == "cubic_spline" or (kind == "sinc" and tol is not None):
        if kind == "sinc":
            weights = np.sinc(positions[:, None] - np.arange(n))
            weights[np.abs(weights) < tol] = 0
        else:
            if (positions < 0).any() or n < 2:
                raise _core.InvalidArgument(f"Interp: expected positions from 0 to {n - 1}, got {positions.min()}")
            weights = scipy.interpolate.CubicSpline(np.arange(n), np.eye(n), bc_type="natural")(positions)
        row, column = np.nonzero(weights)
        native = _core.along_axis(dims, axis, len(positions), row, column, weights[row, column], "Interp")
    else:
        native = _core.interpolation(dims, positions, axis, kind)
    op: Any = LinearOperator(native, dtype=dtype, name=name)
    op._made = (_interpolation, (dims, positions, axis, kind, tol, dtype, name), {})
    return op, positions.astype(np.int64) if kind == "nearest" else positions


def _interpolation(*args: Any) -> LinearOperator:
    return Interp(*args)[0]


class Bilinear(LinearOperator):
    r"""Values between four neighbors on the first two axes of a field, :math:`y_i = x(p_i, q_i)`.

    Parameters
    ----------
    iava : (2, n) array
        Positions p and q, from 0 to the last index of their axis; they may repeat.
    dims : tuple of int
        Shape of the field, two axes or more; the data have shape ``(n, *dims[2:])``.
    forceflat, dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, iava: Any, dims: Any, forceflat: bool | None = None, dtype: Any = "float64", name: str = "B") -> None:
        positions = np.asarray(iava, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[0] != 2:
            raise _core.ShapeError(f"Bilinear: expected iava of shape (2, n), got {positions.shape}")
        self.iava = positions
        super().__init__(_core.bilinear(shape_of(dims), positions[0], positions[1]), forceflat=forceflat, dtype=dtype, name=name)


class Spread(LinearOperator):
    r"""Values spread along curves, :math:`y_{x, f(x_0, t_0, x)} \mathrel{+}= m_{x_0, t_0}` for all x; the adjoint stacks along them.

    Parameters
    ----------
    dims : (nx0, nt0)
        Shape of the model.
    dimsd : (nx, nt)
        Shape of the data.
    table : (nx0, nt0, nx) array, optional
        Indices f, from 0 to nt - 1; NaN: nothing is added.
    dtable : (nx0, nt0, nx) array, optional
        Weights w: (1 - w) is added at f, w at f + 1.
    fh : callable, optional
        Instead of tables: ``fh(ix0, it0)`` returns f for all x, or (f, w). It is called once for each pair, here.
    interp, engine
        Accepted for PyLops' sake: there is one engine, and weights interpolate.
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, dimsd: Any, table: Any = None, dtable: Any = None, fh: Callable[..., Any] | None = None,
                 interp: bool | None = None, engine: str = "numpy", dtype: Any = "float64", name: str = "S") -> None:
        dims, dimsd = shape_of(dims), shape_of(dimsd)
        if len(dims) != 2 or len(dimsd) != 2:
            raise _core.ShapeError(f"Spread: expected dims and dimsd of two axes, got {dims} and {dimsd}")
        (nx0, nt0), (nx, nt) = dims, dimsd
        if table is None:
            if fh is None:
                raise _core.InvalidArgument("Spread: expected table or fh, got neither")
            curves = [fh(ix0, it0) for ix0 in range(nx0) for it0 in range(nt0)]
            if isinstance(curves[0], tuple):
                dtable = np.reshape([np.asarray(w, dtype=np.float64) for _, w in curves], (nx0, nt0, -1))
                curves = [index for index, _ in curves]
            table = np.reshape([np.asarray(index, dtype=np.float64) for index in curves], (nx0, nt0, -1))
        table = np.asarray(table, dtype=np.float64)
        dtable = None if dtable is None else np.asarray(dtable, dtype=np.float64)
        for values in (table, dtable):
            if values is not None and values.shape != (nx0, nt0, nx):
                raise _core.ShapeError(f"Spread: expected tables of shape {(nx0, nt0, nx)}, got {values.shape}")
        here = ~np.isnan(table) if dtable is None else ~(np.isnan(table) | np.isnan(dtable))
        index = table[here].astype(np.int64)
        last = nt - 1 if dtable is None else nt - 2
        if index.size and (index.min() < 0 or index.max() > last):
            raise _core.InvalidArgument(f"Spread: expected indices from 0 to {last}, got {index.min()} to {index.max()}")
        column = np.broadcast_to(np.arange(_size(dims)).reshape(nx0, nt0, 1), table.shape)[here]
        row = np.broadcast_to(np.arange(nx) * nt, table.shape)[here] + index
        if dtable is None:
            weight = np.ones(index.size)
        else:
            w = dtable[here]
            row, column, weight = np.concatenate([row, row + 1]), np.concatenate([column, column]), np.concatenate([1 - w, w])
        super().__init__(_core.on_fields(dims, dimsd, row, column, weight, "Spread"), dtype=dtype, name=name)
