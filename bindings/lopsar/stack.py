"""A MintPy stack of interferograms, opened: what it says of itself, and its pixels read when asked for."""

from __future__ import annotations

import operator
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:
    import xarray

__all__ = ["Cube", "Stack", "open_stack"]


class Cube:
    """A dataset (K, l, w) of the kept pairs, read when indexed as NumPy arrays are: ``cube[3]``, ``cube[:, 10:20, ::2]``, ``cube[..., 5]``.

    Each axis takes an integer, a slice, or (one axis only) a list or mask.
    """

    def __init__(self, file: _core.Hdf5File, name: str, kept: list[int]) -> None:
        info = file.info(name)
        self._file, self.name = file, name
        self._kept = np.asarray(kept)
        self.shape = (len(kept), *info.shape[1:])
        self.dtype = np.dtype(info.dtype)
        self.ndim = 3

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{self.name}: {self.dtype} {self.shape}, read when indexed>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self[...]
        return values if dtype is None else values.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        keys = key if isinstance(key, tuple) else (key,)
        dots = [i for i, k in enumerate(keys) if k is Ellipsis]
        if len(dots) > 1 or len(keys) - len(dots) > 3:
            raise IndexError(f"{self.name}: expected at most three indices and one ellipsis, got {key!r}")
        if dots:
            at = dots[0]
            keys = (*keys[:at], *[slice(None)] * (4 - len(keys)), *keys[at + 1 :])
        keys = (*keys, *[slice(None)] * (3 - len(keys)))
        boxes: list[Any] = []
        inner: list[Any] = []
        lists = 0
        for axis, (k, n) in enumerate(zip(keys, self.shape)):
            if isinstance(k, slice):
                wanted = np.arange(n)[k]
            elif np.ndim(k) == 1:
                wanted, lists = np.arange(n)[np.asarray(k, dtype=None if len(k) else int)], lists + 1
            else:
                i = operator.index(k)
                if not -n <= i < n:
                    raise IndexError(f"{self.name}: index {i} is out of bounds for axis {axis} with size {n}")
                wanted = np.array([i % n])
            low, high = (int(wanted.min()), int(wanted.max()) + 1) if wanted.size else (0, 0)
            boxes.append((wanted, low, high))
            inner.append(0 if not isinstance(k, slice) and np.ndim(k) == 0 else wanted - low)
        if lists > 1:
            raise IndexError(f"{self.name}: expected a list on at most one axis, got {key!r}; index the array that is read")
        pairs, (_, y0, y1), (_, x0, x1) = boxes[0][0], boxes[1], boxes[2]
        out = np.empty((len(pairs), y1 - y0, x1 - x0), self.dtype)
        slices = self._kept[pairs]
        # One read per run of neighbors: a chunk of the file spans several pairs.
        starts: list[int] = np.flatnonzero(np.r_[True, np.diff(slices) != 1]).tolist() if len(slices) else []
        for a, b in zip(starts, [*starts[1:], len(slices)]):
            out[a:b] = self._file.read(self.name, (int(slices[a]), y0, x0), (int(b - a), y1 - y0, x1 - x0))
        if isinstance(inner[0], np.ndarray):
            inner[0] = slice(None)
        for axis in (2, 1):
            if isinstance(inner[axis], np.ndarray):
                out = np.take(out, inner[axis], axis=axis)
                inner[axis] = slice(None)
        return out[tuple(inner)]


class Stack:
    """An opened ``ifgramStack.h5``; use :func:`open_stack`. Everything is about the kept pairs (``dropIfgram`` true) unless it says otherwise."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._core = _core.Stack(path)
        self._file = _core.Hdf5File(self._core.path)
        self._baselines: _core.Baselines | None = None

    @property
    def path(self) -> str:
        """Of the file."""
        return self._core.path

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the root, as text."""
        return self._core.attributes

    @property
    def datasets(self) -> list[str]:
        """Names of the arrays of all pairs."""
        return self._core.datasets

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(K) first and second date; phase is second minus first."""
        every = self._core.all_pairs
        return [every[k] for k in self._core.kept]

    @property
    def all_pairs(self) -> list[tuple[str, str]]:
        """(m) pairs, dropped ones too."""
        return self._core.all_pairs

    @property
    def keep(self) -> np.ndarray:
        """(m) bool: which of `all_pairs` are kept."""
        return np.asarray(self._core.keep, dtype=bool)

    @property
    def dates(self) -> list[str]:
        """(D) sorted dates."""
        return self._core.network.dates

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, rows, columns)."""
        return (len(self._core.kept), self._core.length, self._core.width)

    @property
    def wavelength(self) -> float:
        """Meters."""
        return self._core.wavelength

    @property
    def phase_per_meter(self) -> float:
        """-4 pi / wavelength, rad/m: motion towards the satellite is positive, and shortens the path."""
        return self._core.phase_per_meter

    @property
    def looks(self) -> int:
        """Independent looks: NCORRLOOKS, or ALOOKS * RLOOKS / 1.94, rounded."""
        return self._core.looks

    @property
    def reference(self) -> tuple[int, int] | None:
        """(row, column) of the reference pixel, if the file names one."""
        return self._core.reference

    def _all_baselines(self) -> _core.Baselines:
        if self._baselines is None:
            self._baselines = self._core.baselines()
        return self._baselines

    @property
    def pair_baselines(self) -> np.ndarray:
        """(K) perpendicular baselines, m, as in the file."""
        return np.asarray(self._all_baselines().pair)[self._core.kept]

    @property
    def date_baselines(self) -> np.ndarray:
        """(D) perpendicular baselines, m, relative to the first date: least squares of those of pairs."""
        return np.asarray(self._all_baselines().date)

    @property
    def baseline_misfit(self) -> tuple[float, float]:
        """(rms, largest) difference, m, between baselines of pairs and those that dates give."""
        found = self._all_baselines()
        return found.rms_misfit, found.max_misfit

    @property
    def phase(self) -> Cube:
        """unwrapPhase (K, l, w), rad, as in the file: not referenced."""
        return self["unwrapPhase"]

    @property
    def coherence(self) -> Cube:
        """coherence (K, l, w)."""
        return self["coherence"]

    def __getitem__(self, name: str) -> Cube:
        """Any dataset (m, l, w) of the file, its kept pairs."""
        if name not in self.datasets or tuple(self._file.info(name).shape) != (len(self.all_pairs), *self.shape[1:]):
            cubes = [n for n in self.datasets if len(self._file.info(n).shape) == 3]
            raise KeyError(f"{self.path}: expected one of {', '.join(cubes)}, got {name}")
        return Cube(self._file, name, self._core.kept)

    def to_xarray(self, *names: str) -> xarray.Dataset:
        """The kept pairs as an :class:`xarray.Dataset` in memory: dims pair, y, x; coordinates first, second (dates), bperp (m).

        Parameters
        ----------
        names : str
            Datasets; by default unwrapPhase and coherence where there is one.
        """
        import xarray

        names = names or tuple(n for n in ("unwrapPhase", "coherence") if n in self.datasets)
        units = {"coherence": "1", "connectComponent": "1"}
        attributes = dict(self.attributes)
        data = {n: (("pair", "y", "x"), self[n][...], {"units": units.get(n, "radian"), "long_name": n}) for n in names}
        first, second = (np.array([_datetime(p[i]) for p in self.pairs], dtype="datetime64[ns]") for i in (0, 1))
        coordinates: dict[str, Any] = {"pair": [f"{a}_{b}" for a, b in self.pairs], "first": ("pair", first), "second": ("pair", second)}
        if "bperp" in self.datasets:
            coordinates["bperp"] = ("pair", self.pair_baselines, {"units": "m", "long_name": "perpendicular baseline"})
        if {"Y_FIRST", "Y_STEP", "X_FIRST", "X_STEP"} <= attributes.keys():
            for axis, n, name in (("y", self.shape[1], "latitude"), ("x", self.shape[2], "longitude")):
                step = float(attributes[f"{axis.upper()}_STEP"])
                coordinates[axis] = (
                    axis,
                    float(attributes[f"{axis.upper()}_FIRST"]) + step * (np.arange(n) + 0.5),
                    {"units": attributes.get(f"{axis.upper()}_UNIT", "degrees"), "long_name": name},
                )
        return xarray.Dataset(data, coordinates, attributes)

    def __repr__(self) -> str:
        k, rows, columns = self.shape
        dropped = len(self.all_pairs) - k
        count = f"{k} pairs{f' ({dropped} dropped)' if dropped else ''} of {len(self.dates)} dates {self.dates[0]} .. {self.dates[-1]}"
        return f"<Stack {self.path}: {count}, {rows} x {columns} pixels>"


def _datetime(date: str) -> np.datetime64:
    time = f"T{date[9:11]}:{date[11:13]}" if len(date) > 8 else ""
    return np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:8]}{time}", "ns")


def open_stack(path: str | PathLike[str]) -> Stack:
    """Open a MintPy stack of interferograms (``ifgramStack.h5``); pixels are read when asked for.

    Raises
    ------
    FileError
        Missing, not HDF5, truncated, or no stack.
    ShapeError, InvalidArgument
        Shapes that do not belong together, malformed dates, all pairs dropped.
    """
    return Stack(path)
