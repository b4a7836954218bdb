"""``pylops.utils.describe``."""

from typing import Any

from ..linear_operator import aslinearoperator

__all__ = ["describe"]


def describe(Op: Any) -> None:
    """Print the formula of an operator, with shapes, units and names of parameters."""
    print(aslinearoperator(Op).describe())
