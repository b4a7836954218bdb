"""The solvers of scene problems: against dense solutions, against the installed PyLops where it is right, and on both where it is not.

docs/pylops.md lists every difference by the name that it has here.
"""

import importlib
import inspect
import signal
import threading
from pathlib import Path

import lopsar
import numpy as np
import pytest
import scipy.sparse.linalg as sparse_linalg
from lopsar.optimization import callback as callbacks
from lopsar.optimization.basesolver import Solver
from lopsar.optimization.cls_basic import CG, CGLS, LSQR
from lopsar.optimization.cls_leastsquares import NormalEquationsInversion, PreconditionedInversion, RegularizedInversion, RegularizedOperator
from lopsar.optimization.eigs import power_iteration

try:
    import pylops
except ImportError:
    pylops = None
needs_pylops = pytest.mark.skipif(pylops is None, reason="PyLops is not installed")
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "pylops.md").read_text()
MODULES = ["basic", "cls_basic", "leastsquares", "cls_leastsquares", "basesolver", "callback", "eigs"]

rng = np.random.default_rng(5)


def conditioned(m, n, low=1.0, high=10.0, complex_part=False):
    """A random matrix with singular values from `low` to `high`."""
    draw = (lambda *s: rng.standard_normal(s) + 1j * rng.standard_normal(s)) if complex_part else (lambda *s: rng.standard_normal(s))
    u, v = np.linalg.qr(draw(m, n))[0], np.linalg.qr(draw(n, n))[0]
    return u * np.linspace(low, high, n) @ v.conj().T


M, Y = conditioned(12, 7), rng.standard_normal(12)
C = conditioned(12, 7, complex_part=True)
YC = rng.standard_normal(12) + 1j * rng.standard_normal(12)
S = M.T @ M
# Singular values from 1 to 10: normal equations lose a factor of 100, and a dozen iterations round each a few times.
CLOSE = dict(rtol=1e-11, atol=1e-11)


def least_squares(A, y, damp=0.0):
    stacked = np.vstack([A, damp * np.eye(A.shape[1])])
    return np.linalg.lstsq(stacked, np.concatenate([y, np.zeros(A.shape[1])]), rcond=None)[0]


# -- PyLops' interface -------------------------------------------------------------------------------------------------
def parameters(function):
    """Names and defaults of what can be given by position, and whether there are more."""
    return [(p.name, p.default, p.kind) for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]


def shared():
    for module in MODULES if pylops else ():
        ours, theirs = (importlib.import_module(f"{lib}.optimization.{module}") for lib in ("lopsar", "pylops"))
        for name in theirs.__all__:
            yield f"{module}.{name}", getattr(ours, name), getattr(theirs, name)
            for method, function in inspect.getmembers(getattr(theirs, name), inspect.isfunction):
                if inspect.isclass(getattr(theirs, name)) and (method == "__init__" or method[0] != "_"):
                    yield f"{module}.{name}.{method}", getattr(getattr(ours, name), method), function


@needs_pylops
def test_signatures():
    compared = 0
    for name, ours, theirs in shared():
        if not inspect.isclass(theirs):
            assert parameters(ours) == parameters(theirs), name
            compared += 1
    assert compared > 70


@needs_pylops
def test_names():
    for module in MODULES:
        ours, theirs = (importlib.import_module(f"{lib}.optimization.{module}") for lib in ("lopsar", "pylops"))
        assert sorted(ours.__all__) == sorted(theirs.__all__)
    for name in ("cg", "cgls", "lsqr", "normal_equations_inversion", "regularized_inversion", "preconditioned_inversion"):
        assert hasattr(pylops, name) and name in lopsar.__all__
    assert not hasattr(pylops, "power_iteration") and not hasattr(lopsar, "power_iteration")


# -- values --------------------------------------------------------------------------------------------------------------
@needs_pylops
@pytest.mark.parametrize("niter", [4, 30])
@pytest.mark.parametrize("matrix, y", [(M, Y), (C, YC)], ids=["real", "complex"])
@pytest.mark.parametrize("damp", [0.0, 0.7])
def test_values_of_pylops(matrix, y, damp, niter):
    """Step by step the same numbers, and the same in the end."""
    def both_find(name, matrix, y, **options):
        return (getattr(lib, name)(lib.MatrixMult(matrix, dtype=matrix.dtype), y, niter=niter, damp=damp,
                                   **{key: of[lib is pylops] for key, of in options.items()}) for lib in (lopsar, pylops))
    square, right, finished = matrix.conj().T @ matrix, matrix.conj().T @ y, niter > 7
    ours, theirs = both_find("cg", square, right, tol=(1e-13, 1e-12))
    np.testing.assert_allclose(ours[0], theirs[0], **CLOSE)
    np.testing.assert_allclose(ours[2][:5], theirs[2][:5], **CLOSE)
    if finished:
        np.testing.assert_allclose(ours[0], np.linalg.solve(square + damp * np.eye(7), right), **CLOSE)

    ours, theirs = both_find("cgls", matrix, y, tol=(1e-13, 1e-24))
    np.testing.assert_allclose(ours[0], theirs[0], **CLOSE)
    assert ours[1] == theirs[1] and np.isclose(ours[4], theirs[4], **CLOSE)
    np.testing.assert_allclose(ours[5][:5], theirs[5][:5], **CLOSE)
    if finished:
        np.testing.assert_allclose(ours[0], least_squares(matrix, y, damp), **CLOSE)

    ours, theirs = both_find("lsqr", matrix, y, atol=(1e-12, 1e-12), btol=(1e-12, 1e-12), conlim=(0, 0))
    assert len(ours) == len(theirs) == 11
    np.testing.assert_allclose(ours[0], theirs[0], **CLOSE)
    assert ours[1] == (theirs[1] if finished else 7)
    # r2norm and xnorm; anorm, acond and var grow with every step, and the last of them is not the same.
    for i in (4, 8) if finished else (4, 5, 6, 8):
        np.testing.assert_allclose(ours[i], theirs[i], **CLOSE)
    if not finished and not np.iscomplexobj(matrix):
        np.testing.assert_allclose(ours[9], theirs[9], **CLOSE)
    np.testing.assert_allclose(ours[3], np.linalg.norm(y - matrix @ ours[0]), **CLOSE)
    np.testing.assert_allclose(ours[4], np.hypot(ours[3], damp * np.linalg.norm(ours[0])), **CLOSE)


@pytest.mark.parametrize("wrap", [lopsar.MatrixMult, sparse_linalg.aslinearoperator] + ([pylops.MatrixMult] if pylops else []),
                         ids=lambda f: f.__module__.partition(".")[0])
def test_any_operator(wrap):
    """One loop for operators in C++ and in Python, also as regularization, weight and preconditioner."""
    A, square, eye = wrap(M), wrap(S), wrap(np.eye(7))
    exact, b = least_squares(M, Y), M.T @ Y
    np.testing.assert_allclose(lopsar.cg(square, b, niter=50, tol=1e-14)[0], exact, **CLOSE)
    np.testing.assert_allclose(lopsar.cgls(A, Y, niter=50, tol=1e-14)[0], exact, **CLOSE)
    np.testing.assert_allclose(lopsar.lsqr(A, Y, niter=50, atol=1e-14, btol=1e-14)[0], exact, **CLOSE)
    preconditioned = lopsar.cgls(A, Y, niter=50, tol=1e-12, preconditioner=wrap(np.linalg.inv(S)))
    np.testing.assert_allclose(preconditioned[0], exact, **CLOSE)
    assert preconditioned[2] <= 3
    assert lopsar.cg(square, b, niter=50, tol=1e-12, preconditioner=wrap(np.linalg.inv(S)))[1] <= 3
    weights = np.linspace(1, 3, 12)
    regularized = np.linalg.solve(M.T @ np.diag(weights) @ M + 0.25 * np.eye(7), M.T @ (weights * Y) + 0.25 * np.ones(7))
    scipy_options = {"rtol": 1e-14, "maxiter": 100}
    for engine, options in (("scipy", scipy_options), ("pylops", {"tol": 1e-14, "niter": 100})):
        found, istop = lopsar.normal_equations_inversion(A, Y, [eye], Weight=wrap(np.diag(weights)), dataregs=[np.ones(7)], epsRs=[0.5],
                                                         engine=engine, **options)
        np.testing.assert_allclose(found, regularized, **CLOSE)
        assert istop == 0
    for engine, options in (("scipy", {"atol": 1e-14, "btol": 1e-14, "iter_lim": 100}), ("pylops", {"tol": 1e-14, "niter": 100})):
        found = lopsar.regularized_inversion(A, Y, [eye], Weight=wrap(np.diag(np.sqrt(weights))), dataregs=[np.ones(7)], epsRs=[0.5], engine=engine,
                                             **options)
        np.testing.assert_allclose(found[0], regularized, **CLOSE)
        r = np.concatenate([np.sqrt(weights) * (Y - M @ found[0]), 0.5 * (1 - found[0])])
        np.testing.assert_allclose(found[3], np.linalg.norm(r), **CLOSE)
        for x0 in (None, np.ones(7)):
            found = lopsar.preconditioned_inversion(A, Y, wrap(np.diag(np.arange(1.0, 8))), x0=x0, engine=engine, **options)
            np.testing.assert_allclose(found[0], exact, **CLOSE)


@needs_pylops
@pytest.mark.parametrize("engine", ["scipy", "pylops"])
def test_least_squares_functions_of_pylops(engine):
    steps = {"scipy": ({"maxiter": 4}, {"iter_lim": 4}), "pylops": ({"niter": 4, "tol": 0}, {"niter": 4, "tol": 0})}[engine]
    results = []
    for lib in (lopsar, pylops):
        A, D, W = lib.MatrixMult(M), lib.SecondDerivative(7), lib.Diagonal(np.linspace(1, 2, 12))
        results.append([
            lib.normal_equations_inversion(A, Y, [D], Weight=W, epsI=0.3, epsRs=[0.2], NRegs=[D.H @ D], epsNRs=[0.1], engine=engine, **steps[0])[0],
            lib.normal_equations_inversion(A, Y, None, epsI=0.3, x0=np.ones(7), engine=engine, **steps[0])[0],
            lib.regularized_inversion(A, Y, [D, D], Weight=W, dataregs=[np.ones(7), np.zeros(7)], epsRs=[0.2, 0.1], engine=engine, **steps[1]),
            lib.regularized_inversion(A, Y, [D], epsRs=[0.2], x0=np.ones(7), engine=engine, **steps[1])[0],
            lib.preconditioned_inversion(A, Y, lib.Smoothing1D(3, 7), engine=engine, **steps[1]),
            lib.preconditioned_inversion(A, Y, lib.Smoothing1D(3, 7), x0=np.ones(7), engine=engine, **steps[1])[0]])
    for ours, theirs in zip(*results):
        if isinstance(ours, tuple):
            assert len(ours) == len(theirs) == 5 and ours[2] == theirs[2]
            assert np.isclose(ours[4], theirs[4], **CLOSE)
            ours, theirs = ours[0], theirs[0]
        np.testing.assert_allclose(ours, theirs, **CLOSE)


def test_precision_is_that_of_the_data():
    A = lopsar.MatrixMult(M)
    for dtype, wanted in ((np.float32, np.float32), (np.int64, np.float64), (np.complex64, np.complex64)):
        for solver in (lopsar.cgls, lopsar.lsqr):
            assert solver(A, np.arange(12).astype(dtype))[0].dtype == wanted
    assert lopsar.cgls(lopsar.MatrixMult(C), Y.astype(np.float32))[0].dtype == np.complex64
    assert lopsar.cgls(A, Y, x0=np.ones(7) * 1j)[0].dtype == np.complex128
    assert lopsar.lsqr(A, Y.astype(np.float32))[9].dtype == np.float32
    with pytest.raises(lopsar.InvalidArgument, match="float16"):
        lopsar.cgls(A, Y.astype(np.float16))
    strided = np.zeros(24)
    strided[::2] = Y
    assert np.array_equal(lopsar.cgls(A, strided[::2])[0], lopsar.cgls(A, Y)[0])


def test_tol_where_data_fit():
    """A small gradient is not enough: what the operator hardly sees has to be right too."""
    A, x = conditioned(12, 7, low=0.01), rng.standard_normal(7)
    for tol in (1e-4, 1e-6):
        found = lopsar.cgls(lopsar.MatrixMult(A), A @ x, niter=200, tol=tol)
        assert found[1] == 1 and found[3] <= 2 * tol * np.linalg.norm(A @ x)
        noisy = A @ x + (noise := 1e-2 * rng.standard_normal(12))
        found = lopsar.cgls(lopsar.MatrixMult(A), noisy, niter=200, tol=tol)
        gradient = np.linalg.norm(A.T @ (noisy - A @ found[0]))
        assert found[1] == 1 and gradient <= 1.001 * tol * 10 * np.linalg.norm(noise)


@needs_pylops
def test_shapes():
    cube, start = rng.standard_normal((12, 2, 3)), np.zeros((7, 2, 3))
    for forceflat in (None, False):
        for y in (cube, cube.ravel()):
            for x0 in (None, start, start.ravel()):
                for name in ("cgls", "lsqr"):
                    ours, theirs = (getattr(lib, name)(lib.MatrixMult(M, otherdims=(2, 3), forceflat=forceflat), y, x0=x0)[0]
                                    for lib in (lopsar, pylops))
                    assert ours.shape == theirs.shape
    for lib in (lopsar, pylops):
        A = lib.MatrixMult(M, otherdims=(2, 3))
        A.forceflat = True
        assert lib.cgls(A, cube)[0].shape == (42,)
    for lib in (lopsar, pylops):
        A = lib.MatrixMult(M, otherdims=(2, 3))
        eye = lib.Identity(42)
        assert lib.optimization.cls_basic.CGLS(A).solve(cube.ravel())[0].shape == (42,)
        assert lib.normal_equations_inversion(A, cube.ravel(), [eye], epsRs=[1.0])[0].shape == (42,)
        assert lib.normal_equations_inversion(A, cube.ravel(), [eye], epsRs=[1.0], engine="pylops")[0].shape == (7, 2, 3)
        assert lib.regularized_inversion(A, cube.ravel(), [eye], epsRs=[1.0])[0].shape == (42,)


@needs_pylops
@pytest.mark.parametrize("name", ["normal_equations_inversion", "regularized_inversion"])
def test_shapes_of_least_squares(name):
    """Where PyLops has a solution: of flat data."""
    size, dims = 42, (6, 7)
    for engine in ("scipy", "pylops"):
        limit = {"niter": 3} if engine == "pylops" else {"maxiter": 3} if name[0] == "n" else {"iter_lim": 3}
        for regularize in (False, True):
            for x0 in (None, np.ones(size), *([np.ones(dims)] if engine == "pylops" else [])):
                shapes = set()
                for lib in (lopsar, pylops):
                    op = lib.Diagonal(np.arange(1.0, size + 1).reshape(dims))
                    regs = [lib.FirstDerivative(dims, axis=1)] if regularize else []
                    shapes.add(getattr(lib, name)(op, np.arange(1.0, size + 1), regs, x0=x0, engine=engine, **limit)[0].shape)
                assert shapes == {dims if engine == "pylops" and (x0 is None or x0.ndim > 1) else (size,)}


def test_pixelwise_operators_go_to_the_grid_of_the_data():
    """All pixels in one problem, as with `over`."""
    A = lopsar.Network([("20200101", "20200113"), ("20200113", "20200125"), ("20200101", "20200125")])
    y = rng.standard_normal((3, 4, 5))
    found = lopsar.cgls(A, y, niter=20, tol=1e-14)[0]
    assert found.shape == (2, 4, 5)
    np.testing.assert_allclose(found.reshape(2, -1), np.linalg.lstsq(A.todense(), y.reshape(3, -1), rcond=None)[0], **CLOSE)
    assert np.array_equal(lopsar.cgls(A.over((4, 5)), y, niter=20, tol=1e-14)[0], found)
    smooth = lopsar.regularized_inversion(A, y, [lopsar.Laplacian((2, 4, 5), axes=(1, 2))], epsRs=[0.5], atol=1e-14, btol=1e-14, iter_lim=500)[0]
    stacked = np.vstack([A.over((4, 5)).todense(), 0.5 * lopsar.Laplacian((2, 4, 5), axes=(1, 2)).todense()])
    exact = np.linalg.lstsq(stacked, np.concatenate([y.ravel(), np.zeros(40)]), rcond=None)[0]
    assert smooth.shape == (2, 4, 5)
    np.testing.assert_allclose(smooth.ravel(), exact, rtol=1e-9, atol=1e-9)
    jacobi = lopsar.Pattern(np.diag(1 / (A.todense().T @ A.todense()).diagonal()))
    np.testing.assert_allclose(lopsar.cgls(A, y, niter=20, tol=1e-14, preconditioner=jacobi)[0], found, **CLOSE)


# -- stages, callbacks, printing -------------------------------------------------------------------------------------------
def data_of(cls):
    return (lopsar.MatrixMult(S), M.T @ Y) if cls is CG else (lopsar.MatrixMult(M), Y)


@pytest.mark.parametrize("cls", [CG, CGLS, LSQR])
@pytest.mark.parametrize("preallocate", [False, True])
def test_steps_by_hand(cls, preallocate):
    op, y = data_of(cls)
    whole = cls(op)
    wanted = whole.solve(y, niter=6)
    solver = cls(op)
    x = solver.setup(y, niter=6, preallocate=preallocate)
    assert isinstance(solver, Solver) and solver.iiter == 0 and not x.any() and len(solver.cost) == 1
    first = solver.step(x)
    assert (first is x) == preallocate and solver.iiter == 1 and first.any() and x.any() == preallocate
    kept = first.copy()
    second = solver.step(first)
    assert len(solver.cost) == 3 and solver.cost[2] < solver.cost[0]
    x = solver.run(second)
    assert solver.iiter == 6
    solver.finalize()
    assert np.array_equal(x, wanted[0]) and np.array_equal(solver.cost, whole.cost) and len(solver.cost) == 7
    assert solver.telapsed >= 0
    again = solver.solve(y, niter=6)
    assert np.array_equal(again[0], wanted[0])
    # What the caller does to x is where the next step starts: only the update along the direction depends on the past.
    x = solver.setup(y, niter=6)
    moved = solver.step(x + 1)
    np.testing.assert_allclose(moved, kept + 1, **CLOSE)
    with pytest.raises(ValueError, match="expected x of 7 values"):
        solver.step(np.ones(5))
    with pytest.raises(lopsar.InvalidArgument, match="setup"):
        cls(op).step(x)


def test_state_of_the_solvers():
    op, b = data_of(CG)
    cg = CG(op)
    x = cg.run(cg.setup(b), 3)
    np.testing.assert_allclose(cg.r, b - S @ x, **CLOSE)
    assert np.isclose(cg.kold, np.linalg.norm(cg.r)**2) and np.isclose(cg.cost[-1], np.linalg.norm(cg.r)) and cg.c.shape == (7,)
    cgls = CGLS(lopsar.MatrixMult(M))
    x = cgls.run(cgls.setup(Y, damp=0.5), 3)
    np.testing.assert_allclose(cgls.s, Y - M @ x, **CLOSE)
    assert np.isclose(cgls.kold, np.linalg.norm(M.T @ cgls.s - 0.25 * x)**2)
    assert np.isclose(cgls.r1norm, np.linalg.norm(cgls.s)) and np.isclose(cgls.cost1[-1], np.hypot(cgls.r1norm, 0.5 * np.linalg.norm(x)))
    assert [solver(lopsar.MatrixMult(M if solver is not CG else S)).memory_usage() for solver in (CG, CGLS, LSQR)] == [280, 456, 512]
    with pytest.raises(lopsar.InvalidArgument, match="niter"):
        cgls.run(cgls.setup(Y))


@pytest.mark.parametrize("name", ["cg", "cgls", "lsqr"])
def test_callback_of_the_functions(name):
    op, y = data_of(CG if name == "cg" else None)
    seen, solver = [], getattr(lopsar, name)
    options = {"atol": 0, "btol": 0, "niter": 5} if name == "lsqr" else {"tol": 0, "niter": 5}
    x = solver(op, y, callback=seen.append, **options)[0]
    assert len(seen) == 5 and np.array_equal(seen[-1], x) and not np.array_equal(seen[0], seen[1])
    assert np.array_equal(solver(op, y, **options)[0], x)
    same = []
    solver(op, y, callback=same.append, preallocate=True, **options)
    assert same[0] is same[4]


class Recorder(callbacks.Callbacks):
    def __init__(self, stop_at=None):
        self.calls, self.stop_at, self.stop = [], stop_at, False

    def on_setup_begin(self, solver, x0):
        self.calls.append(("setup begin", x0))

    def on_setup_end(self, solver, x):
        self.calls.append(("setup end", x.shape))

    def on_run_begin(self, solver, x):
        self.calls.append(("run begin", solver.iiter))

    def on_run_end(self, solver, x):
        self.calls.append(("run end", solver.iiter))

    def on_step_begin(self, solver, x):
        self.calls.append(("step begin", solver.iiter))

    def on_step_end(self, solver, x):
        self.calls.append(("step end", solver.iiter))
        self.stop = solver.iiter == self.stop_at


def test_callbacks():
    A = lopsar.MatrixMult(M)
    order = [("setup begin", None), ("setup end", (7,)), ("run begin", 0), ("step begin", 0), ("step end", 1), ("step begin", 1), ("step end", 2),
             ("run end", 2)]
    for cls, limit in ((CGLS, {"niter": 2}), (CGLS, {"niter": 9})):
        recorder = Recorder(stop_at=2)
        found = cls(A, callbacks=[recorder]).solve(Y, **limit)
        assert recorder.calls == order and found[2] == 2 and found[1] == (2 if limit["niter"] == 2 else 3)
    recorder = Recorder()
    assert LSQR(A, callbacks=[recorder]).solve(Y, niter=2)[1] == 7 and recorder.calls == order
    truth = least_squares(M, Y)
    metrics = callbacks.MetricsCallback(truth, which=("mse", "snr"))
    CGLS(A, callbacks=[metrics]).solve(Y, niter=6, tol=0)
    assert set(metrics.metrics) == {"mse", "snr"} and len(metrics.metrics["mse"]) == 6
    assert metrics.metrics["mse"][-1] < metrics.metrics["mse"][0] and metrics.metrics["snr"][-1] > metrics.metrics["snr"][0]
    seen = callbacks.MetricsCallback(M @ truth, Op=A, which=("mse",))
    last = CGLS(A, callbacks=[seen]).solve(Y, niter=3, tol=0)[0]
    assert np.isclose(seen.metrics["mse"][-1], np.mean((M @ (last - truth))**2))
    with pytest.raises(lopsar.InvalidArgument, match="'mae'"):
        callbacks.MetricsCallback(truth, which=("rmse",))
    square = lopsar.MatrixMult(conditioned(9, 9))
    y = rng.standard_normal(9)
    for callback, rule in ((callbacks.CostToDataCallback(0.3), "rtol1"), (callbacks.CostToInitialCallback(0.3), "rtol")):
        solver = CGLS(square, callbacks=[callback])
        x, istop, count, *_ = solver.solve(y, x0=np.ones(9), niter=50, tol=0)
        scale = np.linalg.norm(y) if rule == "rtol1" else solver.cost[0]
        assert istop == 3 and callback.stop and solver.cost[-1] < 0.3 * scale <= solver.cost[-2]
        by_rule = lopsar.cgls(square, y, x0=np.ones(9), niter=50, tol=0, **{rule: 0.3})
        assert by_rule[1:3] == (3, count) and np.array_equal(by_rule[0], x)

    class Broken(Solver):
        """A solver of somebody else whose cost becomes infinite."""
        def setup(self, y, x0=None):
            self.cost = [1.0]
            return np.zeros(1)

        def step(self, x):
            self.cost.append(self.cost[-1] * 1e200)
            self.iiter += 1
            return x

        def run(self, x):
            while not self._stopped() and self.iiter < 10:
                x = self.step(x)
            return x

        def solve(self, y):
            return self.run(self.setup(y))
    broken = Broken(A, callbacks=[callbacks.CostNanInfCallback()])
    broken.solve(Y)
    assert broken.iiter == 2


@needs_pylops
def test_callbacks_of_either():
    theirs = importlib.import_module("pylops.optimization.callback").CostToInitialCallback(0.9)
    assert CGLS(lopsar.MatrixMult(M), callbacks=[theirs]).solve(Y, niter=50, tol=0)[2] < 7
    ours = callbacks.CostToInitialCallback(0.9)
    assert pylops.optimization.cls_basic.CGLS(pylops.MatrixMult(M), callbacks=[ours]).solve(Y, niter=50, tol=0)[2] < 7


def test_printing(capsys):
    A, square, eye = lopsar.MatrixMult(M), lopsar.MatrixMult(S), lopsar.Identity(7)

    def everything(**show):
        lopsar.cg(square, M.T @ Y, **show)
        lopsar.cgls(A, Y, **show)
        lopsar.lsqr(A, Y, **show)
        lopsar.cgls(lopsar.MatrixMult(C), YC, **show)
        for engine in ("scipy", "pylops"):
            lopsar.normal_equations_inversion(A, Y, [eye], engine=engine, **show)
            lopsar.regularized_inversion(A, Y, [eye], engine=engine, **show)
            lopsar.preconditioned_inversion(A, Y, eye, engine=engine, **show)
    everything()
    assert capsys.readouterr().out == ""
    everything(show=True)
    printed = capsys.readouterr().out
    for words in ("CG\n---", "CGLS\n---", "LSQR\n---", "NormalEquationsInversion\n---", "The Operator Op has 12 rows and 7 cols", "r2norm", "Cond A",
                  "Total time"):
        assert words in printed
    lopsar.cgls(A, Y, show=True, itershow=(1, 1, 100), tol=0, niter=6)
    rows = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines() if line.strip()[:1].isdigit()]
    assert rows == [1, 6]
    CGLS(A).memory_usage(show=True, unit="KB")
    assert capsys.readouterr().out == f"CGLS predicted memory usage: {456 / 1024:.2f} KB\n"


def test_least_squares_classes():
    A, eye = lopsar.MatrixMult(M), lopsar.Identity(7)
    normal = NormalEquationsInversion(A)
    normal.setup(Y, [eye], epsI=0.2, epsRs=[0.1], NRegs=[eye], epsNRs=[0.3])
    np.testing.assert_allclose(normal.Op_normal.todense(), S + (0.04 + 0.01 + 0.09) * np.eye(7), **CLOSE)
    np.testing.assert_allclose(normal.y_normal, M.T @ Y, **CLOSE)
    np.testing.assert_allclose(normal.run(None, maxiter=50, rtol=1e-14)[0], np.linalg.solve(S + 0.14 * np.eye(7), M.T @ Y), **CLOSE)
    assert normal.run(None, engine="pylops", niter=2)[1] == 2
    regularized = RegularizedInversion(A)
    regularized.setup(Y, [eye, eye], epsRs=[0.1, 2.0], dataregs=[np.ones(7), np.ones(7)])
    np.testing.assert_allclose(regularized.RegOp.todense(), np.vstack([M, 0.1 * np.eye(7), 2 * np.eye(7)]), **CLOSE)
    np.testing.assert_allclose(regularized.datatot, np.concatenate([Y, np.full(7, 0.1), np.full(7, 2.0)]), **CLOSE)
    np.testing.assert_allclose(RegularizedOperator(A, [eye]).todense(), np.vstack([M, np.eye(7)]), **CLOSE)
    preconditioned = PreconditionedInversion(A)
    preconditioned.setup(Y, 2 * eye)
    np.testing.assert_allclose(preconditioned.POp.todense(), 2 * M, **CLOSE)
    for solver in (normal, regularized, preconditioned):
        assert solver.memory_usage() > 0
        with pytest.raises(NotImplementedError, match="run or solve"):
            solver.step()
    for wrong, message in (({"epsRs": [1.0, 2.0]}, "epsRs"), ({"dataregs": []}, "dataregs"), ({"engine": "numpy"}, "engine")):
        with pytest.raises(lopsar.InvalidArgument, match=message):
            lopsar.regularized_inversion(A, Y, [eye], **wrong)
    with pytest.raises(lopsar.ShapeError, match="expected y of 12 values"):
        lopsar.regularized_inversion(A, Y[1:], [eye])
    with pytest.raises(lopsar.ShapeError, match=r"dataregs\[1\]: expected 7 values"):
        lopsar.regularized_inversion(A, Y, [eye, eye], dataregs=[np.ones(7), np.ones(6)])
    for niter in (2.5, -1, True, "2"):
        with pytest.raises(lopsar.InvalidArgument, match="niter as an integer"):
            lopsar.cgls(A, Y, niter=niter)
    grid = lopsar.MatrixMult(M, otherdims=(2,))
    for solve, op, y in ((lopsar.cgls, A, Y), (lopsar.cg, lopsar.MatrixMult(S), M.T @ Y), (lopsar.cgls, grid, np.ones((12, 2)))):
        with pytest.raises(lopsar.ShapeError, match="expected a preconditioner of shape"):
            solve(op, y, preconditioner=np.eye(6))
    assert lopsar.cgls(grid, np.ones((12, 2)), preconditioner=np.eye(7))[0].shape == (7, 2)


def test_normal_equations_that_were_not_solved_say_so():
    A, eye = lopsar.MatrixMult(M), lopsar.Identity(7)
    assert lopsar.normal_equations_inversion(A, Y, [eye], engine="pylops", niter=0)[1] == 1
    assert lopsar.normal_equations_inversion(A, Y, [eye], engine="pylops", niter=2)[1] == 2
    # y'Ny = 1 - 1 = 0 at once.
    N = np.diag([1.0, -1.0])
    with pytest.raises(lopsar.InvalidArgument, match="positive definite"):
        lopsar.normal_equations_inversion(lopsar.Identity(2), np.ones(2), None, NRegs=[N - np.eye(2)], engine="pylops")
    assert lopsar.normal_equations_inversion(A, np.zeros(12), [eye], engine="pylops", niter=0)[1] == 0   # x = 0 it is


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals go to the main thread")
def test_a_run_can_be_interrupted():
    class Interrupt(Exception):
        pass

    def interrupt(*_):
        raise Interrupt
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Interrupt):   # else it takes minutes
            lopsar.cg(lopsar.SecondDerivative(100_000) + 3 * lopsar.Identity(100_000), rng.standard_normal(100_000), niter=10_000_000, tol=0)
            lopsar.lsqr(lopsar.SecondDerivative(100_000), rng.standard_normal(100_000), niter=100_000, atol=0, btol=0, conlim=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_errors_of_python_operators_come_through():
    class Failing(lopsar.LinearOperator):
        def _matvec(self, x):
            raise RuntimeError("no more")

        def _rmatvec(self, x):
            return x
    with pytest.raises(RuntimeError, match="no more"):
        lopsar.cgls(Failing(shape=(3, 3)), np.ones(3))


def test_power_iteration():
    for matrix, dtype in ((S, "float64"), (C.conj().T @ C, "float32")):
        value, vector, count = power_iteration(lopsar.MatrixMult(matrix), niter=500, tol=1e-12, dtype=dtype)
        largest = np.linalg.eigvalsh(matrix)[-1]
        assert np.isclose(value, largest, rtol=1e-9) and value.dtype == matrix.dtype and count < 500
        # The error of the vector is the root of that of the value.
        np.testing.assert_allclose(matrix @ vector, largest * vector, atol=1e-4 * largest)
    value, vector, count = power_iteration(lopsar.MatrixMult(S, dtype="float32"), niter=3)
    assert vector.dtype == np.float32 and count == 3 and np.isclose(np.linalg.norm(vector), 1)
    assert power_iteration(lopsar.Zero(4))[0] == 0
    with pytest.raises(lopsar.InvalidArgument, match="square"):
        power_iteration(lopsar.MatrixMult(M))


# -- where PyLops is wrong, or otherwise: each on both ---------------------------------------------------------------------
DIFFERENCES = {}


def difference(name):
    def keep(function):
        DIFFERENCES[name] = function
        return function
    return keep


def both(cases):
    return [(lib, wanted) for lib, wanted in zip((lopsar, pylops), cases) if lib is not None]


@difference("tol of cg and cgls")
def _():
    """Data in other units."""
    exact = least_squares(M, Y)
    for lib in filter(None, (lopsar, pylops)):
        for scale in (1e-6, 1e6):
            small = lib.cgls(lib.MatrixMult(M), scale * Y, niter=100, tol=1e-10)
            square = lib.cg(lib.MatrixMult(S), scale * (M.T @ Y), niter=100, tol=1e-10)
            if lib is lopsar:
                np.testing.assert_allclose(small[0], scale * exact, rtol=1e-7)
                np.testing.assert_allclose(square[0], scale * exact, rtol=1e-7)
                assert small[1] == 1 and small[2] <= 12
            elif scale < 1:
                defaults = lib.cgls(lib.MatrixMult(M), scale * Y)
                assert defaults[2] == 0 and not defaults[0].any() and not lib.cg(lib.MatrixMult(S), scale * (M.T @ Y))[0].any()
    scaled = lopsar.cgls(lopsar.MatrixMult(M), 1e-6 * Y), lopsar.cgls(lopsar.MatrixMult(M), Y)
    assert scaled[0][2] == scaled[1][2]
    np.testing.assert_allclose(scaled[0][0], 1e-6 * scaled[1][0], rtol=1e-9)


@difference("NaN in the data of solvers")
def _():
    y = Y.copy()
    y[3] = np.nan
    for solve in (lambda lib: lib.cgls(lib.MatrixMult(M), y), lambda lib: lib.cg(lib.MatrixMult(S), (M.T @ y)),
                  lambda lib: lib.lsqr(lib.MatrixMult(M), y),
                  lambda lib: lib.regularized_inversion(lib.MatrixMult(M), y, [lib.Identity(7)]),
                  lambda lib: lib.normal_equations_inversion(lib.MatrixMult(M), y, [lib.Identity(7)]),
                  lambda lib: lib.preconditioned_inversion(lib.MatrixMult(M), y, lib.Identity(7)),
                  lambda lib: lib.cgls(lib.MatrixMult(M), Y, x0=np.full(7, np.nan))):
        with pytest.raises(lopsar.InvalidArgument, match="expected finite values, got (NaN|nan) at index"):
            solve(lopsar)
    with pytest.raises(lopsar.InvalidArgument, match="iteration 0"):
        lopsar.cgls(lopsar.FunctionOperator(lambda x: x * np.nan, lambda x: x * np.nan, 3), np.ones(3))
    if pylops:
        found = pylops.cgls(pylops.MatrixMult(M), y)
        assert not found[0].any() and found[2] == 0


@difference("lsqr of zero data")
def _():
    found = lopsar.lsqr(lopsar.MatrixMult(M), np.zeros(12))
    assert not found[0].any() and found[1:4] == (0, 0, 0.0)
    if pylops:
        with np.errstate(all="ignore"):
            assert np.isnan(pylops.lsqr(pylops.MatrixMult(M), np.zeros(12))[0]).all()


@difference("damping and x0 of solvers")
def _():
    exact, start = least_squares(M, Y, 0.3), 10 * rng.standard_normal(7)
    for lib, right in both((True, False)):
        found = lib.cgls(lib.MatrixMult(M), Y, x0=start, damp=0.3, niter=9, tol=0)[0]
        assert np.allclose(found, exact, rtol=1e-8) == right
        found = lib.lsqr(lib.MatrixMult(M), Y, x0=start, damp=0.3, niter=20, atol=1e-14, btol=1e-14)
        assert np.allclose(found[0], exact, rtol=1e-8) == right


@difference("r1norm of cgls")
def _():
    for lib, right in both((True, False)):
        found = lib.cgls(lib.MatrixMult(M), Y, niter=30, damp=0.5, tol=1e-12)
        residual = np.linalg.norm(Y - M @ found[0])
        assert np.isclose(found[3], residual) == right
        assert np.isclose(found[4], np.hypot(residual, 0.5 * np.linalg.norm(found[0])))


@difference("istop of lsqr at the limit of iterations")
def _():
    for lib, istop in both((7, 0)):
        assert lib.lsqr(lib.MatrixMult(M), Y, niter=3)[1:3] == (istop, 3)
    assert lopsar.lsqr(lopsar.MatrixMult(M), Y, niter=30)[1] == 2
    assert lopsar.lsqr(lopsar.MatrixMult(M), M @ np.ones(7), niter=30)[1] == 1
    assert lopsar.lsqr(lopsar.MatrixMult(M), Y, niter=30, conlim=5)[1] == 3


@difference("variances of complex operators")
def _():
    for lib, right in both((True, False)):
        var = lib.lsqr(lib.MatrixMult(C, dtype=C.dtype), YC, niter=7, atol=0, btol=0, conlim=0)[9]
        assert np.allclose(var, np.diag(np.linalg.inv(C.conj().T @ C)).real, rtol=1e-8) == right


@difference("istop of normal_equations_inversion")
def _():
    for lib, istop in both((0, None)):
        assert lib.normal_equations_inversion(lib.MatrixMult(M), Y, [lib.Identity(7)], engine="pylops", niter=50)[1] == istop


@difference("data with several axes in least squares")
def _():
    cube = rng.standard_normal((12, 2))
    found = lopsar.regularized_inversion(lopsar.MatrixMult(M, otherdims=2), cube, [lopsar.Identity(14)], epsRs=[0.0], iter_lim=50, atol=1e-14)[0]
    np.testing.assert_allclose(found, np.linalg.lstsq(M, cube, rcond=None)[0], rtol=1e-8)
    if pylops:
        with pytest.raises(ValueError):
            pylops.regularized_inversion(pylops.MatrixMult(M, otherdims=2), cube, [pylops.Identity(14)])


@difference("callbacks of LSQR")
def _():
    LSQR(lopsar.MatrixMult(M), callbacks=[callbacks.Callbacks()])
    if pylops:
        with pytest.raises(TypeError):
            pylops.optimization.cls_basic.LSQR(pylops.MatrixMult(M), callbacks=[callbacks.Callbacks()])


def test_variances_of_lsqr():
    """A fault of PyLops up to 2.7."""
    for damp in (0.0, 0.5):
        var = lopsar.lsqr(lopsar.MatrixMult(M), Y, damp=damp, niter=7, atol=0, btol=0, conlim=0)[9]
        np.testing.assert_allclose(var, np.diag(np.linalg.inv(S + damp**2 * np.eye(7))), rtol=1e-8)
    assert lopsar.lsqr(lopsar.MatrixMult(M), Y, calc_var=False)[9] is None


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference(name):
    DIFFERENCES[name]()


def test_the_docs_list_every_difference():
    listed = [line.split("|")[1].strip() for line in DOCS.splitlines() if line.startswith("| ") and not line.startswith("| name")]
    assert set(DIFFERENCES) <= set(listed)
