"""The names of ``pylops.signalprocessing`` that lopsar has."""

from .matrix import Fredholm1

__all__ = ["Fredholm1"]
