"""The names of ``pylops.signalprocessing`` that lopsar has."""

from .interpolation import Bilinear, Interp
from .matrix import Fredholm1

__all__ = ["Bilinear", "Fredholm1", "Interp"]
