"""The part of ``pylops.utils.backend`` that scripts on NumPy arrays use."""

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from numpy.lib.array_utils import normalize_axis_index
except ImportError:   # NumPy 1
    from numpy.core.multiarray import normalize_axis_index  # type: ignore[no-redef]

__all__ = [
    "get_array_module", "get_module", "get_module_name", "get_normalize_axis_index", "inplace_add", "inplace_divide", "inplace_multiply",
    "inplace_set", "to_numpy",
]


def get_module(backend: str = "numpy") -> Any:
    """The array module of a backend: NumPy is the only one."""
    if backend != "numpy":
        raise ValueError(f"expected backend 'numpy', got {backend!r}")
    return np


def get_module_name(mod: Any) -> str:
    """The name of an array module."""
    if mod is not np:
        raise ValueError(f"expected NumPy, got {mod!r}")
    return "numpy"


def get_array_module(x: Any) -> Any:
    """The module of an array: NumPy."""
    return np


def to_numpy(x: Any) -> np.ndarray:
    """`x` as a NumPy array."""
    return np.asarray(x)


def get_normalize_axis_index() -> Callable[[int, int], int]:
    """The function that makes an axis of n axes non-negative: NumPy's."""
    return normalize_axis_index


def inplace_set(x: Any, y: np.ndarray, idx: Any) -> np.ndarray:
    """`y` after ``y[idx] = x``."""
    y[idx] = x
    return y


def inplace_add(x: Any, y: np.ndarray, idx: Any, accumulate: bool = False) -> np.ndarray:
    """`y` after ``y[idx] += x``; with `accumulate` an index that repeats adds as often."""
    if accumulate:
        np.add.at(y, idx, x)
    else:
        y[idx] += x
    return y


def inplace_multiply(x: Any, y: np.ndarray, idx: Any) -> np.ndarray:
    """`y` after ``y[idx] *= x``."""
    y[idx] *= x
    return y


def inplace_divide(x: Any, y: np.ndarray, idx: Any) -> np.ndarray:
    """`y` after ``y[idx] /= x``."""
    y[idx] /= x
    return y
