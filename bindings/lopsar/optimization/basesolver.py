"""What iterative solvers have in common."""

from __future__ import annotations

import functools
import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from .._core import InvalidArgument

__all__ = ["Solver"]

_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


class Solver(ABC):
    """An iterative solver in stages: `setup`, any number of `step`, or `run`, and `finalize`; `solve` is all of them.

    Derive from it to write one's own: `callbacks` then work by themselves.

    Parameters
    ----------
    Op : operator
    callbacks : list of Callbacks, optional
        Their ``on_setup_begin(solver, x)`` and so on are called before and after each stage. A run ends when one of them has ``stop`` true.

    Attributes
    ----------
    iiter : int
        Steps done.
    preallocate : bool
        Whether `step` changes x in place.
    tstart, tend, telapsed : float
        Seconds.
    """

    y: Any
    cost: Any
    preallocate = False

    def __init__(self, Op: Any, callbacks: Any = None) -> None:
        self.Op = Op
        self.callbacks = callbacks
        self._registercallbacks()
        self.iiter = 0
        self.tstart = time.time()

    def _registercallbacks(self) -> None:
        if self.callbacks is None:
            return
        if not isinstance(self.callbacks, (list, tuple)):
            self.callbacks = [self.callbacks]
        for name in ("setup", "step", "run"):
            setattr(self, name, self._watched(name, getattr(self, name)))

    def _watched(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method between the calls of the callbacks."""
        x_name = "x0" if name == "setup" else "x"
        signature = inspect.signature(method)

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            before = signature.bind(*args, **kwargs).arguments.get(x_name)
            for callback in self.callbacks:
                getattr(callback, f"on_{name}_begin")(self, before)
            result = method(*args, **kwargs)
            after = result[0] if isinstance(result, tuple) else result
            for callback in self.callbacks:
                getattr(callback, f"on_{name}_end")(self, after)
            return result
        return call

    def _stopped(self) -> bool:
        """Whether a callback wants the run to end."""
        return any(getattr(callback, "stop", False) for callback in self.callbacks or ())

    def _setpreallocate(self, preallocate: bool) -> None:
        self.preallocate = bool(preallocate)

    def _print_solver(self, text: str = "", nbar: int = 80) -> None:
        print(f"{type(self).__name__}{text}\n{'-' * nbar}\nThe Operator Op has {self.Op.shape[0]} rows and {self.Op.shape[1]} cols")

    def _print_setup(self, *args: Any, **kwargs: Any) -> None:   # noqa: B027
        """Prints what a run starts from."""

    def _print_step(self, *args: Any, **kwargs: Any) -> None:   # noqa: B027
        """Prints a step."""

    def _print_finalize(self, *args: Any, nbar: int = 80, **kwargs: Any) -> None:
        print(f"\nIterations = {self.iiter}        Total time (s) = {self.telapsed:.2f}\n{'-' * nbar}\n")

    def _memory(self, values: int, show: bool, unit: str) -> float:
        """Memory of so many values in the precision of the operator's dtype."""
        if unit not in _UNITS:
            raise InvalidArgument(f"memory_usage: expected unit 'B', 'KB', 'MB' or 'GB', got {unit!r}")
        memory = values * self.Op.dtype.itemsize / _UNITS[unit]
        if show:
            print(f"{type(self).__name__} predicted memory usage: {memory:.2f} {unit}")
        return memory

    def memory_usage(self, show: bool = False, unit: Any = "B") -> float:
        """The memory that the solver will take."""
        raise NotImplementedError(f"{type(self).__name__} does not say how much memory it takes")

    @abstractmethod
    def setup(self, y: Any, *args: Any, preallocate: bool = False, show: bool = False, **kwargs: Any) -> Any:
        """Prepares the first step for the data `y`; returns x."""

    @abstractmethod
    def step(self, x: Any, *args: Any, show: bool = False, **kwargs: Any) -> Any:
        """One step from `x`; returns the next."""

    @abstractmethod
    def run(self, x: Any, *args: Any, show: bool = False, **kwargs: Any) -> Any:
        """Steps until a rule ends it; returns x."""

    def finalize(self, *args: Any, show: bool = False, **kwargs: Any) -> Any:
        """What belongs after the last step."""
        self.tend = time.time()
        self.telapsed = self.tend - self.tstart
        if show:
            self._print_finalize()

    @abstractmethod
    def solve(self, y: Any, *args: Any, show: bool = False, **kwargs: Any) -> Any:
        """All stages; returns a tuple with x first."""

    def callback(self, x: Any, *args: Any, **kwargs: Any) -> None:   # noqa: B027
        """Called after every step of a run; does nothing unless replaced."""
