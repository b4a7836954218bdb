"""NumPy arrays as the core wants them: a floating type, pixels contiguous."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core

__all__ = ["at_least_one", "columns", "floating", "in_precision", "number", "plain"]

INT, SIZE = 2**31 - 1, 2**63 - 1   # largest counts of the core, and of its numbers of pixels


def at_least_one(value: int | None, name: str, most: int = INT) -> int:
    """A count for the core, where 0 leaves the choice to it."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= most:
        what = "of 1 or more" if not isinstance(value, (int, np.integer)) or value < 1 else f"from 1 to {most}"
        raise _core.InvalidArgument(f"{name}: expected an integer {what}, or None, got {value!r}")
    return int(value)


def number(value: Any, name: str, what: str = "a finite number", fits: Any = np.isfinite) -> float:
    """A real number for the core."""
    try:
        made = None if isinstance(value, (bool, np.bool_, str, bytes)) else float(value)
    except (TypeError, ValueError):
        made = None
    if made is None or not fits(made):
        raise _core.InvalidArgument(f"{name}: expected {what}, got {value!r}")
    return made


def plain(array: Any, name: str) -> np.ndarray:
    """`array` as a NumPy array; masked values are refused, as the mask would be lost."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise _core.InvalidArgument(f"{name}: expected an array without masked values, got a masked one; fill it first, x.filled(np.nan)")
    return np.asarray(array)


def floating(array: Any, name: str) -> np.ndarray:
    """`array` as float32 or float64: integers become float64, float16 and complex are refused."""
    array = plain(array, name)
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype not in (np.float32, np.float64):
        raise _core.InvalidArgument(f"{name}: expected float32 or float64, got {array.dtype}; convert it")
    return array


def in_precision(array: Any, dtype: Any, name: str) -> np.ndarray:
    """`array` as `floating` has it, then in `dtype`, float32 or float64, unless it is None."""
    array = floating(array, name)
    if dtype is None:
        return array
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        wanted = None
    if wanted not in (np.float32, np.float64):
        raise _core.InvalidArgument(f"dtype: expected float32, float64 or None, got {dtype!r}")
    return array.astype(wanted, copy=False)


def columns(array: np.ndarray) -> np.ndarray:
    """(rows, ...) as (rows, pixels) with contiguous rows, copied only if it must be."""
    flat = array.reshape(array.shape[0], int(np.prod(array.shape[1:])))
    rows, pixels = flat.strides
    fits = rows >= 0 and rows % flat.itemsize == 0 and (flat.shape[1] <= 1 or pixels == flat.itemsize)
    return flat if fits else flat.copy(order="C")
