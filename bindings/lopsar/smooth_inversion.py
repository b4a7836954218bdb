"""One model at every pixel, smooth from pixel to pixel: joint inversion of a whole scene."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.fft
import scipy.linalg

from . import _core
from .array_like import ndarray
from .arrays import at_least_one, in_precision, plain
from .derivatives import FirstDerivative, Laplacian
from .diagonal import Diagonal
from .identifiability import identifiability, warn_caller
from .linear_operator import LinearOperator, aslinearoperator
from .optimization.cls_basic import CG
from .pattern import Pattern
from .rearrange import Pad
from .series import Weighting
from .solve import Labels, Prior, rows_of
from .solve_operator import Solve
from .stacking import VStack

__all__ = ["SmoothInversion", "SmoothSolution", "smooth_inversion"]

EIGENVECTORS = 64    # longest axis whose modes are products with a matrix; on longer ones cosines need few more iterations and much less time
COPY = 20            # pixels along an axis of the small copies of a problem that the estimate solves
ENOUGH = 250         # iterations after which the estimate gives up
PRECONDITIONERS = ("auto", "pixelwise", "spectral", "jacobi", None)
BOUNDARIES = ("free", "reflected", "zero")


@dataclass
class SmoothSolution:
    """What `smooth_inversion` found.

    Attributes
    ----------
    x : (n, \\*grid)
        Unknowns; pixels without data are filled by smoothness.
    converged : bool
        Whether the residual of the normal equations reached `tol` times their right-hand side. The error of x is up to the condition number of these
        times as much: where smoothness is weak beside the weights of the data, x in the middle of a gap, which hardly counts in the residual, may be
        far from its limit. Tighten `tol` until it stays.
    iterations : int
    history : (iterations + 1,)
        Norm of the residual of the normal equations before and after every iteration, relative to their right-hand side.
    preconditioner : str or None
        The one that ran.
    estimate : dict
        Iterations that `preconditioner="auto"` expected of each, inf for more than it cared to count; empty where nothing was to choose.
    """

    x: np.ndarray
    converged: bool
    iterations: int
    history: np.ndarray
    preconditioner: str | None
    estimate: dict[str, float] = field(default_factory=dict)


# ---- the smoothness ------------------------------------------------------------------------------------------------


def _laplacian(dims: tuple[int, ...], boundary: str, sampling: Sequence[float]) -> LinearOperator:
    """The Laplacian of every plane of (n, \\*grid) as a composed operator."""
    axes, ones = tuple(range(1, len(dims))), [1.0] * len(sampling)
    if boundary == "free":
        return Laplacian(dims, axes, ones, sampling)
    if boundary == "zero":   # of the field with a frame of zeros, of which the frame is cut off again
        frame = Pad(dims, [(0, 0)] + [(1, 1)] * len(axes))
        return frame.H @ Laplacian(frame.dimsd, axes, ones, sampling) @ frame
    slopes = VStack([FirstDerivative(dims, axis, h, kind="forward") for axis, h in zip(axes, sampling)])
    laplacian = -(slopes.H @ slopes)
    laplacian.dims = laplacian.dimsd = dims
    return laplacian


def _second_difference(n: int, h: float, boundary: str) -> np.ndarray:
    """(3, n): what lies below, on and above the diagonal of the matrix along one axis, at the row that it stands in."""
    bands = np.array([1.0, -2.0, 1.0])[:, None] / h**2 * np.ones(n)
    bands[0, 0] = bands[2, -1] = 0
    if boundary == "free":
        bands[:, [0, -1]] = 0
    if boundary == "reflected":
        bands[1, [0, -1]] /= 2
    return bands


def _times(bands: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The matrix of `_second_difference` times u (n, k)."""
    y = bands[1][:, None] * u
    y[1:] += bands[0, 1:, None] * u[:-1]
    y[:-1] += bands[2, :-1, None] * u[1:]
    return y


def _outer_sum(squares: list[np.ndarray], firsts: list[np.ndarray]) -> np.ndarray:
    """sum_a q_a + 2 sum_(a<b) t_a t_b on the grid, for q, t along each axis: the diagonal of L'L from those of D'D and D."""
    rank, total = len(squares), np.zeros([len(q) for q in squares])

    def along(v: np.ndarray, a: int) -> np.ndarray:
        return v.reshape([-1 if i == a else 1 for i in range(rank)])

    for a in range(rank):
        total += along(squares[a], a)
        for b in range(a + 1, rank):
            total += 2 * along(firsts[a], a) * along(firsts[b], b)
    return total


class _Modes:
    """An orthogonal transform of the grid in which L'L is diagonal, or nearly so, and its diagonal there.

    ``reflected``: cosines (DCT-II), exact. ``zero``: sines (DST-I), exact. ``free``: the eigenvectors of D'D along each axis, D being the second
    difference whose first and last rows are zero. They hold what L does not see (1, x, y and xy), and L'L less its diagonal has 6 % of its norm on
    24 x 24 pixels; cosines have 12 % and need more iterations, but take over on axes that are too long for products with a matrix.
    """

    def __init__(self, grid: tuple[int, ...], sampling: Sequence[float], boundary: str, longest: int = EIGENVECTORS) -> None:
        self.matrices: list[np.ndarray] | None = None
        self._sines = boundary == "zero"
        bands = [_second_difference(n, h, boundary) for n, h in zip(grid, sampling)]
        if boundary == "free" and max(grid) <= longest:
            self.matrices = []
            for d in bands:
                dense = _times(d, np.eye(d.shape[1]))
                self.matrices.append(np.linalg.eigh(dense.T @ dense)[1])
        squares, firsts = [], []
        for a, d in enumerate(bands):
            n = d.shape[1]
            if boundary != "free":
                k = np.arange(n) + 1 if boundary == "zero" else np.arange(n)
                first = -4 / sampling[a]**2 * np.sin(np.pi * k / (2 * (n + 1) if boundary == "zero" else 2 * n))**2
                squares.append(first**2)
                firsts.append(first)
                continue
            u = self.matrices[a] if self.matrices else scipy.fft.dct(np.eye(n), axis=0, norm="ortho").T
            du = _times(d, u)
            squares.append(np.einsum("ij,ij->j", du, du))
            firsts.append(np.einsum("ij,ij->j", u, du))
        self.energy = np.maximum(_outer_sum(squares, firsts), 0)
        self.diagonal = _outer_sum([_of_columns(d) for d in bands], [d[1] for d in bands])

    def transform(self, x: np.ndarray, back: bool = False) -> np.ndarray:
        """Modes (n, \\*grid) of fields, or fields of modes; may write to x."""
        axes = tuple(range(1, x.ndim))
        if self.matrices is None:
            function = (scipy.fft.idstn if back else scipy.fft.dstn) if self._sines else (scipy.fft.idctn if back else scipy.fft.dctn)
            return function(x, type=1 if self._sines else 2, axes=axes, norm="ortho", overwrite_x=True, workers=-1)
        for axis, matrix in zip(axes, self.matrices):
            u = matrix.astype(x.dtype, copy=False)
            last = np.ascontiguousarray(np.moveaxis(x, axis, -1))   # one large product instead of one per plane
            x = np.moveaxis((last.reshape(-1, len(u)) @ (u.T if back else u)).reshape(last.shape), -1, axis)
        x = np.ascontiguousarray(x)
        return x


def _of_columns(bands: np.ndarray) -> np.ndarray:
    """The squared norms of the columns of the matrix of `_second_difference`: the diagonal of D'D."""
    squares = bands[1]**2
    squares[:-1] += bands[0, 1:]**2
    squares[1:] += bands[2, :-1]**2
    return squares


# ---- the model -----------------------------------------------------------------------------------------------------


class _Rows:
    """The matrices of a pixelwise model at chosen pixels."""

    def __init__(self, model: LinearOperator) -> None:
        self.shape, matrix = model.shape, model._node().lower()
        self.places = matrix["row"] * self.shape[1] + matrix["column"]
        self._coefficient, self._factor, self._factors, self._fields = matrix["coefficient"], matrix["factor"], matrix["factors"], matrix["fields"]

    @property
    def shared(self) -> bool:
        """Whether all pixels have the same matrix."""
        return not self._factors

    def at(self, pixels: np.ndarray) -> np.ndarray:
        """(pixels, m, n), or (1, m, n) where it is the same everywhere."""
        if self.shared:
            pixels = pixels[:1]
        dense = np.zeros((len(pixels), self.shape[0] * self.shape[1]))
        products = np.array([[math.prod(float(self._fields[f][row, p]) for f, row in factor) for p in pixels] for factor in self._factors])
        values = np.broadcast_to(self._coefficient, (len(pixels), len(self._coefficient))).copy()
        if len(products):
            values *= np.where(self._factor >= 0, products.T[:, np.maximum(self._factor, 0)], 1)
        for place, value in zip(self.places, values.T):   # a place may have several terms
            dense[:, place] += value
        return dense.reshape(-1, *self.shape)

    def normal(self, weights: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """A'WA at these pixels: (pixels, n, n) of weights (m, pixels)."""
        rows = self.at(pixels)
        return np.matmul(rows.transpose(0, 2, 1), weights.T[:, :, None] * rows)

    def diagonal(self, weights: np.ndarray, pixels: int) -> np.ndarray:
        """The diagonal of A'WA at all pixels: (n, pixels)."""
        weights = np.broadcast_to(weights.reshape(self.shape[0], -1), (self.shape[0], pixels))
        out = np.zeros((self.shape[1], pixels), weights.dtype)
        entries: dict[int, list[int]] = {}
        for i, place in enumerate(self.places):
            entries.setdefault(int(place), []).append(i)
        for place, terms in entries.items():
            value: Any = 0.0
            for i in terms:
                product = self._factors[self._factor[i]] if self._factor[i] >= 0 else []
                value = value + math.prod((self._fields[f][row] for f, row in product), start=self._coefficient[i])
            out[place % self.shape[1]] += np.asarray(value**2, weights.dtype) * weights[place // self.shape[1]]
        return out


def _mean_weights(weights: np.ndarray) -> np.ndarray:
    """The geometric mean of every row over the pixels that have data there, times their share."""
    mean = np.empty(len(weights))
    for k, row in enumerate(weights):
        row = row[row > 0]
        mean[k] = np.exp(np.log(row, dtype=np.float64).mean()) * row.size / weights.shape[1] if row.size else 0
    return mean


def _scale(normal: np.ndarray) -> np.ndarray:
    """Of the unknowns, so that their units cost no digits; 1 for those without data."""
    scale = np.sqrt(np.diag(normal))
    return np.where(scale > 0, scale, 1)


def _rank(normal: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(normal, hermitian=True))


class _Spectral(LinearOperator):
    """The inverse of (scene mean of A'WA) + Lambda^2 L'L: a transform in space, and one small problem per mode.

    With V'NV = I and V'Lambda^2 V = diag(s) the inverse for a mode of energy e is V diag(1 / (1 + s e)) V': one decomposition serves all modes.
    """

    def __init__(self, normal: np.ndarray, smoothness: np.ndarray, modes: _Modes, grid: tuple[int, ...], dtype: Any) -> None:
        n = len(normal)
        scale = _scale(normal)
        normal = normal / np.outer(scale, scale)
        if _rank(normal) < n:   # what trades off is left to the smoothness: any small number does, as long as rounding is smaller
            normal[np.diag_indices(n)] += 1e-6 if np.dtype(dtype).itemsize > 4 else 1e-3
        self.strength, V = scipy.linalg.eigh(np.diag((smoothness / scale)**2), normal)
        self.V = V / scale[:, None]
        self._combine = Pattern(self.V)   # at every mode
        self.modes, self.energy = modes, modes.energy.astype(dtype)
        super().__init__(dtype=dtype, dims=(n, *grid), dimsd=(n, *grid), name="Spectral")

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        flat = (len(self.V), -1)
        modes = self.modes.transform((self._combine.H @ x.reshape(flat)).reshape(self.dims))
        for plane, s in zip(modes, self.strength.astype(x.dtype)):
            plane /= 1 + s * self.energy
        return (self._combine @ self.modes.transform(modes, back=True).reshape(flat)).reshape(-1)

    _rmatvec = _matvec


# ---- the problem ---------------------------------------------------------------------------------------------------


class SmoothInversion:
    r"""The problem that `smooth_inversion` solves, in its parts.

    Parameters
    ----------
    model, y, smoothness, weights, mask, boundary, sampling, dtype
        As for `smooth_inversion`.

    Attributes
    ----------
    normal : LinearOperator
        :math:`H = A^T W A + \Lambda^2 L^T L` on fields (n, \*grid), composed of operators.
    laplacian : LinearOperator
        :math:`L` on fields (n, \*grid).
    data : (n, \*grid)
        :math:`A^T W y`.
    smoothness : (n,)
        Diagonal of :math:`\Lambda`.
    gaps : bool
        Whether there are pixels without data.
    grid : tuple of int
    """

    def __init__(self, model: Any, y: Any, smoothness: Any, weights: Any = None, *, mask: Any = None, boundary: str = "free",
                 sampling: float | Sequence[float] = 1.0, dtype: Any = None) -> None:
        model = aslinearoperator(model)
        if not model.pixelwise or model.dtype.kind == "c":
            raise _core.InvalidArgument("smooth_inversion: expected a real pixelwise model, got one of scenes or complex numbers; for these there is "
                                        "lopsar.optimization.regularized_inversion")
        if boundary not in BOUNDARIES:
            raise _core.InvalidArgument(f"smooth_inversion: expected boundary 'free', 'reflected' or 'zero', got {boundary!r}")
        labels = Labels(model, y, "smooth_inversion")
        y, weights, mask = labels.y, labels.weights(weights), labels.pixels(mask, "mask")
        y = in_precision(y, dtype, "y")
        (m, n), grid = model.shape, y.shape[1:]
        if y.ndim < 2 or y.shape[0] != m or min(grid) < 3:
            raise _core.ShapeError(f"smooth_inversion: expected y of shape ({m}, *grid) with 3 or more pixels along each axis, got {y.shape}")
        steps = np.broadcast_to(np.asarray(sampling, float), len(grid)) if np.ndim(sampling) == 0 else np.asarray(sampling, float)
        if steps.shape != (len(grid),) or not ((steps > 0) & np.isfinite(steps)).all():
            raise _core.InvalidArgument(f"smooth_inversion: expected sampling > 0, one or one per axis of {grid}, got {sampling}")
        strength = np.asarray(smoothness, float)
        if strength.shape not in ((), (n,)) or not ((strength >= 0) & np.isfinite(strength)).all():
            raise _core.InvalidArgument(f"smooth_inversion: expected smoothness >= 0, one or one for each of {n} unknowns, got {smoothness}")

        self.model, self.grid, self.smoothness, self.boundary = model, grid, np.array(np.broadcast_to(strength, n)), boundary
        self.dtype, self.sampling = y.dtype, tuple(steps.tolist())
        self._pixels = math.prod(grid)
        self._weights, values = _observed(y, weights, mask, m, grid)
        self.gaps = self._weights.ndim == 2 and not bool((self._weights > 0).any(axis=0).all())
        rows = self._weights if self._weights.ndim == 2 else self._weights[:, None]
        self.data = (model.H @ (rows * values)).reshape(n, *grid)
        self.laplacian = _laplacian((n, *grid), boundary, self.sampling)
        roughness = self.laplacian.H @ self.laplacian
        if strength.ndim:
            roughness = Diagonal(strength**2, dims=(n, *grid), axis=0) @ roughness
        elif strength != 1:
            roughness = float(strength)**2 * roughness
        self.normal = (model.H @ Weighting(self._weights) @ model).over(grid) + roughness
        self._rows = _Rows(model)
        self._kept: dict[str, Any] = {}
        scale = _scale(self._mean())
        rank = _rank(self._mean() / np.outer(scale, scale))
        found = identifiability(model)
        if rank < n or found.groups:
            seen = f"the data determine {rank} of {n} unknowns in the mean of the scene" if rank < n else "the data of a pixel leave unknowns free"
            warn_caller(f"smooth_inversion: {seen}; of the others smoothness decides what it can, and the initial guess the rest. "
                        f"{found.message}".strip())

    # -- what several preconditioners need, made once ----------------------------------------------------------------
    def _modes(self) -> _Modes:
        if "modes" not in self._kept:
            self._kept["modes"] = _Modes(self.grid, self.sampling, self.boundary)
        return self._kept["modes"]

    def _mean(self) -> np.ndarray:
        """The normal matrix of the scene: mean weights and, where the model has fields, the mean over up to 256 pixels."""
        if "mean" not in self._kept:
            weights = self._weights.astype(float) if self._weights.ndim == 1 else _mean_weights(self._weights)
            chosen = np.zeros(1, int) if self._rows.shared else np.unique(np.linspace(0, self._pixels - 1, 256).astype(int))
            mean = np.zeros((self.model.shape[1],) * 2)
            for p in chosen:
                mean += self._rows.normal(weights[:, None], np.array([p]))[0] / len(chosen)
            self._kept["mean"] = mean
        return self._kept["mean"]

    # -- preconditioners ---------------------------------------------------------------------------------------------
    def preconditioner(self, kind: str) -> LinearOperator:
        r"""An operator on fields (n, \*grid) that is like the inverse of `normal`.

        Parameters
        ----------
        kind : {"pixelwise", "spectral", "jacobi"}
            As for `smooth_inversion`.

        Raises
        ------
        InvalidArgument
            Another kind. "jacobi": an unknown with neither data nor smoothness at some pixel.
        """
        dims = (self.model.shape[1], *self.grid)
        if kind == "spectral":
            return _Spectral(self._mean(), self.smoothness, self._modes(), self.grid, self.dtype)
        roughness = self._modes_diagonal().astype(self.dtype)
        if kind == "jacobi":
            diagonal = self._rows.diagonal(self._weights, self._pixels).reshape(dims)
            for plane, s in zip(diagonal, self.smoothness):
                plane += self.dtype.type(s**2) * roughness
            if not (diagonal > 0).all():
                raise _core.InvalidArgument("smooth_inversion: expected every unknown to have data or smoothness at every pixel, got some without; "
                                            "take smoothness > 0")
            return Diagonal(1 / diagonal)
        if kind == "pixelwise":
            return _pixelwise(self.model, self._weights, self.smoothness, roughness).over(self.grid)
        raise _core.InvalidArgument(f"smooth_inversion: expected preconditioner {', '.join(map(repr, PRECONDITIONERS))}, got {kind!r}")

    def _modes_diagonal(self) -> np.ndarray:
        bands = [_second_difference(n, h, self.boundary) for n, h in zip(self.grid, self.sampling)]
        return _outer_sum([_of_columns(d) for d in bands], [d[1] for d in bands])

    # -- which one to take -------------------------------------------------------------------------------------------
    def estimate(self, tol: float = 1e-6) -> dict[str, float]:
        """The iterations that "pixelwise" and "spectral" may need, counted on small copies of the problem.

        The copies have at most 20 pixels along an axis: a window of the scene, means over blocks of pixels from a larger window, and means over
        larger blocks from all of it, so that what varies over short and long distances is seen; and of the unknowns at most eight combinations,
        between those that the data determine best and worst. Both preconditioners run on each, for at most 250 iterations; the largest count counts.
        """
        n, grid = self.model.shape[1], self.grid
        mean = self._mean()
        spectral = _Spectral(mean, self.smoothness, self._modes(), grid, np.float64)
        order = np.argsort(spectral.strength)
        few = order[np.unique(np.linspace(0, n - 1, min(n, 8)).round().astype(int))]
        V, strength = spectral.V[:, few], spectral.strength[few]
        widest = math.ceil(max(grid) / COPY)
        counts: dict[str, list[float]] = {"pixelwise": [], "spectral": []}
        largest: dict[str, float] = {}
        for block in sorted({1, round(math.sqrt(widest)), widest}):
            copy = self._copy(block, V)
            if copy is None:
                continue
            normal, data, modes = copy
            shape, diagonal = data.shape[1:], self._modes_diagonal().max() if block > 1 else modes.diagonal
            bands = [_second_difference(k, h * block, self.boundary) for k, h in zip(shape, self.sampling)]

            def H(x: np.ndarray, normal: np.ndarray = normal, bands: Any = bands) -> np.ndarray:
                y = np.einsum("ij...,j...->i...", normal, x)
                for plane, into, s in zip(x, y, strength):
                    into += s * _twice(plane, bands)
                return y

            local = normal.reshape(*normal.shape[:2], -1).transpose(2, 0, 1).copy()
            local += np.broadcast_to(diagonal, shape).reshape(-1, 1, 1) * np.diag(strength)
            inverse = np.linalg.inv(local).transpose(1, 2, 0).reshape(normal.shape)
            energy = 1 + strength.reshape(-1, *[1] * len(shape)) * modes.energy
            def pixelwise(r: np.ndarray, inverse: np.ndarray = inverse) -> np.ndarray:
                return np.einsum("ij...,j...->i...", inverse, r)

            def spectrally(r: np.ndarray, modes: _Modes = modes, energy: np.ndarray = energy) -> np.ndarray:
                return modes.transform(modes.transform(r.copy()) / energy, back=True)

            for name, M in (("pixelwise", pixelwise), ("spectral", spectrally)):
                count, top = _iterations(H, data, M, tol)
                # Means over blocks lack the steepest modes, which the problem itself has as well.
                largest.setdefault(name, top)
                counts[name].append(count * math.sqrt(max(1, largest[name] / top)))
            if block == 1:
                counts["spectral"][0] *= self._left_out(spectral, few)
        return {name: max(c) for name, c in counts.items()}

    def _left_out(self, spectral: _Spectral, few: np.ndarray) -> float:
        """How many times more iterations all unknowns need than few combinations of them, because weights differ from pixel to pixel.

        The square root of the ratio of the condition numbers of (mean + Lambda^2 diag(L'L))^-1 (A'WA + Lambda^2 diag(L'L)) at 16 pixels.
        """
        pixels = np.unique(np.random.default_rng(0).integers(0, self._pixels, 16))
        diagonal = spectral.strength * self._modes_diagonal().max()
        scaled = spectral.V / np.sqrt(1 + diagonal)
        weights = self._weights[:, pixels] if self._weights.ndim == 2 else np.repeat(self._weights[:, None], len(pixels), 1)
        matrices = np.matmul(np.matmul(scaled.T, self._rows.normal(weights.astype(float), pixels)), scaled) + np.diag(diagonal / (1 + diagonal))
        spread = [values.max() / max(values.min(), 1e-12) for values in (np.linalg.eigvalsh(m) for m in (matrices, matrices[:, few][:, :, few]))]
        return math.sqrt(spread[0] / spread[1])

    def _copy(self, block: int, V: np.ndarray) -> tuple[np.ndarray, np.ndarray, _Modes] | None:
        """V'A'WAV (r, r, \\*shape) and V' data of a small copy, each of whose pixels stands for `block` pixels along every axis."""
        shape = tuple(min(COPY if COPY * block < k else k // block, k // block) for k in self.grid)
        if min(shape) < 3:
            return None
        level = self._weights.reshape(-1, *self.grid).mean(0) if self._weights.ndim == 2 else np.ones(self.grid)
        # Of several windows the one that varies most.
        rng = np.random.default_rng(0)
        windows = []
        for _ in range(16):
            first = [int(rng.integers(0, k - s * block + 1)) for k, s in zip(self.grid, shape)]
            windows.append(tuple(slice(f, f + s * block) for f, s in zip(first, shape)))
        window = max(windows, key=lambda w: level[w].std())

        def means(values: np.ndarray) -> np.ndarray:
            part = values.reshape(-1, *self.grid)[(slice(None), *window)]
            split = [len(part)] + [k for s in shape for k in (s, block)]
            return part.reshape(split).mean(axis=tuple(range(2, 2 * len(shape) + 1, 2)), dtype=np.float64).reshape(len(part), -1)

        pixels = np.arange(self._pixels).reshape(self.grid)[window][tuple(slice(block // 2, None, block) for _ in shape)].ravel()
        weights = means(self._weights) if self._weights.ndim == 2 else np.repeat(self._weights[:, None].astype(float), pixels.size, 1)
        r = V.shape[1]
        normal = np.empty((pixels.size, r, r))
        for i in range(0, pixels.size, 64):
            rows = self._rows.at(pixels[i:i + 64]) @ V
            normal[i:i + 64] = np.matmul(rows.transpose(0, 2, 1), weights[:, i:i + 64].T[:, :, None] * rows)
        data = V.T @ means(self.data.reshape(len(V), -1))
        modes = _Modes(shape, [h * block for h in self.sampling], self.boundary)
        return normal.transpose(1, 2, 0).reshape(r, r, *shape), data.reshape(r, *shape), modes


def _along_axis(bands: np.ndarray, x: np.ndarray, axis: int) -> np.ndarray:
    moved = np.moveaxis(x, axis, 0)
    return np.moveaxis(_times(bands, moved.reshape(len(moved), -1)).reshape(moved.shape), 0, axis)


def _twice(x: np.ndarray, bands: list[np.ndarray]) -> np.ndarray:
    """L'L of one plane."""
    y, z = np.zeros_like(x), np.zeros_like(x)
    for a, d in enumerate(bands):
        y += _along_axis(d, x, a)
    for a, d in enumerate(bands):
        z += _along_axis(np.stack([np.roll(d[2], 1), d[1], np.roll(d[0], -1)]), y, a)
    return z


def _iterations(H: Callable[[np.ndarray], np.ndarray], b: np.ndarray, M: Callable[[np.ndarray], np.ndarray], tol: float) -> tuple[float, float]:
    """Iterations of preconditioned CG, and the largest eigenvalue of M H that they saw (Lanczos). After ENOUGH of them their rate tells the rest."""
    r, goal = b.copy(), tol * np.linalg.norm(b)
    alpha: list[float] = []
    beta: list[float] = []
    z = M(r)
    p, rz = z.copy(), np.vdot(r, z)
    while np.linalg.norm(r) > goal and len(alpha) < ENOUGH:
        q = H(p)
        alpha.append(rz / np.vdot(p, q))
        r -= alpha[-1] * q
        z = M(r)
        before, rz = rz, np.vdot(r, z)
        beta.append(rz / before)
        p = z + beta[-1] * p
    if not alpha:
        return 0, 1
    a, g = np.array(alpha), np.array(beta)
    diagonal, beside = 1 / a, np.sqrt(g[:-1]) / a[:-1]
    diagonal[1:] += g[:-1] / a[:-1]
    top = scipy.linalg.eigvalsh_tridiagonal(diagonal, beside)[-1] if len(a) > 1 else diagonal[0]
    done = math.log(min(float(np.linalg.norm(r) / np.linalg.norm(b)), 0.9)) / math.log(tol)
    return len(a) / min(done, 1), float(top)


def _observed(y: np.ndarray, weights: Any, mask: Any, m: int, grid: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Weights (m,) if all is observed and they are those of all pixels, else (m, pixels) with 0 where nothing is; and the data without NaN."""
    values, missing = y.reshape(m, -1), np.isnan(y).reshape(m, -1)
    if np.isinf(values).any():
        raise _core.InvalidArgument("smooth_inversion: expected finite data, or NaN for missing ones, got infinity")
    if mask is not None:
        mask = plain(mask, "mask")
        if mask.shape != grid or mask.dtype != bool:
            raise _core.ShapeError(f"smooth_inversion: expected a mask of bool, shape {grid}, got {mask.dtype}, {mask.shape}")
        missing |= ~mask.reshape(-1)
    w = rows_of(1.0 if weights is None else weights, m, grid, y.dtype, "smooth_inversion: weights")
    if (w < 0).any() or np.isinf(w).any():
        raise _core.InvalidArgument("smooth_inversion: expected weights >= 0 and finite, or NaN, got others")
    shared = w.shape[1] == 1 and not missing.any()
    w = np.nan_to_num(w.reshape(m) if shared else np.broadcast_to(w, values.shape), nan=0.0)
    if not shared:
        w[missing] = 0
    if not (w > 0).any():
        raise _core.InvalidArgument("smooth_inversion: expected data with a weight > 0, got none")
    return w, np.where(missing, y.dtype.type(0), values) if missing.any() else values


def _pixelwise(model: LinearOperator, weights: np.ndarray, smoothness: np.ndarray, roughness: np.ndarray) -> LinearOperator:
    """The inverse of A'WA + Lambda^2 diag(L'L), pixel by pixel."""
    n = len(smoothness)
    tie = Pattern(np.diag(smoothness), np.sqrt(roughness).reshape(1, -1), np.where(np.eye(n) > 0, 0, -1))
    return Solve(model, weights, prior=Prior(tie), _warn=False).normal


def smooth_inversion(model: Any, y: Any, smoothness: Any, weights: Any = None, *, mask: Any = None, boundary: str = "free",
                     sampling: float | Sequence[float] = 1.0, preconditioner: str | None = "auto", x0: Any = None, tol: float = 1e-6,
                     max_iterations: int | None = None, dtype: Any = None,
                     callback: Callable[[np.ndarray], Any] | None = None) -> SmoothSolution:
    r"""Minimize :math:`|W^{1/2} (A x - y)|^2 + |\Lambda L x|^2` for a whole scene at once: the same model at every pixel, tied to its neighbors.

    L is the Laplacian of every unknown in space. Pixels without data are filled by smoothness.

    Parameters
    ----------
    model : pixelwise operator (m, n)
        A, e.g. a `Network`, or one with fields of as many pixels as the grid has.
    y : (m, \*grid)
        Data; NaN is missing. float32 is solved in float32, all else in float64. A DataArray, here and below, is put into the order of the model by
        its labels; results are NumPy arrays in that order.
    smoothness : float or (n,)
        Diagonal of :math:`\Lambda`: 1 / (standard deviation that the Laplacian of an unknown has by itself).
    weights : number, (m,), (m, 1) or broadcastable to y, optional
        Inverse variances; 0 or NaN is missing.
    mask : (\*grid) bool, optional
        False: the data of this pixel are not used.
    boundary : {"free", "reflected", "zero"}
        What L is at the edge of the scene. "free": `Laplacian`, whose second derivative along an axis is 0 at its ends, so that planes cost nothing;
        "reflected": the field goes on as its mirror image, so that constants cost nothing; "zero": it goes on as zeros.
    sampling : float or one per axis
        Distance of pixels.
    preconditioner : {"auto", "pixelwise", "spectral", "jacobi", None}
        "pixelwise": the normal matrix of every pixel with the diagonal of :math:`\Lambda^2 L^T L` added, solved directly; few iterations where data
        outweigh smoothness. "spectral": the mean normal matrix of the scene, solved for every spatial mode; few where weights are alike over the
        scene or smoothness prevails. "jacobi": the diagonal. "auto": the better of the first two by `SmoothInversion.estimate`.
    x0 : (n, \*grid), optional
        Initial guess; axes may be 1.
    tol : float
        Stops where the residual of the normal equations is `tol` times their right-hand side.
    max_iterations : int, optional
        At most so many. Default: 2000.
    dtype : dtype, optional
        Precision to solve in.
    callback : function of x, optional
        Called after every iteration.

    Returns
    -------
    SmoothSolution

    Raises
    ------
    ShapeError
        Shapes do not fit, or an axis of fewer than 3 pixels.
    InvalidArgument
        A scene operator as model, no data, infinite data, negative weights or smoothness; with "auto" or "jacobi" an unknown that has neither data
        nor smoothness at some pixel.

    Warns
    -----
    IdentifiabilityWarning
        Unknowns that the data of the whole scene leave free, e.g. because the model trades them off.

    Notes
    -----
    Conjugate gradients on :math:`H = A^T W A + \Lambda^2 L^T L`, which is applied, never formed. `SmoothInversion` has its parts.
    """
    x0 = Labels(aslinearoperator(model), y, "smooth_inversion").unknowns(x0, "x0")
    problem = SmoothInversion(model, y, smoothness, weights, mask=mask, boundary=boundary, sampling=sampling, dtype=dtype)
    if preconditioner not in PRECONDITIONERS:
        raise _core.InvalidArgument(f"smooth_inversion: expected preconditioner {', '.join(map(repr, PRECONDITIONERS))}, got {preconditioner!r}")
    if not 0 < tol < 1:
        raise _core.InvalidArgument(f"smooth_inversion: expected tol between 0 and 1, got {tol}")
    most = at_least_one(max_iterations, "max_iterations") or 2000
    expected: dict[str, float] = {}
    start = None if x0 is None else plain(ndarray(x0, "smooth_inversion: x0"), "x0")
    dims = problem.data.shape
    if start is not None:
        if start.ndim != len(dims) or any(k not in (1, n) for k, n in zip(start.shape, dims)):
            raise _core.ShapeError(f"smooth_inversion: expected x0 of shape {dims}, got {start.shape}")
        start = np.broadcast_to(start, dims)
    if preconditioner == "auto":
        try:
            if problem.gaps and not problem.smoothness.all():
                raise np.linalg.LinAlgError("pixels without data")
            expected = problem.estimate(tol)
        except np.linalg.LinAlgError as error:
            raise _core.InvalidArgument(f"smooth_inversion: expected every unknown to have data or smoothness at every pixel, got some without "
                                        f"({error}); take smoothness > 0, or preconditioner 'pixelwise', which leaves them at x0") from error
        preconditioner = min(expected, key=lambda name: expected[name])
    M = None if preconditioner is None else problem.preconditioner(preconditioner)
    solver = CG(problem.normal)
    if callback is not None:
        solver.callback = callback   # type: ignore[method-assign, assignment]
    x, iterations, cost = solver.solve(problem.data, start, most, tol=tol, preconditioner=M)
    scale = np.linalg.norm(problem.data.reshape(-1).astype(np.float64))
    return SmoothSolution(x.reshape(problem.data.shape), bool(cost[-1] <= tol * scale * (1 + 1e-6)), iterations, cost / scale if scale else cost,
                          preconditioner, expected)
