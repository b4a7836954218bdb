"""Least squares with weights, regularization and preconditioners, as classes."""

# Every solver has parameters of its own.
# mypy: disable-error-code="override"
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse.linalg as sparse_linalg

from .. import _core
from ..array_like import ndarray, ordered
from ..arrays import plain
from ..diagonal import Identity
from ..linear_operator import LinearOperator, aslinearoperator
from ..stacking import VStack
from .basesolver import Solver
from .cls_basic import CG, CGLS

__all__ = ["NormalEquationsInversion", "PreconditionedInversion", "RegularizedInversion", "RegularizedOperator"]


def _flat(values: Any, name: str) -> np.ndarray:
    """A flat array of finite numbers."""
    array = plain(ndarray(values), name).reshape(-1)
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        raise _core.InvalidArgument(f"{name}: expected finite values, got {array[wrong[0]]} at index {wrong[0]}; leave such data out (Restriction), "
                                    "or give them a finite value and weight 0")
    return array


def _factors(factors: Any, operators: Sequence[Any], name: str) -> list[float]:
    """One factor per operator, 1 unless given."""
    values = [1.0] * len(operators) if factors is None else [float(f) for f in factors]
    if len(values) != len(operators):
        raise _core.InvalidArgument(f"expected one of {name} per operator, {len(operators)}, got {len(values)}")
    return values


def _data_of(operators: Sequence[Any], data: Any) -> list[np.ndarray | None]:
    """The data of regularizations: None for zero."""
    if data is None:
        return [None] * len(operators)
    if len(data) != len(operators):
        raise _core.InvalidArgument(f"expected one of dataregs per operator of Regs, {len(operators)}, got {len(data)}")
    made: list[np.ndarray | None] = [_flat(ordered(aslinearoperator(R).H, d), f"dataregs[{i}]") for i, (R, d) in enumerate(zip(operators, data))]
    for i, (R, d) in enumerate(zip(operators, made)):
        if d is not None and d.size != R.shape[0]:
            raise _core.ShapeError(f"dataregs[{i}]: expected {R.shape[0]} values, the rows of Regs[{i}], got {d.size}")
    return made


def _engine(engine: str, who: str) -> str:
    if engine not in ("scipy", "pylops"):
        raise _core.InvalidArgument(f"{who}: expected engine 'scipy' or 'pylops' (the loops of lopsar), got {engine!r}")
    return engine


class _Inversion(Solver):
    """A problem that is written as another one, which a solver of SciPy or lopsar then solves whole."""

    _width = 65

    def __init__(self, Op: Any, callbacks: Any = None) -> None:
        super().__init__(Op, callbacks)
        self._operator = aslinearoperator(Op)

    def step(self) -> None:
        """There are no steps of its own."""
        raise NotImplementedError(f"{type(self).__name__}: expected run or solve, got step; the solver that it calls has steps, lopsar.cgls or cg")

    def _started(self, y: Any, show: bool) -> None:
        self.y = _flat(ordered(self._operator.H, y), "y")
        if self.y.size != self._operator.shape[0]:
            raise _core.ShapeError(f"{type(self).__name__}: expected y of {self._operator.shape[0]} values, got {np.shape(y)}")
        if show:
            self._print_solver(nbar=self._width)
            self._print_setup()

    def _print_finalize(self, *args: Any, **kwargs: Any) -> None:
        print(f"\nTotal time (s) = {self.telapsed:.2f}\n{'-' * self._width}\n")

    def _least_squares(self, op: LinearOperator, y: np.ndarray, x: Any, engine: str, show: bool, options: dict[str, Any]) -> Any:
        """x, istop, itn, r1norm, r2norm."""
        start = None if x is None else _flat(ordered(op, x), "x0")
        if _engine(engine, type(self).__name__) == "scipy":
            return sparse_linalg.lsqr(op, y, x0=start, show=show, **options)[:5]
        return CGLS(op).solve(y, start, show=show, **options)[:5]


class NormalEquationsInversion(_Inversion):
    r"""Regularized least squares by their normal equations: `lopsar.normal_equations_inversion` in stages.

    Parameters
    ----------
    Op : operator
    callbacks : list of Callbacks, optional

    Attributes
    ----------
    Op_normal : LinearOperator
        The left-hand side.
    y_normal : (n,) array
        The right-hand side.

    Notes
    -----
    .. math::
        (A^H W A + \sum e_i^2 R_i^H R_i + \sum f_i^2 N_i + e_I^2 I) x = A^H W y + \sum e_i^2 R_i^H y_i
    """

    _width = 55

    def memory_usage(self, nopRegs: tuple[int, ...] | None = None, show: bool = False, unit: Any = "B") -> float:
        """The memory of the data and of `lopsar.cg`; `nopRegs` are the rows of the regularizations."""
        return self._memory(self._operator.shape[0] + 5 * self._operator.shape[1] + sum(nopRegs or ()), show, unit)

    def setup(self, y: Any, Regs: Sequence[Any] | None, Weight: Any = None, dataregs: Sequence[Any] | None = None, epsI: float = 0,
              epsRs: Sequence[float] | None = None, NRegs: Sequence[Any] | None = None, epsNRs: Sequence[float] | None = None,
              show: bool = False) -> None:
        """Writes the normal equations; parameters as in `lopsar.normal_equations_inversion`."""
        self.Regs, self.epsI, self.NRegs = list(Regs or ()), epsI, list(NRegs or ())
        self.epsRs, self.epsNRs = _factors(epsRs, self.Regs, "epsRs"), _factors(epsNRs, self.NRegs, "epsNRs")
        self.dataregs = _data_of(self.Regs, dataregs)
        self._started(y, show)
        op = self._operator
        self.OpH = op.H
        weighted = self.y if Weight is None else aslinearoperator(Weight).matvec(self.y)
        normal = op.H @ op if Weight is None else op.H @ aslinearoperator(Weight) @ op
        right = op.rmatvec(weighted)
        for R, eps, data in zip(self.Regs, self.epsRs, self.dataregs):
            R = aslinearoperator(R)
            normal = normal + eps**2 * (R.H @ R)
            if data is not None:
                right = right + eps**2 * R.rmatvec(data)
        for N, eps in zip(self.NRegs, self.epsNRs):
            normal = normal + eps**2 * aslinearoperator(N)
        if epsI:
            normal = normal + epsI**2 * Identity(op.dims, dtype=op.dtype)
        self.Op_normal, self.y_normal = normal, right

    def _print_setup(self, *args: Any, **kwargs: Any) -> None:
        print(f"Regs={self.Regs}\nepsRs={self.epsRs}     epsI={self.epsI}\n{'-' * self._width}")

    def run(self, x: Any, engine: str = "scipy", show: bool = False, **kwargs_solver: Any) -> tuple[np.ndarray, int]:
        """Solves them from the initial guess `x` or None; results as of `lopsar.normal_equations_inversion`."""
        start = None if x is None else _flat(ordered(self._operator, x), "x0")
        if _engine(engine, type(self).__name__) == "scipy":
            return sparse_linalg.cg(self.Op_normal, self.y_normal, x0=start, **kwargs_solver)
        solver = CG(self.Op_normal)
        found, iterations, _ = solver.solve(self.y_normal, start, show=show, **kwargs_solver)
        return found, 0 if solver.istop == 1 else max(iterations, 1)   # of a run that ended before it began, too

    def solve(self, y: Any, Regs: Sequence[Any] | None, x0: Any = None, Weight: Any = None, dataregs: Sequence[Any] | None = None,
              epsI: float = 0, epsRs: Sequence[float] | None = None, NRegs: Sequence[Any] | None = None, epsNRs: Sequence[float] | None = None,
              engine: str = "scipy", show: bool = False, **kwargs_solver: Any) -> tuple[np.ndarray, int]:
        """All stages; parameters and results as in `lopsar.normal_equations_inversion`, with x flat."""
        self.setup(y, Regs, Weight, dataregs, epsI, epsRs, NRegs, epsNRs, show)
        result = self.run(x0, engine, show, **kwargs_solver)
        self.finalize(show=show)
        return result


def RegularizedOperator(Op: Any, Regs: Sequence[Any], epsRs: Sequence[float] = (1,)) -> LinearOperator:
    r"""``[A; e_1 R_1; e_2 R_2; ...]``.

    Parameters
    ----------
    Op : operator
    Regs : sequence of operators
    epsRs : sequence of float
        One for each.
    """
    factors = _factors(epsRs, Regs, "epsRs")
    return VStack([aslinearoperator(Op), *(eps * aslinearoperator(R) for eps, R in zip(factors, Regs))])


class RegularizedInversion(_Inversion):
    r"""Least squares of a stack of data and regularizations: `lopsar.regularized_inversion` in stages.

    Parameters
    ----------
    Op : operator
    callbacks : list of Callbacks, optional

    Attributes
    ----------
    RegOp : LinearOperator
        The stack.
    datatot : array
        Its data.
    """

    def memory_usage(self, nopRegs: tuple[int, ...] | None = None, show: bool = False, unit: Any = "B") -> float:
        """The memory of the stacked data and of `lopsar.cgls`; `nopRegs` are the rows of the regularizations."""
        return self._memory(3 * (self._operator.shape[0] + sum(nopRegs or ())) + 3 * self._operator.shape[1], show, unit)

    def setup(self, y: Any, Regs: Sequence[Any] | None, Weight: Any = None, dataregs: Sequence[Any] | None = None,
              epsRs: Sequence[float] | None = None, show: bool = False) -> None:
        """Stacks; parameters as in `lopsar.regularized_inversion`."""
        self.Regs = list(Regs or ())
        self.epsRs = _factors(epsRs, self.Regs, "epsRs")
        self.dataregs = _data_of(self.Regs, dataregs)
        self._started(y, show)
        op, weighted = self._operator, self.y
        if Weight is not None:
            op, weighted = aslinearoperator(Weight) @ op, aslinearoperator(Weight).matvec(self.y)
        self.RegOp = RegularizedOperator(op, self.Regs, self.epsRs) if self.Regs else op
        parts = [np.zeros(R.shape[0], weighted.dtype) if data is None else np.asarray(eps, weighted.real.dtype) * data
                 for R, eps, data in zip(self.Regs, self.epsRs, self.dataregs)]
        self.datatot = np.concatenate([weighted, *parts])

    def _print_setup(self, *args: Any, **kwargs: Any) -> None:
        print(f"Regs={self.Regs}\nepsRs={self.epsRs}\n{'-' * self._width}")

    def run(self, x: Any, engine: str = "scipy", show: bool = False, **kwargs_solver: Any) -> Any:
        """Solves from the initial guess `x` or None; results as of `lopsar.regularized_inversion`."""
        return self._least_squares(self.RegOp, self.datatot, x, engine, show, kwargs_solver)

    def solve(self, y: Any, Regs: Sequence[Any] | None, x0: Any = None, Weight: Any = None, dataregs: Sequence[Any] | None = None,
              epsRs: Sequence[float] | None = None, engine: str = "scipy", show: bool = False,
              **kwargs_solver: Any) -> tuple[np.ndarray, int, int, float, float]:
        """All stages; parameters and results as in `lopsar.regularized_inversion`, with x flat."""
        self.setup(y, Regs, Weight, dataregs, epsRs, show)
        result = self.run(x0, engine, show, **kwargs_solver)
        self.finalize(show=show)
        return result


class PreconditionedInversion(_Inversion):
    r"""Least squares in other unknowns: `lopsar.preconditioned_inversion` in stages.

    Parameters
    ----------
    Op : operator
    callbacks : list of Callbacks, optional

    Attributes
    ----------
    POp : LinearOperator
        Operator times preconditioner.
    """

    def memory_usage(self, show: bool = False, unit: Any = "B") -> float:
        """The memory of the data and of `lopsar.cgls`."""
        return self._memory(3 * self._operator.shape[0] + 4 * self._operator.shape[1], show, unit)

    def setup(self, y: Any, P: Any, show: bool = False) -> None:
        """Multiplies; parameters as in `lopsar.preconditioned_inversion`."""
        self.P = aslinearoperator(P)
        self._started(y, show)
        self.POp = self._operator @ self.P

    def _print_setup(self, *args: Any, **kwargs: Any) -> None:
        print(f"Prec={self.P}\n{'-' * self._width}")

    def run(self, x: Any, engine: str = "scipy", show: bool = False, **kwargs_solver: Any) -> Any:
        """Solves from the initial guess `x` of p, or None; results as of `lopsar.preconditioned_inversion`."""
        found, *rest = self._least_squares(self.POp, self.y, x, engine, show, kwargs_solver)
        return self.P.matvec(found), *rest

    def solve(self, y: Any, P: Any, x0: Any = None, engine: str = "scipy", show: bool = False,
              **kwargs_solver: Any) -> tuple[np.ndarray, int, int, float, float]:
        """All stages; parameters and results as in `lopsar.preconditioned_inversion`, with x flat."""
        self.setup(y, P, show)
        result = self.run(x0, engine, show, **kwargs_solver)
        self.finalize(show=show)
        return result
