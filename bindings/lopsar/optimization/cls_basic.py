"""CG, CGLS and LSQR on whole fields, as solvers that one can step through. The loops run in the core."""

# Every solver has parameters of its own.
# mypy: disable-error-code="override"
from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from .. import _core
from ..array_like import ndarray, ordered
from ..arrays import plain
from ..linear_operator import LinearOperator, aslinearoperator
from .basesolver import Solver

__all__ = ["CG", "CGLS", "LSQR"]

_RUNNING, _LIMIT = -1, 7   # of KrylovStop in solvers/krylov.hpp


def lifted(Op: Any, y: Any) -> LinearOperator:
    """The operator for these data: a pixelwise one (m, n) on the grid of y (m, *grid)."""
    op = aslinearoperator(Op)
    shape = np.shape(y)
    return op.over(shape[1:]) if len(shape) > 1 and shape[0] == op.shape[0] and math.prod(shape) != shape[0] and op.pixelwise else op


class _Krylov(Solver):
    """What the three have in common: a solver of the core, and x in and out of it."""

    _width = 80
    _solver: Any = None
    _x: np.ndarray

    def __init__(self, Op: Any, callbacks: Any = None) -> None:
        super().__init__(Op, callbacks)
        self._operator = aslinearoperator(Op)

    # -- arrays ------------------------------------------------------------------------------------------------------
    def _vector(self, values: Any, name: str) -> np.ndarray:
        """Flat, in a precision that the core has."""
        return self._operator._prepared(plain(ndarray(values), name)).reshape(-1)

    def _begin(self, y: Any, x0: Any) -> tuple[str, np.ndarray, np.ndarray | None]:
        """The letter of the precision, y and x0."""
        data = self._vector(ordered(self._operator.H, y), "y")
        start = None if x0 is None else self._vector(ordered(self._operator, x0), "x0")
        dtype = data.dtype
        if start is not None and start.dtype.kind == "c" and dtype.kind != "c":
            dtype = np.result_type(dtype, np.complex64)
        return dtype.char, data.astype(dtype, copy=False), None if start is None else start.astype(dtype, copy=False)

    def _started(self, solver: Any, data: np.ndarray, start: np.ndarray | None, niter: int | None, preallocate: bool) -> np.ndarray:
        self._solver = solver
        solver.setup(data, start)
        solver.iterations = sys.maxsize if niter is None else self._count(niter)
        self.y, self.niter, self.iiter = data, niter, 0
        self._setpreallocate(preallocate)
        self._x = solver.x
        self._read()
        self.cost = solver.cost
        return self._given()

    def _count(self, niter: int) -> int:
        if isinstance(niter, bool) or not isinstance(niter, (int, np.integer)) or not 0 <= niter <= sys.maxsize:
            raise _core.InvalidArgument(f"{type(self).__name__}: expected niter as an integer of 0 or more, got {niter!r}")
        return int(niter)

    def _given(self) -> np.ndarray:
        """x for others: itself with `preallocate`, else a copy that keeps its values."""
        return self._x if self.preallocate else self._x.copy()

    def _taken(self, x: Any) -> None:
        """What others made of x."""
        if self._solver is None:
            raise _core.InvalidArgument(f"{type(self).__name__}: expected setup(y) before the first step")
        if x is None or x is self._x:
            return
        values = np.asarray(x)
        if values.size != self._x.size:
            raise _core.ShapeError(f"{type(self).__name__}: expected x of {self._x.size} values, got shape {values.shape}")
        self._x[...] = values.reshape(-1)

    # -- state -------------------------------------------------------------------------------------------------------
    def _read(self) -> None:
        solver = self._solver
        self.iiter, self.r1norm, self.r2norm, self.arnorm = solver.iteration, solver.r1norm, solver.r2norm, solver.arnorm

    def _preconditioner(self, M: Any) -> Any:
        """Kept alive here: the core only looks at operators written in Python."""
        if M is None:
            self._M = None
            return None
        self._M = aslinearoperator(M)
        n, dims, given = self._operator.shape[1], self._operator.dims, self._M.shape
        if given == (dims[0], dims[0]) and len(dims) > 1 and self._M.pixelwise:
            self._M = self._M.over(dims[1:])
        if self._M.shape != (n, n):
            raise _core.ShapeError(f"{type(self).__name__}: expected a preconditioner of shape {(n, n)}"
                                   + (f", or a pixelwise one of {(dims[0], dims[0])}" if len(dims) > 1 else "") + f", got {given}")
        return self._M._node()

    # -- stages ------------------------------------------------------------------------------------------------------
    def step(self, x: np.ndarray, show: bool = False) -> np.ndarray:
        """One iteration.

        Parameters
        ----------
        x : (n,) array
            The solution so far. Where it was changed since the last step, iterations go on from there with the old residual.
        show : bool
            Print it.

        Returns
        -------
        x : (n,) array
            New, or the same changed in place with `preallocate`.
        """
        self._taken(x)
        before = self.iiter
        self._solver.step()
        self._read()
        if self.iiter > before:
            self.cost.append(self.r1norm)
        if show:
            self._print_step(self._x)
        return self._given()

    def run(self, x: np.ndarray, niter: int | None = None, show: bool = False, itershow: tuple[int, int, int] = (10, 10, 10)) -> np.ndarray:
        """Iterations until a rule or a callback ends them.

        Parameters
        ----------
        x : (n,) array
            The solution so far, from `setup` or `step`.
        niter : int, optional
            Iterations since `setup` at which to end. Default: what `setup` was given.
        show : bool
            Print a table.
        itershow : (int, int, int)
            Rows of the table: the first, the last, and every so many between.
        """
        niter = self.niter if niter is None else niter
        if niter is None:
            raise _core.InvalidArgument(f"{type(self).__name__}.run: expected niter here or in setup, got None")
        self._taken(x)
        self.niter = niter
        self._solver.iterations = self._count(niter)
        watched = show or self.callbacks or "callback" in vars(self) or "step" in vars(self)
        if watched or type(self).callback is not Solver.callback or type(self).step is not _Krylov.step:
            x = self._given()
            shown = True
            while self._solver.stop == _RUNNING and not self._stopped():
                shown = show and (self.iiter < itershow[0] or niter - self.iiter < itershow[1] or self.iiter % itershow[2] == 0)
                x = self.step(x, shown)
                self.callback(x)
            self._taken(x)
            if show and not shown:
                self._print_step(self._x)   # the last
        else:
            self._solver.run()
            self._read()
            self.cost = self._solver.cost
        return self._given()

    def finalize(self, show: bool = False) -> None:
        """Sets what belongs to the end: `telapsed`, `cost` as an array, and norms."""
        self._solver.finalize()
        self._read()
        self.cost = np.array(self._solver.cost)
        super().finalize(show=show)

    def _print_finalize(self, *args: Any, nbar: int = 80, **kwargs: Any) -> None:
        super()._print_finalize(nbar=self._width)

    def _first(self, x: np.ndarray) -> str:
        """x[0] for the table."""
        if np.iscomplexobj(x):
            return f"{x[0].real:9.2e}{x[0].imag:+.2e}j"
        return f"{x[0]:11.4e}"


class CG(_Krylov):
    """Conjugate gradients for (A + damp I) x = y: `lopsar.cg` in stages.

    Attributes
    ----------
    r, c : (n,) array
        Residual and direction; copies.
    kold : float
        Squared norm of the residual.
    cost : list, then array
        Norm of the residual before and after every step.
    iiter, r1norm, r2norm, arnorm
        Steps; the three are the norm of the residual.
    istop : int
        Set at the end: 1 a tolerance is reached, 2 not, 3 stopped by a callback.
    """

    _width = 55

    @property
    def r(self) -> np.ndarray:
        """The residual, a copy."""
        return self._solver.vector("residual")

    @property
    def c(self) -> np.ndarray:
        """The direction, a copy."""
        return self._solver.vector("direction")

    @property
    def kold(self) -> float:
        """Squared norm of the residual."""
        return self.arnorm**2

    def memory_usage(self, show: bool = False, unit: Any = "B") -> float:
        """The memory of y and of the four vectors of the solver."""
        return self._memory(5 * self._operator.shape[0], show, unit)

    def setup(self, y: Any, x0: Any = None, niter: int | None = None, damp: float = 0.0, tol: float = 1e-4, preallocate: bool = False,
              show: bool = False, *, rtol: float = 0.0, rtol1: float = 0.0, preconditioner: Any = None) -> np.ndarray:
        """Prepares the first step; parameters as in `lopsar.cg`.

        Returns
        -------
        x : (n,) array
        """
        letter, data, start = self._begin(y, x0)
        self.damp, self.tol, self.rtol, self.rtol1 = damp, tol, rtol, rtol1
        solver = _core.cg(self._operator._node(), letter, damp, tol, rtol, rtol1, self._preconditioner(preconditioner), 0)
        x = self._started(solver, data, start, niter, preallocate)
        if show:
            self._print_solver(nbar=self._width)
            self._print_setup()
        return x

    def _print_setup(self, *args: Any, **kwargs: Any) -> None:
        limit = f"\tniter = {self.niter}" if self.niter is not None else ""
        print(f"tol = {self.tol:10e}{limit}\n{'-' * self._width}\n\n    Itn           x[0]              r2norm")

    def _print_step(self, *args: Any, **kwargs: Any) -> None:
        print(f"{self.iiter:6d}        {self._first(args[0])}         {self.cost[-1]:11.4e}")

    def finalize(self, show: bool = False) -> None:
        """Sets `telapsed`, `istop`, and `cost` as an array."""
        stop = self._solver.stop
        self.istop = 3 if stop == _RUNNING else 1 if stop in (0, 1) else 2
        super().finalize(show)

    def solve(self, y: Any, x0: Any = None, niter: int = 10, damp: float = 0.0, tol: float = 1e-4, preallocate: bool = False, show: bool = False,
              itershow: tuple[int, int, int] = (10, 10, 10), *, rtol: float = 0.0, rtol1: float = 0.0,
              preconditioner: Any = None) -> tuple[np.ndarray, int, np.ndarray]:
        """All stages; parameters and results as in `lopsar.cg`, with x flat."""
        x = self.setup(y, x0, niter, damp, tol, preallocate, show, rtol=rtol, rtol1=rtol1, preconditioner=preconditioner)
        x = self.run(x, niter, show=show, itershow=itershow)
        self.finalize(show)
        return np.array(x), self.iiter, self.cost


class CGLS(_Krylov):
    """Conjugate gradients of the normal equations: `lopsar.cgls` in stages.

    Attributes
    ----------
    s : (m,) array
        Residual of the data; a copy.
    c : (n,) array
        Direction; a copy.
    kold : float
        Squared norm of the gradient.
    cost, cost1 : list, then array
        r1norm and r2norm before and after every step.
    iiter, r1norm, r2norm, arnorm
        Steps, |y - A x|, with damping, and |A^H (y - A x) - damp^2 x|.
    istop : int
        Set at the end, see `lopsar.cgls`.
    """

    _width = 65

    @property
    def s(self) -> np.ndarray:
        """The residual of the data, a copy."""
        return self._solver.vector("residual")

    @property
    def c(self) -> np.ndarray:
        """The direction, a copy."""
        return self._solver.vector("direction")

    @property
    def kold(self) -> float:
        """Squared norm of the gradient."""
        return self.arnorm**2

    @property
    def cost1(self) -> list[float]:
        """r2norm before and after every step."""
        return self._solver.cost_damped

    def memory_usage(self, show: bool = False, unit: Any = "B") -> float:
        """The memory of y and of the five vectors of the solver; a preconditioner takes one more of the model."""
        return self._memory(3 * self._operator.shape[0] + 3 * self._operator.shape[1], show, unit)

    def setup(self, y: Any, x0: Any = None, niter: int | None = None, damp: float = 0.0, tol: float = 1e-4, preallocate: bool = False,
              show: bool = False, *, rtol: float = 0.0, rtol1: float = 0.0, preconditioner: Any = None) -> np.ndarray:
        """Prepares the first step; parameters as in `lopsar.cgls`.

        Returns
        -------
        x : (n,) array
        """
        letter, data, start = self._begin(y, x0)
        self.damp, self.tol, self.rtol, self.rtol1 = damp, tol, rtol, rtol1
        solver = _core.cgls(self._operator._node(), letter, damp, tol, rtol, rtol1, self._preconditioner(preconditioner), 0)
        x = self._started(solver, data, start, niter, preallocate)
        if show:
            self._print_solver(nbar=self._width)
            self._print_setup()
        return x

    def _print_setup(self, *args: Any, **kwargs: Any) -> None:
        limit = f"\tniter = {self.niter}" if self.niter is not None else ""
        print(f"damp = {self.damp:10e}\ttol = {self.tol:10e}{limit}\n{'-' * self._width}\n\n"
              "    Itn          x[0]              r1norm         r2norm")

    def _print_step(self, *args: Any, **kwargs: Any) -> None:
        print(f"{self.iiter:6d}       {self._first(args[0])}        {self.r1norm:11.4e}    {self.r2norm:11.4e}")

    def finalize(self, show: bool = False) -> None:
        """Sets `telapsed`, `istop`, and `cost` as an array."""
        stop = self._solver.stop
        self.istop = 3 if stop in (1, _RUNNING) else 1 if stop in (0, 2, 5) else 2
        super().finalize(show)

    def solve(self, y: Any, x0: Any = None, niter: int = 10, damp: float = 0.0, tol: float = 1e-4, preallocate: bool = False, show: bool = False,
              itershow: tuple[int, int, int] = (10, 10, 10), *, rtol: float = 0.0, rtol1: float = 0.0,
              preconditioner: Any = None) -> tuple[np.ndarray, int, int, float, float, np.ndarray]:
        """All stages; parameters and results as in `lopsar.cgls`, with x flat."""
        x = self.setup(y, x0, niter, damp, tol, preallocate, show, rtol=rtol, rtol1=rtol1, preconditioner=preconditioner)
        x = self.run(x, niter, show=show, itershow=itershow)
        self.finalize(show)
        return np.array(x), self.istop, self.iiter, self.r1norm, self.r2norm, self.cost


class LSQR(_Krylov):
    """LSQR: `lopsar.lsqr` in stages.

    Attributes
    ----------
    istop : int
        Which rule holds, 0 while none does; at the end see `lopsar.lsqr`.
    msg : tuple of str
        What each istop means.
    cost : list, then array
        r1norm before and after every step.
    iiter, r1norm, r2norm, anorm, acond, arnorm, xnorm, var
        As `lopsar.lsqr` returns them.
    """

    _width = 90
    msg = ("x = 0, or x0, is the exact solution", "A x = y holds within atol and btol", "The least-squares solution is as good as atol asks for",
           "The condition number exceeds conlim", "A x = y holds as well as the precision allows",
           "The least-squares solution is as good as the precision allows", "The condition number is too large for the precision",
           "The limit of iterations is reached")

    def __init__(self, Op: Any, *, callbacks: Any = None) -> None:
        super().__init__(Op, callbacks)

    @property
    def var(self) -> np.ndarray | None:
        """Estimate of the diagonal of the inverse normal matrix, a copy; None unless asked for."""
        return self._solver.vector("var")

    def memory_usage(self, show: bool = False, unit: Any = "B") -> float:
        """The memory of y and of the six vectors of the solver, with the variances."""
        m, n = self._operator.shape
        return self._memory(2 * m + 4 * n + max(m, n), show, unit)

    def _read(self) -> None:
        super()._read()
        solver = self._solver
        self.anorm, self.acond, self.xnorm = solver.anorm, solver.acond, solver.xnorm
        self.istop = max(solver.stop, 0)

    def finalize(self, show: bool = False) -> None:
        """Sets `telapsed`, `istop`, `cost` as an array, and r1norm and r2norm by one more product with the operator."""
        super().finalize(False)
        if self._solver.stop == _RUNNING:
            self.istop = _LIMIT
        if show:
            self._print_finalize()

    def setup(self, y: Any, x0: Any = None, damp: float = 0.0, atol: float = 1e-8, btol: float = 1e-8, conlim: float = 1e8, niter: int = 10,
              calc_var: bool = True, preallocate: bool = False, show: bool = False) -> np.ndarray:
        """Prepares the first step; parameters as in `lopsar.lsqr`.

        Returns
        -------
        x : (n,) array
        """
        letter, data, start = self._begin(y, x0)
        self.damp, self.atol, self.btol, self.conlim, self.calc_var = damp, atol, btol, conlim, calc_var
        solver = _core.lsqr(self._operator._node(), letter, damp, atol, btol, conlim, calc_var, 0)
        x = self._started(solver, data, start, niter, preallocate)
        if show:
            self._print_solver(nbar=self._width)
            self._print_setup(self._x)
        return x

    def _print_setup(self, *args: Any, **kwargs: Any) -> None:
        print(f"damp = {self.damp:20.14e}     calc_var = {int(self.calc_var):6d}\n"
              f"atol = {self.atol:8.2e}                 conlim = {self.conlim:8.2e}\n"
              f"btol = {self.btol:8.2e}                 niter = {self.niter:8d}\n{'-' * self._width}\n"
              "   Itn     x[0]         r1norm     r2norm   Compatible   LS     Norm A   Cond A")
        self._print_step(*args)

    def _print_step(self, *args: Any, **kwargs: Any) -> None:
        ynorm = float(np.linalg.norm(self.y)) or 1.0
        compatible, gradient = self.r2norm / ynorm, self.arnorm / ((self.anorm or self.r2norm) * self.r2norm) if self.r2norm else 0.0
        print(f"{self.iiter:6d} {self._first(args[0])}  {self.r1norm:10.3e} {self.r2norm:10.3e}  {compatible:8.1e} {gradient:8.1e}"
              + (f" {self.anorm:8.1e} {self.acond:8.1e}" if self.iiter else ""))

    def _print_finalize(self, *args: Any, **kwargs: Any) -> None:
        print(f"\nLSQR finished, {self.msg[self.istop]}\n\nistop = {self.istop:7d}   r1norm ={self.r1norm:8.1e}   anorm ={self.anorm:8.1e}   "
              f"arnorm ={self.arnorm:8.1e}\nitn   = {self.iiter:7d}   r2norm ={self.r2norm:8.1e}   acond ={self.acond:8.1e}   "
              f"xnorm  ={self.xnorm:8.1e}\nTotal time (s) = {self.telapsed:.2f}\n{'-' * self._width}\n")

    def solve(self, y: Any, x0: Any = None, damp: float = 0.0, atol: float = 1e-8, btol: float = 1e-8, conlim: float = 1e8, niter: int = 10,
              calc_var: bool = True, preallocate: bool = False, show: bool = False, itershow: tuple[int, int, int] = (10, 10, 10),
              ) -> tuple[np.ndarray, int, int, float, float, float, float, float, float, np.ndarray | None, np.ndarray]:
        """All stages; parameters and results as in `lopsar.lsqr`, with x flat."""
        x = self.setup(y, x0, damp, atol, btol, conlim, niter, calc_var, preallocate, show)
        x = self.run(x, niter, show=show, itershow=itershow)
        self.finalize(show)
        return (np.array(x), self.istop, self.iiter, self.r1norm, self.r2norm, self.anorm, self.acond, self.arnorm, self.xnorm, self.var, self.cost)
