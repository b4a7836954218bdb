"""lopsar.solve against float64 least squares."""

import pickle
import threading
import warnings

import lopsar as lp
import numpy as np
import pytest

ITERATIVE = ("cg", "cgls", "lsqr")
OK, RANK_DEFICIENT, NO_DATA = lp.Status.ok, lp.Status.rank_deficient, lp.Status.no_data


def sequential(dates, connections, skip=()):
    day = np.datetime64("2017-03-04") + 12 * np.arange(dates)
    return [(day[i], day[j]) for i in range(dates) for j in range(i + 1, min(dates, i + connections + 1)) if (i, j) not in skip]


def observe(A, pixels, seed=0, dtype=np.float32, size=10):
    rng = np.random.default_rng(seed)
    truth = size * rng.uniform(-1, 1, (A.shape[1], pixels))
    weights = 10 ** rng.uniform(-0.4, 3.6, (A.shape[0], pixels))
    noise = np.minimum(weights**-0.5, 1.8) * rng.standard_normal(weights.shape)
    return (A.todense() @ truth + noise).astype(dtype), weights.astype(dtype)


def exact(A, y, w, pixel):
    root = np.sqrt(w[:, pixel].astype(float))
    return np.linalg.lstsq(A.todense() * root[:, None], y[:, pixel].astype(float) * root, rcond=None)[0]


@pytest.mark.parametrize("dtype, bound", [(np.float32, 1e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("reference", [0, 7])
def test_weighted_least_squares(dtype, bound, reference):
    A = lp.Network(sequential(40, 4), reference=reference)
    y, w = observe(A, 50, dtype=dtype)
    s = lp.solve(A, y, weights=w)
    assert s.x.dtype == dtype and s.method == "edge-flow" and (s.status == lp.Status.ok).all() and (s.rank == 39).all()
    for p in range(50):
        x = exact(A, y, w, p)
        assert np.abs(s.x[:, p] - x).max() <= bound * max(np.abs(x).max(), np.abs(y[:, p]).max())
        residual = A.todense() @ x - y[:, p]
        assert s.residual_norm[p] == pytest.approx(np.sqrt(w[:, p] @ residual**2), rel=1e-4 if dtype == np.float32 else 1e-10)


def test_status_compares_with_arrays():
    A = lp.Network(sequential(5, 2))
    y = np.zeros((A.shape[0], 2))
    y[:, 1] = np.nan
    status = lp.solve(A, y).status
    assert (status == lp.Status.ok).tolist() == [True, False] and (lp.Status.no_data == status).tolist() == [False, True]
    assert [lp.Status(s).name for s in status] == ["ok", "no_data"] and pickle.loads(pickle.dumps(lp.Status.masked)) is lp.Status.masked
    assert {s.name: int(s) for s in lp.Status} == {name: int(s) for name, s in lp._core.Status.__members__.items()}


def test_shapes_and_weights():
    A = lp.Network(sequential(6, 2))
    y, w = observe(A, 12)
    whole = lp.solve(A, y, weights=w)
    cube = lp.solve(A, y.reshape(-1, 3, 4), weights=w.reshape(-1, 3, 4))
    assert cube.x.shape == (5, 3, 4) and cube.status.shape == (3, 4)
    np.testing.assert_array_equal(cube.x.reshape(5, -1), whole.x)
    np.testing.assert_array_equal(lp.solve(A, y[:, 3], weights=w[:, 3]).x, whole.x[:, 3])
    shared = lp.solve(A, y, weights=w[:, 0])
    np.testing.assert_array_equal(shared.x, lp.solve(A, y, weights=np.broadcast_to(w[:, :1], w.shape)).x)
    np.testing.assert_array_equal(lp.solve(A, y[:, ::2], weights=w[:, ::2]).x, whole.x[:, ::2])
    assert lp.solve(A, (10 * y).astype(int)).x.dtype == np.float64
    assert lp.solve(A, y, dtype=np.float64).x.dtype == np.float64
    assert lp.solve(A, y[:, :0]).x.shape == (5, 0)


def test_missing_and_null_space():
    skip = {(i, j) for i in range(4) for j in range(4, 8)}
    A = lp.Network(sequential(8, 3, skip))
    B = np.zeros((A.shape[0], 7))
    for k, (first, second) in enumerate(A.pairs):
        B[k, A.dates.index(first) : A.dates.index(second)] = 12
    y, w = observe(A, 20)
    y[2, 0] = np.nan
    w[3, 1] = 0
    s = lp.solve(A, y, weights=w)
    assert (s.rank == 6).all() and (s.status == lp.Status.rank_deficient).all()
    assert np.isnan(s.x[3:]).all() and np.isfinite(s.x[:3]).all()
    np.testing.assert_array_equal(s.valid, [len(A.pairs) - 1] * 2 + [len(A.pairs)] * 18)
    observed, weight = np.nan_to_num(y).astype(float), np.where(np.isnan(y), 0, w).astype(float)
    for null_space, matrix, back in [("min-norm-velocity", B, lambda v: np.cumsum(12 * v)), ("min-norm-phase", A.todense(), lambda x: x)]:
        got = lp.solve(A, y, weights=w, null_space=null_space)
        assert np.isfinite(got.x).all() and (got.status == lp.Status.rank_deficient).all()
        for p in range(20):
            root = np.sqrt(weight[:, p])
            x = back(np.linalg.lstsq(matrix * root[:, None], observed[:, p] * root, rcond=1e-10)[0])
            assert np.abs(got.x[:, p] - x).max() <= 2e-6 * max(np.abs(x).max(), np.abs(observed[:, p]).max())


def test_bad_pixels_harm_nobody():
    A = lp.Network(sequential(10, 3))
    y, w = observe(A, 40)
    good = lp.solve(A, y, weights=w)
    y[:, 5], y[4, 9], w[2, 11], w[7, 13] = np.nan, np.inf, -1, np.inf
    s = lp.solve(A, y, weights=w)
    bad = [5, 9, 11, 13]
    assert list(s.status[bad]) == [lp.Status.no_data] + [lp.Status.not_finite] * 3
    assert np.isnan(s.x[:, bad]).all() and (s.rank[bad] == 0).all()
    rest = np.setdiff1d(np.arange(40), bad)
    assert lp.solve(A, np.full_like(y, 1e23), weights=np.full_like(w, 1e17)).status[0] == lp.Status.not_finite   # w y overflows
    np.testing.assert_array_equal(s.x[:, rest], good.x[:, rest])


def test_bits_do_not_depend_on_order_threads_or_chunks():
    A = lp.Network(sequential(30, 3))
    y, w = observe(A, 1003)
    w[np.random.default_rng(3).random(w.shape) < 0.1] = 0
    whole = lp.solve(A, y, weights=w, null_space="min-norm-velocity")
    order = np.random.default_rng(4).permutation(1003)
    for other in (lp.solve(A, y[:, order], weights=w[:, order], null_space="min-norm-velocity", threads=1).x[:, np.argsort(order)],
                  lp.solve(A, y, weights=w, null_space="min-norm-velocity", chunk_size=1).x,
                  lp.solve(A, y, weights=w, null_space="min-norm-velocity", chunk_size=100, threads=2).x):
        np.testing.assert_array_equal(other, whole.x)


@pytest.mark.parametrize("call", [lambda A, y: lp.solve(A, y[1:]), lambda A, y: lp.solve(A, y, weights=y[:2]),
                                  lambda A, y: lp.solve(A, y, method="magic"), lambda A, y: lp.solve(A, y, null_space="none"),
                                  lambda A, y: lp.solve(A, y.astype(np.float16)),
                                  lambda A, y: lp.solve(A, y, threads=-1), lambda A, y: lp.solve(A, y, chunk_size=0),
                                  lambda A, y: lp.solve(np.eye(3), y), lambda A, y: lp.solve(A, y.astype(complex)),
                                  lambda A, y: lp.solve(lp.FirstDerivative((7, 1)), y[:, 0]), lambda A, y: lp.solve(1j * A, y),
                                  lambda A, y: lp.solve(A, y, prior=np.eye(3)), lambda A, y: lp.solve(A, y, prior=lp.Prior(np.eye(4), np.zeros(3))),
                                  lambda A, y: lp.solve(A, y, arithmetic="float16"), lambda A, y: lp.solve(A, y, damp=np.nan),
                                  lambda A, y: lp.solve(A, y, method="cg", preconditioner="magic"),
                                  lambda A, y: lp.solve(A, y, method="cg", preconditioner=lp.Preconditioner.blocks([0, 1])),
                                  lambda A, y: lp.solve(A, y, method="cg", preconditioner=lp.Preconditioner.direct(np.eye(3))),
                                  lambda A, y: lp.solve(A, y, method="cg", x0=np.zeros(3)),
                                  lambda A, y: lp.solve(A, y, method="cg", max_iterations=0),
                                  lambda A, y: lp.solve(lp.HStack([A]), y, method="edge-flow"),
                                  lambda A, y: lp.solve(lp.HStack([A]), y, null_space="min-norm-phase"),
                                  lambda A, y: lp.solve(A @ lp.DemError(A, np.arange(5.0), np.full(9, 8e5), 30.0), y)])
def test_errors(call):
    A = lp.Network(sequential(5, 2))
    with pytest.raises(ValueError, match="expected"):
        call(A, np.zeros((A.shape[0], 3), np.float32))


@pytest.mark.parametrize("call, expected", [
    (lambda A, y: lp.solve(A, y, dtype=int), "dtype: expected float32"), (lambda A, y: lp.solve(A, y, dtype=bool), "dtype: expected float32"),
    (lambda A, y: lp.IterativeSolve(A).setup(y, dtype="int32"), "dtype: expected float32"),
    (lambda A, y: lp.smooth_inversion(A, y.reshape(-1, 3, 3), 1.0, dtype=int), "dtype: expected float32"),
    (lambda A, y: lp.solve(A, y, dtype="number"), "dtype: expected float32"),
    (lambda A, y: lp.solve(np.zeros((A.shape[0], 0)), y), "solve: expected a model of 1 or more unknowns"),
    (lambda A, y: lp.Solve(np.zeros((3, 0))), "Solve: expected a model of 1 or more unknowns"),
    (lambda A, y: lp.solve(np.full((A.shape[0], 2), np.nan), y), "solve: expected a matrix of finite numbers"),
    (lambda A, y: lp.solve(lp.HStack([A, A @ np.array([[1.0], [np.inf], [0], [0]])]), y), "solve: expected a matrix of finite numbers"),
    (lambda A, y: lp.solve(lp.Diagonal(np.array([1.0] * (A.shape[0] - 1) + [np.nan])), y), "solve: expected a matrix of finite numbers"),
    (lambda A, y: lp.solve(lp.FirstDerivative((A.shape[0], 9)), y), "couples pixels"),
    (lambda A, y: lp.solve(A, y, method=None), "method as a text"), (lambda A, y: lp.solve(A, y, arithmetic=None), "arithmetic as a text"),
    (lambda A, y: lp.solve(A, y, method="cg", max_iterations=2**40), "max_iterations: expected an integer from 1 to"),
    (lambda A, y: lp.solve(A, y, threads=2**40), "threads: expected an integer from 1 to"),
    (lambda A, y: lp.solve(A, y, chunk_size=2**70), "chunk_size: expected an integer from 1 to"),
    (lambda A, y: lp.solve(A, y, damp="a"), "damp: expected a finite number"), (lambda A, y: lp.solve(A, y, damp=True), "damp: expected"),
    (lambda A, y: lp.solve(A, y, callback=5), "callback as a function"),
    (lambda A, y: lp.IterativeSolve(A).solve(y, callback=5), "callback as a function"),
    (lambda A, y: lp.solve(A, y, method="cg", preconditioner=lp.Preconditioner("foo")), "expected preconditioner 'auto'"),
    (lambda A, y: lp.solve(A, y, tol=np.nan), "atol: expected 0 or more"), (lambda A, y: lp.solve(A, y, btol=-1), "btol: expected 0 or more"),
    (lambda A, y: lp.solve(A, y, conlim=np.nan), "conlim: expected 0 or more"), (lambda A, y: lp.solve(A, y, atol="1"), "atol: expected 0 or more")])
def test_errors_name_what_is_wrong(call, expected):
    A = lp.Network(sequential(5, 2))
    with pytest.raises(lp.InvalidArgument, match=expected):
        call(A, np.full((A.shape[0], 9), 0.5))


def test_priors_are_matrices_of_any_kind():
    A = lp.Network(sequential(4, 2))
    y, w = observe(A, 3, dtype=np.float64)
    rows = [[1.0, 0, 0], [0, 1, -1]]
    expected = lp.solve(A, y, w, prior=lp.Prior(np.array(rows), 0.3, [1, 2])).x
    np.testing.assert_array_equal(lp.solve(A, y, w, prior=lp.Prior(rows, 0.3, [1, 2])).x, expected)
    found = lp.compare(A, y, w, ["cholesky"], prior=lp.Prior(rows, 0.3, [1, 2]), repeats=1)
    assert found.methods[0].max_error <= 1e-12 * np.abs(expected).max()


def joint(pixels, seed=0, dates=12):
    """Network, and velocity, season and DEM error below it with a geometry of each pixel; the dense matrix of a pixel."""
    rng = np.random.default_rng(seed)
    A = lp.Network(sequential(dates, 3))
    baselines, slant, incidence = rng.normal(0, 100, dates), rng.uniform(8e5, 9e5, pixels), rng.uniform(30, 45, pixels)
    model = A @ lp.HStack([lp.Polynomial(A), lp.Seasonal(A), lp.DemError(A, baselines, slant, incidence)])

    def dense(p):
        below = lp.HStack([lp.Polynomial(A), lp.Seasonal(A), lp.DemError(A, baselines, slant[p], incidence[p])])
        return A.todense() @ below.todense()
    return A, model, dense


def stacked(rows, weights, data):
    """Rows times root weights, and data likewise, without those that are missing."""
    keep = (weights > 0) & ~np.isnan(data)
    root = np.sqrt(weights[keep])
    return rows[keep] * root[:, None], data[keep] * root


@pytest.mark.parametrize("method", ["auto", "cholesky", "qr", *ITERATIVE])
def test_joint_models_with_gaps_fields_weights_and_priors(method):
    pixels = 37
    A, model, dense = joint(pixels)
    rng = np.random.default_rng(1)
    y, w = rng.normal(0, 5, (A.shape[0], pixels)), 10 ** rng.uniform(-1, 1, (A.shape[0], pixels))
    y[rng.random(y.shape) < 0.1], w[rng.random(y.shape) < 0.1] = np.nan, 0
    y[:, 7] = np.nan
    R, r, wr = rng.normal(size=(2, 4)), rng.normal(size=(2, pixels)), np.array([0.1, 1e-3])
    r[1, 3] = np.nan   # no such row at this pixel
    more = dict(tol=1e-11, max_iterations=400, preconditioner="jacobi") if method in ITERATIVE else {}
    s = lp.solve(model, y, w, method, prior=lp.Prior(R, r, wr), damp=1e-3, **more)
    assert s.method == ("cholesky" if method == "auto" else method) and s.arithmetic == "float64"
    assert [name for name, _ in s.parameters] == ["velocity", "cos 1 yr", "sin 1 yr", "DEM error"]
    assert s.status[7] == NO_DATA and np.isnan(s.x[:, 7]).all() and (np.delete(s.status, 7) == OK).all()
    for p in np.delete(np.arange(pixels), 7):
        M, b = stacked(np.vstack([dense(p), R, 1e-3 * np.eye(4)]), np.concatenate([w[:, p], wr, np.ones(4)]),
                       np.concatenate([y[:, p], r[:, p], np.zeros(4)]))
        norms = np.linalg.norm(M, axis=0)
        x, singular = np.linalg.lstsq(M / norms, b, rcond=None)[0], np.linalg.svd(M / norms, compute_uv=False)
        condition = singular[0] / singular[-1]
        # Rounding of the scaled normal equations, and of the reference: K + n sums of squares of the condition. Iterations stop with
        # |A'r| <= tol |A||r|, or |r| <= tol (|b| + |A||x|); |A| is at most the Frobenius norm sqrt(n) of the scaled matrix.
        bound = 4 * sum(M.shape) * np.finfo(float).eps * condition**2 * np.linalg.norm(x)
        if more:
            residual = np.linalg.norm(M / norms @ x - b)
            bound += 1e-11 * 2 * max(residual / singular[-1]**2, (np.linalg.norm(b) + 2 * np.linalg.norm(x)) / singular[-1])
        assert np.linalg.norm(s.x[:, p] * norms - x) <= bound
        observed = ~np.isnan(y[:, p]) & (w[:, p] > 0)
        assert s.valid[p] == observed.sum() and s.rank[p] == 4
        norm = np.sqrt(w[observed, p] @ (dense(p) @ s.x[:, p] - y[:, p])[observed] ** 2)
        assert s.residual_norm[p] == pytest.approx(norm, rel=1e-8)
    assert (s.iterations.max() > 0) == (method in ITERATIVE)


def test_any_matrix_is_a_model():
    rng = np.random.default_rng(0)
    M, y = rng.normal(size=(9, 4)), rng.normal(size=(9, 3, 2))
    expected = np.linalg.lstsq(M, y.reshape(9, -1), rcond=None)[0].reshape(4, 3, 2)
    for method in ("auto", "cgls"):
        s = lp.solve(M, y, 2.5, method, tol=1e-13, max_iterations=50 if method in ITERATIVE else None)
        np.testing.assert_allclose(s.x, expected, rtol=1e-9, atol=1e-9)
    assert lp.solve(M, y[:, 0, 0]).x.shape == (4,) and lp.solve(M, y[:, 0, 0]).status.shape == ()


def test_free_dates_beside_a_dem_error_are_undetermined():
    pixels = 30
    rng = np.random.default_rng(0)
    A = lp.Network(sequential(9, 2))
    dem = lp.DemError(A, np.arange(9.0), rng.uniform(8e5, 9e5, pixels), 30.0)
    model = lp.HStack([A, A @ dem])
    y = rng.normal(size=(A.shape[0], pixels))
    with pytest.warns(lp.IdentifiabilityWarning, match="20170316.*DEM error trade off"):
        s = lp.solve(model, y)
    assert (s.status == RANK_DEFICIENT).all() and (s.rank == 8).all() and np.isnan(s.x).all()
    assert [name for name, _ in s.parameters] == [*A.dates[1:], "DEM error"]
    smooth = lp.HStack([lp.TimeDifference(A, 2), lp.Zero(7, 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fixed = lp.solve(model, y, prior=[lp.Prior(smooth, weights=1e-4), lp.Prior(np.eye(9)[-1:], weights=1.0)])
    assert (fixed.status == OK).all() and np.isfinite(fixed.x).all()


def test_memory_maps_layouts_and_types(tmp_path):
    A, model, _ = joint(12)
    y, w = observe(A, 12, dtype=np.float64)
    expected = lp.solve(model, y, w).x
    mapped = np.memmap(tmp_path / "y", np.float64, "w+", shape=y.shape)
    mapped[:] = y
    np.testing.assert_array_equal(lp.solve(model, np.memmap(tmp_path / "y", np.float64, "r", shape=y.shape), w).x, expected)
    np.testing.assert_array_equal(lp.solve(model, np.asfortranarray(y), np.asfortranarray(w)).x, expected)
    np.testing.assert_array_equal(lp.solve(model, y.astype(">f8"), w).x, expected)
    cube = lp.solve(model, y.reshape(-1, 3, 4), w.reshape(-1, 3, 4), "cgls", history=True, x0=np.ones(4))
    assert cube.x.shape == (4, 3, 4) and cube.history.shape == (cube.iterations.max() + 1, 3, 4)
    for weights in (w[:, :1], w[:, 0]):   # per pair, whatever the pixels
        np.testing.assert_array_equal(lp.solve(model, y.reshape(-1, 3, 4), weights).x.reshape(4, 12), lp.solve(model, y, w[:, 0]).x)
    mask = np.array([1.0, 0, 1, 1])       # per column of the grid
    assert (lp.solve(model, y.reshape(-1, 3, 4), mask[None, None]).status[:, 1] == NO_DATA).all()
    for given in ((np.ma.masked_less(y, 0),), (y, np.ma.masked_less(w, w.mean()))):
        with pytest.raises(lp.InvalidArgument, match="masked"):
            lp.solve(model, *given)


def test_labels_of_xarray():
    xarray = pytest.importorskip("xarray")
    A, model, _ = joint(6)
    y, w = observe(A, 6, dtype=np.float64)
    pairs = ["_".join(p) for p in A.pairs]
    coords = {"pair": pairs, "x": [1, 2, 3], "height": (("y", "x"), np.ones((2, 3)))}
    cube = xarray.DataArray(y.reshape(-1, 2, 3), dims=("pair", "y", "x"), coords=coords, attrs={"units": "radian"}, name="phase")
    weights = cube.copy(data=w.reshape(-1, 2, 3))
    expected = lp.solve(model, y, w)
    order = np.random.default_rng(0).permutation(len(pairs))
    for data in (cube, cube[order], cube.transpose("y", "x", "pair")):
        s = lp.solve(model, data, weights[::-1], "cholesky")
        assert s.x.dims == ("parameter", "y", "x") and list(s.x.parameter.values) == ["velocity", "cos 1 yr", "sin 1 yr", "DEM error"]
        np.testing.assert_array_equal(s.x.values.reshape(4, -1), expected.x)
        assert s.status.dims == ("y", "x") and list(s.status.coords["x"].values) == [1, 2, 3] and "height" in s.residual_norm.coords
    series = lp.solve(A, cube, weights.isel(x=0, y=0, drop=True))
    assert series.x.dims == ("date", "y", "x") and list(series.x.date.values) == A.dates[1:] and series.x.attrs["units"] == "radian"
    np.testing.assert_array_equal(series.x.values.reshape(11, -1), lp.solve(A, y, w[:, 0]).x)
    started = lp.solve(A, cube, weights, "cgls", x0=series.x[::-1], history=True)
    assert started.history.dims == ("iteration", "y", "x")
    pixel_weights = lp.solve(A, cube, weights.isel(pair=0, drop=True))   # the same for all pairs
    np.testing.assert_allclose(pixel_weights.x.values, lp.solve(A, cube).x.values, atol=1e-10)
    # Data and weights of priors, too: rows in the order of the prior's operator, pixels on the grid of y.
    def with_prior(*of_prior):
        return lp.solve(A, cube, weights, prior=lp.Prior(A, *of_prior)).x.values.reshape(11, -1)
    right = lp.solve(A, y, w, prior=lp.Prior(A, y + 1, w[:, :1])).x
    np.testing.assert_array_equal(with_prior((cube + 1)[order], weights.isel(x=0, y=0, drop=True)[::-1]), right)
    np.testing.assert_array_equal(with_prior((cube + 1).transpose("x", "y", "pair"), w[:, :1]), right)
    with pytest.raises(lp.InvalidArgument, match="weights of prior 0 on the grid"):
        lp.solve(A, cube, weights, prior=lp.Prior(A, None, weights.assign_coords(x=[3, 2, 1])))
    with pytest.raises(lp.InvalidArgument, match="expected pairs"):
        lp.solve(A, cube.assign_coords(pair=["20170304_20170305", *pairs[1:]]))
    with pytest.raises(lp.InvalidArgument, match="grid of y"):
        lp.solve(A, cube, weights.assign_coords(x=[3, 2, 1]))
    with pytest.raises(lp.ShapeError, match="weights with dimensions"):
        lp.solve(A, cube, weights.rename(x="column"))


def test_every_solver_orders_data_by_labels():
    xarray = pytest.importorskip("xarray")
    A = lp.Network(sequential(6, 2))
    y, w = observe(A, 12, dtype=np.float64)
    y, w = y.reshape(-1, 3, 4), w.reshape(-1, 3, 4)
    K, mask = A.shape[0], np.arange(12).reshape(3, 4) != 5

    def label(values, step=-1):
        return xarray.DataArray(values, dims=("pair", "y", "x"), coords={"pair": ["_".join(p) for p in A.pairs], "x": np.arange(4.0)})[::step]

    labelled, lw, coherence = label(y), label(w), 0.5 + 0.4 * np.tanh(y) ** 2
    moved = labelled.transpose("y", "pair", "x")
    expected = lp.solve(A, y, w, "cgls", tol=1e-10)

    def check(got, expected):
        np.testing.assert_array_equal(np.asarray(got), expected)

    stepwise = lp.IterativeSolve(A, "cgls").solve(moved, lw, tol=1e-10)
    check(stepwise.x, expected.x)
    assert stepwise.x.dims == ("date", "y", "x") and list(stepwise.x.date.values) == A.dates[1:] and stepwise.status.dims == ("y", "x")
    check(lp.solve(A, y, lw, "cgls", tol=1e-10).x, expected.x)   # labels of the weights alone
    check(lp.Solve(A, lw) @ y, lp.Solve(A, w) @ y)
    check(lp.smooth_inversion(A, moved, 0.5, lw.transpose("x", "pair", "y"), mask=xarray.DataArray(mask.T, dims=("x", "y")), tol=1e-8).x,
          lp.smooth_inversion(A, y, 0.5, w, mask=mask, tol=1e-8).x)
    found, plain = (lp.compare(A, *data, methods=["cholesky"], repeats=1) for data in ((moved, lw), (y, w)))
    check(found.errors["cholesky"], plain.errors["cholesky"])
    options = dict(looks=4, mask=mask)
    for got, right in zip(lp.invert_arrays(moved, A, label(coherence), **options), lp.invert_arrays(y, A, coherence, **options)):
        check(got, right)
    reference = y[:, 0, 0]
    check(lp.invert_arrays(moved, A, weight_func="no", reference_phase=label(y)[:, 0, 0])[0],
          lp.invert_arrays(y, A, weight_func="no", reference_phase=reference)[0])
    scene, start = A.over((3, 4)), np.ones((5, 3, 4)) * np.arange(5)[:, None, None]
    labelled_start = xarray.DataArray(start, dims=("date", "y", "x"), coords={"date": A.dates[1:]})[::-1]
    for solver in (lp.cgls, lp.lsqr):
        check(solver(scene, labelled)[0], solver(scene, y)[0])
        check(solver(A, labelled, labelled_start)[0], solver(A, y, start)[0])
    normal = A.H @ A
    check(lp.cg(normal, labelled_start, niter=30)[0], lp.cg(normal, start, niter=30)[0])
    for engine in ("scipy", "pylops"):
        check(lp.regularized_inversion(scene, labelled, [lp.Identity(scene.dims)], engine=engine)[0],
              lp.regularized_inversion(scene, y, [lp.Identity(scene.dims)], engine=engine)[0])
        check(lp.normal_equations_inversion(scene, labelled, [], epsI=0.1, x0=labelled_start, engine=engine)[0],
              lp.normal_equations_inversion(scene, y, [], epsI=0.1, x0=start, engine=engine)[0])
    other = label(y).assign_coords(pair=[f"p{k}" for k in range(K)])
    for call in (lambda: lp.IterativeSolve(A).setup(other), lambda: lp.smooth_inversion(A, other, 1.0), lambda: lp.compare(A, other),
                 lambda: lp.cgls(scene, other), lambda: lp.invert_arrays(other, A, weight_func="no"),
                 lambda: lp.compare(A, labelled, lw.assign_coords(x=np.arange(4.0) + 1)), lambda: lp.Solve(A, other)):
        with pytest.raises(lp.InvalidArgument, match="expected"):
            call()


def test_arrays_without_labels_follow_y():
    """Beside a DataArray whose rows or axes are in another order than the operator has them, plain arrays are laid out as it is."""
    xarray = pytest.importorskip("xarray")
    A = lp.Network(sequential(6, 2))
    y, w = observe(A, 12, dtype=np.float64)
    y, w = y.reshape(-1, 3, 4), w.reshape(-1, 3, 4)
    order = np.random.default_rng(0).permutation(A.shape[0])
    labelled = xarray.DataArray(y, dims=("pair", "y", "x"), coords={"pair": ["_".join(p) for p in A.pairs]})
    mask, start = np.arange(12).reshape(3, 4) != 5, np.random.default_rng(1).normal(size=(5, 3, 4))
    prior, reference, coherence = lp.Prior(np.eye(5), start, start**2), y[:, 1, 2], 0.5 + 0.4 * np.tanh(y) ** 2
    for dims in (("pair", "y", "x"), ("y", "pair", "x"), ("y", "x", "pair")):
        place = dims.index("pair")

        def laid(values, place=place):
            """As y is given."""
            return np.moveaxis(values[order] if values.shape[0] > 1 else values, 0, place)
        given = labelled[order].transpose(*dims)
        np.testing.assert_array_equal(given.values, laid(y))
        for weights, plain in ((w, laid(w)), (w[:, 0, 0], w[order, 0, 0]), (w[:, :1, 0], w[order, :1, 0]), (w[:1], laid(w[:1])),
                               (w[:, :, :1], laid(w[:, :, :1])), (2.0, 2.0)):
            expected = lp.solve(A, y, weights)
            np.testing.assert_array_equal(lp.solve(A, given, plain).x.values, expected.x)
        several = dict(x0=start, prior=prior, tol=1e-9)
        expected = lp.solve(A, y, w, "cgls", **several).x
        np.testing.assert_array_equal(lp.solve(A, given, laid(w), "cgls", **several).x.values, expected)
        np.testing.assert_array_equal(lp.IterativeSolve(A).solve(given, laid(w), **several).x.values, expected)
        np.testing.assert_array_equal(lp.smooth_inversion(A, given, 0.5, laid(w), mask=mask, x0=start).x,
                                      lp.smooth_inversion(A, y, 0.5, w, mask=mask, x0=start).x)
        np.testing.assert_array_equal(lp.compare(A, given, laid(w), ["cholesky"], repeats=1).errors["cholesky"],
                                      lp.compare(A, y, w, ["cholesky"], repeats=1).errors["cholesky"])
        for got, right in zip(lp.invert_arrays(given, A, laid(coherence), looks=4, mask=mask, reference_phase=reference[order]),
                              lp.invert_arrays(y, A, coherence, looks=4, mask=mask, reference_phase=reference)):
            np.testing.assert_array_equal(got, right)
        with pytest.raises(lp.InvalidArgument, match="masked"):
            lp.solve(A, given, np.ma.masked_less(laid(w), w.mean()))
        flat = given.isel(x=0)
        if place:   # one for every pixel
            np.testing.assert_array_equal(lp.solve(A, flat, w[0, :, :1]).x.values, lp.solve(A, y[:, :, 0], w[:1, :, 0]).x)
        if place:   # laid out as the operator has it, not as y is
            with pytest.raises(lp.ShapeError, match=r"solve: expected weights of shape .*as y has"):
                lp.solve(A, given, w)


@pytest.mark.parametrize("weights", [3.0, np.arange(1.0, 10), np.arange(1.0, 10)[:, None], np.arange(1.0, 13)[None],
                                     np.arange(1.0, 13).reshape(1, 3, 4), np.arange(1.0, 10).reshape(9, 1, 1), np.arange(1.0, 28).reshape(9, 3, 1)],
                         ids=lambda w: str(np.shape(w)))
def test_weights_of_every_shape_everywhere(weights):
    A = lp.Network(sequential(6, 2))
    y, _ = observe(A, 12, dtype=np.float64)
    flat = np.shape(weights)[1:] == (12,)
    grid = (12,) if flat else (3, 4)
    y = y.reshape(-1, *grid)
    full = np.broadcast_to(np.reshape(weights, (9, *[1] * len(grid))) if np.size(weights) == 9 else weights, y.shape)
    exact = lp.solve(A, y, full)
    np.testing.assert_array_equal(lp.solve(A, y, weights).x, exact.x)
    np.testing.assert_allclose(lp.Solve(A, weights) @ y if np.shape(weights) != (9, 3, 1) else exact.x, exact.x, rtol=1e-9, atol=1e-9)
    if not flat:
        np.testing.assert_allclose(lp.smooth_inversion(A, y, 0.5, weights, tol=1e-10).x, lp.smooth_inversion(A, y, 0.5, full, tol=1e-10).x, atol=1e-6)
    for call in (lambda w: lp.solve(A, y, w), lambda w: lp.Solve(A, w), lambda w: lp.smooth_inversion(A, y.reshape(9, 3, 4), 1.0, w),
                 lambda w: lp.IterativeSolve(A).setup(y, w), lambda w: lp.compare(A, y, w)):
        for wrong in (np.ones(9, complex), np.array(["1"] * 9), np.array([None] * 9), "heavy"):
            with pytest.raises(lp.InvalidArgument, match="weights: expected real numbers"):
                call(wrong)


def test_callback_and_interruption(capfd):
    A = lp.Network(sequential(60, 4))
    y, w = observe(A, 40000)
    calls = []
    lp.solve(A, y, w, "cholesky", callback=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (40000, 40000) and all(0 <= done <= 40000 for done, _ in calls)
    assert capfd.readouterr() == ("", "")

    def stop(done, total):
        return False

    def fail(done, total):
        raise KeyError("mine")

    def ctrl_c(done, total):
        raise KeyboardInterrupt

    slow = dict(method="lsqr", tol=0, max_iterations=20000)   # never done before the first call
    with pytest.raises(lp.Interrupted, match="of 40000 pixels"):
        lp.solve(A, y, w, callback=stop, **slow)
    many = np.broadcast_to(y, (5, *y.shape)).transpose(1, 0, 2)
    with pytest.raises(lp.Interrupted, match="of 200000 pixels"):   # edge flow, some 0.1 s
        lp.solve(A, many, w[:, 0], callback=stop, threads=1)
    with pytest.raises(KeyError, match="mine"):
        lp.solve(A, y, w, callback=fail, **slow)
    with pytest.raises(KeyboardInterrupt):
        lp.solve(A, y, w, callback=ctrl_c, **slow)


@pytest.mark.parametrize("method", ["auto", "edge-flow", "cholesky", "qr"])
@pytest.mark.parametrize("option", [dict(history=True), dict(variances=True), dict(x0=np.zeros(4)), dict(max_iterations=5),
                                    dict(preconditioner="jacobi")])
def test_direct_methods_refuse_what_they_would_ignore(method, option):
    A = lp.Network(sequential(5, 2))
    with pytest.raises(lp.InvalidArgument, match=f"'cg', 'cgls', 'lsqr'.*{next(iter(option))}.*{method}"):
        lp.solve(A, np.zeros(A.shape[0]), method=method, **option)


@pytest.mark.parametrize("method", ITERATIVE)
def test_history_start_and_limits(method):
    A, model, _ = joint(40)
    y, w = observe(A, 40, dtype=np.float64)
    s = lp.solve(model, y, w, method, history=True, tol=1e-10, max_iterations=100, preconditioner="jacobi")
    assert (s.status == OK).all()
    h, n = s.history, s.iterations
    for p in range(40):
        assert np.isfinite(h[:n[p] + 1, p]).all() and np.isnan(h[n[p] + 1:, p]).all()
    if method != "cg":   # CG lessens another norm of the error
        assert (np.diff(h, axis=0)[~np.isnan(np.diff(h, axis=0))] <= 1e-9 * np.nanmax(h)).all()
    np.testing.assert_allclose(h[0], np.sqrt((w * y**2).sum(axis=0)), rtol=1e-9)
    again = lp.solve(model, y, w, method, x0=s.x, tol=1e-6)
    assert (again.iterations <= 1).all()
    short = lp.solve(model, y, w, method, max_iterations=1, tol=1e-14)
    assert (short.iterations == 1).all() and (short.status == lp.Status.not_converged).all() and np.isfinite(short.x).all()


@pytest.mark.parametrize("method", ITERATIVE)
def test_the_default_preconditioner_depends_on_the_model(method):
    A, model, _ = joint(20)
    y, w = observe(A, 20, dtype=np.float64)

    def same(one, other):
        return np.array_equal(one.x, other.x) and np.array_equal(one.iterations, other.iterations)

    assert same(lp.solve(A, y, w, method), lp.solve(A, y, w, method, preconditioner=None))
    assert not same(lp.solve(A, y, w, method), lp.solve(A, y, w, method, preconditioner="jacobi"))
    for of, more in ((model, {}), (A, {"prior": np.eye(A.shape[1])})):
        found = lp.solve(of, y, w, method, **more)
        assert same(found, lp.solve(of, y, w, method, preconditioner="jacobi", **more))
        assert not same(found, lp.solve(of, y, w, method, preconditioner=None, **more))
        assert same(found, lp.IterativeSolve(of, method).solve(y, w, **more))
    assert lp.solve(A, y, w, preconditioner="auto").method == "edge-flow"   # direct methods have none


@pytest.mark.parametrize("method", ITERATIVE)
def test_preconditioners_change_iterations_not_results(method):
    rng = np.random.default_rng(2)
    A = lp.Network(sequential(30, 3))
    y, w = observe(A, 50, dtype=np.float64)
    exact_x = lp.solve(A, y, w).x
    options = dict(method=method, tol=1e-12, max_iterations=2000)
    plain = lp.solve(A, y, w, **options)
    exact_model = lp.Preconditioner.direct(A, w)
    near = lp.Preconditioner.direct(A, w * rng.uniform(0.8, 1.25, w.shape))
    given = {"jacobi": "jacobi", "blocks": lp.Preconditioner.blocks(np.arange(29) // 5), "exact": exact_model, "near": near}
    results = {name: lp.solve(A, y, w, preconditioner=p, **options) for name, p in given.items()}
    for s in [plain, *results.values()]:
        assert (s.status == OK).all() and np.abs(s.x - exact_x).max() <= 1e-6 * np.abs(exact_x).max()
    assert results["exact"].iterations.max() <= 3 and results["near"].iterations.max() <= 30
    assert np.median(results["blocks"].iterations) < np.median(results["jacobi"].iterations) < np.median(plain.iterations)


def test_variances_of_lsqr():
    """After n iterations (in exact arithmetic) they are the diagonal of the inverse."""
    A, model, dense = joint(8)
    w = 10 ** np.random.default_rng(0).uniform(-1, 1, (A.shape[0], 8))
    scaled = model @ lp.Diagonal(1 / np.linalg.norm(dense(0), axis=0))   # so that all directions are visited
    y, _ = observe(A, 8, dtype=np.float64)
    s = lp.solve(scaled, y, w, "lsqr", variances=True, tol=1e-15, conlim=1e14, max_iterations=4)
    for p in range(8):
        M = dense(p) / np.linalg.norm(dense(0), axis=0) * np.sqrt(w[:, p])[:, None]
        np.testing.assert_allclose(s.variances[:, p], np.diag(np.linalg.inv(M.T @ M)), rtol=1e-6)


@pytest.mark.parametrize("method", ITERATIVE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_step_by_step_is_the_same(method, dtype):
    A, model, _ = joint(21)
    y, w = observe(A, 21, dtype=dtype)
    y[:, 4] = np.nan
    options = dict(tol=1e-5, damp=0.1, prior=lp.Prior(np.eye(4), weights=0.01))
    whole = lp.solve(model, y, w, method, history=True, **options)
    s = lp.IterativeSolve(model, method)
    with pytest.raises(lp.InvalidArgument, match="setup"):
        s.step()
    np.testing.assert_array_equal(np.nan_to_num(s.setup(y, w, history=True, **options)), 0)
    running = [s.running]
    while s.step():
        running.append(s.running)
    assert running == sorted(running, reverse=True) and running[0] == 20
    found = s.finalize()
    for name in ("x", "status", "iterations", "residual_norm", "history"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), err_msg=name)
    assert len(s.cost) == s.iteration + 1 == whole.iterations.max() + 1 and np.isnan(s.cost[0][4])
    assert found.method == whole.method and found.arithmetic == whole.arithmetic
    s.setup(y, w, **options)
    assert s.run(3, callback=lambda at: at.iteration < 2) > 0 and s.iteration == 2
    assert lp.IterativeSolve(model, method).solve(y, w, **options).x.shape == (4, 21)
    with pytest.raises(lp.InvalidArgument, match="expected"):
        lp.IterativeSolve(model, "cholesky")
    s.setup(y, w, **options)
    assert s.run(3, callback=lambda at: np.bool_(at.iteration < 2)) > 0 and s.iteration == 2
    for wrong in (-3, 0, 2.5):
        with pytest.raises(lp.InvalidArgument, match="iterations: expected an integer"):
            s.run(wrong)


def test_an_interrupted_step_has_its_cost():
    """Ctrl-C arrives when the core has done its step."""
    A = lp.Network(sequential(12, 3))
    y, w = observe(A, 5)
    s, whole = lp.IterativeSolve(A), lp.IterativeSolve(A)
    for solver in (s, whole):
        solver.setup(y, w, tol=1e-6)
    whole.run()

    class Interrupted:
        def __init__(self, core):
            self._core = core

        def __getattr__(self, name):
            return getattr(self._core, name)

        def run(self, iterations):
            self._core.run(iterations)
            raise KeyboardInterrupt
    core, s._core = s._core, Interrupted(s._core)
    with pytest.raises(KeyboardInterrupt):
        s.run()
    s._core = core
    assert s.iteration == 1 and len(s.cost) == 2
    s.run()
    np.testing.assert_array_equal(s.cost, whole.cost)


def test_one_thread_at_a_time():
    A = lp.Network(sequential(12, 3))
    y, w = observe(A, 5)
    s, inside, leave, seen = lp.IterativeSolve(A), threading.Event(), threading.Event(), []
    s.setup(y, w)

    def wait(solver):
        seen.append(solver.solution().x.shape)   # the thread itself may look
        inside.set()
        return leave.wait(60) and False
    thread = threading.Thread(target=s.run, kwargs={"callback": wait})
    thread.start()
    assert inside.wait(60)
    try:
        for call in (s.step, s.run, s.solution, s.finalize, lambda: s.setup(y, w)):
            with pytest.raises(lp.InvalidArgument, match="in use by another thread"):
                call()
    finally:
        leave.set()
        thread.join()
    assert seen == [(11, 5)] and s.iteration == 1
    s.run()


def test_wrong_input_names_the_solver():
    xarray = pytest.importorskip("xarray")
    A = lp.Network(sequential(4, 2))
    y = xarray.DataArray(np.ones((5, 2)), dims=("pair", "x"), coords={"pair": [f"2017010{k}_20180101" for k in range(5)]})
    with pytest.raises(lp.InvalidArgument, match="^solve: y: expected pairs"):
        lp.solve(A, y)
    with pytest.raises(lp.InvalidArgument, match="^compare: weights: expected pairs"):
        lp.compare(A, np.ones((5, 2)), y)
    torch = pytest.importorskip("torch")
    for values in ((torch.ones((5, 2), requires_grad=True),), (torch.ones((5, 2)), torch.ones(5, requires_grad=True))):
        with pytest.raises(lp.InvalidArgument, match="lopsar.torch.solve"):
            lp.solve(A, *values)
