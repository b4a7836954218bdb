"""lopsar: InSAR time-series inversion with matrix-free operators."""

from importlib.metadata import version as _version

from . import basicoperators, signalprocessing, utils
from ._core import (
    Error,
    FileError,
    InvalidArgument,
    ShapeError,
    Status,
    active_isa,
    isa_levels,
)
from .complex_parts import Conj, Imag, Real
from .config import (
    disabled_ndarray_multiplication,
    enabled_ndarray_multiplication,
    get_ndarray_multiplication,
    set_ndarray_multiplication,
)
from .dem_error import DemError, date_baselines
from .function_operator import FunctionOperator, MemoizeOperator
from .invert import invert
from .linear_operator import LinearOperator, aslinearoperator, dottest
from .matrix import MatrixMult
from .network import Network
from .pattern import Pattern
from .plot import plot
from .series import CumulativeSum, Datum, TimeDifference, Weighting
from .simulate import simulate
from .solve import Solution, solve
from .stack import Stack, open_stack
from .stacking import Block, BlockDiag, HStack, Kronecker, VStack
from .time_models import Exponential, Logarithm, Polyline, Polynomial, Seasonal, Step
from .time_series import TimeSeries, invert_arrays

__version__ = _version("lopsar")

__all__ = [
    "Block", "BlockDiag", "Conj", "CumulativeSum", "Datum", "DemError", "Error", "Exponential", "FileError", "FunctionOperator", "HStack", "Imag",
    "InvalidArgument", "Kronecker", "LinearOperator", "Logarithm", "MatrixMult", "MemoizeOperator", "Network", "Pattern", "Polyline",
    "Polynomial", "Real", "Seasonal", "ShapeError", "Solution", "Stack", "Status", "Step", "TimeDifference", "TimeSeries", "VStack", "Weighting",
    "active_isa", "aslinearoperator", "basicoperators", "date_baselines", "disabled_ndarray_multiplication", "dottest",
    "enabled_ndarray_multiplication", "get_ndarray_multiplication", "invert", "invert_arrays", "isa_levels", "open_stack", "plot",
    "set_ndarray_multiplication", "signalprocessing", "simulate", "solve", "utils",
]
