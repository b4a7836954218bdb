"""Whether ``A @ x`` takes and returns nd-arrays (it does), as PyLops lets one choose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

__all__ = ["disabled_ndarray_multiplication", "enabled_ndarray_multiplication", "get_ndarray_multiplication", "set_ndarray_multiplication"]

_enabled = ContextVar("lopsar_ndarray_multiplication", default=True)   # each thread has its own


def get_ndarray_multiplication() -> bool:
    """Whether ``A @ x`` takes arrays of shape `dims`."""
    return _enabled.get()


def set_ndarray_multiplication(val: bool) -> None:
    """Let ``A @ x`` take arrays of shape `dims` (True), or only vectors and columns (False), in this thread."""
    _enabled.set(bool(val))


@contextmanager
def _set(val: bool) -> Iterator[bool]:
    before = _enabled.get()
    _enabled.set(val)
    try:
        yield before
    finally:
        _enabled.set(before)


def enabled_ndarray_multiplication() -> AbstractContextManager[bool]:
    """Context in which ``A @ x`` takes arrays of shape `dims`."""
    return _set(True)


def disabled_ndarray_multiplication() -> AbstractContextManager[bool]:
    """Context in which ``A @ x`` takes only vectors and columns."""
    return _set(False)
