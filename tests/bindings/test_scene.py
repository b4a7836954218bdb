"""Operators on fields against dense matrices made with NumPy, and against the installed PyLops."""

from __future__ import annotations

import lopsar as lp
import lopsar.signalprocessing
import numpy as np
import pytest

# -- the maths by NumPy, on arrays --------------------------------------------------------------------------------------


def along(axis, f):
    """f on the first axis, as a function on arrays."""
    return lambda x: np.moveaxis(f(np.moveaxis(x, axis, 0)), 0, axis)


def first(axis=-1, h=1.0, kind="centered", edge=False, order=3):
    def f(x):
        y, n = np.zeros_like(x), len(x)
        if kind == "forward":
            y[:-1] = np.diff(x, axis=0)
        elif kind == "backward":
            y[1:] = np.diff(x, axis=0)
        else:
            reach = order // 2
            y[1:-1] = (x[2:] - x[:-2]) / 2
            if order == 5:
                y[2:-2] = (x[:-4] - 8 * x[1:-3] + 8 * x[3:-1] - x[4:]) / 12
            if edge:
                y[0], y[-1] = x[1] - x[0], x[-1] - x[-2]
            else:
                y[:reach] = y[n - reach:] = 0
        return y / h

    return along(axis, f)


def second(axis=-1, h=1.0, kind="centered", edge=False):
    def f(x):
        y, d = np.zeros_like(x), np.diff(x, 2, axis=0)
        start = {"forward": 0, "centered": 1, "backward": 2}[kind]
        y[start:start + len(d)] = d
        if kind == "centered" and edge:
            y[0], y[-1] = d[0], d[-1]
        return y / h**2

    return along(axis, f)


def smooth(n, axis=-1):
    n += 1 - n % 2
    return along(axis, lambda x: np.apply_along_axis(lambda c: np.convolve(c, np.ones(n) / n)[n // 2:n // 2 + len(c)], 0, x))


def integral(axis=-1, h=1.0, kind="full", removefirst=False):
    def f(x):
        y = np.cumsum(x, axis=0)
        if kind != "full":
            y = y - x / 2
        if kind == "trapezoidal":
            y[1:] -= x[0] / 2
        return h * y[1 if removefirst else 0:]

    return along(axis, f)


def linear(positions, axis=-1):
    return along(axis, lambda x: np.apply_along_axis(lambda c: np.interp(positions, np.arange(len(c)), c), 0, x))


def sinc(positions, axis=-1):
    return along(axis, lambda x: np.tensordot(np.sinc(np.subtract.outer(positions, np.arange(len(x)))), x, 1))


def bilinear(p, q):
    i, j = np.minimum(np.floor(p).astype(int), 2), np.minimum(np.floor(q).astype(int), 3)
    u, v = p - i, q - j

    def f(x):
        u_, v_ = (w.reshape(-1, *[1] * (x.ndim - 2)) for w in (u, v))
        return (1 - u_) * ((1 - v_) * x[i, j] + v_ * x[i, j + 1]) + u_ * ((1 - v_) * x[i + 1, j] + v_ * x[i + 1, j + 1])

    return f


def gradient(**kw):
    return lambda x: np.stack([first(a, **kw)(x) for a in range(x.ndim)])


def directional(v, **kw):
    return lambda x: (v.reshape(*v.shape, *[1] * (x.ndim + 1 - v.ndim)) * gradient(**kw)(x)).sum(0)


def box(shape):
    def f(x):
        y = np.zeros(shape)
        part = tuple(slice(min(a, b)) for a, b in zip(shape, x.shape))
        y[part] = x[part]
        return y

    return f


rng = np.random.default_rng(0)
P = np.array([0.0, 1.3, 2.5, 3.5, 4.7, 5.0])
BILINEAR = np.array([[0.2, 1.7, 2.0, 3.0], [0.5, 2.1, 3.0, 4.0]])
V1, VN, D3, D34 = rng.standard_normal(2), rng.standard_normal((2, 5, 6)), rng.standard_normal(3), rng.standard_normal((3, 4))
TABLE = np.array([[[0, 2, 1], [1, 3, np.nan]], [[3, 0, 0], [2, 2, 1]]])   # (2, 2, 3), to (3, 5)
DTABLE = np.where(np.isnan(TABLE), np.nan, 0.25)


def spread(weights):
    def f(x):
        y = np.zeros((3, 5))
        for (a, b, c), t in np.ndenumerate(TABLE):
            if not np.isnan(t):
                w = 0.25 if weights else 0
                y[c, int(t)] += (1 - w) * x[a, b]
                y[c, int(t) + 1] += w * x[a, b]
        return y

    return f


# name, how to make it from a package (lopsar or pylops), the maths, dims
CASES = [
    *[(f"FirstDerivative {dims} {axis} {kind} {edge} {order}",
       lambda m, a=(dims, axis, kind, edge, order): m.FirstDerivative(a[0], axis=a[1], sampling=0.5, kind=a[2], edge=a[3], order=a[4]),
       first(axis, 0.5, kind, edge, order), dims)
      for dims, axis in [((9,), -1), ((5, 6), 0), ((5, 6), 1), ((2, 7, 3), 1), ((2, 3, 8), -1)]
      for kind in ("centered", "forward", "backward") for edge in (False, True) for order in (3, 5)],
    *[(f"SecondDerivative {dims} {axis} {kind} {edge}",
       lambda m, a=(dims, axis, kind, edge): m.SecondDerivative(a[0], axis=a[1], sampling=2.0, kind=a[2], edge=a[3]),
       second(axis, 2.0, kind, edge), dims)
      for dims, axis in [((9,), -1), ((5, 6), 0), ((2, 7, 3), 1), ((2, 3, 8), -1)]
      for kind in ("centered", "forward", "backward") for edge in (False, True)],
    *[(f"Laplacian {kind} {edge}",
       lambda m, a=(kind, edge): m.Laplacian((3, 5, 6), axes=(0, -1), weights=(2, -3), sampling=(1, 0.5), kind=a[0], edge=a[1]),
       lambda x, a=(kind, edge): 2 * second(0, 1, *a)(x) - 3 * second(-1, 0.5, *a)(x), (3, 5, 6))
      for kind in ("centered", "forward", "backward") for edge in (False, True)],
    ("Laplacian plane", lambda m: m.Laplacian((5, 6)), lambda x: second(0)(x) + second(1)(x), (5, 6)),
    *[(f"Gradient {dims} {kind} {edge}", lambda m, a=(dims, kind, edge): m.Gradient(a[0], sampling=0.5, kind=a[1], edge=a[2]),
       gradient(h=0.5, kind=kind, edge=edge), dims)
      for dims in ((7,), (4, 5), (3, 4, 5)) for kind in ("centered", "forward", "backward") for edge in (False, True)],
    ("FirstDirectionalDerivative", lambda m: m.FirstDirectionalDerivative((5, 6), V1, sampling=0.5), directional(V1, h=0.5), (5, 6)),
    ("FirstDirectionalDerivative field", lambda m: m.FirstDirectionalDerivative((5, 6), VN, edge=True, kind="forward"),
     directional(VN, edge=True, kind="forward"), (5, 6)),
    ("Smoothing1D", lambda m: m.Smoothing1D(3, (4, 6), axis=0), smooth(3, 0), (4, 6)),
    ("Smoothing1D even", lambda m: m.Smoothing1D(4, (9,)), smooth(5), (9,)),
    ("Smoothing2D", lambda m: m.Smoothing2D((3, 5), (6, 7)), lambda x: smooth(3, 0)(smooth(5, 1)(x)), (6, 7)),
    ("SmoothingND", lambda m: m.SmoothingND((3, 1, 5), (4, 3, 6), axes=(0, 1, 2)), lambda x: smooth(3, 0)(smooth(5, 2)(x)), (4, 3, 6)),
    *[(f"CausalIntegration {kind} {removefirst} {axis}",
       lambda m, a=(axis, kind, removefirst): m.CausalIntegration((4, 5), axis=a[0], sampling=0.3, kind=a[1], removefirst=a[2]),
       integral(axis, 0.3, kind, removefirst), (4, 5))
      for kind in ("full", "half", "trapezoidal") for removefirst in (False, True) for axis in (0, -1)],
    ("Sum 0", lambda m: m.Sum((3, 4), axis=0), lambda x: x.sum(0), (3, 4)),
    ("Sum -1", lambda m: m.Sum((3, 40)), lambda x: x.sum(-1), (3, 40)),
    ("Flip", lambda m: m.Flip((3, 4), axis=0), lambda x: x[::-1], (3, 4)),
    ("Flip flat", lambda m: m.Flip(7), lambda x: x[::-1], (7,)),
    *[(f"Roll {shift}", lambda m, s=shift: m.Roll((3, 5), axis=1, shift=s), lambda x, s=shift: np.roll(x, s, 1), (3, 5)) for shift in (1, -2, 7)],
    ("Symmetrize", lambda m: m.Symmetrize((3, 4)), lambda x: np.concatenate([x[:, :0:-1], x], 1), (3, 4)),
    ("Symmetrize 0", lambda m: m.Symmetrize((3, 4), axis=0), lambda x: np.concatenate([x[:0:-1], x], 0), (3, 4)),
    ("Pad", lambda m: m.Pad((2, 3), ((1, 0), (2, 1))), lambda x: np.pad(x, ((1, 0), (2, 1))), (2, 3)),
    ("Pad flat", lambda m: m.Pad(3, (1, 2)), lambda x: np.pad(x, (1, 2)), (3,)),
    ("Transpose", lambda m: m.Transpose((2, 3, 4), (2, 0, 1)), lambda x: x.transpose(2, 0, 1), (2, 3, 4)),
    ("Restriction", lambda m: m.Restriction((4, 5), np.array([3, 0, 1]), axis=0), lambda x: x[[3, 0, 1]], (4, 5)),
    ("Restriction flat", lambda m: m.Restriction(6, np.array([5, 1, 2])), lambda x: x[[5, 1, 2]], (6,)),
    ("Identity", lambda m: m.Identity(4), lambda x: x, (4,)),
    ("Identity cut", lambda m: m.Identity(3, 5), box((3,)), (5,)),
    ("Identity pad", lambda m: m.Identity(5, 3), box((5,)), (3,)),
    ("Identity field", lambda m: m.Identity((3, 4), (5, 4)), box((3, 4)), (5, 4)),
    ("Zero", lambda m: m.Zero(3, 5), lambda x: np.zeros(3), (5,)),
    ("Zero field", lambda m: m.Zero((3, 4), (2, 5)), lambda x: np.zeros((3, 4)), (2, 5)),
    ("Diagonal", lambda m: m.Diagonal(D3), lambda x: D3 * x, (3,)),
    ("Diagonal field", lambda m: m.Diagonal(D34), lambda x: D34 * x, (3, 4)),
    ("Diagonal axis", lambda m: m.Diagonal(D3, dims=(3, 4), axis=0), lambda x: D3[:, None] * x, (3, 4)),
    ("Interp linear", lambda m: m.signalprocessing.Interp((2, 6), P, axis=1)[0], linear(P, 1), (2, 6)),
    ("Interp nearest", lambda m: m.signalprocessing.Interp((6, 2), P[:4], axis=0, kind="nearest")[0], lambda x: x[[0, 1, 2, 4]], (6, 2)),
    ("Interp sinc", lambda m: m.signalprocessing.Interp((6, 2), P, axis=0, kind="sinc")[0], sinc(P, 0), (6, 2)),
    ("Bilinear", lambda m: m.signalprocessing.Bilinear(BILINEAR[:, :2], (4, 5)), bilinear(*BILINEAR[:, :2]), (4, 5)),
    ("Bilinear cube", lambda m: m.signalprocessing.Bilinear(BILINEAR[:, :2], (4, 5, 2)), bilinear(*BILINEAR[:, :2]), (4, 5, 2)),
    ("Spread", lambda m: m.Spread((2, 2), (3, 5), table=TABLE), spread(False), (2, 2)),
    ("Spread weights", lambda m: m.Spread((2, 2), (3, 5), table=TABLE, dtable=DTABLE), spread(True), (2, 2)),
    ("Spread function", lambda m: m.Spread((2, 2), (3, 5), fh=lambda a, b: (TABLE[a, b], DTABLE[a, b])), spread(True), (2, 2)),
    ("Regression", lambda m: m.Regression(np.arange(5.0), 2), lambda x: np.polyval(x[::-1], np.arange(5.0)), (3,)),
    ("LinearRegression", lambda m: m.LinearRegression(np.arange(5.0)), lambda x: x[0] + x[1] * np.arange(5), (2,)),
]
# Not one function of x, or beyond what the functions above know.
SPECIAL = [
    ("SecondDirectionalDerivative", lambda m: m.SecondDirectionalDerivative((5, 6), V1),
     -(lambda d: d.T @ d)(np.stack([directional(V1)(e.reshape(5, 6)).ravel() for e in np.eye(30)], 1))),
    ("Interp cubic", lambda m: m.signalprocessing.Interp(12, P + 3.1, kind="cubic_spline")[0], None),
    ("Interp sinc tol", lambda m: m.signalprocessing.Interp(6, P, kind="sinc", tol=0.1)[0], None),
]


def matrix_of(f, dims):
    n = int(np.prod(dims))
    return np.stack([np.asarray(f(e.reshape(dims)), float).ravel() for e in np.eye(n)], 1)


@pytest.mark.parametrize("make, f, dims", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_matrix(make, f, dims):
    A, op = matrix_of(f, dims), make(lp)
    assert op.shape == A.shape and op.dims == dims and op.dimsd == np.shape(f(np.zeros(dims)))
    # A sum of n terms, whose entries are rounded a few times, is off by (n + 8) eps times the sum of absolute values.
    size = (max(A.shape) + 8) * (np.abs(A).sum(1).max() + np.abs(A).sum(0).max())
    np.testing.assert_allclose(op.todense(), A, atol=np.finfo(float).eps * size)
    for dtype in (np.float32, np.float64, np.complex64, np.complex128, np.int64):
        exact = np.float64 if dtype == np.int64 else dtype
        for adjoint in (False, True):
            op_, A_ = (op.H, A.T) if adjoint else (op, A)
            for k in (1, 3):
                x = rng.uniform(-1, 1, (A_.shape[1], k)) if dtype != np.int64 else rng.integers(-3, 4, (A_.shape[1], k))
                x = x + 1j * rng.uniform(-1, 1, x.shape) if np.issubdtype(dtype, np.complexfloating) else x
                x = x.astype(dtype)
                y = op_ @ x
                assert y.dtype == exact and not np.shares_memory(x, y)
                np.testing.assert_allclose(y.reshape(-1, k), A_ @ x, rtol=0, atol=np.finfo(exact).eps * size * np.abs(x).max())
                if k == 1:
                    np.testing.assert_array_equal((op_ @ x.ravel()).ravel(), y.ravel())
                    np.testing.assert_array_equal((op_ @ x.reshape(op_.dims)).ravel(), y.ravel())
                elif len(op_.dims) > 1:
                    np.testing.assert_array_equal((op_ @ x.reshape(*op_.dims, k)).ravel(), y.ravel())
    assert lp.dottest(op) and lp.dottest(op, complexflag=3)


@pytest.mark.parametrize("make, A", [c[1:] for c in SPECIAL if c[2] is not None], ids=[c[0] for c in SPECIAL if c[2] is not None])
def test_special_matrix(make, A):
    np.testing.assert_allclose(make(lp).todense(), A, atol=1e-13)


# Laplacian of PyLops 2.6 gives its kind to the first axis only; that of 2.8 is right.
@pytest.mark.parametrize("make", [c[1] for c in CASES + SPECIAL], ids=[c[0] for c in CASES + SPECIAL])
def test_pylops(make):
    pylops = pytest.importorskip("pylops", minversion="2.8")
    ours, theirs = make(lp), make(pylops)
    assert (ours.shape, ours.dims, ours.dimsd) == (theirs.shape, tuple(theirs.dims), tuple(theirs.dimsd))
    # Its todense is wrong for a Diagonal of several axes; its positions stop 1e-10 before the last sample.
    np.testing.assert_allclose(ours.todense(), theirs.matmat(np.eye(theirs.shape[1])), atol=1e-9)
    np.testing.assert_allclose(ours.H.todense(), theirs.H.matmat(np.eye(theirs.shape[0])), atol=1e-9)


def test_complex_diagonal():
    d = D34 + 1j * D34[::-1]
    for op, full in [(lp.Diagonal(d), d.ravel()), (lp.Diagonal(d[:, 0], dims=(3, 4), axis=0), np.repeat(d[:, 0], 4)), (lp.Diagonal(d[0]), d[0])]:
        assert op.complex and op.dtype == np.complex128
        np.testing.assert_array_equal(op.todense(), np.diag(full))
        np.testing.assert_array_equal(op.H.todense(), np.diag(full.conj()))
        x = rng.standard_normal(op.shape[1])
        np.testing.assert_allclose(op @ x, full * x)
        assert (op @ x.astype(np.complex64)).dtype == np.complex64


def test_diagonal_keeps_its_values():
    d = np.array([1.0, 2.0, 3.0])
    for dims in (None, (3, 2)):
        op = lp.Diagonal(d, dims=dims, axis=0)
        before = op.todense()
        d *= 2
        np.testing.assert_array_equal(op.todense(), before)
        with pytest.raises(ValueError):
            op.diag[0] = 7


def test_restriction():
    """Where PyLops' adjoint overwrites, ours adds; masks are masks; results are new arrays."""
    for dims, axis in (((5,), -1), ((5, 3), 0), ((3, 5), 1)):
        for op in (lp.Restriction(dims, [1, 1, -1, 2], axis=axis),):
            np.testing.assert_array_equal(op.H.todense(), op.todense().T)
            assert lp.dottest(op)
        mask = np.array([True, False, True, True, False])
        op = lp.Restriction(dims, mask, axis=axis)
        x = rng.standard_normal(dims)
        np.testing.assert_array_equal(op @ x, np.compress(mask, x, axis=axis))
        np.testing.assert_array_equal(op.mask(x).mask, ~np.moveaxis(np.broadcast_to(mask, (*np.delete(dims, axis), 5)), -1, axis))
        np.testing.assert_array_equal(op.mask(x).filled(0), op.H @ (op @ x))
    for wrong in ([5], [-6], [], [0.5], [True, False], [[1]]):
        with pytest.raises(ValueError):
            lp.Restriction(5, wrong)


def test_short_axes_are_pixelwise():
    """Operators on flat, short vectors keep models pixelwise; on fields and long vectors they are scene operators."""
    flat = [lp.FirstDerivative(9), lp.SecondDerivative(9), lp.Identity(9), lp.Zero(3, 9), lp.Diagonal(np.ones(9)), lp.Restriction(9, [1, 2]),
            lp.Smoothing1D(3, 9), lp.Regression(np.arange(5.0), 2), lp.Flip(9), lp.Sum(9)]
    assert all(op.pixelwise for op in flat)
    for op in flat:
        column = op @ np.ones(op.shape[1])
        np.testing.assert_allclose(op @ np.ones((op.shape[1], 2, 3)), np.broadcast_to(column[:, None, None], (op.shape[0], 2, 3)))
    stacked = lp.VStack([lp.Regression(np.arange(9.0), 1), 0.5 * lp.Identity(9, 2)])
    assert stacked.pixelwise and (lp.FirstDerivative(9) @ lp.Regression(np.arange(9.0), 1)).pixelwise
    fields = [lp.FirstDerivative((9, 3)), lp.Diagonal(np.ones(10000)), lp.Restriction(10000, [1]), lp.FirstDerivative(10000)]
    assert not any(op.pixelwise for op in fields)
    # Flat operators on flattened fields.
    D = lp.Diagonal(np.arange(12.0)) @ lp.FirstDerivative((3, 4))
    np.testing.assert_allclose(D.todense(), np.diag(np.arange(12.0)) @ lp.FirstDerivative((3, 4)).todense())


@pytest.mark.parametrize("k", [1, 2, 300])
def test_large(k):
    """Sizes with several tasks, streaming stores and rows both short and long."""
    dims = (40, 90, 700) if k < 10 else (20, 30, 40)
    x = rng.standard_normal((*dims, k) if k > 1 else dims).astype(np.float32)
    core = (slice(1, -1), slice(1, -1), slice(1, -1))
    y = lp.Laplacian(dims, axes=(0, 1, 2), weights=(1, 2, 4), sampling=(1, 1, 1)) @ x
    z = -14 * x[core]
    for axis, w in enumerate((1, 2, 4)):
        for step in (slice(None, -2), slice(2, None)):
            at = list(core)
            at[axis] = step
            z += w * x[tuple(at)]
    np.testing.assert_allclose(y[core], z, atol=2e-4)
    np.testing.assert_array_equal(lp.Transpose(dims, (2, 0, 1)) @ x, np.moveaxis(x, 2, 0))
    np.testing.assert_array_equal(lp.Flip(dims) @ x, x[:, :, ::-1])


@pytest.mark.parametrize("make", [
    lambda: lp.FirstDerivative(2), lambda: lp.FirstDerivative(9, kind="central"), lambda: lp.FirstDerivative(9, order=4),
    lambda: lp.FirstDerivative((4, 5), axis=2), lambda: lp.SecondDerivative((2, 9), axis=0), lambda: lp.Laplacian((4, 5), axes=(0,)),
    lambda: lp.Gradient((4, 5), sampling=(1, 2, 3)), lambda: lp.FirstDerivative(9, sampling=0), lambda: lp.Smoothing1D(0, 9),
    lambda: lp.Smoothing2D((3,), (4, 5)), lambda: lp.Pad((2, 3), (1, 2)), lambda: lp.Pad(3, (-1, 2)), lambda: lp.Transpose((2, 3), (0, 0)),
    lambda: lp.Identity((2, 3), (6,)), lambda: lp.Diagonal(np.ones(5), dims=(3, 4)), lambda: lp.FirstDirectionalDerivative((4, 5), np.ones(3)),
    lambda: lp.signalprocessing.Interp(6, [-1.0]), lambda: lp.signalprocessing.Interp(6, [1.0], kind="quintic"),
    lambda: lp.signalprocessing.Bilinear([[5.0], [0.0]], (4, 5)), lambda: lp.Spread((2, 2), (3, 4), table=TABLE, dtable=DTABLE),
    lambda: lp.Spread((2, 2), (3, 5)), lambda: lp.Regression(np.ones((2, 2)), 1), lambda: lp.CausalIntegration(9, kind="none"),
])
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_interp_moves_positions_back():
    with pytest.warns(UserWarning, match="above the last index"):
        op, positions = lp.signalprocessing.Interp(6, [1.5, 6.2])
    np.testing.assert_array_equal(positions, [1.5, 5])
    np.testing.assert_array_equal(op.todense()[1], [0, 0, 0, 0, 0, 1])
    assert lp.signalprocessing.Interp(6, [0.5, 1.5], kind="nearest")[1].tolist() == [0, 2]
    repeated, _ = lp.signalprocessing.Interp(6, [1.5, 1.5])   # an error in PyLops, whose adjoint overwrites
    assert lp.dottest(repeated)


def test_spread_asks_its_function_once():
    calls = []

    def curve(a, b):
        calls.append((a, b))
        return TABLE[a, b]

    op = lp.Spread((2, 2), (3, 5), fh=curve)
    op @ np.ones(4)
    op.H @ np.ones(15)
    assert calls == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_regression_applies():
    op = lp.LinearRegression(np.arange(4.0))
    np.testing.assert_array_equal(op.apply(np.array([10.0, 20.0]), np.array([1.0, 2.0])), [21, 41])


@pytest.mark.parametrize("shape", [(4,), (2, 3), (5000,)])
def test_a_diagonal_takes_any_number_whatever_its_size(shape):
    values = np.ones(shape)
    values.flat[1], values.flat[2] = np.nan, -np.inf
    np.testing.assert_array_equal(lp.Diagonal(values) @ np.full(shape, 2.0), 2 * values)
    assert not lp.Diagonal(values).pixelwise and lp.Diagonal(np.ones(4)).pixelwise
