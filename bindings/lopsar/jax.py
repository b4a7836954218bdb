"""Operators in JAX. Needs ``pip install lopsar[jax]``; imported by ``import lopsar.jax``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .linear_operator import aslinearoperator

__all__ = ["apply"]


def _call(op: Any, x: Any) -> Any:
    dtype = np.dtype(x.dtype)
    if op.dtype.kind == "c" or not op.clinear:
        dtype = np.result_type(dtype, np.complex64)
    result = jax.ShapeDtypeStruct(op._fit(x.shape)[1], dtype)
    return jax.pure_callback(lambda values: np.asarray(op @ np.asarray(values), dtype), result, x, vmap_method="sequential")


def apply(op: Any, x: Any) -> Any:
    """``op @ x`` inside ``jax.jit``, ``jax.grad``, ``jax.vmap`` and the like, whose transpose is that of the operator.

    Parameters
    ----------
    op : operator
    x : jax.Array
        Of a shape that ``op @ x`` takes, floating or complex.

    Returns
    -------
    jax.Array
        In the precision of `x`.
    """
    op = aslinearoperator(op)
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(float)

    @jax.custom_vjp
    def run(x: Any) -> Any:
        return _call(op, x)

    def backward(_: None, gradient: Any) -> Any:
        result = apply(op.T, gradient).reshape(x.shape)   # JAX transposes without conjugating
        return (result if jnp.iscomplexobj(x) else result.real.astype(x.dtype),)

    run.defvjp(lambda x: (_call(op, x), None), backward)
    return run(x)
