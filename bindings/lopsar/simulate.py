"""A stack of interferograms over a volcano whose truth is known, in MintPy's files.

Everything that lives on dates (deformation, troposphere, DEM error) is written to ``truth.h5`` date by date; the interferograms
are then made from it in blocks of rows. Every random number has its own Philox stream named by (seed, purpose, date or pair,
row group), so the data depend neither on the size of the blocks nor on the order of the work.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ._core import Hdf5File

__all__ = ["simulate"]

WAVELENGTH = 0.05546576
PHASE_PER_METER = -4 * math.pi / WAVELENGTH
EARTH_RADIUS, HEIGHT, STARTING_RANGE = 6371e3, 693e3, 830e3
HEADING = -12.0
SINGLE_LOOK_RANGE, SINGLE_LOOK_AZIMUTH = 2.3296, 13.99
START = date(2017, 3, 4)
NOISE_ROWS = 32  # rows that share one stream of noise, and rows of a chunk
PAIR_GROUP = 16  # pairs made at once, and pairs of a chunk
PATCH = 16  # pixels along a side of a gap
KNOTS = 1024
# Streams of random numbers: never renumber, or every simulated scene changes.
CALENDAR, BASELINES, TERRAIN, DELAY, OFFSETS, NOISE, GAPS, UNWRAP = range(8)

# Coherence at 0 days, after years, and decay time in days of (urban, bare, vegetated) ground.
GROUND = ((0.975, 0.80, 900.0), (0.93, 0.42, 250.0), (0.70, 0.08, 28.0))


@dataclass
class Scene:
    """Maps (l, w) that do not change with time, and where they lie."""

    metadata: dict[str, str]
    geometry: dict[str, np.ndarray]
    dem_scale: np.ndarray  # 1 / (R sin incidence), 1/m: displacement = baseline * dem_error * dem_scale
    dem_error: np.ndarray  # m
    inflation: np.ndarray  # m towards the satellite at full inflation
    season: np.ndarray  # m, amplitude
    step: np.ndarray  # m
    ground: tuple[np.ndarray, ...]  # fraction of each GROUND class, times texture
    water: np.ndarray  # True = water
    layover: np.ndarray  # 0 none, 1 no data at long baselines, 2 no data in any pair
    errors: np.ndarray  # 0, or the number of the region that unwraps on its own
    reference: tuple[int, int]


@dataclass
class Campaign:
    """When and from where the scene is seen, and which dates are paired."""

    seed: int
    days: np.ndarray  # (D,) since the first date
    names: np.ndarray  # (D,) S8
    baselines: np.ndarray  # (D,) m, perpendicular
    pairs: np.ndarray  # (m, 2) indices of dates


def stream(seed: int, *key: int) -> np.random.Generator:
    """Random numbers named by `seed` and `key`, independent of every other key (Philox, Salmon et al. 2011)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def power_law_field(rng: np.random.Generator, shape: tuple[int, int], exponent: float = 8 / 3) -> np.ndarray:
    """Isotropic Gaussian field (l, w), float32, of zero mean and unit rms, whose profiles have the spectrum ``k**-exponent``.

    A profile's exponent of 8/3 (Kolmogorov turbulence in a thick layer; Hanssen 2001, §4.7) is 11/3 in two dimensions, so
    amplitudes fall as ``k**-(exponent + 1) / 2``. It is cut from a periodic field a quarter larger, so that edges do not match.
    """
    rows, columns = (_fast_length(n + n // 4) for n in shape)
    ky = np.fft.fftfreq(rows).astype(np.float32)[:, None]
    kx = np.fft.rfftfreq(columns).astype(np.float32)[None, :]
    k = np.hypot(ky, kx)
    k[0, 0] = 1.0
    amplitude = k ** np.float32(-(exponent + 1) / 2)
    amplitude[0, 0] = 0.0
    white = rng.standard_normal((rows, columns // 2 + 1, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field = np.fft.irfft2(white * amplitude, s=(rows, columns))[: shape[0], : shape[1]].astype(np.float32)
    field -= field.mean(dtype=np.float64)
    return field / np.float32(max(np.sqrt(np.mean(field**2, dtype=np.float64)), 1e-30))


def _fast_length(n: int) -> int:
    """Smallest even length >= n without prime factors above 5."""
    n += n % 2
    while True:
        rest = n
        for p in (2, 3, 5):
            while rest % p == 0:
                rest //= p
        if rest == 1:
            return n
        n += 2


def phase_pdf(phase: np.ndarray, coherence: float, looks: int) -> np.ndarray:
    """Probability density (1/rad) of the multilook interferometric phase about its expectation.

    Hanssen (2001) eq. 4.2.23, Tough et al. (1995); `looks` is the effective number L. With b = coherence * cos(phase)::

        (1-g^2)^L / 2pi * { G(2L-1) / (G(L)^2 4^(L-1)) * [(2L-1) b (pi/2 + asin b) / (1-b^2)^(L+1/2) + (1-b^2)^-L]
                            + 1/(2(L-1)) sum_(r=0)^(L-2) G(L-1/2) G(L-1-r) / (G(L-1/2-r) G(L-1)) (1+(2r+1) b^2) / (1-b^2)^(r+2) }
    """
    b = coherence * np.cos(phase)
    q = 1 - b * b
    scale = math.exp(math.lgamma(2 * looks - 1) - 2 * math.lgamma(looks) - (looks - 1) * math.log(4))
    inner = scale * ((2 * looks - 1) * b * (math.pi / 2 + np.arcsin(b)) / q ** (looks + 0.5) + q ** -float(looks))
    power = 1 / q**2
    for r in range(looks - 1):
        ratio = math.lgamma(looks - 0.5) - math.lgamma(looks - 0.5 - r) + math.lgamma(looks - 1 - r) - math.lgamma(looks - 1)
        inner += math.exp(ratio) / (2 * (looks - 1)) * (1 + (2 * r + 1) * b * b) * power
        power /= q
    return inner * (1 - coherence**2) ** looks / (2 * math.pi)


@lru_cache(maxsize=4)
def phase_noise(looks: int) -> PhaseNoise:
    """The table of noise for a number of looks, made once."""
    return PhaseNoise(looks)


class PhaseNoise:
    """Decorrelation noise drawn from :func:`phase_pdf`: an inverse CDF table for each of 200 coherence bins.

    The bins are those of the usual variance table (bin i: coherence 0.0025 + 0.005 i), so the variance of what is drawn,
    `variance` (200,) rad^2, is the one that ``weight_func="var"`` assumes, up to that table's coarse quadrature
    (0.5 % low for broad densities, too large above coherence 0.99). Weights of one over it are then optimal.
    """

    def __init__(self, looks: int) -> None:
        self.looks = max(1, min(int(looks), 80))
        s = np.linspace(0, 1, 2501)
        phase = math.pi * np.sinh(7 * s) / math.sinh(7)
        u = np.linspace(0, 1, KNOTS // 2 + 1)
        self.variance = np.empty(200)
        table = np.empty((200, KNOTS + 1), np.float32)
        for i in range(200):
            pdf = phase_pdf(phase, 0.0025 + 0.005 * i, self.looks)
            cdf = np.concatenate([[0.0], np.cumsum((pdf[1:] + pdf[:-1]) / 2 * np.diff(phase))])
            half = np.interp(u, cdf / cdf[-1], phase)
            moment = phase**2 * pdf / cdf[-1]
            self.variance[i] = np.sum((moment[1:] + moment[:-1]) / 2 * np.diff(phase))
            # The last knot stands for the whole tail: pi would put far too much there, so keep the second moment exact.
            a, b = half[:-2], half[1:-1]
            tail = 3 * (self.variance[i] * (KNOTS // 2) - np.sum(a * a + a * b + b * b) / 3)
            last = half[-2]
            half[-1] = (-last + math.sqrt(max(4 * tail - 3 * last * last, last * last))) / 2
            table[i] = np.concatenate([-half[:0:-1], half])
        self._table = table.ravel()

    def bin(self, coherence: np.ndarray) -> np.ndarray:
        """Index of the table's bin, int32: trunc((coherence - 0.0025) / 0.005), held to 0..199."""
        index = ((coherence - np.float32(0.0025)) * np.float32(200)).astype(np.int32)
        return np.clip(index, 0, 199, out=index)

    def draw(self, rng: np.random.Generator, coherence: np.ndarray) -> np.ndarray:
        """Noise in rad, float32, of the shape of `coherence`."""
        u = rng.random(coherence.shape, dtype=np.float32)
        u *= np.float32(KNOTS)
        index = u.astype(np.int32)
        u -= index
        index += self.bin(coherence) * np.int32(KNOTS + 1)
        low = self._table.take(index)
        index += 1
        high = self._table.take(index)
        high -= low
        high *= u
        high += low
        return high


def acquisition_days(count: int, seed: int) -> np.ndarray:
    """Days (count,) since the first date: a 12-day repeat with a few steps of 6 and 24 days."""
    steps = stream(seed, CALENDAR).choice([12, 6, 24], size=count - 1, p=[0.86, 0.07, 0.07])
    return np.concatenate([[0], np.cumsum(steps)])


def network(days: np.ndarray, connections: int, annual_pairs: bool = False, network_gap: bool = False) -> np.ndarray:
    """Pairs (m, 2) of date indices: each date with its next `connections` and, if asked, the one a year later (+-12 days).

    `network_gap` leaves out every pair that spans the middle of the series: the network falls into two parts.
    """
    n = len(days)
    pairs = {(i, j) for i in range(n) for j in range(i + 1, min(i + connections, n - 1) + 1)}
    if annual_pairs:
        for i in range(n):
            j = int(np.argmin(np.abs(days - days[i] - 365)))
            if j > i and abs(days[j] - days[i] - 365) <= 12:
                pairs.add((i, j))
    if network_gap:
        pairs = {(i, j) for i, j in pairs if not i < n // 2 <= j}
    return np.array(sorted(pairs), dtype=np.int64)


def pair_coherence(days: np.ndarray, baselines: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Coherence (m, 3) of urban, bare and vegetated ground.

    ``[g_inf + (g_0 - g_inf) exp(-dt/tau)] (1 - |b|/5000 m)``: temporal decay to a floor (Parizzi et al. 2009; Morishita & Hanssen
    2015) times geometric decorrelation (Zebker & Villasenor 1992); vegetation also loses volume coherence and a third in summer.
    """
    dt = np.diff(days[pairs], axis=1)
    b = np.abs(np.diff(baselines[pairs], axis=1))
    g0, g_inf, tau = np.array(GROUND).T
    coherence = (g_inf + (g0 - g_inf) * np.exp(-dt / tau)) * (1 - b / 5000)
    summer = 0.5 - 0.5 * np.cos(2 * math.pi * (days[pairs].mean(axis=1) + 59) / 365.25)
    coherence[:, 2] *= np.exp(-((b[:, 0] / 400) ** 2)) * (1 - 0.33 * summer)
    return coherence.astype(np.float32)


def mogi(east: np.ndarray, north: np.ndarray, depth: float, los: tuple[np.ndarray, ...]) -> np.ndarray:
    """Displacement along `los` over a point source of unit peak uplift (Mogi 1958).

    ``u_z = d^3 / (r^2 + d^2)^(3/2)``, ``u_r = u_z r / d``; a peak of 1 m is a volume change of pi d^2 / (1 - nu) m^3.
    """
    vertical = (depth**2 / (east**2 + north**2 + depth**2)) ** 1.5
    return vertical * (los[2] + (east * los[0] + north * los[1]) / depth)


def strike_slip(east: np.ndarray, north: np.ndarray, length: float, los: tuple[np.ndarray, ...]) -> np.ndarray:
    """Displacement along `los` of unit slip on a vertical fault striking N30E, from `length`/20 to `length`/3 depth.

    ``u = s/pi (atan(x/d1) - atan(x/d2))`` across the fault (Savage & Burford 1973), with a Gaussian taper along it, which is not elastic.
    """
    strike = math.radians(30)
    along = east * math.sin(strike) + north * math.cos(strike)
    across = east * math.cos(strike) - north * math.sin(strike)
    slip = (np.arctan(across / (length / 20)) - np.arctan(across / (length / 3))) / math.pi * np.exp(-2 * (along / length) ** 2)
    return slip * (math.sin(strike) * los[0] + math.cos(strike) * los[1])


def histories(days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors (D,) of the inflation, season and step maps, each 0 on the first date.

    Inflation starts slowly, surges at 45 % of the time and relaxes; the season's amplitude waxes and wanes by 40 % over 2.3 years;
    the step is on one date, at 63 %.
    """
    t, span = days / 365.25, max(days[-1] / 365.25, 1e-9)
    s = t / span
    after = np.clip(s - 0.45, 0, None)
    inflation = 0.25 * s + 0.8 * (1 - np.exp(-after / 0.12)) - 0.12 * after
    season = (1 + 0.4 * np.sin(2 * math.pi * t / 2.3)) * np.cos(2 * math.pi * (t - 0.1))
    step = (np.arange(len(days)) >= max(1, round(0.63 * (len(days) - 1)))).astype(float)
    return inflation, season - season[0], step


def make_scene(shape: tuple[int, int], looks: tuple[int, int], seed: int) -> Scene:
    """Terrain, radar geometry, ground cover and the maps of each displacement, in metres towards the satellite."""
    rows, columns = shape
    range_size, azimuth_size = SINGLE_LOOK_RANGE * looks[1], SINGLE_LOOK_AZIMUTH * looks[0]
    slant = STARTING_RANGE + range_size * np.arange(columns)[None, :]
    cosine = ((EARTH_RADIUS + HEIGHT) ** 2 - EARTH_RADIUS**2 - slant**2) / (2 * EARTH_RADIUS * slant)
    sine, heading = np.sqrt(1 - cosine**2), math.radians(HEADING)
    los = tuple(v.astype(np.float32) for v in (-sine * math.cos(heading), sine * math.sin(heading), cosine))

    ground_range = np.concatenate([[0], np.cumsum(range_size / sine[0, 1:])])[None, :]
    along_track = azimuth_size * EARTH_RADIUS / (EARTH_RADIUS + HEIGHT) * np.arange(rows)[:, None]
    east = ground_range * math.cos(heading) + along_track * math.sin(heading)
    north = along_track * math.cos(heading) - ground_range * math.sin(heading)
    east, north = east.astype(np.float32), north.astype(np.float32)  # 1 cm at worst, and half the memory
    extent = float(min(ground_range.max(), along_track.max()))

    def around(y: float, x: float) -> tuple[np.ndarray, np.ndarray]:
        centre = (round(y * (rows - 1)), round(x * (columns - 1)))
        return east - east[centre], north - north[centre]

    def field(number: int, exponent: float = 8 / 3) -> np.ndarray:
        return power_law_field(stream(seed, TERRAIN, number), shape, exponent)

    volcano, fault, lake = around(0.42, 0.45), around(0.72, 0.70), around(0.80, 0.22)
    cone = (1 + (np.hypot(*volcano) / (0.2 * extent)) ** 2) ** -1.5
    height = 420 + 1900 * cone + 220 * field(0, 2.7) + (500 * (ground_range / ground_range.max() - 0.5)).astype(np.float32)
    coast = np.hypot(*around(0.0, 0.0)) / extent - 0.30 - 0.05 * field(1, 3.0)
    water = (coast < 0) | (np.hypot(lake[0], 1.6 * lake[1]) < (0.075 + 0.012 * field(2, 3.0)) * extent)
    height = np.where(water, 0.0, np.maximum(height * np.clip(4 * coast, 0.02, 1), 1.0))

    towns = sum(np.exp(-((np.hypot(*around(y, x)) / (size * extent)) ** 2))
                for y, x, size in ((0.16, 0.80, 0.10), (0.88, 0.45, 0.07), (0.30, 0.12, 0.06)))
    urban = np.clip(towns * (0.85 + 0.3 * field(3, 1.0)), 0, 1)
    green = (1 - urban) / (1 + np.exp(-2.2 * (field(4, 2.2) + 0.4 - 4.5 * cone)))
    texture = 1 - 0.05 * np.abs(field(5, 0.4))

    facing = np.where(water, -np.inf, np.gradient(height, axis=1) if columns > 1 else 0.0)
    layover = np.zeros(shape, np.uint8)
    for level, share in ((1, 0.985), (2, 0.995)):
        layover[facing > np.quantile(facing, share)] = level

    errors = np.zeros(shape, np.uint8)
    for number, (y, x, size) in enumerate(((0.62, 0.88, 0.09), (0.24, 0.60, 0.07), (0.90, 0.66, 0.06)), 1):
        errors[(np.hypot(*around(y, x)) < (size + 0.01 * field(5 + number, 3.0)) * extent) & ~water] = number

    inflation = 0.22 * mogi(*volcano, 0.12 * extent, los)
    season = 0.012 * np.exp(-((np.hypot(*around(0.18, 0.45)) / (0.22 * extent)) ** 2)) + 0.001 * green
    step = 0.25 * strike_slip(*fault, 0.3 * extent, los)
    good = (urban + 0.5 * (1 - green)) * texture - 8 * (np.abs(inflation) / 0.22 + np.abs(step) / 0.05 + season / 0.012)
    good[water | (layover > 0) | (errors > 0)] = -np.inf
    row, column = np.unravel_index(np.argmax(good), shape)
    reference = int(row), int(column)
    if not np.isfinite(good[reference]):
        raise ValueError(f"expected dry land for a reference pixel in the scene, got none in shape {shape}; enlarge the shape")
    urban[reference], green[reference], texture[reference] = 1, 0, 1

    latitude, longitude = 37.5 + np.degrees(north / EARTH_RADIUS), 14.7 + np.degrees(east / EARTH_RADIUS / math.cos(math.radians(37.5)))
    geometry = {"height": height, "latitude": latitude, "longitude": longitude,
                "incidenceAngle": np.broadcast_to(np.degrees(np.arccos(cosine)), shape),
                "azimuthAngle": np.full(shape, 90 - HEADING), "slantRangeDistance": np.broadcast_to(slant, shape)}
    numbers = {"LENGTH": rows, "WIDTH": columns, "WAVELENGTH": WAVELENGTH, "ALOOKS": looks[0], "RLOOKS": looks[1],
               "REF_Y": reference[0], "REF_X": reference[1], "REF_LAT": latitude[reference], "REF_LON": longitude[reference],
               "HEADING": HEADING, "EARTH_RADIUS": EARTH_RADIUS, "HEIGHT": HEIGHT, "STARTING_RANGE": STARTING_RANGE,
               "RANGE_PIXEL_SIZE": range_size, "AZIMUTH_PIXEL_SIZE": azimuth_size, "CENTER_LINE_UTC": 60180.0}
    words = {"PROCESSOR": "isce", "PLATFORM": "Sen", "ORBIT_DIRECTION": "ASCENDING", "ANTENNA_SIDE": "-1", "PROJECT_NAME": "simulated"}
    return Scene(words | {k: str(v) for k, v in numbers.items()}, {k: v.astype(np.float32) for k, v in geometry.items()},
                 np.broadcast_to(1 / (slant * sine), shape).astype(np.float32), (4 * field(9, 1.5) + 12 * urban * field(10, 1.0)).astype(np.float32),
                 inflation.astype(np.float32), season.astype(np.float32), step.astype(np.float32),
                 tuple((f * texture).astype(np.float32) for f in (urban, 1 - urban - green, green)), water, layover, errors, reference)


def delay(scene: Scene, day: int, index: int, seed: int) -> np.ndarray:
    """Tropospheric delay (l, w) of one date as metres of apparent displacement.

    Turbulence of 3 to 6 mm rms and a part proportional to height, about 4 mm/km and larger in summer (Doin et al. 2009).
    """
    rng = stream(seed, DELAY, index)
    turbulence = np.float32(rng.uniform(3e-3, 6e-3)) * power_law_field(rng, scene.water.shape)
    per_km = 4e-3 * rng.standard_normal() + 3e-3 * math.cos(2 * math.pi * (day - 120) / 365.25)
    return turbulence + np.float32(per_km / 1000) * scene.geometry["height"]


def _check(shape: tuple[int, int], dates: int, connections: int, seed: int, gaps: float, unwrap_errors: float, compression: str | None,
           looks: tuple[int, int], network_gap: bool, block_rows: int) -> None:
    def require(ok: bool, name: str, expected: str, got: object, do: str) -> None:
        if not ok:
            raise ValueError(f"{name}: expected {expected}, got {got!r}; {do}")

    def whole(value: object, least: int) -> bool:
        return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= least)

    require(isinstance(shape, (tuple, list)) and len(shape) == 2 and all(whole(n, 16) for n in shape), "shape",
            "(rows, columns), each at least 16", shape, "pass for example (450, 600)")
    require(whole(dates, 3), "dates", "an integer of at least 3", dates, "ask for more dates")
    require(whole(connections, 1) and connections < dates, "connections", f"an integer from 1 to dates - 1 = {dates - 1}", connections,
            "connect each date with fewer or with at least one")
    require(whole(seed, 0), "seed", "an integer of at least 0", seed, "pass 0, 1, 2...")
    require(0 <= gaps < 1, "gaps", "a fraction in [0, 1)", gaps, "pass for example 0.05")
    require(0 <= unwrap_errors <= 1, "unwrap_errors", "a fraction of pairs in [0, 1]", unwrap_errors, "pass for example 0.1")
    require(compression in (None, "gzip", "lzf"), "compression", "None, 'gzip' or 'lzf'", compression, "choose one of these")
    require(isinstance(looks, (tuple, list)) and len(looks) == 2 and all(whole(n, 1) for n in looks), "looks",
            "(azimuth, range) looks, each at least 1", looks, "pass for example (5, 15)")
    require(not network_gap or dates >= 4, "network_gap", "at least 4 dates", dates, "ask for more dates")
    require(whole(block_rows, 1) and block_rows % NOISE_ROWS == 0, "block_rows", f"a multiple of {NOISE_ROWS}", block_rows,
            f"pass {NOISE_ROWS}, {2 * NOISE_ROWS}...")


def simulate(
    directory: str | Path,
    shape: tuple[int, int] = (450, 600),
    dates: int = 98,
    connections: int = 3,
    seed: int = 0,
    *,
    gaps: float = 0.0,
    annual_pairs: bool = False,
    network_gap: bool = False,
    unwrap_errors: float = 0.0,
    compression: str | None = None,
    looks: tuple[int, int] = (5, 15),
    block_rows: int = NOISE_ROWS,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a simulated stack of interferograms over a volcano, with its truth.

    Makes ``inputs/ifgramStack.h5``, ``inputs/geometryRadar.h5``, ``waterMask.h5`` and ``truth.h5`` under `directory`.

    Parameters
    ----------
    directory : path
        Made if needed. Files are written as ``.<name>.partial`` and take their names together at the end, in place of those of an
        earlier simulation; a run that fails or is interrupted removes what it wrote and leaves the earlier files.
    shape : (rows, columns)
    dates : int
        Number of acquisitions, from 2017-03-04 on, every 12 days with a few steps of 6 and 24.
    connections : int
        Each date is paired with its next `connections` dates.
    seed : int
        Same seed and options, same data, whatever `block_rows`.
    gaps : float
        Fraction of (patch of 16 by 16 pixels, pair) without data. The reference pixel keeps its data.
    annual_pairs : bool
        Also pair each date with the one a year later.
    network_gap : bool
        Leave out the pairs across the middle of the series: the network falls into two parts, and no inversion
        can return the truth's motion between them.
    unwrap_errors : float
        Fraction of pairs in which each of three regions is offset by +-2 pi or +-4 pi, with its own label in ``connectComponent``.
    compression : None, "gzip" or "lzf"
        Of ``unwrapPhase`` and ``coherence``; ``connectComponent`` is always lzf, as in MintPy.
    looks : (azimuth, range)
        Looks taken; the noise has ``azimuth * range / 1.94`` independent ones, at most 80. They also set the size of a pixel.
    block_rows : int
        Rows made at once, a multiple of 32. Memory is about ``4 * columns * block_rows * (dates + 100)`` bytes and some twenty maps.
    progress : callable(done, total), optional
        Called after each date and each group of pairs in a block of rows.

    Returns
    -------
    Path
        `directory`.

    Raises
    ------
    ValueError
        An option is out of range.

    Notes
    -----
    ``unwrapPhase = phase_per_meter * (ts[date2] - ts[date1]) + constant of the pair + noise``, radians, with
    ``phase_per_meter = -4 pi / wavelength`` and `ts` the displacement towards the satellite in metres, which ``truth.h5`` holds as
    ``timeseries`` relative to the first date and the reference pixel: what an inversion should return. It is the sum of
    ``displacement`` (a Mogi source, a season, a strike-slip step), tropospheric delay and ``bperp * demError / (R sin incidence)``.
    ``velocity`` is the straight line fitted to ``displacement``. Truth is 0 on water and where no pair has data.
    Noise follows the multilook phase density of each pixel's coherence, see :class:`PhaseNoise`.
    """
    _check(shape, dates, connections, seed, gaps, unwrap_errors, compression, looks, network_gap, block_rows)
    directory, shape, looks = Path(directory), (int(shape[0]), int(shape[1])), (int(looks[0]), int(looks[1]))
    days = acquisition_days(dates, seed)
    names = np.array([(START + timedelta(int(d))).strftime("%Y%m%d") for d in days], dtype="S8")
    baselines = np.clip(stream(seed, BASELINES).normal(0, 45, dates), -100, 100).round(3)
    campaign = Campaign(int(seed), days, names, baselines, network(days, connections, annual_pairs, network_gap))
    scene = make_scene(shape, looks, seed)
    scene.metadata |= {"START_DATE": names[0].decode(), "END_DATE": names[-1].decode()}

    blocks = -(-shape[0] // block_rows) * -(-len(campaign.pairs) // PAIR_GROUP)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, dates + blocks)

    (directory / "inputs").mkdir(parents=True, exist_ok=True)
    files = [directory / name for name in ("inputs/geometryRadar.h5", "waterMask.h5", "truth.h5", "inputs/ifgramStack.h5")]
    partials = [file.with_name(f".{file.name}.partial") for file in files]
    geometry, water_mask, truth, stack = partials
    try:
        _write_geometry(geometry, water_mask, scene)
        _write_truth(truth, scene, campaign, advance)
        _write_stack(stack, truth, scene, campaign, gaps, unwrap_errors, compression, looks, block_rows, advance)
        for partial, file in zip(partials, files):
            partial.replace(file)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)
    return directory


def _metadata(file: Hdf5File, scene: Scene, file_type: str, unit: str, **more: str) -> None:
    for key, value in (scene.metadata | {"FILE_TYPE": file_type, "UNIT": unit} | more).items():
        file.set_attribute(key, value)


def _put(file: Hdf5File, name: str, array: np.ndarray, dtype: str, **options: Any) -> None:
    file.create_dataset(name, array.shape, dtype, **options)
    file.write(name, np.ascontiguousarray(array))


def _write_geometry(path: Path, mask_path: Path, scene: Scene) -> None:
    chunks = tuple(min(n, 128) for n in scene.water.shape)
    with Hdf5File(str(path), "w") as file:
        _metadata(file, scene, "geometry", "1")
        for name, values in scene.geometry.items():
            _put(file, name, values, "float32", chunks=chunks, compression="lzf")
        for name, mask in (("shadowMask", scene.layover == 2), ("waterMask", ~scene.water)):
            _put(file, name, mask, "bool", chunks=chunks, compression="lzf")
    with Hdf5File(str(mask_path), "w") as file:
        _metadata(file, scene, "waterMask", "1")
        _put(file, "waterMask", ~scene.water, "bool")


def _write_truth(path: Path, scene: Scene, campaign: Campaign, advance: Callable[[], None]) -> None:
    days, baselines, seed = campaign.days, campaign.baselines, campaign.seed
    shape, count = scene.water.shape, len(days)
    dead = scene.water | (scene.layover == 2)
    slope_weights = (days - days.mean()) / 365.25
    slope_weights = (slope_weights / np.sum(slope_weights**2)).astype(np.float32)
    velocity = np.zeros(shape, np.float32)
    chunks = (1, min(NOISE_ROWS, shape[0]), shape[1])
    with Hdf5File(str(path), "w") as file:
        _metadata(file, scene, "timeseries", "m", REF_DATE=campaign.names[0].decode())
        _put(file, "date", campaign.names, "S8")
        _put(file, "bperp", (baselines - baselines[0]).astype(np.float32), "float32")
        for name in ("timeseries", "displacement"):
            file.create_dataset(name, (count, *shape), "float32", chunks=chunks)
        first = delay(scene, int(days[0]), 0, seed)
        for j, factors in enumerate(np.array(histories(days), np.float32).T):
            moved = factors[0] * scene.inflation + factors[1] * scene.season + factors[2] * scene.step
            moved -= moved[scene.reference]
            moved[dead] = 0
            total = delay(scene, int(days[j]), j, seed) - first
            total += np.float32(baselines[j] - baselines[0]) * scene.dem_error * scene.dem_scale
            total -= total[scene.reference]
            total += moved
            total[dead] = 0
            velocity += slope_weights[j] * moved
            file.write("timeseries", total[None], start=(j, 0, 0))
            file.write("displacement", moved[None], start=(j, 0, 0))
            advance()
        _put(file, "velocity", velocity, "float32")
        _put(file, "demError", scene.dem_error, "float32")


def _groups(count: int, size: int) -> Iterator[tuple[int, int]]:
    return ((i, min(i + size, count)) for i in range(0, count, size))


def _write_stack(path: Path, truth_path: Path, scene: Scene, campaign: Campaign, gaps: float, unwrap_errors: float, compression: str | None,
                 looks: tuple[int, int], block_rows: int, advance: Callable[[], None]) -> None:
    seed, days, pairs = campaign.seed, campaign.days, campaign.pairs
    (rows, columns), count = scene.water.shape, len(pairs)
    shape = (count, rows, columns)
    chunks = tuple(map(min, (PAIR_GROUP, NOISE_ROWS, 64), shape))
    noise = phase_noise(max(1, round(looks[0] * looks[1] / 1.94)))
    ground = pair_coherence(days, campaign.baselines, pairs)
    length = np.diff(campaign.baselines[pairs], axis=1)[:, 0]
    offsets = stream(seed, OFFSETS).normal(0, 3, count).astype(np.float32)
    rng = stream(seed, UNWRAP)
    cycles = np.zeros((count, 1 + scene.errors.max()), np.float32)
    cycles[:, 1:] = rng.choice([-2, -1, 1, 2], size=cycles[:, 1:].shape, p=[0.1, 0.4, 0.4, 0.1]) * (rng.random(cycles[:, 1:].shape) < unwrap_errors)
    far = np.abs(length) > np.quantile(np.abs(length), 0.7)

    with Hdf5File(str(truth_path), "r") as truth, Hdf5File(str(path), "w") as file:
        _metadata(file, scene, "ifgramStack", "radian")
        _put(file, "date", campaign.names[pairs], "S8")
        _put(file, "bperp", length.astype(np.float32), "float32")
        _put(file, "dropIfgram", np.ones(count, bool), "bool")
        packed = {"compression": compression, "shuffle": compression is not None}
        for name, dtype, options in (("unwrapPhase", "float32", packed), ("coherence", "float32", packed),
                                     ("connectComponent", "int16", {"compression": "lzf"})):
            file.create_dataset(name, shape, dtype, chunks=chunks, unlimited=True, **options)
            file.set_attribute("MODIFICATION_TIME", str(time.time()), name)
        for top, bottom in _groups(rows, block_rows):
            series = truth.read("timeseries", (0, top, 0), (len(days), bottom - top, columns))
            series *= np.float32(PHASE_PER_METER)
            for begin, end in _groups(count, PAIR_GROUP):
                block = (end - begin, bottom - top, columns)
                phase, coherence, labels = np.empty(block, np.float32), np.empty(block, np.float32), np.empty(block, np.int16)
                for k in range(begin, end):
                    i, j = pairs[k]
                    out = phase[k - begin]
                    np.subtract(series[j], series[i], out=out)
                    out += offsets[k]
                    missing = scene.layover[top:bottom] > (0 if far[k] else 1)
                    if gaps:
                        missing |= _gaps(seed, k, scene, gaps, top, bottom)
                    _observe(noise, seed, k, scene, ground[k], cycles[k], missing, top, out, coherence[k - begin], labels[k - begin])
                for name, values in (("unwrapPhase", phase), ("coherence", coherence), ("connectComponent", labels)):
                    file.write(name, values, start=(begin, top, 0))
                advance()


def _gaps(seed: int, k: int, scene: Scene, fraction: float, top: int, bottom: int) -> np.ndarray:
    """Where pair `k` has no data in rows top..bottom: whole patches, never the reference pixel's."""
    rows, columns = scene.water.shape
    patches = stream(seed, GAPS, k).random((-(-rows // PATCH), -(-columns // PATCH))) < fraction
    patches[scene.reference[0] // PATCH, scene.reference[1] // PATCH] = False
    return patches[np.arange(top, bottom) // PATCH][:, np.arange(columns) // PATCH]


def _observe(noise: PhaseNoise, seed: int, k: int, scene: Scene, ground: np.ndarray, cycles: np.ndarray, missing: np.ndarray, top: int,
             phase: np.ndarray, coherence: np.ndarray, labels: np.ndarray) -> None:
    """Fill one pair's coherence and labels, and add to its phase what the radar and the unwrapping do, for rows from `top`."""
    rows = slice(top, top + len(phase))
    urban, bare, green = (f[rows] for f in scene.ground)
    # Sums in one order, element by element: a matrix product may round differently in blocks of another size.
    np.multiply(urban, ground[0], out=coherence)
    coherence += bare * ground[1]
    coherence += green * ground[2]
    water = scene.water[rows]
    for at in range(0, len(phase), NOISE_ROWS):
        rng, part = stream(seed, NOISE, k, (top + at) // NOISE_ROWS), slice(at, at + NOISE_ROWS)
        phase[part] += noise.draw(rng, coherence[part])
        wet = water[part]
        coherence[part][wet] = 0.03 + 0.12 * rng.random(int(wet.sum()), dtype=np.float32)
    labels[...] = 1
    if cycles.any():
        regions = scene.errors[rows]
        phase += (np.float32(2 * math.pi) * cycles)[regions]
        labels[...] += (regions * (cycles != 0)[regions]).astype(np.int16)
    coherence[missing] = 0
    missing = missing | water
    phase[missing] = 0
    labels[missing] = 0
