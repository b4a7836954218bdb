"""Linear operators that SciPy, PyLops and plain ``@`` understand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator as ScipyLinearOperator

from ._core import ShapeError

__all__ = ["LinearOperator", "aslinearoperator", "dottest"]


def _dims(value: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    return (int(value),) if np.isscalar(value) else tuple(int(n) for n in value)  # type: ignore[arg-type, union-attr]


class LinearOperator(ScipyLinearOperator):
    """A linear map with an adjoint, on flat vectors, on columns, and on nd-arrays.

    Subclass it with ``_matvec`` and ``_rmatvec`` (flat input, as PyLops and SciPy users do), or pass any object with ``shape``,
    ``matvec`` and ``rmatvec`` as `Op`.

    Parameters
    ----------
    Op : object, optional
        Wrapped operator.
    dtype : dtype, optional
        Label that SciPy reads. The precision of a result is that of the input.
    shape : (int, int), optional
        Rows (data) and columns (model). Default: products of `dimsd` and `dims`.
    dims, dimsd : int or tuple of int, optional
        Shape of the model and of the data. ``A @ x`` accepts ``x`` of shape ``(n,)``, ``(n, k)``, ``dims`` or ``(*dims, k)``.
    forceflat : bool, optional
        True: results are flat even where the input has the shape `dims`.
    name : str, optional
        For your own use.

    Notes
    -----
    ``A @ x`` applies, ``A @ B`` composes, ``a * A`` scales, ``A + B``, ``A - B``, ``-A`` add; ``A.H`` is the adjoint. Each of
    them is a `LinearOperator` again. Shapes that do not fit raise `ShapeError`, a `ValueError`.
    """

    def __init__(self, Op: Any = None, *, dtype: Any = None, shape: tuple[int, int] | None = None, dims: Any = None,
                 dimsd: Any = None, forceflat: bool | None = None, name: str | None = None) -> None:
        self.Op = Op
        dims, dimsd = _dims(dims), _dims(dimsd)
        if Op is not None:
            shape = shape or Op.shape
            dims = dims or _dims(getattr(Op, "dims", None))
            dimsd = dimsd or _dims(getattr(Op, "dimsd", None))
            dtype = dtype or getattr(Op, "dtype", None)
        if shape is None:
            if dims is None or dimsd is None:
                raise ValueError("LinearOperator: expected shape, or dims and dimsd, got neither; give one of them")
            shape = (int(np.prod(dimsd)), int(np.prod(dims)))
        self.dims = dims or (int(shape[1]),)
        self.dimsd = dimsd or (int(shape[0]),)
        if (int(np.prod(self.dimsd)), int(np.prod(self.dims))) != tuple(shape):
            raise ShapeError(f"LinearOperator: expected dims {self.dims} and dimsd {self.dimsd} to fit the shape {tuple(shape)}")
        self.forceflat = forceflat
        self.name = name
        super().__init__(np.dtype(dtype or np.float64), shape)

    # -- the maths: subclasses replace these -------------------------------------------------------------------------
    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self.Op.matvec(x)

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        return self.Op.rmatvec(y)

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        if self.Op is not None and hasattr(self.Op, "matmat"):
            return self.Op.matmat(X)
        return np.stack([self._matvec(column).ravel() for column in X.T], axis=1)

    def _rmatmat(self, Y: np.ndarray) -> np.ndarray:
        if self.Op is not None and hasattr(self.Op, "rmatmat"):
            return self.Op.rmatmat(Y)
        return np.stack([self._rmatvec(column).ravel() for column in Y.T], axis=1)

    def _adjoint(self) -> LinearOperator:
        return _Adjoint(self)

    def _transpose(self) -> LinearOperator:
        return _Functions(self.shape[::-1], lambda y: np.conj(self.rmatmat(np.conj(y))), lambda x: np.conj(self.matmat(np.conj(x))),
                          dtype=self.dtype, dims=self.dimsd, dimsd=self.dims, forceflat=self.forceflat)

    # -- algebra -----------------------------------------------------------------------------------------------------
    def dot(self, x: Any) -> Any:
        """``A @ x``: apply to an array, compose with an operator, scale by a number."""
        if np.isscalar(x):
            return _scaled(self, x)
        if isinstance(x, ScipyLinearOperator) or (hasattr(x, "matvec") and not isinstance(x, np.ndarray)):
            return _product(self, aslinearoperator(x))
        x = np.asarray(x)
        n = self.shape[1]
        if x.ndim == 1 and len(x) == n:
            return self.matvec(x) if self.forceflat is not False or self.dims != (n,) else self.matvec(x).reshape(self.dimsd)
        if x.shape == self.dims and x.ndim > 1:
            y = self.matvec(x.ravel())
            return y if self.forceflat else y.reshape(self.dimsd)
        if x.ndim == 2 and x.shape[0] == n:
            return self.matmat(x)
        if x.ndim > 1 and x.shape[:-1] == self.dims:
            y = self.matmat(x.reshape(n, x.shape[-1]))
            return y if self.forceflat else y.reshape(*self.dimsd, x.shape[-1])
        cube = "" if len(self.dims) == 1 else f", {self.dims} or ({', '.join(map(str, self.dims))}, k)"
        raise ShapeError(f"operator of shape {self.shape}: expected an array of shape ({n},) or ({n}, k){cube}, got {x.shape}; "
                         "reshape it or check the order of the factors")

    def __matmul__(self, x: Any) -> Any:
        if np.isscalar(x):
            raise ValueError("A @ x: expected an array or an operator, got a number; use * for scaling")
        return self.dot(x)

    def __rmatmul__(self, x: Any) -> Any:
        if np.isscalar(x):
            raise ValueError("x @ A: expected an array or an operator, got a number; use * for scaling")
        return aslinearoperator(x).dot(self) if hasattr(x, "matvec") else np.conj(self.H.dot(np.conj(np.asarray(x)).T)).T

    def __mul__(self, x: Any) -> Any:
        return self.dot(x)

    def __rmul__(self, x: Any) -> Any:
        return _scaled(self, x) if np.isscalar(x) else NotImplemented

    def __neg__(self) -> LinearOperator:
        return _scaled(self, -1)

    def __add__(self, other: Any) -> LinearOperator:
        return _sum(self, aslinearoperator(other), 1)

    def __sub__(self, other: Any) -> LinearOperator:
        return _sum(self, aslinearoperator(other), -1)

    def todense(self) -> np.ndarray:
        """The matrix, as an array of shape `shape`."""
        return self.matmat(np.eye(self.shape[1], dtype=self.dtype))

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{self.shape[0]}x{self.shape[1]} {'LinearOperator' if name.startswith('_') else name} with dtype={self.dtype}>"


class _Adjoint(LinearOperator):
    def __init__(self, of: LinearOperator) -> None:
        super().__init__(dtype=of.dtype, shape=of.shape[::-1], dims=of.dimsd, dimsd=of.dims, forceflat=of.forceflat)
        self._of = of

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._of._rmatvec(x)

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        return self._of._matvec(y)

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        return self._of._rmatmat(X)

    def _rmatmat(self, Y: np.ndarray) -> np.ndarray:
        return self._of._matmat(Y)

    def _adjoint(self) -> LinearOperator:
        return self._of


class _Functions(LinearOperator):
    """What algebra makes: two functions on columns."""

    def __init__(self, shape: tuple[int, int], forward: Callable[[np.ndarray], np.ndarray],
                 adjoint: Callable[[np.ndarray], np.ndarray], **kwargs: Any) -> None:
        self._forward, self._backward = forward, adjoint
        super().__init__(shape=shape, **kwargs)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._forward(x.reshape(-1, 1)).ravel()

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        return self._backward(y.reshape(-1, 1)).ravel()

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        return self._forward(X)

    def _rmatmat(self, Y: np.ndarray) -> np.ndarray:
        return self._backward(Y)


def _scaled(op: LinearOperator, factor: Any) -> LinearOperator:
    factor = factor.item() if isinstance(factor, np.generic) else factor   # a Python number leaves the precision of the array alone
    return _Functions(op.shape, lambda x: factor * op.matmat(x), lambda y: np.conj(factor) * op.rmatmat(y),
                      dtype=np.result_type(op.dtype, type(factor)), dims=op.dims, dimsd=op.dimsd, forceflat=op.forceflat)


def _flat(a: LinearOperator, b: LinearOperator) -> bool | None:
    if a.forceflat is not None and b.forceflat is not None and a.forceflat != b.forceflat:
        raise ValueError(f"expected operators with the same forceflat, got {a.forceflat} and {b.forceflat}")
    return a.forceflat if a.forceflat is not None else b.forceflat


def _product(a: LinearOperator, b: LinearOperator) -> LinearOperator:
    if a.shape[1] != b.shape[0]:
        raise ShapeError(f"A @ B: expected B with {a.shape[1]} rows, got shapes {a.shape} and {b.shape}; check the order of the factors")
    return _Functions((a.shape[0], b.shape[1]), lambda x: a.matmat(b.matmat(x)), lambda y: b.rmatmat(a.rmatmat(y)),
                      dtype=np.result_type(a.dtype, b.dtype), dims=b.dims, dimsd=a.dimsd, forceflat=_flat(a, b))


def _sum(a: LinearOperator, b: LinearOperator, sign: int) -> LinearOperator:
    if a.shape != b.shape:
        raise ShapeError(f"A + B: expected equal shapes, got {a.shape} and {b.shape}")
    return _Functions(a.shape, lambda x: a.matmat(x) + sign * b.matmat(x), lambda y: a.rmatmat(y) + sign * b.rmatmat(y),
                      dtype=np.result_type(a.dtype, b.dtype), dims=a.dims, dimsd=a.dimsd, forceflat=_flat(a, b))


def aslinearoperator(Op: Any) -> LinearOperator:
    """`Op` as a `LinearOperator`: itself, a wrapped operator of SciPy or PyLops, or a wrapped matrix."""
    if isinstance(Op, LinearOperator):
        return Op
    if hasattr(Op, "matvec"):
        return LinearOperator(Op)
    matrix = Op if hasattr(Op, "toarray") else np.atleast_2d(np.asarray(Op))
    return _Functions(matrix.shape, lambda x: matrix @ x, lambda y: matrix.conj().T @ y, dtype=matrix.dtype)


def dottest(Op: Any, nr: int | None = None, nc: int | None = None, rtol: float = 1e-6, atol: float = 1e-21, complexflag: int = 0,
            raiseerror: bool = True, verb: bool = False, dtype: Any = np.float64, seed: int | None = None) -> bool:
    r"""Whether forward and adjoint belong together.

    Passes if :math:`|\langle A u, v\rangle - \langle u, A^H v\rangle| \le` `rtol` :math:`(\|A u\| \|v\| + \|u\| \|A^H v\|)` `+ atol`
    for random u and v. Unlike a bound relative to the inner product itself, this one cannot fail because the product happens
    to be small.

    Parameters
    ----------
    Op : operator with matvec and rmatvec
    nr, nc : int, optional
        Expected rows and columns; another shape is an AssertionError.
    complexflag : int
        0 real, 1 complex model, 2 complex data, 3 both.
    raiseerror : bool
        Raise AssertionError instead of returning False.
    """
    rows, columns = Op.shape
    if (nr, nc) != (None, None) and (nr or rows, nc or columns) != (rows, columns):
        raise AssertionError(f"dottest: expected an operator of shape {(nr, nc)}, got {(rows, columns)}")
    rng = np.random.default_rng(seed)
    u, v = rng.standard_normal(columns).astype(dtype), rng.standard_normal(rows).astype(dtype)
    if complexflag in (1, 3):
        u = u + 1j * rng.standard_normal(columns)
    if complexflag in (2, 3):
        v = v + 1j * rng.standard_normal(rows)
    forward, adjoint = Op.matvec(u), Op.rmatvec(v)
    left, right = np.vdot(forward, v), np.vdot(u, adjoint)
    scale = np.linalg.norm(forward) * np.linalg.norm(v) + np.linalg.norm(u) * np.linalg.norm(adjoint)
    passed = bool(abs(left - right) <= rtol * scale + atol)
    if verb:
        print(f"Dot test {'passed' if passed else 'failed'}, v^H(Opu)={left} - u^H(Op^Hv)={right}")
    if not passed and raiseerror:
        raise AssertionError(f"Dot test failed, v^H(Opu)={left} - u^H(Op^Hv)={right}")
    return passed
