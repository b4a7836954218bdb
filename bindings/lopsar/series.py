"""Operators on the dates of a series: differences, sums, the date that it is relative to, weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from .arrays import columns, floating
from .linear_operator import LinearOperator
from .time_axis import date_axis, date_names, interval_axis, time_axis

__all__ = ["CumulativeSum", "Datum", "TimeDifference", "Weighting"]


class TimeDifference(LinearOperator):
    r"""Rates of change on dates that need not be evenly spaced.

    Order 1: :math:`y_j = (x_j - x_{j-1}) / h_j` with :math:`h_j = t_j - t_{j-1}`. Order 2: the second derivative of the parabola through
    three dates, :math:`y_j = \frac{2}{h_j + h_{j+1}} \left(\frac{x_{j+1} - x_j}{h_{j+1}} - \frac{x_j - x_{j-1}}{h_j}\right)`.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; the value of a Network's reference date is zero.
    order : {1, 2}, optional
    reference : int or date, optional
        Of a sequence of dates, the one whose value is zero and that has no column.
    convention : {"elapsed", "mintpy"}, optional
        What a year is; see `Polynomial`.
    dtype, name
        As for `LinearOperator`.

    Attributes
    ----------
    shape : (D - order, D-1 or D)
        Rows have the unit of the series per year, or year squared.

    Raises
    ------
    InvalidArgument
        Another order, fewer than order + 1 dates; dates that do not increase.
    """

    def __init__(self, A: Any, order: int = 1, *, reference: Any = None, convention: str = "elapsed", dtype: Any = "float64",
                 name: str = "TimeDifference") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.time_difference(axis, order), dtype=dtype, name=name)
        self._axes = {"dims": date_axis(A, reference, axis), "dimsd": interval_axis(axis) if order == 1 else ("date", axis.dates[1:-1])}


class CumulativeSum(LinearOperator):
    r"""Series from its changes between dates: :math:`x_i = \sum_j c_j v_j` over the intervals from the reference date to date i.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; a Network brings its reference date. Values of dates before it are sums with a minus sign.
    rates : bool, optional
        False: v are changes, c = 1. True: v are mean rates per year, c the lengths of the intervals in years.
    reference, convention, dtype, name
        As for `TimeDifference`. Without a reference date the series is relative to the first date and has a row of zeros for it.

    Attributes
    ----------
    shape : (D-1 or D, D-1)
    parameters : list of (name, unit)
        ``("20170304_20170316", "1/year")``, ...

    Raises
    ------
    InvalidArgument
        Fewer than two dates; dates that do not increase.

    Notes
    -----
    A running sum, though the matrix is triangular. ``A @ CumulativeSum(A, rates=True)`` is the design matrix of Berardino et al. (2002),
    eq. 16, that MintPy solves for the minimum-norm velocity.
    """

    def __init__(self, A: Any, rates: bool = False, *, reference: Any = None, convention: str = "elapsed", dtype: Any = "float64",
                 name: str = "CumulativeSum") -> None:
        axis = time_axis(A, reference, convention)
        super().__init__(_core.cumulative_sum(axis, bool(rates)), dtype=dtype, name=name)
        self._axes = {"dims": interval_axis(axis), "dimsd": date_axis(A, reference, axis)}


class Datum(LinearOperator):
    r"""A series on all D dates relative to the weighted mean of some: :math:`y_i = x_i - \sum_j w_j x_j / \sum_j w_j`.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series x; the value of a Network's reference date is zero.
    dates : date, index or sequence of these, optional
        The dates j. One: the series relative to that date. By default all: the series without its mean.
    weights : sequence of float, optional
        One per chosen date, by default equal.
    reference, dtype, name
        As for `TimeDifference`.

    Attributes
    ----------
    shape : (D, D-1 or D)

    Raises
    ------
    InvalidArgument
        A date that is not there or there twice, weights that are negative or all zero; dates that do not increase.
    ShapeError
        Not one weight per date.
    """

    def __init__(self, A: Any, dates: Any = None, weights: Any = None, *, reference: Any = None, dtype: Any = "float64",
                 name: str = "Datum") -> None:
        axis = time_axis(A, reference, "elapsed")
        chosen = [] if dates is None else date_names(dates, axis.dates)
        if dates is not None and not chosen:
            raise _core.InvalidArgument("Datum: expected at least one date, got none; leave dates out for all")
        super().__init__(_core.datum(axis, chosen, [] if weights is None else np.asarray(weights, float).tolist()), dtype=dtype, name=name)
        self._axes = {"dims": date_axis(A, reference, axis), "dimsd": ("date", axis.dates)}


class Weighting(LinearOperator):
    r"""Values times weights: :math:`y_{ip} = w_{ip} x_{ip}`.

    Parameters
    ----------
    weights : (m,) or (m, pixels) or (m, ...)
        Per row, or per row and pixel. Weights of pixels are not copied: they must not change.
    dtype, name
        As for `LinearOperator`.

    Attributes
    ----------
    shape : (m, m)

    Raises
    ------
    InvalidArgument
        Weights (m,) that are not finite. Weights of pixels are not looked at: NaN makes NaN.

    Notes
    -----
    Least squares with inverse variances V takes ``Weighting(np.sqrt(V))`` on both sides.
    """

    _passes = "all"

    def __init__(self, weights: Any, *, dtype: Any = "float64", name: str = "Weighting") -> None:
        values = floating(weights, "weights")
        if values.ndim == 0:
            raise _core.ShapeError("Weighting: expected weights (m,) or (m, pixels), got a number; use it as a factor")
        super().__init__(_core.weighting(columns(values) if values.ndim > 1 else values), dtype=dtype, name=name)
