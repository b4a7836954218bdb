"""The dates that an operator on a series works on."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from . import _core
from .network import Network, _date, _index

__all__ = ["date_axis", "date_key", "date_names", "interval_axis", "time_axis"]


def date_names(dates: Any, known: list[str] | None = None) -> list[str]:
    """One date or several as text; with `known`, integers are indices into these."""
    if isinstance(dates, (str, bytes, date, np.datetime64, int, np.integer)):
        dates = [dates]
    names = []
    for value in dates:
        if _index(value) is not None:
            if known is None or not -len(known) <= value < len(known):
                raise _core.InvalidArgument(
                    f"dates: expected a date{f' or an index below {len(known)}' if known else ' as text or datetime64'}, got {value}")
            value = known[value]
        names.append(_date(value))
    return names


def time_axis(A: Any, reference: Any, convention: str) -> Any:
    """The dates of a `Network` with its reference date, or a sequence of dates with `reference` (index, date or None)."""
    if isinstance(A, Network):
        if reference is not None:
            raise _core.InvalidArgument("reference: expected None, as a Network has its reference date; use Network(pairs, reference=...)")
        return _core.TimeAxis(A.dates, A.dates.index(A.reference), convention)
    if isinstance(A, (str, bytes)) or not hasattr(A, "__iter__"):
        raise _core.InvalidArgument(f"expected a Network or a sequence of dates, got {A!r}")
    axis = _core.TimeAxis(date_names(A), None, convention)
    if reference is None:
        return axis
    name = _core.TimeAxis(date_names(reference, axis.dates), None, convention).dates[0]
    if name not in axis.dates:
        raise _core.InvalidArgument(f"reference: expected one of the {len(axis.dates)} dates {axis.dates[0]} .. {axis.dates[-1]}, got {name}")
    return _core.TimeAxis(axis.dates, axis.dates.index(name), convention)


def date_axis(A: Any, reference: Any, axis: Any) -> tuple[str, list[str]]:
    """Name and labels of the dates that have values of their own: all but the reference date."""
    if isinstance(A, Network):
        reference = A.reference
    elif reference is not None:
        reference = _core.TimeAxis(date_names(reference, axis.dates), None, "elapsed").dates[0]
    return "date", [name for name in axis.dates if name != reference]


def interval_axis(axis: Any) -> tuple[str, list[str]]:
    """Name and labels of the intervals between dates."""
    return "interval", [f"{first}_{second}" for first, second in zip(axis.dates, axis.dates[1:])]


def date_key(value: Any) -> str:
    """A date as YYYYMMDD, or YYYYMMDDTHHMM where it has a time of day, however it is written."""
    text = _date(value).replace("-", "").replace(":", "").replace(" ", "T")[:13]
    return text[:8] if text.endswith("T0000") else "NaT" if text.startswith("NaT") else text
