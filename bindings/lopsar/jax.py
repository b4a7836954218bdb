"""Operators in JAX. Needs ``pip install lopsar[jax]``; imported by ``import lopsar.jax``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._core import InvalidArgument
from .linear_operator import LinearOperator, aslinearoperator

__all__ = ["JaxOperator", "apply"]


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
        Of a shape that ``op @ x`` takes, float32, float64 or their complex numbers; integers become floating.

    Returns
    -------
    jax.Array
        In the precision of `x`.

    Raises
    ------
    InvalidArgument
        For bfloat16 and float16.

    Notes
    -----
    Reverse mode any number of times: ``grad``, ``vjp``, ``jacrev``, and these of each other. Forward mode (``jvp``, ``jacfwd``, ``hessian``,
    ``linear_transpose``) does not work: a Hessian is ``jacrev(jacrev(f))``. ``vmap`` calls the operator once per sample: give it columns instead.
    """
    op = aslinearoperator(op)
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(float)
    if x.dtype.itemsize < 4 or x.dtype.kind not in "fc":
        raise InvalidArgument(f"lopsar.jax.apply: expected float32, float64 or their complex numbers, got {x.dtype}; convert it")

    @jax.custom_vjp
    def run(x: Any) -> Any:
        return _call(op, x)

    def backward(_: None, gradient: Any) -> Any:
        result = apply(op.T, gradient).reshape(x.shape)   # JAX transposes without conjugating
        return (result if jnp.iscomplexobj(x) else result.real.astype(x.dtype),)

    run.defvjp(lambda x: (run(x), None), backward)   # by run itself, so that it may be differentiated again
    return run(x)


class JaxOperator(LinearOperator):
    """An operator on JAX arrays, inside ``jit``, ``grad`` and ``vmap`` too, as PyLops has it: ``@`` is `apply`.

    Parameters
    ----------
    Op : operator
    """

    def __init__(self, Op: Any) -> None:
        super().__init__(aslinearoperator(Op))

    def __call__(self, x: Any) -> Any:
        """The operator on an array."""
        return apply(self.Op, x)

    def dot(self, x: Any) -> Any:
        """As for any operator."""
        return apply(self.Op, x) if isinstance(x, jax.Array) and x.ndim > 0 else super().dot(x)

    def matvec(self, x: Any) -> Any:
        """``A x``."""
        return apply(self.Op, x) if isinstance(x, jax.Array) else super().matvec(x)

    def rmatvec(self, x: Any) -> Any:
        """``A^H x``."""
        return apply(self.Op.H, x) if isinstance(x, jax.Array) else super().rmatvec(x)

    def rmatvecad(self, x: Any, y: Any) -> Any:
        """The product of `y` with the Jacobian at `x`, by ``jax.vjp``."""
        return jax.vjp(self, x)[1](y)[0]

    def _adjoint(self) -> LinearOperator:
        return JaxOperator(self.Op.H)

    def _transpose(self) -> LinearOperator:
        return JaxOperator(self.Op.T)
