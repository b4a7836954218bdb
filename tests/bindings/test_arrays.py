"""Arrays of other libraries: PyTorch, JAX, xarray. Each where it is installed."""

import subprocess
import sys

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
    with pytest.raises(lp.InvalidArgument, match=r"lopsar.torch.apply.*detach"):
        A @ torch.ones(3, requires_grad=True)
    with pytest.raises(lp.InvalidArgument, match=r"expected a torch.Tensor, got ndarray"):
        lopsar.torch.apply(A, np.ones(3))
    for kind in (torch.bfloat16, torch.float16):
        for run in (lambda x: A @ x, lambda x: lopsar.torch.apply(A, x)):
            with pytest.raises(lp.InvalidArgument, match=f"got {str(kind)[6:]}; convert it"):
                run(torch.ones(3, dtype=kind))
    for x in (torch.ones(3, device="meta"), torch.eye(3).to_sparse()):
        with pytest.raises(lp.InvalidArgument, match="dense array"):
            A @ x


def test_views_and_numbers_in_torch(torch):
    x = torch.tensor(rng.standard_normal((3, 2)) + 1j * rng.standard_normal((3, 2)))
    np.testing.assert_array_equal((A @ x.conj()).numpy(), A @ x.numpy().conj())
    np.testing.assert_array_equal((A @ x.conj().imag).numpy(), A @ -x.numpy().imag)
    y = torch.ones(2, 5, dtype=torch.float64)
    assert isinstance(y @ A, torch.Tensor) and (y @ A).shape == (2, 3) and isinstance(A @ torch.nn.Parameter(x[:, 0].real, False), torch.Tensor)
    np.testing.assert_array_equal((y @ A).numpy(), y.numpy() @ A)
    v = torch.arange(5.0)
    np.testing.assert_array_equal((v @ A).numpy(), v.numpy() @ A)
    for op in (A * torch.tensor(2.0), torch.tensor(2.0) * A, torch.tensor(2) * A):
        assert isinstance(op, lp.LinearOperator)
        np.testing.assert_array_equal(op @ np.ones(3), 2 * (A @ np.ones(3)))
    np.testing.assert_array_equal((torch.tensor(2j) * A) @ np.ones(3), 2j * (A @ np.ones(3)))
    with pytest.raises(ValueError, match="use \\* for scaling"):
        A @ torch.tensor(2.0)


def test_torch_func(torch):
    import lopsar.torch
    for op in (A, lp.MatrixMult(C)):
        x = torch.tensor(rng.standard_normal((4, 3)) + (1j * rng.standard_normal((4, 3)) if op is not A else 0))
        matrix = torch.tensor(op.todense())
        run = lambda x: lopsar.torch.apply(op, x)   # noqa: E731, B023
        torch.testing.assert_close(torch.func.vmap(run)(x), x @ matrix.T)
        torch.testing.assert_close(torch.func.vmap(run, in_dims=1, out_dims=1)(x.T), matrix @ x.T)
        torch.testing.assert_close(torch.func.jvp(run, (x[0],), (x[1],))[1], matrix @ x[1])
        loss = lambda x: run(x).abs().pow(2).sum()   # noqa: E731, B023
        torch.testing.assert_close(torch.func.grad(loss)(x[0]), 2 * matrix.mH @ (matrix @ x[0]))
        torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), 2 * (x @ matrix.T) @ matrix.conj())
    torch.testing.assert_close(torch.func.jacrev(lambda x: lopsar.torch.apply(A, x))(x[0].real), torch.tensor(A.todense()))
    torch.testing.assert_close(torch.func.jacfwd(lambda x: lopsar.torch.apply(A, x))(x[0].real), torch.tensor(A.todense()))
    hessian = torch.func.hessian(lambda x: lopsar.torch.apply(A, x).pow(2).sum())(x[0].real)
    torch.testing.assert_close(hessian, torch.tensor(2 * A.todense().T @ A.todense()))


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


@pytest.mark.parametrize("name", ["network", "complex"])
def test_jax_derivatives_of_derivatives(jax, name):
    import lopsar.jax
    op = operators()[name]
    matrix = op.todense()
    x = rng.standard_normal(op.shape[1])
    loss = lambda x: (abs(lopsar.jax.apply(op, x)) ** 2).sum()   # noqa: E731
    hessian = 2 * (matrix.conj().T @ matrix).real
    np.testing.assert_allclose(jax.jacrev(jax.jacrev(loss))(x), hessian, atol=1e-10)
    np.testing.assert_allclose(jax.jit(jax.grad(lambda x: (jax.grad(loss)(x) ** 2).sum()))(x), 2 * hessian @ hessian @ x, atol=1e-8)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(loss, (x,), (x,))


def test_jax_refuses_what_it_cannot_do(jax):
    import lopsar.jax
    for kind in ("bfloat16", "float16"):
        x = jax.numpy.ones(3, kind)
        for run in (lambda x: A @ x, lambda x: lopsar.jax.apply(A, x), jax.jit(lambda x: lopsar.jax.apply(A, x))):
            with pytest.raises(lp.InvalidArgument, match=f"got {kind}; convert it"):
                run(x)
    with pytest.raises(lp.InvalidArgument, match="lopsar.jax.apply"):
        jax.jit(lambda x: A @ x)(np.ones(3))


def test_products_from_the_left_and_numbers_in_jax(jax):
    y = jax.numpy.arange(10.0).reshape(2, 5)
    assert isinstance(y @ A, jax.Array)
    np.testing.assert_array_equal(np.asarray(y @ A), np.asarray(y) @ A)
    for op in (A * jax.numpy.array(2.0), jax.numpy.array(2.0) * A):
        np.testing.assert_array_equal(op @ np.ones(3), 2 * (A @ np.ones(3)))


def test_torch_operator(torch):
    from lopsar.torch import TorchOperator
    assert lp.TorchOperator is TorchOperator
    op = lp.FirstDerivative((4, 3), axis=0)
    x = torch.tensor(rng.standard_normal((2, 4, 3)), requires_grad=True)
    expected = np.stack([op @ sample for sample in x.detach().numpy()])
    single = TorchOperator(op)
    np.testing.assert_array_equal(single(x[0]).detach().numpy(), expected[0])
    np.testing.assert_array_equal(single.apply(x[0].flatten()).detach().numpy(), expected[0].ravel())
    for flatten, shape in ((True, (2, 12)), (False, (2, 4, 3))):
        batch = TorchOperator(op, batch=True, flatten=flatten)
        np.testing.assert_array_equal(batch(x.reshape(shape)).detach().numpy(), expected.reshape(shape))
        assert torch.autograd.gradcheck(lambda x: batch(x.reshape(shape)), x)   # noqa: B023
    with pytest.raises(lp.InvalidArgument, match="device"):
        TorchOperator(op, device="gpu")


def test_jax_operator(jax):
    op = lp.FirstDerivative((4, 3), axis=0)
    J = lp.JaxOperator(op)
    x = jax.numpy.asarray(rng.standard_normal((4, 3)))
    for run in (lambda x: J @ x, J, jax.jit(lambda x: J @ x)):
        assert isinstance(run(x), jax.Array)
        np.testing.assert_array_equal(run(x), op @ np.asarray(x))
    np.testing.assert_allclose(jax.jit(jax.grad(lambda x: ((J @ x) ** 2).sum() / 2))(x), op.H @ (op @ np.asarray(x)), atol=1e-14)
    np.testing.assert_allclose(jax.jit(lambda y: J.H @ y)(x), op.H @ np.asarray(x), atol=1e-14)
    np.testing.assert_allclose(J.rmatvecad(x.ravel(), x.ravel()), op.rmatvec(np.asarray(x).ravel()), atol=1e-14)
    np.testing.assert_array_equal(J.matvec(x.ravel()), op.matvec(np.asarray(x).ravel()))
    np.testing.assert_array_equal((2 * J) @ np.asarray(x), 2 * (op @ np.asarray(x)))


def test_libraries_are_imported_when_needed():
    code = """
import sys, lopsar
assert not {"torch", "jax"} & set(sys.modules)
sys.modules["torch"] = sys.modules["jax"] = None
for name in ("TorchOperator", "JaxOperator"):
    try:
        getattr(lopsar, name)
    except ImportError as error:
        assert f"pip install lopsar[{name[:-8].lower()}]" in str(error), error
    else:
        raise AssertionError(name)
assert not hasattr(lopsar, "NoOperator")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


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
    assert plain.dims == ("data", "x") and list(plain.coords["x"].values) == [1, 2, 3, 4]   # a matrix may do anything to the first axis
    cut = lp.MatrixMult(np.eye(1, 2)) @ cube[0]
    assert cut.dims == ("data", "x") and "height" not in cut.coords


def series(reference=DATES[0], name="date", **more):
    xarray = pytest.importorskip("xarray")
    dates = [d for d in DATES if d != reference]
    return xarray.DataArray(rng.standard_normal((len(dates), 2)), dims=(name, "x"), coords={name: dates, "x": [1, 2], **more})


def test_xarray_labels_are_checked():
    x = series()
    y = A @ x
    np.testing.assert_array_equal((A @ x[::-1]).values, y.values)                       # the order is that of the operator
    np.testing.assert_array_equal((A.H @ y[[3, 0, 4, 2, 1]]).values, (A.H @ y).values)
    iso = [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in DATES[1:]]
    for dates in (np.array(iso, "datetime64[ns]"), iso, [d.encode() for d in DATES[1:]], [f"{d}T00:00:00" for d in iso]):
        np.testing.assert_array_equal((A @ x.assign_coords(date=dates)[::-1]).values, y.values)
    for wrong in (["20170317", *DATES[2:]], np.array(iso, "datetime64[ns]") + np.timedelta64(1, "D"), [DATES[1]] * 3):
        with pytest.raises(lp.InvalidArgument, match=r"expected dates 3 \(20170316 .. 20170409\), got .*; "):
            A @ x.assign_coords(date=wrong)
    with pytest.raises(lp.InvalidArgument, match=r"also 20170304\); do x.sel\(date"):
        A @ series(reference=None)
    with pytest.raises(lp.InvalidArgument, match="expected pairs"):
        A.H @ y.assign_coords(pair=["20170316_20170317", *y.pair.values[1:]])
    with pytest.raises(lp.InvalidArgument, match="expected dates"):                     # through what hands labels on
        (A @ lp.Diagonal(np.ones(3))) @ x.assign_coords(date=DATES[:3])
    with pytest.raises(lp.InvalidArgument, match="got 4 .*also NaT"):
        A @ x.assign_coords(date=np.array(iso, "datetime64[ns]")).pad(date=(1, 0))
    bare = x.drop_vars("date")
    np.testing.assert_array_equal((A @ bare).values, y.values)

    model = A @ lp.HStack([lp.Polynomial(A, 2), lp.Seasonal(A)])
    p = (model.H @ y)
    assert p.dims == ("parameter", "x") and list(p.parameter.values) == ["velocity", "acceleration", "cos 1 yr", "sin 1 yr"]
    np.testing.assert_array_equal((model @ p[::-1]).values, (model @ p).values)
    with pytest.raises(lp.InvalidArgument, match="expected parameters"):
        model @ p.assign_coords(parameter=list("abcd"))


@pytest.mark.parametrize("reference", [0, 2])
def test_xarray_labels_of_operators_on_dates(reference):
    N = lp.Network(A.pairs, reference=reference)
    x = series(DATES[reference], quality=("x", [0, 1]))
    kept = [d for d in DATES if d != DATES[reference]]
    intervals = [f"{a}_{b}" for a, b in zip(DATES, DATES[1:])]

    def labels(y, name):
        assert y.dims == (name, "x") and "quality" in y.coords and list(y.x.values) == [1, 2]
        return list(y.coords[name].values)

    rates = lp.TimeDifference(N) @ x
    assert labels(rates, "interval") == intervals and "date" not in rates.coords
    assert labels(lp.TimeDifference(N, 2) @ x, "date") == DATES[1:-1]
    assert labels(lp.CumulativeSum(N, rates=True) @ rates, "date") == kept
    assert labels(lp.CumulativeSum(DATES) @ rates, "date") == DATES
    assert labels(lp.CumulativeSum(N).H @ x, "interval") == intervals
    assert labels(lp.Datum(N) @ x, "date") == DATES
    assert labels(lp.TimeDifference(DATES, reference=reference).H @ rates, "date") == kept
    models = [lp.Polynomial(N), lp.Seasonal(N), lp.Step(N, DATES[1] + "T1200"), lp.Exponential(N, DATES[1], 9), lp.Logarithm(N, DATES[1], 9),
              lp.Polyline(N, DATES[1]), lp.DemError(N, np.arange(4.0), 8e5, 30.0)]
    for model in [*models, lp.HStack(models)]:
        assert labels(model @ (model.H @ x), "date") == kept
    assert labels(lp.DemError(DATES, np.arange(4.0), 8e5, 30.0, reference=DATES[reference]) @ x[:1].drop_vars("date").rename(date="parameter"),
                  "date") == kept
    pairs = ["_".join(pair) for pair in A.pairs]
    W = lp.Weighting(np.arange(1.0, 6.0))
    for op in (W @ N, 2 * W @ N, lp.Identity(5) @ N, lp.Diagonal(np.ones(5)) @ (N + N), W.H @ W @ N):
        assert labels(op @ x, "pair") == pairs
        assert labels(op.H @ (op @ x), "date") == kept
    assert labels(W @ (N @ x), "pair") == pairs
    assert labels((N.H @ N + lp.Identity(3)) @ x, "date") == kept and labels((lp.Identity(3) + N.H @ N) @ x, "date") == kept
    assert labels((lp.MatrixMult(np.eye(3)) + N.H @ N) @ x[::-1], "date") == kept
    assert "date" not in (lp.Pattern(np.eye(3)) @ x).coords
    field = x.expand_dims("y", -1)
    assert (lp.FirstDerivative((3, 2, 1), axis=0) @ field).coords["date"].values.tolist() == kept
    assert (lp.Flip((3, 2, 1), axis=1) @ field).dims == ("data_0", "data_1", "data_2")
    assert (N.over((2, 1)) @ lp.Laplacian((3, 2, 1), axes=(0,), weights=(1,), sampling=(1,)) @ field).dims == ("pair", "x", "y")
