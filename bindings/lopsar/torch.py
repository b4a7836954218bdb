"""Operators in PyTorch's automatic differentiation. Needs ``pip install lopsar[torch]``; imported by ``import lopsar.torch``."""

from __future__ import annotations

from typing import Any

import torch

from ._core import InvalidArgument
from .gradients import vector_jacobian, way
from .linear_operator import aslinearoperator
from .solve import pixelwise
from .solve import solve as _solve

__all__ = ["TorchOperator", "apply", "solve"]


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(x: Any, op: Any) -> Any:
        return op @ x.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, ctx.op = inputs
        ctx.shape, ctx.real = x.shape, not x.is_complex()

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        result = _Apply.apply(gradient, ctx.op.H).reshape(ctx.shape)
        return (result.real if ctx.real and result.is_complex() else result), None

    @staticmethod
    def jvp(ctx: Any, tangent: Any, _: Any) -> Any:
        return _Apply.apply(tangent, ctx.op)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Any, op: Any) -> Any:
        x = x.movedim(in_dims[0], -1)   # the batch is one more axis of columns
        given, result = op._fit(tuple(x.shape[:-1]))
        return _Apply.apply(x.reshape(given[0], -1), op).reshape(*result, info.batch_size), len(result)


def apply(op: Any, x: Any) -> Any:
    """``op @ x`` for a CPU tensor, whose gradient is the adjoint.

    Parameters
    ----------
    op : operator
    x : torch.Tensor
        float32, float64 or their complex numbers, of a shape that ``op @ x`` takes. Not copied.

    Returns
    -------
    torch.Tensor
        In the precision of `x`.

    Raises
    ------
    InvalidArgument
        If it is no tensor, or not on the CPU, or in another precision.

    Notes
    -----
    Gradients of gradients, forward mode, and ``torch.func`` (``grad``, ``vmap``, ``jvp``, ``jacrev``, ``hessian``) work; a batch of ``vmap`` is
    one block of columns.
    """
    if not isinstance(x, torch.Tensor):
        raise InvalidArgument(f"lopsar.torch.apply: expected a torch.Tensor, got {type(x).__name__}; use A @ x, or torch.as_tensor(x)")
    if x.device.type != "cpu":
        raise InvalidArgument(f"lopsar.torch.apply: expected a tensor on the CPU, got one on {x.device}; move it with x.cpu()")
    return _Apply.apply(x, aslinearoperator(op))


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Any, weights: Any, op: Any, prior: Any, damp: float, options: dict[str, Any]) -> Any:
        data, w = y.detach().numpy(), None if weights is None else weights.detach().numpy()
        x = torch.from_numpy(_solve(op, data, w, prior=prior, damp=damp, **options).x)
        ctx.op, ctx.prior, ctx.damp, ctx.how = op, prior, damp, way(options)
        ctx.save_for_backward(y, x, *([] if weights is None else [weights]))
        return x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Any) -> Any:
        y, x, *weights = (tensor.detach().numpy() for tensor in ctx.saved_tensors)
        of_y, of_w = vector_jacobian(ctx.op, y, weights[0] if weights else None, x, gradient.numpy(), ctx.prior, ctx.damp,
                                     **ctx.how)
        return torch.from_numpy(of_y), None if of_w is None else torch.as_tensor(of_w), None, None, None, None


def solve(model: Any, y: Any, weights: Any = None, *, prior: Any = None, damp: float = 0.0, **options: Any) -> Any:
    r"""The x of `lopsar.solve` as a tensor with gradients with respect to data and weights.

    Parameters
    ----------
    model : pixelwise operator or matrix, (K, n)
    y : torch.Tensor, (K, ...)
        float32 or float64, on the CPU; NaN is missing.
    weights : torch.Tensor, (K,), (K, 1) or broadcastable to y, optional
        In the precision of y.
    prior, damp, **options
        As for `lopsar.solve`, without `null_space`; these have no gradient.

    Returns
    -------
    torch.Tensor, (n, ...)
        NaN where nothing determines an unknown.

    Raises
    ------
    InvalidArgument, ShapeError
        No tensor, not on the CPU, another precision; as `lopsar.solve`.

    Notes
    -----
    Implicit differentiation: with :math:`\lambda = N^{-1} g` for the gradient g of x, that of y is :math:`W A \lambda`, and that of w
    :math:`r_k (A \lambda)_k`, :math:`r = y - A x`. One more solve, whatever the method; an iterative one is taken as converged. Missing observations
    and undetermined unknowns have gradient 0. In pixels of missing rank an iterative method finds the x nearest to `x0`, and the gradient is that of
    this x, by some more solves; with a preconditioner by blocks or of another model it is NaN there. Gradients of gradients are not there.
    """
    op = pixelwise(model, "lopsar.torch.solve")
    for name, tensor in (("y", y), ("weights", weights)):
        if tensor is None and name == "weights":
            continue
        if not isinstance(tensor, torch.Tensor) or tensor.device.type != "cpu":
            what = f"one on {tensor.device}" if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise InvalidArgument(f"lopsar.torch.solve: expected {name} as a torch.Tensor on the CPU, got {what}; move it with x.cpu()")
        if tensor.dtype not in (torch.float32, torch.float64) or tensor.dtype != y.dtype:
            raise InvalidArgument(f"lopsar.torch.solve: expected y and weights in float32, or both in float64, got {name} in {tensor.dtype}")
    if options.get("null_space") is not None:
        raise InvalidArgument("lopsar.torch.solve: expected no null_space, whose minimum norm has no gradient here; leave it out")
    return _Solve.apply(y, weights, op, prior, float(damp), options)


class TorchOperator:
    """An operator as a function of tensors with a gradient, as PyLops has it: `apply` with a batch first.

    Parameters
    ----------
    Op : operator
    batch : bool
        True: the first axis of a tensor counts samples.
    flatten : bool
        True: a sample is flat, (n,) -> (m,). False: it has the shape `dims`, and its result the shape `dimsd`.
    device : {"cpu"}
        Where the operator works.
    devicetorch : str
        Where results go.
    """

    def __init__(self, Op: Any, batch: bool = False, flatten: bool = True, device: str = "cpu", devicetorch: str = "cpu") -> None:
        if device != "cpu":
            raise InvalidArgument(f"TorchOperator: expected device 'cpu', where operators work, got {device!r}")
        self.Op = aslinearoperator(Op)
        self.batch, self.flatten, self.device, self.devicetorch = batch, flatten, device, devicetorch
        self.dtype, self.dims, self.dimsd, self.name = self.Op.dtype, self.Op.dims, self.Op.dimsd, self.Op.name

    def apply(self, x: Any) -> Any:
        """The operator on a tensor, or on each of a batch."""
        if not self.batch:
            return apply(self.Op, x).to(self.devicetorch)
        y = apply(self.Op, x.movedim(0, -1))
        shape = (self.Op.shape[0],) if self.flatten else self.dimsd
        return y.reshape(*shape, x.shape[0]).movedim(-1, 0).to(self.devicetorch)

    __call__ = apply
