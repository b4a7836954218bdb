"""Least squares with weights, regularization and preconditioners, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .cls_basic import lifted
from .cls_leastsquares import NormalEquationsInversion, PreconditionedInversion, RegularizedInversion

__all__ = ["normal_equations_inversion", "preconditioned_inversion", "regularized_inversion"]


def _shaped(x: np.ndarray, op: Any, y: Any, x0: Any, engine: str = "scipy") -> np.ndarray:
    """The solution in the shape of the model where the data have several axes or, as in PyLops, with engine "pylops"; flat where `x0` is."""
    flat = op.forceflat or (x0 is not None and np.ndim(x0) == 1) or (np.ndim(y) < 2 and engine != "pylops")
    return x if flat else x.reshape(op.dims)


def normal_equations_inversion(Op: Any, y: Any, Regs: Sequence[Any] | None, x0: Any = None, Weight: Any = None,
                               dataregs: Sequence[Any] | None = None, epsI: float = 0.0, epsRs: Sequence[float] | None = None,
                               NRegs: Sequence[Any] | None = None, epsNRs: Sequence[float] | None = None, engine: str = "scipy", show: bool = False,
                               **kwargs_solver: Any) -> tuple[np.ndarray, int]:
    r"""Regularized least squares by conjugate gradients on their normal equations.

    Parameters
    ----------
    Op : operator
        A, of lopsar, PyLops or SciPy.
    y : array of (m,) or dimsd
    Regs : list of operators or None
        R_i.
    x0 : array of (n,) or dims, optional
        Initial guess.
    Weight : operator, optional
        W, the inverse covariance of the data (not its root).
    dataregs : list of arrays, optional
        y_i, default 0.
    epsI : float
        Damping e_I.
    epsRs : list of float, optional
        e_i, default 1.
    NRegs : list of operators, optional
        N_i, which are forward and adjoint in one.
    epsNRs : list of float, optional
        f_i, default 1.
    engine : {"scipy", "pylops"}
        `scipy.sparse.linalg.cg`, or `lopsar.cg`.
    show : bool
        Print what is solved, and for "pylops" the iterations.
    **kwargs_solver
        For that function: ``maxiter`` and ``rtol`` of SciPy's, ``niter``, ``tol``, ``preconditioner`` and so on of lopsar's.

    Returns
    -------
    x : array
        Of shape dims where `y` has several axes or, as in PyLops, with engine "pylops"; flat where `x0` is, and else.
    istop : int
        0: converged; otherwise the number of iterations, at least 1.

    Raises
    ------
    InvalidArgument
        NaN or infinity in the data, another number of factors than operators, or an unknown engine.

    Notes
    -----
    .. math::
        (A^H W A + \sum e_i^2 R_i^H R_i + \sum f_i^2 N_i + e_I^2 I) x = A^H W y + \sum e_i^2 R_i^H y_i

    The condition number is the square of that of A; `regularized_inversion` avoids that.
    """
    op = lifted(Op, y)
    x, istop = NormalEquationsInversion(op).solve(y, Regs, x0, Weight, dataregs, epsI, epsRs, NRegs, epsNRs, engine, show, **kwargs_solver)
    return _shaped(x, op, y, x0, engine), istop


def regularized_inversion(Op: Any, y: Any, Regs: Sequence[Any] | None, x0: Any = None, Weight: Any = None, dataregs: Sequence[Any] | None = None,
                          epsRs: Sequence[float] | None = None, engine: str = "scipy", show: bool = False,
                          **kwargs_solver: Any) -> tuple[np.ndarray, int, int, float, float]:
    r"""Minimizes :math:`|W^{1/2} (y - A x)|^2 + \sum e_i^2 |y_i - R_i x|^2` by LSQR or CGLS on the stacked system.

    Parameters
    ----------
    Op : operator
        A, of lopsar, PyLops or SciPy.
    y : array of (m,) or dimsd
    Regs : list of operators or None
        R_i.
    x0 : array of (n,) or dims, optional
        Initial guess.
    Weight : operator, optional
        :math:`W^{1/2}`, the root of what `normal_equations_inversion` takes, as in PyLops.
    dataregs : list of arrays, optional
        y_i, default 0.
    epsRs : list of float, optional
        e_i, default 1.
    engine : {"scipy", "pylops"}
        `scipy.sparse.linalg.lsqr`, or `lopsar.cgls`.
    show : bool
        Print what is solved, and the iterations.
    **kwargs_solver
        For that function: ``iter_lim``, ``atol``, ``btol`` of SciPy's, ``niter``, ``tol``, ``preconditioner`` and so on of lopsar's.

    Returns
    -------
    x : array
        Of shape dims where `y` has several axes or, as in PyLops, with engine "pylops"; flat where `x0` is, and else.
    istop, itn, r1norm, r2norm
        As of that function, for the stacked system.

    Raises
    ------
    InvalidArgument
        NaN or infinity in the data, another number of factors than operators, or an unknown engine.
    """
    op = lifted(Op, y)
    result: Any = RegularizedInversion(op).solve(y, Regs, x0, Weight, dataregs, epsRs, engine, show, **kwargs_solver)
    return _shaped(result[0], op, y, x0, engine), *result[1:]


def preconditioned_inversion(Op: Any, y: Any, P: Any, x0: Any = None, engine: str = "scipy", show: bool = False,
                             **kwargs_solver: Any) -> tuple[np.ndarray, int, int, float, float]:
    r"""Minimizes :math:`|y - A P p|` by LSQR or CGLS and returns x = P p.

    Parameters
    ----------
    Op : operator
        A, of lopsar, PyLops or SciPy.
    y : array of (m,) or dimsd
    P : operator
        From unknowns p to the model, for example a smoothing. (The keyword `preconditioner` of `cgls` is another thing: it changes the way to the
        same solution and needs no factors.)
    x0 : array, optional
        Initial guess of p (not of x), as in PyLops.
    engine : {"scipy", "pylops"}
        `scipy.sparse.linalg.lsqr`, or `lopsar.cgls`.
    show : bool
        Print what is solved, and the iterations.
    **kwargs_solver
        For that function.

    Returns
    -------
    x : array
        Of shape dims where `y` has several axes, else flat.
    istop, itn, r1norm, r2norm
        As of that function.

    Raises
    ------
    InvalidArgument
        NaN or infinity in the data, or an unknown engine.
    """
    op = lifted(Op, y)
    result: Any = PreconditionedInversion(op).solve(y, P, x0, engine, show, **kwargs_solver)
    return _shaped(result[0], op, y, x0), *result[1:]
