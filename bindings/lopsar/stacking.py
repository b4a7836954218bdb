"""Operators below, beside and across each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import _core
from .linear_operator import LinearOperator, aslinearoperator

__all__ = ["Block", "BlockDiag", "HStack", "Kronecker", "VStack"]

_OPTIONS = """
    Parameters
    ----------
    ops : sequence
        Operators and matrices. The sequence is not changed.
    nproc, inoutengine, parallel_kind
        Accepted for PyLops' sake and without effect: the core uses all threads.
    forceflat : bool, optional
        True: results are flat. Chosen so where the parts disagree on the dims that they share.
    dtype : dtype, optional
        Label; default: that of the parts together.
"""


class _Stack(LinearOperator):
    def __init__(self, ops: Iterable[Any], stack: Callable[[list[Any]], Any], shared: tuple[str, ...], forceflat: bool | None, dtype: Any) -> None:
        if not hasattr(ops, "__iter__"):
            raise _core.InvalidArgument(f"{type(self).__name__}: expected a list of operators, got {type(ops).__name__}; put it into a list")
        self.ops = [aslinearoperator(op) for op in ops]
        native = stack([op._node() for op in self.ops])
        rows, columns = (sum(op.shape[i] for op in self.ops) for i in (0, 1))
        expected = {"dims": columns if "dims" not in shared or len(shared) == 2 else self.ops[0].shape[1],
                    "dimsd": rows if "dimsd" not in shared or len(shared) == 2 else self.ops[0].shape[0]}
        dims = {"dims": native.dims, "dimsd": native.dimsd}
        if native.shape == (expected["dimsd"], expected["dims"]):   # else the core lifted some to a grid, and knows the dims
            for side in dims:
                common = {getattr(op, side) for op in self.ops} if side in shared else {()}
                if len(common) > 1:
                    forceflat = True
                dims[side] = common.pop() if len(common) == 1 else ()
                if len(shared) == 2 and dims[side]:   # block-diagonal: one more axis counts the parts
                    dims[side] = (len(self.ops), *dims[side])
                dims[side] = dims[side] or (expected[side],)
        dtype = np.result_type(*[op.dtype for op in self.ops]) if dtype is None else dtype
        super().__init__(native, dtype=dtype, dims=dims["dims"], dimsd=dims["dimsd"], forceflat=forceflat,
                         clinear=all(op.clinear for op in self.ops))
        self._operands = tuple(self.ops)
        self._shared = shared      # they share the labels of its axis
        self._alike = True
        self.nops, self.mops = self.shape

    def close(self) -> None:
        """Nothing to close: there is no pool of processes."""


class VStack(_Stack):
    __doc__ = r"""Operators below each other, :math:`y = [A x; B x; \ldots]`; all have the same number of columns.
""" + _OPTIONS

    def __init__(self, ops: Sequence[Any], nproc: int = 1, forceflat: bool | None = None, inoutengine: Any = None,
                 parallel_kind: str = "multiproc", dtype: Any = None) -> None:
        super().__init__(ops, _core.vstack, ("dims",), forceflat, dtype)


class HStack(_Stack):
    __doc__ = r"""Operators beside each other, :math:`y = A x_1 + B x_2 + \ldots`; all have the same number of rows.
""" + _OPTIONS

    def __init__(self, ops: Iterable[Any], nproc: int = 1, forceflat: bool | None = None, inoutengine: Any = None,
                 parallel_kind: str = "multiproc", dtype: Any = None) -> None:
        super().__init__(ops, _core.hstack, ("dimsd",), forceflat, dtype)


class BlockDiag(_Stack):
    __doc__ = r"""Operators across each other, :math:`y = (A x_1, B x_2, \ldots)`.
""" + _OPTIONS

    def __init__(self, ops: Sequence[Any], nproc: int = 1, forceflat: bool | None = None, inoutengine: Any = None,
                 parallel_kind: str = "multiproc", dtype: Any = None) -> None:
        super().__init__(ops, _core.block_diag, ("dims", "dimsd"), forceflat, dtype)


class Block(VStack):
    __doc__ = r"""Rows of operators: each row an `HStack`, the rows a `VStack`.
""" + _OPTIONS

    def __init__(self, ops: Iterable[Iterable[Any]], nproc: int = 1, forceflat: bool | None = None, parallel_kind: str = "multiproc",
                 dtype: Any = None) -> None:
        super().__init__([HStack(row, dtype=dtype) for row in ops], forceflat=forceflat, dtype=dtype)


class Kronecker(LinearOperator):
    r"""Kronecker product :math:`A \otimes B`: on x of shape (columns of A, columns of B), :math:`Y = A X B^T`.

    Parameters
    ----------
    Op1, Op2 : operators or matrices
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, Op1: Any, Op2: Any, dtype: Any = "float64", name: str = "K") -> None:
        self.Op1, self.Op2 = aslinearoperator(Op1), aslinearoperator(Op2)
        super().__init__(_core.kronecker(self.Op1._node(), self.Op2._node()), dtype=np.result_type(np.dtype(dtype), self.Op1.dtype, self.Op2.dtype)
                         if {self.Op1.dtype.kind, self.Op2.dtype.kind} & {"c"} else dtype, name=name,
                         clinear=self.Op1.clinear and self.Op2.clinear)
        self._operands = (self.Op1, self.Op2)
