"""lopsar: InSAR time-series inversion with matrix-free operators."""

from importlib.metadata import version as _version
from typing import Any as _Any

from . import basicoperators, optimization, signalprocessing, utils
from ._core import (
    Error,
    FileError,
    Interrupted,
    InvalidArgument,
    ShapeError,
    active_isa,
    isa_levels,
)
from .compare import Comparison, MethodReport, compare
from .complex_parts import Conj, Imag, Real
from .config import (
    disabled_ndarray_multiplication,
    enabled_ndarray_multiplication,
    get_ndarray_multiplication,
    set_ndarray_multiplication,
)
from .dem_error import DemError, date_baselines
from .derivatives import FirstDerivative, FirstDirectionalDerivative, Gradient, Laplacian, SecondDerivative, SecondDirectionalDerivative
from .diagonal import Diagonal, Identity, Zero
from .function_operator import FunctionOperator, MemoizeOperator
from .identifiability import Identifiability, IdentifiabilityWarning, identifiability
from .interpolation import Spread
from .invert import invert
from .iterative import IterativeSolve
from .linear_operator import LinearOperator, aslinearoperator, dottest
from .matrix import MatrixMult
from .network import Network
from .optimization.basic import cg, cgls, lsqr
from .optimization.leastsquares import normal_equations_inversion, preconditioned_inversion, regularized_inversion
from .pattern import Pattern
from .plot import plot
from .rearrange import Flip, Pad, Restriction, Roll, Symmetrize, Transpose
from .regression import LinearRegression, Regression
from .series import CumulativeSum, Datum, TimeDifference, Weighting
from .simulate import simulate
from .smooth_inversion import SmoothInversion, SmoothSolution, smooth_inversion
from .smoothing import Smoothing1D, Smoothing2D, SmoothingND
from .solve import Preconditioner, Prior, Solution, solve
from .solve_operator import Solve
from .stack import Stack, open_stack
from .stacking import Block, BlockDiag, HStack, Kronecker, VStack
from .status import Status
from .sums import CausalIntegration, Sum
from .time_models import Exponential, Logarithm, Polyline, Polynomial, Seasonal, Step
from .time_series import TimeSeries, invert_arrays

__version__ = _version("lopsar")

__all__ = [
    "Block", "BlockDiag", "CausalIntegration", "Comparison", "Conj", "CumulativeSum", "Datum", "DemError", "Diagonal", "Error", "Exponential",
    "FileError", "FirstDerivative", "FirstDirectionalDerivative", "Flip", "FunctionOperator", "Gradient", "HStack", "Identifiability",
    "IdentifiabilityWarning", "Identity", "Imag", "Interrupted", "InvalidArgument", "IterativeSolve", "Kronecker", "Laplacian", "LinearOperator",
    "LinearRegression", "Logarithm", "MatrixMult", "MemoizeOperator", "MethodReport", "Network", "Pad", "Pattern", "Polyline", "Polynomial",
    "Preconditioner", "Prior", "Real", "Regression", "Restriction", "Roll", "Seasonal", "SecondDerivative", "SecondDirectionalDerivative",
    "ShapeError", "SmoothInversion", "SmoothSolution", "Smoothing1D", "Smoothing2D", "SmoothingND", "Solution", "Solve", "Spread", "Stack",
    "Status", "Step", "Sum", "Symmetrize", "TimeDifference", "TimeSeries", "Transpose", "VStack", "Weighting", "Zero", "active_isa",
    "aslinearoperator", "basicoperators", "cg", "cgls", "compare", "date_baselines", "disabled_ndarray_multiplication", "dottest",
    "enabled_ndarray_multiplication", "get_ndarray_multiplication", "identifiability", "invert", "invert_arrays", "isa_levels", "lsqr",
    "normal_equations_inversion", "open_stack", "optimization", "plot", "preconditioned_inversion", "regularized_inversion",
    "set_ndarray_multiplication", "signalprocessing", "simulate", "smooth_inversion", "solve", "utils",
]


def __dir__() -> list[str]:
    """Public names: modules in which these live are nobody's business."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def __getattr__(name: str) -> _Any:
    """What needs a library that only some have, and that takes long to import."""
    library = {"TorchOperator": "torch", "JaxOperator": "jax"}.get(name)
    if library is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module
    try:
        return getattr(import_module(f"{__name__}.{library}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{__name__}.{name}: expected {library}, got none; pip install lopsar[{library}]") from error
