"""InSAR time-series inversion with matrix-free operators."""

from .invert import invert
from .plot import plot
from .simulate import simulate
from .stack import Stack, open_stack

__all__ = ["Stack", "invert", "open_stack", "plot", "simulate"]
