"""The inversion of a stack in memory, with MintPy's rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from . import _core
from .array_like import arranged, is_labelled
from .arrays import SIZE, at_least_one, columns, floating
from .network import Network
from .solve import Labels

__all__ = ["TimeSeries", "invert_arrays"]


class TimeSeries(tuple):
    """``(timeseries, temporal_coherence, num_ifgram)``, with `status` (uint8, numbers of `lopsar.Status`) beside them."""

    status: np.ndarray

    def __new__(cls, timeseries: np.ndarray, temporal_coherence: np.ndarray, num_ifgram: np.ndarray, status: np.ndarray) -> TimeSeries:
        self = super().__new__(cls, (timeseries, temporal_coherence, num_ifgram))
        self.status = status
        return self

    @property
    def timeseries(self) -> np.ndarray:
        """(D, ...), rad."""
        return self[0]

    @property
    def temporal_coherence(self) -> np.ndarray:
        """(...), 0..1."""
        return self[1]

    @property
    def num_ifgram(self) -> np.ndarray:
        """(...), interferograms used."""
        return self[2]


def _preallocated(array: np.ndarray, shape: tuple[int, ...], dtypes: tuple[Any, ...], name: str) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype not in dtypes or not array.flags.c_contiguous:
        raise _core.ShapeError(f"out: expected {name} as a contiguous array of shape {shape} and type "
                               f"{' or '.join(np.dtype(d).name for d in dtypes)}, got {getattr(array, 'shape', type(array))} "
                               f"{getattr(array, 'dtype', '')}")
    return array


def invert_arrays(y: Any, pairs: Iterable[Any] | Network, coherence: Any = None, weight_func: str = "var", looks: float | None = None,
                  out: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None, *, solver: str = "auto", min_norm_velocity: bool = True,
                  min_redundancy: float = 1.0, zero_is_missing: bool = True, reference_phase: Any = None, mask: Any = None,
                  threads: int | None = None, chunk_size: int | None = None) -> TimeSeries:
    """Invert interferometric phase into a phase series, as MintPy does, in one fused pass.

    Parameters
    ----------
    y : (K, pixels) or (K, rows, columns)
        Unwrapped phase (rad), a DataArray by its labels (as below). NaN, infinite and (unless `zero_is_missing` is False) zero phase is missing.
    pairs : Network or what `lopsar.Network` takes
    coherence : array like y
        Laid out as y is, or a DataArray. Needed unless `weight_func` is "no".
    weight_func : {"var", "fim", "coh", "no"}
        Inverse phase variance (MintPy's table), Fisher information, coherence, none.
    looks : float
        Independent looks L, needed by "var" and "fim"; rounded as MintPy does.
    out : (timeseries, temporal_coherence, num_ifgram), optional
        Arrays to fill: (D, ...) and (...) in the type of y, (...) int32, int16 or float32. Fresh memory costs time.
    solver : {"auto", "edge-flow", "cholesky", "qr", "cg", "cgls", "lsqr"}
        Method for pixels whose dates all hang together, as for `solve`; "auto" is edge flow. Iterative ones stop at a relative 1e-6 and are
        preconditioned by the diagonal. Pixels of missing rank are solved by edge flow, which alone has the minimum norms.
    min_norm_velocity : bool
        What fills dates that no data tie to the first: minimum norm of velocity, or (False) of phase.
    min_redundancy : float
        A pixel with a date (but the first) seen by fewer valid interferograms is left out; 0: no rule.
    reference_phase : (K,), optional
        Subtracted from y where y is not zero. Default: y is referenced already.
    mask : (...) bool, optional
        False: leave the pixel out.
    threads, chunk_size : int, optional
        No influence on the bits of the result.

    Returns
    -------
    TimeSeries
        ``(timeseries, temporal_coherence, num_ifgram)``: (D, ...) rad with the first date 0, (...) 0..1, (...); pixels left out are
        0. ``.status`` says why.
    """
    network = pairs if isinstance(pairs, Network) else Network(pairs)
    labels = Labels(network, y, "invert_arrays")
    y, coherence, mask = labels.y, labels.weights(coherence, "coherence"), labels.pixels(mask, "mask")
    if is_labelled(reference_phase):
        reference_phase = arranged(network.H, reference_phase, "invert_arrays: reference_phase").values
    elif reference_phase is not None:
        reference_phase = labels.weights(reference_phase, "reference_phase")
    y = floating(y, "y")
    if y.ndim < 2 or y.shape[0] != network.shape[0]:
        raise _core.ShapeError(f"invert_arrays: expected y of shape ({network.shape[0]}, pixels), one row per pair, got {y.shape}")
    options = _core.TimeSeriesOptions()
    options.weight_function = _core.weight_function(weight_func)
    weighted = options.weight_function != _core.WeightFunction.none
    if weighted and coherence is None:
        raise _core.InvalidArgument(f"invert_arrays: expected coherence for weight_func={weight_func!r}, got none; give it, or use 'no'")
    if options.weight_function in (_core.WeightFunction.variance, _core.WeightFunction.fisher) and looks is None:
        raise _core.InvalidArgument(f"invert_arrays: expected looks for weight_func={weight_func!r}; give the number of independent looks")
    options.method = solver
    options.looks = max(1, round(looks)) if looks else 0
    options.null_space = _core.NullSpace.minimum_norm_velocity if min_norm_velocity else _core.NullSpace.minimum_norm_phase
    options.min_redundancy = float(min_redundancy)
    options.zero_is_missing = zero_is_missing
    options.reference_phase = [] if reference_phase is None else np.asarray(reference_phase, np.float64).ravel().tolist()
    options.threads, options.chunk_size = at_least_one(threads, "threads"), at_least_one(chunk_size, "chunk_size", SIZE)
    tail = y.shape[1:]
    dates = len(network.dates)
    if out is None:
        out = (np.empty((dates, *tail), y.dtype), np.empty(tail, y.dtype), np.empty(tail, np.int32))
    elif len(out) != 3:
        raise _core.ShapeError(f"out: expected three arrays, got {len(out)}")
    series = _preallocated(out[0], (dates, *tail), (y.dtype,), "timeseries")
    quality = _preallocated(out[1], tail, (y.dtype,), "temporal_coherence")
    number = _preallocated(out[2], tail, (np.int32, np.int16, np.float32), "num_ifgram")
    g = None
    if weighted:
        g = floating(coherence, "coherence").astype(y.dtype, copy=False)
        if g.shape != y.shape:
            raise _core.ShapeError(f"invert_arrays: expected coherence of the shape of y {y.shape}, got {g.shape}")
        g = columns(g)
    keep = None if mask is None else np.ascontiguousarray(np.broadcast_to(np.asarray(mask) != 0, tail)).ravel().view(np.uint8)
    status = np.empty(tail, np.uint8)
    _core.invert_time_series(network._network, columns(y), g, keep, columns(series), quality.reshape(-1), number.reshape(-1),
                             status.reshape(-1), None, options)
    return TimeSeries(series, quality, number, status)
