"""lopsar.solve against float64 least squares."""

import lopsar as lp
import numpy as np
import pytest


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
    assert s.x.dtype == dtype and s.method == "edge-flow" and (s.status == int(lp.Status.ok)).all() and (s.rank == 39).all()
    for p in range(50):
        x = exact(A, y, w, p)
        assert np.abs(s.x[:, p] - x).max() <= bound * max(np.abs(x).max(), np.abs(y[:, p]).max())
        residual = A.todense() @ x - y[:, p]
        assert s.residual_norm[p] == pytest.approx(np.sqrt(w[:, p] @ residual**2), rel=1e-4 if dtype == np.float32 else 1e-10)


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
    assert (s.rank == 6).all() and (s.status == int(lp.Status.rank_deficient)).all()
    assert np.isnan(s.x[3:]).all() and np.isfinite(s.x[:3]).all()
    np.testing.assert_array_equal(s.valid, [len(A.pairs) - 1] * 2 + [len(A.pairs)] * 18)
    observed, weight = np.nan_to_num(y).astype(float), np.where(np.isnan(y), 0, w).astype(float)
    for null_space, matrix, back in [("min-norm-velocity", B, lambda v: np.cumsum(12 * v)), ("min-norm-phase", A.todense(), lambda x: x)]:
        got = lp.solve(A, y, weights=w, null_space=null_space)
        assert np.isfinite(got.x).all() and (got.status == int(lp.Status.rank_deficient)).all()
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
    assert list(s.status[bad]) == [int(lp.Status.no_data)] + [int(lp.Status.not_finite)] * 3
    assert np.isnan(s.x[:, bad]).all() and (s.rank[bad] == 0).all()
    rest = np.setdiff1d(np.arange(40), bad)
    assert lp.solve(A, np.full_like(y, 1e23), weights=np.full_like(w, 1e17)).status[0] == int(lp.Status.not_finite)   # w y overflows
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
                                  lambda A, y: lp.solve(np.eye(3), y), lambda A, y: lp.solve(A, y.astype(complex))])
def test_errors(call):
    A = lp.Network(sequential(5, 2))
    with pytest.raises(ValueError, match="expected"):
        call(A, np.zeros((A.shape[0], 3), np.float32))
