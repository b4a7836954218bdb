"""Operators in JAX. Needs ``pip install lopsar[jax]``; imported by ``import lopsar.jax``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._core import InvalidArgument
from .gradients import vector_jacobian, way
from .linear_operator import LinearOperator, aslinearoperator
from .solve import pixelwise
from .solve import solve as _solve

__all__ = ["JaxOperator", "apply", "solve"]


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


def solve(model: Any, y: Any, weights: Any = None, *, prior: Any = None, damp: float = 0.0, **options: Any) -> Any:
    r"""The x of `lopsar.solve` inside ``jax.jit``, ``jax.grad`` and the like, with gradients with respect to data and weights.

    Parameters
    ----------
    model : pixelwise operator or matrix, (K, n)
    y : jax.Array, (K, ...)
        float32 or float64; NaN is missing.
    weights : jax.Array, (K,), (K, 1) or broadcastable to y, optional
        Taken in the precision of y.
    prior, damp, **options
        As for `lopsar.solve`, without `null_space`; these have no gradient.

    Returns
    -------
    jax.Array, (n, ...)
        NaN where nothing determines an unknown.

    Raises
    ------
    InvalidArgument, ShapeError
        As `lopsar.solve`; another precision.

    Notes
    -----
    Reverse mode once, by implicit differentiation (see `lopsar.torch.solve`); missing observations and undetermined unknowns have gradient 0.
    ``vmap`` solves sample by sample: give them as pixels instead.
    """
    op = pixelwise(model, "lopsar.jax.solve")
    y = jnp.asarray(y)
    if y.dtype not in (jnp.float32, jnp.float64):
        raise InvalidArgument(f"lopsar.jax.solve: expected float32 or float64, got {y.dtype}; convert it")
    if options.get("null_space") is not None:
        raise InvalidArgument("lopsar.jax.solve: expected no null_space, whose minimum norm has no gradient here; leave it out")
    w = None if weights is None else jnp.asarray(weights, y.dtype)

    def solved(y: Any, w: Any = None) -> np.ndarray:
        return _solve(op, np.asarray(y), None if w is None else np.asarray(w), prior=prior, damp=damp, **options).x

    def pulled(y: Any, x: Any, gradient: Any, w: Any = None) -> Any:
        of_y, of_w = vector_jacobian(op, np.asarray(y), None if w is None else np.asarray(w), np.asarray(x), np.asarray(gradient), prior, damp,
                                     **way(options))
        return (of_y,) if of_w is None else (of_y, np.asarray(of_w, of_y.dtype))

    @jax.custom_vjp
    def run(*given: Any) -> Any:
        result = jax.ShapeDtypeStruct((op.shape[1], *given[0].shape[1:]), given[0].dtype)
        return jax.pure_callback(solved, result, *given, vmap_method="sequential")

    def forward(*given: Any) -> Any:
        x = run(*given)
        return x, (x, given)

    def backward(kept: Any, gradient: Any) -> Any:
        x, given = kept
        results = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in given)
        return jax.pure_callback(pulled, results, given[0], x, gradient, *given[1:], vmap_method="sequential")

    run.defvjp(forward, backward)
    return run(y) if w is None else run(y, w)


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
