"""The part of ``pylops.utils.backend`` that scripts on NumPy arrays use."""

from typing import Any

import numpy as np

__all__ = ["get_array_module", "get_module", "get_module_name", "to_numpy"]


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
