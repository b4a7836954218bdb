"""Arrays of other libraries in, the same kind out: DLPack (PyTorch, JAX) without copies, and xarray with its names."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import _core
from .time_axis import date_key

__all__ = ["applied", "arranged", "arrangement", "axis", "exported", "is_foreign", "is_labelled", "ndarray", "on_grid", "ordered", "relabelled"]


def is_foreign(x: Any) -> bool:
    """Whether `x` is an array of a library that NumPy knows only through DLPack."""
    return hasattr(x, "__dlpack__") and not isinstance(x, (np.ndarray, np.generic))


def is_labelled(x: Any) -> bool:
    """Whether `x` is a DataArray of xarray."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(x, xarray.DataArray)


def applied(op: Any, x: Any) -> Any:
    """``op @ x`` as an array of the library of `x`."""
    if is_labelled(x):
        return _labelled(op, x)
    return exported(op.dot(ndarray(x)), x) if is_foreign(x) else op.dot(np.asarray(x))


def ndarray(x: Any, name: str = "A @ x", instead: str = "lopsar.torch.apply(A, x), whose gradient is the adjoint") -> np.ndarray:
    """The values of an array of any library, without a copy where that library shares its memory."""
    if not is_foreign(x):
        return x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)   # a mask is left for `plain` to see
    if getattr(x, "requires_grad", False):
        raise _core.InvalidArgument(f"{name}: expected a tensor without a gradient, got one that requires it; use {instead}, or .detach() it")
    if "bfloat16" in str(x.dtype):
        raise _core.InvalidArgument(f"{name}: expected float32, float64 or their complex numbers, got bfloat16; convert it")
    for resolved in ("resolve_conj", "resolve_neg"):   # views that PyTorch negates or conjugates only when it reads them
        x = getattr(x, resolved)() if hasattr(x, resolved) else x
    try:
        return np.from_dlpack(x)
    except (BufferError, RuntimeError, TypeError) as error:   # on a device, sparse, or only traced
        raise _core.InvalidArgument(f"{name}: expected values in the memory of this computer, got {type(x).__name__} ({str(error).splitlines()[0]}); "
                                    "copy it to the CPU as a dense array, or use lopsar.jax.apply or lopsar.torch.apply inside transformations"
                                    ) from error


def exported(y: np.ndarray, like: Any) -> Any:
    """`y` as an array of the library of `like`, sharing its memory where that library can."""
    library = like.__array_namespace__() if hasattr(like, "__array_namespace__") else sys.modules[type(like).__module__.partition(".")[0]]
    return library.from_dlpack(y)


# -- labels -----------------------------------------------------------------------------------------------------------
def axis(op: Any, side: str) -> tuple[str | None, Any, dict[str, Any]]:
    """Name, values and further coordinates of the first axis of the model ("dims") or of the data ("dimsd"), where the operator knows them."""
    done, of = op._undo
    if done is not None:
        return axis(of, side if done == "conjugate" else _OTHER[side])
    named = op.parameters if side == "dims" else []
    if side in op._axes:
        units = [unit for _, unit in named]
        return (*op._axes[side], {"unit": units} if any(units) else {})
    parts = _parts(op, side)
    if parts is None:
        return ("parameter", [name for name, _ in named], {"unit": [unit for _, unit in named]}) if named else _UNKNOWN
    for part in parts:
        known = axis(part, side)
        # What leaves the axis as it is tells nothing about it. Beyond any other factor of a product the axis is another one.
        if known[0] is not None or (passes(part) != "all" and not op._alike):
            return known
    return _UNKNOWN


_OTHER = {"dims": "dimsd", "dimsd": "dims"}
_UNKNOWN: tuple[None, None, dict[str, Any]] = (None, None, {})


def _parts(op: Any, side: str) -> Any:
    """The operators, nearest first, that may know the axis of a composed one; None where it is no composed one."""
    shared = getattr(op, "_shared", None)
    if shared is not None:
        return op.ops if shared == (side,) else None
    if op._composition is not None:
        return op._operands if side == "dimsd" else op._operands[::-1]
    inner = getattr(op, "Op", None)
    return [inner] if hasattr(inner, "_axes") else None


def passes(op: Any) -> str | None:
    """Which axes an operator hands on with their labels: "all", the "rest" after the first, or None."""
    done, of = op._undo
    if done is not None:
        return passes(of)
    if op._passes is not None:
        return op._passes if op.dims == op.dimsd or op._passes == "rest" else None
    inner = getattr(op, "Op", None)
    parts = op.ops if hasattr(op, "_shared") else op._operands if op._composition is not None else [inner] if hasattr(inner, "_axes") else None
    if parts is None:   # a pixelwise operator maps the first axis, whatever grid it is put on
        return "rest" if len(op.dims) == 1 and op.pixelwise else None
    answers = {passes(part) for part in parts}
    if None in answers:
        return None
    return "all" if answers == {"all"} and not hasattr(op, "_shared") else "rest"


def _key(name: str, value: Any) -> str:
    """A label in one form, so that the same dates are equal however they are written."""
    if name == "parameter":
        return str(value)
    if name == "date":
        return date_key(value)
    return "_".join(map(date_key, value if isinstance(value, tuple) else str(value).split("_")))


def _order(who: str, x: Any, along: str, name: str, values: Any) -> list[int] | None:
    """Where the labels of an axis of `x` stand in the order of `values`; None where there are none, or they are in this order."""
    if values is None or name not in x.coords or x.coords[name].dims != (along,):   # (x.coords[name] counts where there is none)
        return None
    labels = x.coords[name]
    wanted, got = [_key(name, value) for value in values], [_key(name, value) for value in labels.values]
    if got == wanted:
        return None
    if len(set(got)) == len(got) and sorted(got) == sorted(wanted):
        return [got.index(value) for value in wanted]
    missing, more = [v for v in wanted if v not in got], [v for v in got if v not in wanted]
    differ = "; ".join(f"{what} {', '.join(some[:3])}{' ...' if len(some) > 3 else ''}"
                       for what, some in (("without", missing), ("also", more)) if some)
    help_ = (f"do x.sel({name}=...) with those of the operator" if not missing and more
             else f"build the operator for these, or x.drop_vars({name!r}) if the labels are wrong")
    raise _core.InvalidArgument(f"{who}: expected {name}s {_span(wanted)}, got {_span(got)} ({differ or 'repeated'}); {help_}")


def _span(values: list[str]) -> str:
    return f"{len(values)} ({values[0]} .. {values[-1]})" if len(values) > 1 else ", ".join(values) or "none"


def _labelled(op: Any, x: Any) -> Any:
    """The result for a DataArray."""
    x = arranged(op, x)
    return relabelled(op, x, op.dot(x.values))


def ordered(op: Any, x: Any) -> Any:
    """`x` for ``op @ x``: the values of a DataArray in the order of the operator, anything else as it is."""
    return arranged(op, x).values if is_labelled(x) else x


def arrangement(op: Any, x: Any, who: str | None = None) -> tuple[int, list[int] | None]:
    """The axis of a DataArray that ``op @ x`` wants first, and where its labels stand in the order of the operator; None: as they are."""
    name, values, _ = axis(op, "dims")
    if name is None or not x.ndim:
        return 0, None
    place = x.dims.index(name) if name in x.dims else 0
    return place, _order(who or type(op).__name__, x, x.dims[place], name, values)


def arranged(op: Any, x: Any, who: str | None = None) -> Any:
    """A DataArray with the axis that the operator knows first, and its labels in the order of the operator."""
    place, order = arrangement(op, x, who)
    if place:
        x = x.transpose(x.dims[place], ...)
    return on_grid(op, x if order is None else x.isel({x.dims[0]: order}), who)


def on_grid(op: Any, x: Any, who: str | None = None) -> Any:
    """A DataArray with its pixels as the labelled fields of the operator have them."""
    for names, coords in _grids(op):
        if set(x.dims[1:]) != set(names):
            raise _core.InvalidArgument(f"{who or type(op).__name__}: expected pixels {names}, as the weights of the operator have, "
                                        f"got {x.dims[1:]}; rename or select them")
        for d in names:
            if d in x.coords and d in coords and not x.coords[d].equals(coords[d]):
                raise _core.InvalidArgument(f"{who or type(op).__name__}: expected pixels on the grid of the weights of the operator, got other "
                                            f"values of {d!r}; align them first")
        if x.dims[1:] != names:
            x = x.transpose(x.dims[0], *names)
    return x


def _grids(op: Any) -> list[Any]:
    """Names and coordinates of the pixels of an operator, or of its parts, that know them."""
    done, of = op._undo
    if done is not None:
        return _grids(of)
    parts = [op.Op] if hasattr(getattr(op, "Op", None), "_grid") else getattr(op, "ops", op._operands)
    return [*([op._grid] if op._grid else []), *(grid for part in parts if hasattr(part, "_grid") for grid in _grids(part))]


def relabelled(op: Any, x: Any, y: Any) -> Any:
    """The values ``y = op @ x`` as a DataArray: axes that the operator hands on keep their names and coordinates, the first gets those that it
    knows."""
    (_, values_in, _), (name_out, values_out, more_out) = axis(op, "dims"), axis(op, "dimsd")
    own = len(op.dims) if x.shape[:len(op.dims)] == op.dims else 1   # axes of x that are the model; the others are columns
    columns = x.dims[own:]
    made = y.shape[:y.ndim - len(columns)]
    handed = passes(op)
    if handed == "all" and len(made) == own:
        names = list(x.dims[:own])
    elif len(made) == 1 or (handed == "rest" and made[1:] == x.shape[1:own]):
        names = ["data", *x.dims[1:own]][:len(made)]
    else:
        names = [f"data_{i}" for i in range(len(made))]
    if name_out is not None:
        names[0] = name_out
    names += columns
    same = set(x.dims) & set(names)
    if handed != "all" and (values_out is None or values_in != values_out):
        same.discard(names[0])
    coords = {name: c for name, c in x.coords.items() if set(c.dims) <= same}
    if values_out is not None and len(values_out) == made[0] and names[0] not in same:
        coords[names[0]] = values_out
    if names[0] not in same:
        coords.update({key: (names[0], list(values)) for key, values in more_out.items()})
    # An operator works in the unit of what it is given.
    return type(x)(y, dims=names, coords=coords, name=x.name, attrs=x.attrs)
