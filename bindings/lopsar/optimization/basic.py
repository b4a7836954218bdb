"""CG, CGLS and LSQR on whole fields, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cls_basic import CG, CGLS, LSQR, lifted

__all__ = ["cg", "cgls", "lsqr"]


def _shaped(x: np.ndarray, op: Any, x0: Any) -> np.ndarray:
    """The solution in the shape of the model, unless flat arrays are wanted."""
    return x if op.forceflat or (x0 is not None and np.ndim(x0) == 1) else x.reshape(op.dims)


def cg(Op: Any, y: Any, x0: Any = None, niter: int = 10, damp: float = 0.0, tol: float = 1e-4, rtol: float = 0.0, rtol1: float = 0.0,
       show: bool = False, itershow: tuple[int, int, int] = (10, 10, 10), callback: Callable[[np.ndarray], Any] | None = None,
       preallocate: bool = False, *, preconditioner: Any = None) -> tuple[np.ndarray, int, np.ndarray]:
    r"""Solves :math:`(A + d I) x = y` for a Hermitian positive definite A by conjugate gradients.

    Parameters
    ----------
    Op : operator
        Of lopsar, PyLops or SciPy, square.
    y : array of (n,) or dimsd
        Data. float32 is solved in float32, everything else in float64.
    x0 : array of (n,) or dims, optional
        Initial guess.
    niter : int
        At most so many iterations.
    damp : float
        d.
    tol : float
        Stops at :math:`|r| \le` `tol` :math:`|y|`.
    rtol, rtol1 : float
        Stops also at :math:`|r| <` `rtol` times the first residual norm, or `rtol1` :math:`|y|`.
    show : bool
        Print a table of iterations.
    itershow : (int, int, int)
        Rows of the table: the first, the last, and every so many between.
    callback : function of x, optional
        Called after every iteration.
    preallocate : bool
        Let callbacks see x itself, which changes, instead of copies.
    preconditioner : operator, optional
        Hermitian positive definite, like the inverse of A + d I.

    Returns
    -------
    x : array of dims
        Flat where `x0` is or the operator is `forceflat`.
    iiter : int
        Iterations.
    cost : (iiter + 1,) array
        Residual norms.

    Raises
    ------
    InvalidArgument
        NaN or infinity in `y` or `x0`, or in what the operator returns.
    ShapeError
        Sizes do not fit.
    """
    op = lifted(Op, y)
    solver = CG(op)
    if callback is not None:
        solver.callback = callback   # type: ignore[method-assign, assignment]
    x, iiter, cost = solver.solve(y, x0, niter, damp, tol, preallocate, show, itershow, rtol=rtol, rtol1=rtol1, preconditioner=preconditioner)
    return _shaped(x, op, x0), iiter, cost


def cgls(Op: Any, y: Any, x0: Any = None, niter: int = 10, damp: float = 0.0, tol: float = 1e-4, rtol: float = 0.0, rtol1: float = 0.0,
         show: bool = False, itershow: tuple[int, int, int] = (10, 10, 10), callback: Callable[[np.ndarray], Any] | None = None,
         preallocate: bool = False, *, preconditioner: Any = None) -> tuple[np.ndarray, int, int, float, float, np.ndarray]:
    r"""Minimizes :math:`|y - A x|^2 + d^2 |x|^2` by conjugate gradients of the normal equations.

    Parameters
    ----------
    Op : operator
        Of lopsar, PyLops or SciPy, of shape (m, n). A pixelwise one is put on the grid of `y`.
    y : array of (m,) or dimsd
        Data. float32 is solved in float32, everything else in float64.
    x0 : array of (n,) or dims, optional
        Initial guess.
    niter : int
        At most so many iterations.
    damp : float
        d.
    tol : float
        Stops at a gradient :math:`|g| = |A^H r - d^2 x| \le` `tol` :math:`|A^H y|` that is small beside the residual too,
        :math:`|g| \le` `tol` :math:`|A| |r|`, unless :math:`|r| \le` `tol` :math:`|y|` itself.
    rtol, rtol1, show, itershow, callback, preallocate
        As in `cg`.
    preconditioner : operator, optional
        On the model, Hermitian positive definite, like the inverse of :math:`A^H A + d^2 I`.

    Returns
    -------
    x : array of dims
        Flat where `x0` is or the operator is `forceflat`.
    istop : int
        1: `tol` is reached, or what the precision allows; 2: not, in `niter` iterations; 3: stopped by `rtol`, `rtol1` or a callback.
    iiter : int
        Iterations.
    r1norm, r2norm : float
        :math:`|y - A x|`, and the root of the minimized sum.
    cost : (iiter + 1,) array
        r1norm before and after every iteration.

    Raises
    ------
    InvalidArgument
        NaN or infinity in `y` or `x0`, or in what the operator returns.
    ShapeError
        Sizes do not fit.
    """
    op = lifted(Op, y)
    solver = CGLS(op)
    if callback is not None:
        solver.callback = callback   # type: ignore[method-assign, assignment]
    result: Any = solver.solve(y, x0, niter, damp, tol, preallocate, show, itershow, rtol=rtol, rtol1=rtol1, preconditioner=preconditioner)
    return _shaped(result[0], op, x0), *result[1:]


def lsqr(Op: Any, y: Any, x0: Any = None, damp: float = 0.0, atol: float = 1e-8, btol: float = 1e-8, conlim: float = 1e8, niter: int = 10,
         calc_var: bool = True, show: bool = False, itershow: tuple[int, int, int] = (10, 10, 10),
         callback: Callable[[np.ndarray], Any] | None = None, preallocate: bool = False,
         ) -> tuple[np.ndarray, int, int, float, float, float, float, float, float, np.ndarray | None, np.ndarray]:
    r"""Minimizes :math:`|y - A x|^2 + d^2 |x|^2` by LSQR (Paige and Saunders, ACM TOMS 8, 1982).

    Parameters
    ----------
    Op, y, x0, niter, show, itershow, callback, preallocate
        As in `cgls`.
    damp : float
        d.
    atol, btol : float
        Relative errors of A and of y: stops at :math:`|r| \le` `btol` :math:`|y| +` `atol` :math:`|A| |x|`, or at
        :math:`|A^H r| \le` `atol` :math:`|A| |r|`.
    conlim : float
        Stops where the condition number exceeds it; 0: never.
    calc_var : bool
        Whether to sum up `var`.

    Returns
    -------
    x : array of dims
        Flat where `x0` is or the operator is `forceflat`.
    istop : int
        0: x = 0 is the solution; 1: :math:`A x = y` holds; 2: the least-squares solution; 3: `conlim` is exceeded; 4, 5, 6: as 1, 2, 3,
        as well as the precision allows; 7: `niter` iterations were not enough, or a callback ended it.
    iiter : int
    r1norm, r2norm : float
        :math:`|y - A x|`, and the root of the minimized sum.
    anorm, acond : float
        Estimates of the Frobenius norm and condition number of [A; d I].
    arnorm : float
        :math:`|A^H r - d^2 x|`.
    xnorm : float
        :math:`|x|`.
    var : (n,) array or None
        Estimate, from below but for rounding, of the diagonal of :math:`(A^H A + d^2 I)^{-1}`.
    cost : (iiter + 1,) array
        r1norm before and after every iteration.

    Raises
    ------
    InvalidArgument
        NaN or infinity in `y` or `x0`, or in what the operator returns.
    ShapeError
        Sizes do not fit.
    """
    op = lifted(Op, y)
    solver = LSQR(op)
    if callback is not None:
        solver.callback = callback   # type: ignore[method-assign, assignment]
    result: Any = solver.solve(y, x0, damp, atol, btol, conlim, niter, calc_var, preallocate, show, itershow)
    return _shaped(result[0], op, x0), *result[1:]
