"""Identity, zero and diagonal matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from .arrays import floating, plain
from .dims import is_short, shape_of
from .linear_operator import LinearOperator, _size

__all__ = ["Diagonal", "Identity", "Zero"]


class Identity(LinearOperator):
    r"""The identity, :math:`y = x`; where the data are shorter the end of the model is cut, where they are longer zeros follow.

    Parameters
    ----------
    N : int or tuple of int
        Shape of the data.
    M : int or tuple of int, optional
        Shape of the model, with as many axes. Default: `N`.
    inplace : bool
        Accepted for PyLops' sake: results never share memory with the input.
    forceflat, dtype, name
        As for `LinearOperator`.
    """

    _passes = "all"

    def __init__(self, N: Any, M: Any = None, inplace: bool = True, forceflat: bool | None = None, dtype: Any = "float64",
                 name: str = "I") -> None:
        dimsd = shape_of(N)
        dims = dimsd if M is None else shape_of(M)
        native = _core.identity(dimsd[0], dims[0]) if is_short(dimsd, dims) else _core.field_identity(dimsd, dims)
        self.inplace = inplace
        super().__init__(native, forceflat=forceflat, dtype=dtype, name=name)


class Zero(LinearOperator):
    r"""Nothing, :math:`y = 0`.

    Parameters
    ----------
    N : int or tuple of int
        Shape of the data.
    M : int or tuple of int, optional
        Shape of the model. Default: `N`.
    forceflat, dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, N: Any, M: Any = None, forceflat: bool | None = None, dtype: Any = "float64", name: str = "Z") -> None:
        dimsd = shape_of(N)
        dims = dimsd if M is None else shape_of(M)
        native = _core.zero(dimsd[0], dims[0]) if is_short(dimsd, dims) else _core.field_zero(dimsd, dims)
        super().__init__(native, forceflat=forceflat, dtype=dtype, name=name)


class Diagonal(LinearOperator):
    r"""Element-wise product, :math:`y = d\, x`; the adjoint takes the complex conjugate of d.

    Parameters
    ----------
    diag : array
        One value for each of the field, or one for each index along `axis`; real or complex. Copied. Values that are not finite are taken as
        they are, but only a finite short diagonal is pixelwise.
    dims : int or tuple of int, optional
        Shape of the field. Default: that of `diag`.
    axis : int
        Axis of `dims` that the values of `diag` belong to.
    dtype, name
        As for `LinearOperator`; a complex `diag` has a complex label.

    Attributes
    ----------
    diag : array
    complex : bool
        Whether `diag` is complex.
    """

    _passes = "all"

    def __init__(self, diag: Any, dims: Any = None, axis: int = -1, dtype: Any = "float64", name: str = "D") -> None:
        diag = plain(diag, "Diagonal")
        self.complex = diag.dtype.kind == "c"
        values = np.array(diag if self.complex else floating(diag, "Diagonal"), order="C", ndmin=1)
        values.flags.writeable = False
        self.diag, self.axis = values, axis
        shape = values.shape if dims is None else shape_of(dims)
        if not -len(shape) <= axis < len(shape):
            raise _core.InvalidArgument(f"Diagonal: expected an axis of {len(shape)}, got {axis}")
        along = dims is not None and len(shape) > 1 and values.size == shape[axis]
        if not along and values.size != _size(shape):
            raise _core.ShapeError(f"Diagonal: expected {_size(shape)} values, or {shape[axis]} along axis {axis} of {shape}, got {values.size}")
        if is_short(shape) and not self.complex and np.isfinite(values).all():
            native = _core.diagonal(values.ravel().tolist())
        else:
            native = _core.field_diagonal(values.reshape(1, -1), shape, axis if along else None)
        super().__init__(native, dtype=dtype, name=name)
        if type(self) is Diagonal:
            self._made: Any = (Diagonal, (values, dims, axis, dtype, name), {})   # not the array that was copied

    def matrix(self) -> np.ndarray:
        """The matrix, dense; `tosparse` keeps it small."""
        return self.todense()
