"""Iterative solves step by step."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import _core
from .array_like import ndarray
from .arrays import at_least_one, columns, in_precision
from .identifiability import names, warn
from .solve import DIFFERENTIATE, Labels, Solution, pixelwise, prepared, with_labels

__all__ = ["IterativeSolve"]


class IterativeSolve:
    r"""CG, CGLS or LSQR of `solve`, step by step: what `solve` does at once, with the same bits.

    Every pixel has step lengths, a stop and a report of its own. The vectors of all pixels stay in memory: 4 K + 5 n + 14
    values per pixel, copies of y and of weights among them; of "lsqr" n more with a preconditioner and n more with damping; 2 per row of a
    prior; and fields, factors of the preconditioner, histories.

    Parameters
    ----------
    A : pixelwise operator or matrix, (K, n)
    method : {"cgls", "cg", "lsqr"}

    Attributes
    ----------
    iteration : int
        Steps so far.
    max_iterations : int
    running : int
        Pixels that neither converged nor broke down nor reached the limit.
    cost : list of (...) arrays
        Norm of the residual, with priors and damping, at the start and after each step; NaN where there is nothing to solve.

    Raises
    ------
    InvalidArgument
        Another method, a scene or complex operator, a step before `setup`, a call while another thread uses it.

    Examples
    --------
    >>> s = lopsar.IterativeSolve(A, "lsqr")          # doctest: +SKIP
    >>> s.setup(y, weights, tol=1e-4)                 # doctest: +SKIP
    >>> while s.step():                               # doctest: +SKIP
    ...     print(s.iteration, s.running)
    >>> solution = s.finalize()                       # doctest: +SKIP
    """

    def __init__(self, A: Any, method: str = "cgls") -> None:
        self._op = pixelwise(A, "IterativeSolve")
        self._method = method
        self._cores = {np.dtype(np.float32): _core.IterativeSolve32, np.dtype(np.float64): _core.IterativeSolve64}
        self._core: Any = self._cores[np.dtype(np.float64)](self._op._node(), method)   # which checks the method
        self._tail: tuple[int, ...] | None = None
        self._template: Any = None   # y with its labels
        self.cost: list[np.ndarray] = []
        self._lock = threading.RLock()   # the core runs without Python's lock; a callback may use what its own thread holds

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            raise _core.InvalidArgument("IterativeSolve: expected to be used by one thread at a time, got a call while it is in use by another "
                                        "thread; make one for each")
        try:
            yield
        finally:
            self._lock.release()

    def setup(self, y: Any, weights: Any = None, *, prior: Any = None, x0: Any = None, damp: float = 0.0, tol: float = 1e-6,
              atol: float | None = None, btol: float | None = None, conlim: float = 1e8, max_iterations: int | None = None,
              preconditioner: Any = "auto", history: bool = False, variances: bool = False, arithmetic: str = "auto", dtype: Any = None,
              threads: int | None = None) -> np.ndarray:
        """Take data and options as `solve` does, and begin anew.

        Returns
        -------
        (n, ...)
            x0.
        """
        with self._alone():
            labels = Labels(self._op, y, "IterativeSolve")
            y, weights, x0, prior = labels.y, labels.weights(weights), labels.unknowns(x0, "x0"), labels.priors(prior)
            values = in_precision(ndarray(y, "IterativeSolve: y", DIFFERENTIATE), dtype, "y")
            options = prepared(self._op, values, weights, method=self._method, prior=prior, x0=x0, damp=damp, tol=tol, atol=atol, btol=btol,
                               conlim=conlim, max_iterations=max_iterations, preconditioner=preconditioner, arithmetic=arithmetic,
                               threads=threads)
            if not damp:
                warn(self._op, prior)
            core: Any = self._cores[values.dtype](self._op._node(), self._method)
            core.setup(columns(values), options, history)
            self._core = core   # complete, or the one before
            self._template = labels.template
            self._dtype, self._tail, self._history, self._variances = values.dtype, values.shape[1:], history, variances
            self.cost = [self._norms()]
            return self.solution().x

    def step(self) -> int:
        """One more iteration of every pixel that runs; returns how many still run."""
        return self.run(1)

    def run(self, iterations: int | None = None, callback: Callable[[IterativeSolve], Any] | None = None) -> int:
        """Up to so many steps (default: until nothing runs); returns how many pixels still run.

        Parameters
        ----------
        iterations : int, optional
            1 or more.
        callback : function(self), optional
            Called after each step; False stops.
        """
        self._check()
        left = at_least_one(iterations, "iterations") or self._core.max_iterations
        if callback is not None and not callable(callback):
            raise _core.InvalidArgument(f"IterativeSolve: expected callback as a function(solver) or None, got {callback!r}")
        with self._alone():
            self._note()
            running = self._core.running
            while left > 0 and running > 0:
                try:
                    running = self._core.run(1)
                finally:   # Ctrl-C is raised when the step is done
                    self._note()
                left -= 1
                answer = None if callback is None else callback(self)
                if isinstance(answer, (bool, np.bool_)) and not answer:
                    break
            return running

    @property
    def iteration(self) -> int:
        """Steps so far."""
        return self._core.iteration if self._tail is not None else 0

    @property
    def max_iterations(self) -> int:
        """Steps at which pixels stop as not converged."""
        self._check()
        return self._core.max_iterations

    @property
    def running(self) -> int:
        """Pixels that neither converged nor broke down nor reached the limit."""
        self._check()
        return self._core.running

    def solution(self) -> Solution:
        """The state as it is; ``Status.not_converged`` where a pixel still runs."""
        with self._alone():
            return self._solution()

    def _solution(self) -> Solution:
        tail = self._check()
        n, pixels = self._op.shape[1], int(np.prod(tail))
        out: dict[str, np.ndarray] = {
            "x": np.empty((n, pixels), self._dtype), "status": np.empty(pixels, np.uint8), "rank": np.empty(pixels, np.int32),
            "valid": np.empty(pixels, np.int32), "iterations": np.empty(pixels, np.int32), "residual_norm": np.empty(pixels, self._dtype)}
        if self._variances:
            out["variances"] = np.empty((n, pixels), self._dtype)
        if self._history:
            out["history"] = np.empty((self._core.max_iterations + 1, pixels), self._dtype)
        self._core.read(out)
        if self._history:
            out["history"] = out["history"][:self._core.iteration + 1]
        method, arithmetic = self._core.report
        found = Solution(**{name: values.reshape((*values.shape[:-1], *tail)) for name, values in out.items()}, method=method,
                         arithmetic=arithmetic, parameters=names(self._op))
        return found if self._template is None else with_labels(self._op, self._template, found)

    def finalize(self) -> Solution:
        """The state, last of all."""
        return self.solution()

    def solve(self, y: Any, weights: Any = None, *, callback: Callable[[IterativeSolve], Any] | None = None, **options: Any) -> Solution:
        """`setup`, `run` and `finalize`."""
        self.setup(y, weights, **options)
        self.run(callback=callback)
        return self.finalize()

    def _check(self) -> tuple[int, ...]:
        if self._tail is None:
            raise _core.InvalidArgument("IterativeSolve: expected setup(y, ...) first, got none; call it")
        return self._tail

    def _note(self) -> None:
        """The cost of a step that has none yet."""
        if self._core.iteration >= len(self.cost):
            self.cost.append(self._norms())

    def _norms(self) -> np.ndarray:
        tail = self._check()
        norms = np.empty(int(np.prod(tail)), self._dtype)
        self._core.residual_norms(norms)
        return norms.reshape(tail)
