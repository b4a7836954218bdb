"""Operators that move values about: flips, shifts, borders, picks, transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _core
from .dims import is_short, shape_of
from .linear_operator import LinearOperator

__all__ = ["Flip", "Pad", "Restriction", "Roll", "Symmetrize", "Transpose"]


class Flip(LinearOperator):
    r"""An axis reversed, :math:`y_i = x_{n-1-i}`.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    axis : int
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, axis: int = -1, dtype: Any = "float64", name: str = "F") -> None:
        self.axis = axis
        super().__init__(_core.flip(shape_of(dims), axis), dtype=dtype, name=name)


class Roll(LinearOperator):
    r"""A circular shift along an axis, :math:`y_i = x_{(i - s) \bmod n}`.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    axis : int
    shift : int
        The shift s, of either sign.
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, axis: int = -1, shift: int = 1, dtype: Any = "float64", name: str = "R") -> None:
        self.axis, self.shift = axis, shift
        super().__init__(_core.roll(shape_of(dims), axis, shift), dtype=dtype, name=name)


class Symmetrize(LinearOperator):
    r"""An axis and its mirror image, :math:`y_{n-1+i} = y_{n-1-i} = x_i`; n values become 2n - 1.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    axis : int
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, axis: int = -1, dtype: Any = "float64", name: str = "S") -> None:
        self.axis = axis
        super().__init__(_core.symmetrize(shape_of(dims), axis), dtype=dtype, name=name)


class Pad(LinearOperator):
    """The field with zeros around it.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    pad : (before, after), or one of them per axis
        Numbers of zeros.
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, pad: Any, dtype: Any = "float64", name: str = "P") -> None:
        dims, around = shape_of(dims), np.asarray(pad)
        if around.dtype.kind not in "iu" or around.shape not in ((len(dims), 2), (2,) if len(dims) == 1 else ()):
            raise _core.ShapeError(f"Pad: expected {len(dims)} pairs (before, after) of integers, got {pad!r}")
        if (around < 0).any():
            raise _core.InvalidArgument(f"Pad: expected numbers of zeros >= 0, got {pad!r}")
        self.pad = pad
        super().__init__(_core.pad(dims, [(a, b) for a, b in around.reshape(-1, 2).tolist()]), dtype=dtype, name=name)


class Transpose(LinearOperator):
    """The axes of a field in another order.

    Parameters
    ----------
    dims : tuple of int
        Shape of the field.
    axes : tuple of int
        Axis ``axes[a]`` of the model is axis a of the data.
    dtype, name
        As for `LinearOperator`.

    Attributes
    ----------
    axesd : list of int
        `axes` of the adjoint.
    """

    def __init__(self, dims: Any, axes: Sequence[int], dtype: Any = "float64", name: str = "T") -> None:
        super().__init__(_core.transpose(shape_of(dims), list(axes)), dtype=dtype, name=name)
        self.axes = [int(a) % len(axes) for a in axes]
        self.axesd = np.argsort(self.axes).tolist()


class Restriction(LinearOperator):
    r"""Picked values along an axis, :math:`y_i = x_{l_i}`. The adjoint puts them back, and adds them up where an index repeats.

    Parameters
    ----------
    dims : int or tuple of int
        Shape of the field.
    iava : (n,) int or bool array
        The indices l, negative ones from the end of the axis; or a mask of the axis.
    axis : int
    inplace : bool
        Accepted for PyLops' sake: results never share memory with the input.
    forceflat, dtype, name
        As for `LinearOperator`.

    Attributes
    ----------
    iava : (n,) int array
    """

    def __init__(self, dims: Any, iava: Any, axis: int = -1, inplace: bool = True, forceflat: bool | None = None, dtype: Any = "float64",
                 name: str = "R") -> None:
        dims, indices = shape_of(dims), np.asarray(iava)
        if not -len(dims) <= axis < len(dims):
            raise _core.InvalidArgument(f"Restriction: expected an axis of {len(dims)}, got {axis}")
        n = dims[axis]
        if indices.dtype.kind == "b":
            if indices.shape != (n,):
                raise _core.ShapeError(f"Restriction: expected a mask of shape {(n,)}, got {indices.shape}")
            indices = np.flatnonzero(indices)
        if indices.ndim != 1 or indices.size == 0 or indices.dtype.kind not in "iu":
            raise _core.InvalidArgument(f"Restriction: expected a list of integers, got {indices.dtype} of shape {indices.shape}")
        if indices.min() < -n or indices.max() >= n:
            raise _core.InvalidArgument(f"Restriction: expected indices from {-n} to {n - 1}, got {indices.min()} to {indices.max()}")
        indices = indices.astype(np.int64) % n
        self.iava, self.axis, self.inplace = indices, axis, inplace
        native = _core.restriction(n, indices.tolist()) if is_short(dims, indices.shape) else _core.field_restriction(dims, indices, axis)
        super().__init__(native, forceflat=forceflat, dtype=dtype, name=name)

    def mask(self, x: Any) -> np.ma.MaskedArray:
        """`x` in its own shape, with everything masked that is not picked."""
        picked = np.zeros(self.dims, dtype=bool)
        np.moveaxis(picked, self.axis, 0)[self.iava] = True
        x = np.asarray(x).reshape(self.dims)
        return np.ma.array(np.where(picked, x, 0), mask=~picked)
