"""Linear operators that SciPy, PyLops and plain ``@`` understand."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg as sparse_linalg

from . import _core
from .arrays import at_least_one, plain
from .config import get_ndarray_multiplication
from .dims import shape_of
from .pickling import copied, deep_copied, reduced, remember_constructor, restored

__all__ = ["LinearOperator", "aslinearoperator", "dottest"]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.complex64), np.dtype(np.complex128))
_METHODS = ("_matvec", "_rmatvec", "_matmat", "_rmatmat")
DENSE = 2048   # rows or columns up to which a dense matrix is the quick and exact way


def _dims(value: Any) -> Any:
    """A tuple of int from a number or a sequence; None stays None."""
    if value is None:
        return None
    return (int(value),) if np.ndim(value) == 0 else tuple(int(n) for n in value)


def _label(dtype: Any) -> np.dtype[Any]:
    """The type of a matrix under this label: that itself, or float64 where it has no digits for one."""
    dtype = np.dtype(dtype)
    return dtype if dtype in _FLOATS else np.dtype(np.complex128 if dtype.kind == "c" else np.float64)


def _size(dims: tuple[int, ...]) -> int:
    n = 1
    for d in dims:
        n *= d
    return n


def _by_columns(cls: type[LinearOperator], method: str, adjoint: bool) -> Callable[[Any, np.ndarray], np.ndarray]:
    """The method for blocks, of the class that has one for vectors."""
    def many(self: Any, x: np.ndarray) -> np.ndarray:
        function = getattr(cls, method)
        columns = [np.asarray(function(self, np.ascontiguousarray(column))).ravel() for column in x.T]
        return np.stack(columns, axis=1) if columns else np.zeros((self.shape[1 if adjoint else 0], 0), x.dtype)
    return many


def _as_column(cls: type[LinearOperator], method: str) -> Callable[[Any, np.ndarray], np.ndarray]:
    """The method for vectors, of the class that has one for blocks."""
    def one(self: Any, x: np.ndarray) -> np.ndarray:
        return np.asarray(getattr(cls, method)(self, x[:, None])).reshape(-1)
    return one


class LinearOperator(sparse_linalg.LinearOperator):
    """A linear map with an adjoint, on flat vectors, on columns, and on nd-arrays.

    Subclass it with ``_matvec`` and ``_rmatvec`` (flat input, as PyLops and SciPy users do), or pass any object with ``shape``,
    ``matvec`` and ``rmatvec`` as `Op`. A subclass with a method ``pattern()`` that returns a (sparse) matrix needs neither and is
    pixelwise.

    Parameters
    ----------
    Op : object, optional
        Wrapped operator.
    dtype : dtype, optional
        Label that SciPy and PyLops read. The precision of a result is that of the input; a complex label makes real input complex.
    shape : (int, int), optional
        Rows (data) and columns (model). Default: products of `dimsd` and `dims`.
    dims, dimsd : int or tuple of int, optional
        Shape of the model and of the data.
    clinear : bool, optional
        False: linear only for real factors, as `Real`.
    explicit : bool, optional
        True: the matrix is held as ``A``.
    forceflat : bool, optional
        True: results are flat even where the input has the shape `dims`.
    name : str, optional
        What `describe` prints for an operator written in Python; those of the core print their own names.

    Attributes
    ----------
    shape, dtype, dims, dimsd, clinear, explicit, forceflat, name
    pixelwise : bool
        Whether columns of a block are pixels, each mapped by the same sparse pattern.
    pixels : int
        The number of pixels for which the operator has fields, 0: any.
    parameters : list of (name, unit)
        What the columns are, empty where nobody said.
    matvec_count, rmatvec_count, matmat_count, rmatmat_count : int
        How often it was applied.

    Raises
    ------
    ShapeError
        (a `ValueError`) where shapes do not fit.

    Notes
    -----
    ``A @ x`` applies, ``A @ B`` composes, ``a * A`` scales, ``A + B``, ``A - B``, ``-A`` add, ``A ** 2`` is ``A @ A``, ``A / y`` solves;
    ``A.H`` is the adjoint, ``A.T`` the transpose, ``A.conj()`` the conjugate. Each of them is a `LinearOperator` again.

    ======================  ============================
    input                   result
    ======================  ============================
    ``(n,)``                ``(m,)``
    ``(n, k)``              ``(m, k)``
    ``dims``                ``dimsd``
    ``(*dims, k)``          ``(*dimsd, k)``
    ``(n, ...)`` pixelwise  ``(m, ...)``
    ======================  ============================
    """

    dtype: np.dtype[Any]
    matvec_count = rmatvec_count = matmat_count = rmatmat_count = 0
    clinear = True
    explicit = False
    name: str | None = None
    _shape: tuple[int, int]
    _native: Any = None       # the operator in C++, where there is one
    _replaced = False         # whether a subclass has methods of its own, which then win over the operator in C++
    _apply: Any = None        # its function `apply`, where input needs no promotion
    _quick: Any = None        # the same, where neither input nor result needs reshaping
    _operands: Any = ()       # kept alive for the core, which only looks at them
    _undo: Any = (None, None)  # (what was done, to whom): the adjoint of an adjoint is the operator itself
    _turns: Any = MappingProxyType({})   # and while somebody holds the adjoint, it is made once
    _axes: Any = MappingProxyType({})    # names and values of the first axis of "dims" and "dimsd", where the operator knows them
    _grid: Any = None         # names and coordinates of the pixels, where fields came with labels
    _passes: str | None = None           # axes that keep their labels: "all", or the "rest" after the first
    _alike = False            # whether the operands share the labels of their axes, as terms of a sum do
    _composition: Any = None  # how it was made of the operands: a function or a method of the core, and its arguments
    _given_dims: Any = None
    _given_dimsd: Any = None
    _forceflat: bool | None = None
    _promotes = False         # whether real input becomes complex for the label's sake

    def __init__(self, Op: Any = None, dtype: Any = None, shape: Any = None, dims: Any = None, dimsd: Any = None,
                 clinear: bool | None = None, explicit: bool | None = None, forceflat: bool | None = None, name: str | None = None) -> None:
        native = None
        dims, dimsd = _dims(dims), _dims(dimsd)
        if isinstance(Op, _core.Operator):
            native = Op
            shape, dims, dimsd = shape or native.shape, dims or native.dims, dimsd or native.dimsd
            dtype = np.dtype(dtype or (np.complex128 if native.complex else np.float64))
        elif Op is not None:
            if not hasattr(Op, "matvec"):
                raise _core.InvalidArgument(f"{type(self).__name__}: expected an operator, got {type(Op).__name__}; MatrixMult and "
                                            "aslinearoperator take matrices")
            self.Op = Op
            shape = shape or Op.shape
            dims = dims or _dims(getattr(Op, "dims", None))
            dimsd = dimsd or _dims(getattr(Op, "dimsd", None))
            dtype = dtype or getattr(Op, "dtype", None)
            clinear = getattr(Op, "clinear", None) if clinear is None else clinear
            explicit = getattr(Op, "explicit", None) if explicit is None else explicit
            if explicit and hasattr(Op, "A"):
                self.A = Op.A
            forceflat = getattr(Op, "forceflat", None) if forceflat is None else forceflat
            name = getattr(Op, "name", None) if name is None else name
            native = None if getattr(Op, "_replaced", False) else getattr(Op, "_native", None)
        self._given_dims, self._given_dimsd = dims, dimsd
        if shape is None:
            if dims is None or dimsd is None:
                raise _core.InvalidArgument(f"{type(self).__name__}: expected shape, or dims and dimsd, got neither; give one of them")
            shape = (_size(dimsd), _size(dims))
        super().__init__(np.dtype(dtype or np.float64), (int(shape[0]), int(shape[1])))
        if native is not None:
            self._native, self._replaced = native, self._overrides(*_METHODS)
            if native.complex and self.dtype.kind != "c":
                self.dtype = np.result_type(self.dtype, np.complex64)
        self.clinear = clinear is not False
        self.explicit = bool(explicit)
        self.name = name
        self._forceflat = forceflat
        self._check_dims()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class that replaces only the method for vectors, or only that for blocks, has the other made of it."""
        super().__init_subclass__(**kwargs)
        for one, many in (("_matvec", "_matmat"), ("_rmatvec", "_rmatmat")):
            depth = {name: next(i for i, c in enumerate(cls.__mro__) if name in vars(c)) for name in (one, many)}
            if depth[one] < depth[many]:
                setattr(cls, many, _by_columns(cls, one, one == "_rmatvec"))
            elif depth[many] < depth[one]:
                setattr(cls, one, _as_column(cls, many))
        remember_constructor(cls)

    __reduce__, __setstate__, __copy__, __deepcopy__ = reduced, restored, copied, deep_copied

    def _overrides(self, *methods: str) -> bool:
        return any(getattr(type(self), m) is not getattr(LinearOperator, m) for m in methods)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (data) and columns (model)."""
        try:
            return self._shape
        except AttributeError:
            raise AttributeError(f"{type(self).__name__} has no shape: expected __init__ to call super().__init__(dims=..., dimsd=...)") from None

    @shape.setter
    def shape(self, shape: Any) -> None:
        if self._native is not None and tuple(shape) != self._shape:
            raise _core.ShapeError(f"{type(self).__name__}: expected the shape {self._shape} that it has, got {tuple(shape)}; make another operator")
        self._shape = tuple(shape)

    # -- shapes and labels -------------------------------------------------------------------------------------------
    def _check_dims(self) -> None:
        if (_size(self.dimsd), _size(self.dims)) != self.shape:
            raise _core.ShapeError(f"{type(self).__name__}: expected dims {self.dims} and dimsd {self.dimsd} to fit the shape {self.shape}")
        native = self._native
        self._promotes = native is not None and self.dtype.kind == "c" and not native.complex
        self._apply = native.apply if native is not None and not self._promotes and not self._replaced else None
        self._quick = self._apply if len(self.dims) == len(self.dimsd) == 1 else None

    @property
    def dims(self) -> tuple[int, ...]:
        """Shape of the model."""
        return self._given_dims or (self.shape[1],)

    @dims.setter
    def dims(self, dims: Any) -> None:
        self._given_dims = _dims(dims)
        self._check_dims()

    @property
    def dimsd(self) -> tuple[int, ...]:
        """Shape of the data."""
        return self._given_dimsd or (self.shape[0],)

    @dimsd.setter
    def dimsd(self, dimsd: Any) -> None:
        self._given_dimsd = _dims(dimsd)
        self._check_dims()

    @property
    def forceflat(self) -> bool | None:
        """Whether results are flat even where the input has the shape `dims`."""
        return self._forceflat

    @forceflat.setter
    def forceflat(self, forceflat: bool | None) -> None:
        self._forceflat = forceflat

    @property
    def pixelwise(self) -> bool:
        """Whether columns of a block are pixels, each mapped by the same sparse pattern."""
        return self._node().pixelwise

    @property
    def pixels(self) -> int:
        """The number of pixels for which the operator has fields, 0: any."""
        return self._node().pixels

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Name and unit of each column, empty where nobody said."""
        return self._node().parameters

    def pattern(self) -> Any:
        """The matrix of every pixel, if a subclass has one: dense or SciPy sparse. It makes the operator pixelwise."""
        raise NotImplementedError(f"{type(self).__name__} has no pattern")

    def _node(self) -> Any:
        """The operator as the core sees it."""
        if self._native is None and self._overrides("pattern"):
            from .pattern import native_pattern
            native = native_pattern(self.pattern(), name=self.name or type(self).__name__)
            if native.shape != self.shape:
                raise _core.ShapeError(f"{type(self).__name__}: expected pattern() of shape {self.shape}, got {native.shape}")
            self._native, self._replaced = native, self._overrides(*_METHODS)
            self._check_dims()
        if self._native is not None and not self._replaced:
            return self._native
        # Made anew each time: kept on the operator, it would keep the operator alive for ever.
        return _core.python_operator(self, self.dims, self.dimsd, self.dtype.kind == "c", self.name or type(self).__name__,
                                     self.clinear)

    # -- the maths: subclasses replace these -------------------------------------------------------------------------
    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._base(x, False)

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return self._base(x, True)

    def _matmat(self, x: np.ndarray) -> np.ndarray:
        return self._base(x, False)

    def _rmatmat(self, x: np.ndarray) -> np.ndarray:
        return self._base(x, True)

    def _base(self, x: np.ndarray, adjoint: bool) -> np.ndarray:
        """What a method does that a subclass has not replaced: the core, or the wrapped operator."""
        if self._native is None and self._overrides("pattern"):
            self._node()
        if self._native is not None:
            return self._run(x, adjoint)
        if getattr(self, "Op", None) is None:
            raise NotImplementedError(f"{type(self).__name__}: expected a method {'_rmatvec' if adjoint else '_matvec'}, got none; write it")
        if x.ndim == 1:
            return self.Op.rmatvec(x) if adjoint else self.Op.matvec(x)
        public = "rmatmat" if adjoint else "matmat"
        if hasattr(self.Op, public):
            return getattr(self.Op, public)(x)
        function = self.Op.rmatvec if adjoint else self.Op.matvec
        return np.stack([np.asarray(function(np.ascontiguousarray(column))).ravel() for column in x.T], axis=1)

    def _run(self, x: np.ndarray, adjoint: bool) -> np.ndarray:
        y = None if self._promotes else self._native.apply(x, adjoint)
        if y is None:
            y = self._native.apply(self._prepared(x), adjoint)
        return y

    def _prepared(self, x: np.ndarray) -> np.ndarray:
        """`x` in a precision and layout that the core takes."""
        dtype = _floating(x, self).dtype
        if self.dtype.kind == "c":
            dtype = np.result_type(dtype, np.complex64)
        if dtype not in _FLOATS:
            raise _core.InvalidArgument(f"{type(self).__name__}: expected float32, float64 or their complex numbers, got {dtype}; convert it")
        return np.ascontiguousarray(x, dtype)

    def _core_apply(self, X: np.ndarray, adjoint: bool) -> np.ndarray:
        """What the core calls where this operator is written in Python."""
        if X.ndim == 1:   # the core checks what comes back
            if adjoint:
                self.rmatvec_count += 1
                return self._rmatvec(X)
            self.matvec_count += 1
            return self._matvec(X)
        return self.rmatmat(X) if adjoint else self.matmat(X)

    def _adjoint(self) -> LinearOperator:
        return self._turned("adjoint", self.dimsd, self.dims)

    def _transpose(self) -> LinearOperator:
        if self.dtype.kind != "c":
            return self._adjoint()
        return self._turned("transpose", self.dimsd, self.dims)

    def conj(self) -> LinearOperator:
        """The complex conjugate, ``conj(A) x = conj(A conj(x))``; a real operator itself."""
        if self.dtype.kind != "c":
            return self
        return self._turned("conjugate", self.dims, self.dimsd)

    def _turned(self, how: str, dims: tuple[int, ...], dimsd: tuple[int, ...]) -> LinearOperator:
        done, of = self._undo
        if done == how:
            return of
        op = self._turns[how]() if how in self._turns else None
        if op is None or (op.dims, op.dimsd, op.dtype, op.forceflat) != (dims, dimsd, self.dtype, self.forceflat):
            op = _composed((how,), (self,), self.dtype, dims, dimsd, self.forceflat)
            op._undo = (how, self)
            self._turns = {**self._turns, how: weakref.ref(op)}
        return op

    # -- products with arrays ----------------------------------------------------------------------------------------
    def apply_into(self, x: Any, out: np.ndarray, *, adjoint: bool = False, threads: int | None = None) -> np.ndarray:
        """``A x``, or ``A^H x`` with `adjoint`, into an array that is there already: the system takes about as long to hand out the memory
        of a new one as a large product takes.

        Parameters
        ----------
        x : (n,), (n, k) or dims
            Model, or data with `adjoint`.
        out : (m,), (m, k) or dimsd
            Where the result goes: contiguous, in the precision of x.
        threads : int, optional
            Default: all. No influence on the bits of the result.

        Returns
        -------
        array
            `out`.
        """
        x = plain(x, "apply_into")
        n, dims, m = (self.shape[0], self.dimsd, self.shape[1]) if adjoint else (self.shape[1], self.dims, self.shape[0])
        if x.shape != dims and not (x.ndim == 2 and x.shape[0] == n) and x.shape != (n,):
            raise _core.ShapeError(f"{type(self).__name__}.apply_into: expected x of shape ({n},), ({n}, k) or {dims}, got {x.shape}")
        columns = 1 if x.shape in (dims, (n,)) else x.shape[1]
        x = self._prepared(x)
        if out.size != m * columns or out.dtype != x.dtype or not out.flags.c_contiguous:
            raise _core.ShapeError(f"{type(self).__name__}.apply_into: expected out contiguous, of {m * columns} values of {x.dtype}, "
                                   f"got {out.shape}, {out.dtype}")
        self._node().apply_into(x.reshape(n, columns), out.reshape(m, columns), adjoint, at_least_one(threads, "threads"))
        return out

    def matvec(self, x: Any) -> np.ndarray:
        """``A x`` for x of shape (n,) or (n, 1)."""
        y = self._apply(x) if self._apply is not None and type(x) is np.ndarray and x.ndim == 1 else None
        if y is None:
            y = self._vector(x, self.shape[1], self._matvec, self.shape[0])
        self.matvec_count += 1
        return y

    def rmatvec(self, x: Any) -> np.ndarray:
        """``A^H x`` for x of shape (m,) or (m, 1)."""
        y = self._apply(x, True) if self._apply is not None and type(x) is np.ndarray and x.ndim == 1 else None
        if y is None:
            y = self._vector(x, self.shape[0], self._rmatvec, self.shape[1])
        self.rmatvec_count += 1
        return y

    def matmat(self, X: Any) -> np.ndarray:
        """``A X`` for X of shape (n, k): all columns at once."""
        Y = self._block(X, self.shape[1], self._matmat, self.shape[0])
        self.matmat_count += 1
        return Y

    def rmatmat(self, X: Any) -> np.ndarray:
        """``A^H X`` for X of shape (m, k): all columns at once."""
        Y = self._block(X, self.shape[0], self._rmatmat, self.shape[1])
        self.rmatmat_count += 1
        return Y

    def _vector(self, x: Any, n: int, function: Callable[[np.ndarray], Any], m: int) -> np.ndarray:
        x = plain(x, type(self).__name__)
        if x.shape == (n,):
            y = np.asarray(function(_floating(x, self)))
            return y if y.shape == (m,) else _reshaped(y, (m,), self)
        if x.shape == (n, 1):
            return _reshaped(np.asarray(function(_floating(x, self).reshape(-1))), (m, 1), self)
        raise _core.ShapeError(f"{type(self).__name__} of shape {self.shape}: expected ({n},) or ({n}, 1), got {x.shape}; "
                               "reshape it or check whether you meant the adjoint")

    def _block(self, X: Any, n: int, function: Callable[[np.ndarray], Any], m: int) -> np.ndarray:
        X = X.toarray() if scipy.sparse.issparse(X) else plain(X, type(self).__name__)
        if X.ndim != 2 or X.shape[0] != n:
            raise _core.ShapeError(f"{type(self).__name__} of shape {self.shape}: expected ({n}, k), got {X.shape}; "
                                   "reshape it or check whether you meant the adjoint")
        return _reshaped(np.asarray(function(_floating(X, self))), (m, X.shape[1]), self)

    def reset_count(self) -> None:
        """Set the four counters to zero."""
        self.matvec_count = self.rmatvec_count = self.matmat_count = self.rmatmat_count = 0

    def dot(self, x: Any) -> Any:
        """``A @ x``: apply to an array, compose with an operator, scale by a number."""
        if isinstance(x, np.ndarray) and x.ndim > 0:
            return self._array(x)
        if np.ndim(x) == 0 and _is_number(x):
            return self._scaled(x)
        if hasattr(x, "matvec"):
            other = aslinearoperator(x)
            return _composed(("product",), (self, other), np.result_type(self.dtype, other.dtype),
                             other.dims, self.dimsd, _flat(self, other))
        if scipy.sparse.issparse(x):
            return self._array(x.toarray())
        if hasattr(x, "__dlpack__") or hasattr(x, "__array__"):
            from .array_like import applied
            return applied(self, x)
        x = np.asarray(x)
        if x.dtype.kind not in "biufc":
            raise _core.InvalidArgument(f"{type(self).__name__}: expected an array of numbers, an operator or a number as factor, got {x!r}")
        return self._array(x)

    def _fit(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """For an input of this shape: the shape to apply to, flat or columns, and the shape of the result."""
        (m, n), dims, dimsd = self.shape, self.dims, self.dimsd
        nd = get_ndarray_multiplication()
        if not nd and (len(shape) > 2 or (len(shape) == 2 and shape[0] != n)):
            raise _core.ShapeError(f"{type(self).__name__}: Operator can only be applied to 1D vectors or 2D matrices: expected ({n},) or ({n}, k), "
                                   f"got {shape}; set_ndarray_multiplication(True) allows more")
        if self._forceflat or not nd:
            dimsd = (m,)
        if shape == dims:
            return (n,), dimsd
        if len(shape) > 1 and shape[:-1] == dims:
            return (n, shape[-1]), (*dimsd, shape[-1])
        if shape == (n,):
            return (n,), (m,)
        if shape[:1] == (n,) and (len(shape) == 2 or self.pixelwise):
            return (n, _size(shape[1:])), (m, *shape[1:])
        cube = "" if len(dims) == 1 else f", {dims} or ({', '.join(map(str, dims))}, k)"
        raise _core.ShapeError(f"{type(self).__name__} of shape {self.shape}: expected an array of shape ({n},) or ({n}, k){cube}, got {shape}; "
                               "reshape it or check the order of the factors")

    def _array(self, x: np.ndarray) -> np.ndarray:
        given, result = self._fit(x.shape)
        x = x if x.shape == given else x.reshape(given)
        y = self.matvec(x) if len(given) == 1 else self.matmat(x)
        return y if y.shape == result else y.reshape(result)

    def __matmul__(self, x: Any) -> Any:
        quick = self._quick
        if quick is not None and type(x) is np.ndarray and x.ndim < 3:
            y = quick(x)
            if y is not None:
                if x.ndim == 1:
                    self.matvec_count += 1
                else:
                    self.matmat_count += 1
                return y
        if _is_number(x):
            raise ValueError("A @ x: expected an array or an operator, got a number; use * for scaling")
        return self.dot(x)

    def __mul__(self, x: Any) -> Any:
        return self.dot(x)

    def __rmatmul__(self, x: Any) -> Any:
        if _is_number(x):
            raise ValueError("x @ A: expected an array or an operator, got a number; use * for scaling")
        if hasattr(x, "matvec"):
            return aslinearoperator(x).dot(self)
        from .array_like import exported, is_foreign, ndarray
        if is_foreign(x):
            return exported(self.T.dot(ndarray(x).T).T, x)
        x = x.toarray() if scipy.sparse.issparse(x) else plain(x, type(self).__name__)
        return self.T.dot(x.T).T

    def __rmul__(self, x: Any) -> Any:
        if _is_number(x):
            return self._scaled(x)
        return self.__rmatmul__(x) if isinstance(x, scipy.sparse.spmatrix) else NotImplemented

    # -- algebra -----------------------------------------------------------------------------------------------------
    def _scaled(self, factor: Any) -> LinearOperator:
        if hasattr(factor, "__dlpack__"):   # a number as an array without axes, of whatever library
            from .array_like import ndarray
            factor = ndarray(factor)[()]
        dtype = self.dtype if np.isrealobj(factor) else np.result_type(self.dtype, np.complex64)
        return _composed(("scaled", complex(factor)), (self,), dtype, self.dims, self.dimsd, self.forceflat)

    def _added(self, other: Any, how: str, swapped: bool = False) -> Any:
        if np.ndim(other) == 0 and not hasattr(other, "matvec") and not scipy.sparse.issparse(other):
            return NotImplemented
        other = aslinearoperator(other)
        dims = other.dims if len(self.dims) == 1 else self.dims
        dimsd = other.dimsd if len(self.dimsd) == 1 else self.dimsd
        dtype = np.result_type(self.dtype, other.dtype)
        return _composed((how,), (other, self) if swapped else (self, other), dtype, dims, dimsd, _flat(self, other))

    def __add__(self, other: Any) -> Any:
        return self._added(other, "sum")

    def __radd__(self, other: Any) -> Any:
        return self._added(other, "sum", True)

    def __sub__(self, other: Any) -> Any:
        return self._added(other, "difference")

    def __rsub__(self, other: Any) -> Any:
        return self._added(other, "difference", True)

    def __neg__(self) -> LinearOperator:
        return self._scaled(-1)

    def __pow__(self, p: int) -> Any:
        if not isinstance(p, (int, np.integer)):
            return NotImplemented
        if p == 0 and self.shape[0] == self.shape[1]:
            identity = scipy.sparse.identity(self.shape[0], format="csr")
            if self.pixelwise:
                from .pattern import Pattern
                return Pattern(identity, dtype=self.dtype)
            return LinearOperator(aslinearoperator(identity), dtype=self.dtype, dims=self.dims, dimsd=self.dimsd, forceflat=self.forceflat)
        return _composed(("power", int(p)), (self,), self.dtype, self.dims, self.dimsd, self.forceflat)

    def over(self, grid: int | Sequence[int]) -> LinearOperator:
        """A pixelwise operator (m, n) as a scene operator from fields (n, *grid) to fields (m, *grid)."""
        return _composed(("over", shape_of(grid, "over")), (self,), self.dtype, None, None, self.forceflat)

    def apply_columns(self, cols: Sequence[int]) -> LinearOperator:
        """The operator of some columns."""
        chosen = np.asarray(cols)
        if self.explicit and hasattr(self, "A"):
            return aslinearoperator((self.A.tocsc() if scipy.sparse.issparse(self.A) else self.A)[:, chosen])
        if self.pixelwise:
            from .pattern import Pattern
            return self @ Pattern(scipy.sparse.identity(self.shape[1], format="csc")[:, chosen])
        return self @ aslinearoperator(scipy.sparse.identity(self.shape[1], format="csc")[:, chosen])

    def toreal(self, forw: bool = True, adj: bool = True) -> LinearOperator:
        """The real part of what the operator (`forw`) and its adjoint (`adj`) give."""
        return _Part(self, np.real if forw else None, np.real if adj else None)

    def toimag(self, forw: bool = True, adj: bool = True) -> LinearOperator:
        """The imaginary part of what the operator gives (`forw`), and its negative for the adjoint (`adj`)."""
        return _Part(self, np.imag if forw else None, _minus_imag if adj else None)

    # -- the matrix and its numbers ----------------------------------------------------------------------------------
    def describe(self, latex: bool = False) -> str:
        """The formula with shapes, units and names of parameters, as text or as LaTeX."""
        return self._node().describe(latex)

    def _one_matrix(self) -> None:
        if self.pixels > 1:
            raise _core.InvalidArgument(f"expected an operator without fields, got one with fields of {self.pixels} pixels, each of which has a "
                                        "matrix of its own; use over(grid) for all of them")

    def todense(self, backend: str = "numpy") -> np.ndarray:
        """The matrix, as an array of shape `shape` and type `dtype`, float64 for integer labels."""
        if backend != "numpy":
            raise _core.InvalidArgument(f"todense: expected backend 'numpy', got {backend!r}")
        if self.explicit and isinstance(getattr(self, "A", None), np.ndarray):
            return np.array(self.A)
        self._one_matrix()
        if self.shape[0] < self.shape[1] and self.clinear:
            return self.rmatmat(np.eye(self.shape[0], dtype=_label(self.dtype))).conj().T
        return self.matmat(np.eye(self.shape[1], dtype=_label(self.dtype)))

    def tosparse(self) -> scipy.sparse.csr_matrix:
        """The matrix, sparse (CSR), of type `dtype`, float64 for integer labels."""
        self._one_matrix()
        dtype = _label(self.dtype)
        if self.pixelwise and self.pixels == 0:
            entries = self._node().lower()
            return scipy.sparse.csr_matrix((entries["coefficient"].astype(dtype), (entries["row"], entries["column"])), shape=self.shape)
        n, parts = self.shape[1], []
        for first in range(0, n, 256):   # not the whole dense matrix at once
            parts.append(scipy.sparse.csr_matrix(self.matmat(np.eye(n, min(256, n - first), -first, dtype=dtype))))
        return scipy.sparse.hstack(parts, format="csr", dtype=dtype) if parts else scipy.sparse.csr_matrix(self.shape, dtype=dtype)

    def eigs(self, neigs: int | None = None, symmetric: bool = False, niter: int | None = None, uselobpcg: bool = False,
             **kwargs_eig: Any) -> np.ndarray:
        """Eigenvalues, descending; of a rectangular operator the square roots of those of ``A^H A``.

        Parameters
        ----------
        neigs : int, optional
            How many, largest magnitude first. Default: all, from the dense matrix.
        symmetric : bool
            The operator is its own adjoint.
        niter : int, optional
            Iterations.
        uselobpcg : bool
            `scipy.sparse.linalg.lobpcg` instead of ARPACK, for symmetric or rectangular operators.
        **kwargs_eig
            For `scipy.sparse.linalg.eigs`, ``eigsh`` or ``lobpcg``.
        """
        m, n = self.shape
        square = m == n
        if uselobpcg and square and not symmetric and self.dtype.kind == "c":
            raise ValueError("eigs: expected uselobpcg only for symmetric or rectangular complex operators; leave it out")
        if neigs is None or neigs >= n - 1:
            matrix = self.todense()
            if square:
                values = np.linalg.eigvalsh(matrix) if symmetric else np.linalg.eigvals(matrix)
            else:
                values = np.zeros(n)
                values[:min(m, n)] = scipy.linalg.svdvals(matrix)
            return -np.sort(-values)[:neigs]
        operator = self if square else self.H @ self
        if uselobpcg:
            start = np.random.default_rng(0).standard_normal((n, neigs)).astype(_label(self.dtype))
            values = sparse_linalg.lobpcg(operator, X=start, maxiter=niter, **kwargs_eig)[0]
        elif symmetric or not square:
            values = sparse_linalg.eigsh(operator, k=neigs, maxiter=niter, return_eigenvectors=False, **kwargs_eig)
        else:
            values = sparse_linalg.eigs(operator, k=neigs, maxiter=niter, return_eigenvectors=False, **kwargs_eig)
        return -np.sort(-(values if square else np.sqrt(np.maximum(values, 0))))

    def cond(self, uselobpcg: bool = False, **kwargs_eig: Any) -> float:
        """The condition number: the ratio of the largest and the smallest singular value, inf where the operator is singular.

        From the dense matrix up to 2048 rows or columns. Above, from the extreme eigenvalues of the smaller of ``A^H A`` and ``A A^H``: then inf
        from about 1e7 (float64) on, which that product cannot tell from singular.
        """
        small = min(self.shape)
        if small <= DENSE:
            values = scipy.linalg.svdvals(self.todense())
            floor = max(self.shape) * np.finfo(values.dtype).eps * values[0]
            return float(values[0] / values[-1]) if values[-1] > floor else np.inf
        gram = self.H @ self if self.shape[1] == small else self @ self.H
        options = {"uselobpcg": uselobpcg, **({"largest": True} if uselobpcg else {"which": "LA"}), **kwargs_eig}
        largest = gram.eigs(1, symmetric=True, **options).item()
        # The smallest is the largest of what is missing to a multiple of the identity: ARPACK may pass over a zero, but not over that.
        smallest = largest - (largest * gram**0 - gram).eigs(1, symmetric=True, **options).item()
        return float(np.sqrt(largest / smallest)) if smallest > small * np.finfo(_label(self.dtype)).eps * largest else np.inf

    def trace(self, neval: int | None = None, method: str | None = None, backend: str = "numpy", **kwargs_trace: Any) -> float:
        """The trace, or an estimate of it.

        Parameters
        ----------
        neval : int, optional
            Products with the operator that an estimate may cost.
        method : {"explicit", "hutchinson", "hutch++", "na-hutch++"}, optional
            Default: "explicit" (exact) where the matrix is held or the operator is pixelwise, else "hutch++".
        backend : {"numpy"}
        **kwargs_trace
            For the functions of `lopsar.utils.estimators`.
        """
        if self.shape[0] != self.shape[1]:
            raise _core.ShapeError(f"trace: expected a square operator, got {self.shape}")
        method = (method or ("explicit" if self.explicit or self.pixelwise else "hutch++")).lower()
        if method == "explicit":
            return (self.A if self.explicit and hasattr(self, "A") else self.tosparse()).trace()
        from .utils import estimators
        functions: dict[str, Callable[..., float]] = {"hutchinson": estimators.trace_hutchinson, "hutch++": estimators.trace_hutchpp,
                                                      "na-hutch++": estimators.trace_nahutchpp}
        if method not in functions:
            raise NotImplementedError(f"trace: expected method 'explicit', 'hutchinson', 'hutch++' or 'na-hutch++', got {method!r}")
        return functions[method](self, neval=neval, backend=backend, **kwargs_trace)

    def div(self, y: Any, niter: int = 100, densesolver: str = "scipy") -> np.ndarray:
        """The least-squares solution x of ``A x = y``, also written ``A / y``.

        Parameters
        ----------
        y : (m,) or dimsd
        niter : int
            Iterations of `scipy.sparse.linalg.lsqr`, where the matrix is not held.
        densesolver : {"scipy", "numpy"}
            Whose dense solver, where the matrix is held.
        """
        y = plain(y, f"{type(self).__name__} / y")
        data = y.reshape(-1)
        matrix = getattr(self, "A", None) if self.explicit else None
        if matrix is None:
            x = sparse_linalg.lsqr(self, data, iter_lim=niter, atol=1e-8, btol=1e-8)[0]
        elif scipy.sparse.issparse(matrix):
            square = matrix.shape[0] == matrix.shape[1]
            x = sparse_linalg.spsolve(matrix.tocsc(), data) if square else sparse_linalg.lsqr(matrix, data, iter_lim=niter)[0]
        elif matrix.shape[0] == matrix.shape[1]:
            x = (np.linalg.solve if densesolver == "numpy" else scipy.linalg.solve)(matrix, data)
        else:
            x = scipy.linalg.lstsq(matrix, data)[0] if densesolver == "scipy" else np.linalg.lstsq(matrix, data, rcond=None)[0]
        return x.reshape(self.dims) if y.ndim > 1 and not self.forceflat else x

    def __truediv__(self, y: Any) -> Any:
        return self._scaled(1 / y) if _is_number(y) else self.div(y)

    def __repr__(self) -> str:
        return f"<{self.shape[0]}x{self.shape[1]} {type(self).__name__} with dtype={self.dtype}>"


def _minus_imag(x: Any) -> Any:
    return -np.imag(x)


class _Part(LinearOperator):
    """A part of what an operator and its adjoint give."""

    def __init__(self, Op: LinearOperator, forward: Callable[[Any], Any] | None, backward: Callable[[Any], Any] | None) -> None:
        super().__init__(Op, dtype=np.zeros(0, Op.dtype).real.dtype, clinear=False, explicit=False)
        self._forward, self._backward = forward, backward

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        y = self.Op.matvec(x)
        return self._forward(y) if self._forward else y

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        y = self.Op.rmatvec(x)
        return self._backward(y) if self._backward else y


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, complex, np.number)) or (hasattr(x, "__dlpack__") and x.ndim == 0 and getattr(x.dtype, "kind", "f") in "biufc")


def _floating(x: np.ndarray, op: LinearOperator) -> np.ndarray:
    """Integers become float64, foreign bytes native ones; float16, which has too few digits for anything here, is refused."""
    dtype = x.dtype
    if dtype.char in "fdFD" and dtype.isnative:
        return x
    if dtype.kind in "iub":
        return x.astype(np.float64)
    if dtype == np.float16:
        raise _core.InvalidArgument(f"{type(op).__name__}: expected float32, float64 or their complex numbers, got float16; convert it")
    if dtype.kind not in "fc":
        raise _core.InvalidArgument(f"{type(op).__name__}: expected an array of numbers, got {dtype}; convert it")
    return x if dtype.isnative else x.astype(dtype.newbyteorder("="))


def _reshaped(y: np.ndarray, shape: tuple[int, ...], op: LinearOperator) -> np.ndarray:
    if y.size != _size(shape):
        raise _core.ShapeError(f"{type(op).__name__}: expected its methods to return {shape}, got {y.shape}")
    return y.reshape(shape)


def _flat(*operands: LinearOperator) -> bool | None:
    given = {op.forceflat for op in operands} - {None}
    if len(given) > 1:
        raise _core.InvalidArgument("Operators have conflicting forceflat: expected the same, got True and False; set it on one of them")
    return given.pop() if given else None


def _composed(how: tuple[Any, ...], operands: tuple[LinearOperator, ...], dtype: Any, dims: tuple[int, ...] | None,
              dimsd: tuple[int, ...] | None, forceflat: bool | None) -> LinearOperator:
    """What the core makes of the operands. The dims are those of the operands unless the core lifts one of them to a grid."""
    nodes = [o._node() for o in operands]
    native = getattr(nodes[0], how[0])(*how[1:]) if len(nodes) == 1 else getattr(_core, how[0])(*nodes)
    rows, columns = native.shape
    fit = dims is not None and dimsd is not None and _size(dims) == columns and _size(dimsd) == rows
    op = LinearOperator(native, dtype=dtype, dims=dims if fit else None, dimsd=dimsd if fit else None, forceflat=forceflat,
                        clinear=all(o.clinear for o in operands))
    op._operands, op._composition, op._alike = operands, how, how[0] in ("sum", "difference")
    return op


def aslinearoperator(Op: Any) -> LinearOperator:
    """`Op` as a `LinearOperator`: itself, a wrapped operator of SciPy or PyLops, or a wrapped matrix."""
    if isinstance(Op, LinearOperator):
        return Op
    if hasattr(Op, "matvec"):
        return LinearOperator(Op)
    from .matrix import MatrixMult
    matrix = Op if scipy.sparse.issparse(Op) else np.atleast_2d(plain(Op, "aslinearoperator"))
    if matrix.dtype.kind not in "biufc":
        raise _core.InvalidArgument(f"expected an operator or a matrix of numbers, got {Op!r}")
    return MatrixMult(matrix, dtype=_label(matrix.dtype))


def dottest(Op: Any, nr: int | None = None, nc: int | None = None, rtol: float = 1e-6, atol: float = 1e-21, complexflag: int = 0,
            raiseerror: bool = True, verb: bool = False, backend: str = "numpy", *, seed: int | None = None) -> bool:
    r"""Whether forward and adjoint belong together.

    Passes if :math:`|\langle A u, v\rangle - \langle u, A^H v\rangle| \le` `rtol` :math:`(\|A u\| \|v\| + \|u\| \|A^H v\|)` `+ atol`
    for random u and v in the precision of `Op`'s dtype, over all pixels of its fields. Unlike a bound relative to the inner product
    itself, this one cannot fail because the product happens to be small.

    Parameters
    ----------
    Op : operator with matvec and rmatvec
    nr, nc : int, optional
        Expected rows and columns; another shape is an AssertionError.
    complexflag : int
        0 real, 1 complex model, 2 complex data, 3 both.
    raiseerror : bool
        Raise AssertionError instead of returning False.
    verb : bool
        Print both inner products.
    backend : {"numpy"}
    seed : int, optional
    """
    rows, columns = Op.shape
    if (nr, nc) != (None, None) and (nr or rows, nc or columns) != (rows, columns):
        raise AssertionError(f"dottest: expected an operator of shape {(nr, nc)}, got {(rows, columns)}")
    if getattr(Op, "pixels", 0) > 1:   # fields: all pixels at once
        Op = Op.over(Op.pixels)
        rows, columns = Op.shape
    rng = np.random.default_rng(seed)
    precision = np.zeros(0, _label(getattr(Op, "dtype", None) or np.float64)).real.dtype
    u, v = rng.standard_normal(columns).astype(precision), rng.standard_normal(rows).astype(precision)
    if complexflag in (1, 3):
        u = u + np.array(1j, np.result_type(precision, np.complex64)) * rng.standard_normal(columns).astype(precision)
    if complexflag in (2, 3):
        v = v + np.array(1j, np.result_type(precision, np.complex64)) * rng.standard_normal(rows).astype(precision)
    forward, adjoint = Op.matvec(u), Op.rmatvec(v)
    left, right = np.vdot(forward, v), np.vdot(u, adjoint)
    if not getattr(Op, "clinear", True):   # only the real scalar product belongs to a map that is linear for real factors
        left, right = left.real, right.real
    scale = np.linalg.norm(forward) * np.linalg.norm(v) + np.linalg.norm(u) * np.linalg.norm(adjoint)
    passed = bool(abs(left - right) <= rtol * scale + atol)
    if verb:
        print(f"Dot test {'passed' if passed else 'failed'}, v^H(Opu)={left} - u^H(Op^Hv)={right}")
    if not passed and raiseerror:
        raise AssertionError(f"Dot test failed, v^H(Opu)={left} - u^H(Op^Hv)={right}")
    return passed
