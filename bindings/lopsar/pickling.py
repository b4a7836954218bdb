"""Operators in other processes: pickle and copy. What lives in C++ is made again from what it was made of.

A composed operator keeps its operands and the name of the operation, an operator of lopsar the arguments of its constructor, and one written
in Python is its attributes. Arrays are kept by reference, never twice; only small ones are copied, so that changing them later does not
change what is pickled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["copied", "deep_copied", "reduced", "remember_constructor", "restored"]

_SMALL = 1 << 16   # bytes
_CACHES = ("_native", "_apply", "_quick", "_turns", "_made", "_identified")
_LABELS = ("dtype", "name", "_given_dims", "_given_dimsd", "_forceflat", "clinear", "explicit", "_axes")


def remember_constructor(cls: Any) -> None:
    """Let operators of a class remember the arguments that they were constructed with."""
    init = cls.__dict__.get("__init__")
    if init is None:
        return

    @functools.wraps(init)
    def remembering(self: Any, *args: Any, **kwargs: Any) -> None:
        if "_made" in self.__dict__:   # a constructor of a base class
            return init(self, *args, **kwargs)
        args, kwargs = tuple(map(_lasting, args)), {key: _lasting(a) for key, a in kwargs.items()}
        self._made = (type(self), tuple(map(_as_given, args)), {key: _as_given(a) for key, a in kwargs.items()})
        init(self, *args, **kwargs)
        if not _ours(self) and (getattr(self, "_native", None) is None or hasattr(self, "Op")):
            del self._made   # its attributes say all

    cls.__init__ = remembering


def _lasting(value: Any) -> Any:
    return list(value) if isinstance(value, Iterator) else value   # which can be read only once


def _as_given(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.nbytes <= _SMALL:
        return value.copy()
    return list(value) if type(value) is list else value


def _ours(op: Any) -> bool:
    return bool(type(op).__module__.partition(".")[0] == __package__)


def _attributes(op: Any) -> dict[str, Any]:
    return {key: value for key, value in op.__dict__.items() if key not in _CACHES and type(value).__module__ != f"{__package__}._core"}


def reduced(op: Any) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """For pickle: a function, its arguments, and what `restored` adds."""
    labels = {key: op.__dict__[key] for key in _LABELS if key in op.__dict__}
    done, of = op._undo
    if done is not None:
        return _turned, (of, done, op.dims, op.dimsd), labels
    if op._composition is not None:
        return _composed, (op._composition, op._operands, op.dtype, op._given_dims, op._given_dimsd, op._forceflat), labels
    if "_made" in op.__dict__:
        return _constructed, op._made, labels if _ours(op) else _attributes(op)
    if op._native is not None and not hasattr(op, "Op") and not op._overrides("pattern"):
        raise TypeError(f"pickle: expected an operator that knows how it was made, got {op!r} from the private module; make it by its class")
    return _bare, (type(op),), _attributes(op)


def restored(op: Any, state: dict[str, Any]) -> None:
    """What pickle does last."""
    op.__dict__.update(state)
    if op._native is None and hasattr(op, "Op") and not getattr(op.Op, "_replaced", False):
        op._native = getattr(op.Op, "_native", None)
    op._check_dims()


def copied(op: Any) -> Any:
    """A copy with labels and counters of its own; it shares what was never to change."""
    other = _bare(type(op))
    other.__dict__.update({key: value for key, value in op.__dict__.items() if key != "_turns"})
    return other


def deep_copied(op: Any, memo: dict[int, Any]) -> Any:
    """As `copied`, but one written in Python may hold anything: all its attributes are copied."""
    from copy import deepcopy
    if _ours(op) or "_made" in op.__dict__:
        return copied(op)
    memo[id(op)] = other = _bare(type(op))
    restored(other, {key: deepcopy(value, memo) for key, value in _attributes(op).items()})
    return other


def _bare(cls: Any) -> Any:
    return object.__new__(cls)


def _constructed(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return cls(*args, **kwargs)


def _composed(*made_of: Any) -> Any:
    from .linear_operator import _composed
    return _composed(*made_of)


def _turned(of: Any, how: str, dims: tuple[int, ...], dimsd: tuple[int, ...]) -> Any:
    return of._turned(how, dims, dimsd)
