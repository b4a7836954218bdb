"""Operators that are matrices, by NumPy's BLAS and SciPy's sparse products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from . import _core
from .arrays import plain
from .dims import SHORT, SMALL
from .linear_operator import _METHODS, LinearOperator, _dims
from .pattern import native_pattern

__all__ = ["Fredholm1", "MatrixMult"]


class _InPrecisionOf:
    """An array in the precision of other arrays, each made once."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self._made: dict[Any, Any] = {}

    def __call__(self, x: np.ndarray) -> Any:
        single = x.dtype.char in "fF"
        if single not in self._made:
            kind = self._array.dtype.kind == "c"
            wanted = (np.complex64 if kind else np.float32) if single else (np.complex128 if kind else np.float64)
            self._made[single] = self._array.astype(wanted, copy=False)
        return self._made[single]


class MatrixMult(LinearOperator):
    r"""Product with a matrix, :math:`Y = A X` with X of shape (n, \*otherdims).

    Parameters
    ----------
    A : (m, n) array or SciPy sparse
        Copied.
    otherdims : int or tuple of int, optional
        Further dimensions of the model, last.
    forceflat : bool, optional
        Without `otherdims`: results are flat.
    dtype, name
        As for `LinearOperator`; a complex matrix has a complex label.

    Attributes
    ----------
    A : the matrix, not writeable where it is dense
    explicit : bool
        Whether `A` is the matrix of the operator: there are no `otherdims`.

    Notes
    -----
    The adjoint is :math:`X = A^H Y`. All columns of a block are one product. A finite real matrix without `otherdims`, of up to 256 rows and
    columns together (sparse: 4096), is pixelwise: it stacks and composes with networks and time models as a `Pattern`, whose zeros are no
    entries.
    """

    _lowered: Any = None   # the pixelwise operator of a small matrix
    _passes = "rest"

    def __init__(self, A: Any, otherdims: int | Sequence[int] | None = None, forceflat: bool | None = None, dtype: Any = "float64",
                 name: str = "M") -> None:
        sparse = scipy.sparse.issparse(A)
        A = A.copy() if sparse else np.array(plain(A, "MatrixMult"))
        if A.dtype.kind not in "biufc":
            raise _core.InvalidArgument(f"MatrixMult: expected a matrix of numbers, got {A.dtype}; convert it")
        if A.ndim != 2:
            raise _core.ShapeError(f"MatrixMult: expected a matrix (m, n), got {A.ndim} dimensions")
        if not sparse:
            A.flags.writeable = False
        self.A = A
        self.complex = A.dtype.kind == "c"
        other = _dims(otherdims) or ()
        dtype = np.dtype(dtype)
        if self.complex and dtype.kind != "c":
            dtype = A.dtype
        numbers = A if A.dtype.kind in "fc" and A.dtype != np.float16 else A.astype(np.float64)
        self._matrix, self._conjugate = _InPrecisionOf(numbers), _InPrecisionOf(numbers.conj().T)
        super().__init__(dtype=dtype, dims=(A.shape[1], *other), dimsd=(A.shape[0], *other), explicit=otherdims is None,
                         forceflat=forceflat if otherdims is None else None, name=name)
        small = sum(A.shape) <= (SHORT if sparse else SMALL)
        self._small = small and otherdims is None and dtype.kind != "c" and not any(
            getattr(type(self), m) is not getattr(MatrixMult, m) for m in _METHODS)
        if type(self) is MatrixMult:
            self._made: Any = (MatrixMult, (A, otherdims, forceflat, dtype, name), {})   # not the array that was copied

    def _node(self) -> Any:
        if self._small:   # finite as well?
            self._small = bool(np.isfinite(self.A.data if scipy.sparse.issparse(self.A) else self.A).all())
        if not self._small:
            return super()._node()
        if self._lowered is None:
            self._lowered = native_pattern(self.A, name=self.name or "M")
        return self._lowered

    def _times(self, matrix: Any, x: np.ndarray, n: int) -> np.ndarray:
        return matrix(x) @ (x if x.shape[0] == n else x.reshape(n, -1))

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._times(self._matrix, x, self.A.shape[1])

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return self._times(self._conjugate, x, self.A.shape[0])

    _matmat, _rmatmat = _matvec, _rmatvec

    def inv(self) -> Any:
        """The inverse of `A`."""
        return scipy.sparse.linalg.inv(self.A.tocsc()) if scipy.sparse.issparse(self.A) else np.linalg.inv(self.A)


class Fredholm1(LinearOperator):
    r"""A product with a matrix of its own for each slice, :math:`Y_k = G_k X_k`.

    Parameters
    ----------
    G : (slices, nx, ny) array
        Copied.
    nz : int
        Columns of every slice of the model (slices, ny, nz); the data are (slices, nx, nz).
    saveGt : bool
        Keep the adjoint matrices, which doubles the memory and saves time.
    usematmul : bool
        Accepted for PyLops' sake: it is one batched product in any case.
    dtype, name
        As for `LinearOperator`; a complex `G` has a complex label.
    """

    def __init__(self, G: Any, nz: int = 1, saveGt: bool = True, usematmul: bool = True, dtype: Any = "float64", name: str = "F") -> None:
        G = np.array(plain(G, "Fredholm1"))
        if G.ndim != 3:
            raise _core.ShapeError(f"Fredholm1: expected matrices (slices, nx, ny), got {G.ndim} dimensions")
        numbers = G if G.dtype.kind in "fc" and G.dtype != np.float16 else G.astype(np.float64)
        self.G, self.nz, self.usematmul = G, nz, usematmul
        self.nsl, self.nx, self.ny = G.shape
        dtype = np.dtype(dtype)
        self._matrices = _InPrecisionOf(numbers)
        if saveGt:
            self.GT = numbers.transpose(0, 2, 1).conj().copy()
            self._adjoints = _InPrecisionOf(self.GT)
        super().__init__(dtype=G.dtype if G.dtype.kind == "c" and dtype.kind != "c" else dtype, dims=(self.nsl, self.ny, nz),
                         dimsd=(self.nsl, self.nx, nz), name=name)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return np.matmul(self._matrices(x), x.reshape(self.nsl, self.ny, -1)).reshape(-1, *x.shape[1:])

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        adjoints = self._adjoints(x) if hasattr(self, "GT") else self._matrices(x).transpose(0, 2, 1).conj()
        return np.matmul(adjoints, x.reshape(self.nsl, self.nx, -1)).reshape(-1, *x.shape[1:])

    _matmat, _rmatmat = _matvec, _rmatvec
