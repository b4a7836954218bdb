"""A solver as an operator."""

import pickle

import lopsar as lp
import numpy as np
import pytest
import scipy.sparse.linalg as sparse_linalg

DAY = np.datetime64("2017-03-04") + 12 * np.arange(12)
A = lp.Network([(DAY[i], DAY[j]) for i in range(12) for j in range(i + 1, min(12, i + 4))])
K, N, PIXELS = *A.shape, 300
rng = np.random.default_rng(0)
WEIGHTS = 10 ** rng.uniform(-1, 1, (K, PIXELS))
WEIGHTS[rng.random(WEIGHTS.shape) < 0.15] = 0
WEIGHTS[:, 5] = 0
for k, (a, b) in enumerate(A.pairs):
    if A.dates.index(a) < 6 <= A.dates.index(b):
        WEIGHTS[k, 7] = 0   # two parts
Y, B = rng.normal(size=(K, PIXELS)), rng.normal(size=(N, PIXELS))


def matrices(S, pixels):
    """The matrix of every pixel, column by column."""
    return np.stack([S @ np.repeat(e[:, None], pixels, axis=1) for e in np.eye(S.shape[1])], axis=1)


def test_it_solves():
    S = lp.Solve(A, WEIGHTS)
    assert S.shape == (N, K) and S.pixelwise and S.pixels == PIXELS and S.normal.shape == (N, N)
    exact = lp.solve(A, Y, WEIGHTS, "edge-flow").x
    assert np.isnan(exact[:, 5]).all() and np.isnan(exact[5:, 7]).all()
    # Both are within (K + n) eps condition of the truth; weights over two decades on a chain of 12 dates: condition below 1e4.
    bound = 1e4 * (K + N) * np.finfo(float).eps
    np.testing.assert_allclose(S @ Y, np.nan_to_num(exact), atol=bound * np.abs(exact[~np.isnan(exact)]).max(), rtol=0)
    Z = Y.copy()
    Z[3, 11] = np.nan   # missing in this application
    other = WEIGHTS.copy()
    other[3, 11] = 0
    np.testing.assert_allclose(S @ Z, lp.Solve(A, other) @ Y, atol=bound, rtol=bound)


@pytest.mark.parametrize("single", [False, True])
def test_adjoint_and_matrices(single):
    dtype = "float32" if single else "float64"
    S = lp.Solve(A, WEIGHTS.astype(dtype), dtype=dtype)
    for op in (S, S.normal, A @ S, S.normal @ A.H, lp.VStack([S, -2 * S]), lp.HStack([S.normal, S]), lp.Kronecker(lp.Identity(2), S), S @ A,
               S.over((15, 20)), lp.BlockDiag([S, A])):
        assert lp.dottest(op, rtol=1e-6 if single else 1e-12, seed=1)
    few = lp.Solve(A, WEIGHTS[:, :12])
    solve, normal = matrices(few, 12), matrices(few.normal, 12)
    dense = A.todense()
    for p in (0, 3, 9):
        w = WEIGHTS[:, p]
        inverse = np.linalg.inv(dense.T @ (w[:, None] * dense))
        np.testing.assert_allclose(normal[:, :, p], inverse, rtol=1e-9, atol=1e-9 * np.abs(inverse).max())
        np.testing.assert_allclose(solve[:, :, p], inverse @ dense.T * w, rtol=1e-9, atol=1e-9)
    assert not normal[:, :, 5].any() and not solve[:, :, 5].any()
    # Two parts: the second is 0 and moves nothing; symmetric and positive semidefinite.
    for p in range(12):
        np.testing.assert_allclose(normal[:, :, p], normal[:, :, p].T, atol=1e-12 * np.abs(normal[:, :, p]).max())
        assert np.linalg.eigvalsh(normal[:, :, p]).min() >= -1e-12 * np.abs(normal[:, :, p]).max()
    assert not normal[5:, :, 7].any() and not normal[:, 5:, 7].any() and normal[:5, :5, 7].any()


def test_projector_models_priors_and_damping():
    slant = rng.uniform(8e5, 9e5, 20)
    model = A @ lp.HStack([lp.Polynomial(A), lp.DemError(A, rng.normal(0, 100, 12), slant, 35.0)])
    w, R, wr = WEIGHTS[:, 10:30], rng.normal(size=(3, 2)), np.array([0.1, 2.0, 0.5])
    S = lp.Solve(model, w, prior=lp.Prior(R, weights=wr), damp=0.3)
    expected = lp.solve(model, Y[:, :20], w, "cholesky", prior=lp.Prior(R, weights=wr), damp=0.3).x
    np.testing.assert_allclose(S @ Y[:, :20], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    assert lp.dottest(S, rtol=1e-12)
    P = A @ lp.Solve(A, WEIGHTS)
    keep = P @ Y
    np.testing.assert_allclose(P @ keep, keep, atol=1e-10)   # a projector: what fits is left alone
    pixels_of_prior = lp.Solve(model, w, prior=lp.Prior(R, weights=rng.uniform(1, 2, (3, 20))))
    assert lp.dottest(pixels_of_prior, rtol=1e-12)
    shared = lp.Solve(A)
    assert shared.pixels == 0
    np.testing.assert_allclose(shared.todense(), np.linalg.pinv(A.todense()), atol=1e-13)
    np.testing.assert_allclose((shared @ A).todense(), np.eye(N), atol=1e-13)
    np.testing.assert_allclose(lp.Solve(A, WEIGHTS[:, 0] + 1, arithmetic="float32") @ Y, lp.Solve(A, WEIGHTS[:, 0] + 1) @ Y, atol=1e-4)


def test_it_preconditions_scipy():
    """The exact inverse as M: one iteration; a neighbor's: few."""
    w = WEIGHTS[:, :25] + 0.01
    problem = lp.VStack([(lp.Weighting(np.sqrt(w)) @ A).over(25), 0.3 * lp.FirstDerivative((N, 25), axis=1)])
    normal = problem.H @ problem
    rhs = problem.rmatvec(rng.normal(size=problem.shape[0]))
    counts = {}
    for name, M in (("none", None), ("pixelwise", lp.Solve(A, w, damp=0.3).normal.over(25))):
        steps = []
        x, stopped = sparse_linalg.cg(normal, rhs, rtol=1e-8, M=M, maxiter=2000, callback=steps.append)
        assert stopped == 0 and np.linalg.norm(normal @ x - rhs) <= 1.1e-8 * np.linalg.norm(rhs)
        counts[name] = len(steps)
    assert counts["pixelwise"] < counts["none"] / 2
    alone = lp.Weighting(np.sqrt(w)) @ A
    steps = []
    sparse_linalg.cg((alone.H @ alone).over(25), rhs, rtol=1e-8, M=lp.Solve(A, w).normal.over(25), callback=steps.append)
    assert len(steps) <= 2


def test_shapes_labels_and_pickles():
    S = lp.Solve(A, WEIGHTS)
    np.testing.assert_array_equal(S @ Y.reshape(K, 15, 20), (S @ Y).reshape(N, 15, 20))
    for op, x in ((S, Y), (S.normal, B), (A @ S, Y)):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(op)) @ x, op @ x)
    np.testing.assert_array_equal(S.H.H @ Y, S @ Y)
    assert "Solve" in S.describe()
    xarray = pytest.importorskip("xarray")
    pairs = ["_".join(p) for p in A.pairs]
    y = xarray.DataArray(Y, dims=("pair", "x"), coords={"pair": pairs})
    x = S @ y[::-1]
    assert x.dims == ("date", "x") and list(x.date.values) == A.dates[1:]
    np.testing.assert_array_equal(x.values, S @ Y)


def test_pixels_of_labelled_weights():
    xarray = pytest.importorskip("xarray")
    pairs = ["_".join(p) for p in A.pairs]

    def cube(values):
        return xarray.DataArray(values.reshape(-1, 15, 20), dims=("pair", "y", "x"), coords={"pair": pairs, "x": np.arange(20.0)})
    y, w = cube(Y), cube(WEIGHTS)
    expected = (lp.Solve(A, WEIGHTS) @ Y).reshape(N, 15, 20)
    for weights in (w, w.transpose("pair", "x", "y"), w.transpose("x", "y", "pair")[:, :, ::-1]):
        S = lp.Solve(A, weights)
        for op, given, right in ((S, y, expected), (S, y.transpose("x", "pair", "y"), expected), (S.normal @ S.H.H @ A, S @ y, None),
                                 (A @ S, y, np.tensordot(A.todense(), expected, 1)), (pickle.loads(pickle.dumps(S)), y, expected)):
            x = op @ given
            assert set(x.dims[1:]) == {"y", "x"} and list(x.x.values) == list(y.x.values)
            if right is not None:
                np.testing.assert_allclose(x.transpose(x.dims[0], "y", "x").values, right, rtol=1e-12, atol=1e-12 * np.abs(right).max())
        for wrong in (y.rename(x="column"), y.assign_coords(x=np.arange(20.0) + 1)):
            with pytest.raises(lp.InvalidArgument, match="expected pixels"):
                S @ wrong
    of_prior = xarray.DataArray(WEIGHTS[:N].reshape(N, 15, 20) + 1, dims=("parameter", "y", "x"))
    prior = lp.Prior(np.eye(N), weights=of_prior.transpose("parameter", "x", "y"))
    right = lp.Solve(A, WEIGHTS, prior=lp.Prior(np.eye(N), weights=WEIGHTS[:N] + 1)) @ Y
    for weights in (w, w.transpose("pair", "x", "y"), None):
        if weights is None:
            right = lp.Solve(A, prior=lp.Prior(np.eye(N), weights=WEIGHTS[:N] + 1)) @ Y
        x = lp.Solve(A, weights, prior=prior) @ y
        np.testing.assert_allclose(x.transpose("date", "y", "x").values.reshape(N, -1), right, rtol=1e-12, atol=1e-12 * np.abs(right).max())
    with pytest.raises(lp.InvalidArgument, match="prior 0, weights: expected pixels"):
        lp.Solve(A, w.rename(x="column"), prior=prior)
    for shared in (lp.Solve(A, w[:, 0, 0]), lp.Solve(A, w[:, :1, 0])):   # of no grid
        np.testing.assert_allclose((shared @ y).values.reshape(N, -1), lp.Solve(A, WEIGHTS[:, 0]) @ Y, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("call", [lambda: lp.Solve(lp.FirstDerivative((4, 1))), lambda: lp.Solve(A, WEIGHTS[1:]), lambda: lp.Solve(A, method="lsqr"),
                                  lambda: lp.Solve(A, prior=np.eye(3)), lambda: lp.Solve(A, prior=lp.Prior(np.eye(N), data=1.0)),
                                  lambda: lp.Solve(A).tosparse(), lambda: lp.Solve(A, damp=-1), lambda: lp.Solve(A, WEIGHTS) @ Y[:, :3],
                                  lambda: lp.solve(lp.Solve(A), B),
                                  lambda: lp.Solve(A @ lp.DemError(A, np.arange(12.0), np.full(4, 8e5), 30.0), WEIGHTS)])
def test_errors(call):
    with pytest.raises((lp.InvalidArgument, lp.ShapeError), match="expected"):
        call()
