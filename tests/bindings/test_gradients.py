"""Gradients of lopsar.torch.solve and lopsar.jax.solve."""

import lopsar as lp
import numpy as np
import pytest
from lopsar.gradients import vector_jacobian, way

DAY = np.datetime64("2017-03-04") + 121 * np.arange(7)   # so that seasons are seen
A = lp.Network([(DAY[i], DAY[j]) for i in range(7) for j in range(i + 1, min(7, i + 3))])
PIXELS = 5
rng = np.random.default_rng(0)
MODEL = A @ lp.HStack([lp.Polynomial(A), lp.Seasonal(A), 1e6 * lp.DemError(A, rng.normal(0, 0.1, 7), rng.uniform(8e5, 9e5, PIXELS), 35.0)])


def problem(seed=0):
    random = np.random.default_rng(seed)
    y, w = random.normal(size=(A.shape[0], PIXELS)), random.uniform(0.5, 2, (A.shape[0], PIXELS))
    y[2, 1] = np.nan
    w[3, 2] = 0
    return y, w


def shares(y, w):
    """One weight for all, per pair, per pair and pixel, per pixel."""
    return {"none": None, "pair": w[:, 0].copy(), "column": w[:, :1].copy(), "each": w, "pixel": w[:1, :].copy()}


@pytest.mark.parametrize("name", ["none", "pair", "column", "each", "pixel"])
@pytest.mark.parametrize("model, more", [(A, {}), (MODEL, {}), (MODEL, {"prior": lp.Prior(np.eye(4), data=0.3, weights=0.2), "damp": 0.5})],
                         ids=["network", "joint", "prior"])
def test_against_differences(model, more, name):
    """Central differences of the loss: truncation h^2, rounding eps / h, both about 1e-10 of it at h = 1e-5."""
    y, w = problem()
    w = shares(y, w)[name]
    g = rng.normal(size=(model.shape[1], PIXELS))

    def loss(y, w):
        return np.sum(g * lp.solve(model, y, w, "cholesky", **more).x)
    x = lp.solve(model, y, w, "cholesky", **more).x
    of_y, of_w = vector_jacobian(model, y, w, x, g, more.get("prior"), more.get("damp", 0.0))
    assert of_y.shape == y.shape and of_y[2, 1] == 0
    h = 1e-5
    for at in [(0, 0), (5, 1), (7, 4), (3, 2)]:
        up, down = y.copy(), y.copy()
        up[at] += h
        down[at] -= h
        assert of_y[at] == pytest.approx((loss(up, w) - loss(down, w)) / (2 * h), rel=1e-6, abs=1e-7)
    if w is None:
        assert of_w is None
        return
    assert of_w.shape == w.shape
    flat = w.reshape(-1)
    for at in range(0, flat.size, 4):
        if flat[at] == 0:
            assert of_w.reshape(-1)[at] == 0   # missing
            continue
        up, down = flat.copy(), flat.copy()
        up[at] += h
        down[at] -= h
        difference = (loss(y, up.reshape(w.shape)) - loss(y, down.reshape(w.shape))) / (2 * h)
        assert of_w.reshape(-1)[at] == pytest.approx(difference, rel=1e-6, abs=1e-7)


def test_undetermined_unknowns_have_no_gradient():
    """c and a + b are determined, a and b are not, and the rows that hold them matter for c."""
    M = np.array([[1.0, 1, 1], [1, 1, 0], [0, 0, 1]])
    y, w = np.array([[3.0], [1.0], [1.5]]), np.array([[1.0], [2.0], [3.0]])
    with pytest.warns(lp.IdentifiabilityWarning):
        x = lp.solve(M, y, w).x
    assert np.isnan(x[:2]).all() and np.isfinite(x[2]).all()
    of_y, of_w = vector_jacobian(lp.aslinearoperator(M), y, w, x, np.array([[np.nan], [7.0], [1.0]]), None, 0.0)

    def c(y, w):   # the same with s = a + b
        N = np.array([[1.0, 1], [1, 0], [0, 1]])
        root = np.sqrt(w)
        return np.linalg.lstsq(N * root, (y * root)[:, 0], rcond=None)[0][1]
    for k in range(3):
        e = np.zeros((3, 1))
        e[k] = 1e-5
        assert of_y[k, 0] == pytest.approx((c(y + e, w) - c(y - e, w)) / 2e-5, abs=1e-9)
        assert of_w[k, 0] == pytest.approx((c(y, w + e) - c(y, w - e)) / 2e-5, abs=1e-9)


def check_by_differences(model, y, w, g, h=1e-5, **options):
    """Gradients of sum(g x) at every datum and every weight beside central differences: errors of h^2 and of eps cond^2 / h."""
    prior, damp = options.get("prior"), options.get("damp", 0.0)
    g = np.broadcast_to(g, (lp.aslinearoperator(model).shape[1], y.shape[1]))

    def loss(y, w):
        return np.nansum(g * lp.solve(model, y, w, **options).x)
    x = lp.solve(model, y, w, **options).x
    got = vector_jacobian(lp.aslinearoperator(model), y, w, x, g, prior, damp, **way(options))
    for values, of in zip((y, w), got):
        assert of.shape == values.shape
        for at in np.ndindex(values.shape):
            if not (w[at] > 0 and np.isfinite(y[at])):
                assert of[at] == 0
                continue
            sides = []
            for step in (h, -h):
                moved = values.copy()
                moved[at] += step
                sides.append(loss(moved, w) if values is y else loss(y, moved))
            assert of[at] == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("each", [False, True], ids=["shared", "pixels"])
@pytest.mark.parametrize("of_prior", [None, 4.0])
def test_rows_of_priors_without_data_are_none(of_prior, each):
    y, w = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.2]]), np.array([[1.0, 2.0], [0.5, 1.0], [2.0, 3.0]])
    data = np.array([[0.0, np.nan], [np.nan, 0.3]]) if each else np.array([0.0, np.nan])
    M = np.array([[1.0, 0.2], [0.3, 1.0], [0.5, -1.0]])
    check_by_differences(M, y, w, np.array([[1.0], [2.0]]), prior=lp.Prior(np.eye(2), data=data, weights=of_prior))
    # Undetermined: rows 0 and 1 see a + b, the prior sees it with data; c is seen by row 2, and by row 1 besides.
    M, R = np.array([[1.0, 1, 0], [1, 1, 1], [0, 0, 1]]), [[1.0, 1, 0], [2, 2, 1]]
    with pytest.warns(lp.IdentifiabilityWarning):
        check_by_differences(M, y, w, np.ones((3, 1)), method="cholesky", prior=lp.Prior(R, data=data + 0.7, weights=of_prior))


FREE = [(0, 1), (1, 2), (3, 4)]   # the dates 3 and 4 hang together, and nothing ties them to the others


@pytest.mark.parametrize("method", ["cg", "cgls", "lsqr"])
@pytest.mark.parametrize("more", [{}, {"preconditioner": "jacobi"}, {"x0": np.array([0.3, -0.2, 1.0, 0.4])},
                                  {"preconditioner": "jacobi", "x0": np.array([0.3, -0.2, 1.0, 0.4])},
                                  {"prior": lp.Prior([[0.0, 0, 1, -1]], data=0.2)}],
                         ids=["plain", "jacobi", "x0", "both", "prior"])
def test_iterations_in_pixels_of_missing_rank(method, more):
    """The x nearest to x0, in the norm of the preconditioner, and not that of the direct solve, has the gradient."""
    net = lp.Network([(DAY[i], DAY[j]) for i, j in [*FREE, (0, 2), (2, 3)]])
    random = np.random.default_rng(3)
    y, w = random.normal(size=(5, 5)), random.uniform(0.5, 2, (5, 5))
    w[4, :3] = 0          # of full rank at pixel 3 alone
    y[1, 1] = np.nan
    w[0, 2] = w[3, 2] = 0   # the dates 1 and 2 from 0
    w[:2, 4] = 0            # no pair has date 1
    check_by_differences(net, y, w, np.arange(1.0, 5)[:, None], method=method, tol=1e-13, max_iterations=200, **more)


@pytest.mark.parametrize("method", ["cg", "cgls", "lsqr"])
def test_iterations_of_models_that_trade_off(method):
    """Fields, a diagonal preconditioner that depends on weights, and unknowns of which only the sum is seen."""
    model = MODEL @ lp.MatrixMult(np.array([[1.0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]))
    y, w = problem()
    with pytest.warns(lp.IdentifiabilityWarning):
        check_by_differences(model, y, w, np.array([[1.0], [3], [-1], [2], [0.5]]), method=method, tol=1e-13, max_iterations=300)


def test_other_preconditioners_have_no_gradient_at_missing_rank():
    net = lp.Network([(DAY[i], DAY[j]) for i, j in [*FREE, (2, 3)]])
    y, w = np.arange(8.0).reshape(4, 2), np.ones((4, 2))
    w[3, 0] = 0
    for preconditioner in (lp.Preconditioner.blocks([0, 0, 1, 1]), lp.Preconditioner.direct(net)):
        options = dict(method="cgls", preconditioner=preconditioner)
        for of in vector_jacobian(net, y, w, lp.solve(net, y, w, **options).x, np.ones((4, 2)), None, 0.0, **options):
            assert np.isnan(of[:, 0]).sum() >= 3 and np.isfinite(of[:, 1]).all()


@pytest.mark.parametrize("method", ["auto", "cholesky", "cgls"])
def test_torch(method):
    torch = pytest.importorskip("torch")
    import lopsar.torch
    y, w = problem()
    for model in (A, MODEL):
        for name, weights in shares(y, w).items():
            inputs = [torch.tensor(y, requires_grad=True)] + ([] if weights is None else [torch.tensor(weights, requires_grad=True)])
            good = ~torch.isnan(inputs[0].detach())

            def run(*given, model=model, good=good):
                return lopsar.torch.solve(model, torch.where(good, given[0], torch.nan), *given[1:], method=method, tol=1e-13,
                                          max_iterations=200 if method == "cgls" else None)
            # Where a value is missing, the difference quotient is 0 too: shifts of NaN, and of w = 0, are left out.
            filled = [torch.nan_to_num(inputs[0].detach()).requires_grad_()]
            filled += [i.detach().clamp(min=0.3).requires_grad_() for i in inputs[1:]]
            assert torch.autograd.gradcheck(run, filled, eps=1e-5, atol=1e-6, rtol=1e-5), name
    single = torch.tensor(y, dtype=torch.float32, requires_grad=True)
    lopsar.torch.solve(A, single, method=method).nansum().backward()
    assert single.grad.dtype == torch.float32 and single.grad[2, 1] == 0 and torch.isfinite(single.grad).all()
    for bad in (y, torch.tensor(y).half(), torch.tensor(y).to(torch.complex128)):
        with pytest.raises(lp.InvalidArgument, match="expected"):
            lopsar.torch.solve(A, bad)
    with pytest.raises(lp.InvalidArgument, match="null_space"):
        lopsar.torch.solve(A, torch.tensor(y), null_space="min-norm-phase")
    assert torch.equal(lopsar.torch.solve(A, torch.tensor(y), null_space=None).isnan(), lopsar.torch.solve(A, torch.tensor(y)).isnan())


def test_torch_passes_on_what_decides_about_x():
    torch = pytest.importorskip("torch")
    import lopsar.torch
    parts = lp.Network(["20170101_20170113", "20170113_20170125", "20170206_20170218"])
    y = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64, requires_grad=True)
    (torch.arange(1.0, 5)[:, None] * lopsar.torch.solve(parts, y, method="cgls", tol=1e-12)).sum().backward()
    # x = (y0, y0 + y1, -y2 / 2, y2 / 2): the least norm shares the difference of the last two dates.
    np.testing.assert_allclose(y.grad[:, 0], [3, 2, 0.5], atol=1e-10)


def test_jax():
    jax = pytest.importorskip("jax")
    import lopsar.jax
    jnp = jax.numpy
    y, w = problem()
    y, w = np.nan_to_num(y), np.maximum(w, 0.3)
    g = rng.normal(size=(4, PIXELS))
    with jax.enable_x64(True):
        def loss(y, w):
            return jnp.sum(g * lopsar.jax.solve(MODEL, y, w))
        value, (of_y, of_w) = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(y, w)
        assert value == pytest.approx(np.sum(g * lp.solve(MODEL, y, w).x), rel=1e-12)
        expected = vector_jacobian(MODEL, y, w, lp.solve(MODEL, y, w).x, g, None, 0.0)
        np.testing.assert_allclose(of_y, expected[0], rtol=1e-10)
        np.testing.assert_allclose(of_w, expected[1], rtol=1e-10)
        shared = jax.grad(loss, argnums=1)(y, w[:, 0])
        assert shared.shape == w[:, 0].shape
        h = 1e-5
        e = np.eye(len(w))[4] * h
        assert shared[4] == pytest.approx(float(loss(y, w[:, 0] + e) - loss(y, w[:, 0] - e)) / (2 * h), rel=1e-6)
        assert jax.grad(lambda y: jnp.sum(lopsar.jax.solve(MODEL, y)))(y).shape == y.shape
        each = jax.vmap(lambda y: lopsar.jax.solve(A, y), in_axes=-1, out_axes=-1)(y)
        np.testing.assert_allclose(each, lp.solve(A, y).x, atol=1e-12)
        parts = lp.Network(["20170101_20170113", "20170113_20170125", "20170206_20170218"])   # as in the test of PyTorch
        x = jax.jit(lambda y: lopsar.jax.solve(parts, y, method="lsqr", tol=1e-12, null_space=None))
        of_y = jax.grad(lambda y: jnp.sum(jnp.arange(1.0, 5)[:, None] * x(y)))(jnp.array([[1.0], [2.0], [3.0]]))
        np.testing.assert_allclose(of_y[:, 0], [3, 2, 0.5], atol=1e-10)
    with pytest.raises(lp.InvalidArgument, match="float32 or float64"):
        lopsar.jax.solve(A, jnp.ones((A.shape[0], 2), jnp.bfloat16))
