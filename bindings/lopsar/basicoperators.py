"""The names of ``pylops.basicoperators`` that lopsar has."""

from .complex_parts import Conj, Imag, Real
from .function_operator import FunctionOperator, MemoizeOperator
from .linear_operator import LinearOperator
from .matrix import MatrixMult
from .stacking import Block, BlockDiag, HStack, Kronecker, VStack

__all__ = [
    "Block", "BlockDiag", "Conj", "FunctionOperator", "HStack", "Imag", "Kronecker", "LinearOperator", "MatrixMult", "MemoizeOperator",
    "Real", "VStack",
]
