"""Shapes of fields."""

from __future__ import annotations

import operator
from typing import Any

from . import _core

__all__ = ["is_short", "shape_of"]

SMALL = 256    # rows and columns up to which a dense matrix is pixelwise; a larger one is quicker by BLAS
SHORT = 4096   # rows and columns up to which an operator on flat vectors is pixelwise; longer vectors are fields


def shape_of(dims: Any, name: str = "dims") -> tuple[int, ...]:
    """`dims`, an integer or several, as a shape."""
    try:
        shape = tuple(operator.index(n) for n in (dims if hasattr(dims, "__iter__") else (dims,)))
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise _core.InvalidArgument(f"{name}: expected integers of 1 or more, got {dims!r}")
    return shape


def is_short(*dims: tuple[int, ...]) -> bool:
    """Whether all of them are flat, and short together."""
    return all(len(d) == 1 for d in dims) and sum(d[0] for d in dims) <= SHORT
