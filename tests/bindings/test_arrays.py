"""Arrays of other libraries: PyTorch, JAX, xarray. Each where it is installed."""

import lopsar as lp
import numpy as np
import pytest

DATES = ["20170304", "20170316", "20170328", "20170409"]
A = lp.Network([(DATES[0], DATES[1]), (DATES[0], DATES[2]), (DATES[1], DATES[2]), (DATES[2], DATES[3]), (DATES[1], DATES[3])])
rng = np.random.default_rng(0)
C = rng.standard_normal((5, 3)) + 1j * rng.standard_normal((5, 3))


def operators():
    """Native, composed, complex, written in Python."""
    return {"network": A, "composed": 2 * A.H @ A + lp.MatrixMult(np.ones((3, 3))), "complex": lp.MatrixMult(C),
            "function": lp.FunctionOperator(lambda x: C.real @ x, lambda y: C.real.T @ y, 5, 3), "field": lp.MatrixMult(C.real, otherdims=(2, 2))}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_tensors_in_and_out(torch, dtype):
    x = torch.arange(12).to(getattr(torch, dtype)).reshape(3, 4)
    y = A @ x
    assert isinstance(y, torch.Tensor) and y.dtype == x.dtype
    np.testing.assert_array_equal(y.numpy(), A @ x.numpy())
    np.testing.assert_array_equal((A @ x[:, ::2]).numpy(), (A @ x.numpy())[:, ::2])
    assert (A.H @ y).shape == (3, 4) and A.over((2, 2)) @ x.reshape(3, 2, 2) is not None


def test_tensors_are_not_copied(torch):
    seen = []

    class Looks(lp.LinearOperator):
        def _matvec(self, x):
            seen.append((x.ctypes.data, x))
            return x.copy()

    x = torch.ones(1000, dtype=torch.float64)
    y = Looks(shape=(1000, 1000)) @ x
    assert seen[0][0] == x.data_ptr()
    result = (lp.aslinearoperator(np.eye(3)) @ torch.ones(3, dtype=torch.float64))
    view = np.from_dlpack(result)
    result[0] = 5
    assert view[0] == 5 and y.shape == (1000,)


@pytest.mark.parametrize("name", list(operators()))
def test_gradient_in_torch_is_the_adjoint(torch, name):
    import lopsar.torch
    op = operators()[name]
    kind = torch.complex128 if name == "complex" else torch.float64
    for shape in [(op.shape[1],), (op.shape[1], 2), *([op.dims] if len(op.dims) > 1 else [])]:
        x = torch.tensor(rng.standard_normal(shape), dtype=kind, requires_grad=True)
        y = lopsar.torch.apply(op, x)
        np.testing.assert_allclose(y.detach().numpy(), op @ x.detach().numpy())
        assert torch.autograd.gradcheck(lambda x: lopsar.torch.apply(op, x), x)
        assert torch.autograd.gradgradcheck(lambda x: lopsar.torch.apply(op, x) ** 2, x)
    real = torch.tensor(rng.standard_normal(op.shape[1]), requires_grad=True)
    lopsar.torch.apply(op, real).abs().pow(2).sum().backward()
    np.testing.assert_allclose(real.grad.numpy(), 2 * (op.H @ (op @ real.detach().numpy())).real)


def test_torch_refuses_what_it_cannot_do(torch):
    import lopsar.torch
    with pytest.raises(lp.ShapeError):
        lopsar.torch.apply(A, torch.ones(4))
    with pytest.raises(lp.InvalidArgument, match="CPU"):
        lopsar.torch.apply(A, torch.ones(3, device="meta"))
    with pytest.raises((BufferError, RuntimeError)):
        A @ torch.ones(3, requires_grad=True)


def test_least_squares_by_torch(torch):
    import lopsar.torch
    truth = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    y = A @ truth
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([x], max_iter=50, tolerance_grad=1e-12, tolerance_change=1e-15)

    def loss():
        optimizer.zero_grad()
        value = ((lopsar.torch.apply(A, x) - y) ** 2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    np.testing.assert_allclose(x.detach().numpy(), truth.numpy(), atol=1e-6)


def test_jax_arrays_in_and_out(jax):
    x = jax.numpy.arange(12, dtype="float32").reshape(3, 4)
    y = A @ x
    assert isinstance(y, jax.Array) and y.dtype == "float32"
    np.testing.assert_array_equal(np.asarray(y), A @ np.asarray(x))


@pytest.mark.parametrize("name", list(operators()))
def test_jax_transforms(jax, name):
    import lopsar.jax
    op = operators()[name]
    matrix = op.todense()
    x = rng.standard_normal(op.shape[1]) + (1j * rng.standard_normal(op.shape[1]) if name == "complex" else 0)
    run = jax.jit(lambda x: lopsar.jax.apply(op, x))
    np.testing.assert_allclose(run(x), matrix @ x, atol=1e-12)
    y, pull = jax.vjp(run, x)
    g = rng.standard_normal(op.shape[0]).astype(y.dtype)
    np.testing.assert_allclose(pull(jax.numpy.asarray(g))[0], matrix.T @ g, atol=1e-12)

    def loss(x):
        return (abs(lopsar.jax.apply(op, x)) ** 2).sum()

    gradient = jax.jit(jax.grad(loss))(x)          # JAX's gradient of a real function is the conjugate of the usual one
    np.testing.assert_allclose(gradient, np.conj(2 * matrix.conj().T @ (matrix @ x)), atol=1e-10)
    np.testing.assert_allclose(jax.vmap(run)(np.stack([x, 2 * x])), np.stack([matrix @ x, 2 * matrix @ x]), atol=1e-12)
    assert run(x.astype(np.complex64 if np.iscomplexobj(x) else np.float32)).dtype in (np.float32, np.complex64)
    if len(op.dims) > 1:
        assert run(x.reshape(op.dims)).shape == op.dimsd
    with pytest.raises(lp.ShapeError):
        lopsar.jax.apply(op, np.ones(op.shape[1] + 1))


def test_a_large_array_in_jitted_jax(jax):
    import lopsar.jax
    x = np.ones((3, 400000), np.float32)
    run = jax.jit(lambda x: lopsar.jax.apply(A, x * 2).sum(axis=1))
    np.testing.assert_allclose(run(x), 2 * 400000 * (A @ np.ones(3)))


def test_xarray_keeps_names_coordinates_and_units():
    xarray = pytest.importorskip("xarray")
    cube = xarray.DataArray(rng.standard_normal((3, 2, 4)).astype(np.float32), dims=("date", "y", "x"), name="series",
                            coords={"date": DATES[1:], "y": [10.0, 20.0], "x": [1, 2, 3, 4], "height": (("y", "x"), np.ones((2, 4)))},
                            attrs={"units": "radian"})
    y = A @ cube
    assert y.dims == ("pair", "y", "x") and y.name == "series" and y.attrs["units"] == "radian" and y.dtype == np.float32
    assert list(y.coords) and y.sel(pair="20170316_20170328").shape == (2, 4) and "date" not in y.coords
    np.testing.assert_array_equal(y.values, A @ cube.values)
    np.testing.assert_array_equal(y.coords["y"], cube.coords["y"])
    assert y.coords["height"].dims == ("y", "x")
    back = A.H @ y
    assert back.dims == ("date", "y", "x") and list(back.coords["date"].values) == DATES[1:]
    np.testing.assert_array_equal(A @ cube.transpose("y", "x", "date"), y)          # the axis that the operator knows is found by its name
    assert ((A.H @ A) @ cube).dims == cube.dims and (A.over((2, 4)) @ cube).dims == ("pair", "y", "x")
    stacked = lp.VStack([A, A]) @ cube
    assert stacked.dims == ("data", "y", "x") and stacked.shape == (10, 2, 4)
    plain = lp.MatrixMult(np.eye(2)) @ cube[0]
    assert plain.dims == ("y", "x") and list(plain.coords["x"].values) == [1, 2, 3, 4]
    cut = lp.MatrixMult(np.eye(1, 2)) @ cube[0]
    assert cut.dims == ("data", "x") and "height" not in cut.coords
