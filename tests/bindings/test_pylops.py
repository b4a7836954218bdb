"""Against the installed PyLops: the same names, signatures and values; both ways in one expression; and where PyLops is wrong, on both.

docs/pylops.md lists every difference by the name that it has here.
"""

import importlib
import inspect
import warnings
from pathlib import Path

import lopsar
import numpy as np
import pytest
import scipy.sparse as sp
from lopsar.utils.decorators import reshaped

pylops = pytest.importorskip("pylops")
dottests = importlib.import_module("pylops.utils.dottest")
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "pylops.md").read_text()
MODULES = ["", "basicoperators", "signalprocessing", "utils", "utils.metrics", "utils.estimators", "utils.decorators", "utils.describe",
           "utils.backend", "utils.dottest", "config"]


def module(package, name):
    return importlib.import_module(package + ("." + name if name else ""))


def shared_names():
    for name in MODULES:
        ours, theirs = module("lopsar", name), module("pylops", name)
        for item in ours.__all__:
            if hasattr(theirs, item) and callable(getattr(ours, item)):
                yield f"{name}.{item}".lstrip("."), getattr(ours, item), getattr(theirs, item)
    for item, theirs in inspect.getmembers(pylops.LinearOperator, inspect.isfunction):
        if not item.startswith("_"):
            yield "LinearOperator." + item, getattr(lopsar.LinearOperator, item), theirs


def parameters(function):
    """Names and defaults of what can be given by position; private ones are nobody's business."""
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY and p.name[0] != "_"]


def test_the_version_that_the_docs_state():
    assert "PyLops " + ".".join(pylops.__version__.split(".")[:2]) in DOCS


@pytest.mark.parametrize("name, ours, theirs", list(shared_names()), ids=lambda v: v if isinstance(v, str) else "")
def test_signatures(name, ours, theirs):
    assert parameters(ours) == parameters(theirs)


def test_names_of_submodules():
    """What a script imports from a submodule of PyLops is where PyLops has it."""
    for name in ("basicoperators", "signalprocessing"):
        ours, theirs = module("lopsar", name), module("pylops", name)
        assert set(ours.__all__) - {"LinearOperator"} <= set(dir(theirs))
    everywhere = set(lopsar.__all__)
    assert set(lopsar.basicoperators.__all__) <= everywhere
    from lopsar.utils import dottest
    from lopsar.utils.dottest import dottest as same
    assert dottest is same is lopsar.dottest


rng = np.random.default_rng(0)
M, C = rng.standard_normal((6, 4)), rng.standard_normal((6, 4)) + 1j * rng.standard_normal((6, 4))
G = rng.standard_normal((3, 4, 2))


def make(package, kind):
    """The same operator of either package, from the same words."""
    lib = module(package, "")
    signal = module(package, "signalprocessing")

    class User(lib.LinearOperator):
        def __init__(self):
            super().__init__(dtype=np.dtype("float64"), dims=(3, 4), dimsd=(4, 3), clinear=True, explicit=False, forceflat=None, name="user")

        @(reshaped if package == "lopsar" else pylops.utils.decorators.reshaped)
        def _matvec(self, x):
            return 2 * x.T

        @(reshaped if package == "lopsar" else pylops.utils.decorators.reshaped)
        def _rmatvec(self, x):
            return 2 * x.T

    dense = lib.MatrixMult(M)
    complex_dense = lib.MatrixMult(C, dtype="complex128")
    makers = {
        "MatrixMult": lambda: dense,
        "MatrixMult complex": lambda: complex_dense,
        "MatrixMult sparse": lambda: lib.MatrixMult(sp.csr_matrix(M)),
        "MatrixMult otherdims": lambda: lib.MatrixMult(M, otherdims=(2, 3)),
        "MatrixMult forceflat": lambda: lib.MatrixMult(M, forceflat=True),
        "Fredholm1": lambda: signal.Fredholm1(G, nz=2),
        "Fredholm1 one column": lambda: signal.Fredholm1(G, saveGt=False, usematmul=False),
        "FunctionOperator": lambda: lib.FunctionOperator(lambda x: M @ x, lambda y: M.T @ y, 6, 4),
        "VStack": lambda: lib.VStack([dense, dense]),
        "HStack": lambda: lib.HStack([dense, 2 * dense]),
        "BlockDiag": lambda: lib.BlockDiag([dense, -dense]),
        "Block": lambda: lib.Block([[dense, dense], [dense, dense]]),
        "Kronecker": lambda: lib.Kronecker(dense, dense.H),
        "user": User,
        "adjoint": lambda: User().H,
        "transpose": lambda: complex_dense.T,
        "scaled": lambda: -3 * User(),
        "conj": lambda: complex_dense.conj(),
        "sum": lambda: dense + dense * 2.5 - dense,
        "product": lambda: User() @ User().H,
        "power": lambda: (dense.H @ dense) ** 3,
        "columns": lambda: dense.apply_columns([0, 2]),
        "toreal": lambda: complex_dense.toreal(),
        "toimag": lambda: complex_dense.toimag(),
        "stack of nd": lambda: lib.VStack([User(), User()]),
        "stack of both": lambda: lib.VStack([User(), lib.MatrixMult(np.ones((2, 12)))]),
        "diag of nd": lambda: lib.BlockDiag([User(), User()]),
        "HStack of nd": lambda: lib.HStack([User(), User()]),
        "Real": lambda: lib.Real((3, 4)),
        "Imag": lambda: lib.Imag((3, 4)),
        "Conj": lambda: lib.Conj((3, 4)),
        "Identity": lambda: lib.Identity(5, 7),
        "Identity nd": lambda: lib.Identity((3, 4)),
        "Zero": lambda: lib.Zero(5, 7),
        "Diagonal": lambda: lib.Diagonal(M),
        "Diagonal axis": lambda: lib.Diagonal(M[:, 0], dims=(6, 4), axis=0),
        "Diagonal complex": lambda: lib.Diagonal(C, dtype="complex128"),
        "Transpose": lambda: lib.Transpose((2, 3, 4), (2, 0, 1)),
        "Flip": lambda: lib.Flip((3, 4), 0),
        "Roll": lambda: lib.Roll((3, 4), 0, 2),
        "Pad": lambda: lib.Pad((3, 4), ((1, 2), (0, 3))),
        "Sum": lambda: lib.Sum((3, 4), 0),
        "Symmetrize": lambda: lib.Symmetrize((3, 4), 0),
        "Restriction": lambda: lib.Restriction((3, 4), [2, 0], axis=0),
        "Regression": lambda: lib.Regression(np.arange(5.0), 2),
        "LinearRegression": lambda: lib.LinearRegression(np.arange(5.0)),
        **{f"CausalIntegration {k}": (lambda k=k: lib.CausalIntegration((4, 5), axis=0, sampling=0.3, kind=k, removefirst=k != "full"))
           for k in ("full", "half", "trapezoidal")},
        **{f"FirstDerivative {k} {o} {e}": (lambda k=k, o=o, e=e: lib.FirstDerivative((9, 3), axis=0, sampling=0.3, kind=k, order=o, edge=e))
           for k, o in (("forward", 3), ("centered", 3), ("centered", 5), ("backward", 3)) for e in (True, False)},
        **{f"SecondDerivative {k} {e}": (lambda k=k, e=e: lib.SecondDerivative((3, 9), axis=1, sampling=0.3, kind=k, edge=e))
           for k in ("forward", "centered", "backward") for e in (True, False)},
        **{f"Laplacian {k}": (lambda k=k: lib.Laplacian((6, 7), weights=(1, 2), sampling=(0.5, 2), kind=k))
           for k in ("forward", "centered", "backward")},
        "Gradient": lambda: lib.Gradient((6, 7), sampling=(0.5, 2), edge=True),
        "FirstDirectionalDerivative": lambda: lib.FirstDirectionalDerivative((6, 7), np.array([0.6, 0.8])),
        "SecondDirectionalDerivative": lambda: lib.SecondDirectionalDerivative((6, 7), np.array([0.6, 0.8])),
        "Smoothing1D": lambda: lib.Smoothing1D(3, (6, 7), axis=0),
        "Smoothing2D": lambda: lib.Smoothing2D((3, 5), (6, 7)),
        **{f"Interp {k}": (lambda k=k: signal.Interp((9, 3), np.array([1.2, 4.7]), axis=0, kind=k)[0]) for k in ("nearest", "linear", "sinc")},
        "Bilinear": lambda: signal.Bilinear(np.array([[1.2, 3.4, 0.1], [0.5, 2.5, 1.5]]), (6, 7)),
    }
    return makers if kind is None else makers[kind]()


def kinds():
    """Those whose class lopsar has by now."""
    for kind in make("lopsar", None):
        name = kind.split()[0]
        is_class = hasattr(pylops, name) or hasattr(pylops.signalprocessing, name)
        if not is_class or hasattr(lopsar, name) or hasattr(lopsar.signalprocessing, name):
            yield kind


@pytest.mark.parametrize("kind", list(kinds()))
def test_values_and_labels(kind):
    ours, theirs = make("lopsar", kind), make("pylops", kind)
    dims = theirs.dims if isinstance(theirs.dims, tuple) else (theirs.dims,)      # difference "dims of columns"
    assert (ours.shape, ours.dims, ours.dimsd) == (theirs.shape, dims, theirs.dimsd)
    assert (ours.forceflat, ours.dtype.kind) == (theirs.forceflat, np.dtype(theirs.dtype).kind)
    assert ours.clinear == theirs.clinear or kind in ("toreal", "toimag")         # difference "linearity of real parts"
    theirs_turned = (theirs.H, theirs.T) if isinstance(theirs.dims, tuple) else (ours.H, ours.T)
    m, n = ours.shape
    random = np.random.default_rng(1)
    for complex_part in ([0, 1j] if ours.dtype.kind == "c" else [0]):
        x = random.standard_normal((n, 3)) + complex_part * random.standard_normal((n, 3))
        y = random.standard_normal((m, 3)) + complex_part * random.standard_normal((m, 3))
        # Sums of at most 64 terms of size |matrix| |x|, each rounded a few times on either side.
        atol = 64 * np.finfo(float).eps * max(1, np.abs(theirs.matmat(np.eye(n))).max()) * max(np.abs(x).max(), np.abs(y).max()) * 4
        for ours_is, theirs_is in [(ours @ x, theirs @ x), (ours.matvec(x[:, 0]), theirs.matvec(x[:, 0])), (ours.matmat(x), theirs.matmat(x)),
                                   (ours.rmatvec(y[:, 0]), theirs.rmatvec(y[:, 0])), (ours.rmatmat(y), theirs.rmatmat(y)),
                                   (ours.H @ y, theirs_turned[0] @ y), (ours.T @ y, theirs_turned[1] @ y), (ours * x[:, 0], theirs * x[:, 0])]:
            assert ours_is.shape == theirs_is.shape
            np.testing.assert_allclose(ours_is, theirs_is, atol=atol, rtol=0)
        if len(theirs.dims if isinstance(theirs.dims, tuple) else ()) > 1:
            cube = x.reshape(*ours.dims, 3)
            np.testing.assert_allclose(ours @ cube[..., 0], theirs @ cube[..., 0], atol=atol, rtol=0)
            if not ours.forceflat:
                np.testing.assert_allclose(ours @ cube, theirs @ cube, atol=atol, rtol=0)
    if ours.clinear and kind != "columns" and kind not in ("Diagonal", "Diagonal complex"):   # differences
        np.testing.assert_allclose(ours.todense(), theirs.todense(), atol=atol)
    assert pylops.utils.dottest(ours, rtol=1e-9, complexflag=3 if ours.dtype.kind == "c" else 0)
    assert lopsar.dottest(theirs, complexflag=3 if ours.dtype.kind == "c" else 0)


@pytest.mark.parametrize("name", ["VStack", "HStack", "BlockDiag", "Block", "Kronecker"])
@pytest.mark.parametrize("stacking", [lopsar, pylops])
def test_either_stacks_the_other(name, stacking):
    a, b = lopsar.Pattern(M), pylops.MatrixMult(M + 1)
    given = {"Block": ([[a, b], [b, a]],), "Kronecker": (a, b)}.get(name, ([a, b, a],))
    op = getattr(stacking, name)(*given)
    dense = {"VStack": lambda: np.vstack([M, M + 1, M]), "HStack": lambda: np.hstack([M, M + 1, M]), "Kronecker": lambda: np.kron(M, M + 1),
             "Block": lambda: np.block([[M, M + 1], [M + 1, M]]), "BlockDiag": lambda: sp.block_diag([M, M + 1, M]).toarray()}[name]()
    x, y = rng.standard_normal((dense.shape[1], 2)), rng.standard_normal((dense.shape[0], 2))
    np.testing.assert_allclose(op @ x, dense @ x, atol=1e-12)
    np.testing.assert_allclose(op.H @ y, dense.T @ y, atol=1e-12)


def test_products_and_sums_of_either():
    ours, theirs = lopsar.Pattern(M), pylops.MatrixMult(M + 1)
    x = rng.standard_normal((4, 2))
    for op, dense in [(ours.H @ theirs, M.T @ (M + 1)), (theirs.H @ ours, (M + 1).T @ M), (ours.H * theirs, M.T @ (M + 1)),
                      (theirs.H * ours, (M + 1).T @ M), (ours + theirs, 2 * M + 1), (theirs + ours, 2 * M + 1), (ours - theirs, -np.ones((6, 4))),
                      (theirs - 2 * ours, 1 - M)]:
        np.testing.assert_allclose(op @ x, dense @ x, atol=1e-12)
        np.testing.assert_allclose(op.H @ (op @ x), dense.T @ dense @ x, atol=1e-11)
    assert isinstance(ours.H @ theirs, lopsar.LinearOperator) and isinstance(theirs.H @ ours, pylops.LinearOperator)
    for same in (pylops.aslinearoperator(ours), lopsar.aslinearoperator(theirs)):
        assert same.shape == (6, 4) and same.dims == (4,)


@pytest.mark.parametrize("solver, options", [("cgls", {"niter": 50, "tol": 0}), ("cg", {"niter": 50, "tol": 0}),
                                             ("lsqr", {"niter": 50, "atol": 1e-14, "btol": 1e-14})])
def test_pylops_solves_with_our_operators(solver, options):
    x = rng.standard_normal((4, 5))
    first, second = lopsar.MatrixMult(M, otherdims=5), lopsar.Pattern(M).over(5)
    for op in (first, second, lopsar.VStack([first, second])):
        system = op.H @ op if solver == "cg" else op
        found = getattr(pylops, solver)(system, system @ x, **options)[0]
        assert found.shape == (4, 5)
        np.testing.assert_allclose(found, x, atol=1e-6)
    op, regularization = lopsar.aslinearoperator(pylops.MatrixMult(M)), lopsar.Pattern(np.eye(4))
    found = pylops.optimization.leastsquares.regularized_inversion(op, op @ x[:, 0], [regularization], epsRs=[0.0])[0]
    np.testing.assert_allclose(found, x[:, 0], atol=1e-6)


def test_metrics_and_estimates():
    a, b = rng.standard_normal(50), rng.standard_normal(50)
    for name in ("mae", "mse", "snr", "psnr"):
        assert np.isclose(getattr(lopsar.utils, name)(a, b), getattr(pylops.utils, name)(a, b))
    assert np.isclose(lopsar.utils.psnr(a, b, xmin=None), pylops.utils.psnr(a, b, xmin=None))
    spectrum = np.linspace(1, 2, 300)
    matrix = (q := np.linalg.qr(rng.standard_normal((300, 300)))[0]) @ np.diag(spectrum) @ q.T
    for name in ("hutchinson", "hutch++", "na-hutch++"):
        np.random.seed(0)
        for lib in (lopsar, pylops):
            # The variance of one sample is at most 2 |A|_F^2; five standard deviations of the mean over a third of the 90 products.
            bound = 5 * np.sqrt(2 * (spectrum**2).sum() / 30)
            assert abs(lib.MatrixMult(matrix).trace(neval=90, method=name) - spectrum.sum()) < bound


def test_a_script_of_either():
    """One text under both names."""
    script = """
np.random.seed(3)
A = pylops.MatrixMult(np.random.normal(0, 1, (8, 5)), otherdims=(3,), name="A")
D = pylops.VStack([A, 0.1 * pylops.MatrixMult(np.eye(5), otherdims=3)])
pylops.utils.dottest(D, *D.shape)
np.random.seed(4)   # both dottests draw, but not the same
x = np.random.normal(0, 1, (5, 3))
y = D * x.ravel()
normal = (D.H * D).todense()
model = D / y
count = (A.matvec_count, A.rmatvec_count)
D.reset_count()
K = pylops.Kronecker(pylops.MatrixMult(np.eye(2)), pylops.MatrixMult(np.ones((3, 3))))
k = K @ np.arange(6.0)
with pylops.disabled_ndarray_multiplication():
    flat = A @ x.ravel()
shapes = (D.shape, D.dims, D.dimsd, (A @ x).shape, flat.shape, D.matvec_count)
"""
    results = []
    for lib in (lopsar, pylops):
        names = {"np": np, "pylops": lib}
        exec(script, names)
        results.append(names)
    for name in ("y", "normal", "model", "k", "flat"):
        np.testing.assert_allclose(results[0][name], results[1][name], atol=1e-6)
    assert results[0]["shapes"] == results[1]["shapes"]


# -- where PyLops is wrong, or otherwise: each on both ------------------------------------------------------------------
DIFFERENCES = {}


def difference(name):
    def keep(function):
        DIFFERENCES[name] = function
        return function
    return keep


@difference("cond of a singular operator")
def _():
    assert lopsar.MatrixMult(np.ones((9, 9))).cond() == np.inf
    try:
        assert np.isfinite(pylops.MatrixMult(np.ones((9, 9))).cond()) or np.isnan(pylops.MatrixMult(np.ones((9, 9))).cond())
    except (RuntimeError, ArithmeticError, np.linalg.LinAlgError):   # ARPACK's
        pass


@difference("cond of a square operator")
def _():
    shear = np.eye(6) + np.triu(np.full((6, 6), 5.0), 1)
    assert np.isclose(lopsar.MatrixMult(shear).cond(), np.linalg.cond(shear))
    assert not np.isclose(abs(pylops.MatrixMult(shear).cond()), np.linalg.cond(shear), rtol=0.1)   # a ratio of eigenvalues


@difference("eigs of all")
def _():
    assert len((1 * lopsar.MatrixMult(np.diag(np.arange(1.0, 9)))).eigs()) == 8
    assert len((1 * pylops.MatrixMult(np.diag(np.arange(1.0, 9)))).eigs()) == 6


@difference("adjoint of MemoizeOperator")
def _():
    for lib, wanted in ((lopsar, 4.0), (pylops, 1.0)):
        op = lib.MemoizeOperator(lib.MatrixMult(2 * np.eye(3)))
        assert (op.H @ (op @ np.ones(3)))[0] == wanted


@difference("lists of the caller")
def _():
    for lib, kept in ((lopsar, True), (pylops, False)):
        matrices = [np.eye(2), np.eye(2)]
        lib.VStack(matrices)
        assert (type(matrices[0]) is np.ndarray) == kept


@difference("adjoint of an adjoint")
def _():
    ours, theirs = lopsar.MatrixMult(M), pylops.MatrixMult(M)
    assert ours.H.H is ours and theirs.H.H is not theirs


@difference("dims of columns")
def _():
    assert lopsar.MatrixMult(M).apply_columns([0, 2]).dims == (2,)
    assert pylops.MatrixMult(M).apply_columns([0, 2]).dims == 2


@difference("linearity of real parts")
def _():
    for lib, clinear in ((lopsar, False), (pylops, True)):
        op = lib.MatrixMult(C, dtype="complex128").toreal()
        assert op.clinear == clinear and not np.allclose(op @ (1j * np.ones(4)), 1j * (op @ np.ones(4)))


@difference("matrix of columns")
def _():
    assert np.array_equal(lopsar.MatrixMult(M).apply_columns([0, 2]).A, M[:, [0, 2]])
    assert pylops.MatrixMult(M).apply_columns([0, 2]).A.shape == (6, 4)


@difference("shape error of rmatmat")
def _():
    with pytest.raises(lopsar.ShapeError, match="expected"):
        lopsar.MatrixMult(M).rmatmat(np.ones((5, 2)))
    with pytest.raises(UnboundLocalError):
        pylops.MatrixMult(M).rmatmat(np.ones((5, 2)))


@difference("tosparse of zeros")
def _():
    assert lopsar.MatrixMult(np.zeros((3, 3))).tosparse().nnz == 0
    with pytest.raises(IndexError):
        pylops.MatrixMult(np.zeros((3, 3))).tosparse()


@difference("tosparse of complex operators")
def _():
    op = lopsar.Real(2) @ lopsar.MatrixMult(C[:2, :2])
    assert op.tosparse().dtype == np.complex128
    assert np.allclose((1 * lopsar.MatrixMult(C)).tosparse().toarray(), C)


@difference("dottest by chance")
def _():
    single = M.astype(np.float32)
    failed = 0
    for seed in range(300):
        np.random.seed(seed)
        failed += not pylops.utils.dottest(pylops.MatrixMult(single, dtype="float32"), rtol=1e-6, raiseerror=False)
        assert lopsar.dottest(lopsar.MatrixMult(single, dtype="float32"), rtol=1e-6, seed=seed)
    assert failed > 0


@difference("precision")
def _():
    x = np.ones(4, np.float32)
    assert (lopsar.MatrixMult(M) @ x).dtype == np.float32 and (pylops.MatrixMult(M) @ x).dtype == np.float64


@difference("label of Kronecker")
def _():
    for lib, kind in ((lopsar, "c"), (pylops, "f")):
        a = lib.MatrixMult(C, dtype="complex128")
        assert lib.Kronecker(a, a).dtype.kind == kind


@difference("Fredholm1 with ny = 1")
def _():
    x = np.ones((3, 1, 1))
    assert (lopsar.signalprocessing.Fredholm1(G[:, :, :1]) @ x).shape == (3, 4, 1)
    with pytest.raises(ValueError):
        pylops.signalprocessing.Fredholm1(G[:, :, :1]) @ x


@difference("FunctionOperator with wrong arguments")
def _():
    with pytest.raises(lopsar.InvalidArgument, match="expected"):
        lopsar.FunctionOperator(np.copy, np.copy, np.copy, 3, 4)
    with pytest.raises(UnboundLocalError):
        pylops.FunctionOperator(np.copy, np.copy, np.copy, 3, 4)


@difference("columns at once")
def _():
    calls = {lopsar: 0, pylops: 0}
    for lib in calls:
        class Counted(lib.MatrixMult):
            def _matvec(self, x):
                calls[self.lib] += 1   # noqa: B023
                return super()._matvec(x)
            if lib is lopsar:
                _matmat = _matvec
        op = Counted(M)
        op.lib = lib
        op @ np.ones((4, 50))
    assert calls == {lopsar: 1, pylops: 50}


@difference("ndarray multiplication in threads")
def _():
    from concurrent.futures import ThreadPoolExecutor
    for lib, seen in ((lopsar, True), (pylops, False)):
        with ThreadPoolExecutor(1) as pool, lib.disabled_ndarray_multiplication():
            assert pool.submit(lib.get_ndarray_multiplication).result() is seen


@difference("matrices in sums")
def _():
    assert np.array_equal((lopsar.MatrixMult(M) + sp.csr_matrix(M)).todense(), 2 * M)
    with pytest.raises((TypeError, NotImplementedError, ValueError)):
        pylops.MatrixMult(M) + sp.csr_matrix(M)


@difference("negative axis of Interp with sinc")
def _():
    for lib, same in ((lopsar, True), (pylops, False)):
        last, second = (lib.signalprocessing.Interp((4, 6), np.array([1.2, 2.4]), axis=axis, kind="sinc")[0] for axis in (-1, 1))
        assert np.allclose(last.matvec(np.arange(24.0)), second.matvec(np.arange(24.0))) == same


@difference("complex data through real labels")
def _():
    x = np.arange(4) * (1 + 2j)
    for lib, wanted in ((lopsar, 1 + 2j), (pylops, 1)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")   # PyLops casts
            found = lib.FirstDerivative(4, kind="forward") @ x, lib.VStack([lib.MatrixMult(np.eye(4))]) @ x
        assert np.allclose(found[0][:3], wanted) and np.allclose(found[1], np.arange(4) * wanted)


@difference("integers")
def _():
    for lib, dtype in ((lopsar, np.float64), (pylops, np.int64)):
        for op in (lib.Roll(3), lib.MatrixMult(np.eye(3, dtype=np.int64))):
            assert (op @ np.ones(3, np.int64)).dtype == dtype


@difference("integer places of Regression")
def _():
    assert np.array_equal(lopsar.LinearRegression(np.arange(5)) @ np.ones(2), np.arange(1.0, 6))
    with pytest.raises(TypeError):   # NumPy's UFuncTypeError
        pylops.LinearRegression(np.arange(5)) @ np.ones(2)


@difference("dims of Sum of a vector")
def _():
    assert lopsar.Sum(6).dims == (6,) and pylops.Sum(6).dims == (6, 1)


@difference("forceflat of Sum")
def _():
    for lib, shape in ((lopsar, (12,)), (pylops, (3, 4))):
        assert (lib.Sum((2, 3, 4), 0, forceflat=True) @ np.ones((2, 3, 4))).shape == shape


@difference("Smoothing1D longer than its axis")
def _():
    op = lopsar.Smoothing1D(5, 4)
    assert op.matvec(np.ones(4)).shape == (4,) and lopsar.dottest(op)
    np.testing.assert_allclose(op @ np.ones(4), [0.6, 0.8, 0.8, 0.6])
    assert (pylops.Smoothing1D(5, 4) @ np.ones(4)).shape == (5,)


@difference("FirstDerivative of two values")
def _():
    assert not (pylops.FirstDerivative(2) @ np.arange(2.0)).any()
    with pytest.raises(lopsar.InvalidArgument, match="at least 3"):
        lopsar.FirstDerivative(2)


@difference("sampling 0")
def _():
    with np.errstate(all="ignore"):
        assert not np.isfinite(pylops.FirstDerivative(5, sampling=0) @ np.arange(5.0)).any()
    with pytest.raises(lopsar.InvalidArgument, match="sampling"):
        lopsar.FirstDerivative(5, sampling=0)


@difference("negative positions of Interp")
def _():
    op = pylops.signalprocessing.Interp(5, np.array([-0.5, 1.5]))[0]
    assert (op @ np.arange(5.0))[0] == 2   # halfway between the last value and the first
    with pytest.raises(lopsar.InvalidArgument, match="positions"):
        lopsar.signalprocessing.Interp(5, np.array([-0.5, 1.5]))


@difference("matrices of the caller")
def _():
    for lib, wanted in ((lopsar, 1.0), (pylops, 7.0)):
        matrix = np.eye(2)
        op = lib.MatrixMult(matrix)
        matrix[:] = 7 * np.eye(2)
        assert (op @ np.ones(2))[0] == wanted


def test_attributes_that_scripts_read():
    dense = {lib: lib.MatrixMult(M) for lib in (lopsar, pylops)}
    for name in ("VStack", "HStack", "BlockDiag"):
        ours, theirs = (getattr(lib, name)([dense[lib], dense[lib]]) for lib in (lopsar, pylops))
        assert (ours.nops, ours.mops) == (theirs.nops, theirs.mops) and ours.close() is theirs.close() is None
    for lib in (lopsar, pylops):
        assert lib.Restriction(3, [0], inplace=False).inplace is False
        assert lib.Real(3, dtype="complex64").rdtype == lib.Imag(3, dtype="complex64").rdtype == np.float32
        assert np.array_equal(lib.Diagonal(np.arange(3.0)).matrix(), np.diag(np.arange(3.0)))
        backend = module(lib.__name__, "utils.backend")
        y = np.ones(3)
        assert backend.inplace_set(2.0, y, [0]) is y and backend.inplace_add(1.0, y, [0, 0], accumulate=True) is y
        backend.inplace_multiply(3.0, backend.inplace_add(1.0, y, [1]), [1])
        assert np.array_equal(backend.inplace_divide(4.0, y, [2]), [4, 6, 0.25]) and backend.get_normalize_axis_index()(-1, 3) == 2


if hasattr(lopsar, "Identity"):
    @difference("Identity aliases its input")
    def _():
        for lib, changed in ((lopsar, 1.0), (pylops, 7.0)):
            x = np.ones(3)
            y = lib.Identity(3) @ x
            y[0] = 7
            assert x[0] == changed


if hasattr(lopsar.signalprocessing, "Interp"):
    @difference("repeated positions of Interp and Bilinear")
    def _():
        twice, points = np.array([2.0, 2.0, 5.0]), np.array([[1.2, 1.2], [2.5, 2.5]])
        assert lopsar.dottest(lopsar.signalprocessing.Interp(9, twice)[0], 3, 9) and lopsar.dottest(lopsar.signalprocessing.Bilinear(points, (6, 7)))
        for refused in (lambda: pylops.signalprocessing.Interp(9, twice), lambda: pylops.signalprocessing.Bilinear(points, (6, 7))):
            with pytest.raises(ValueError, match="repeated"):
                refused()


if hasattr(lopsar, "FirstDerivative"):
    @difference("wrong order of a derivative")
    def _():
        for lib, error in ((lopsar, lopsar.InvalidArgument), (pylops, NotImplementedError)):
            with pytest.raises(error, match="order"):
                lib.FirstDerivative(9, order=4)


if hasattr(lopsar, "Diagonal"):
    @difference("todense of Diagonal")
    def _():
        for lib, shape in ((lopsar, (24, 24)), (pylops, (144, 144))):
            assert lib.Diagonal(M).shape == (24, 24) and lib.Diagonal(M).todense().shape == shape


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference(name):
    DIFFERENCES[name]()


def test_the_docs_list_every_difference():
    listed = [line.split("|")[1].strip() for line in DOCS.splitlines() if line.startswith("| ") and not line.startswith("| name")]
    assert set(DIFFERENCES) <= set(listed)
