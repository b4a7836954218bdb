"""Weighted least squares for every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from .arrays import at_least_one, columns, floating
from .network import Network

__all__ = ["Solution", "solve"]

_NULL_SPACE = {None: _core.NullSpace.none, "min-norm-velocity": _core.NullSpace.minimum_norm_velocity,
               "min-norm-phase": _core.NullSpace.minimum_norm_phase}


@dataclass
class Solution:
    """What `solve` found, per pixel.

    Attributes
    ----------
    x : (n, pixels) unknowns in the unit of y; NaN where nothing determines them
    status : (pixels,) uint8, numbers of `lopsar.Status`
    rank : (pixels,) int32, rank of the weighted matrix
    valid : (pixels,) int32, observations used
    iterations : (pixels,) int32, 0 for a direct solve
    residual_norm : (pixels,) :math:`|W^{1/2}(A x - y)|`
    method : the method that ran
    """

    x: np.ndarray
    status: np.ndarray
    rank: np.ndarray
    valid: np.ndarray
    iterations: np.ndarray
    residual_norm: np.ndarray
    method: str


def solve(A: Network, y: Any, weights: Any = None, method: str = "auto", *, null_space: str | None = None, dtype: Any = None,
          threads: int | None = None, chunk_size: int | None = None) -> Solution:
    r"""Minimize :math:`|W^{1/2}(A x - y)|` for every pixel.

    Parameters
    ----------
    A : Network
    y : (K, pixels) or (K, ...) or (K,)
        Observations; NaN is missing. float32 is solved in float32 (error a few 1e-7 of max(|x|, |y|)), all else in float64.
    weights : broadcastable to y, (K,) for one weight per pair, or None
        Inverse variances; 0 or NaN is missing.
    method : {"auto", "edge-flow"}
        Edge flow eliminates the dates of the network without subtraction, so that conditioning costs no accuracy.
    null_space : {None, "min-norm-velocity", "min-norm-phase"}
        What fills dates that no data tie to the reference. None: NaN and ``Status.rank_deficient``.
    dtype : dtype, optional
        Precision to solve in.
    threads, chunk_size : int, optional
        No influence on the bits of the result.

    Returns
    -------
    Solution
        x has shape (D-1, ...) after y's.
    """
    if not isinstance(A, Network):
        raise _core.InvalidArgument(f"solve: expected a Network, got {type(A).__name__}")
    if method not in ("auto", "edge-flow"):
        raise _core.InvalidArgument(f"solve: expected method 'auto' or 'edge-flow', got {method!r}")
    if null_space not in _NULL_SPACE:
        raise _core.InvalidArgument(f"solve: expected null_space None, 'min-norm-velocity' or 'min-norm-phase', got {null_space!r}")
    y = floating(y, "y")
    if dtype is not None:
        y = floating(y.astype(dtype), "dtype")
    if y.ndim == 0 or y.shape[0] != A.shape[0]:
        raise _core.ShapeError(f"solve: expected y with {A.shape[0]} rows, one per pair, got shape {y.shape}")
    data = columns(y)
    pixels = data.shape[1]
    w = None
    if weights is not None:
        w = np.asarray(weights, dtype=y.dtype)
        if w.ndim == 1:
            w = w.reshape(-1, *[1] * (y.ndim - 1))
        if w.ndim != y.ndim or w.shape[0] not in (1, A.shape[0]):
            raise _core.ShapeError(f"solve: expected weights of shape {y.shape} or ({A.shape[0]},), got {np.shape(weights)}")
        shared = w.size == w.shape[0]
        w = np.ascontiguousarray(np.broadcast_to(w.reshape(w.shape[0], 1), (A.shape[0], 1))) if shared else columns(np.broadcast_to(w, y.shape))
    x = np.empty((A.shape[1], pixels), y.dtype)
    status, rank, valid = np.empty(pixels, np.uint8), np.empty(pixels, np.int32), np.empty(pixels, np.int32)
    norm = np.empty(pixels, y.dtype)
    _core.solve(A._network, data, w, x, status, rank, valid, norm, _NULL_SPACE[null_space], at_least_one(threads, "threads"),
                at_least_one(chunk_size, "chunk_size"))
    tail = y.shape[1:]
    return Solution(x.reshape(A.shape[1], *tail), status.reshape(tail), rank.reshape(tail), valid.reshape(tail),
                    np.zeros(tail, np.int32), norm.reshape(tail), "edge-flow")
