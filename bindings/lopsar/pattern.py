"""A pixelwise operator from its matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from . import _core
from .arrays import columns, floating, plain
from .linear_operator import LinearOperator

__all__ = ["Pattern"]


def native_pattern(matrix: Any, fields: Any = None, which: Any = None, name: str = "Pattern") -> Any:
    """The operator in C++."""
    if hasattr(matrix, "matvec"):
        raise _core.InvalidArgument(f"{name}: expected a matrix, got {type(matrix).__name__}; give its tosparse()")
    matrix = matrix if scipy.sparse.issparse(matrix) else plain(matrix, name)
    if matrix.ndim != 2 or matrix.dtype.kind not in "biufc":
        raise _core.ShapeError(f"{name}: expected a matrix (m, n) of numbers, got {matrix.dtype} of shape {matrix.shape}")
    entries = scipy.sparse.coo_array(matrix)
    if entries.dtype.kind == "c":
        raise _core.InvalidArgument(f"{name}: expected a real matrix, got {entries.dtype}; MatrixMult takes complex ones")
    if (fields is None) != (which is None):
        raise _core.InvalidArgument(f"{name}: expected fields and which together, got one of them")
    factor = np.full(entries.nnz, -1)
    if fields is not None:
        fields = floating(fields, "fields")
        fields = columns(fields.reshape(1, -1) if fields.ndim == 1 else fields)
        which = np.asarray(which)
        if which.shape != entries.shape or which.dtype.kind not in "iu":
            raise _core.ShapeError(f"{name}: expected which of integers, shape {entries.shape}, got {which.dtype}, {which.shape}")
        factor = which[entries.row, entries.col]
    return _core.pattern(entries.shape, entries.row, entries.col, entries.data.astype(np.float64), factor, fields, name)


class Pattern(LinearOperator):
    r"""The same sparse matrix at every pixel, entries optionally times fields: :math:`y_{ip} = \sum_j a_{ij} f_{w(i,j), p} x_{jp}`.

    Parameters
    ----------
    matrix : (m, n) array or SciPy sparse
        Coefficients a, held in float64.
    fields : (F, pixels) or (F, ...) float32 or float64, optional
        Values f that differ from pixel to pixel. Not copied: they must not change.
    which : (m, n) int array, optional
        The row of `fields` that multiplies an entry; -1: none.
    dtype, name
        As for `LinearOperator`.

    Raises
    ------
    InvalidArgument
        A coefficient that is not finite, or a field that is not there.

    Examples
    --------
    Every pixel its own slope, x = (offset, slope):

    >>> import lopsar, numpy as np
    >>> height = np.array([[100.0, 200.0]])
    >>> A = lopsar.Pattern(np.ones((2, 2)), height, [[-1, 0], [-1, 0]])
    >>> A @ np.array([[1.0, 1.0], [0.5, 0.5]])
    array([[ 51., 101.],
           [ 51., 101.]])
    """

    def __init__(self, matrix: Any, fields: Any = None, which: Any = None, *, dtype: Any = "float64", name: str = "Pattern") -> None:
        super().__init__(native_pattern(matrix, fields, which, name), dtype=dtype, name=name)
