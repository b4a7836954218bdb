"""The network of interferograms as a linear operator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import numpy as np

from . import _core
from .linear_operator import LinearOperator

__all__ = ["Network"]


_DASHED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d*)?)?")


def _index(value: Any) -> int | None:
    """An integer that is an index and no date, as 20170316 is one."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        return None
    return int(value) if abs(int(value)) < 10_000_000 else None


def _date(value: Any) -> str:
    """A date as the core takes it, from text, YYYYMMDD as a number, or an object of datetime or NumPy."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str) and _DASHED.fullmatch(value):
        value = datetime.fromisoformat(value[:16])
    if isinstance(value, (np.datetime64, date)):
        text = str(np.datetime64(value).astype("datetime64[m]"))
        return text[:10] if text.endswith("T00:00") else text[:10].replace("-", "") + "T" + text[11:13] + text[14:16]
    return str(value)


def _pair(value: Any) -> tuple[str, str]:
    if isinstance(value, (str, bytes)):
        parts = _date(value).replace("-", "_").split("_") if str(value).count("-") <= 1 else _date(value).split("_")
        if len(parts) != 2:
            raise _core.InvalidArgument(f"network: expected a pair 'YYYYMMDD_YYYYMMDD', got {value!r}")
        return parts[0], parts[1]
    if len(value) != 2:
        raise _core.InvalidArgument(f"network: expected a pair of dates, got {value!r}")
    first, second = value
    return _date(first), _date(second)


class Network(LinearOperator):
    r"""Interferometric phase from date phases, :math:`(A x)_k = x_{j_k} - x_{i_k}` for the pair (date i, date j).

    Parameters
    ----------
    pairs : iterable
        ``("20170304", "20170316")``, ``"20170304_20170316"``, or other dates, in any order; reversed and repeated pairs are legal. A date is
        ``YYYYMMDD`` or ``YYYYMMDDTHHMM``, also with dashes and colons or as a number, or an object of datetime or NumPy.
    reference : int or date, optional
        Date whose phase is zero, as an index into the sorted dates or as a date. Default: the first. An integer of 8 digits is a date.
    dtype : dtype, optional
        Label for SciPy. Results have the precision of the input; integers become float64, float16 is refused.

    Attributes
    ----------
    shape : (K, D-1)
        Unknown = phase of every date but the reference. Columns of ``x`` (D-1, pixels) and ``y`` (K, pixels) are pixels.
    dates, days, pairs, reference, redundancy, components, rank, connected
    """

    def __init__(self, pairs: Iterable[Any], reference: Any = 0, *, dtype: Any = np.float64) -> None:
        text = [_pair(p) for p in pairs]
        if _index(reference) is not None:
            native = _core.Network(text)
            if not -len(native.dates) <= reference < len(native.dates):
                raise _core.InvalidArgument(f"network: expected a reference date below {len(native.dates)}, got {reference}")
            if reference != 0:
                native = _core.Network(text, native.dates[reference])
        else:
            native = _core.Network(text, _date(reference))
        self._network = native
        super().__init__(native.operator, dtype=dtype, name="Network")
        dates = native.dates
        self._axes = {"dims": ("date", dates[:native.reference] + dates[native.reference + 1:]),
                      "dimsd": ("pair", ["_".join(pair) for pair in self.pairs])}

    @property
    def dates(self) -> list[str]:
        """Sorted dates, YYYYMMDD or YYYYMMDDTHHMM."""
        return self._network.dates

    @property
    def days(self) -> np.ndarray:
        """Days since the first date, (D,) float64."""
        days = np.asarray(self._network.days)
        return days - days[0]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """First and second date of each interferogram."""
        dates = self.dates
        return [(dates[i], dates[j]) for i, j in self._network.pairs]

    @property
    def reference(self) -> str:
        """The date whose phase is zero."""
        return self.dates[self._network.reference]

    @property
    def redundancy(self) -> np.ndarray:
        """Interferograms per date, (D,)."""
        return np.asarray(self._network.redundancy)

    @property
    def components(self) -> np.ndarray:
        """Connected component of each date, (D,), 0 for that of the first."""
        return np.asarray(self._network.components)

    @property
    def connected(self) -> bool:
        """Whether all dates hang together."""
        return bool(self.components.max() == 0)

    @property
    def rank(self) -> int:
        """Rank of the matrix: D minus the number of components."""
        return self._network.rank
