"""Methods of `solve` beside each other: accuracy, time, iterations, memory."""

from __future__ import annotations

import gc
import io
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from .array_like import ndarray
from .arrays import at_least_one, floating
from .identifiability import IdentifiabilityWarning, names
from .linear_operator import LinearOperator
from .solve import Labels, Preconditioner, Prior, chosen_preconditioner, pixelwise, prior_list, rows_of, solve
from .status import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

__all__ = ["Comparison", "MethodReport", "compare"]

ITERATIVE = ("cg", "cgls", "lsqr")
QUANTILES = (0.1, 0.5, 0.9, 1.0)
_HISTORY_PIXELS = 2000   # as many histories as a curve needs


@dataclass
class MethodReport:
    """One method of a `Comparison`.

    Attributes
    ----------
    method, arithmetic : str
        That ran.
    max_error, rms_error : float
        Of x against the reference, in the unit of x, over the unknowns that the data determine.
    relative_error : float
        The largest, over parameters, of rms error / rms value: parameters of different units count alike.
    seconds_per_pixel : float
        Median of the repeats.
    seconds : list of float
        Of each repeat, for all pixels.
    iterations : (int, float, int)
        Least, median, most; zeros of a direct method.
    unconverged : int
        Pixels with ``Status.not_converged`` or ``breakdown``.
    differing : int
        Pixels whose status is another than that of the reference. (Iterative methods see no rank: they say ok where it says rank_deficient.)
    memory : int or None
        Bytes by which the resident memory of the process grew at most while it ran, results included: 0 where memory freed before was enough;
        None where the system does not say.
    """

    method: str
    arithmetic: str
    max_error: float
    rms_error: float
    relative_error: float
    seconds_per_pixel: float
    seconds: list[float]
    iterations: tuple[int, float, int]
    unconverged: int
    differing: int
    memory: int | None


@dataclass
class Comparison:
    """What `compare` measured; ``print`` shows the table.

    Attributes
    ----------
    methods : list of MethodReport
    reference : str
        What the others are measured against, e.g. "edge-flow in float64".
    pixels, compared, partial : int
        Solved; compared, because data determine some of their unknowns; and of these those where data leave others free, which are not compared.
    shape : (int, int)
        Of the model.
    errors : dict of (pixels,) arrays
        Largest error of each pixel, NaN where it is not compared.
    convergence : dict of (iterations + 1, 4) arrays
        Of iterative methods: residual norm in excess of the last one, relative to the first, at the quantiles 10, 50, 90, 100 % of pixels.
    accuracy : dict of lists of (tolerance, seconds per pixel, relative error)
        Of iterative methods run to several tolerances.
    grid : tuple of int
        Shape of the pixels.
    undetermined : int
        Unknowns that the data determine at no pixel.
    unit : str
        Of x where all unknowns have the same, rad for a network (or what the attribute ``units`` of y says), else empty.
    """

    methods: list[MethodReport]
    reference: str
    pixels: int
    compared: int
    shape: tuple[int, int]
    errors: dict[str, np.ndarray] = field(repr=False)
    convergence: dict[str, np.ndarray] = field(repr=False)
    accuracy: dict[str, list[tuple[float, float, float]]] = field(repr=False)
    grid: tuple[int, ...] = ()
    partial: int = 0
    undetermined: int = 0
    unit: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All numbers but those of single pixels, for JSON."""
        return {
            "reference": self.reference, "pixels": self.pixels, "compared": self.compared, "partial": self.partial,
            "undetermined": self.undetermined, "unit": self.unit, "shape": list(self.shape),
            "methods": [asdict(m) for m in self.methods],
            "convergence": {name: {"quantiles": list(QUANTILES), "values": curve.tolist()} for name, curve in self.convergence.items()},
            "accuracy": {name: [{"tolerance": a, "seconds_per_pixel": b, "relative_error": c} for a, b, c in points]
                         for name, points in self.accuracy.items()},
        }

    def summary(self) -> str:
        """What was compared, in words."""
        def count(n: int) -> str:
            return f"{n:,} pixel{'' if n == 1 else 's'}"

        text = f"{count(self.pixels)}, {self.shape[0]} rows, {self.shape[1]} unknowns; errors against {self.reference}"
        if self.compared != self.pixels:
            text += f", at {count(self.compared)} with data"
        if self.partial:
            text += f"; unknowns that data leave free are left out at {count(self.partial)}"
        if self.undetermined:
            text += f" ({self.undetermined} unknown{'' if self.undetermined == 1 else 's'} everywhere)"
        return text

    def table(self) -> Table:
        """For rich."""
        from rich import box
        from rich.table import Table

        table = Table(title=self.summary(),
                      box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
        table.add_column("method", style="cyan", no_wrap=True)
        for name in ("arithmetic", "max error", "rms error", "relative", "time / pixel", "iterations", "unconverged", "process grew"):
            table.add_column(name, justify="right", no_wrap=True)
        for m in self.methods:
            least, median, most = m.iterations
            table.add_row(m.method, m.arithmetic, f"{m.max_error:.1e}", f"{m.rms_error:.1e}", f"{m.relative_error:.1e}", _time(m.seconds_per_pixel),
                          f"{least} / {median:g} / {most}" if most else "direct", f"{m.unconverged:,}",
                          "?" if m.memory is None else f"{m.memory / 1e6:.1f} MB")
        return table

    __rich__ = table

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=160, highlight=False).print(self.table())
        return text.getvalue().rstrip()

    def plot(self, path: str | Path | None = None) -> Figure:
        """Pictures: errors (maps where pixels have two axes), convergence per quantile, accuracy against time. Saved where `path` says."""
        from .plot import plot_comparison

        return plot_comparison(self, path)


def _time(seconds: float) -> str:
    return f"{seconds * 1e9:.0f} ns" if seconds < 1e-6 else f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def _peak() -> int | None:
    """The largest memory of the process since `_forget_peak`, bytes."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _forget_peak() -> int | None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _peak()


def chosen_pixels(op: LinearOperator, which: np.ndarray) -> LinearOperator:
    """A pixelwise operator at some of its pixels: itself where it has no fields."""
    if op.pixels == 0:
        return op
    matrix = op._node().lower()
    values = np.array([np.prod([matrix["fields"][f][row][which].astype(np.float64) for f, row in factor], axis=0) for factor in matrix["factors"]])
    return LinearOperator(_core.pattern(op.shape, matrix["row"], matrix["column"], matrix["coefficient"], matrix["factor"],
                                        np.ascontiguousarray(values.reshape(len(matrix["factors"]), len(which))), op.name or "Pattern"))


def _flattened(priors: Sequence[Prior], grid: tuple[int, ...], dtype: Any, name: str) -> list[Prior]:
    """Priors with data and weights (rows, 1) or (rows, pixels)."""
    return [Prior(p.op, *(None if v is None else rows_of(v, p.op.shape[0], grid, dtype, name) for v in (p.data, p.weights))) for p in priors]


def _cut(values: Any, which: np.ndarray) -> Any:
    return values if values is None or values.shape[1] == 1 else values[:, which]


def _priors_at(priors: Sequence[Prior], which: np.ndarray) -> list[Prior]:
    return [Prior(chosen_pixels(pixelwise(p.op, "compare"), which), _cut(p.data, which), _cut(p.weights, which)) for p in priors]


def _preconditioner_at(given: Preconditioner | None, which: np.ndarray) -> Preconditioner | None:
    if given is None or given.kind != "direct":
        return given
    return Preconditioner.direct(chosen_pixels(given.model, which), _cut(given.weights, which), _priors_at(given.prior, which))


def _spread(grid: tuple[int, ...], pixels: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """About so many pixels, evenly spread over a grid, on a grid of their own: their numbers, and its shape."""
    counts: list[int] = []
    for i, n in enumerate(grid):   # steps as equal along all axes as whole pixels allow
        share = pixels / math.prod(counts) / math.prod(grid[i:])
        counts.append(min(n, max(1, round(n * share ** (1 / (len(grid) - i))))))
    places = [np.linspace(0, n - 1, count).astype(int) for n, count in zip(grid, counts)]
    return np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), grid).ravel(), tuple(counts)


def compare(model: Any, y: Any, weights: Any = None, methods: str | Sequence[str] | None = None, pixels: int | None = None, *, prior: Any = None,
            damp: float = 0.0, tol: float = 1e-6, max_iterations: int | None = None, preconditioner: Any = "auto", arithmetic: str = "auto",
            repeats: int = 3, tolerances: Sequence[float] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7), threads: int | None = None) -> Comparison:
    """Solve the same pixels by several methods and measure them.

    Parameters
    ----------
    model, y, weights, prior, damp, max_iterations, preconditioner, arithmetic, threads
        As for `solve`.
    methods : str or sequence of str, optional
        Different ones; "auto" counts as what it chooses. Default: "edge-flow" for a network without priors and damp, "cholesky", "cg", "cgls",
        "lsqr".
    pixels : int, optional
        About so many, evenly spread over those of y: of a scene (K, rows, columns) on a grid. All by default.
    tol : float
        Of iterative methods in the table.
    repeats : int
        Timed runs of each method, 1 or more, which take turns; one more before is not timed.
    tolerances : sequence of float
        For accuracy against time, as many runs each; empty: none.

    Returns
    -------
    Comparison

    Raises
    ------
    ShapeError, InvalidArgument
        As `solve`; no pixel of which data determine an unknown; repeats below 1; no method, or one twice.

    Notes
    -----
    The reference is computed in float64 whatever the type of y: by edge flow where the model is a network, else by Cholesky. Unknowns that the data
    of a pixel leave free, e.g. dates that no pair joins with the reference date, take no part.
    """
    op = pixelwise(model, "compare")
    labels = Labels(op, y, "compare")
    y, weights, prior = labels.y, labels.weights(weights), labels.priors(prior)
    units = {unit for _, unit in names(op)}
    unit = units.pop() if len(units) == 1 else ""
    if type(op).__name__ == "Network":
        unit = str(labels.template.attrs.get("units", "rad")) if labels.template is not None else "rad"
    y = floating(ndarray(y), "y")
    if y.ndim < 2:
        raise _core.ShapeError(f"compare: expected y of shape ({op.shape[0]}, pixels), got {y.shape}")
    grid = y.shape[1:]
    flat = y.reshape(y.shape[0], -1)
    w = None if weights is None else rows_of(weights, op.shape[0], grid, y.dtype, "compare: weights")
    priors = _flattened(prior, grid, y.dtype, "compare: prior")
    preconditioner = chosen_preconditioner(preconditioner, op, priors)
    if preconditioner is not None and preconditioner.kind == "direct":
        other = pixelwise(preconditioner.model, "compare: preconditioner")
        its = None if preconditioner.weights is None else rows_of(preconditioner.weights, other.shape[0], grid, y.dtype,
                                                                 "compare: weights of the preconditioner")
        preconditioner = Preconditioner.direct(other, its, _flattened(prior_list(preconditioner.prior), grid, y.dtype, "compare: preconditioner"))
    if at_least_one(repeats, "compare: repeats") == 0:
        raise _core.InvalidArgument("compare: expected repeats of 1 or more, got None")
    if isinstance(methods, str):
        methods = [methods]
    if at_least_one(pixels, "compare: pixels") and pixels is not None and pixels < flat.shape[1]:
        which, grid = _spread(grid, pixels)
        flat = flat[:, which]

        w, priors, preconditioner = _cut(w, which), _priors_at(priors, which), _preconditioner_at(preconditioner, which)
        op = chosen_pixels(op, which)   # a network stays one
    network = type(op).__name__ == "Network" and not priors and not damp
    if methods is None:
        methods = [*(["edge-flow"] if network else []), "cholesky", *ITERATIVE]
    flat = np.ascontiguousarray(flat)
    common = dict(prior=priors or None, damp=damp, threads=threads)
    iterations: dict[str, Any] = dict(max_iterations=max_iterations, preconditioner=preconditioner)

    def run(method: str, **more: Any) -> Any:
        options = {**common, **(iterations if method in ITERATIVE else {}), "tol": tol, "arithmetic": arithmetic, **more}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IdentifiabilityWarning)
            return solve(op, flat, w, method, **options)

    if not all(isinstance(m, str) for m in methods):
        raise _core.InvalidArgument(f"compare: expected names of methods, got {methods!r}")
    methods = [run(m).method if m == "auto" else m for m in methods]   # what it is here
    if not methods or len(set(methods)) < len(methods):
        raise _core.InvalidArgument(f"compare: expected one or more different methods, got {', '.join(methods) or 'none'}")
    exact_w = None if w is None else w.astype(np.float64)
    exact_priors = [Prior(p.op, *(None if v is None else v.astype(np.float64) for v in (p.data, p.weights))) for p in priors]
    exact = solve(op, flat.astype(np.float64), exact_w, "edge-flow" if network else "cholesky", prior=exact_priors or None, damp=damp,
                  threads=threads, arithmetic="float64")
    known = np.isfinite(exact.x) & np.isin(exact.status, (Status.ok, Status.rank_deficient))
    good, count = known.any(axis=0), known.sum(axis=1)
    if not good.any():
        raise _core.InvalidArgument("compare: expected pixels with data that determine an unknown, got none; add data, a prior or damp")
    somewhere = count > 0
    scale = np.sqrt((np.where(known, exact.x, 0)[somewhere] ** 2).sum(axis=1) / count[somewhere])

    def errors(x: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Of each pixel the largest; rms; relative."""
        difference = np.where(known, x.astype(np.float64) - exact.x, 0)
        rms = np.sqrt((difference[somewhere]**2).sum(axis=1) / count[somewhere])
        largest = np.where(good, np.abs(difference).max(axis=0), np.nan)
        return largest, float(np.sqrt((difference**2).sum() / known.sum())), float(np.max(rms / np.where(scale > 0, scale, 1)))

    seconds: dict[str, list[float]] = {m: [] for m in methods}
    found, memory = {}, {}
    for m in methods:
        gc.collect()
        before = _forget_peak()
        found[m] = run(m)
        after = _peak()
        memory[m] = None if before is None or after is None else max(0, after - before)
    for _ in range(repeats):
        for m in methods:
            start = time.perf_counter()
            run(m)
            seconds[m].append(time.perf_counter() - start)
    reports, of_pixels = [], {}
    for m in methods:
        s = found[m]
        of_pixels[m], rms, relative = errors(s.x)
        counts = s.iterations[good]
        per_pixel = float(np.median(seconds[m])) / flat.shape[1]
        reports.append(MethodReport(
            s.method, s.arithmetic, float(of_pixels[m][good].max()), rms, relative, per_pixel, seconds[m],
            (int(counts.min()), float(np.median(counts)), int(counts.max())),
            int(np.isin(s.status, (Status.not_converged, Status.breakdown)).sum()), int((s.status != exact.status).sum()), memory[m]))

    convergence: dict[str, np.ndarray] = {}
    accuracy: dict[str, list[tuple[float, float, float]]] = {}
    for m in methods:
        if m not in ITERATIVE:
            continue
        # Histories of some pixels are those of all where there are no fields to cut.
        each = np.linspace(0, flat.shape[1] - 1, flat.shape[1] if op.pixels else min(_HISTORY_PIXELS, flat.shape[1])).astype(int)
        few = {**iterations, "preconditioner": _preconditioner_at(preconditioner, each)}
        s = solve(op, flat[:, each], _cut(w, each), m, history=True, tol=tol, arithmetic=arithmetic, damp=damp, threads=threads, **few,
                  prior=_priors_at(priors, each) or None)
        if s.history is not None:
            h = s.history[:, good[each]].astype(np.float64)
            last = np.nanmin(h, axis=0)
            excess = (np.where(np.isnan(h), last, h) - last) / np.where(h[0] > 0, h[0], 1)
            convergence[m] = np.quantile(excess, QUANTILES, axis=1).T
        points = []
        for tolerance in tolerances:
            took = []
            for _ in range(repeats):
                start = time.perf_counter()
                x = run(m, tol=tolerance).x
                took.append(time.perf_counter() - start)
            points.append((float(tolerance), float(np.median(took)) / flat.shape[1], errors(x)[2]))
        accuracy[m] = points
    return Comparison(reports, f"{exact.method} in float64", flat.shape[1], int(good.sum()), op.shape, of_pixels, convergence, accuracy, grid,
                      int((good & ~known.all(axis=0)).sum()), int((~somewhere).sum()), unit)
