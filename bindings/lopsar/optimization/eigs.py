"""Largest eigenvalue."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import InvalidArgument
from ..linear_operator import aslinearoperator

__all__ = ["power_iteration"]


def power_iteration(Op: Any, niter: int = 10, tol: float = 1e-5, dtype: Any = "float32", backend: str = "numpy") -> tuple[float, np.ndarray, int]:
    """The eigenvalue of largest magnitude and its eigenvector, by repeated multiplication.

    Parameters
    ----------
    Op : operator
        Square. Where several eigenvalues have that magnitude, it does not converge.
    niter : int
        At most so many products.
    tol : float
        Stops where the eigenvalue changes by less than `tol` times itself.
    dtype : dtype
        Of the vector; that of the operator, where that has more digits or is complex.
    backend : {"numpy"}

    Returns
    -------
    maxeig : float
        Complex for a complex `dtype`.
    b_k : (n,) array
        Of norm 1.
    iiter : int
        Products done.

    Raises
    ------
    InvalidArgument
        NaN or infinity came up.
    """
    if backend != "numpy":
        raise InvalidArgument(f"power_iteration: expected backend 'numpy', got {backend!r}")
    op = aslinearoperator(Op)
    if op.shape[0] != op.shape[1]:
        raise InvalidArgument(f"power_iteration: expected a square operator, got shape {op.shape}; use A.H @ A")
    dtype = np.result_type(dtype, op.dtype)
    rng = np.random.default_rng(0)
    b = rng.standard_normal(op.shape[1]).astype(dtype)
    if dtype.kind == "c":
        b = b + np.array(1j, dtype) * rng.standard_normal(op.shape[1]).astype(dtype)
    b /= np.linalg.norm(b)
    value, count = dtype.type(0), 0
    for count in range(1, niter + 1):
        product = op.matvec(b).astype(dtype, copy=False)
        norm = np.linalg.norm(product)
        if not np.isfinite(norm):
            raise InvalidArgument(f"power_iteration: expected finite values, got {norm} in iteration {count}; check the operator")
        before, value = value, np.vdot(b, product)
        if norm == 0:   # b lies in the null space: nothing is known but that
            return dtype.type(0), b, count
        b = product / norm
        if abs(value - before) <= tol * abs(value):
            break
    return value, b, count
