"""Arrays of other libraries in, the same kind out: DLPack (PyTorch, JAX) without copies, and xarray with its names."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["applied", "exported"]


def applied(op: Any, x: Any) -> Any:
    """``op @ x`` as an array of the library of `x`."""
    xarray = sys.modules.get("xarray")
    if xarray is not None and isinstance(x, xarray.DataArray):
        return _labelled(op, x)
    if hasattr(x, "__dlpack__"):
        return exported(op.dot(np.from_dlpack(x)), x)
    return op.dot(np.asarray(x))


def exported(y: np.ndarray, like: Any) -> Any:
    """`y` as an array of the library of `like`, sharing its memory where that library can."""
    library = like.__array_namespace__() if hasattr(like, "__array_namespace__") else sys.modules[type(like).__module__.partition(".")[0]]
    return library.from_dlpack(y)


def _labelled(op: Any, x: Any) -> Any:
    """The result for a DataArray: further axes keep their names and coordinates, the first ones get those that the operator knows."""
    (name_in, _, _), (name_out, values_out, more_out) = op._axis("dims"), op._axis("dimsd")
    if name_in in x.dims and x.dims[0] != name_in:
        x = x.transpose(name_in, ...)
    y = op.dot(x.values)
    own = len(op.dims) if x.shape[:len(op.dims)] == op.dims else 1   # axes of x that are the model; the others are columns
    kept = x.dims[own:]
    made = y.shape[:y.ndim - len(kept)]
    names = list(x.dims[:own]) if len(made) == own else [f"data_{i}" for i in range(len(made))]
    if name_out is not None or made[:1] != x.shape[:1]:
        names[0] = name_out or "data"
    names += kept
    coords = {name: c for name, c in x.coords.items() if set(c.dims) <= set(names) and all(x.sizes[d] == y.shape[names.index(d)] for d in c.dims)}
    if values_out is not None and len(values_out) == made[0]:
        coords[names[0]] = values_out
        coords.update({key: (names[0], list(values)) for key, values in more_out.items()})
    # An operator works in the unit of what it is given.
    return type(x)(y, dims=names, coords=coords, name=x.name, attrs=x.attrs)
