"""How far an array is from a reference."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["mae", "mse", "psnr", "snr"]


def mae(xref: Any, xcmp: Any) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(np.asarray(xref) - np.asarray(xcmp))))


def mse(xref: Any, xcmp: Any) -> float:
    """Mean squared error."""
    return float(np.mean(np.abs(np.asarray(xref) - np.asarray(xcmp)) ** 2))


def snr(xref: Any, xcmp: Any) -> float:
    """Signal-to-noise ratio, 10 log10 of mean |xref|^2 over `mse`, in dB."""
    return float(10 * np.log10(np.mean(np.abs(np.asarray(xref)) ** 2) / mse(xref, xcmp)))


def psnr(xref: Any, xcmp: Any, xmax: float | None = None, xmin: float | None = 0.0) -> float:
    """Peak signal-to-noise ratio, 10 log10 of (xmax - xmin)^2 over `mse`, in dB.

    Parameters
    ----------
    xref, xcmp : array
    xmax, xmin : float, optional
        The range of the signal; None: that of `xref`.
    """
    xref = np.asarray(xref)
    xmax = xref.max() if xmax is None else xmax
    xmin = xref.min() if xmin is None else xmin
    return float(10 * np.log10(np.abs(xmax - xmin) ** 2 / mse(xref, xcmp)))
