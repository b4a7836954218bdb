"""Random estimates of the trace of an operator."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["trace_hutchinson", "trace_hutchpp", "trace_nahutchpp"]


def _numpy(backend: str) -> None:
    if backend != "numpy":
        raise ValueError(f"expected backend 'numpy', got {backend!r}")


def _samples(sampler: str, n: int, k: int, dtype: Any) -> np.ndarray:
    """Columns z of mean 0 and E[z z^H] = I."""
    if sampler == "rademacher":
        z = 2.0 * np.random.randint(0, 2, (n, k)) - 1
    elif sampler == "gaussian":
        z = np.random.standard_normal((n, k))
    elif sampler == "rayleigh":   # directions alone, all of length sqrt(n)
        z = np.random.standard_normal((n, k))
        z *= np.sqrt(n) / np.linalg.norm(z, axis=0)
    else:
        raise NotImplementedError(f"expected sampler 'gaussian', 'rayleigh' or 'rademacher', got {sampler!r}")
    return z.astype(dtype if np.dtype(dtype).kind in "fc" else np.float64)   # an integer label would cut them off


def _trace(left: np.ndarray, right: np.ndarray) -> Any:
    """trace(left^H right)."""
    return np.vdot(left, right)


def trace_hutchinson(Op: Any, neval: int | None = None, batch_size: int | None = None, sampler: str = "rademacher", backend: str = "numpy") -> float:
    r"""Mean of :math:`z^H A z` over random z (Hutchinson 1990); "unitvector" takes columns of :math:`\sqrt n I`, none twice before all came.

    Parameters
    ----------
    Op : square operator
    neval : int, optional
        Products with the operator. Default: a tenth of its size, at least 1.
    batch_size : int, optional
        Products at a time, at most 100 by default.
    sampler : {"rademacher", "gaussian", "rayleigh", "unitvector"}
    backend : {"numpy"}
    """
    _numpy(backend)
    n = Op.shape[1]
    neval = max(1, n // 10) if neval is None else neval
    batch_size = min(neval, 100) if batch_size is None else batch_size
    unit = np.concatenate([np.random.permutation(n) for _ in range(-(-neval // n))]) if sampler == "unitvector" else None
    total: Any = 0
    for first in range(0, neval, batch_size):
        last = min(first + batch_size, neval)
        if unit is None:
            z = _samples(sampler, n, last - first, Op.dtype)
        else:
            z = np.zeros((n, last - first), Op.dtype if np.dtype(Op.dtype).kind in "fc" else np.float64)
            z[unit[first:last], np.arange(last - first)] = np.sqrt(n)
        total += _trace(z, Op.matmat(z))
    return total / neval


def trace_hutchpp(Op: Any, neval: int | None = None, sampler: str = "rademacher", backend: str = "numpy") -> float:
    r"""Hutch++: the trace on a random range of the operator exactly, Hutchinson's estimate on the rest.

    Meyer, Musco, Musco and Woodruff (2021), Hutch++: optimal stochastic trace estimation, algorithm 1: with S, G of neval/3 columns each and Q an
    orthonormal basis of A S, :math:`\mathrm{tr}(Q^H A Q) + \frac{3}{neval} \mathrm{tr}(G^H (I - QQ^H) A (I - QQ^H) G)`.

    Parameters
    ----------
    Op : square operator
    neval : int, optional
        Products with the operator, at least 3. Default: a tenth of its size.
    sampler : {"rademacher", "gaussian", "rayleigh"}
    backend : {"numpy"}
    """
    _numpy(backend)
    n = Op.shape[1]
    third = max(1, (n // 10 if neval is None else neval) // 3)
    basis = np.linalg.qr(Op.matmat(_samples(sampler, n, third, Op.dtype)))[0]
    rest = _samples(sampler, n, third, Op.dtype)
    rest = rest - basis @ (basis.conj().T @ rest)
    return _trace(basis, Op.matmat(basis)) + _trace(rest, Op.matmat(rest)) / third


def trace_nahutchpp(Op: Any, neval: int | None = None, sampler: str = "rademacher", c1: float = 1.0 / 6.0, c2: float = 1.0 / 3.0,
                    backend: str = "numpy") -> float:
    r"""Non-adaptive Hutch++: like Hutch++, with all products at once.

    Meyer, Musco, Musco and Woodruff (2021), algorithm 2: with S, R, G of c1, c2 and c3 = 1 - c1 - c2 times neval columns, Z = A R,
    :math:`W = A^H S`,
    :math:`\mathrm{tr}((S^H Z)^+ (W^H Z)) + \frac{1}{c_3 neval}(\mathrm{tr}(G^H A G) - \mathrm{tr}(G^H Z (S^H Z)^+ W^H G))`.

    Parameters
    ----------
    Op : square operator
    neval : int, optional
        Products with the operator. Default: a tenth of its size.
    sampler : {"rademacher", "gaussian", "rayleigh"}
    c1, c2 : float
        Parts of the products, c1 < c2 and c1 + c2 < 1.
    backend : {"numpy"}
    """
    _numpy(backend)
    n = Op.shape[1]
    neval = n // 10 if neval is None else neval
    if not (0 < c1 < c2 and c1 + c2 < 1):
        raise ValueError(f"trace_nahutchpp: expected 0 < c1 < c2 and c1 + c2 < 1, got {c1} and {c2}")
    few, more, others = (max(1, round(neval * c)) for c in (c1, c2, 1 - c1 - c2))
    s, r, g = (_samples(sampler, n, k, Op.dtype) for k in (few, more, others))
    products = Op.matmat(np.concatenate([r, g], axis=1))
    w, z, ag = Op.rmatmat(s), products[:, :more], products[:, more:]
    middle = np.linalg.pinv(s.conj().T @ z)
    exact = np.trace(middle @ (w.conj().T @ z))
    return exact + (_trace(g, ag) - np.trace((g.conj().T @ z) @ middle @ (w.conj().T @ g))) / others
