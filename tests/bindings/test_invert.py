"""The job against MintPy's own outputs (../shared/golden), its rules, its plan, and the opened stack."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
import lopsar as lp  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"
CASES = []
if GOLDEN.is_dir():
    for folder in sorted(GOLDEN.iterdir()):
        with h5py.File(folder / "expected_mintpy.h5") as expected:
            CASES += [(folder.name, group, expected[group].attrs["args"]) for group in sorted(expected)]
needs_golden = pytest.mark.skipif(not CASES, reason=f"no golden files at {GOLDEN}")
OK, RANK_DEFICIENT, NO_DATA, BELOW_REDUNDANCY, MASKED = range(5)


def options(args: str, folder: Path) -> dict:
    words, chosen = iter(shlex.split(args)), {}
    for word in words:
        match word:
            case "-w":
                chosen["weight_func"] = next(words)
            case "-m":
                chosen["water_mask"] = folder / next(words)
            case "--mask-dset":
                chosen["mask_dataset"] = next(words)
            case "--mask-thres":
                chosen["mask_threshold"] = float(next(words))
            case "--min-redun":
                chosen["min_redundancy"] = float(next(words))
            case "--min-norm-phase":
                chosen["min_norm_velocity"] = False
            case _:
                raise AssertionError(f"unknown option {word} in {args}")
    return chosen


def run(stack, folder, **chosen):
    output = [folder / name for name in ("ts.h5", "tcoh.h5", "num.h5")]
    report = lp.invert(stack, output=output, **chosen)
    with h5py.File(output[0]) as a, h5py.File(output[1]) as b, h5py.File(output[2]) as c:
        return report, a["timeseries"][()], b["temporalCoherence"][()], c["mask"][()], c["status"][()]


def minimum_norm(stack, y: np.ndarray, weights: np.ndarray, velocity: bool) -> np.ndarray:
    """Series (D) in rad of one pixel (K), in float64 and with numpy's SVD: the definition, not the kernel."""
    dates = stack.dates
    days = np.array([np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:]}", "D") for d in dates]).astype(float)
    design = np.zeros((len(stack.pairs), len(dates)))
    for k, (a, b) in enumerate(stack.pairs):
        design[k, dates.index(a)], design[k, dates.index(b)] = -1, 1
    step = np.diff(days) / 365.25
    # x = sum of v dt up to each date: B = A S diag(dt).
    through = np.tril(np.ones((len(dates), len(dates) - 1)), -1) * step if velocity else np.eye(len(dates))[:, 1:]
    root = np.sqrt(weights[~np.isnan(y)])
    matrix, data = (design @ through)[~np.isnan(y)], y[~np.isnan(y)]
    return through @ np.linalg.lstsq(matrix * root[:, None], data * root, rcond=1e-7)[0]


@needs_golden
@pytest.mark.parametrize("case, group, args", CASES, ids=[f"{c}-{a}" for c, _, a in CASES])
def test_golden(case, group, args, tmp_path):
    folder = GOLDEN / case
    chosen = options(args, folder)
    report, series, coherence, number, status = run(folder / "ifgramStack.h5", tmp_path, **chosen)
    with h5py.File(folder / "expected_mintpy.h5") as f:
        expected = {name: f[group][name][()] for name in f[group]}
        bperp = f[group].attrs["bperp"]
    assert np.array_equal(number, expected["numInvIfgram"])
    assert np.array_equal(series == 0, expected["timeseries"] == 0)
    assert np.array_equal(coherence == 0, expected["temporalCoherence"] == 0)
    assert np.abs(coherence - expected["temporalCoherence"]).max() <= 2e-5
    off = (np.abs(series - expected["timeseries"]) > 2e-5 + 1e-4 * np.abs(expected["timeseries"])).any(axis=0)
    assert not (off & (status != RANK_DEFICIENT)).any()
    assert np.array_equal(np.isin(status, (OK, RANK_DEFICIENT)), number > 0)
    with h5py.File(tmp_path / "ts.h5") as f:
        assert np.abs(f["bperp"][()] - bperp).max() <= 1e-3
    assert report.pixels_inverted == (number > 0).sum()
    assert sum(report.pixels_by_status.values()) == number.size

    # Where rank is missing, and MintPy's float32 with it, float64 decides.
    stack = lp.open_stack(folder / "ifgramStack.h5")
    reference, weight_func = stack.reference, chosen.get("weight_func", "var")
    rng = np.random.default_rng(0)
    pixels = np.argwhere(status == RANK_DEFICIENT)
    for y, x in pixels[rng.permutation(len(pixels))[:40]]:
        phase = stack.phase[:, y, x].astype(float)
        phase = np.where(phase != 0, phase - stack.phase[:, reference[0], reference[1]], phase)
        phase[phase == 0] = np.nan
        if chosen.get("mask_dataset") == "connectComponent":
            phase[stack["connectComponent"][:, y, x] == 0] = np.nan
        g = stack.coherence[:, y, x].astype(float)
        weights = np.array(lp._core.coherence_to_weight(list(g), lp._core.weight_function(weight_func), stack.looks))
        exact = minimum_norm(stack, phase, weights, chosen.get("min_norm_velocity", True)) / stack.phase_per_meter
        assert np.abs(series[:, y, x] - exact).max() <= 2e-6 * max(np.abs(exact).max(), np.nanmax(np.abs(phase / stack.phase_per_meter)))


@needs_golden
@pytest.mark.parametrize("solver", ["cholesky", "cg", "cgls", "lsqr"])
@pytest.mark.parametrize("case, group, args", CASES, ids=[f"{c}-{a}" for c, _, a in CASES])
def test_every_solver_on_golden(case, group, args, solver, tmp_path):
    """Rules and files are those of edge flow; series agree within the methods' tolerances."""
    folder = GOLDEN / case
    chosen = options(args, folder)
    fused_report, fused, quality, valid, kind = run(folder / "ifgramStack.h5", tmp_path, **chosen)
    report, series, coherence, number, status = run(folder / "ifgramStack.h5", tmp_path, solver=solver, **chosen)
    assert report.solver == solver and fused_report.solver == "edge-flow"
    assert report.pixels_by_edge_flow == (kind == RANK_DEFICIENT).sum()
    assert np.array_equal(number, valid) and np.array_equal(status, kind)   # all of them converge
    assert np.array_equal(series == 0, fused == 0) and np.array_equal(coherence == 0, quality == 0)
    assert np.array_equal(series[:, kind == RANK_DEFICIENT], fused[:, kind == RANK_DEFICIENT])   # done by the same code
    # Iterations stop at 1e-6 of the residual or the data, which conditions of some hundred turn into some 1e-4 of the largest value.
    bound = 1e-6 if solver == "cholesky" else 3e-4
    assert (np.abs(series - fused).max(axis=0) <= bound * np.maximum(np.abs(fused).max(), 1e-3)).all()
    assert np.abs(coherence - quality).max() <= (1e-5 if solver == "cholesky" else 1e-3)


@needs_golden
def test_files_are_mintpys(tmp_path):
    stack = GOLDEN / "sequential_30" / "ifgramStack.h5"
    run(stack, tmp_path, mask_dataset="coherence", mask_threshold=0.3)
    with h5py.File(stack) as f:
        source = dict(f.attrs)
    record = {
        f"mintpy.networkInversion.{k}": v
        for k, v in dict(
            obsDatasetName="unwrapPhase",
            numIfgram="110",
            weightFunc="var",
            maskDataset="coherence",
            maskThreshold="0.3",
            minRedundancy="1.0",
            minNormVelocity="True",
        ).items()
    }
    for name, kind, unit in (("ts.h5", "timeseries", "m"), ("tcoh.h5", "temporalCoherence", "1"), ("num.h5", "mask", "1")):
        with h5py.File(tmp_path / name) as f:
            attributes = dict(f.attrs)
            assert all(isinstance(v, str) for v in attributes.values())
            assert attributes["FILE_TYPE"] == kind and attributes["UNIT"] == unit
            assert ("REF_DATE" in attributes) == (kind == "timeseries")
            assert {k: attributes[k] for k in record} == record
            assert {k: v for k, v in attributes.items() if k in source and k not in ("FILE_TYPE", "UNIT")} == {
                k: str(v) for k, v in source.items() if k not in ("FILE_TYPE", "UNIT", "NO_DATA_VALUE") or (k in attributes and k == "NO_DATA_VALUE")
            }
            if kind == "timeseries":
                assert f["date"].dtype == "S8" and f["date"].shape == (30,) and f["bperp"].dtype == "f4"
                assert attributes["REF_DATE"] == f["date"][0].decode()
                assert f["timeseries"].dtype == "f4" and f["timeseries"].maxshape == (None, 40, 50) and f["timeseries"].compression is None
            if kind == "mask":
                assert list(f)[0] == "mask" and f["mask"].dtype == "f4" and f["status"].dtype == "u1"
                assert "below_redundancy" in f["status"].attrs["DESCRIPTION"]


def scene(folder: Path, shape=(6, 7), pairs=None, attributes=None, **datasets) -> Path:
    """A small stack without noise: three dates, phase 1, 2, 3 rad times a ramp."""
    pairs = pairs or [("20200101", "20200113"), ("20200113", "20200125"), ("20200101", "20200125")]
    dates = sorted({d for p in pairs for d in p})
    ramp = 1 + np.arange(np.prod(shape)).reshape(shape)
    phase = np.stack([(dates.index(b) - dates.index(a)) * ramp + 0.25 for a, b in pairs]).astype("f4")
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    path = folder / "inputs" / "ifgramStack.h5"
    content = dict(
        date=np.array(pairs, "S8"),
        bperp=np.array([10.0 * (dates.index(b) - dates.index(a)) for a, b in pairs], "f4"),
        dropIfgram=np.ones(len(pairs), bool),
        unwrapPhase=phase,
        coherence=np.full(phase.shape, 0.8, "f4"),
    )
    with h5py.File(path, "w") as f:
        for name, values in (content | datasets).items():
            if values is not None:
                f[name] = values
        known = dict(
            FILE_TYPE="ifgramStack",
            LENGTH=str(shape[0]),
            WIDTH=str(shape[1]),
            WAVELENGTH="0.056",
            ALOOKS="5",
            RLOOKS="15",
            REF_Y="0",
            REF_X="0",
            NO_DATA_VALUE="0",
        )
        for key, value in (known | (attributes or {})).items():
            if value is not None:
                f.attrs[key] = value
    return path


def test_known_truth_reference_and_drop(tmp_path):
    path = scene(tmp_path, dropIfgram=np.array([True, False, True]))
    report, series, coherence, number, status = run(path, tmp_path)
    ramp = np.arange(42).reshape(6, 7)
    scale = -0.056 / (4 * np.pi)
    assert np.allclose(series, scale * np.stack([0 * ramp, ramp, 2 * ramp]), rtol=2e-6, atol=0)
    assert (number == 2).all() and (status == OK).all() and coherence[0, 0] == 1 and report.plan.pairs == 2
    with h5py.File(tmp_path / "ts.h5") as f:
        assert np.allclose(f["bperp"], [0, 10, 20])


def test_skip_reference_leaves_the_phase_alone(tmp_path):
    path = scene(tmp_path, attributes={"REF_Y": None, "REF_X": None})
    _, series, _, number, _ = run(path, tmp_path, skip_reference=True, weight_func="no")
    assert (number == 3).all() and (series[1:] != 0).all()


def test_single_reference_network_has_ordered_baselines(tmp_path):
    """MintPy mis-orders them where the shared date is not the first."""
    pairs = [("20200125", d) for d in ("20200101", "20200113", "20200206", "20200218")]
    true = dict(zip(("20200101", "20200113", "20200125", "20200206", "20200218"), (0.0, 30, 50, 80, 120)))
    path = scene(tmp_path, pairs=pairs, bperp=np.array([true[b] - true[a] for a, b in pairs], "f4"))
    for velocity in (True, False):
        _, series, _, number, _ = run(path, tmp_path, min_norm_velocity=velocity, weight_func="no")
        with h5py.File(tmp_path / "ts.h5") as f:
            assert np.allclose(f["bperp"], list(true.values()), atol=1e-4)
        assert (np.abs(np.diff(series[:, 3, 3] / series[1, 3, 3]) - 1) < 1e-5).all() and number[3, 3] == 4


def test_redundancy_water_and_side_file(tmp_path):
    phase = np.ones((3, 6, 7), "f4") * np.arange(1, 43).reshape(6, 7)
    phase[1:, 2, 2] = np.nan  # the last date has no pair left
    phase[:2, 2, 3] = 0  # the second date has none
    phase[:, 4, 4] = np.nan
    path = scene(tmp_path, unwrapPhase=phase)
    with h5py.File(tmp_path / "water.h5", "w") as f:
        f["something"] = np.ones((6, 7))
        f["waterMask"] = np.ones((6, 7), bool)
        f["waterMask"][5, 5] = False
    with h5py.File(tmp_path / "avgSpatialCoh.h5", "w") as f:
        f["coherence"] = np.ones((6, 7), "f4")
        f["coherence"][5, 4:6] = 0
        f["coherence"][5, 6] = np.nan
    report, series, coherence, number, status = run(path, tmp_path, water_mask=tmp_path / "water.h5")
    assert status[2, 2] == status[2, 3] == BELOW_REDUNDANCY and status[4, 4] == NO_DATA
    assert status[5, 5] == status[5, 4] == MASKED and status[5, 6] == OK
    assert report.water_pixels == 1 and report.incoherent_pixels == 1 and any("avgSpatialCoh" in w for w in report.warnings)
    assert number[2, 2] == 0 and not series[:, 2, 2].any()
    _, series, _, number, status = run(path, tmp_path, min_redundancy=0)
    assert number[2, 2] == 1 and status[2, 2] == RANK_DEFICIENT and series[1, 2, 2] != 0


def test_partly_missing_reference_is_reported(tmp_path):
    phase = np.ones((3, 6, 7), "f4") * np.arange(1, 43).reshape(6, 7)
    phase[1, 0, 0] = np.nan
    report, _, _, number, _ = run(scene(tmp_path, unwrapPhase=phase), tmp_path)
    assert number[3, 3] == 2 and any("NaN in 1 of 3 pairs" in w for w in report.warnings)


@needs_golden
def test_blocks_threads_and_memory_do_not_change_bits(tmp_path):
    stack = GOLDEN / "sequential_30" / "ifgramStack.h5"
    first = run(stack, tmp_path)
    for more in ({"chunk_size": 50}, {"chunk_size": 350, "threads": 1}, {"ram": 0.006}):
        report, *other = run(stack, tmp_path, **more)
        assert all(np.array_equal(a, b) for a, b in zip(first[1:], other))
        assert report.plan.blocks > 1
        if "ram" in more:
            assert report.plan.memory_bytes <= 0.006 * 2**30


def test_numbers_and_bytes_as_attributes(tmp_path):
    path = scene(
        tmp_path,
        attributes={"LENGTH": np.int32(6), "WAVELENGTH": np.float64(0.056), "ALOOKS": "5.0", "RLOOKS": np.bytes_("15"), "REF_Y": np.bytes_("0")},
    )
    report, *_ = run(path, tmp_path)
    assert report.pixels_inverted == 42
    assert lp.open_stack(path).looks == 39


def test_progress_can_interrupt_and_the_next_call_goes_on(tmp_path):
    lp.simulate(tmp_path, (200, 120), 12, 3, 1)
    stack = tmp_path / "inputs" / "ifgramStack.h5"
    _, *whole = run(stack, tmp_path, chunk_size=120)
    for name in ("ts.h5", "tcoh.h5", "num.h5"):
        (tmp_path / name).unlink()
    report = lp.invert(stack, output=[tmp_path / n for n in ("ts.h5", "tcoh.h5", "num.h5")], chunk_size=120, progress=lambda p: False)
    assert report.interrupted and not (tmp_path / "ts.h5").exists()
    report, *resumed = run(stack, tmp_path, chunk_size=120)
    assert report.resumed_blocks > 0 and all(np.array_equal(a, b) for a, b in zip(whole, resumed))

    def fail(at):
        raise RuntimeError("from progress")

    with pytest.raises(RuntimeError, match="from progress"):
        run(stack, tmp_path, chunk_size=120, progress=fail)


def test_open_stack_slices_like_numpy(tmp_path):
    path = scene(tmp_path, dropIfgram=np.array([True, False, True]))
    stack = lp.open_stack(path)
    with h5py.File(path) as f:
        phase = f["unwrapPhase"][()][[0, 2]]
    assert stack.pairs == [("20200101", "20200113"), ("20200101", "20200125")] and stack.dates == ["20200101", "20200113", "20200125"]
    assert stack.shape == phase.shape == stack.phase.shape and stack.looks == 39 and stack.reference == (0, 0)
    assert stack.phase_per_meter == pytest.approx(-4 * np.pi / 0.056) and np.allclose(stack.date_baselines, [0, 10, 20])
    assert "2 pairs (1 dropped) of 3 dates" in repr(stack)
    for key in (
        0,
        -1,
        ...,
        (slice(None), 2),
        (..., 3),
        (1, 2, 3),
        (slice(None, None, -1), slice(1, 5, 2), slice(4, 1, -1)),
        ([1, 0, 1],),
        (slice(0), 1),
        (slice(None), [4, 0]),
        np.array([False, True]),
        (..., 0, slice(2, 2)),
    ):
        assert np.array_equal(stack.phase[key], phase[key]), key
    assert np.array_equal(np.asarray(stack.phase), phase)
    for key in (2, (0, 6), (0, 0, 0, 0), ([0], [1])):
        with pytest.raises(IndexError):
            stack.phase[key]
    with pytest.raises(KeyError, match="magnitude"):
        stack["magnitude"]


def test_stack_to_xarray(tmp_path):
    pytest.importorskip("xarray")
    dataset = lp.open_stack(scene(tmp_path, attributes={"X_FIRST": "10", "X_STEP": "0.5", "Y_FIRST": "3", "Y_STEP": "-0.5"})).to_xarray()
    assert dataset.unwrapPhase.dims == ("pair", "y", "x") and dataset.unwrapPhase.units == "radian" and dataset.coherence.shape == (3, 6, 7)
    assert dataset.first.dtype.kind == "M" and dataset.bperp.units == "m" and float(dataset.x[0]) == 10.25 and float(dataset.y[0]) == 2.75
