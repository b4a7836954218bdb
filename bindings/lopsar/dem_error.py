"""What an error of the elevation model adds to a series."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from .arrays import columns, floating
from .linear_operator import LinearOperator
from .network import Network
from .time_axis import date_axis, time_axis

__all__ = ["DemError", "date_baselines"]


class DemError(LinearOperator):
    r"""Series from an elevation error: :math:`x_i = \frac{b_i - b_{ref}}{R \sin\theta}\, \delta z`.

    Parameters
    ----------
    A : Network or sequence of dates
        The dates of the series; a Network brings its reference date.
    date_baselines : (D,) or (D, pixels) or (D, ...)
        Perpendicular baselines b in meters of all dates, the reference date too: ``stack.date_baselines``, or one per date and pixel.
    slant_range : float or array
        R in meters, for all pixels or for each.
    incidence : float or array
        Incidence angle :math:`\theta` in degrees, for all pixels or for each.
    reference : int or date, optional
        Of a sequence of dates, the one whose value is zero. By default none, and baselines are taken as they are.
    dtype, name
        As for `LinearOperator`.

    Attributes
    ----------
    shape : (D-1 or D, 1)
    pixels : int
        Of the arrays, in the order of their flattened values; 0 without arrays.
    parameters : list of (name, unit)
        ``[("DEM error", "")]``: in the unit of the series, meters.

    Raises
    ------
    ShapeError
        Not one baseline per date, or arrays of different shapes.
    InvalidArgument
        A baseline that is not finite, one range or incidence for all pixels that makes no sense; dates that do not increase.

    Notes
    -----
    The sign is MintPy's: with b > 0 an elevation error above zero raises the series. No wavelength enters: under a network in radians the
    model is scaled by ``stack.phase_per_meter``. A pixel whose range is not positive or whose incidence is not between 0 and 180 degrees is
    NaN, never zero: its adjoint, and its series wherever the baseline is not that of the reference date. So is a pixel with NaN baselines.
    Arrays of baselines are not copied: they must not change. Baselines of pairs are not consistent: reduce them by `date_baselines`.
    """

    def __init__(self, A: Any, date_baselines: Any, slant_range: Any, incidence: Any, *, reference: Any = None, dtype: Any = "float64",
                 name: str = "DemError") -> None:
        baselines = floating(date_baselines, "date_baselines")
        geometry: list[Any] = []
        shapes = {baselines.shape[1:]} if baselines.ndim > 2 else set()
        for value, what in ((slant_range, "slant_range"), (incidence, "incidence")):
            array = floating(value, what)
            if array.ndim > 1:
                shapes.add(array.shape)
            geometry.append(columns(array.reshape(1, -1)) if array.ndim else float(array))
        if len(shapes) > 1:
            raise _core.ShapeError(f"DemError: expected arrays over the same pixels, got the shapes {sorted(shapes)}")
        baselines = columns(baselines) if baselines.ndim > 1 else np.atleast_1d(baselines)
        axis = time_axis(A, reference, "elapsed")
        super().__init__(_core.dem_error(axis, baselines, *geometry), dtype=dtype, name=name)
        self._axes = {"dimsd": date_axis(A, reference, axis)}


def date_baselines(network: Network, pair_baselines: Any) -> tuple[np.ndarray, tuple[float, float]]:
    """Baselines of dates from those of pairs, by least squares.

    Parameters
    ----------
    network : Network
        Of K pairs and D dates.
    pair_baselines : (K,) array
        Perpendicular baselines in meters; NaN is missing.

    Returns
    -------
    baselines : (D,) array
        In meters, 0 for the reference date, NaN for a date without any pair's baseline. Minimum norm where pairs do not connect.
    misfit : (float, float)
        Root mean square and largest difference in meters between the given baselines and those that dates give. Baselines of pairs are
        not exactly consistent; more than a few meters point to a wrong one.

    Raises
    ------
    ShapeError
        Not one baseline per pair.
    """
    if not isinstance(network, Network):
        raise _core.InvalidArgument(f"date_baselines: expected a Network, got {type(network).__name__}; make one of the pairs")
    values = floating(pair_baselines, "date_baselines")
    if values.ndim != 1:
        raise _core.ShapeError(f"date_baselines: expected one baseline per pair ({network.shape[0]},), got {values.shape}")
    return _core.date_baselines(network._network, values.tolist())
