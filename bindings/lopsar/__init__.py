"""lopsar: InSAR time-series inversion with matrix-free operators."""

from importlib.metadata import version as _version

from ._core import (
    Error,
    FileError,
    InvalidArgument,
    ShapeError,
    Status,
    active_isa,
    isa_levels,
)
from .invert import invert
from .linear_operator import LinearOperator, aslinearoperator, dottest
from .network import Network
from .plot import plot
from .simulate import simulate
from .solve import Solution, solve
from .stack import Stack, open_stack
from .time_series import TimeSeries, invert_arrays

__version__ = _version("lopsar")

__all__ = [
    "Error", "FileError", "InvalidArgument", "LinearOperator", "Network", "ShapeError", "Solution", "Stack", "Status", "TimeSeries",
    "active_isa", "aslinearoperator", "dottest", "invert", "invert_arrays", "isa_levels", "open_stack", "plot", "simulate", "solve",
]
