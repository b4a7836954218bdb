"""Operators in PyTorch's automatic differentiation. Needs ``pip install lopsar[torch]``; imported by ``import lopsar.torch``."""

from __future__ import annotations

from typing import Any

import torch

from .linear_operator import aslinearoperator

__all__ = ["apply"]


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, op: Any) -> Any:
        ctx.op, ctx.shape, ctx.real = op, x.shape, not x.is_complex()
        return op @ x.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        result = _Apply.apply(gradient, ctx.op.H).reshape(ctx.shape)
        return (result.real if ctx.real and result.is_complex() else result), None


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
        If the tensor is not on the CPU.
    """
    if x.device.type != "cpu":
        from ._core import InvalidArgument
        raise InvalidArgument(f"lopsar.torch.apply: expected a tensor on the CPU, got one on {x.device}; move it with x.cpu()")
    return _Apply.apply(x.resolve_conj() if x.is_complex() else x, aslinearoperator(op))
