"""Derivatives of `solve` with respect to data and weights, for libraries that differentiate."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .compare import ITERATIVE, chosen_pixels
from .identifiability import IdentifiabilityWarning
from .linear_operator import LinearOperator
from .series import Weighting
from .solve import Preconditioner, Prior, Solution, chosen_preconditioner, pixelwise, prior_list, rows_of, solve
from .solve_operator import Solve
from .stacking import VStack

__all__ = ["vector_jacobian", "way"]


def way(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `solve` that decide which x of several it finds."""
    return {name: options[name] for name in ("method", "preconditioner", "x0") if name in options}


def vector_jacobian(op: LinearOperator, y: np.ndarray, weights: np.ndarray | None, x: np.ndarray, gradient: np.ndarray, prior: Any,
                    damp: float, method: str = "auto", preconditioner: Any = "auto", x0: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
    r"""Gradients of a loss L with respect to y and weights from that with respect to the solution x.

    .. math:: \lambda = N^{-1} g, \quad \frac{dL}{dy} = W A \lambda, \quad \frac{dL}{dw_k} = r_k (A \lambda)_k, \quad r = y - A x

    Parameters
    ----------
    y : (K, ...)
    weights : (K,), (K, 1) or broadcastable to y, or None
    x, gradient : (n, ...)
        Where x is NaN, which nothing determines, the gradient is not looked at.
    prior, damp, method, preconditioner, x0
        As `solve` took them.

    Returns
    -------
    (K, ...), and an array of the shape of `weights` or None
        0 where an observation is missing; NaN in pixels of missing rank with an iterative method and a preconditioner by blocks or of another model.
    """
    rows, n, tail = op.shape[0], op.shape[1], y.shape[1:]
    w = np.ones((rows, 1), y.dtype) if weights is None else rows_of(weights, rows, tail, y.dtype, "solve: weights")
    flat, found = y.reshape(rows, -1), x.reshape(n, -1)
    seen = np.isfinite(flat) & (w > 0) & np.isfinite(w)
    used = np.ascontiguousarray(w if seen.all() else np.where(seen, w, 0))
    data, priors = [], []
    for p in prior_list(prior):
        values, of_prior = (None if v is None else rows_of(v, p.op.shape[0], tail, y.dtype, "solve: prior") for v in (p.data, p.weights))
        data.append(values)
        priors.append(Prior(p.op, None, _present(of_prior, values)))
    g = np.where(np.isnan(x), 0, gradient).astype(y.dtype).reshape(n, -1)
    of_y = Solve(op, used, prior=priors, damp=damp, _warn=False).rmatmat(g)   # the solve has warned
    of_w = np.zeros(flat.shape, y.dtype)
    if method in ITERATIVE and not damp:
        _least_norm(op, used, priors, found, g, of_y, of_w, chosen_preconditioner(preconditioner, op, prior),
                    0 if x0 is None else rows_of(x0, n, tail, y.dtype, "solve: x0"))
    if weights is None:
        return of_y.reshape(y.shape), None
    unknown = np.isnan(found).any(axis=0)
    if unknown.any():   # rows of undetermined unknowns may still matter: their residual is that of any x that fits
        found = np.where(unknown, _fit(op, used, np.where(seen, flat, 0), priors, data, damp), found)
    residual = flat - op.matmat(found)
    of_w += np.divide(residual * of_y, used, out=np.zeros_like(of_w), where=seen)
    return of_y.reshape(y.shape), _summed(np.where(seen, of_w, 0).reshape(y.shape), np.shape(weights))


def _present(weights: np.ndarray | None, data: np.ndarray | None) -> np.ndarray | None:
    """Weights of the rows of a prior, 0 where NaN says that there is no such row."""
    if weights is not None:
        weights = np.where(np.isnan(weights), weights.dtype.type(0), weights)
    if data is None or not np.isnan(data).any():
        return weights
    return np.where(np.isnan(data), data.dtype.type(0), data.dtype.type(1) if weights is None else weights)


def _fit(op: LinearOperator, weights: np.ndarray, y: np.ndarray, priors: list[Prior], data: list[Any], damp: float) -> np.ndarray:
    """A minimum, whatever the undetermined unknowns are there, with the rows of priors as further observations."""
    observed = [y, *(np.zeros(0, y.dtype) if values is None else np.nan_to_num(values) for values in data)]
    shapes = [(part.shape[0], y.shape[1]) for part in (y, *(p.op for p in priors))]
    stacked = np.concatenate([np.broadcast_to(values if values.size else y.dtype.type(0), shape) for values, shape in zip(observed, shapes)])
    w = np.concatenate([np.broadcast_to(y.dtype.type(1) if values is None else values, shape)
                        for values, shape in zip((weights, *(p.weights for p in priors)), shapes)])
    model = VStack([op, *(p.op for p in priors)]) if priors else op
    return Solve(model, w, damp=damp, _fit=True, _warn=False).matmat(stacked)


def _least_norm(op: LinearOperator, weights: np.ndarray, priors: list[Prior], x: np.ndarray, g: np.ndarray, of_y: np.ndarray, of_w: np.ndarray,
                preconditioner: Preconditioner | None, x0: Any) -> None:
    r"""Gradients of an iterative method in pixels of missing rank, into `of_y`, and what `of_w` has besides.

    Iterations find of all minima the x with the least :math:`(x - x_0)^T M (x - x_0)`. With B the rows of A and of the priors, all of them weighted,
    the least-norm :math:`\tau` of :math:`|M^{-1/2} (B^T W^{1/2} \tau - g)|` is :math:`W^{1/2} B \lambda`. Its residual is :math:`-M \mu` with
    :math:`B \mu = 0`, and where M is the diagonal of N, which depends on w, there is :math:`-\sum_j A_{kj}^2 \mu_j (x - x_0)_j` more of dL/dw_k.
    """
    rank = _solved(op, np.zeros(of_y.shape), weights, "cholesky", prior=priors).rank
    which = np.flatnonzero((rank < op.shape[1]) & np.isfinite(x).any(axis=0))
    if not which.size:
        return
    if preconditioner is not None and preconditioner.kind != "diagonal":
        of_y[:, which] = of_w[:, which] = np.nan
        return

    def part(values: Any) -> Any:
        return values if values is None or np.ndim(values) == 0 or values.shape[1] == 1 else np.ascontiguousarray(values[:, which], np.float64)
    op, w = chosen_pixels(op, which), part(weights).astype(float)
    priors = [Prior(chosen_pixels(pixelwise(p.op, "solve"), which), None, part(p.weights)) for p in priors]
    n, g = op.shape[1], part(g).astype(float)
    M = np.ones_like(g)
    if preconditioner is not None:
        M = np.zeros_like(g)
        for j in range(n):
            M[j] = (w * _column(op, j, which.size)**2).sum(axis=0)
            for p in priors:
                M[j] += ((1.0 if p.weights is None else p.weights) * _column(p.op, j, which.size)**2).sum(axis=0)
        M = np.where(M > 0, M, 1)   # unknowns that no row touches

    shapes = [(model.shape[0], which.size) for model in (op, *(p.op for p in priors))]
    root = np.sqrt(np.concatenate([np.broadcast_to(1.0 if values is None else values, shape)
                                   for values, shape in zip((w, *(p.weights for p in priors)), shapes)]))
    weighted = Weighting(root) @ (VStack([op, *(p.op for p in priors)]) if priors else op)
    # From 0; rounding delays some pixels, the others have stopped.
    tau = np.nan_to_num(_solved(weighted.H, g, 1 / M, "cgls", preconditioner=None, tol=1e-13, conlim=0, max_iterations=20 * n + 100).x)
    of_y[:, which] = root[:op.shape[0]] * tau[:op.shape[0]]
    if preconditioner is not None:
        product = (g - weighted.rmatmat(tau)) / M * (np.nan_to_num(x[:, which]) - part(np.broadcast_to(x0, x.shape)))
        for j in range(n):
            of_w[:, which] -= _column(op, j, which.size)**2 * product[j]


def _solved(*args: Any, **options: Any) -> Solution:
    """`solve` in float64, which does not say again what a model cannot tell apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        return solve(*args, **options, arithmetic="float64")


def _column(op: LinearOperator, j: int, pixels: int) -> np.ndarray:
    """Column j of the matrix of every pixel, (rows, pixels)."""
    unit = np.zeros((op.shape[1], pixels))
    unit[j] = 1
    return op.matmat(unit)


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
