"""A solver as an operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from .array_like import arranged, axis, is_labelled, on_grid
from .identifiability import warn
from .linear_operator import LinearOperator
from .solve import pixelwise, prior_list, rows_of

__all__ = ["NormalSolve", "Solve"]


class Solve(LinearOperator):
    r"""The weighted least-squares solution at every pixel: :math:`x = N^{-1} A^T W y`, :math:`N = A^T W A + \sum_i R_i^T W_i R_i + \mathrm{damp}^2`.

    Parameters
    ----------
    model : pixelwise operator or matrix, (K, n)
    weights : number, (K,), (K, pixels) or (K, ...), optional; axes may be 1
        Inverse variances; 0 or NaN is missing. Those of pixels are not copied: they must not change. To those of a DataArray the pixels of another
        DataArray are aligned by the names of their axes; its coordinates must be the same.
    method : {"auto", "cholesky"}
    prior : Prior, operator, or list of these, optional
        Their data must be 0, as an operator is linear.
    damp : float
    arithmetic : {"auto", "float32", "float64"}
        Precision of the elimination; "auto" is float64.
    dtype, name
        As for `LinearOperator`.

    Attributes
    ----------
    shape : (n, K)
        Its adjoint is :math:`W A N^{-1}`.
    normal : LinearOperator, (n, n)
        :math:`b \mapsto N^{-1} b`, symmetric: the covariance of x where weights are inverse variances, and a preconditioner, e.g. ``M`` of
        `scipy.sparse.linalg.cg`, lifted by ``.over(grid)``.

    Raises
    ------
    InvalidArgument
        A scene or complex operator, another method, a prior with data. ``tosparse``: the matrix is nowhere formed; ``todense`` applies the operator
        to the identity.
    ShapeError
        Weights or priors that do not fit.

    Notes
    -----
    Unlike `solve` it is linear: unknowns that nothing determines are 0 instead of NaN, and move nothing, so that `normal` is a symmetric generalized
    inverse; NaN would spoil any iteration. Look at ``solve(...).status`` for what is undetermined. A NaN in y counts as a missing observation of
    that one application; observations that are always missing have weight 0. Each pixel is factored anew at every application: factors of all pixels
    would take longer to read.

    Examples
    --------
    >>> S = lopsar.Solve(A, weights)                # doctest: +SKIP
    >>> x = S @ y                                   # as lopsar.solve(A, y, weights, "cholesky").x          # doctest: +SKIP
    >>> residual = y - A @ S @ y                    # the projector is an operator too                      # doctest: +SKIP
    >>> M = S.normal.over(grid)                     # a preconditioner of a scene problem                   # doctest: +SKIP
    """

    def __init__(self, model: Any, weights: Any = None, method: str = "auto", prior: Any = None, damp: float = 0.0, *, arithmetic: str = "auto",
                 dtype: Any = "float64", name: str = "Solve", _fit: bool = False,
                 _warn: bool = True) -> None:
        op = pixelwise(model, "Solve")
        w, priors = self._field(op, weights, "Solve: weights"), []
        for i, p in enumerate(prior_list(prior)):
            if p.data is not None and np.any(np.asarray(p.data)):
                raise _core.InvalidArgument(f"Solve: prior {i}: expected data 0, as an operator is linear, got others; solve() takes them")
            rows = pixelwise(p.op, "Solve")
            priors.append((rows._node(), self._field(rows, p.weights, f"Solve: prior {i}, weights")))
        native, self._normal = _core.solve_operator(op._node(), w, method, priors, float(damp), arithmetic, _fit)
        if _warn and not damp:
            warn(op, prior)
        super().__init__(native, dtype=dtype, name=name)
        side = axis(op, "dims")[:2]
        self._axes = {"dims": axis(op, "dimsd")[:2], "dimsd": side}

    def _field(self, op: LinearOperator, values: Any, name: str) -> np.ndarray | None:
        """Weights per row (rows, 1), or per row and pixel (rows, pixels); of a DataArray with axes of pixels these are kept in mind."""
        if is_labelled(values):
            values = arranged(op.H, values, name)
            if values.size > values.shape[0]:   # else those of all pixels
                values = on_grid(self, values, name)
                self._grid = values.dims[1:], {d: values.coords[d] for d in values.dims[1:] if d in values.coords}
            values = values.values
        return None if values is None else rows_of(values, op.shape[0], None, None, name)

    @property
    def normal(self) -> LinearOperator:
        """:math:`b \\mapsto N^{-1} b`."""
        return NormalSolve(self)


class NormalSolve(LinearOperator):
    """:math:`b \\mapsto N^{-1} b` of a `Solve`, shape (n, n): what ``Solve(...).normal`` is.

    Parameters
    ----------
    solve : Solve
    """

    def __init__(self, solve: Solve) -> None:
        super().__init__(solve._normal, dtype=solve.dtype, name="NormalSolve")
        self._operands = (solve,)
        self._axes = {"dims": solve._axes["dimsd"], "dimsd": solve._axes["dimsd"]}

    def _adjoint(self) -> LinearOperator:
        return self
