"""Spatially smooth joint inversion against dense matrices, and the iterations of its preconditioners."""

from __future__ import annotations

import lopsar as lp
import numpy as np
import pytest

BOUNDARIES = ["free", "reflected", "zero"]
RNG = np.random.default_rng(0)


def network(dates: int, connections: int = 3) -> lp.Network:
    days = np.datetime64("2020-01-01") + 12 * np.arange(dates)
    return lp.Network([(days[i], days[i + s]) for s in range(1, connections + 1) for i in range(dates - s)])


def second_difference(n: int, boundary: str, h: float = 1.0) -> np.ndarray:
    d = np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    if boundary == "free":
        d[[0, -1]] = 0
    if boundary == "reflected":
        d[0, 0] = d[-1, -1] = -1
    return d / h**2


def laplacian(grid: tuple[int, ...], boundary: str, sampling: tuple[float, ...]) -> np.ndarray:
    """The matrix of one plane, by Kronecker products."""
    total = np.zeros((np.prod(grid),) * 2)
    for axis, (n, h) in enumerate(zip(grid, sampling)):
        total += np.kron(np.kron(np.eye(int(np.prod(grid[:axis]))), second_difference(n, boundary, h)), np.eye(int(np.prod(grid[axis + 1:]))))
    return total


def dense_normal(rows: np.ndarray, weights: np.ndarray, strength: np.ndarray, L: np.ndarray) -> np.ndarray:
    """A'WA + Lambda^2 L'L for x in the order (unknown, pixel): rows (pixels, m, n), weights (m, pixels)."""
    n, pixels = rows.shape[2], len(L)
    H = np.kron(np.diag(strength**2), L.T @ L).reshape(n, pixels, n, pixels)
    for p in range(pixels):
        H[:, p, :, p] += rows[p].T @ (weights[:, p, None] * rows[p])
    return H.reshape(n * pixels, n * pixels)


def small(boundary="free", dates=5, grid=(5, 6), sampling=(1.0, 1.0), strength=None):
    """A problem with gaps, a hole, a mask, one strength per unknown: (arguments, keywords, H, b)."""
    A = network(dates)
    m, n, pixels = *A.shape, int(np.prod(grid))
    strength = np.linspace(0.3, 1.5, n) if strength is None else strength
    y, w = RNG.normal(size=(m, *grid)), 10 ** RNG.uniform(-1, 1, (m, *grid))
    y[RNG.random(y.shape) < 0.2] = np.nan
    w[RNG.random(y.shape) < 0.1] = np.nan
    w[:, 2, 2] = 0
    mask = np.ones(grid, bool)
    mask[1, 1:3] = False
    seen = np.isfinite(y) & (w > 0) & mask
    weights = np.where(seen, w, 0).reshape(m, pixels)
    rows = np.broadcast_to(A.todense(), (pixels, m, n))
    H = dense_normal(rows, weights, np.broadcast_to(strength, n), laplacian(grid, boundary, sampling))
    b = (A.todense().T @ (weights * np.where(seen, y, 0).reshape(m, pixels))).ravel()
    return (A, y, strength, w), {"mask": mask, "boundary": boundary, "sampling": sampling}, H, b


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("preconditioner", ["auto", "pixelwise", "spectral", "jacobi", None])
def test_solution_of_the_dense_normal_equations(boundary, preconditioner):
    args, options, H, b = small(boundary, sampling=(1.0, 0.5))
    s = lp.smooth_inversion(*args, **options, preconditioner=preconditioner, tol=1e-11)
    x = np.linalg.solve(H, b)
    # |x - x*| <= |H^-1| |r| and |r| <= tol |b| <= tol |H| |x|; as much again for rounding.
    assert s.converged and s.x.shape == (4, 5, 6)
    assert np.linalg.norm(s.x.ravel() - x) <= 2e-11 * np.linalg.cond(H) * np.linalg.norm(x)
    assert len(s.history) == s.iterations + 1 and s.history[-1] <= 1e-11 < s.history[-2]
    assert s.preconditioner in ("pixelwise", "spectral") if preconditioner == "auto" else s.preconditioner == preconditioner


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_normal_operator_and_data(boundary):
    args, options, H, b = small(boundary)
    problem = lp.SmoothInversion(*args, **options)
    np.testing.assert_allclose(problem.normal.todense(), H, atol=1e-12 * np.abs(H).max())
    np.testing.assert_allclose(problem.data.ravel(), b, atol=1e-12 * np.abs(b).max())
    assert lp.dottest(problem.normal)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_one_strength_for_all_and_a_grid_of_one_axis(boundary):
    args, options, H, b = small(boundary, grid=(9, 4), strength=0.7)
    np.testing.assert_allclose(lp.SmoothInversion(*args, **options).normal.todense(), H, atol=1e-12 * np.abs(H).max())
    A = network(4)
    y = RNG.normal(size=(A.shape[0], 11))
    H = dense_normal(np.broadcast_to(A.todense(), (11, *A.shape)), np.ones(y.shape), np.full(3, 2.0), laplacian((11,), boundary, (1.0,)))
    s = lp.smooth_inversion(A, y, 2.0, boundary=boundary, tol=1e-12)
    x = np.linalg.solve(H, (A.todense().T @ y).ravel())
    assert np.linalg.norm(s.x.ravel() - x) <= 2e-12 * np.linalg.cond(H) * np.linalg.norm(x)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_pixelwise_preconditioner_is_the_inverse_of_the_diagonal_blocks(boundary):
    args, options, H, _ = small(boundary)
    M = lp.SmoothInversion(*args, **options).preconditioner("pixelwise")
    n, pixels = 4, 30
    blocks = H.reshape(n, pixels, n, pixels)
    expected = np.zeros_like(blocks)
    for p in range(pixels):
        expected[:, p, :, p] = np.linalg.inv(blocks[:, p, :, p])
    np.testing.assert_allclose(M.todense(), expected.reshape(H.shape), atol=1e-10 * np.abs(expected).max())
    assert lp.dottest(M)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_jacobi_preconditioner_is_the_inverse_of_the_diagonal(boundary):
    args, options, H, _ = small(boundary)
    np.testing.assert_allclose(lp.SmoothInversion(*args, **options).preconditioner("jacobi") @ np.ones(len(H)), 1 / np.diag(H), rtol=1e-12)


@pytest.mark.parametrize("boundary", ["reflected", "zero"])
@pytest.mark.parametrize("strength", [0.7, np.array([0.0, 0.5, 1, 2])])
def test_spectral_preconditioner_is_the_inverse_where_pixels_are_alike(boundary, strength):
    A, grid = network(5), (5, 6)
    w = 10 ** RNG.uniform(-1, 1, A.shape[0])
    problem = lp.SmoothInversion(A, RNG.normal(size=(A.shape[0], *grid)), strength, w, boundary=boundary, sampling=(1.0, 0.5))
    M, H = problem.preconditioner("spectral"), problem.normal.todense()
    np.testing.assert_allclose(M.todense() @ H, np.eye(len(H)), atol=1e-13 * np.linalg.cond(H))
    assert lp.dottest(M)
    assert lp.smooth_inversion(A, RNG.normal(size=(A.shape[0], *grid)), strength, w, boundary=boundary, preconditioner="spectral").iterations <= 2


def test_free_edges_cost_planes_nothing_and_the_preconditioner_knows():
    A, grid = network(3), (7, 9)
    problem = lp.SmoothInversion(A, np.zeros((A.shape[0], *grid)), 1.0)
    i, j = np.meshgrid(*map(np.arange, grid), indexing="ij")
    planes = np.stack([1 + 0.5 * i, 2 - j + 0.1 * i * j])
    assert np.abs(problem.laplacian @ planes).max() <= 1e-13 * np.abs(planes).max()
    # So H acts on them as the network alone, and the preconditioner as its inverse.
    N = A.todense().T @ A.todense()
    np.testing.assert_allclose(problem.preconditioner("spectral") @ np.tensordot(N, planes, 1), planes, atol=1e-10)


def test_long_axes_take_cosines_at_free_edges():
    args, options, H, b = small("free", dates=3, grid=(70, 4))
    M = lp.SmoothInversion(*args, **options).preconditioner("spectral")
    assert M.modes.matrices is None and lp.dottest(M)
    L, T = laplacian((70, 4), "free", (1, 1)), M.modes.transform(np.eye(280).reshape(280, 70, 4)).reshape(280, 280)
    np.testing.assert_allclose(np.diag(T.T @ L.T @ L @ T), M.modes.energy.ravel(), atol=1e-12 * M.modes.energy.max())
    s = lp.smooth_inversion(*args, **options, preconditioner="spectral", tol=1e-12)
    x = np.linalg.solve(H, b)
    assert np.linalg.norm(s.x.ravel() - x) <= 2e-12 * np.linalg.cond(H) * np.linalg.norm(x)


def test_a_model_with_fields_and_units_far_apart():
    A, grid = network(6), (4, 5)
    slant, incidence = np.linspace(8e5, 9e5, 20), np.linspace(30, 45, 20)
    M = A @ lp.HStack([lp.Polynomial(A, degree=1), lp.DemError(A, RNG.normal(0, 100, 6), slant, incidence)])
    strength, y, w = np.array([3.0, 0.01]), RNG.normal(size=(M.shape[0], *grid)), 10 ** RNG.uniform(-1, 1, (A.shape[0], *grid))
    rows = np.stack([(M @ np.eye(2)[:, [j] * 20]).T for j in range(2)], axis=2)
    H = dense_normal(rows, w.reshape(-1, 20), strength, laplacian(grid, "free", (1, 1)))
    b = np.einsum("pmn,mp->np", rows, (w * y).reshape(-1, 20)).ravel()
    x = np.linalg.solve(H, b).reshape(2, *grid)
    for preconditioner in ("pixelwise", "spectral", "auto"):
        s = lp.smooth_inversion(M, y, strength, w, preconditioner=preconditioner, tol=1e-13)
        assert s.converged
        # Each unknown by its own size: both preconditioners scale by the diagonal.
        assert (np.abs(s.x - x).max((1, 2)) <= 1e-6 * np.abs(x).max((1, 2))).all(), preconditioner


def test_float32_stays_float32():
    (A, y, strength, w), options, H, b = small()
    s = lp.smooth_inversion(A, y.astype(np.float32), strength, w.astype(np.float32), **options, tol=1e-5)
    x = np.linalg.solve(H, b)
    assert s.x.dtype == np.float32 and s.converged
    assert np.linalg.norm(s.x.ravel() - x) <= 2e-5 * np.linalg.cond(H) * np.linalg.norm(x)
    assert lp.smooth_inversion(A, y.astype(np.float32), strength, w, **options, dtype="float64").x.dtype == np.float64


def test_pixels_without_data_are_filled_by_smoothness():
    A, grid = network(3), (8, 8)
    i, j = np.meshgrid(*map(np.arange, grid), indexing="ij")
    truth = np.stack([0.2 * i - 0.1 * j, 0.3 + 0.05 * i * j])
    y = A.over(grid) @ truth
    y[:, 2:6, 3:7] = np.nan
    s = lp.smooth_inversion(A, y, 1.0, tol=1e-13)
    np.testing.assert_allclose(s.x, truth, atol=1e-8)   # fits the data and costs nothing: the exact minimum is 0


def experiment(seed: int = 0, dates: int = 40, size: int = 24):
    """40 dates, 117 pairs, 24 x 24 pixels, weights over two decades."""
    rng = np.random.default_rng(seed)
    A = network(dates)
    K, N, P = A.shape[0], dates - 1, size**2
    w = 10 ** rng.uniform(-1, 1, (K, P))
    truth = np.cumsum(rng.normal(0, 0.3, (N, P)), 0)
    y = A @ truth + rng.normal(0, 1, (K, P)) / np.sqrt(w)
    return A, y.reshape(K, size, size), w.reshape(K, size, size)


# Iterations of SciPy's cg to 1e-6 on sparse matrices: no preconditioner, the diagonal, pixelwise, spectral. The experiment's Laplacian is that
# of a field in a frame of zeros.
COUNTS = {0.1: (255, 176, 27, 39), 0.3: (227, 165, 74, 28), 1.0: (240, 241, 206, 16), 3.0: (418, 415, 411, 11)}


@pytest.mark.parametrize("strength", COUNTS)
def test_iterations_of_the_experiment(strength):
    A, y, w = experiment()
    kinds = (None, "jacobi", "pixelwise", "spectral")
    counts = [lp.smooth_inversion(A, y, strength, w, boundary="zero", preconditioner=kind).iterations for kind in kinds]
    assert all(abs(n - expected) <= 0.25 * expected for n, expected in zip(counts, COUNTS[strength])), counts
    assert np.argmin(counts) == np.argmin(COUNTS[strength])


def test_gaps_want_smoothness():
    A = network(5)
    y = np.random.default_rng(0).normal(size=(A.shape[0], 12, 14))
    y[:, 4:6, 3:8] = np.nan
    for strength in (0.0, [1.0, 0, 1, 1]):
        for kind in ("auto", "jacobi"):
            with pytest.raises(lp.InvalidArgument, match="take smoothness > 0"):
                lp.smooth_inversion(A, y, strength, preconditioner=kind)
    start = np.full((4, 1, 1), 0.3)
    left = lp.smooth_inversion(A, y, 0.0, preconditioner="pixelwise", x0=start)
    assert left.converged and (left.x[:, 4:6, 3:8] == 0.3).all()
    for wrong in (np.ones((4, 14, 12)), np.ones(4 * 12 * 14), np.ones((4, 12))):
        with pytest.raises(lp.ShapeError, match=r"x0 of shape \(4, 12, 14\)"):
            lp.smooth_inversion(A, y, 1.0, x0=wrong)


@pytest.mark.parametrize("boundary", ["free", "zero"])
@pytest.mark.parametrize("strength", [0.03, *COUNTS])
def test_auto_takes_the_better_one_in_the_experiment(strength, boundary):
    A, y, w = experiment()
    counts = {kind: lp.smooth_inversion(A, y, strength, w, boundary=boundary, preconditioner=kind).iterations for kind in ("pixelwise", "spectral")}
    s = lp.smooth_inversion(A, y, strength, w, boundary=boundary)
    assert set(s.estimate) == set(counts) and s.iterations == counts[s.preconditioner]
    assert s.iterations <= 1.5 * min(counts.values()), (counts, s.estimate)


@pytest.mark.parametrize("strength", [0.1, 10.0])
def test_auto_takes_the_better_one_where_weights_vary_from_place_to_place(strength):
    A, (ny, nx) = network(12), (32, 40)
    i, j = np.meshgrid(np.linspace(0, 6, ny), np.linspace(0, 7, nx), indexing="ij")
    w = 10 ** (np.sin(i) * np.cos(j) + RNG.uniform(-0.3, 0.3, (A.shape[0], ny, nx)))
    w[:, 8:18, 10:22] = 0
    y = RNG.normal(size=w.shape)
    counts = {kind: lp.smooth_inversion(A, y, strength, w, preconditioner=kind, tol=1e-5).iterations for kind in ("pixelwise", "spectral")}
    s = lp.smooth_inversion(A, y, strength, w, tol=1e-5)
    assert s.iterations <= 1.5 * min(counts.values()), (counts, s.estimate)


def test_stops_where_told_and_calls_back():
    (A, y, strength, w), options, *_ = small()
    seen = []
    s = lp.smooth_inversion(A, y, strength, w, **options, preconditioner=None, max_iterations=3, callback=lambda x: seen.append(x.copy()))
    assert not s.converged and s.iterations == 3 and len(seen) == 3 and s.estimate == {}
    done = lp.smooth_inversion(A, y, strength, w, **options, tol=1e-10)
    assert lp.smooth_inversion(A, y, strength, w, **options, x0=done.x, tol=1e-9).iterations == 0


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"y": np.zeros((4, 5, 6))}, lp.ShapeError, "expected y of shape"),
    ({"y": np.zeros((9, 2, 6))}, lp.ShapeError, "3 or more pixels"),
    ({"y": np.full((9, 5, 6), np.inf)}, lp.InvalidArgument, "infinity"),
    ({"y": np.full((9, 5, 6), np.nan)}, lp.InvalidArgument, "got none"),
    ({"weights": np.zeros(9)}, lp.InvalidArgument, "got none"),
    ({"weights": -np.ones(9)}, lp.InvalidArgument, "weights >= 0"),
    ({"weights": np.ones(8)}, lp.ShapeError, "weights: expected shape"),
    ({"mask": np.ones((5, 5), bool)}, lp.ShapeError, "mask of bool"),
    ({"smoothness": -1.0}, lp.InvalidArgument, "smoothness >= 0"),
    ({"smoothness": np.ones(3)}, lp.InvalidArgument, "one for each of 4"),
    ({"boundary": "periodic"}, lp.InvalidArgument, "'free', 'reflected' or 'zero'"),
    ({"sampling": (1.0, 0.0)}, lp.InvalidArgument, "sampling > 0"),
    ({"preconditioner": "magic"}, lp.InvalidArgument, "expected preconditioner"),
    ({"model": lp.Laplacian((9, 5, 6))}, lp.InvalidArgument, "pixelwise model"),
])
def test_what_does_not_fit_is_refused(change, error, message):
    arguments = {"model": network(5), "y": np.zeros((9, 5, 6)), "smoothness": 1.0} | change
    with pytest.raises(error, match=message):
        lp.smooth_inversion(**arguments)


KINDS = ["auto", "pixelwise", "spectral", "jacobi", None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", ["trade-off", "no observation", "no data"])
def test_what_the_data_leave_free_is_warned_of_and_left_to_smoothness(case, kind, dtype):
    A = network(5)
    model = {"trade-off": lp.Pattern(np.hstack([A.todense(), A.todense()[:, :1]])), "no observation": lp.Pattern(np.eye(9, 4) * [1, 1, 1, 0]),
             "no data": A}[case]
    y = np.random.default_rng(3).normal(size=(9, 6, 7))
    w = np.ones(9)
    if case == "no data":   # for the last date
        w[np.abs(A.todense()[:, 3]) > 0] = 0
    with pytest.warns(lp.IdentifiabilityWarning, match="smooth_inversion: the data determine") as told:
        s = lp.smooth_inversion(model, y, 0.7, w, preconditioner=kind, tol=1e-5, dtype=dtype)
    assert len(told) == 1 and told[0].filename == __file__
    n = model.shape[1]
    B = np.sqrt(w)[:, None] * model.todense()
    L = lp.Laplacian((6, 7), axes=(0, 1)).todense()
    H = np.kron(B.T @ B, np.eye(42)) + 0.49 * np.kron(np.eye(n), L.T @ L)
    exact = np.linalg.lstsq(H, (B.T @ (np.sqrt(w)[:, None] * y.reshape(9, -1))).ravel(), rcond=1e-12)[0].reshape(n, -1)
    assert s.converged
    # |B (x - exact)| <= |r| / sqrt(smallest nonzero eigenvalue of H): what lies in the null space of H is not seen by B.
    values = np.linalg.eigvalsh(H)
    bound = 1.1e-5 * np.linalg.norm(B.T @ (np.sqrt(w)[:, None] * y.reshape(9, -1))) / np.sqrt(values[values > 1e-10 * values[-1]][0])
    assert np.linalg.norm(B @ (s.x.reshape(n, -1) - exact)) <= bound * (1 if dtype == "float64" else 20)
