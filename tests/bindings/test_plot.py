"""Pictures: that they are made, of sensible size, from what the files say, and refused with a reason."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("matplotlib")
import lopsar as lp  # noqa: E402
from lopsar.plot import accuracy, plot, plot_map, plot_network, plot_pairs, plot_series  # noqa: E402

SHAPE, DATES = (40, 60), 12


def product(path, like, file_type, unit, datasets, **attributes):
    """Write a product with the attributes of another file."""
    with h5py.File(like) as source, h5py.File(path, "w") as file:
        file.attrs.update(dict(source.attrs) | {"FILE_TYPE": file_type, "UNIT": unit} | attributes)
        for name, values in datasets.items():
            file[name] = values


@pytest.fixture()
def results(tmp_path):
    """A simulated scene with products as an inversion writes them: truth plus 2 mm of noise, one masked corner."""
    root = lp.simulate(tmp_path, SHAPE, DATES, 2, 1)
    rng = np.random.default_rng(0)
    with h5py.File(root / "truth.h5") as f:
        dates, series = f["date"][()], f["timeseries"][()]
        reference = int(f.attrs["REF_Y"]), int(f.attrs["REF_X"])
    inverted = series[-1] != 0
    inverted[:5, -8:] = False
    inverted[reference] = True
    series = (series + 2e-3 * rng.standard_normal(series.shape).astype(np.float32)) * inverted
    series[0] = 0
    series[:, reference[0], reference[1]] = 0
    coherence = np.where(inverted, rng.uniform(0.5, 1, SHAPE), 0).astype(np.float32)
    like = root / "truth.h5"
    product(root / "timeseries.h5", like, "timeseries", "m", {"date": dates, "bperp": np.zeros(DATES, np.float32), "timeseries": series})
    product(root / "temporalCoherence.h5", like, "temporalCoherence", "1", {"temporalCoherence": coherence})
    product(root / "numInvIfgram.h5", like, "mask", "1", {"mask": np.where(inverted, 21, 0).astype(np.float32)})
    return root


def assert_png(path, least=300):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert least <= width <= 4000 and least <= height <= 4000
    assert len(data) > 5000


def test_each_file_type_gets_its_pictures_beside_it(results):
    names = ["inputs/ifgramStack.h5", "timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5",
             "inputs/geometryRadar.h5", "waterMask.h5", "truth.h5"]
    written = plot([results / name for name in names], truth=results / "truth.h5")
    assert [path.relative_to(results).as_posix() for path in written] == [
        "inputs/ifgramStack.png", "inputs/ifgramStack_pairs.png", "timeseries.png", "timeseries_series.png", "temporalCoherence.png",
        "numInvIfgram.png", "inputs/geometryRadar.png", "waterMask.png", "truth.png", "truth_series.png"]
    for path in written:
        assert_png(path)


def test_out_is_a_folder_or_a_name(results, tmp_path):
    assert plot(results / "waterMask.h5", out=tmp_path / "new" / "folder") == [tmp_path / "new" / "folder" / "waterMask.png"]
    written = plot(str(results / "timeseries.h5"), out=tmp_path / "motion.png", pixels=[(20, 30)])
    assert written == [tmp_path / "motion.png", tmp_path / "motion_series.png"]
    for path in written:
        assert_png(path)


def test_pyplot_keeps_no_figures(results):
    import matplotlib.pyplot as plt

    plot(results / "timeseries.h5")
    assert plt.get_fignums() == []


def test_network_draws_every_pair_and_dashes_dropped_ones(results):
    stack = results / "inputs" / "ifgramStack.h5"
    with h5py.File(stack, "a") as f:
        keep = f["dropIfgram"][()]
        keep[[0, 5]] = False
        f["dropIfgram"][()] = keep
    figure = plot_network(stack)
    ax = figure.axes[0]
    assert sorted(len(c.get_segments()) for c in ax.collections) == [2, 2 * DATES - 3 - 2]
    assert ax.get_title(loc="left") == f"{DATES} dates, {2 * DATES - 5} interferograms, 2 dropped (dashed)"
    with h5py.File(results / "truth.h5") as f:
        np.testing.assert_allclose(ax.lines[0].get_ydata(), f["bperp"][()], atol=1e-3)
    assert figure.axes[1].get_ylabel() == "mean coherence"


def test_network_draws_into_given_axes(results):
    from matplotlib.figure import Figure

    figure = Figure()
    ax = figure.subplots()
    assert plot_network(results / "inputs" / "ifgramStack.h5", ax=ax) is figure and ax.collections


def test_network_needs_neither_coherence_nor_baselines(results, tmp_path):
    with h5py.File(results / "inputs" / "ifgramStack.h5") as f, h5py.File(tmp_path / "bare.h5", "w") as bare:
        bare["date"] = f["date"][()]
        bare.attrs["FILE_TYPE"] = "ifgramStack"
    written = plot(tmp_path / "bare.h5")
    assert [path.name for path in written] == ["bare.png"]
    assert_png(written[0])


def test_map_hides_what_was_not_inverted_and_is_symmetric_in_centimetres(results):
    figure = plot_map(results / "timeseries.h5")
    images = [ax.images[0] for ax in figure.axes if ax.images]
    with h5py.File(results / "timeseries.h5") as f:
        last, reference = f["timeseries"][-1], (int(f.attrs["REF_Y"]), int(f.attrs["REF_X"]))
    shown = images[0].get_array()
    valid = last != 0
    valid[reference] = True
    np.testing.assert_array_equal(~np.ma.getmaskarray(shown), valid)
    np.testing.assert_allclose(shown[valid], 100 * last[valid], rtol=1e-6)
    for image in images:
        low, high = image.get_clim()
        assert low == -high and high > 0
    assert "Displacement, 2017-03-04" in figure.axes[0].get_title(loc="left")


def test_products_beside_a_series_mask_it(results):
    with h5py.File(results / "temporalCoherence.h5", "a") as f:
        f["temporalCoherence"][10:14, 20:30] = 0
    shown = [ax.images[0] for ax in plot_map(results / "timeseries.h5").axes if ax.images][0].get_array()
    assert np.ma.getmaskarray(shown)[10:14, 20:30].all() and not np.ma.getmaskarray(shown)[16:20, 40:45].all()


def test_mean_rate_is_found(results):
    t = np.arange(40) * 24 / 365.25
    dates = [(np.datetime64("2017-01-01") + 24 * i).astype(str).replace("-", "").encode() for i in range(40)]
    rate = np.linspace(-0.05, 0.05, 60 * 40).reshape(40, 60)
    series = (t[:, None, None] * rate + 0.01 * (np.cos(2 * math.pi * t) - 1)[:, None, None]).astype(np.float32)
    product(results / "line.h5", results / "truth.h5", "timeseries", "m", {"date": np.array(dates, "S8"), "timeseries": series})
    figure = plot_map(results / "line.h5")
    shown = [ax.images[0] for ax in figure.axes if ax.images][1].get_array()
    seen = ~np.ma.getmaskarray(shown)
    np.testing.assert_allclose(shown[seen], 100 * rate[seen], atol=2e-4)


def test_degrees_where_the_file_is_geocoded(results):
    grid = {"X_FIRST": "14.5", "Y_FIRST": "38.0", "X_STEP": "0.001", "Y_STEP": "-0.001"}
    product(results / "geo.h5", results / "truth.h5", "temporalCoherence", "1", {"temporalCoherence": np.full(SHAPE, 0.8, np.float32)}, **grid)
    ax = plot_map(results / "geo.h5").axes[0]
    assert ax.get_xlabel().startswith("longitude") and ax.get_ylabel().startswith("latitude")
    np.testing.assert_allclose(ax.images[0].get_extent(), (14.5, 14.56, 37.96, 38.0))


@pytest.mark.parametrize("dataset", ["demError", "velocity", "displacement", "timeseries"])
def test_one_dataset_of_a_file(results, tmp_path, dataset):
    plot_map(results / "truth.h5", dataset, tmp_path / "one.png")
    assert_png(tmp_path / "one.png")


def test_constant_and_empty_maps_are_drawn(results):
    for value in (0.0, 1.0, math.nan):
        product(results / "flat.h5", results / "truth.h5", "temporalCoherence", "1", {"temporalCoherence": np.full(SHAPE, value, np.float32)})
        for path in plot(results / "flat.h5"):
            assert_png(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape, referenced", [((1, 9), True), ((1, 9), False), ((9, 1), True), ((9, 1), False), ((2, 2), True), ((1, 1), False)])
def test_what_the_inversion_of_a_small_scene_wrote_is_drawn(results, tmp_path, shape, referenced):
    with h5py.File(results / "truth.h5") as f:
        y, x = int(f.attrs["REF_Y"]), int(f.attrs["REF_X"])
    top, left = min(y, SHAPE[0] - shape[0]), min(x, SHAPE[1] - shape[1])
    part = np.s_[:, top : top + shape[0], left : left + shape[1]]
    stack = tmp_path / "ifgramStack.h5"
    with h5py.File(results / "inputs" / "ifgramStack.h5") as source, h5py.File(stack, "w") as f:
        f.attrs.update(dict(source.attrs) | {"LENGTH": str(shape[0]), "WIDTH": str(shape[1]), "REF_Y": str(y - top), "REF_X": str(x - left)})
        if not referenced:
            del f.attrs["REF_Y"], f.attrs["REF_X"]
        for name, values in source.items():
            f[name] = values[part] if values.ndim == 3 else values[()]
    output = [tmp_path / name for name in ("timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5")]
    lp.invert(stack, output=output, skip_reference=not referenced)
    written = plot([stack, *output])
    assert [path.name for path in written] == ["ifgramStack.png", "ifgramStack_pairs.png", "timeseries.png", "timeseries_series.png",
                                               "temporalCoherence.png", "numInvIfgram.png"]
    for path in written:
        assert_png(path, 200)
    assert plot_map(output[1]).axes[0].images[0].get_array().shape == shape
    assert len(plot_series(output[0]).subfigs[1].axes[0].get_legend().get_texts()) >= 1


@pytest.mark.filterwarnings("error")
def test_one_pixel_that_is_its_own_reference_is_still_shown(results):
    (results / "one").mkdir()
    product(results / "one" / "ts.h5", results / "truth.h5", "timeseries", "m",
            {"date": np.array([b"20170101", b"20170113"], "S8"), "timeseries": np.float32([[[0]], [[0.01]]])}, REF_Y="0", REF_X="0")
    legend = plot_series(results / "one" / "ts.h5").subfigs[1].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["largest motion (0, 0)"]


def test_dates_are_no_map(results, tmp_path):
    with h5py.File(tmp_path / "dates.h5", "w") as f:
        f["date"] = f["when"] = np.full((2, 2), b"20170101", "S8")
    with pytest.raises(ValueError, match="at least one 2-D dataset"):
        plot_map(tmp_path / "dates.h5")


@pytest.mark.filterwarnings("error")
def test_series_without_pixels_has_no_legend(results):
    assert plot_series(results / "timeseries.h5", pixels=[]).subfigs[1].axes[0].get_legend() is None


def test_series_chooses_pixels_and_shows_truth(results):
    figure = plot_series(results / "timeseries.h5", truth=results / "truth.h5")
    axes = [ax for sub in figure.subfigs for ax in sub.axes if ax.lines]
    labels = [line.get_label() for ax in axes for line in ax.lines if "coherence" in str(line.get_label())]
    assert [label.split(" (")[0] for label in labels] == ["largest motion", "seasonal", "quiet", "random"]
    titles = [ax.get_title(loc="left") for ax in axes]
    assert "Inverted (dots) and truth (lines)" in titles
    # Noise of 2 mm went in, the first date excepted.
    rms = float(next(t for t in titles if t.startswith("Difference")).split()[2])
    assert 1.4 < rms < 2.6


def test_series_at_given_pixels_shows_their_values(results):
    figure = plot_series(results / "timeseries.h5", pixels=[(20, 30), (33, 40)])
    right = figure.subfigs[1].axes
    assert len(right) == 1
    with h5py.File(results / "timeseries.h5") as f:
        np.testing.assert_allclose(right[0].lines[0].get_ydata(), 100 * f["timeseries"][:, 20, 30].astype(float))


def test_pairs_by_index(results, tmp_path):
    plot_pairs(results / "inputs" / "ifgramStack.h5", [0, 3], tmp_path / "pairs.png")
    assert_png(tmp_path / "pairs.png")


def test_accuracy_measures_the_noise_that_went_in(results):
    found = accuracy(results / "timeseries.h5", results / "truth.h5")
    # 2 mm drawn for every pixel and date but the first and the reference pixel's.
    samples = found["pixels"] * (DATES - 1)
    assert found["rmse_mm"] == pytest.approx(2 * math.sqrt(1 - 1 / found["pixels"]), rel=5 / math.sqrt(2 * samples))
    assert found["mean_abs_mm"] == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.05) and abs(found["bias_mm"]) < 0.1
    assert found["max_abs_mm"] > 5 and found["dates"] == DATES
    fewer = accuracy(results / "timeseries.h5", results / "truth.h5", results / "temporalCoherence.h5", 0.75)
    assert 0.3 < fewer["pixels"] / found["pixels"] < 0.7
    none = accuracy(results / "timeseries.h5", results / "truth.h5", results / "temporalCoherence.h5", 2.0)
    assert none["pixels"] == 0 and math.isnan(none["rmse_mm"])
    assert accuracy(results / "truth.h5", results / "truth.h5")["max_abs_mm"] == 0


def test_accuracy_brings_truth_to_the_same_reference(results):
    with h5py.File(results / "truth.h5", "a") as f:
        f["timeseries"][()] += np.linspace(0, 1, DATES, dtype=np.float32)[:, None, None]
    assert accuracy(results / "timeseries.h5", results / "truth.h5")["rmse_mm"] == pytest.approx(2, rel=0.05)


def test_wrong_files_are_refused_with_a_reason(results, tmp_path):
    stack, series, mask = results / "inputs" / "ifgramStack.h5", results / "timeseries.h5", results / "waterMask.h5"
    for call in (
        lambda: plot_network(series),
        lambda: plot_pairs(series),
        lambda: plot_pairs(stack, [999]),
        lambda: plot_map(stack),
        lambda: plot_map(series, "nothing"),
        lambda: plot_map(series, "bperp"),
        lambda: plot_series(mask),
        lambda: plot_series(series, [(1000, 1)]),
        lambda: plot_series(series, truth=mask),
        lambda: plot_series(series, temporal_coherence=mask),
        lambda: accuracy(mask, series),
        lambda: plot([]),
        lambda: plot([series, mask], out=tmp_path / "one.png"),
    ):
        with pytest.raises(ValueError, match="expected .*, got .*; (pass|use|choose)"):
            call()
    with pytest.raises(FileNotFoundError, match="expected a file, got .*; check its name"):
        plot(tmp_path / "none.h5")


def test_truth_of_another_scene_is_refused(results, tmp_path):
    other = lp.simulate(tmp_path / "other", SHAPE, DATES, 2, 3)
    with h5py.File(other / "truth.h5", "a") as f:
        f["date"][0] = b"20160101"
    with pytest.raises(ValueError, match="same dates"):
        accuracy(results / "timeseries.h5", other / "truth.h5")
