"""Operators in PyTorch's automatic differentiation. Needs ``pip install lopsar[torch]``; imported by ``import lopsar.torch``."""

from __future__ import annotations

from typing import Any

import torch

from ._core import InvalidArgument
from .linear_operator import aslinearoperator

__all__ = ["TorchOperator", "apply"]


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
