"""Decorators for the methods of operators and for solvers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..config import disabled_ndarray_multiplication

__all__ = ["add_ndarray_support_to_solver", "count", "disable_ndarray_multiplication", "reshaped"]


def disable_ndarray_multiplication(func: Callable[..., Any]) -> Callable[..., Any]:
    """Run `func` where ``A @ x`` takes only vectors and columns."""
    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with disabled_ndarray_multiplication():
            return func(*args, **kwargs)
    return wrapper


def add_ndarray_support_to_solver(func: Callable[..., Any]) -> Callable[..., Any]:
    """Let a solver ``func(A, b, ..., x0=None) -> (x, ...)`` of flat arrays take `b` and `x0` of any shape; x has the shape `A.dims`, unless `x0`
    is flat or `A.forceflat`."""
    @wraps(func)
    def wrapper(A: Any, b: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        x0 = kwargs.get("x0")
        flat = bool(getattr(A, "forceflat", None)) or (x0 is not None and x0.ndim == 1)
        if x0 is not None:
            kwargs["x0"] = x0.ravel()
        with disabled_ndarray_multiplication():
            x, *rest = func(A, b.ravel(), *args, **kwargs)
        return (x if flat else x.reshape(getattr(A, "dims", (A.shape[1],))), *rest)
    return wrapper


def _is_forward(name: str) -> bool:
    return "rmat" not in name and name not in ("div", "__truediv__")


def reshaped(func: Callable[..., Any] | None = None, forward: bool | None = None, swapaxis: bool = False, axis: int = -1) -> Callable[..., Any]:
    """Give a method its flat input in the shape `dims` (of an adjoint: `dimsd`), and flatten what it returns.

    Parameters
    ----------
    func : callable, optional
        The method, where the decorator is written without arguments.
    forward : bool, optional
        Whether it is the forward map. Default: its name tells ("rmat" in it: adjoint).
    swapaxis : bool
        Swap `self.axis` with `axis` before, and back after.
    axis : int
    """
    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        side = "dims" if (_is_forward(method.__name__) if forward is None else forward) else "dimsd"

        @wraps(method)
        def wrapper(self: Any, x: Any) -> Any:
            x = x.reshape(getattr(self, side))
            if not swapaxis:
                return method(self, x).ravel()
            return method(self, x.swapaxes(self.axis, axis)).swapaxes(self.axis, axis).ravel()
        return wrapper
    return decorate if func is None else decorate(func)


def count(func: Callable[..., Any] | None = None, forward: bool | None = None, matmat: bool = False) -> Callable[..., Any]:
    """Count the calls of a method in `matvec_count`, `rmatvec_count`, `matmat_count` or `rmatmat_count`.

    Parameters
    ----------
    func : callable, optional
        The method, where the decorator is written without arguments.
    forward : bool, optional
        Whether it is the forward map. Default: its name tells ("rmat" in it: adjoint).
    matmat : bool
        Whether it takes columns.
    """
    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        ahead = _is_forward(method.__name__) if forward is None else forward
        counter = ("" if ahead else "r") + ("matmat" if matmat else "matvec") + "_count"

        @wraps(method)
        def wrapper(self: Any, x: Any) -> Any:
            y = method(self, x)
            setattr(self, counter, getattr(self, counter) + 1)
            return y
        return wrapper
    return decorate if func is None else decorate(func)
