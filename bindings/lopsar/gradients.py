"""Derivatives of `solve` with respect to data and weights, for libraries that differentiate."""

from __future__ import annotations

from typing import Any

import numpy as np

from .linear_operator import LinearOperator
from .solve import Prior, prior_list, rows_of
from .solve_operator import Solve

__all__ = ["vector_jacobian"]


def vector_jacobian(op: LinearOperator, y: np.ndarray, weights: np.ndarray | None, x: np.ndarray, gradient: np.ndarray, prior: Any,
                    damp: float) -> tuple[np.ndarray, np.ndarray | None]:
    r"""Gradients of a loss L with respect to y and weights from that with respect to the solution x.

    .. math:: \lambda = N^{-1} g, \quad \frac{dL}{dy} = W A \lambda, \quad \frac{dL}{dw_k} = r_k (A \lambda)_k, \quad r = y - A x

    Parameters
    ----------
    y : (K, ...)
    weights : (K,), (K, 1) or broadcastable to y, or None
    x, gradient : (n, ...)
        Where x is NaN, which nothing determines, the gradient is not looked at.

    Returns
    -------
    (K, ...), and an array of the shape of `weights` or None
        0 where an observation is missing.
    """
    rows, tail = op.shape[0], y.shape[1:]
    w = np.ones((rows, 1), y.dtype) if weights is None else rows_of(weights, rows, tail, y.dtype, "solve: weights")
    flat = y.reshape(rows, -1)
    seen = np.isfinite(flat) & (w > 0) & np.isfinite(w)
    used = w if seen.all() else np.where(seen, w, 0)
    priors = [Prior(p.op, None, None if p.weights is None else rows_of(p.weights, p.op.shape[0], tail, y.dtype, "solve: prior"))
              for p in prior_list(prior)]
    g = np.where(np.isnan(x), 0, gradient).astype(y.dtype).reshape(op.shape[1], -1)
    of_y = Solve(op, np.ascontiguousarray(used), prior=priors, damp=damp, _warn=False).rmatmat(g)   # the solve has warned
    if weights is None:
        return of_y.reshape(y.shape), None
    found = x.reshape(op.shape[1], -1)
    if np.isnan(found).any():   # rows of undetermined unknowns may still matter: their residual is that of any x that fits
        data = [Prior(p.op, q.data, p.weights) for p, q in zip(priors, prior_list(prior))]
        if any(p.data is not None for p in data):
            found = np.where(np.isnan(found), 0, found)
        else:
            found = Solve(op, np.ascontiguousarray(used), prior=priors, damp=damp, _fit=True, _warn=False).matmat(np.where(seen, flat, 0))
    residual = flat - op.matmat(found)
    of_w = np.zeros(flat.shape, y.dtype)
    np.divide(residual * of_y, used, out=of_w, where=seen)
    return of_y.reshape(y.shape), _summed(of_w.reshape(y.shape), np.shape(weights))


def _summed(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The sum over the axes along which an array of this shape was repeated."""
    if values.shape == shape:
        return values
    full = (*shape, *[1] * (values.ndim - len(shape))) if len(shape) < 2 or shape[1:] == (1,) else shape
    full = full[:1] + (1,) * (values.ndim - 1) if len(full) != values.ndim else full
    if not shape:
        return values.sum()
    axes = tuple(i for i, (n, m) in enumerate(zip(full, values.shape)) if n == 1 and m != 1)
    return values.sum(axis=axes, keepdims=True).reshape(shape)
