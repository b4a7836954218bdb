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
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[:5] == [f"{m.method}: largest error per pixel" for m in network.methods] and "Accuracy against time" in titles


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
    assert lp.compare(A, Y, W, ["cg"], 10, repeats=0, tolerances=()).methods[0].seconds == []


@pytest.mark.parametrize("call", [lambda: lp.compare(A, Y[:, 0]), lambda: lp.compare(A, Y, methods=["magic"]), lambda: lp.compare(A, Y, pixels=0),
                                  lambda: lp.compare(lp.FirstDerivative(5), Y), lambda: lp.compare(A, np.full_like(Y, np.nan)),
                                  lambda: lp.compare(A, Y, W[1:])])
def test_errors(call):
    with pytest.raises(ValueError, match="expected"):
        call()
