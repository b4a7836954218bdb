"""``pylops.utils.dottest``."""

from ..linear_operator import dottest

__all__ = ["dottest"]
