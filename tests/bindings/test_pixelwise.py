"""Operators on the dates of a series, in Python: shapes, names, MintPy's functions, what is refused."""

from __future__ import annotations

import argparse
import datetime

import lopsar as lp
import numpy as np
import pytest

DATES = ["20161101", "20161113", "20161231", "20170101", "20170304", "20170316", "20171231", "20180101", "20191124"]
DAYS = np.array([(datetime.datetime.strptime(d, "%Y%m%d") - datetime.datetime(2016, 11, 1)).days for d in DATES])
PAIRS = [*zip(DATES, DATES[1:]), (DATES[0], DATES[2]), (DATES[5], DATES[1])]
D = len(DATES)


def test_time_models_of_a_network():
    A = lp.Network(PAIRS, reference="20170304")
    t = DAYS / 365.25
    keep = np.arange(D) != 4
    velocity = lp.Polynomial(A)
    assert velocity.shape == (D - 1, 1) and velocity.pixelwise
    np.testing.assert_allclose(velocity.todense()[:, 0], (t - t[4])[keep], rtol=1e-14)
    assert velocity.parameters == [("velocity", "1/year")]
    # A rate under the network is the rate of every pair.
    spans = [DAYS[DATES.index(b)] - DAYS[DATES.index(a)] for a, b in PAIRS]
    np.testing.assert_allclose((A @ velocity @ np.array([2.0])), 2 * np.array(spans) / 365.25, rtol=1e-13)
    seasonal = lp.Seasonal(A, [1, 0.5])
    expected = np.stack([f(2 * np.pi * t / T) for T in (1, 0.5) for f in (np.cos, np.sin)], axis=1)
    np.testing.assert_allclose(seasonal.todense(), (expected - expected[4])[keep], atol=1e-14)
    assert [name for name, _ in seasonal.parameters] == ["cos 1 yr", "sin 1 yr", "cos 0.5 yr", "sin 0.5 yr"]
    # The same from the dates.
    for make in (lp.Polynomial, lp.Seasonal):
        for reference in (4, -5, "20170304", "2017-03-04", np.datetime64("2017-03-04"), datetime.date(2017, 3, 4)):
            np.testing.assert_array_equal(make(DATES, reference=reference).todense(), make(A).todense())


def test_dates_are_spelled_in_many_ways():
    expected = lp.Polynomial(DATES, 2).todense()
    assert expected.shape == (D, 3) and (expected[:, 0] == 1).all()
    as_datetime = np.array([f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in DATES], "datetime64[D]")
    for dates in (tuple(DATES), np.array(DATES), as_datetime, as_datetime.astype("datetime64[ns]"), as_datetime.tolist()):
        np.testing.assert_array_equal(lp.Polynomial(dates, 2).todense(), expected)
    assert lp.Step(DATES, np.datetime64("2017-03-04T06:30")).parameters == [("step 20170304T0630", "")]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_series_is_fitted(dtype):
    rng = np.random.default_rng(0)
    G = lp.HStack([lp.Polynomial(DATES), lp.Seasonal(DATES), lp.Step(DATES, "20170201")])
    assert [name for name, _ in G.parameters] == ["intercept", "velocity", "cos 1 yr", "sin 1 yr", "step 20170201"]
    truth = rng.standard_normal((5, 40)).astype(dtype)
    series = G @ truth
    assert series.dtype == dtype
    found = np.linalg.lstsq(G.todense(), series.astype(float), rcond=None)[0]
    np.testing.assert_allclose(found, truth, atol=30 * np.linalg.cond(G.todense()) * np.finfo(dtype).eps)
    assert lp.dottest(G)


@pytest.mark.parametrize("reference", [None, 0, 3])
def test_functions_and_calendar_are_those_of_mintpy(reference):
    time_func = pytest.importorskip("mintpy.utils.time_func")
    model = {"polynomial": 2, "periodic": [1.0, 0.5, 0.7], "stepDate": ["20170304", "20171115"], "polyline": ["20170201", "20180101"],
             "exp": {"20170310": [60], "20161001": [12, 200]}, "log": {"20170310": [60], "20161001": [12, 200]}}
    theirs = time_func.get_design_matrix4time_func(DATES, model).astype(float)
    options = {"reference": reference, "convention": "mintpy"}
    relaxations = [make(DATES, onset, tau, **options) for name, make in (("exp", lp.Exponential), ("log", lp.Logarithm))
                   for onset, taus in model[name].items() for tau in taus]
    ours = lp.HStack([lp.Polynomial(DATES, 2, **options), lp.Seasonal(DATES, model["periodic"], **options),
                      lp.Step(DATES, model["stepDate"], **options), lp.Polyline(DATES, model["polyline"], **options), *relaxations]).todense()
    if reference is not None:
        theirs = np.delete(theirs - theirs[reference], reference, axis=0)[:, 1:]
    # Theirs is held in float32; years near 2000 in float64 and their float32 rounding are all that differs.
    scale = np.abs(time_func.get_design_matrix4time_func(DATES, model)).max()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 2 * np.finfo(np.float32).eps * scale
    # And the calendar matters: with elapsed years the same comparison fails.
    options["convention"] = "elapsed"
    assert np.abs(lp.Polynomial(DATES, 2, **options).todense() - theirs[:, :3 if reference is None else 2]).max() > 1e-3


def test_dem_error_is_that_of_mintpy():
    """b / (R sin(inc)) with its sign, per pixel."""
    rng = np.random.default_rng(1)
    b = rng.uniform(-150, 150, D)
    R, inc = rng.uniform(8e5, 9e5, (3, 4)), rng.uniform(30, 45, (3, 4))
    A = lp.Network(PAIRS, reference=2)
    op = lp.DemError(A, b, R, inc)
    assert op.shape == (D - 1, 1) and op.pixels == 12 and op.parameters == [("DEM error", "")]
    dz = rng.standard_normal((1, 12))
    expected = np.delete(b - b[2], 2)[:, None] / (R * np.sin(np.deg2rad(inc))).ravel() * dz
    np.testing.assert_allclose(op @ dz, expected, rtol=1e-13)
    np.testing.assert_allclose(lp.DemError(A, b, 850e3, inc) @ dz, expected * R.ravel() / 850e3, rtol=1e-13)
    np.testing.assert_allclose(lp.DemError(A, b, 850e3, 39) @ dz, np.delete(b - b[2], 2)[:, None] / (850e3 * np.sin(np.deg2rad(39))) * dz, rtol=1e-13)
    cube = rng.uniform(-150, 150, (D, 3, 4))
    expected = np.delete(cube - cube[2], 2, axis=0).reshape(D - 1, 12) / (R * np.sin(np.deg2rad(inc))).ravel() * dz
    np.testing.assert_allclose(lp.DemError(A, cube, R, inc) @ dz, expected, rtol=1e-11)
    np.testing.assert_allclose(lp.DemError(DATES, b, 850e3, 39) @ [1.0], b / (850e3 * np.sin(np.deg2rad(39))), rtol=1e-13)


def test_dem_error_in_a_joint_model():
    """Network @ HStack, scaled once, with per-pixel geometry: fused, pixelwise, adjoint."""
    rng = np.random.default_rng(2)
    A = lp.Network(PAIRS)
    inc = rng.uniform(30, 45, 50).astype(np.float32)
    b = rng.uniform(-150, 150, D)
    M = A @ (-4 * np.pi / 0.056 * lp.HStack([lp.Polynomial(A, degree=1), lp.Seasonal(A, [1.0, 0.5]), lp.DemError(A, b, 850e3, inc)]))
    assert M.shape == (len(PAIRS), 6) and M.pixelwise and M.pixels == 50
    x = rng.standard_normal((6, 50)).astype(np.float32)
    y = M @ x
    assert y.dtype == np.float32
    g = np.hstack([lp.Polynomial(A).todense(), lp.Seasonal(A, [1.0, 0.5]).todense()])
    factor = np.delete(b - b[0], 0)[:, None] / (850e3 * np.sin(np.deg2rad(inc.astype(float))))
    expected = -4 * np.pi / 0.056 * (A.todense() @ (g @ x[:5] + factor * x[5]))
    np.testing.assert_allclose(y, expected, atol=2e-5 * np.abs(expected).max())
    with pytest.raises(lp.ShapeError):
        M @ np.ones((6, 49))


def test_bad_geometry_is_nan_never_zero():
    op = lp.DemError(DATES, 1 + np.arange(float(D)), np.array([8e5, 0, np.nan, 8e5, 8e5]), np.array([39, 39, 39, 0, np.nan]))
    y = op @ np.ones((1, 5))
    assert np.isnan(y[:, 1:]).all() and np.isfinite(y[:, 0]).all()
    assert (np.isnan(op.H @ np.ones((D, 5))) == [[False, True, True, True, True]]).all()


def test_a_field_outlives_its_array():
    inc = np.linspace(30, 45, 1000)
    cube = np.random.default_rng(3).standard_normal((D, 1000))
    op = lp.DemError(DATES, cube, 850e3, inc)
    weight = lp.Weighting(cube)
    expected, product = op @ np.ones((1, 1000)), cube**2
    before = cube.copy()
    del cube, inc
    np.full((D, 1000), 7.0)
    np.testing.assert_array_equal(op @ np.ones((1, 1000)), expected)
    np.testing.assert_array_equal(weight @ before, product)


def test_baselines_of_pairs_become_baselines_of_dates():
    rng = np.random.default_rng(4)
    truth = rng.uniform(-150, 150, D)
    pair = np.array([truth[DATES.index(b)] - truth[DATES.index(a)] for a, b in PAIRS])
    for reference in (0, 5):
        A = lp.Network(PAIRS, reference=reference)
        b, (rms, largest) = lp.date_baselines(A, pair)
        np.testing.assert_allclose(b, truth - truth[reference], atol=1e-10)
        assert 0 <= rms <= largest < 1e-10
        noisy = pair + rng.normal(0, 3, len(pair))
        b, (rms, largest) = lp.date_baselines(A, noisy)
        expected = np.linalg.lstsq(A.todense(), noisy, rcond=None)[0]
        np.testing.assert_allclose(np.delete(b, reference), expected, atol=1e-9)
        misfit = np.abs(A.todense() @ expected - noisy)
        assert b[reference] == 0 and rms == pytest.approx(np.sqrt(np.mean(misfit**2))) and largest == pytest.approx(misfit.max())
    # Nothing known of the last date: said, not invented; refused by DemError.
    pair[[k for k, p in enumerate(PAIRS) if DATES[-1] in p]] = np.nan
    b, misfit = lp.date_baselines(lp.Network(PAIRS), pair)
    assert np.isnan(b[-1]) and np.isfinite(b[:-1]).all() and misfit[1] < 1e-10
    with pytest.raises(lp.InvalidArgument, match=DATES[-1]):
        lp.DemError(DATES, b, 850e3, 39)
    with pytest.raises(lp.ShapeError, match="one baseline per pair"):
        lp.date_baselines(lp.Network(PAIRS), pair[1:])


@pytest.mark.parametrize("reference", [None, 0, 4, D - 1])
def test_differences_sums_and_datum(reference):
    t = DAYS / 365.25
    x = 3 * t + 0.5 * 8 * t**2
    unknowns = x if reference is None else np.delete(x - x[reference], reference)
    n = len(unknowns)
    rates, bends = lp.TimeDifference(DATES, reference=reference), lp.TimeDifference(DATES, 2, reference=reference)
    assert rates.shape == (D - 1, n) and bends.shape == (D - 2, n)
    np.testing.assert_allclose(rates @ unknowns, np.diff(x) / np.diff(t), rtol=1e-9)
    np.testing.assert_allclose(bends @ unknowns, 8, rtol=1e-6)

    changes, total = lp.CumulativeSum(DATES, reference=reference), lp.CumulativeSum(DATES, rates=True, reference=reference)
    assert changes.shape == (n, D - 1) and total.parameters[0] == ("20161101_20161113", "1/year")
    expected = unknowns if reference is not None else x - x[0]
    np.testing.assert_allclose(changes @ np.diff(x), expected, atol=1e-12)
    np.testing.assert_allclose(total @ (np.diff(x) / np.diff(t)), expected, atol=1e-12)
    np.testing.assert_allclose((rates @ total).todense(), np.eye(D - 1), atol=1e-9)

    np.testing.assert_allclose(lp.Datum(DATES, reference=reference) @ unknowns, x - x.mean(), atol=1e-12)
    for chosen in ("20170316", 5, -4, ["20170316"]):
        np.testing.assert_allclose(lp.Datum(DATES, chosen, reference=reference) @ unknowns, x - x[5], atol=1e-12)
    np.testing.assert_allclose(lp.Datum(DATES, [0, "20170304"], [1, 3], reference=reference) @ unknowns, x - (x[0] + 3 * x[4]) / 4, atol=1e-12)
    for op in (rates, bends, changes, total, lp.Datum(DATES, reference=reference)):
        assert lp.dottest(op) and op.pixelwise


def test_velocities_of_a_network_are_the_matrix_of_mintpy():
    network = pytest.importorskip("mintpy.objects.stack").ifgramStack
    pairs = [p for p in PAIRS if p[0] < p[1]]
    A = lp.Network(pairs)
    theirs = network.get_design_matrix4timeseries([f"{a}_{b}" for a, b in pairs], refDate=DATES[0])[1]
    ours = (A @ lp.CumulativeSum(A, rates=True)).todense()
    np.testing.assert_allclose(ours, theirs, atol=4 * np.finfo(np.float32).eps * DAYS[-1] / 365.25)


def test_weighting():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((3, 10)).astype(np.float32)
    np.testing.assert_array_equal(lp.Weighting([1, 2, 4]) @ x, x * np.array([[1], [2], [4]], np.float32))
    w = rng.uniform(0, 1, (3, 10)).astype(np.float32)
    for weights in (w, w.reshape(3, 2, 5), np.asfortranarray(w)):
        op = lp.Weighting(weights)
        assert op.shape == (3, 3) and op.pixels == 10
        np.testing.assert_array_equal(op @ x, w * x)
        np.testing.assert_array_equal(op.H @ x, w * x)
    with pytest.raises(lp.ShapeError):
        lp.Weighting(2.0)
    with pytest.raises(lp.InvalidArgument):
        lp.Weighting([1, np.nan])
    with pytest.raises(lp.InvalidArgument, match="float16"):
        lp.Weighting(w.astype(np.float16))


@pytest.mark.parametrize("call, message", [
    (lambda A: lp.Polynomial(A, 1, reference=0), "Network has its reference date"),
    (lambda A: lp.Polynomial(A, 0), "degree of 1 or more"),
    (lambda A: lp.Polynomial(A, 1, convention="julian"), "'elapsed' or 'mintpy', got 'julian'"),
    (lambda A: lp.Polynomial("20170304"), "a Network or a sequence of dates"),
    (lambda A: lp.Polynomial(3), "a Network or a sequence of dates"),
    (lambda A: lp.Polynomial(2 * A), "a Network or a sequence of dates"),
    (lambda A: lp.Polynomial([0, 1]), "got 0"),
    (lambda A: lp.Polynomial(DATES[::-1]), "strictly increasing"),
    (lambda A: lp.Polynomial(DATES, reference=D), "index below"),
    (lambda A: lp.Polynomial(DATES, reference="20170305"), "got 20170305"),
    (lambda A: lp.Seasonal(A, []), "at least one period"),
    (lambda A: lp.Seasonal(A, [1, np.nan]), "positive periods"),
    (lambda A: lp.Step(A, []), "at least one date"),
    (lambda A: lp.Step(A, "20161031"), "before and after"),
    (lambda A: lp.Step(A, DATES[-1]), "before and after"),
    (lambda A: lp.Exponential(A, DATES[-1], 10), "before the last date"),
    (lambda A: lp.Logarithm(A, DATES[1], -1), "positive characteristic time"),
    (lambda A: lp.Polyline(A, DATES[0]), "between the first and the last"),
    (lambda A: lp.DemError(A, np.zeros(D - 1), 8e5, 39), "one baseline per date"),
    (lambda A: lp.DemError(A, np.zeros(D), 8e5, 0), "incidence"),
    (lambda A: lp.DemError(A, np.zeros(D), np.ones((2, 3)), np.ones((3, 2))), "same pixels"),
    (lambda A: lp.DemError(A, np.zeros(D), np.ones(6), np.ones(7)), "equal numbers of pixels"),
    (lambda A: lp.TimeDifference(A, 3), "order 1 or 2"),
    (lambda A: lp.Datum(A, []), "at least one date"),
    (lambda A: lp.Datum(A, ["20170305"]), "20170305"),
    (lambda A: lp.Datum(A, [0, DATES[0]]), "twice"),
    (lambda A: lp.Datum(A, None, [1]), "expected 9 weights"),
])
def test_what_does_not_make_sense(call, message):
    with pytest.raises((lp.InvalidArgument, lp.ShapeError), match=message):
        call(lp.Network(PAIRS))


def golden(shared, case):
    """Series of MintPy, its dates with the time of day, and what its programs made of it."""
    h5py = pytest.importorskip("h5py")
    folder = shared / "golden_models" / case
    with h5py.File(folder / "timeseries.h5") as f:
        seconds = float(f.attrs.get("CENTER_LINE_UTC", 0))
        time = f"T{int(seconds // 3600):02d}{int(seconds % 3600 // 60):02d}" if seconds else ""   # the rest of a minute does not matter
        dates = [d.decode() for d in f["date"][:]]
        series = f["timeseries"][:].astype(float)
        return folder, h5py, dates, [d + time for d in dates], dates.index(f.attrs["REF_DATE"]), f["bperp"][:].astype(float), series


def deformation(dates, args):
    """The functions of `args`, and the names of MintPy's datasets for their unknowns."""
    poly = 1 if args.poly is None else args.poly
    models = [(lp.Polynomial, poly)] + [(lp.Seasonal, T) for T in args.periodic] + [(lp.Step, d) for d in args.step]
    models += [(lp.Polyline, d) for d in args.polyline]
    relaxations = [(kind, onset, int(float(tau))) for kind, given in (("exp", args.exp), ("log", args.log))
                   for onset, *taus in given for tau in taus]
    models += [(lp.Exponential if kind == "exp" else lp.Logarithm, onset, tau) for kind, onset, tau in relaxations]
    names = ["intercept", "velocity", "acceleration", "poly3"][: poly + 1]
    for T in args.periodic:
        names += [{1.0: "annual", 0.5: "semiAnnual"}.get(T, f"period{T}Y") + "Amplitude"] * 2
    names += [f"step{d}" for d in args.step] + [f"velocityPost{d}" for d in args.polyline]
    names += [f"{kind}{onset}Tau{tau}D" for kind, onset, tau in relaxations]
    return lp.HStack([cls(dates, *rest, convention="mintpy") for cls, *rest in models]), names


def options(text):
    """MintPy's options that only choose the model; None where there are others."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("-g", dest="geometry")
    parser.add_argument("-p", "--poly", type=int)
    parser.add_argument("--periodic", nargs="+", type=float, default=[])
    parser.add_argument("-s", "--step", nargs="+", default=[])
    parser.add_argument("--polyline", nargs="+", default=[])
    parser.add_argument("--exp", nargs="+", action="append", default=[])
    parser.add_argument("--log", nargs="+", action="append", default=[])
    args, unknown = parser.parse_known_args(text.split())
    return None if unknown else args


@pytest.mark.parametrize("case", ["reversed_25", "sequential_30"])
def test_golden_velocities(shared, case):
    """Every model of MintPy's timeseries2velocity. Gates: five times what its float32 is known to lose (reference/mintpy.md, 8.5)."""
    folder, h5py, _, dates, _, _, series = golden(shared, case)
    lost = {"intercept": 1.7e-7, "velocity": 6e-7, "acceleration": 1.6e-6, "poly3": 2.7e-6}
    compared = set()
    with h5py.File(folder / "expected_velocity.h5") as f:
        for group in f.values():
            args = options(group.attrs["args"])
            if args is None or "-s" in group.attrs["args"].split():   # -s: the first date in use
                continue
            G, names = deformation(dates, args)
            valid = group["intercept"][:] != 0
            found = np.linalg.lstsq(G.todense(), series[:, valid], rcond=None)[0]
            rate = 0
            for k, name in enumerate(names):
                value = found[k]
                if name == "velocity":
                    rate = value
                elif name.startswith("velocityPost"):
                    value = rate = rate + value
                elif name.endswith("Amplitude"):
                    if names[k - 1] == name:
                        continue
                    value = np.hypot(value, found[k + 1])
                difference = np.abs(group[name][:][valid] - value).max()
                assert difference <= 5 * lost.get(name, 6e-7 if name.startswith("velocityPost") else 8e-8), (group.attrs["args"], name, difference)
                compared.add(name)
    for kind in ("velocity", "poly", "annualAmplitude", "period", "step", "velocityPost", "exp", "log"):
        assert any(name.startswith(kind) for name in compared), kind


@pytest.mark.parametrize("case", ["reversed_25", "sequential_30"])
def test_golden_dem_errors(shared, case):
    """MintPy's dem_error with geometry per pixel, baselines per date and per pixel; gate as above."""
    folder, h5py, names, dates, reference, bperp, series = golden(shared, case)
    n = 0
    with h5py.File(folder / "expected_dem_error.h5") as f:
        for group in f.values():
            args = options(group.attrs["args"])
            if args is None or args.geometry in (None, "geometryRadar_height.h5"):
                continue
            args.poly = args.poly or 2
            with h5py.File(folder / args.geometry) as g:
                geometry = g["slantRangeDistance"][:], g["incidenceAngle"][:]
                b = bperp
                if "bperp" in g:
                    where = [d.decode() for d in g["date"][:]]
                    b = g["bperp"][:][[where.index(d) for d in names]]
            op = lp.DemError(dates, b - b[reference], *geometry)
            column = (op @ np.ones((1, op.pixels))).reshape(series.shape)
            G = deformation(dates, args)[0].todense()
            dem = group["dem"][:]
            for y, x in zip(*np.nonzero(dem)):
                found = np.linalg.lstsq(np.column_stack([column[:, y, x], G]), series[:, y, x], rcond=None)[0][0]
                assert abs(found - dem[y, x]) <= 5 * 2.2e-4, (group.attrs["args"], y, x)
            n += 1
    assert n >= (7 if case == "reversed_25" else 8)


@pytest.mark.parametrize("call, message", [
    (lambda A: lp.Polynomial(A, 1.5), "degree: expected an integer of 0 or more, got 1.5"),
    (lambda A: lp.Polynomial(A, np.inf), "degree: expected an integer"),
    (lambda A: lp.Polynomial(A, "1"), "degree: expected one number"),
    (lambda A: lp.Polynomial(A, [1, 2]), "HStack one operator for each"),
    (lambda A: lp.Polynomial(A, None), "degree: expected one number"),
    (lambda A: lp.Exponential(A, DATES[1], [10, 20]), "characteristic_time.*HStack"),
    (lambda A: lp.Exponential(A, DATES[1], "10"), "characteristic_time: expected one number"),
    (lambda A: lp.Logarithm(A, DATES[1], None), "characteristic_time: expected one number"),
    (lambda A: lp.Logarithm(A, DATES[:2], 10), "onset: expected one date, got 2"),
    (lambda A: lp.Seasonal(A, "annual"), "periods: expected one number or several, got 'annual'"),
    (lambda A: lp.Seasonal(A, [[1, 2], [3]]), "periods: expected"),
    (lambda A: lp.date_baselines(A, np.ones((2, 2))), "one baseline per pair"),
    (lambda A: lp.date_baselines(list(A.pairs), np.ones(A.shape[0])), "expected a Network, got list"),
])
def test_parameters_of_a_wrong_type(call, message):
    with pytest.raises((lp.InvalidArgument, lp.ShapeError), match=message):
        call(lp.Network(PAIRS))


def test_numbers_of_other_types():
    A = lp.Network(PAIRS)
    for degree in (2.0, np.int8(2), np.float32(2), np.array(2)):
        assert lp.Polynomial(A, degree).shape[1] == 2
    assert lp.Exponential(A, DATES[1], np.float32(10)).parameters == lp.Exponential(A, DATES[1], 10).parameters


def test_one_spelling_of_dates_for_all():
    pair = ("20170105", "20170117T1200")
    for first, second in ((20170105, np.datetime64("2017-01-17T12:00")), ("2017-01-05", "2017-01-17T12:00"),
                          (np.int32(20170105), "2017-01-17 12:00:00"), (b"20170105", b"2017-01-17T12:00")):
        spelled = [first, second, "20170301"]
        N = lp.Network([(first, second), (second, "20170301")], reference=second)
        assert N.dates[:2] == list(pair) and N.reference == pair[1]
        wanted = lp.Polynomial([*pair, "20170301"], 1, reference=1).todense()
        for reference in (second, 1, -2):
            np.testing.assert_array_equal(lp.Polynomial(spelled, 1, reference=reference).todense(), wanted)
        assert lp.Step(spelled, second).parameters == lp.Step(spelled, pair[1]).parameters
        assert lp.Exponential(spelled, first, 10).parameters == lp.Exponential(spelled, pair[0], 10).parameters
    for bad in (lambda: lp.Network([(1, 20170105)]), lambda: lp.Step(DATES, 3), lambda: lp.Step(DATES, 20171301)):
        with pytest.raises(ValueError):
            bad()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layouts_and_byte_orders_of_fields(dtype):
    weights = np.random.default_rng(0).random((4, 3)).astype(dtype)
    column = weights[:, :1]
    for given in (weights.astype(np.dtype(dtype).newbyteorder(">")), weights[::-1][::-1], np.asfortranarray(weights)):
        np.testing.assert_array_equal(lp.Weighting(given) @ np.ones((4, 3), dtype), weights)
    np.testing.assert_array_equal(lp.Weighting(column[::-1]) @ np.ones((4, 1), dtype), weights[::-1, :1])
    np.testing.assert_array_equal(lp.Weighting(np.broadcast_to(weights[:1], (4, 3))) @ np.ones((4, 3), dtype), weights[[0] * 4])
    np.testing.assert_array_equal(lp.Diagonal(weights.astype(np.dtype(dtype).newbyteorder(">"))) @ np.ones((4, 3), dtype), weights)
