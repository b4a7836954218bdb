"""Motion as a function of time: polynomial, seasonal, steps, relaxation after an event, changes of rate.

All take a `Network` or a sequence of dates first. With a Network the series is that of its columns: D-1 values relative to its reference
date, so that each function g becomes ``g(t_i) - g(t_ref)``. So it is for dates with ``reference`` (an index or a date); with None there are
D rows. ``convention="elapsed"`` counts elapsed days / 365.25 since the first date, ``"mintpy"`` differences of MintPy's calendar years,
year + (day of year - 1) / 365.25. Unknowns have the unit of the series, times that in ``parameters``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from .arrays import floating
from .linear_operator import LinearOperator
from .time_axis import date_axis, date_names, time_axis

__all__ = ["Exponential", "Logarithm", "Polyline", "Polynomial", "Seasonal", "Step"]


def _numbers(value: Any, name: str) -> list[float]:
    """A number or a sequence of numbers."""
    try:
        values = np.atleast_1d(floating(value, name))
    except ValueError:
        values = None
    if values is None or values.ndim != 1:
        raise _core.InvalidArgument(f"{name}: expected one number or several, got {value!r}")
    return values.tolist()


def _number(value: Any, name: str) -> float:
    values = _numbers(value, name)
    if len(values) != 1:
        raise _core.InvalidArgument(f"{name}: expected one number, got {value!r}; HStack one operator for each")
    return values[0]


def _onset(value: Any) -> str:
    names = date_names(value)
    if len(names) != 1:
        raise _core.InvalidArgument(f"onset: expected one date, got {len(names)}; HStack one operator for each")
    return names[0]


def _degree(value: Any) -> int:
    number = _number(value, "degree")
    if not number.is_integer() or number < 0:
        raise _core.InvalidArgument(f"degree: expected an integer of 0 or more, got {value!r}")
    return int(number)


class Polynomial(LinearOperator):
    r"""Intercept, velocity, acceleration and so on: :math:`x_i = \sum_k c_k t_i^k / k!`.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; a Network brings its reference date.
    degree : int, optional
        The highest power, by default 1: a constant velocity.
    reference : int or date, optional
        Of a sequence of dates, the one whose value is zero. By default none, and the constant is an unknown.
    convention : {"elapsed", "mintpy"}, optional
        What a year is.
    dtype, name
        As for `LinearOperator`.

    Attributes
    ----------
    shape : (D-1, degree) with a reference date, else (D, degree + 1)
    parameters : list of (name, unit)
        ``("intercept", "")`` (not with a reference date), ``("velocity", "1/year")``, ``("acceleration", "1/year^2")``, ...

    Raises
    ------
    InvalidArgument
        A degree below 0, or below 1 with a reference date; dates that do not increase.

    Notes
    -----
    The coefficients are those of MintPy's ``timeseries2velocity --poly``.
    """

    def __init__(self, A: Any, degree: int = 1, *, reference: Any = None, convention: str = "elapsed", dtype: Any = "float64",
                 name: str = "Polynomial") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.polynomial(axis, _degree(degree)), dtype=dtype, name=name)
        self._axes = {"dimsd": date_axis(A, reference, axis)}


class Seasonal(LinearOperator):
    r"""A cosine and a sine for each period: :math:`x_i = \sum_k a_k \cos(2 \pi t_i / T_k) + b_k \sin(2 \pi t_i / T_k)`.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; a Network brings its reference date.
    periods : float or sequence of float, optional
        Periods T in years, by default 1.
    reference, convention, dtype, name
        As for `Polynomial`.

    Attributes
    ----------
    shape : (D-1 or D, 2 * periods)
    parameters : list of (name, unit)
        ``("cos 1 yr", "")``, ``("sin 1 yr", "")``, ...

    Raises
    ------
    InvalidArgument
        No periods, one that is not positive, the same one twice; dates that do not increase.

    Notes
    -----
    t is 0 at the first date. The amplitude is ``hypot(a, b)``.
    """

    def __init__(self, A: Any, periods: Any = 1.0, *, reference: Any = None, convention: str = "elapsed", dtype: Any = "float64",
                 name: str = "Seasonal") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.seasonal(axis, _numbers(periods, "periods")), dtype=dtype, name=name)
        self._axes = {"dimsd": date_axis(A, reference, axis)}


class Step(LinearOperator):
    r"""Offsets from dates on, e.g. of earthquakes: :math:`x_i = \sum_k c_k [t_i > t_k]`.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; a Network brings its reference date.
    dates : date or sequence of dates
        ``YYYYMMDD`` (that is 0 h) or ``YYYYMMDDTHHMM``. An acquisition at the very time of a step comes before it, as in MintPy.
    reference, convention, dtype, name
        As for `Polynomial`.

    Attributes
    ----------
    shape : (D-1 or D, steps)
    parameters : list of (name, unit)
        ``("step 20161113", "")``, ...

    Raises
    ------
    InvalidArgument
        No steps, one without acquisitions before and after it, two without any between them; dates that do not increase.
    """

    def __init__(self, A: Any, dates: Any, *, reference: Any = None, convention: str = "elapsed", dtype: Any = "float64",
                 name: str = "Step") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.step(axis, date_names(dates)), dtype=dtype, name=name)
        self._axes = {"dimsd": date_axis(A, reference, axis)}


class Exponential(LinearOperator):
    r"""Relaxation after an event: :math:`x_i = c (1 - e^{-u_i})`, :math:`u_i = (t_i - t_{onset}) / \tau`, 0 before the onset.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; a Network brings its reference date.
    onset : date
        ``YYYYMMDD`` or ``YYYYMMDDTHHMM``; it may lie before the first date.
    characteristic_time : float
        :math:`\tau` in days. (MintPy drops fractions of a day.)
    reference, convention, dtype, name
        As for `Polynomial`.

    Attributes
    ----------
    shape : (D-1 or D, 1)
    parameters : list of (name, unit)
        ``[("exp 20161113 60 d", "")]``

    Raises
    ------
    InvalidArgument
        An onset at or after the last date, a characteristic time that is not positive; dates that do not increase.

    Notes
    -----
    Hetland et al. (2012), eq. 5. `HStack` several of them.
    """

    def __init__(self, A: Any, onset: Any, characteristic_time: float, *, reference: Any = None, convention: str = "elapsed",
                 dtype: Any = "float64", name: str = "Exponential") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.exponential(axis, _onset(onset), _number(characteristic_time, "characteristic_time")), dtype=dtype, name=name)
        self._axes = {"dimsd": date_axis(A, reference, axis)}


class Logarithm(LinearOperator):
    r"""Afterslip: :math:`x_i = c \ln(1 + u_i)`, :math:`u_i = (t_i - t_{onset}) / \tau`, 0 before the onset.

    Parameters
    ----------
    A, onset, characteristic_time, reference, convention, dtype, name
        As for `Exponential`.

    Attributes
    ----------
    shape : (D-1 or D, 1)
    parameters : list of (name, unit)
        ``[("log 20161113 60 d", "")]``

    Raises
    ------
    InvalidArgument
        As `Exponential`.

    Notes
    -----
    Hetland et al. (2012), eq. 4.
    """

    def __init__(self, A: Any, onset: Any, characteristic_time: float, *, reference: Any = None, convention: str = "elapsed",
                 dtype: Any = "float64", name: str = "Logarithm") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.logarithm(axis, _onset(onset), _number(characteristic_time, "characteristic_time")), dtype=dtype, name=name)
        self._axes = {"dimsd": date_axis(A, reference, axis)}


class Polyline(LinearOperator):
    r"""Changes of velocity at dates: :math:`x_i = \sum_k c_k \max(t_i - t_k, 0)`; with `Polynomial` a piecewise linear function.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; a Network brings its reference date.
    breakpoints : date or sequence of dates
        Where the velocity changes, between the first and the last date.
    reference, convention, dtype, name
        As for `Polynomial`.

    Attributes
    ----------
    shape : (D-1 or D, breakpoints)
    parameters : list of (name, unit)
        ``("velocity change 20190101", "1/year")``, ...

    Raises
    ------
    InvalidArgument
        No breakpoints, one outside the dates, the same one twice; dates that do not increase.
    """

    def __init__(self, A: Any, breakpoints: Any, *, reference: Any = None, convention: str = "elapsed", dtype: Any = "float64",
                 name: str = "Polyline") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.polyline(axis, date_names(breakpoints)), dtype=dtype, name=name)
        self._axes = {"dimsd": date_axis(A, reference, axis)}
