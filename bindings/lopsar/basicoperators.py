"""The names of ``pylops.basicoperators`` that lopsar has."""

from .complex_parts import Conj, Imag, Real
from .derivatives import FirstDerivative, FirstDirectionalDerivative, Gradient, Laplacian, SecondDerivative, SecondDirectionalDerivative
from .diagonal import Diagonal, Identity, Zero
from .function_operator import FunctionOperator, MemoizeOperator
from .interpolation import Spread
from .linear_operator import LinearOperator
from .matrix import MatrixMult
from .rearrange import Flip, Pad, Restriction, Roll, Symmetrize, Transpose
from .regression import LinearRegression, Regression
from .smoothing import Smoothing1D, Smoothing2D, SmoothingND
from .stacking import Block, BlockDiag, HStack, Kronecker, VStack
from .sums import CausalIntegration, Sum

__all__ = [
    "Block", "BlockDiag", "CausalIntegration", "Conj", "Diagonal", "FirstDerivative", "FirstDirectionalDerivative", "Flip", "FunctionOperator",
    "Gradient", "HStack", "Identity", "Imag", "Kronecker", "Laplacian", "LinearOperator", "LinearRegression", "MatrixMult", "MemoizeOperator",
    "Pad", "Real", "Regression", "Restriction", "Roll", "SecondDerivative", "SecondDirectionalDerivative", "Smoothing1D", "Smoothing2D",
    "SmoothingND", "Spread", "Sum", "Symmetrize", "Transpose", "VStack", "Zero",
]
