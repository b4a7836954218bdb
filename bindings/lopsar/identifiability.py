"""What a model cannot tell apart, found before anything is solved."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import Any

from . import _core
from .array_like import axis
from .linear_operator import LinearOperator, aslinearoperator

__all__ = ["Identifiability", "IdentifiabilityWarning", "TradeOff", "identifiability"]


class IdentifiabilityWarning(UserWarning):
    """Parameters of a model trade off against each other, whatever the data."""


@dataclass(frozen=True)
class TradeOff:
    """Parameters that some change of all of them together leaves unobserved.

    Attributes
    ----------
    parameters : tuple of str
        Their names: those of the operator, dates of a series, else ``x0``, ``x1``, ...; names that several have are followed by the column.
    columns : tuple of int
        Their columns of the model.
    freedom : int
        How many of them something else must determine.
    """

    parameters: tuple[str, ...]
    columns: tuple[int, ...]
    freedom: int


@dataclass(frozen=True)
class Identifiability:
    """What `identifiability` found; ``str()`` says it in words.

    Attributes
    ----------
    groups : tuple of TradeOff
        Empty: every parameter is determined where no data are missing.
    rank : int
        Of the model and its priors at a generic pixel.
    checked : bool
        False: the model is too large to be checked (more than 400 columns, or rows times columns squared beyond 1e9).
    message : str
    """

    groups: tuple[TradeOff, ...]
    rank: int
    checked: bool
    message: str

    def __str__(self) -> str:
        if not self.checked:
            return "not checked: the model is too large"
        return self.message or "every parameter is determined where no data are missing"


def names(op: LinearOperator) -> list[tuple[str, str]]:
    """Name and unit of the unknowns: those of the operator, or the dates of a series; empty where nobody knows."""
    known = op.parameters
    if known and not _numbered(known):
        return known
    if hasattr(op, "_shared") and op._shared == ("dimsd",):   # beside each other: each part may know its own
        parts = [names(part) or [(f"x{i}", "") for i in range(part.shape[1])] for part in op.ops]
        return [name for part in parts for name in part]
    if op._composition is not None and op._composition[0] in ("product", "scaled"):
        inner = names(op._operands[-1])
        if len(inner) == op.shape[1]:
            return inner
    _, values, _ = axis(op, "dims")
    return [(str(value), "") for value in values] if values is not None and len(values) == op.shape[1] else known


def _numbered(parameters: list[tuple[str, str]]) -> bool:
    """Whether the core numbered some, because it knows no dates."""
    return any(name.startswith("x") and name[1:].isdigit() for name, _ in parameters)


def identifiability(model: Any, prior: Any = None) -> Identifiability:
    r"""Which parameters of a pixelwise model trade off against each other, with complete data and a generic pixel.

    Parameters
    ----------
    model : pixelwise operator or matrix, (K, n)
    prior : Prior, operator, or list of these, optional
        As for `solve`; their weights are taken as 1.

    Returns
    -------
    Identifiability

    Raises
    ------
    InvalidArgument, ShapeError
        A scene or complex operator; a prior with other columns.

    Notes
    -----
    The null space of the model's matrix by rank-revealing QR, in float64, columns brought to unit length. Fields (geometry, weights) take values of a
    real pixel, changed at random; what does not hold for two such draws is not named.

    Examples
    --------
    Everything that lives on dates lies in the range of a network:

    >>> A = lopsar.Network(pairs)                                                                     # doctest: +SKIP
    >>> print(lopsar.identifiability(lopsar.HStack([A, A @ lopsar.DemError(A, baselines, 8.5e5, 34.0)])))   # doctest: +SKIP
    20170316, 20170328, DEM error trade off against each other: the data determine 2 of these 3 unknowns. Take a deformation model ...
    """
    from .solve import pixelwise, prior_list
    op = pixelwise(model, "identifiability")
    priors = [aslinearoperator(p.op) for p in prior_list(prior)]
    key = tuple(weakref.ref(p) for p in priors)
    cache = op.__dict__.setdefault("_identified", {})
    if key not in cache:
        found = _core.identifiability(op._node(), [p._node() for p in priors])
        texts = _told_apart([name for name, _ in names(op)])
        groups = tuple(TradeOff(tuple(texts[c] if texts else f"x{c}" for c in group.columns), tuple(group.columns), group.freedom)
                       for group in found.groups)
        for old in [k for k in cache if any(ref() is None for ref in k)]:
            del cache[old]
        cache[key] = Identifiability(groups, found.rank, found.checked, _core.describe_identifiability(found, op._node(), texts))
    return cache[key]


def _told_apart(texts: list[str]) -> list[str]:
    """Names with the number of their column where several have the same."""
    count = Counter(texts)
    return [text if count[text] == 1 else f"{text} (column {c})" for c, text in enumerate(texts)]


def warn(op: LinearOperator, prior: Any) -> None:
    """A warning, at the line that called lopsar, where the model has parameters that trade off."""
    from .solve import prior_list
    if type(op).__name__ == "Network" and not prior_list(prior):   # whose status and null_space say it pixel by pixel
        return
    found = identifiability(op, prior)
    if found.groups:
        warn_caller(found.message)


def warn_caller(message: str) -> None:
    """An `IdentifiabilityWarning` at the innermost line that is not of this package."""
    frame, level, package = sys._getframe(1), 2, __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, IdentifiabilityWarning, stacklevel=level)
