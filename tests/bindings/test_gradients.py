"""Gradients of lopsar.torch.solve and lopsar.jax.solve."""

import lopsar as lp
import numpy as np
import pytest
from lopsar.gradients import vector_jacobian

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
    with pytest.raises(lp.InvalidArgument, match="float32 or float64"):
        lopsar.jax.solve(A, jnp.ones((A.shape[0], 2), jnp.bfloat16))
