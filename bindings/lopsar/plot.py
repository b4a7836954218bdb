"""Pictures of stacks and products: the network, maps, and series at pixels, beside the truth where it is known.

Files are read one date or one strip of rows at a time. Nothing here touches pyplot's state unless a window is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from ._core import Hdf5File

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["accuracy", "plot", "plot_comparison", "plot_map", "plot_network", "plot_pairs", "plot_series"]

STRIP_BYTES = 64 << 20
DRAWN_PIXELS = 1600  # along a side: more than a screen shows
EMPTY = "#dedede"
COLORS = ("#d1495b", "#00798c", "#e09f1f", "#5b4b8a", "#4f772d", "#7f5539", "#3a86ff", "#444444")
STYLE = {
    "font.size": 11, "font.family": "DejaVu Sans", "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "grid.color": "#e4e4e4", "legend.frameon": False,
    "image.interpolation": "nearest", "figure.facecolor": "white", "savefig.dpi": 160, "savefig.bbox": "tight", "savefig.pad_inches": 0.12,
}


class Look(NamedTuple):
    """How a 2-D dataset is drawn."""

    title: str
    unit: str = ""
    cmap: str = "viridis"
    limits: tuple[float | None, float | None] = (None, None)
    zero_is_empty: bool = True
    scale: float = 1.0


LOOKS = {
    "temporalCoherence": Look("Temporal coherence", "", "viridis", (None, 1)),
    "avgSpatialCoh": Look("Mean spatial coherence", "", "viridis", (None, 1)),
    "numInvIfgram": Look("Interferograms used per pixel", "interferograms"),
    "waterMask": Look("Water mask: land is 1", "", "mask", (0, 1), False),
    "shadowMask": Look("Shadow mask", "", "mask", (0, 1), False),
    "mask": Look("Mask", "", "mask", (0, 1), False),
    "status": Look("Status per pixel", "0 ok, 1 rank deficient, 2 no data,\n3 below redundancy, 4 masked", "viridis", (0, 5), False),
    "height": Look("Height", "m", "cividis"),
    "incidenceAngle": Look("Incidence angle", "degree"),
    "slantRangeDistance": Look("Slant range", "km", scale=1e-3),
    "azimuthAngle": Look("Azimuth angle", "degree"),
    "latitude": Look("Latitude", "degree"),
    "longitude": Look("Longitude", "degree"),
    "dem": Look("DEM error", "m", "RdBu_r"),
    "demError": Look("DEM error", "m", "RdBu_r"),
    "velocity": Look("Velocity towards the satellite", "cm/yr", "RdBu_r", scale=100),
    "velocityStd": Look("Velocity standard deviation", "cm/yr", scale=100),
}


def _expected(what: str, got: object, do: str) -> ValueError:
    return ValueError(f"expected {what}, got {got}; {do}")


def _file_type(file: Hdf5File) -> str:
    """FILE_TYPE as written, else guessed from the datasets."""
    stated = file.attributes().get("FILE_TYPE")
    if stated:
        return stated
    for name, kind in (("unwrapPhase", "ifgramStack"), ("timeseries", "timeseries"), ("incidenceAngle", "geometry")):
        if name in file:
            return kind
    return next((name for name in file.datasets() if name in LOOKS), "unknown")


def _require(path: str | Path, dataset: str, kind: str) -> None:
    with Hdf5File(str(path)) as file:
        if dataset not in file:
            raise _expected(f"{kind} with dataset '{dataset}'", f"{path} of type {_file_type(file)} with {', '.join(file.datasets()) or 'nothing'}",
                            "pass another file")


def _dates(file: Hdf5File) -> list[datetime]:
    return [datetime.strptime(d.decode()[:8], "%Y%m%d") for d in np.ravel(file.read("date"))]


def _years(dates: Sequence[datetime]) -> np.ndarray:
    return np.array([(d - dates[0]).days for d in dates]) / 365.25


def _strips(file: Hdf5File, name: str) -> Iterator[tuple[slice, np.ndarray]]:
    """Strips of whole rows of a 3-D dataset, all layers, aligned to its chunks: (rows, block (layers, rows, columns))."""
    info = file.info(name)
    layers, rows, columns = info.shape
    step = info.chunks[1] if info.chunks else 1
    height = max(1, STRIP_BYTES // (4 * layers * columns * step)) * step
    for top in range(0, rows, height):
        count = min(height, rows - top)
        yield slice(top, top + count), file.read(name, (0, top, 0), (layers, count, columns))


def _layer(file: Hdf5File, name: str, index: int) -> np.ndarray:
    _, rows, columns = file.info(name).shape
    return file.read(name, (index, 0, 0), (1, rows, columns))[0]


def _beside(path: str | Path, names: Sequence[str], shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """First 2-D dataset of each file of `names` that lies beside `path` (or one folder up) and has its `shape`."""
    found = {}
    for name in names:
        for folder in (Path(path).parent, Path(path).parent.parent):
            if (folder / name).is_file():
                with Hdf5File(str(folder / name)) as file:
                    fitting = [d for d in file.datasets() if tuple(file.info(d).shape) == tuple(shape)]
                    if fitting:
                        found[name] = file.read(fitting[0])
                        break
    return found


def _inverted(path: str | Path, last: np.ndarray, reference: tuple[int, int] | None) -> np.ndarray:
    """Where a series was inverted: (rows, columns) bool, from the products beside it, else from zeros of the last date."""
    valid = np.isfinite(last) & (last != 0)
    for values in _beside(path, ("temporalCoherence.h5", "numInvIfgram.h5"), last.shape).values():
        valid &= np.isfinite(values) & (values > 0)
    if reference:
        valid[reference] = True
    return valid


def _reference(attributes: dict[str, str], shape: Sequence[int]) -> tuple[int, int] | None:
    try:
        y, x = int(attributes["REF_Y"]), int(attributes["REF_X"])
    except (KeyError, ValueError):
        return None
    return (y, x) if 0 <= y < shape[-2] and 0 <= x < shape[-1] else None


def _rate_and_season(path: str | Path, dataset: str = "timeseries") -> tuple[np.ndarray, np.ndarray]:
    """Mean rate (m/yr) and yearly amplitude (m) of every pixel, by least squares on 1, t, cos 2 pi t, sin 2 pi t."""
    with Hdf5File(str(path)) as file:
        t = _years(_dates(file))
        columns = [np.ones_like(t), t, np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)]
        inverse = np.linalg.pinv(np.stack(columns[:4 if len(t) > 6 and t[-1] > 1 else 2], axis=1)).astype(np.float32)
        rate, season = (np.zeros(file.info(dataset).shape[1:], np.float32) for _ in range(2))
        for rows, block in _strips(file, dataset):
            fit = np.tensordot(inverse, block, axes=1)
            rate[rows] = fit[1]
            if len(fit) == 4:
                season[rows] = np.hypot(fit[2], fit[3])
    return rate, season


def _new_figure(width: float, height: float, show: bool = False) -> Figure:
    if show:
        import matplotlib.pyplot as plt

        return plt.figure(figsize=(width, height), layout="constrained")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _styled(function):
    """Draw inside our own style, and say what to install where matplotlib is missing."""
    from functools import wraps

    @wraps(function)
    def inside(*args, **options):
        try:
            import matplotlib
        except ImportError as error:
            raise ImportError("expected matplotlib for plots, got none; run pip install matplotlib") from error
        with matplotlib.rc_context(STYLE):
            return function(*args, **options)

    return inside


def _save(figure: Figure, out: str | Path | None) -> Figure:
    if out is not None:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(str(out))
    return figure


def _map_size(shape: Sequence[int], attributes: dict[str, str]) -> tuple[float, float]:
    """Inches of one map's panel with its colour bar: about 4.3 along its longer side."""
    ratio = shape[-2] / shape[-1] * _aspect(attributes)
    width = max(4.3 * min(1.0, 1.3 / ratio), 1.4)
    return width + 1.1, min(max(width * ratio, 2.4), 6.0) + 0.55


def _aspect(attributes: dict[str, str]) -> float:
    try:
        if "X_FIRST" in attributes:
            latitude = float(attributes["Y_FIRST"])
            skew = abs(float(attributes["Y_STEP"]) / float(attributes["X_STEP"]))
            return skew / (math.cos(math.radians(latitude)) if abs(latitude) <= 89 else 1.0)
    except (KeyError, ValueError):
        pass
    return 1.0


def _draw_map(ax: Axes, values: np.ndarray, attributes: dict[str, str], look: Look, valid: np.ndarray | None = None,
              bar: bool = True) -> None:
    """Draw one (rows, columns) field with axes in degrees or pixels (north up), colour bar and reference pixel."""
    from matplotlib.colors import ListedColormap

    data = np.ma.masked_invalid(np.asarray(values, np.float32) * np.float32(look.scale))
    if look.zero_is_empty:
        data = np.ma.masked_equal(data, 0)
    if valid is not None:
        data = np.ma.masked_where(~valid, data)
    rows, columns = data.shape
    geographic = "X_FIRST" in attributes and "Y_FIRST" in attributes
    if geographic:
        x0, y0, dx, dy = (float(attributes[k]) for k in ("X_FIRST", "Y_FIRST", "X_STEP", "Y_STEP"))
        extent, aspect = (x0, x0 + columns * dx, y0 + rows * dy, y0), 1 / max(math.cos(math.radians(y0 + rows * dy / 2)), 0.01)
    else:
        x0, y0, dx, dy, extent, aspect = 0.0, 0.0, 1.0, 1.0, (0, columns, rows, 0), 1.0
    low, high = look.limits
    seen = data.compressed()
    if look.cmap == "mask":
        cmap: Any = ListedColormap(["#c9d6df", "#52616b"])
    else:
        cmap = look.cmap
        if seen.size and low is None and look.cmap == "RdBu_r":
            high = float(np.percentile(np.abs(seen), 99)) or 1.0
            low = -high
        elif seen.size and low is None and high is not None:
            # Coherence fills little of 0..1 in a good scene: start at a round number below nearly all of it.
            low = min(math.floor(float(np.percentile(seen, 1)) * 10) / 10, 0.9)
        elif seen.size and low is None:
            low, high = (float(v) for v in np.percentile(seen, (0.5, 99.5)))
            if low == high:
                low, high = low - 0.5, high + 0.5
    ax.set_facecolor(EMPTY)
    step = max(1, math.ceil(max(rows, columns) / DRAWN_PIXELS))
    image = ax.imshow(data[::step, ::step], cmap=cmap, vmin=low, vmax=high, extent=extent, aspect=aspect)
    if max(rows, columns) > 6 * min(rows, columns):
        ax.set_aspect("auto")  # a strip drawn to scale leaves no room for its labels
    if geographic:
        ax.set_xlabel("longitude (degree)")
        ax.set_ylabel("latitude (degree)")
    else:
        ax.set_xlabel("range (pixel)")
        ax.set_ylabel("azimuth (line)")
        # Radar images stand on their head when ascending and mirrored when descending; north up and east right reads better.
        if attributes.get("ORBIT_DIRECTION", "").upper().startswith("ASC"):
            ax.invert_yaxis()
        elif attributes.get("ORBIT_DIRECTION", "").upper().startswith("DES"):
            ax.invert_xaxis()
    ax.spines[:].set_visible(True)
    reference = _reference(attributes, data.shape)
    if reference and look.cmap != "mask":
        ax.plot(x0 + (reference[1] + 0.5) * dx, y0 + (reference[0] + 0.5) * dy, "s", ms=6, mfc="black", mec="white", mew=1.2)
    ax.set_title(look.title)
    if bar and look.cmap == "mask":
        # An inset keeps the height of the map, which a stolen axis does not when the aspect is fixed.
        ax.figure.colorbar(image, cax=ax.inset_axes((1.025, 0.3, 0.035, 0.4)), ticks=[0.25, 0.75]).ax.set_yticklabels(["0", "1"])
    elif bar:
        below = seen.size > 0 and low is not None and seen.min() < low - 1e-6
        above = seen.size > 0 and high is not None and seen.max() > high + 1e-6
        ends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[bool(below), bool(above)]
        ax.figure.colorbar(image, cax=ax.inset_axes((1.025, 0, 0.035, 1)), extend=ends).set_label(look.unit)


def _pair_means(path: str | Path, file: Hdf5File) -> np.ndarray | None:
    """Mean coherence of each pair on a few rows, over land where a mask lies beside the stack."""
    if "coherence" not in file:
        return None
    pairs, rows, columns = file.info("coherence").shape
    land = _beside(path, ("waterMask.h5",), (rows, columns)).get("waterMask.h5")
    total, count = np.zeros(pairs), np.zeros(pairs)
    for row in sorted({round((i + 0.5) * rows / 8 - 0.5) for i in range(8)}):
        use = np.ones(columns, bool) if land is None else land[row].astype(bool)
        values = file.read("coherence", (0, row, 0), (pairs, 1, columns))[:, 0][:, use]
        good = np.isfinite(values) & (values > 0)
        total += np.where(good, values, 0).sum(axis=1)
        count += good.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan) if count.any() else None


@_styled
def plot_network(stack_path: str | Path, ax: Axes | None = None, out: str | Path | None = None, *, show: bool = False) -> Figure:
    """Draw dates against perpendicular baseline (m), a line for each pair, coloured by its mean coherence where there is one.

    Dropped pairs (``dropIfgram`` False) are dashed. Baselines of dates are the least-squares solution of those of pairs. Mean coherence
    is taken on eight rows, so large stacks stay unread.

    Raises
    ------
    ValueError
        The file has no pairs.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    with Hdf5File(str(stack_path)) as file:
        if "date" not in file or len(file.info("date").shape) != 2:
            raise _expected("a stack whose 'date' is (pairs, 2)", f"{stack_path} of type {_file_type(file)}", "pass inputs/ifgramStack.h5")
        names = np.array([[d.decode()[:8] for d in pair] for pair in file.read("date")])
        keep = file.read("dropIfgram").astype(bool) if "dropIfgram" in file else np.ones(len(names), bool)
        bperp = file.read("bperp").astype(float) if "bperp" in file else None
        coherence = _pair_means(stack_path, file)
    dates, index = np.unique(names, return_inverse=True)
    index = index.reshape(names.shape)
    design = np.zeros((len(names), len(dates)))
    np.put_along_axis(design, index[:, :1], -1.0, axis=1)
    np.put_along_axis(design, index[:, 1:], 1.0, axis=1)
    baseline = np.zeros(len(dates))
    if bperp is not None:
        baseline[1:] = np.linalg.lstsq(design[:, 1:], np.nan_to_num(bperp), rcond=None)[0]

    figure = cast("Figure", ax.figure) if ax is not None else _new_figure(10, 4.6, show)
    ax = ax if ax is not None else figure.add_subplot()
    when = date2num([datetime.strptime(d, "%Y%m%d") for d in dates])
    points = np.stack([when[index], baseline[index]], axis=-1)
    drawn = None
    # Weak pairs are what one looks for, so they are drawn last.
    order = np.argsort(-np.nan_to_num(coherence)) if coherence is not None else np.arange(len(names))
    for kept in (False, True):
        some = order[keep[order] == kept]
        if some.size == 0:
            continue
        lines = LineCollection(points[some], linewidths=1.3 if kept else 1.0, linestyles="-" if kept else (0, (3, 3)), zorder=2 if kept else 1)
        if coherence is not None and kept:
            lines.set(array=coherence[some], cmap="viridis")
            low, high = np.nanmin(coherence), np.nanmax(coherence)
            lines.set_clim(low, high if high > low else low + 0.1)
            drawn = lines
        else:
            lines.set_color("#4c6a92" if kept else "#a0a0a0")
        ax.add_collection(lines)
    ax.plot(when, baseline, "o", ms=5.5, mfc="white", mec="#222222", mew=1.2, zorder=3)
    ax.xaxis_date()
    ax.xaxis.set_major_locator(AutoDateLocator())
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.margins(0.03, 0.08)
    ax.autoscale_view()
    ax.grid(True)
    ax.set_ylabel("perpendicular baseline (m)" if bperp is not None else "no baselines")
    dropped = int((~keep).sum())
    ax.set_title(f"{len(dates)} dates, {int(keep.sum())} interferograms" + (f", {dropped} dropped (dashed)" if dropped else ""))
    if drawn is not None:
        figure.colorbar(drawn, ax=ax, pad=0.015, fraction=0.045).set_label("mean coherence")
    return _save(figure, out)


@_styled
def plot_pairs(stack_path: str | Path, indices: Sequence[int] | None = None, out: str | Path | None = None, *, show: bool = False) -> Figure:
    """Draw unwrapped phase (rad, minus the reference pixel's) above coherence of some pairs: short, middling and long by default."""
    _require(stack_path, "unwrapPhase", "a stack")
    with Hdf5File(str(stack_path)) as file:
        attributes, shape = file.attributes(), file.info("unwrapPhase").shape
        names = file.read("date")
        if indices is None:
            spans = [abs(datetime.strptime(b.decode()[:8], "%Y%m%d") - datetime.strptime(a.decode()[:8], "%Y%m%d")).days for a, b in names]
            order = np.argsort(spans, kind="stable")
            indices = sorted({int(order[round(q * (len(order) - 1))]) for q in (0.05, 0.5, 0.99)})
        if not all(0 <= i < shape[0] for i in indices):
            raise _expected(f"pairs from 0 to {shape[0] - 1}", list(indices), "pass other indices")
        has_coherence = "coherence" in file
        width, height = _map_size(shape, attributes)
        figure = _new_figure(width * len(indices), height * (1 + has_coherence), show)
        axes = figure.subplots(1 + has_coherence, len(indices), squeeze=False, sharex=True, sharey=True)
        reference = _reference(attributes, shape)
        for column, k in enumerate(map(int, indices)):
            phase = _layer(file, "unwrapPhase", k)
            valid = np.isfinite(phase) & (phase != 0)
            if reference:
                phase = phase - phase[reference]
            title = f"{names[k][0].decode()[:8]} to {names[k][1].decode()[:8]}"
            _draw_map(axes[0, column], phase, attributes, Look(title, "unwrapped phase (rad)", "RdBu_r", zero_is_empty=False), valid)
            if has_coherence:
                _draw_map(axes[1, column], _layer(file, "coherence", k), attributes, Look("", "coherence", "viridis", (0, 1)))
        for ax in axes.flat:
            ax.label_outer()
    return _save(figure, out)


@_styled
def plot_map(file: str | Path, dataset: str | None = None, out: str | Path | None = None, *, show: bool = False) -> Figure:
    """Draw maps of a product: a series' last date and mean rate, a coherence, a count, a mask, a geometry.

    Pixels that were not inverted (0 or NaN in the series, or in ``temporalCoherence.h5`` and ``numInvIfgram.h5`` beside it) stay grey.
    Displacement is towards the satellite, in cm, about 0; axes are degrees where the file has ``X_FIRST`` and ``Y_FIRST``, else
    pixels with north up. The black square is the reference pixel.

    Parameters
    ----------
    dataset : str, optional
        One 2-D dataset, or a 3-D one of dates; by default what the file's FILE_TYPE suggests.

    Raises
    ------
    ValueError
        No such dataset, or nothing in the file that can be drawn.
    """
    with Hdf5File(str(file)) as source:
        attributes, kind = source.attributes(), _file_type(source)
        shapes = {name: tuple(source.info(name).shape) for name in source.datasets()}
        size = next((s[-2:] for s in shapes.values() if len(s) == 3), None)
        maps = [n for n, s in shapes.items()
                if len(s) == 2 and min(s) > 0 and not source.info(n).dtype.startswith("S") and (size is None or s == size)]
        if dataset is not None and dataset not in shapes:
            raise _expected(f"a dataset of {file}: {', '.join(shapes)}", dataset, "choose one of these")
        name = dataset or ("timeseries" if "timeseries" in shapes else None)
        if name and len(shapes[name]) == 3 and "date" in shapes and shapes["date"] == shapes[name][:1]:
            dates, last = _dates(source), _layer(source, name, shapes[name][0] - 1)
        elif name is None and kind == "ifgramStack" or (name and name not in maps):
            raise _expected("a 2-D dataset, or a 3-D one over dates", f"{name or kind} in {file}", "use plot_network or plot_pairs for stacks")
        else:
            dates = None
            chosen = [name] if name else sorted(maps, key=lambda n: list(LOOKS).index(n) if n in LOOKS else 99)
            if not chosen:
                raise _expected("at least one 2-D dataset", f"{file} with {', '.join(shapes) or 'nothing'}", "pass a product")
            panels = [(source.read(n), _look(n, kind, Path(file).stem, attributes)) for n in chosen]
    valid = None
    if dates is not None and name is not None:
        valid = _inverted(file, last, _reference(attributes, last.shape))
        rate, _ = _rate_and_season(file, name)
        span = f"{dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}"
        panels = [(last, Look(f"Displacement, {span}", "cm towards the satellite", "RdBu_r", zero_is_empty=False, scale=100)),
                  (rate, Look(f"Mean rate of {len(dates)} dates", "cm/yr towards the satellite", "RdBu_r", zero_is_empty=False, scale=100))]
    width, height = _map_size(panels[0][0].shape, attributes)
    across = min(len(panels), 2 if len(panels) in (2, 4) else 3)
    down = -(-len(panels) // across)
    factor = 1.25 if len(panels) <= 2 else 1.0
    figure = _new_figure(factor * width * across, factor * height * down, show)
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for ax, (values, look) in zip(axes.flat, panels):
        _draw_map(ax, values, attributes, look, valid)
        if across > 1:
            ax.label_outer()
    for ax in list(axes.flat)[len(panels):]:
        ax.set_visible(False)
    return _save(figure, out)


def _look(name: str, kind: str, stem: str, attributes: dict[str, str]) -> Look:
    """MintPy names the dataset of numInvIfgram.h5 and of every other mask 'mask': the file's name tells which it is."""
    if name == "mask" and "numInv" in stem:
        return LOOKS["numInvIfgram"]
    if name == "mask":
        return LOOKS["mask"]._replace(title=stem)
    return LOOKS.get(name, Look(f"{name} ({stem})", attributes.get("UNIT", "")))


def _choose_pixels(path: str | Path, last: np.ndarray, valid: np.ndarray, coherence: np.ndarray | None) -> dict[str, tuple[int, int]]:
    """Pixels worth looking at, of the half of best temporal coherence what moves most, breathes most, hardly moves; and any one."""
    rate, season = _rate_and_season(path)
    good = valid & (last != 0)
    if coherence is not None and good.any():
        good &= coherence >= np.median(coherence[good])
    if not good.any():
        raise _expected("at least one inverted pixel", f"none in {path}", "check the inversion, or pass pixels")
    motion, scale = np.abs(last), float(np.percentile(np.abs(last[good]), 99)) or 1.0
    quiet = np.abs(rate) / scale + 3 * season / scale + motion / scale
    scores = {"largest motion": motion, "seasonal": season - 0.15 * motion, "quiet": -quiet,
              "random": np.random.default_rng(0).random(last.shape)}
    with Hdf5File(str(path)) as file:
        reference = _reference(file.attributes(), last.shape)
    picked: dict[str, tuple[int, int]] = {}
    for name, score in scores.items():
        open_ = (valid & (last != 0) if name == "random" else good).copy()
        for y, x in [*picked.values(), *([reference] if reference else [])]:
            reach = max(3, min(last.shape) // 12)
            open_[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach] = False
        if open_.any():
            row, column = np.unravel_index(np.argmax(np.where(open_, score, -np.inf)), last.shape)
            picked[name] = int(row), int(column)
    if not picked:  # a scene so small that every pixel is a neighbor of the reference pixel
        row, column = np.unravel_index(np.argmax(np.where(good, motion, -np.inf)), last.shape)
        picked["largest motion"] = int(row), int(column)
    return picked


def _pixel_series(file: Hdf5File, y: int, x: int) -> np.ndarray:
    return file.read("timeseries", (0, y, x), (file.info("timeseries").shape[0], 1, 1))[:, 0, 0].astype(float)


@_styled
def plot_series(timeseries: str | Path, pixels: Sequence[tuple[int, int]] | None = None, truth: str | Path | None = None,
                temporal_coherence: str | Path | None = None, out: str | Path | None = None, *, show: bool = False) -> Figure:
    """Draw the series (cm) at some pixels beside a map that shows where they are, with the truth and what is left (mm) where it is known.

    Parameters
    ----------
    pixels : list of (row, column), optional
        By default four: largest motion, strongest season, quiet, random.
    truth : path, optional
        ``truth.h5`` of a simulation; it is brought to the same reference pixel and first date.
    temporal_coherence : path, optional
        By default ``temporalCoherence.h5`` beside `timeseries`; given in the legend, and used to choose pixels.

    Raises
    ------
    ValueError
        A file is no series, pixels lie outside it, or truth has other dates or another size.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    _require(timeseries, "timeseries", "a series")
    with Hdf5File(str(timeseries)) as file:
        attributes, dates, shape = file.attributes(), _dates(file), file.info("timeseries").shape
        last, reference = _layer(file, "timeseries", shape[0] - 1), _reference(attributes, shape)
        valid = _inverted(timeseries, last, reference)
        coherence = _beside(timeseries, ("temporalCoherence.h5",), shape[1:]).get("temporalCoherence.h5")
        if temporal_coherence is not None:
            _require(temporal_coherence, "temporalCoherence", "a coherence")
            with Hdf5File(str(temporal_coherence)) as quality:
                coherence = quality.read("temporalCoherence")
        if pixels is None:
            chosen = _choose_pixels(timeseries, last, valid, coherence)
        else:
            chosen = {f"{int(y)}, {int(x)}": (int(y), int(x)) for y, x in pixels}
        for y, x in chosen.values():
            if not (0 <= y < shape[1] and 0 <= x < shape[2]):
                raise _expected(f"pixels (row, column) within {shape[1:]}", (y, x), "pass others")
        series = {name: _pixel_series(file, y, x) for name, (y, x) in chosen.items()}
    known = {}
    if truth is not None:
        with _same_series(truth, dates, shape) as file:
            base = _pixel_series(file, *reference) if reference else 0.0
            known = {name: _pixel_series(file, y, x) - base for name, (y, x) in chosen.items()}
            known = {name: values - values[0] for name, values in known.items()}

    figure = _new_figure(14, 5.4, show)
    left, right = cast("Any", figure.subfigures(1, 2, width_ratios=(1, 1.3)))
    where = left.subplots()
    _draw_map(where, last, attributes, Look(f"Displacement to {dates[-1]:%Y-%m-%d}", "cm towards the satellite", "RdBu_r", zero_is_empty=False,
                                            scale=100), valid)
    axes = right.subplots(2 if known else 1, 1, squeeze=False, sharex=True, height_ratios=(3, 1) if known else (1,))[:, 0]
    for number, (name, values) in enumerate(series.items()):
        color, (y, x) = COLORS[number % len(COLORS)], chosen[name]
        label = name if pixels is not None else f"{name} ({y}, {x})"
        if coherence is not None:
            label += f", temporal coherence {coherence[y, x]:.2f}"
        axes[0].plot(dates, 100 * values, "o", ms=3.8, color=color, label=label, zorder=3)
        axes[0].plot(dates, 100 * known.get(name, values), "-", lw=1.2, color=color, alpha=0.75, zorder=2)
        if known:
            axes[1].plot(dates, 1000 * (values - known[name]), "-", lw=1.1, color=color)
        _mark_pixel(where, attributes, y, x, color)
    axes[0].set_ylabel("displacement towards the satellite (cm)")
    axes[0].set_title("Inverted (dots) and truth (lines)" if known else "Displacement series")
    if series:
        axes[0].legend(fontsize=9.5, loc="best")
    if known:
        rms = 1000 * math.sqrt(np.mean([np.mean((series[n] - known[n]) ** 2) for n in known]))
        axes[1].set_ylabel("inverted\n- truth (mm)")
        axes[1].set_title(f"Difference, rms {rms:.2g} mm", fontsize=10.5)
        axes[1].axhline(0, color="#888888", lw=0.8)
    for ax in axes:
        ax.grid(True)
    axes[-1].xaxis.set_major_locator(AutoDateLocator())
    axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(axes[-1].xaxis.get_major_locator()))
    return _save(figure, out)


def _mark_pixel(ax: Axes, attributes: dict[str, str], y: int, x: int, color: str) -> None:
    place = [x + 0.5, y + 0.5]
    if "X_FIRST" in attributes:
        place = [float(attributes[f"{c}_FIRST"]) + v * float(attributes[f"{c}_STEP"]) for c, v in zip("XY", place)]
    ax.plot(*place, "o", ms=10, mfc=color, mec="white", mew=1.8, zorder=5)


def _same_series(path: str | Path, dates: list[datetime], shape: Sequence[int]) -> Hdf5File:
    """Open a truth that has the same dates and size."""
    _require(path, "timeseries", "a truth")
    file = Hdf5File(str(path))
    try:
        if tuple(file.info("timeseries").shape) != tuple(shape) or _dates(file) != dates:
            raise _expected(f"a truth of the same dates and shape {tuple(shape)}", f"{tuple(file.info('timeseries').shape)} in {path}",
                            "pass the truth.h5 of this simulation")
    except BaseException:
        file.close()
        raise
    return file


def accuracy(timeseries: str | Path, truth: str | Path, temporal_coherence: str | Path | None = None, threshold: float = 0.7) -> dict[str, float]:
    """Compare an inverted series with the truth of a simulation.

    Truth is brought to the series' reference pixel and first date; pixels count that were inverted and whose temporal coherence,
    where `temporal_coherence` is given, is at least `threshold`.

    Returns
    -------
    dict
        ``rmse_mm``, ``mean_abs_mm``, ``bias_mm``, ``max_abs_mm`` over pixels and dates but the first, ``rate_rmse_mm_per_year``,
        ``pixels`` and ``dates``; NaN where no pixel counts.
    """
    _require(timeseries, "timeseries", "a series")
    with Hdf5File(str(timeseries)) as file:
        shape, dates = file.info("timeseries").shape, _dates(file)
        reference = _reference(file.attributes(), shape)
        use = _inverted(timeseries, _layer(file, "timeseries", shape[0] - 1), reference)
        if temporal_coherence is not None:
            _require(temporal_coherence, "temporalCoherence", "a coherence")
            with Hdf5File(str(temporal_coherence)) as quality:
                use &= quality.read("temporalCoherence") >= threshold
        t = _years(dates)
        slope = ((t - t.mean()) / np.sum((t - t.mean()) ** 2)).astype(np.float32)
        squares = absolute = total = largest = rate_squares = 0.0
        with _same_series(truth, dates, shape) as exact:
            base = _pixel_series(exact, *reference)[:, None].astype(np.float32) if reference else 0.0
            for rows, block in _strips(file, "timeseries"):
                true = exact.read("timeseries", (0, rows.start, 0), block.shape)
                error = block[:, use[rows]] - (true[:, use[rows]] - base)
                error -= error[:1]
                rate_squares += float(np.sum((slope @ error) ** 2, dtype=np.float64))
                squares += float(np.sum(error**2, dtype=np.float64))
                total += float(np.sum(error, dtype=np.float64))
                np.abs(error, out=error)
                absolute += float(np.sum(error, dtype=np.float64))
                largest = max(largest, float(error.max(initial=0)))
    pixels = int(use.sum())
    if pixels == 0 or shape[0] < 2:
        unknown = dict.fromkeys(("rmse_mm", "mean_abs_mm", "bias_mm", "max_abs_mm", "rate_rmse_mm_per_year"), math.nan)
        return unknown | {"pixels": pixels, "dates": shape[0]}
    count = pixels * (shape[0] - 1)
    return {"rmse_mm": 1000 * math.sqrt(squares / count), "mean_abs_mm": 1000 * absolute / count, "bias_mm": 1000 * total / count,
            "max_abs_mm": 1000 * largest, "rate_rmse_mm_per_year": 1000 * math.sqrt(rate_squares / pixels), "pixels": pixels, "dates": shape[0]}


@_styled
def plot_comparison(comparison: Any, out: str | Path | None = None) -> Figure:
    """Pictures of a `lopsar.Comparison`.

    Parameters
    ----------
    comparison : Comparison
    out : path, optional
        PNG file.

    Returns
    -------
    Figure
        Errors of pixels (maps where the pixels have two axes, else from the smallest to the largest), residuals of iterative methods after each
        iteration at quantiles of the pixels, accuracy against time.
    """
    from matplotlib.colors import LogNorm

    c = comparison
    maps = len(c.grid) == 2 and min(c.grid) > 1
    curves = list(c.convergence)
    below = len(curves) + 1 + (not maps)
    width = max(3.9 * below, 2.9 * len(c.methods) if maps else 0)
    height = min(max(width / len(c.methods) * c.grid[0] / c.grid[1], 1.6), 5.0) + 0.5 if maps else 0
    figure = _new_figure(width, height + 4.3)
    figure.suptitle("\n".join(wrap(c.summary(), int(13 * width))), fontsize=11)
    color = {m.method: COLORS[i % len(COLORS)] for i, m in enumerate(c.methods)}
    values = np.concatenate([e[np.isfinite(e) & (e > 0)] for e in c.errors.values()] or [np.ones(1)])
    low, high = (float(np.quantile(values, 0.01)), float(values.max())) if values.size else (1e-8, 1.0)
    high = max(high, 10 * low)
    error = f"largest error ({c.unit})" if c.unit else "largest error"
    if maps:
        upper, lower = cast("Any", figure.subfigures(2, 1, height_ratios=(height, 3.8)))
        grid = upper.subplots(1, len(c.methods), squeeze=False)[0]
        for ax, m in zip(grid, c.methods):
            ax.set_facecolor(EMPTY)
            image = ax.imshow(np.clip(c.errors[m.method], low, None).reshape(c.grid), norm=LogNorm(low, high), cmap="viridis", aspect="equal",
                              interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.set_title(m.method)
        upper.colorbar(image, ax=list(grid), label=error, shrink=0.9, fraction=0.05, extend="min")
    else:
        lower = figure
    axes = lower.subplots(1, below, squeeze=False)[0]
    if not maps:
        for method, errors in c.errors.items():
            known = np.sort(errors[np.isfinite(errors)])
            axes[0].plot(np.linspace(0, 100, len(known)), np.where(known > 0, known, np.nan), label=method, color=color[method])
        axes[0].set(xlabel="% of pixels", ylabel=error, yscale="log", ylim=(low / 10, None))
        axes[0].set_title("Error per pixel")
        axes[0].legend()
    for ax, name in zip(axes[-len(curves) - 1:-1], curves):
        single = next(m.arithmetic for m in c.methods if m.method == name) == "float32"
        floor = 1e-7 if single else 1e-10   # below, what is left is rounding
        for i, label in enumerate(("10 %", "50 %", "90 %", "all")):
            curve = c.convergence[name][:, i]
            ax.plot(np.where(curve > floor, curve, np.nan), label=label, color=color[name], alpha=(0.35, 1.0, 0.6, 0.35)[i],
                    lw=2.2 if i == 1 else 1.2, ls="-" if i < 3 else "--")
        ax.set(xlabel="iteration", ylabel="(|r_k| - |r_end|) / |r_0|" if name == curves[0] else "", yscale="log", ylim=(floor, 2))
        ax.set_title(f"Convergence of {name}")
        ax.legend(title="of pixels are below", fontsize=9, title_fontsize=9)
    _accuracy_against_time(figure, axes[-1], c, color)
    for ax in axes:
        ax.grid(True)
    return _save(figure, out)


def _accuracy_against_time(figure: Figure, ax: Axes, c: Any, color: dict[str, str]) -> None:
    """Relative errors over microseconds per pixel, each method named beside its point."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    found = [m for m in c.methods if np.isfinite(m.relative_error)]
    curves = {m.method: [(1e6 * p[1], p[2]) for p in c.accuracy.get(m.method) or [] if p[2] > 0] for m in found}
    positive = [m.relative_error for m in found if m.relative_error > 0] + [e for points in curves.values() for _, e in points]
    least = min(positive, default=1e-16) / 10   # where errors of 0 are drawn
    points = {m.method: (1e6 * m.seconds_per_pixel, max(m.relative_error, least)) for m in found}
    for name, line in curves.items():
        if line:
            ax.plot(*zip(*line), ".-", color=color[name], alpha=0.6, lw=1.2, ms=5)
    for name, point in points.items():
        ax.plot(*point, "o", ms=8, color=color[name], mec="white")
    ax.set(xlabel="microseconds per pixel", ylabel="relative error", xscale="log", yscale="log")
    ax.set_title("Accuracy against time")
    times = [p[0] for p in points.values()] + [t for line in curves.values() for t, _ in line]
    if times:
        low, high = min(times) / 1.5, max(times) * 1.5
        ax.set_xlim(low, high)
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
        for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):   # as few as say enough
            ticks = [t for t in np.outer(decades, steps).ravel() if low <= t <= high]
            if len(ticks) >= 3:
                break
        ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    figure.draw_without_rendering()   # places panels, so that labels know where there is room
    scale, frame = 72 / figure.dpi, ax.get_window_extent()
    dots = {name: ax.transData.transform(point) * scale for name, point in points.items()}
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in dots.values()]
    taken += [(x - 2, y - 2, x + 2, y + 2) for line in curves.values() for x, y in (ax.transData.transform(p) * scale for p in line)]
    inside = (frame.x0 * scale, frame.y0 * scale, frame.x1 * scale, frame.y1 * scale)
    for name, (x, y) in dots.items():
        zero = next(m.relative_error for m in found if m.method == name) == 0
        text = f"{name} (0)" if zero else name
        w, h = 5.6 * len(text), 11.0
        places = [(x + dx * r, y + dy * r) for r in (1, 2, 3, 4.5) for dx, dy in ((8, -h / 2), (-w - 8, -h / 2), (-w / 2, 7), (-w / 2, -h - 7),
                                                                                 (8, 6), (8, -h - 6), (-w - 8, 6), (-w - 8, -h - 6))]

        def overlap(place: tuple[float, float], w: float = w, h: float = h) -> float:
            a, b = place
            out = max(0.0, inside[0] - a) + max(0.0, a + w - inside[2]) + max(0.0, inside[1] - b) + max(0.0, b + h - inside[3])
            return 1000 * out + sum(max(0.0, min(a + w, t[2]) - max(a, t[0])) * max(0.0, min(b + h, t[3]) - max(b, t[1])) for t in taken)

        a, b = min(places, key=overlap)
        taken.append((a, b, a + w, b + h))
        far = abs(a + w / 2 - x) > w / 2 + 14 or abs(b + h / 2 - y) > h / 2 + 14
        ax.annotate(text, points[name], (a - x, b - y), textcoords="offset points", fontsize=9.5, color=color[name], weight="bold",
                    arrowprops={"arrowstyle": "-", "color": color[name], "lw": 0.7} if far else None)


def plot(files: str | Path | Sequence[str | Path], out: str | Path | None = None, pixels: Sequence[tuple[int, int]] | None = None,
         truth: str | Path | None = None, show: bool = False) -> list[Path]:
    """Draw whatever suits each file and write one PNG per figure.

    A stack gives its network (``<stem>.png``) and some pairs (``<stem>_pairs.png``), a series its map (``<stem>.png``) and pixels
    (``<stem>_series.png``), anything else its maps.

    Parameters
    ----------
    files : path or list of paths
    out : path, optional
        Folder for the pictures, made if needed; or, for one file, a name that ends in ``.png``. By default beside each file.
    pixels, truth :
        For :func:`plot_series`.
    show : bool
        Also open windows, and wait until they are closed.

    Returns
    -------
    list of Path
        The pictures written.
    """
    files = [files] if isinstance(files, (str, Path)) else list(files)
    named = out is not None and Path(out).suffix.lower() == ".png"
    if not files or (named and len(files) > 1):
        raise _expected("one or more files, and a folder as out for several", f"{len(files)} files and out {out}", "pass files, and a folder as out")
    written: list[Path] = []
    for path in map(Path, files):
        if not path.is_file():
            raise FileNotFoundError(f"expected a file, got {path}; check its name")
        with Hdf5File(str(path)) as file:
            kind, layers = _file_type(file), file.datasets()
        folder = path.parent if out is None else Path(out)
        first = folder if named else folder / f"{path.stem}.png"

        def beside(word: str, first: Path = first) -> Path:
            return first.with_name(f"{first.stem}_{word}.png")

        if kind == "ifgramStack":
            plot_network(path, out=first, show=show)
            written.append(first)
            if "unwrapPhase" in layers:
                plot_pairs(path, out=beside("pairs"), show=show)
                written.append(beside("pairs"))
            continue
        plot_map(path, out=first, show=show)
        written.append(first)
        if kind == "timeseries" and "timeseries" in layers:
            plot_series(path, pixels, truth, out=beside("series"), show=show)
            written.append(beside("series"))
    if show:
        import matplotlib.pyplot as plt

        plt.show()
    return written
