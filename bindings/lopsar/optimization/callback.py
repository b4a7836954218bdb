"""Objects that watch a solver, and that may stop it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import InvalidArgument
from ..linear_operator import aslinearoperator
from ..utils import metrics

if TYPE_CHECKING:
    from .basesolver import Solver

__all__ = ["Callbacks", "CostNanInfCallback", "CostToDataCallback", "CostToInitialCallback", "MetricsCallback"]


class Callbacks:
    """Methods that a solver calls before and after `setup`, every `step`, and `run`, each with the solver and the solution so far.

    Derive from it and replace what you need. One that sets ``self.stop = True`` ends the run.
    """

    def __init__(self) -> None:
        pass

    def on_setup_begin(self, solver: Solver, x0: Any) -> None:
        """Before `setup`, with the initial guess or None."""

    def on_setup_end(self, solver: Solver, x: Any) -> None:
        """After `setup`."""

    def on_step_begin(self, solver: Solver, x: Any) -> None:
        """Before every step."""

    def on_step_end(self, solver: Solver, x: Any) -> None:
        """After every step."""

    def on_run_begin(self, solver: Solver, x: Any) -> None:
        """Before the first step of a run."""

    def on_run_end(self, solver: Solver, x: Any) -> None:
        """After the last one."""


class MetricsCallback(Callbacks):
    """Keeps how far the solution is from the truth, after every step.

    Parameters
    ----------
    xtrue : array
    Op : operator, optional
        Applied to the solution first.
    which : sequence of {"mae", "mse", "snr", "psnr"}

    Attributes
    ----------
    metrics : dict of str to list of float
    """

    def __init__(self, xtrue: Any, Op: Any = None, which: Sequence[str] = ("mae", "mse", "snr", "psnr")) -> None:
        unknown = set(which) - {"mae", "mse", "snr", "psnr"}
        if unknown:
            raise InvalidArgument(f"MetricsCallback: expected which of 'mae', 'mse', 'snr', 'psnr', got {sorted(unknown)}")
        self.xtrue, self.Op, self.which = np.asarray(xtrue), Op, tuple(which)
        self.metrics: dict[str, list[float]] = {name: [] for name in self.which}

    def on_step_end(self, solver: Solver, x: Any) -> None:
        """Adds one value to each of `metrics`."""
        seen = np.asarray(x).reshape(-1) if self.Op is None else aslinearoperator(self.Op).matvec(np.asarray(x).reshape(-1))
        for name in self.which:
            self.metrics[name].append(getattr(metrics, name)(self.xtrue.reshape(-1), seen))


class _Stopping(Callbacks):
    """Ends a run by what the cost of the solver says."""

    def __init__(self) -> None:
        self.stop = False

    def on_setup_begin(self, solver: Solver, x0: Any) -> None:
        """A solver starts anew, and so does its callback."""
        self.stop = False

    def on_step_end(self, solver: Solver, x: Any) -> None:
        """Stops where the rule holds."""
        self.stop = self._reached(solver)

    def _reached(self, solver: Solver) -> bool:
        raise NotImplementedError


class CostNanInfCallback(_Stopping):
    """Stops where the cost is NaN or infinite. Solvers of lopsar raise `InvalidArgument` then; this is for others."""

    def __init__(self) -> None:
        super().__init__()

    def _reached(self, solver: Solver) -> bool:
        return not math.isfinite(solver.cost[-1])


class CostToDataCallback(_Stopping):
    """Stops where the cost is below `rtol` times the norm of the data."""

    def __init__(self, rtol: float) -> None:
        super().__init__()
        self.rtol = rtol

    def on_setup_end(self, solver: Solver, x: Any) -> None:
        """Measures the data."""
        self.ynorm = float(np.linalg.norm(np.asarray(solver.y).reshape(-1)))

    def _reached(self, solver: Solver) -> bool:
        return solver.cost[-1] < self.rtol * self.ynorm


class CostToInitialCallback(_Stopping):
    """Stops where the cost is below `rtol` times the first."""

    def __init__(self, rtol: float) -> None:
        super().__init__()
        self.rtol = rtol

    def _reached(self, solver: Solver) -> bool:
        return solver.cost[-1] < self.rtol * solver.cost[0]
