"""Real part, imaginary part and conjugate as operators. They are linear for real factors only: `clinear` is False."""

from __future__ import annotations

from typing import Any

import numpy as np

from .linear_operator import LinearOperator

__all__ = ["Conj", "Imag", "Real"]


class _Part(LinearOperator):
    _passes = "all"

    def __init__(self, dims: Any, dtype: Any, name: str) -> None:
        super().__init__(dtype=dtype, dims=dims, dimsd=dims, clinear=False, name=name)
        self.rdtype = np.zeros(0, self.dtype).real.dtype


class Real(_Part):
    r"""The real part, :math:`y = \Re x`; adjoint :math:`x = \Re y + 0i`.

    Parameters
    ----------
    dims : int or tuple of int
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, dtype: Any = "complex128", name: str = "R") -> None:
        super().__init__(dims, dtype, name)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return x.real.copy()

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return x.real.astype(np.result_type(x.dtype, np.complex64) if self.dtype.kind == "c" else x.real.dtype)

    _matmat, _rmatmat = _matvec, _rmatvec


class Imag(_Part):
    r"""The imaginary part, :math:`y = \Im x`; adjoint :math:`x = i \Re y`.

    Parameters
    ----------
    dims : int or tuple of int
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, dtype: Any = "complex128", name: str = "I") -> None:
        super().__init__(dims, dtype, name)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return x.imag.copy()

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        if self.dtype.kind != "c":
            return np.zeros(x.shape, x.real.dtype)
        out = np.zeros(x.shape, np.result_type(x.dtype, np.complex64))
        out.imag = x.real
        return out

    _matmat, _rmatmat = _matvec, _rmatvec


class Conj(_Part):
    r"""The complex conjugate, :math:`y = \bar x`; its own adjoint.

    Parameters
    ----------
    dims : int or tuple of int
    dtype, name
        As for `LinearOperator`.
    """

    def __init__(self, dims: Any, dtype: Any = "complex128", name: str = "C") -> None:
        super().__init__(dims, dtype, name)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return np.array(np.conj(x))

    _rmatvec = _matmat = _rmatmat = _matvec
