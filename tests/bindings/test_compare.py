"""lopsar.compare: what it measures."""

import io
import json

import lopsar as lp
import numpy as np
import pytest

DAY = np.datetime64("2017-03-04") + 12 * np.arange(15)
A = lp.Network([(DAY[i], DAY[j]) for i in range(15) for j in range(i + 1, min(15, i + 4))])
rng = np.random.default_rng(0)
PIXELS = 120
Y = (A.todense() @ rng.normal(size=(14, PIXELS)) + 0.1 * rng.normal(size=(A.shape[0], PIXELS))).astype(np.float32)
W = (10 ** rng.uniform(-1, 1, Y.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    y = Y.copy()
    y[:, 3] = np.nan
    return lp.compare(A, y.reshape(-1, 10, 12), W.reshape(-1, 10, 12), repeats=2, tolerances=(1e-1, 1e-6))


def test_numbers_are_those_of_the_solutions(network):
    assert [m.method for m in network.methods] == ["edge-flow", "cholesky", "cg", "cgls", "lsqr"]
    assert network.reference == "edge-flow in float64" and network.pixels == PIXELS and network.compared == PIXELS - 1
    y = Y.copy()
    y[:, 3] = np.nan
    exact = lp.solve(A, y.astype(float), W.astype(float)).x
    for m in network.methods:
        s = lp.solve(A, y, W, m.method)
        difference = np.delete(s.x - exact, 3, axis=1)
        assert m.max_error == pytest.approx(np.abs(difference).max(), rel=1e-12)
        assert m.rms_error == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-12)
        scale = np.sqrt((np.delete(exact, 3, axis=1) ** 2).mean(axis=1))
        assert m.relative_error == pytest.approx((np.sqrt((difference**2).mean(axis=1)) / scale).max(), rel=1e-12)
        counts = np.delete(s.iterations, 3)
        assert m.iterations == (counts.min(), np.median(counts), counts.max()) and m.arithmetic == s.arithmetic
        assert m.unconverged == 0 and m.differing == 0 and len(m.seconds) == 2
        assert m.seconds_per_pixel == pytest.approx(np.median(m.seconds) / PIXELS) and m.seconds_per_pixel > 0
        assert m.memory is None or m.memory >= 0
        np.testing.assert_array_equal(np.isnan(network.errors[m.method]), np.arange(PIXELS) == 3)
    assert network.methods[0].max_error < 1e-5


def test_auto_is_what_it_chooses(tmp_path):
    found = lp.compare(A, Y, W, "auto", repeats=1)
    assert [m.method for m in found.methods] == ["edge-flow"] == list(found.errors)
    found.plot(tmp_path / "auto.png")
    for methods in ([], ["cgls", "cgls"], ["auto", "edge-flow"]):
        with pytest.raises(lp.InvalidArgument, match="one or more different methods"):
            lp.compare(A, Y, W, methods, repeats=1)
    with pytest.raises(lp.InvalidArgument, match="names of methods"):
        lp.compare(A, Y, W, [None], repeats=1)


@pytest.mark.parametrize("pixels", [None, 30])
def test_preconditioners_with_pixels_of_their_own(pixels):
    """Weights and priors on the grid of y; the model itself as its preconditioner takes one step, or two with its rounding."""
    y, w = Y.reshape(-1, 10, 12), W.reshape(-1, 10, 12).astype(float)
    of_prior = rng.uniform(0.5, 2, (14, 10, 12))
    given = dict(prior=lp.Prior(np.eye(14), weights=of_prior), damp=0.0, tolerances=(), repeats=1, pixels=pixels)
    exact = lp.Preconditioner.direct(A, w, lp.Prior(np.eye(14), weights=of_prior))
    for model, preconditioner, most in ((A, exact, 2), (A, lp.Preconditioner.direct(A, w[:, :1, :1]), 44)):
        found = lp.compare(model, y.astype(float), w, ["cgls"], preconditioner=preconditioner, **given)
        assert found.methods[0].iterations[2] <= most and len(found.convergence["cgls"]) == found.methods[0].iterations[2] + 1


def test_curves(network):
    assert set(network.convergence) == set(network.accuracy) == {"cg", "cgls", "lsqr"}
    for m in network.methods[2:]:
        curve = network.convergence[m.method]
        assert curve.shape == (m.iterations[2] + 1, 4) and (np.diff(curve, axis=1) >= 0).all() and (curve >= 0).all() and (curve[0] <= 1).all()
        assert (curve[-1] == 0).all()
        (loose, _, rough), (tight, _, fine) = network.accuracy[m.method]
        assert (loose, tight) == (1e-1, 1e-6) and fine < rough


def test_table_json_and_picture(network, tmp_path):
    text = str(network)
    assert all(m.method in text for m in network.methods) and "119 pixels" in text
    from rich.console import Console
    Console(file=io.StringIO()).print(network)
    numbers = json.loads(json.dumps(network.to_dict()))
    assert numbers["methods"][2]["iterations"] == list(network.methods[2].iterations) and numbers["compared"] == 119
    figure = network.plot(tmp_path / "maps.png")
    assert (tmp_path / "maps.png").stat().st_size > 10000
    titles = {ax.get_title(loc="left"): ax for ax in figure.axes}
    maps = [titles[m.method] for m in network.methods]
    assert all(ax.get_aspect() == 1.0 and ax.images[0].get_array().shape == (10, 12) for ax in maps)
    assert [ax.get_ylabel() for ax in figure.axes if "rad" in ax.get_ylabel()] == ["largest error (rad)"]   # of the color bar
    assert all(ax.axison for ax in figure.axes) and "120 pixels" in figure.get_suptitle() and "edge-flow in float64" in figure.get_suptitle()
    for name in ("cg", "cgls", "lsqr"):
        for i, line in enumerate(titles[f"Convergence of {name}"].lines):
            drawn, curve = line.get_ydata(), network.convergence[name][:, i]
            np.testing.assert_array_equal(np.isnan(drawn), curve <= 1e-7)   # no flat line along the floor
    assert titles["Convergence of cg"].get_ylabel() == "(|r_k| - |r_end|) / |r_0|"
    ax = titles["Accuracy against time"]
    assert ax.get_legend() is None and sorted(t.get_text() for t in ax.texts) == sorted(m.method for m in network.methods)
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    ticks = [t for t in ax.get_xticks() if low <= t <= high]
    assert len(ticks) >= 1 and all(f"{t:.1e}"[:3] in ("1.0", "1.5", "2.0", "3.0", "4.0", "5.0", "7.0") for t in ticks)
    assert len(ax.get_xticks(minor=True)) == 0
    assert all(float(ax.xaxis.get_major_formatter()(t)) == pytest.approx(t) for t in ticks)



def test_fields_priors_and_chosen_pixels(tmp_path):
    slant = rng.uniform(8e5, 9e5, PIXELS)
    model = A @ lp.HStack([lp.Polynomial(A), lp.DemError(A, rng.normal(0, 100, 15), slant, 35.0)])
    prior = lp.Prior(lp.Pattern(np.ones((1, 2)), slant[None] * 1e-6, np.array([[0, -1]])), weights=np.full((1, PIXELS), 0.5), data=0.1)
    found = lp.compare(model, Y.astype(float), W, ["cholesky", "cgls"], 30, prior=prior, preconditioner="jacobi", max_iterations=60, repeats=1,
                       tol=1e-12, tolerances=())
    assert found.pixels == 30 and found.reference == "cholesky in float64" and found.accuracy["cgls"] == []
    assert found.methods[0].max_error == 0 and found.methods[1].relative_error < 1e-8
    which = np.linspace(0, PIXELS - 1, 30).astype(int)
    whole = lp.solve(model, Y.astype(float), W, "cgls", prior=prior, preconditioner="jacobi", max_iterations=60, tol=1e-12)
    assert found.methods[1].iterations[2] == whole.iterations[which].max()   # so it solved these pixels with their fields
    found.plot(tmp_path / "curves.png")


def test_chosen_pixels_are_a_grid():
    y = Y.reshape(-1, 10, 12)
    found = lp.compare(A, y, W.reshape(y.shape), "cholesky", 30, repeats=1)   # one method as a text
    assert [m.method for m in found.methods] == ["cholesky"] and found.grid == (5, 6) and found.pixels == 30
    rows, columns = (np.linspace(0, n - 1, k).astype(int) for n, k in ((10, 5), (12, 6)))
    x = lp.solve(A, Y, W).x.reshape(14, 10, 12)[:, rows][:, :, columns].reshape(14, -1)
    exact = lp.solve(A, Y.astype(float), W.astype(float)).x.reshape(14, 10, 12)[:, rows][:, :, columns].reshape(14, -1)
    np.testing.assert_allclose(lp.compare(A, y, W.reshape(y.shape), "edge-flow", 30, repeats=1).errors["edge-flow"], np.abs(x - exact).max(axis=0))
    for wanted in range(1, 121):
        grid = lp.compare(A, y[:, :1] if wanted == 1 else y, methods=["edge-flow"], pixels=wanted, repeats=1).grid
        assert wanted / 2 < np.prod(grid) < 2 * wanted + 1
    one = lp.compare(A, Y, W, "cg", 1, repeats=1, tolerances=())
    assert "1 pixel, " in str(one)


def test_undetermined_dates_take_no_part(tmp_path):
    apart = lp.Network([(DAY[i], DAY[j]) for i, j in ((0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5))])   # two parts
    y = apart.todense() @ np.random.default_rng(1).normal(size=(5, 20))
    y[:, 7] = np.nan
    y[:3, 8] = np.nan   # nothing is tied to the reference
    found = lp.compare(apart, y, repeats=1, tol=1e-10)
    assert (found.pixels, found.compared, found.partial, found.undetermined) == (20, 18, 18, 3)
    exact = lp.solve(apart, y, method="cholesky").x[:2]
    for m in found.methods:
        expected = np.nanmax(np.abs(lp.solve(apart, y, method=m.method, tol=1e-10).x[:2] - exact))
        assert abs(m.max_error - expected) < 1e-12 and m.max_error < 1e-8
        assert np.flatnonzero(np.isnan(found.errors[m.method])).tolist() == [7, 8]
    assert "left out at 18 pixels (3 unknowns everywhere)" in " ".join(str(found).split())
    found.plot(tmp_path / "apart.png")


@pytest.mark.parametrize("call", [lambda: lp.compare(A, Y[:, 0]), lambda: lp.compare(A, Y, methods=["magic"]), lambda: lp.compare(A, Y, pixels=0),
                                  lambda: lp.compare(lp.FirstDerivative(5), Y), lambda: lp.compare(A, np.full_like(Y, np.nan)),
                                  lambda: lp.compare(A, Y, W[1:]),
                                  lambda: lp.compare(A, Y, repeats=0), lambda: lp.compare(A, Y, repeats=None), lambda: lp.compare(A, Y, pixels=1.5)])
def test_errors(call):
    with pytest.raises(ValueError, match="expected"):
        call()
