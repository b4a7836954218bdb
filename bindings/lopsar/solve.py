"""Weighted least squares for every pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import scipy.sparse

from . import _core
from .array_like import arranged, arrangement, exported, is_foreign, is_labelled, ndarray, relabelled
from .arrays import SIZE, at_least_one, columns, floating, in_precision, number, plain
from .diagonal import Diagonal
from .identifiability import names, warn
from .linear_operator import LinearOperator, aslinearoperator
from .matrix import MatrixMult

__all__ = ["Preconditioner", "Prior", "Solution", "solve"]

_NULL_SPACE = {None: _core.NullSpace.none, "min-norm-velocity": _core.NullSpace.minimum_norm_velocity,
               "min-norm-phase": _core.NullSpace.minimum_norm_phase}
DIFFERENTIATE = "lopsar.torch.solve(A, y, weights), which has gradients"
_DIRECT = ("auto", "edge-flow", "cholesky", "qr")


@dataclass(frozen=True)
class Prior:
    r"""Rows that are no observations: :math:`+ |W^{1/2} (R x - r)|^2`, e.g. smoothness, or what is known of a parameter.

    Attributes
    ----------
    op : pixelwise operator or matrix (rows, n)
        R, with the columns of the model.
    data : number, (rows,), (rows, 1) or (rows, ...) after the pixels of y, optional
        r, in the unit of R x. By default 0; NaN: no such row.
    weights : likewise, optional
        Inverse variances. By default 1.

    Examples
    --------
    Smooth velocities, and a DEM error of 0 +- 10 m as the last of n parameters:

    >>> lopsar.Prior(lopsar.TimeDifference(A, 2), weights=1e-3)              # doctest: +SKIP
    >>> lopsar.Prior(np.eye(n)[-1:], weights=1 / 10**2)                      # doctest: +SKIP
    """

    op: Any
    data: Any = None
    weights: Any = None


@dataclass(frozen=True)
class Preconditioner:
    """An approximation to the inverse of the normal matrix, for the iterative methods: one of the functions below, or a text that `solve` takes.

    ===============================  ================================================================
    ``Preconditioner.jacobi()``      its diagonal
    ``Preconditioner.blocks(...)``   its diagonal blocks
    ``Preconditioner.direct(...)``   the normal matrix of another model, factored at every pixel
    ===============================  ================================================================
    """

    kind: str
    labels: tuple[int, ...] = ()
    model: Any = None
    weights: Any = None
    prior: Any = None

    @staticmethod
    def jacobi() -> Preconditioner:
        """The diagonal of the normal matrix."""
        return Preconditioner("diagonal")

    @staticmethod
    def blocks(labels: Sequence[int]) -> Preconditioner:
        """Unknowns with equal labels (n integers) belong together; what couples others is left out."""
        return Preconditioner("blocks", tuple(int(label) for label in labels))

    @staticmethod
    def direct(model: Any, weights: Any = None, prior: Any = None) -> Preconditioner:
        """The direct solve of another pixelwise model with the same unknowns, whose weights and priors are its own."""
        return Preconditioner("direct", (), model, weights, prior)


@dataclass
class Solution:
    """What `solve` found. Arrays are of the kind of y: NumPy, xarray with the labels of the model, or DLPack; ``...`` is the shape of y after its
    first axis.

    Attributes
    ----------
    x : (n, ...)
        Unknowns; NaN where nothing determines them.
    status : (...) uint8
        Numbers of `lopsar.Status`.
    rank : (...) int32
        Rank of the weighted matrix with its priors; iterative methods count the unknowns that a row touches, at most the rows.
    valid : (...) int32
        Observations used.
    iterations : (...) int32
        0 of a direct method.
    residual_norm : (...)
        :math:`|W^{1/2}(A x - y)|` of the observations.
    method : str
        That ran.
    arithmetic : {"float32", "float64"}
        That it computed in.
    history : (iterations + 1, ...) or None
        Norm of the residual (with priors and damping) after each iteration, NaN after the last.
    variances : (n, ...) or None
        Estimates, from below but for rounding, of the diagonal of :math:`(A^T W A + \\ldots)^{-1}`.
    parameters : list of (name, unit)
        What the rows of x are; empty where nobody said. Units are those of the model.
    """

    x: Any
    status: Any
    rank: Any
    valid: Any
    iterations: Any
    residual_norm: Any
    method: str
    arithmetic: str = "float64"
    history: Any = None
    variances: Any = None
    parameters: Sequence[tuple[str, str]] = ()


def pixelwise(A: Any, who: str) -> LinearOperator:
    """`A` as a real pixelwise operator."""
    op = aslinearoperator(A)
    if op.shape[1] == 0:
        raise _core.InvalidArgument(f"{who}: expected a model of 1 or more unknowns (columns), got shape {op.shape}")
    if not op.pixelwise:
        matrix = _not_finite(op)
        if matrix is not None:
            raise _core.InvalidArgument(f"{who}: expected a matrix of finite numbers, got NaN or infinity in {matrix!r}; what is missing is NaN in "
                                        "the data, or has weight 0")
        raise _core.InvalidArgument(f"{who}: expected an operator that maps each pixel on its own, got {op!r}, which couples pixels; "
                                    "the solvers of lopsar.optimization take any operator")
    if op.dtype.kind == "c":
        raise _core.InvalidArgument(f"{who}: expected a real operator, got {op!r}")
    return op


def _not_finite(op: Any) -> Any:
    """The matrix with NaN or infinity among the parts of an operator, or None: only finite ones are pixelwise."""
    matrix = op.A if isinstance(op, MatrixMult) else op.diag if isinstance(op, Diagonal) else None
    if matrix is not None:
        return None if np.isfinite(matrix.data if scipy.sparse.issparse(matrix) else matrix).all() else op
    parts = (*getattr(op, "_operands", ()), *getattr(op, "ops", ()))
    return next((found for found in map(_not_finite, parts) if found is not None), None)


def rows_of(values: Any, rows: int, tail: tuple[int, ...] | None, dtype: Any, name: str) -> np.ndarray:
    """Values per row, or per row and pixel, as an array (rows, 1) or (rows, pixels), in their own precision where `dtype` is None.

    They are a number, (rows,), (rows, 1), or broadcastable to (rows, \\*tail); any tail will do where it is None.
    """
    given = plain(ndarray(values, name, DIFFERENTIATE), name)
    if given.dtype.kind not in "biuf":
        raise _core.InvalidArgument(f"{name}: expected real numbers, got {given.dtype}; convert them")
    v = floating(given, name) if dtype is None else given.astype(dtype, copy=False)
    if tail is None:
        tail = v.shape[1:]
    if v.ndim < 2 or v.shape[1:] == (1,):
        v = v.reshape(-1, *[1] * len(tail))
    if v.ndim != 1 + len(tail) or v.shape[0] not in (1, rows) or any(n not in (1, m) for n, m in zip(v.shape[1:], tail)):
        raise _core.ShapeError(f"{name}: expected shape {(rows, *tail)} or ({rows},), got {given.shape}")
    if v.size == v.shape[0]:   # the same at every pixel
        return np.ascontiguousarray(np.broadcast_to(v.reshape(v.shape[0], 1), (rows, 1)))
    return columns(np.broadcast_to(v, (rows, *tail)))


def priors_of(prior: Any, n: int, tail: tuple[int, ...], dtype: Any, who: str) -> list[tuple[Any, Any, Any]]:
    """What the core takes for a prior, an operator, or a sequence of them."""
    made = []
    for i, p in enumerate(prior_list(prior)):
        op, name = pixelwise(p.op, who), f"{who}: prior {i}"
        if op.shape[1] != n:
            raise _core.ShapeError(f"{name}: expected {n} columns, as the model has, got shape {op.shape}")
        data, weights = (None if v is None else rows_of(v, op.shape[0], tail, dtype, f"{name}, {what}")
                         for what, v in (("data", p.data), ("weights", p.weights)))
        made.append((op._node(), data, weights))
    return made


def prior_list(prior: Any) -> list[Prior]:
    """None, a prior, an operator, or a sequence of them as a list of priors."""
    if prior is None:
        return []
    several = prior if isinstance(prior, (list, tuple)) else [prior]
    return [replace(p, op=aslinearoperator(p.op)) if isinstance(p, Prior) else Prior(aslinearoperator(p)) for p in several]


def chosen_preconditioner(given: Any, op: LinearOperator, prior: Any) -> Preconditioner | None:
    """What `solve` takes for a preconditioner as one, or None."""
    if isinstance(given, str) and given == "auto":
        given = None if type(op).__name__ == "Network" and not prior_list(prior) else Preconditioner.jacobi()
    if isinstance(given, str) and given == "jacobi":
        given = Preconditioner.jacobi()
    if given is not None and not (isinstance(given, Preconditioner) and given.kind in ("diagonal", "blocks", "direct")):
        raise _core.InvalidArgument(f"solve: expected preconditioner 'auto', 'jacobi', None or one of lopsar.Preconditioner, got {given!r}")
    return given


def _preconditioner(given: Any, op: LinearOperator, prior: Any, tail: tuple[int, ...], dtype: Any) -> tuple[Any, ...] | None:
    n, given = op.shape[1], chosen_preconditioner(given, op, prior)
    if given is None:
        return None
    if given.kind == "blocks":
        if len(given.labels) != n:
            raise _core.ShapeError(f"solve: expected a block label for each of {n} unknowns, got {len(given.labels)}")
        return given.kind, list(given.labels)
    if given.kind == "direct":
        model = pixelwise(given.model, "solve: preconditioner")
        if model.shape[1] != n:
            raise _core.ShapeError(f"solve: preconditioner: expected a model with {n} columns, got shape {model.shape}")
        weights = None if given.weights is None else rows_of(given.weights, model.shape[0], tail, dtype, "solve: weights of the preconditioner")
        return given.kind, model._node(), weights, priors_of(given.prior, n, tail, dtype, "solve: preconditioner")
    return (given.kind,)


def solve(A: Any, y: Any, weights: Any = None, method: str = "auto", *, null_space: str | None = None, prior: Any = None, x0: Any = None,
          damp: float = 0.0, tol: float = 1e-6, atol: float | None = None, btol: float | None = None, conlim: float = 1e8,
          max_iterations: int | None = None, preconditioner: Any = "auto", callback: Callable[[int, int], Any] | None = None,
          history: bool = False, variances: bool = False, arithmetic: str = "auto", dtype: Any = None, threads: int | None = None,
          chunk_size: int | None = None) -> Solution:
    r"""Minimize :math:`|W^{1/2}(A x - y)|^2 + \sum_i |W_i^{1/2}(R_i x - r_i)|^2 + \mathrm{damp}^2 |x|^2` for every pixel.

    Parameters
    ----------
    A : pixelwise operator or matrix, (K, n)
        A network, a time model, any stack or product of them. Its fields must have as many pixels as y.
    y : (K,), (K, pixels) or (K, ...)
        Observations; NaN is missing. A DataArray is put into the order of the operator by its labels.
    weights : number, (K,), (K, 1) or broadcastable to y, optional
        Inverse variances (not their roots), in 1/unit of y squared; 0 or NaN is missing. Without labels beside a DataArray y they are laid out
        as y is: axes and rows in its order.
    method : {"auto", "edge-flow", "cholesky", "qr", "cg", "cgls", "lsqr"}
        "edge-flow" eliminates the dates of a network without subtraction, so that conditioning costs no accuracy; "cholesky" factors the sparse
        normal matrix; "qr" is for models too ill-conditioned for that; "cg", "cgls", "lsqr" iterate, every pixel with step lengths, a
        stop and a report of its own. "auto": edge flow for a network, else Cholesky.
    null_space : {None, "min-norm-velocity", "min-norm-phase"}
        What fills dates that no data tie to the reference (edge flow only). None: NaN and ``Status.rank_deficient``.
    prior : Prior, operator, or list of these, optional
    x0 : (n,) or (n, ...), optional
        Where an iterative method begins; 0 by default.
    damp : float
        In root inverse variance of the unknowns.
    tol : float
        `atol` and `btol` where they are not given. It bounds residuals, not errors of x: these are up to the condition number of the weighted
        model times `tol` (its square for "cg").
    atol, btol : float, optional
        Relative stops of Paige and Saunders (1982): :math:`|r| \le` `btol` :math:`|b| +` `atol` :math:`|A||x|` or
        :math:`|A^T r| \le` `atol` :math:`|A||r|`; CG knows :math:`|A^T r| \le` `atol` :math:`|A^T b|` only. With a
        preconditioner these are norms of the model with columns of length 1, whatever the units of the unknowns.
    conlim : float
        CGLS and LSQR stop as not converged where the estimated condition number gets there.
    max_iterations : int, optional
        Of iterative methods. Default: 2 n + 20. Pixels that need more are ``Status.not_converged``, x what they had.
    preconditioner : {"auto", "jacobi", None} or Preconditioner
        Of iterative methods. "auto": none for a network without priors, else "jacobi", which unknowns of different units need.
    callback : function(done, total), optional
        Called about ten times a second with numbers of pixels, and at the end. False or an exception stops the solve.
    history : bool
        Keep the residual norm of every iteration (iterative methods): (max_iterations + 1) numbers per pixel.
    variances : bool
        Estimate those of the unknowns (iterative methods); a lower bound but for rounding, which an early stop leaves too small.
    arithmetic : {"auto", "float32", "float64"}
        Precision that the solver computes in; by default what the conditioning of the model needs.
    dtype : dtype, optional
        Precision of y and x: float32 or float64. By default that of y; integers become float64.
    threads, chunk_size : int, optional
        No influence on the bits of the result.

    Returns
    -------
    Solution

    Raises
    ------
    ShapeError, InvalidArgument
        Arrays that do not fit; a scene or complex operator; a method that cannot do the model; with a direct method `x0`, `preconditioner`,
        `max_iterations`, `history` or `variances`.
    Interrupted
        The callback returned False.
    KeyboardInterrupt
        Ctrl-C.
    """
    op = pixelwise(A, "solve")
    labels = Labels(op, y, "solve")
    y, weights, x0, prior = labels.y, labels.weights(weights), labels.unknowns(x0, "x0"), labels.priors(prior)
    if callback is not None and not callable(callback):
        raise _core.InvalidArgument(f"solve: expected callback as a function(done, total) or None, got {callback!r}")
    if null_space not in _NULL_SPACE:
        raise _core.InvalidArgument(f"solve: expected null_space None, 'min-norm-velocity' or 'min-norm-phase', got {null_space!r}")
    if method in _DIRECT:
        _refuse_iterative(method, history=history, variances=variances, x0=x0 is not None, max_iterations=max_iterations is not None,
                          preconditioner=not (preconditioner is None or isinstance(preconditioner, str) and preconditioner == "auto"))
    foreign = y if is_foreign(y) else None
    y = in_precision(ndarray(y, "solve: y", DIFFERENTIATE) if foreign is not None else y, dtype, "y")
    options = prepared(op, y, weights, method=method, prior=prior, x0=x0, damp=damp, tol=tol, atol=atol, btol=btol, conlim=conlim,
                       max_iterations=max_iterations, preconditioner=preconditioner, arithmetic=arithmetic, threads=threads)
    options |= {"null_space": _NULL_SPACE[null_space], "chunk_size": at_least_one(chunk_size, "chunk_size", SIZE)}
    n, data, tail, limit = op.shape[1], columns(y), y.shape[1:], options["max_iterations"]
    pixels = data.shape[1]
    out = {"x": np.empty((n, pixels), y.dtype), "status": np.empty(pixels, np.uint8), "rank": np.empty(pixels, np.int32),
           "valid": np.empty(pixels, np.int32), "iterations": np.empty(pixels, np.int32), "residual_norm": np.empty(pixels, y.dtype)}
    if variances:
        out["variances"] = np.empty((n, pixels), y.dtype)
    if history:
        out["history"] = np.empty((limit + 1, pixels), y.dtype)
    if not damp:
        warn(op, prior)
    ran, precision = _core.solve(op._node(), data, out, options, callback)
    if "history" in out:
        out["history"] = out["history"][:int(out["iterations"].max(initial=0)) + 1]
    solution = Solution(**{name: values.reshape((*values.shape[:-1], *tail)) for name, values in out.items()},
                        method=ran, arithmetic=precision, parameters=names(op))
    if labels.template is not None:
        return with_labels(op, labels.template, solution)
    return _mapped(solution, lambda name, values: exported(values, foreign)) if foreign is not None else solution


def _refuse_iterative(method: str, **given: bool) -> None:
    """An error for options that a direct method would ignore."""
    asked = [name for name, value in given.items() if value]
    if asked:
        raise _core.InvalidArgument(f"solve: expected a method that iterates ('cg', 'cgls', 'lsqr') with {', '.join(asked)}, got method={method!r}; "
                                    f"choose one of these, or leave {'it' if len(asked) == 1 else 'them'} out"
                                    + ("; the diagonal of Solve(A, weights).normal has exact variances" if "variances" in asked else ""))


def prepared(op: LinearOperator, y: np.ndarray, weights: Any, *, method: str, prior: Any, x0: Any, damp: float, tol: float, atol: float | None,
             btol: float | None, conlim: float, max_iterations: int | None, preconditioner: Any, arithmetic: str,
             threads: int | None) -> dict[str, Any]:
    """Options for the core, arrays checked and laid out."""
    rows, n = op.shape
    if y.ndim == 0 or y.shape[0] != rows:
        raise _core.ShapeError(f"solve: expected y with {rows} rows, as the model has, got shape {y.shape}")
    tail = y.shape[1:]
    for name, value in (("method", method), ("arithmetic", arithmetic)):
        if not isinstance(value, str):
            raise _core.InvalidArgument(f"solve: expected {name} as a text, 'auto' or another, got {value!r}")
    stops = {name: number(value, f"solve: {name}", "0 or more", lambda v: 0 <= v < np.inf)
             for name, value in (("atol", tol if atol is None else atol), ("btol", tol if btol is None else btol))}
    options = {
        "weights": None if weights is None else rows_of(weights, rows, tail, y.dtype, "solve: weights"), "method": method,
        "arithmetic": arithmetic, "priors": priors_of(prior, n, tail, y.dtype, "solve"), "damp": number(damp, "solve: damp"), **stops,
        "conlim": number(conlim, "solve: conlim", "0 or more", lambda v: v >= 0),
        "max_iterations": at_least_one(max_iterations, "max_iterations") or 2 * n + 20,
        "preconditioner": _preconditioner(preconditioner, op, prior, tail, y.dtype), "threads": at_least_one(threads, "threads"),
    }
    if x0 is not None:
        options["x0"] = columns(np.broadcast_to(rows_of(x0, n, tail, y.dtype, "solve: x0"), (n, int(np.prod(tail)))))
    return options


def _mapped(solution: Solution, change: Callable[[str, Any], Any]) -> Solution:
    """The solution with every array changed."""
    arrays = {f.name: getattr(solution, f.name) for f in fields(solution) if f.name not in ("method", "arithmetic", "parameters")}
    return replace(solution, **{name: change(name, values) for name, values in arrays.items() if values is not None})


class Labels:
    """What the labels of y say about the arrays beside it: these come without labels, in the order of the operator and on the grid of y.

    Where y is put into another order, arrays of its rows that have no labels of their own are laid out as it was, and follow it.

    Attributes
    ----------
    y : array
        Without labels.
    template : DataArray or None
        The labelled y, in the order of the operator.
    """

    def __init__(self, op: LinearOperator, y: Any, who: str) -> None:
        self._op, self._who = op, who
        self.template: Any = None
        self._place, self._order = 0, None
        self._shape: tuple[int, ...] = ()
        if is_labelled(y):
            self._shape, (self._place, self._order) = y.shape, arrangement(op.H, y, f"{who}: y")
            self.template = arranged(op.H, y, f"{who}: y")
        self.y = y if self.template is None else self.template.values

    def weights(self, of: Any, name: str = "weights") -> Any:
        """Values of observations: (K,), (K, 1) or broadcastable to y."""
        if self.template is not None and of is not None and not is_labelled(of):
            return self._following(of, name)
        return self._rows(of, name, self._op.H, str(self.template.dims[0]) if self.template is not None and self.template.dims else "row")

    def _following(self, of: Any, name: str) -> Any:
        """An array without labels, laid out as y was given, in the order of the operator."""
        place, order, rows = self._place, self._order, self._op.shape[0]
        values = plain(ndarray(of, f"{self._who}: {name}", DIFFERENTIATE), name)
        if values.ndim == 0 or (place == 0 and order is None):
            return of
        if values.ndim > 1 and not (values.shape[1:] == (1,) and values.shape[0] in (1, rows)):   # (K, 1) are those of rows in any case
            if values.ndim != len(self._shape) or any(n not in (1, m) for n, m in zip(values.shape, self._shape)):
                raise _core.ShapeError(f"{self._who}: expected {name} of shape {self._shape}, as y has, or ({rows},), got {values.shape}")
            values = np.moveaxis(values, place, 0)
        return values if order is None or values.shape[0] != rows else values[order]

    def unknowns(self, of: Any, name: str) -> Any:
        return self._rows(of, name, self._op, "parameter")

    def priors(self, prior: Any) -> list[Prior]:
        made = []
        for i, p in enumerate(prior_list(prior)):
            side = aslinearoperator(p.op).H if is_labelled(p.data) or is_labelled(p.weights) else None
            made.append(replace(p, data=self._rows(p.data, f"data of prior {i}", side, "row"),
                                weights=self._rows(p.weights, f"weights of prior {i}", side, "row")))
        return made

    def pixels(self, of: Any, name: str) -> Any:
        """Values of pixels, (...)."""
        return self._on_grid(of, name, None)[0] if is_labelled(of) else of

    def _rows(self, of: Any, name: str, side: Any, row: str) -> Any:
        """Values of rows, or of rows and pixels, (rows or 1, ...)."""
        return self._on_grid(arranged(side, of, f"{self._who}: {name}"), name, row) if is_labelled(of) else of

    def _on_grid(self, of: Any, name: str, row: str | None) -> Any:
        if self.template is None:
            return of.values if row is not None else of.values[np.newaxis]
        grid = self.template.dims[1:]
        first = of.dims[0] if row is not None and of.dims and of.dims[0] not in grid else None
        if any(d not in grid and d != first for d in of.dims):
            among = (*([row] if row is not None else []), *grid)
            raise _core.ShapeError(f"{self._who}: expected {name} with dimensions among {among}, got {of.dims}")
        for d in of.dims:
            if d in grid and d in of.coords and d in self.template.coords and not of.coords[d].equals(self.template.coords[d]):
                raise _core.InvalidArgument(f"{self._who}: expected {name} on the grid of y, got other values of {d!r}; align them first")
        of = of.transpose(*([first] if first else []), *[d for d in grid if d in of.dims])
        if len(of.dims) == 1 and first:
            return of.values
        return of.values.reshape([of.sizes[first] if first else 1, *(of.sizes[d] if d in of.dims else 1 for d in grid)])


def with_labels(op: LinearOperator, y: Any, found: Solution) -> Solution:
    """The solution with the labels of y, a DataArray in the order of the operator, and with those of the unknowns."""
    coords = {name: c for name, c in y.coords.items() if set(c.dims) <= set(y.dims[1:])}

    def label(name: str, array: Any) -> Any:
        if name in ("x", "variances"):
            made = relabelled(op.H, y, array)
            if any(unit for _, unit in op.parameters):   # each has a unit of its own
                made.attrs = {key: value for key, value in made.attrs.items() if key != "units"}
            return made.rename("solution" if name == "x" else name)
        dims = ("iteration", *y.dims[1:]) if name == "history" else y.dims[1:]
        return type(y)(array, dims=dims, coords=coords, name=name)

    return _mapped(found, label)
