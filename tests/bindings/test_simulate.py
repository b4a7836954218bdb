"""The simulated scene: its files, its physics, and noise that is what the variance table says."""

from __future__ import annotations

import math
import sys
import tracemalloc

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
import lopsar as lp  # noqa: E402
from lopsar.simulate import (  # noqa: E402
    OFFSETS,
    PHASE_PER_METER,
    PhaseNoise,
    acquisition_days,
    delay,
    histories,
    make_scene,
    mogi,
    network,
    phase_pdf,
    power_law_field,
    stream,
    strike_slip,
)

SHAPE, DATES = (70, 60), 12
FILES = ("inputs/ifgramStack.h5", "inputs/geometryRadar.h5", "waterMask.h5", "truth.h5")

# Variance of the multilook phase at the table's bin of each coherence, 39 looks, by MintPy's quadrature (its coherence2weight).
TABLE = {0.1: 1.46855557, 0.2: 0.492902524, 0.3: 0.169644459, 0.5: 0.0416793685, 0.7: 0.014023732, 0.9: 0.00317156643}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return lp.simulate(tmp_path_factory.mktemp("scene"), SHAPE, DATES, 3, 1)


def contents(directory, file):
    with h5py.File(directory / file) as f:
        return {name: f[name][()] for name in f}


def design(dates):
    names, index = np.unique(dates, return_inverse=True)
    index = index.reshape(dates.shape)
    matrix = np.zeros((len(dates), len(names)))
    np.put_along_axis(matrix, index[:, :1], -1.0, axis=1)
    np.put_along_axis(matrix, index[:, 1:], 1.0, axis=1)
    return matrix


def test_returns_directory_and_writes_mintpy_layout(scene):
    for file in FILES:
        assert (scene / file).is_file()
    with h5py.File(scene / FILES[0]) as f:
        m = 3 * DATES - 6
        assert f["date"].shape == (m, 2) and f["date"].dtype == "S8"
        assert f["bperp"].shape == (m,) and f["bperp"].dtype == "f4"
        assert f["dropIfgram"].dtype == bool and f["dropIfgram"][()].all()
        for name, dtype in (("unwrapPhase", "f4"), ("coherence", "f4"), ("connectComponent", "i2")):
            assert f[name].shape == (m, *SHAPE) and f[name].dtype == dtype
            assert float(f[name].attrs["MODIFICATION_TIME"]) > 0
        assert f["connectComponent"].compression == "lzf" and f["unwrapPhase"].compression is None
        assert f.attrs["FILE_TYPE"] == "ifgramStack" and f.attrs["UNIT"] == "radian"
        wanted = """LENGTH WIDTH WAVELENGTH ALOOKS RLOOKS REF_Y REF_X START_DATE END_DATE PROCESSOR PLATFORM ORBIT_DIRECTION HEADING
                    EARTH_RADIUS HEIGHT STARTING_RANGE RANGE_PIXEL_SIZE AZIMUTH_PIXEL_SIZE CENTER_LINE_UTC"""
        for key in wanted.split():
            assert isinstance(f.attrs[key], str), key
        assert (int(f.attrs["LENGTH"]), int(f.attrs["WIDTH"])) == SHAPE
        assert float(f.attrs["WAVELENGTH"]) == 0.05546576 and f.attrs["START_DATE"] == "20170304"
    geometry = contents(scene, FILES[1])
    assert {"height", "incidenceAngle", "slantRangeDistance", "latitude", "longitude", "azimuthAngle", "waterMask"} <= set(geometry)
    assert 30 < geometry["incidenceAngle"].min() < geometry["incidenceAngle"].max() < 45
    truth = contents(scene, FILES[3])
    assert truth["timeseries"].shape == truth["displacement"].shape == (DATES, *SHAPE)
    assert truth["date"].dtype == "S8" and truth["demError"].shape == truth["velocity"].shape == SHAPE


@pytest.mark.parametrize("options", [{}, {"gaps": 0.1, "unwrap_errors": 0.5, "annual_pairs": True}])
def test_same_seed_same_data_whatever_the_block(tmp_path, options):
    lp.simulate(tmp_path / "a", SHAPE, DATES, 2, 7, block_rows=32, **options)
    lp.simulate(tmp_path / "b", SHAPE, DATES, 2, 7, block_rows=96, compression="gzip", **options)
    lp.simulate(tmp_path / "c", SHAPE, DATES, 2, 8, **options)
    for file in FILES:
        a, b = contents(tmp_path / "a", file), contents(tmp_path / "b", file)
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert (contents(tmp_path / "a", FILES[0])["unwrapPhase"] != contents(tmp_path / "c", FILES[0])["unwrapPhase"]).mean() > 0.5


@pytest.mark.parametrize("looks", [1, 2, 5, 39, 80])
@pytest.mark.parametrize("coherence", [0.0, 0.3, 0.9])
def test_phase_density_integrates_to_one(looks, coherence):
    phase = np.linspace(-math.pi, math.pi, 4000, endpoint=False)
    # A periodic smooth function: the rectangle rule converges faster than any power of the step.
    assert phase_pdf(phase, coherence, looks).sum() * 2 * math.pi / 4000 == pytest.approx(1, abs=1e-9)


def test_single_look_density_without_coherence_is_uniform():
    np.testing.assert_allclose(phase_pdf(np.linspace(-3, 3, 7), 0.0, 1), 1 / (2 * math.pi))
    assert PhaseNoise(1).variance[0] == pytest.approx(math.pi**2 / 3, rel=2e-2)


@pytest.mark.parametrize("coherence, table", TABLE.items())
def test_noise_has_the_variance_of_the_weight_table(coherence, table):
    noise = PhaseNoise(39)
    count = 400_000
    drawn = noise.draw(stream(3), np.full((count // 100, 100), coherence, np.float32)).astype(float)
    variance = noise.variance[noise.bin(np.array([coherence], np.float32))[0]]
    # The table's step is 2 pi / 200 over 200 nodes that span 199 steps: 1/200 low, its end points add a little at low coherence.
    assert variance == pytest.approx(table, rel=0.007)
    # The sample variance has relative error sqrt((kurtosis - 1) / n); five of them.
    kurtosis = np.mean(drawn**4) / np.mean(drawn**2) ** 2
    assert drawn.var() == pytest.approx(variance, rel=5 * math.sqrt((kurtosis - 1) / count) + 1e-3)
    assert abs(drawn.mean()) < 5 * math.sqrt(variance / count)
    assert np.abs(drawn).max() <= math.pi + 1e-5


def test_noise_follows_the_density():
    drawn = np.abs(PhaseNoise(5).draw(stream(4), np.full(300_000, 0.6025, np.float32)))
    phase = np.linspace(0, math.pi, 20001)
    pdf = 2 * phase_pdf(phase, 0.6025, 5)
    cdf = np.concatenate([[0], np.cumsum((pdf[1:] + pdf[:-1]) / 2 * np.diff(phase))])
    for q in (0.1, 0.3, 0.5, 0.7, 0.9, 0.97):
        share = np.mean(drawn < np.interp(q, cdf, phase))
        assert share == pytest.approx(q, abs=5 * math.sqrt(q * (1 - q) / len(drawn)) + 1e-3)


def test_phase_is_the_network_of_truth_plus_noise_of_its_variance(scene):
    stack, truth = contents(scene, FILES[0]), contents(scene, FILES[3])["timeseries"]
    offsets = stream(1, OFFSETS).normal(0, 3, len(stack["date"])).astype(np.float32)
    exact = np.tensordot(design(stack["date"]), PHASE_PER_METER * truth.astype(float), axes=1)
    noise = stack["unwrapPhase"] - offsets[:, None, None] - exact
    used = stack["connectComponent"] > 0
    table = PhaseNoise(39)
    variance = table.variance[table.bin(stack["coherence"])]
    good = used & (stack["coherence"] > 0.3)
    normalized = noise[good] ** 2 / variance[good]
    spread = math.sqrt((np.mean(normalized**2) - 1) / normalized.size)
    assert normalized.mean() == pytest.approx(1, abs=5 * spread + 2e-3)
    # The other sign would leave twice the signal: far more than noise.
    assert np.mean((stack["unwrapPhase"] - offsets[:, None, None] + exact)[good] ** 2 / variance[good]) > 3


def test_weighted_inversion_returns_truth_within_its_own_covariance(scene):
    stack, truth = contents(scene, FILES[0]), contents(scene, FILES[3])["timeseries"]
    matrix = design(stack["date"])[:, 1:]
    offsets = stream(1, OFFSETS).normal(0, 3, len(matrix))
    table = PhaseNoise(39)
    pixels = np.argwhere((stack["connectComponent"] > 0).all(axis=0) & (stack["coherence"].min(axis=0) > 0.3))[::7]
    assert len(pixels) > 20
    score = []
    for y, x in pixels:
        weight = 1 / table.variance[table.bin(stack["coherence"][:, y, x])]
        normal = matrix.T @ (weight[:, None] * matrix)
        solution = np.linalg.solve(normal, matrix.T @ (weight * (stack["unwrapPhase"][:, y, x] - offsets)))
        error = solution / PHASE_PER_METER - truth[1:, y, x]
        score.append(error @ normal @ error * PHASE_PER_METER**2)
    # Chi-square with D - 1 degrees of freedom for each pixel, slightly fatter tails than Gaussian.
    freedom = DATES - 1
    assert np.mean(score) == pytest.approx(freedom, abs=6 * math.sqrt(2 * freedom / len(score)))


def test_truth_is_relative_to_first_date_and_reference_pixel(scene):
    truth = contents(scene, FILES[3])
    with h5py.File(scene / FILES[3]) as f:
        y, x = int(f.attrs["REF_Y"]), int(f.attrs["REF_X"])
        assert f.attrs["REF_DATE"] == f["date"][0].decode() and f.attrs["UNIT"] == "m"
    for name in ("timeseries", "displacement"):
        assert not truth[name][0].any() and not truth[name][:, y, x].any()
    stack = contents(scene, FILES[0])
    assert (stack["coherence"][:, y, x] > 0.8).all()
    assert (stack["unwrapPhase"][:, y, x] != 0).all() and (stack["connectComponent"][:, y, x] == 1).all()


def test_baselines_close_and_dem_error_has_its_sign(scene):
    stack, truth, geometry = (contents(scene, f) for f in (FILES[0], FILES[3], FILES[1]))
    np.testing.assert_allclose(design(stack["date"]) @ truth["bperp"], stack["bperp"], atol=2e-4)
    # Without deformation and the simulator's own delay, b dz / (R sin i) is left, MintPy's sign: displacement grows with b dz.
    days, maps = acquisition_days(DATES, 1), make_scene(SHAPE, (5, 15), 1)
    delays = np.stack([delay(maps, int(day), j, 1) for j, day in enumerate(days)]).astype(float)
    y, x = maps.reference
    rest = (truth["timeseries"] - truth["displacement"]) - (delays - delays[0] - (delays - delays[0])[:, y, x][:, None, None])
    heights = truth["demError"] / (geometry["slantRangeDistance"] * np.sin(np.radians(geometry["incidenceAngle"])))
    expected = truth["bperp"][:, None, None] * (heights - heights[y, x])
    dry = truth["timeseries"][-1] != 0
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(rest[:, dry], expected[:, dry], atol=1e-7)


def test_velocity_is_the_line_through_displacement(scene):
    truth = contents(scene, FILES[3])
    t = acquisition_days(DATES, 1) / 365.25
    line = np.polyfit(t, truth["displacement"].reshape(DATES, -1).astype(float), 1)[0].reshape(SHAPE)
    np.testing.assert_allclose(truth["velocity"], line, atol=1e-5 * np.abs(line).max() + 1e-7)


def test_water_and_layover_hold_no_data(scene):
    stack, land = contents(scene, FILES[0]), contents(scene, FILES[2])["waterMask"]
    geometry, truth = contents(scene, FILES[1]), contents(scene, FILES[3])
    assert land.dtype == bool and 0.02 < (~land).mean() < 0.5
    np.testing.assert_array_equal(land, geometry["waterMask"])
    assert not stack["unwrapPhase"][:, ~land].any() and not stack["connectComponent"][:, ~land].any()
    assert (stack["coherence"][:, ~land] <= 0.15).all()
    empty = (stack["unwrapPhase"] == 0).mean(axis=0)
    assert (land & (empty == 1)).any() and ((empty > 0) & (empty < 1)).any()
    np.testing.assert_array_equal(geometry["shadowMask"], land & (empty == 1))
    assert not truth["timeseries"][:, empty == 1].any()
    assert ((stack["coherence"] >= 0) & (stack["coherence"] < 1)).all() and np.isfinite(stack["unwrapPhase"]).all()
    np.testing.assert_array_equal(stack["unwrapPhase"] != 0, stack["connectComponent"] != 0)


def test_gaps_take_their_share_and_leave_the_reference(tmp_path, scene):
    lp.simulate(tmp_path, SHAPE, DATES, 3, 1, gaps=0.25)
    full, holes = contents(scene, FILES[0]), contents(tmp_path, FILES[0])
    lost = (full["unwrapPhase"] != 0) & (holes["unwrapPhase"] == 0)
    patches = len(full["date"]) * 20
    assert lost.sum() / (full["unwrapPhase"] != 0).sum() == pytest.approx(0.25, abs=6 * math.sqrt(0.25 * 0.75 / patches) + 0.02)
    kept = holes["unwrapPhase"] != 0
    np.testing.assert_array_equal(holes["unwrapPhase"][kept], full["unwrapPhase"][kept])
    with h5py.File(tmp_path / FILES[0]) as f:
        assert f["unwrapPhase"][:, int(f.attrs["REF_Y"]), int(f.attrs["REF_X"])].all()


def test_unwrapping_errors_are_whole_cycles_with_their_own_label(tmp_path, scene):
    lp.simulate(tmp_path, SHAPE, DATES, 3, 1, unwrap_errors=0.5)
    right, wrong = contents(scene, FILES[0]), contents(tmp_path, FILES[0])
    cycles = (wrong["unwrapPhase"] - right["unwrapPhase"]) / (2 * math.pi)
    np.testing.assert_allclose(cycles, np.round(cycles), atol=1e-5)
    own = wrong["connectComponent"] > 1
    np.testing.assert_array_equal(np.round(cycles) != 0, own)
    share = own.any(axis=(1, 2)).mean()
    assert 0.5 < share <= 1 and set(np.unique(wrong["connectComponent"])) == {0, 1, 2, 3, 4}


def test_networks():
    days = acquisition_days(98, 0)
    assert set(np.diff(days)) == {6, 12, 24} and len(network(days, 3)) == 288
    annual = network(days, 3, annual_pairs=True)
    long = np.diff(days[annual], axis=1)[:, 0] > 300
    assert long.any() and (np.abs(np.diff(days[annual], axis=1)[long] - 365) <= 12).all()
    pairs = network(days, 3, network_gap=True)
    assert not ((pairs[:, 0] < 49) & (pairs[:, 1] >= 49)).any() and len(pairs) == 288 - 6
    adjacency = np.eye(98, dtype=int)
    adjacency[pairs[:, 0], pairs[:, 1]] = adjacency[pairs[:, 1], pairs[:, 0]] = 1
    assert len(np.unique(np.linalg.matrix_power(adjacency.astype(float), 98) > 0, axis=0)) == 2


def test_histories_start_at_zero_and_step_once():
    inflation, season, step = histories(acquisition_days(60, 0))
    assert inflation[0] == season[0] == step[0] == 0
    assert np.count_nonzero(np.diff(step)) == 1 and step[-1] == 1
    assert np.diff(inflation).min() > 0 and np.ptp(season) > 1


def test_mogi_and_fault():
    vertical, zero = np.array(1.0), np.array(0.0)
    r, depth = np.linspace(0, 9e3, 10), 3e3
    np.testing.assert_allclose(mogi(r, 0 * r, depth, (zero, zero, vertical)), (1 + (r / depth) ** 2) ** -1.5)
    east = mogi(r, 0 * r, depth, (vertical, zero, zero))
    np.testing.assert_allclose(east[1:] / mogi(r, 0 * r, depth, (zero, zero, vertical))[1:], r[1:] / depth)
    slip = strike_slip(r - 4.5e3, 0 * r, 5e3, (vertical, zero, zero))
    np.testing.assert_allclose(slip, -slip[::-1], atol=1e-12)


def test_turbulence_has_its_spectrum():
    power = 0.0
    for i in range(40):
        field = power_law_field(stream(i), (256, 256))
        assert abs(field.mean()) < 1e-5 and field.std() == pytest.approx(1, rel=1e-4)
        power = power + np.abs(np.fft.rfft(field * np.hanning(256), axis=1)) ** 2
    k = np.arange(6, 50)
    slope = np.polyfit(np.log(k), np.log(power.mean(axis=0)[k]), 1)[0]
    assert slope == pytest.approx(-8 / 3, abs=0.2)


def test_memory_is_bounded_by_the_block(tmp_path):
    tracemalloc.start()
    try:
        lp.simulate(tmp_path, (192, 96), 60, 5, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    pairs, pixels = 60 * 5 - 15, 192 * 96
    assert peak < 4 * pairs * pixels / 2


def test_progress_reaches_its_total(tmp_path):
    seen = []
    lp.simulate(tmp_path, SHAPE, DATES, 2, progress=lambda done, total: seen.append((done, total)))
    total = DATES + 3 * 2
    assert seen == [(i + 1, total) for i in range(total)]


@pytest.mark.parametrize("writer", ["_write_geometry", "_write_truth", "_write_stack"])
@pytest.mark.parametrize("failure", [OSError("no space left"), KeyboardInterrupt()], ids=["full disk", "Ctrl-C"])
def test_what_fails_leaves_nothing_and_spares_what_was_there(tmp_path, monkeypatch, writer, failure):
    lp.simulate(tmp_path / "old", (16, 16), 4, 1, 0)
    old = {file: (tmp_path / "old" / file).read_bytes() for file in FILES}
    module = sys.modules["lopsar.simulate"]  # the attribute lopsar.simulate is the function
    write = getattr(module, writer)

    def write_and_fail(*args):
        write(*args)
        assert [file.name for file in (tmp_path / folder).rglob("*.h5*") if file.name.startswith(".") and file.name.endswith(".partial")]
        raise failure

    monkeypatch.setattr(module, writer, write_and_fail)
    for folder in ("old", "new"):
        with pytest.raises(type(failure)):
            lp.simulate(tmp_path / folder, (16, 16), 4, 1, 1)
    assert not [file for file in (tmp_path / "new").rglob("*") if file.is_file()]
    left = [file for file in (tmp_path / "old").rglob("*") if file.is_file()]
    assert {file.relative_to(tmp_path / "old").as_posix(): file.read_bytes() for file in left} == old


def test_progress_that_raises_leaves_nothing(tmp_path):
    def stop(done, total):
        if done == DATES + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lp.simulate(tmp_path, SHAPE, DATES, 2, progress=stop)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shape", [(16, 16), (40, 60), (120, 30)])
def test_small_scenes_have_a_reference(tmp_path, shape, seed):
    lp.simulate(tmp_path, shape, 4, 1, seed)
    stack = contents(tmp_path, FILES[0])
    with h5py.File(tmp_path / FILES[0]) as f:
        y, x = int(f.attrs["REF_Y"]), int(f.attrs["REF_X"])
    assert stack["unwrapPhase"][:, y, x].all()


@pytest.mark.parametrize(
    "options, word",
    [({"shape": (4, 5)}, "shape"), ({"shape": 100}, "shape"), ({"dates": 2}, "dates"), ({"dates": 5, "connections": 5}, "connections"),
     ({"connections": 0}, "connections"), ({"seed": -1}, "seed"), ({"gaps": 1.0}, "gaps"), ({"gaps": math.nan}, "gaps"),
     ({"unwrap_errors": 2}, "unwrap_errors"), ({"compression": "zip"}, "compression"), ({"looks": 39}, "looks"), ({"looks": (0, 5)}, "looks"),
     ({"dates": 3, "connections": 1, "network_gap": True}, "network_gap"), ({"block_rows": 20}, "block_rows")],
)
def test_bad_options_say_what_was_expected(tmp_path, options, word):
    with pytest.raises(ValueError, match=f"{word}: expected .*, got .*; [a-z]") as error:
        lp.simulate(tmp_path / "none", **options)
    assert word in str(error.value) and not (tmp_path / "none").exists()
