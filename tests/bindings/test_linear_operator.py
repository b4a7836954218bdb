"""Network as a SciPy operator, and the algebra of lopsar.LinearOperator."""

import gc
import signal
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import lopsar as lp
import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from lopsar.utils.decorators import reshaped

DATES = ["20170304", "20170316", "20170328", "20170409", "20170503"]
PAIRS = [(0, 1), (0, 2), (2, 1), (1, 3), (2, 3), (3, 4), (2, 4), (3, 4)]   # one reversed, one parallel


def network(reference=0):
    return lp.Network([(DATES[i], DATES[j]) for i, j in PAIRS], reference=reference)


def dense(reference=0):
    matrix = np.zeros((len(PAIRS), len(DATES)))
    for k, (i, j) in enumerate(PAIRS):
        matrix[k, i], matrix[k, j] = -1, 1
    return np.delete(matrix, reference, axis=1)


@pytest.mark.parametrize("reference", [0, 2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pixels", [0, 1, 7, 600])
def test_forward_and_adjoint_equal_the_dense_matrix(reference, dtype, pixels):
    A, M = network(reference), dense(reference)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, pixels)).astype(dtype), rng.standard_normal((8, pixels)).astype(dtype)
    eps = np.finfo(dtype).eps
    assert (A @ x).dtype == dtype and (A.H @ y).dtype == dtype
    np.testing.assert_allclose(A @ x, M @ x, atol=4 * eps * 10)
    np.testing.assert_allclose(A.H @ y, M.T @ y, atol=8 * eps * 10)
    np.testing.assert_array_equal(A.todense(), M)


def test_spellings_of_pairs():
    wanted = lp.Network([("20170304", "20170316"), ("20170316", "20170328")]).pairs
    for pairs in (["20170304_20170316", "20170316_20170328"], ["20170304-20170316", "20170316-20170328"],
                  np.array([["2017-03-04", "2017-03-16"], ["2017-03-16", "2017-03-28"]], "datetime64[D]"),
                  np.array([[b"20170304", b"20170316"], [b"20170316", b"20170328"]]), [("2017-03-04", "2017-03-16"), ("2017-03-16", "2017-03-28")]):
        assert lp.Network(pairs).pairs == wanted
    assert lp.Network([(datetime(2017, 1, 1, 10), datetime(2017, 1, 1, 15, 30))]).dates == ["20170101T1000", "20170101T1530"]
    assert lp.Network([(np.datetime64("2017-03-04T05:06"), np.datetime64("2017-03-16T05:06"))]).dates == ["20170304T0506", "20170316T0506"]


def test_properties():
    A = network()
    assert A.shape == (8, 4) and A.rank == 4 and A.connected and A.reference == DATES[0]
    np.testing.assert_array_equal(A.redundancy, [2, 3, 4, 4, 3])
    np.testing.assert_array_equal(A.days, [0, 12, 24, 36, 60])
    B = lp.Network(["20170304_20170316", "20170328_20170409"])
    assert not B.connected and B.rank == 2
    np.testing.assert_array_equal(B.components, [0, 0, 1, 1])
    assert lp.Network(["20170304_20170316"], reference="20170316").reference == "20170316"


@pytest.mark.parametrize("pairs", [[], ["20170304"], [("20170304", "20170304")], [(1, 2, 3)], [("20171304", "20170316")], [("x", "y")]])
def test_bad_pairs(pairs):
    with pytest.raises(ValueError):
        lp.Network(pairs)


def test_bad_reference():
    with pytest.raises(lp.InvalidArgument, match="reference"):
        network(reference=9)
    with pytest.raises(ValueError, match="20200101"):
        network(reference="20200101")


def test_precision_rule():
    A = network()
    assert (A @ np.arange(4)).dtype == np.float64
    assert (A @ (1j * np.arange(4.0))).dtype == np.complex128
    with pytest.raises(lp.InvalidArgument, match="float16"):
        A @ np.zeros(4, np.float16)
    assert (A @ np.zeros((4, 6), np.float32)[:, ::2]).shape == (8, 3)


def test_scipy_solvers_and_dottest():
    A = network()
    y = A @ np.array([1.0, -2.0, 0.5, 3.0])
    np.testing.assert_allclose(sla.lsqr(A, y, atol=1e-14, btol=1e-14)[0], [1, -2, 0.5, 3], atol=1e-10)
    np.testing.assert_allclose(sla.cg(A.H @ A, A.H @ y, rtol=1e-14)[0], [1, -2, 0.5, 3], atol=1e-10)
    assert isinstance(A, sla.LinearOperator)
    assert lp.dottest(A, 8, 4) and lp.dottest(A.H @ A) and lp.dottest(A, complexflag=3)
    with pytest.raises(AssertionError):
        lp.dottest(A, 4, 8)


def test_dottest_fails_for_a_wrong_adjoint():
    class Wrong(lp.LinearOperator):
        def _matvec(self, x):
            return 2 * x

        def _rmatvec(self, y):
            return 3 * y

    with pytest.raises(AssertionError, match="failed"):
        lp.dottest(Wrong(shape=(5, 5)))
    assert not lp.dottest(Wrong(shape=(5, 5)), raiseerror=False)


def test_algebra_equals_matrices():
    A, M = network(), dense()
    D = lp.aslinearoperator(np.diag([1.0, 2.0, 3.0, 4.0]))
    E = sla.aslinearoperator(np.arange(32.0).reshape(8, 4))
    x = np.random.default_rng(1).standard_normal((4, 3))
    y = np.random.default_rng(2).standard_normal((8, 3))
    Ed = np.arange(32.0).reshape(8, 4)
    for op, matrix in [(A @ D, M @ np.diag([1.0, 2, 3, 4])), (2.5 * A, 2.5 * M), (A * 2.5, 2.5 * M), (-A, -M), (A + E, M + Ed), (A - E, M - Ed),
                       (A.H @ A, M.T @ M), (A.T, M.T), ((2 * A + E) @ D, (2 * M + Ed) @ np.diag([1.0, 2, 3, 4]))]:
        assert isinstance(op, lp.LinearOperator)
        v, u = (x, y) if op.shape[1] == 4 else (y, x)
        np.testing.assert_allclose(op @ v, matrix @ v, atol=1e-12)
        np.testing.assert_allclose(op @ v[:, 0], matrix @ v[:, 0], atol=1e-12)
        np.testing.assert_allclose(op.H @ (op @ v), matrix.T @ (matrix @ v), atol=1e-10)
        np.testing.assert_allclose(op.todense(), matrix, atol=1e-12)
    assert A.H.H is A
    assert (2.5 * A @ x.astype(np.float32)).dtype == np.float32
    for bad in (lambda: A @ A, lambda: A + D, lambda: A @ 3, lambda: A @ np.zeros(5)):
        with pytest.raises(ValueError):
            bad()


def test_dims_and_forceflat():
    class Halve(lp.LinearOperator):
        def _matvec(self, x):
            return x.reshape(self.dims)[:, ::2].ravel()

        def _rmatvec(self, y):
            x = np.zeros(self.dims, y.dtype)
            x[:, ::2] = y.reshape(self.dimsd)
            return x.ravel()

    H = Halve(dims=(3, 8), dimsd=(3, 4))
    x = np.arange(24.0).reshape(3, 8)
    assert lp.dottest(H)
    np.testing.assert_array_equal(H @ x, x[:, ::2])
    assert (H @ x.ravel()).shape == (12,) and (H @ np.stack([x, x], -1)).shape == (3, 4, 2) and (H @ np.zeros((24, 5))).shape == (12, 5)
    assert (H.H @ (H @ x)).shape == (3, 8)
    flat = Halve(dims=(3, 8), dimsd=(3, 4), forceflat=True)
    assert (flat @ x).shape == (12,)
    with pytest.raises(ValueError, match="forceflat"):
        flat + Halve(dims=(3, 8), dimsd=(3, 4), forceflat=False)
    with pytest.raises(ValueError, match="dims"):
        Halve(dims=(3, 8), dimsd=(3, 4), shape=(5, 5))


# -- operators of every kind in one algebra ----------------------------------------------------------------------------


class Scale(lp.LinearOperator):
    """As PyLops users write one, with PyLops' constructor arguments."""

    def __init__(self, diag, dims, dtype="float64", name="D", forceflat=None):
        self.diag = diag
        super().__init__(dtype=np.dtype(dtype), dims=dims, dimsd=dims, explicit=False, clinear=True, name=name, forceflat=forceflat)

    @reshaped
    def _matvec(self, x):
        return self.diag * x

    @reshaped
    def _rmatvec(self, x):
        return self.diag.conj() * x


class Cut(lp.LinearOperator):
    """Drops the last rows of an axis that is swapped to the end."""

    def __init__(self, dims, keep, axis, dtype="float64"):
        self.axis, self.keep = axis, keep
        dimsd = list(dims)
        dimsd[axis] = keep
        super().__init__(dtype=np.dtype(dtype), dims=dims, dimsd=dimsd)

    @reshaped(swapaxis=True)
    def _matvec(self, x):
        return x[..., :self.keep]

    @reshaped(swapaxis=True)
    def _rmatvec(self, x):
        out = np.zeros((*x.shape[:-1], self.dims[self.axis]), x.dtype)
        out[..., :self.keep] = x
        return out


def cut(**kwargs):
    """dims (3, 7), dimsd (2, 7): one of every kind, and the matrix."""
    matrix = np.eye(14, 21)
    native = lp.Pattern(np.eye(2, 3)).over(7)
    for name, value in kwargs.items():
        setattr(native, name, value)
    python = Cut((3, 7), 2, axis=0)
    for name, value in kwargs.items():
        setattr(python, name, value)
    mixed = Cut((3, 7), 2, axis=0) @ lp.Pattern(np.eye(3))
    mixed.forceflat = kwargs.get("forceflat")
    return {"native": native, "python": python, "mixed": mixed}, matrix


@pytest.mark.parametrize("kind", ["native", "python", "mixed"])
def test_shapes_in_and_out(kind):
    """The table in the docstring of LinearOperator."""
    ops, matrix = cut()
    op = ops[kind]
    assert op.shape == (14, 21) and op.dims == (3, 7) and op.dimsd == (2, 7)
    x = np.random.default_rng(0).standard_normal((3, 7, 2))
    for given, wanted in [(x[..., 0].ravel(), (14,)), (x.reshape(21, 2), (14, 2)), (x[..., 0], (2, 7)), (x, (2, 7, 2)),
                          (x[..., :0], (2, 7, 0)), (x.reshape(21, 2)[:, :0], (14, 0)), (np.asfortranarray(x), (2, 7, 2)), (x[::-1], (2, 7, 2))]:
        y = op @ given
        assert y.shape == wanted and np.array_equal(y.reshape(14, -1), (matrix @ given.reshape(21, -1)))
        back = op.H @ y
        assert back.shape == given.shape and np.array_equal(back.reshape(21, -1), matrix.T @ y.reshape(14, -1))
    assert op.matvec(x[..., 0].reshape(21, 1)).shape == (14, 1) and op.rmatvec(np.zeros((14, 1))).shape == (21, 1)
    assert op.dot(x[..., 0].ravel()).shape == (op * x[..., 0].ravel()).shape == (14,)
    for bad in (np.zeros(20), np.zeros((7, 3)), np.zeros((20, 2)), np.zeros((3, 6)), np.zeros((3, 7, 2, 2)), np.zeros(())):
        with pytest.raises((ValueError, TypeError)):
            op @ bad
    for function, bad in [(op.matvec, np.zeros(14)), (op.matvec, np.zeros((3, 7))), (op.rmatvec, np.zeros(21)), (op.matmat, np.zeros(21)),
                          (op.rmatmat, np.zeros((21, 2)))]:
        with pytest.raises(lp.ShapeError, match="expected"):
            function(bad)


@pytest.mark.parametrize("kind", ["native", "python", "mixed"])
def test_forceflat_and_the_switch(kind):
    x = np.arange(21.0).reshape(3, 7)
    op = cut(forceflat=True)[0][kind]
    assert (op @ x).shape == (14,) and (op @ np.stack([x, x], -1)).shape == (14, 2) and (op.H @ np.zeros((2, 7))).shape == (21,)
    op = cut()[0][kind]
    with lp.disabled_ndarray_multiplication():
        assert not lp.get_ndarray_multiplication()
        assert (op @ x.ravel()).shape == (14,) and (op @ np.zeros((21, 2))).shape == (14, 2)
        for bad in (x, np.stack([x, x], -1)):
            with pytest.raises(ValueError, match="set_ndarray_multiplication"):
                op @ bad
        with lp.enabled_ndarray_multiplication():
            assert (op @ x).shape == (2, 7)
        assert not lp.get_ndarray_multiplication()
    lp.set_ndarray_multiplication(False)
    try:
        with pytest.raises(ValueError):
            op @ x
    finally:
        lp.set_ndarray_multiplication(True)
    assert (op @ x).shape == (2, 7)


def test_one_axis_against_two():
    """Where dims has one axis and dimsd two, the result is nd unless forceflat."""
    op = lp.LinearOperator(lp.MatrixMult(np.ones((6, 4))), dims=4, dimsd=(2, 3))
    assert (op @ np.ones(4)).shape == (2, 3) and (op @ np.ones((4, 5))).shape == (2, 3, 5) and (op.H @ np.ones((2, 3))).shape == (4,)
    op.forceflat = True
    assert (op @ np.ones(4)).shape == (6,) and (op.H @ np.ones((2, 3))).shape == (4,)
    op.dims = (2, 2)
    assert op.dims == (2, 2)
    with pytest.raises(lp.ShapeError):
        op.dims = (3, 2)


def test_pixelwise_operators_take_any_further_axes():
    A, M = network(), dense()
    cube = np.random.default_rng(0).standard_normal((4, 3, 5)).astype(np.float32)
    np.testing.assert_allclose(A @ cube, np.einsum("ij,jkl->ikl", M, cube), atol=1e-5)
    np.testing.assert_allclose(A.H @ (A @ cube), np.einsum("ij,jkl->ikl", M.T @ M, cube), atol=1e-4)
    assert (A @ cube[:, ::2, ::-1]).shape == (8, 2, 5) and (A @ cube).dtype == np.float32
    grid = A.over((3, 5))
    assert grid.dims == (4, 3, 5) and grid.dimsd == (8, 3, 5) and not grid.pixelwise and A.pixelwise
    np.testing.assert_array_equal(grid @ cube, A @ cube)
    np.testing.assert_allclose(lp.MatrixMult(M) @ cube, A @ cube, atol=1e-5)
    with pytest.raises(ValueError):   # complex ones are not pixelwise
        lp.MatrixMult(1j * M) @ cube


def every_kind():
    rng = np.random.default_rng(3)
    M = rng.standard_normal((6, 4))
    C = M + 1j * rng.standard_normal((6, 4))
    return [(lp.Pattern(M), M), (lp.MatrixMult(M), M), (lp.MatrixMult(C), C), (lp.MatrixMult(sp.csr_matrix(C)), C),
            (lp.aslinearoperator(sp.coo_matrix(M)), M), (lp.LinearOperator(sla.aslinearoperator(C)), C),
            (lp.FunctionOperator(lambda x: M @ x, lambda y: M.T @ y, 6, 4), M),
            (lp.MemoizeOperator(lp.MatrixMult(C)), C), (lp.FunctionOperator(lambda x: C @ x, lambda y: C.conj().T @ y, 6, 4, dtype="complex128"), C)]


@pytest.mark.parametrize("i", range(len(every_kind())))
@pytest.mark.parametrize("j", range(len(every_kind())))
def test_one_algebra_for_all(i, j):
    """Native, Python, SciPy, dense, sparse, functions: any two of them."""
    (A, a), (B, b) = every_kind()[i], every_kind()[j]
    rng = np.random.default_rng(4)
    for op, matrix in [(A @ B.H, a @ b.conj().T), (A.T @ B, a.T @ b), (A + B, a + b), (A - 2 * B, a - 2 * b), (1j * A + B.conj(), 1j * a + b.conj()),
                       (lp.VStack([A, B]), np.vstack([a, b])), (lp.HStack([A, B]), np.hstack([a, b])), (lp.Kronecker(A, B), np.kron(a, b)),
                       (lp.BlockDiag([A, B]), np.block([[a, np.zeros((6, 4))], [np.zeros((6, 4)), b]])),
                       (lp.Block([[A, B], [B, A]]), np.block([[a, b], [b, a]])), ((A.H @ B) ** 3, np.linalg.matrix_power(a.conj().T @ b, 3)),
                       ((A @ B.H).H, b @ a.conj().T), ((A @ B.T).T, (a @ b.T).T), (-(A + B).conj(), -(a + b).conj()), (A / 2, a / 2)]:
        assert isinstance(op, lp.LinearOperator) and op.shape == matrix.shape
        assert op.dtype.kind == ("c" if np.iscomplexobj(matrix) else "f")
        x, y = rng.standard_normal((matrix.shape[1], 3)) + 1j, rng.standard_normal((matrix.shape[0], 3)) - 2j
        bound = 200 * np.finfo(float).eps * np.linalg.norm(np.abs(matrix)) * 10   # sums of at most 64 products of three factors
        np.testing.assert_allclose(op @ x, matrix @ x, atol=bound)
        np.testing.assert_allclose(op.H @ y, matrix.conj().T @ y, atol=bound)
        np.testing.assert_allclose(op.matvec(x[:, 0]), matrix @ x[:, 0], atol=bound)
        np.testing.assert_allclose(op.rmatvec(y[:, 0]), matrix.conj().T @ y[:, 0], atol=bound)
        np.testing.assert_allclose(op.todense(), matrix, atol=bound)
        np.testing.assert_allclose(op.tosparse().toarray(), matrix, atol=bound)
        np.testing.assert_allclose(op @ x.real.astype(np.float32), matrix @ x.real, rtol=0, atol=bound * 2**29)
        assert op.H.H is op and op.T.T is op and op.conj().conj() is op and (op @ x.astype(np.complex64)).dtype == np.complex64
        assert lp.dottest(op, complexflag=3, rtol=1e-13)


def test_lists_of_the_caller_are_not_changed():
    matrices = [np.eye(3), sp.eye(3), lp.MatrixMult(np.eye(3))]
    for stack in (lp.VStack, lp.HStack, lp.BlockDiag):
        given = list(matrices)
        stack(given)
        assert all(a is b for a, b in zip(given, matrices))


def test_dims_of_stacks():
    D = Scale(np.ones((3, 7)), (3, 7))
    V, H, B = lp.VStack([D, D]), lp.HStack([D, D]), lp.BlockDiag([D, D])
    assert (V.dims, V.dimsd, V.forceflat) == ((3, 7), (42,), None) and (H.dims, H.dimsd) == ((42,), (3, 7))
    assert B.dims == B.dimsd == (2, 3, 7)
    other = lp.MatrixMult(np.ones((5, 21)))
    assert lp.VStack([D, other]).forceflat and (lp.VStack([D, other]) @ np.zeros(21)).shape == (26,)
    A = lp.VStack([lp.Pattern(np.ones((2, 3))), D])        # the pixelwise one is lifted to the grid of the other
    assert A.shape == (2 * 7 + 21, 21) and A.dims == (3, 7) and lp.dottest(A)
    for bad in (lambda: lp.VStack([D, np.ones((3, 4))]), lambda: lp.HStack([D, np.ones((4, 4))]), lambda: lp.VStack([])):
        with pytest.raises(ValueError):
            bad()


def test_a_method_for_the_pattern_makes_an_operator_pixelwise():
    class Mean(lp.LinearOperator):
        def __init__(self, n):
            super().__init__(shape=(1, n))

        def pattern(self):
            return np.full(self.shape, 1 / self.shape[1])

    op = Mean(4)
    assert op.pixelwise and (op @ np.ones((4, 2, 3))).shape == (1, 2, 3) and (network() @ op.H).pixelwise
    np.testing.assert_allclose((network() @ op.H).todense(), dense() @ np.full((4, 1), 0.25))
    Mean.pattern = lambda self: np.ones((3, 3))
    with pytest.raises(lp.ShapeError, match="pattern"):
        Mean(4) @ np.ones(4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pattern_with_fields(dtype):
    rng = np.random.default_rng(5)
    matrix, fields = rng.standard_normal((4, 3)), rng.standard_normal((2, 6)).astype(dtype)
    which = rng.integers(-1, 2, (4, 3))
    op = lp.Pattern(sp.csr_matrix(matrix), fields, which)
    assert op.pixels == 6 and op.pixelwise
    x, y = rng.standard_normal((3, 6)).astype(dtype), rng.standard_normal((4, 6)).astype(dtype)
    full = matrix[..., None] * np.where(which[..., None] < 0, 1, fields[which])
    atol = 4 * np.finfo(dtype).eps * np.abs(full).sum()
    np.testing.assert_allclose(op @ x, np.einsum("ijp,jp->ip", full, x), atol=atol)
    np.testing.assert_allclose(op.H @ y, np.einsum("ijp,ip->jp", full, y), atol=atol)
    np.testing.assert_allclose((op.over((2, 3)) @ x.reshape(3, 2, 3)).reshape(4, 6), op @ x)
    np.testing.assert_allclose(op.over((2, 3)).todense() @ x.ravel(), (op @ x).ravel(), atol=atol)
    for bad in (lambda: op @ x[:, :5], lambda: op @ x[:, 0], lambda: op.over(5)):
        with pytest.raises(lp.ShapeError):
            bad()
    for bad in (op.todense, op.tosparse, lambda: lp.Pattern(matrix, fields), lambda: lp.Pattern(matrix, fields, which + 1),
                lambda: lp.Pattern(matrix * np.inf), lambda: lp.Pattern(1j * matrix)):
        with pytest.raises(ValueError):
            bad()


def test_precision_is_that_of_the_input():
    M = np.random.default_rng(0).standard_normal((6, 4))
    for op in (lp.Pattern(M), lp.MatrixMult(M), lp.MatrixMult(sp.csr_matrix(M)), 2 * lp.MatrixMult(M),
               lp.signalprocessing.Fredholm1(M.reshape(1, 6, 4)), lp.MatrixMult(M, dtype="float32") @ lp.Pattern(np.eye(4)),
               np.float64(2) * lp.Pattern(M)):
        for given, wanted in [(np.float32, np.float32), (np.float64, np.float64), (np.complex64, np.complex64), (np.complex128, np.complex128),
                              (np.int8, np.float64), (bool, np.float64), (">f4", np.float32)]:
            x = np.ones((4, 3), given)
            assert (op @ x).dtype == op.matmat(x).dtype == op.matvec(x[:, 0]).dtype == wanted
            assert (op.H @ np.ones((6, 3), given)).dtype == wanted
        with pytest.raises(lp.InvalidArgument, match="float16"):
            op @ np.ones(4, np.float16)
    label = lp.Pattern(M, dtype="complex64")
    assert (label @ np.ones(4, np.float32)).dtype == np.complex64 and (label.H @ label).dtype == np.complex64
    assert label.todense().dtype == np.complex64
    complex_matrix = lp.MatrixMult(M * 1j)
    assert complex_matrix.dtype == np.complex128 and ((complex_matrix @ lp.Pattern(np.eye(4))) @ np.ones(4, np.float32)).dtype == np.complex64


def test_complex_parts_are_linear_for_real_factors():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4)) + 1j * rng.standard_normal((3, 4))
    for op, function in [(lp.Real((3, 4)), np.real), (lp.Imag((3, 4)), np.imag), (lp.Conj((3, 4)), np.conj)]:
        assert not op.clinear and not (2 * op).clinear
        np.testing.assert_array_equal(op @ x, function(x))
        np.testing.assert_array_equal((lp.Pattern(np.eye(3)).over(4) @ op) @ x, function(x))
        for flag in (0, 1, 3):
            assert lp.dottest(op, complexflag=flag, rtol=1e-14) and lp.dottest(op @ lp.MatrixMult(1j * np.eye(12)), complexflag=flag, rtol=1e-14)
    C = x @ x.T
    A = lp.MatrixMult(C)
    v = rng.standard_normal(3)
    np.testing.assert_allclose(A.toreal() @ v, C.real @ v)
    np.testing.assert_allclose(A.toimag() @ v, C.imag @ v)
    assert lp.dottest(A.toreal(), rtol=1e-13) and lp.dottest(A.toimag(), rtol=1e-13)


def test_matrices():
    rng = np.random.default_rng(0)
    M = rng.standard_normal((5, 5))
    A = lp.MatrixMult(M)
    assert A.explicit and np.array_equal(A.A, M)
    changed, like = M.copy(), sp.csr_matrix(M)
    held, sparse = lp.MatrixMult(changed), lp.MatrixMult(like)
    changed[:] = like.data[:] = 0
    for op in (held, sparse):   # a copy, in either precision
        np.testing.assert_allclose(op @ np.ones(5), M.sum(axis=1), atol=1e-14)
        np.testing.assert_allclose(op @ np.ones(5, np.float32), M.sum(axis=1), atol=1e-5)
    held.todense()[:] = 0
    assert np.array_equal(held.A, M)
    np.testing.assert_allclose(A.inv() @ M, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(lp.MatrixMult(sp.csc_matrix(M)).inv().toarray() @ M, np.eye(5), atol=1e-12)
    y = rng.standard_normal(5)
    for op in (A, lp.MatrixMult(sp.csc_matrix(M)), lp.Pattern(M)):
        np.testing.assert_allclose(op / (op @ y), y, atol=1e-6)
    tall = lp.MatrixMult(rng.standard_normal((9, 5)))
    np.testing.assert_allclose(tall / (tall @ y), y, atol=1e-12)
    np.testing.assert_allclose(tall.div(tall @ y, densesolver="numpy"), y, atol=1e-12)
    B = lp.MatrixMult(M, otherdims=(2, 3))
    x = rng.standard_normal((5, 2, 3))
    assert not B.explicit and B.dims == B.dimsd == (5, 2, 3)
    np.testing.assert_allclose(B @ x, np.einsum("ij,jkl->ikl", M, x), atol=1e-13)
    np.testing.assert_allclose(B @ np.stack([x, 2 * x], -1), np.einsum("ij,jklm->iklm", M, np.stack([x, 2 * x], -1)), atol=1e-13)
    np.testing.assert_allclose(B.todense(), np.kron(M, np.eye(6)))
    assert (B / x).shape == x.shape
    for nz, keep in [(1, True), (2, True), (2, False)]:
        G = rng.standard_normal((3, 4, 2)) + 1j * rng.standard_normal((3, 4, 2))
        F = lp.signalprocessing.Fredholm1(G, nz=nz, saveGt=keep)
        x = rng.standard_normal((3, 2, nz)) + 0j
        np.testing.assert_allclose(F @ x, np.einsum("kij,kjz->kiz", G, x), atol=1e-13)
        assert lp.dottest(F, 12 * nz, 6 * nz, complexflag=3, rtol=1e-14) and (F @ np.stack([x, x], -1)).shape == (3, 4, nz, 2)
    for bad in (lambda: lp.MatrixMult(np.ones(3)), lambda: lp.signalprocessing.Fredholm1(np.ones((2, 2)))):
        with pytest.raises(lp.ShapeError):
            bad()


def test_functions():
    double = lp.FunctionOperator(lambda x: 2 * x, 5)
    assert double.shape == (5, 5) and double.name == "F"
    with pytest.raises(NotImplementedError, match="Adjoint"):
        double.H @ np.ones(5)
    assert lp.FunctionOperator(lambda x: x[:3], 3, 5).shape == (3, 5)
    assert lp.FunctionOperator(np.copy, np.copy, 4).shape == (4, 4)
    cut = lp.FunctionOperator(lambda x: x[:3], lambda y: np.append(y, [0, 0]), 3, 5, dtype="float32", name="cut")
    assert cut.dtype == np.float32 and cut.name == "cut" and lp.dottest(cut) and "cut" in (cut @ cut.H).describe()
    for bad in ((), (3, 4, 5), (np.copy, 3, 4, 5), (3, np.copy)):
        with pytest.raises(ValueError):
            lp.FunctionOperator(np.copy, *bad)


def test_memoize_gives_the_adjoint_and_not_the_inverse():
    A = lp.MatrixMult(np.diag([2.0, 3.0]))
    M = lp.MemoizeOperator(A, max_neval=2)
    x = np.ones(2)
    y = M @ x
    np.testing.assert_array_equal(M.H @ y, [4, 9])
    assert M.neval == 2 and A.matvec_count == A.rmatvec_count == 1
    assert np.array_equal(M @ x, y) and M.neval == 2
    x[:] = 5                                              # what was stored does not change with the caller's array
    np.testing.assert_array_equal(M @ x, [10, 15])
    assert M.neval == 3 and len(M.store) == 2
    assert lp.dottest(M)


def test_matrix_numbers():
    rng = np.random.default_rng(0)
    M = rng.standard_normal((30, 30))
    S = M @ M.T
    for op in (lp.Pattern(M), lp.MatrixMult(M), 1 * lp.MatrixMult(M)):
        assert np.isclose(op.cond(), np.linalg.cond(M)) and np.isclose(op.trace(method="explicit"), np.trace(M))
        np.testing.assert_allclose(np.sort(np.abs(op.eigs())), np.sort(np.abs(np.linalg.eigvals(M))))
        np.testing.assert_allclose(np.abs(op.eigs(neigs=2)).max(), np.abs(np.linalg.eigvals(M)).max())
    op = lp.FunctionOperator(lambda x: S @ x, lambda x: S @ x, 30)
    values = np.linalg.eigvalsh(S)[::-1]
    np.testing.assert_allclose(op.eigs(symmetric=True), values, atol=1e-10)
    np.testing.assert_allclose(op.eigs(neigs=3, symmetric=True), values[:3])
    np.testing.assert_allclose(op.eigs(neigs=3, symmetric=True, uselobpcg=True, niter=200, tol=1e-9), values[:3])
    T = rng.standard_normal((40, 30))
    tall = lp.FunctionOperator(lambda x: T @ x, lambda x: T.T @ x, 40, 30)
    np.testing.assert_allclose(tall.eigs(), np.linalg.svd(T)[1])
    np.testing.assert_allclose(tall.eigs(neigs=2), np.linalg.svd(T)[1][:2])
    assert lp.Pattern(np.ones((5, 5))).cond() == np.inf and lp.aslinearoperator(np.eye(4)).cond() == 1
    np.random.seed(0)
    low = np.outer(np.arange(200.0), np.arange(200.0))     # rank 1: what Hutch++ gets exactly
    op = lp.FunctionOperator(lambda x: low @ x, lambda x: low @ x, 200)
    assert np.isclose(op.trace(neval=9), np.trace(low)) and np.isclose(op.trace(neval=30, method="na-hutch++"), np.trace(low))
    diagonal = lp.Pattern(sp.diags(np.arange(200.0)))
    assert diagonal.trace() == np.trace(low) ** 0 * np.arange(200.0).sum()
    assert np.isclose(diagonal.trace(neval=5, method="hutchinson"), np.arange(200.0).sum())   # exact for a diagonal and signs
    assert np.isclose(lp.MatrixMult(M).trace(neval=30, method="hutchinson", sampler="unitvector", batch_size=7), np.trace(M))
    with pytest.raises(ValueError):
        tall.trace()
    with pytest.raises(NotImplementedError):
        op.trace(method="guess")


def test_cond_of_a_large_operator(monkeypatch):
    from lopsar import linear_operator
    monkeypatch.setattr(linear_operator, "DENSE", 10)
    rng = np.random.default_rng(0)
    M = rng.standard_normal((80, 60))
    assert np.isclose(lp.MatrixMult(M).cond(), np.linalg.cond(M), rtol=1e-6) and np.isclose(lp.MatrixMult(M.T).cond(), np.linalg.cond(M), rtol=1e-6)
    M[:, 0] = M[:, 1]
    assert lp.MatrixMult(M).cond() == np.inf


def test_columns_of_an_operator():
    for op, matrix in every_kind():
        some = op.apply_columns([2, 0])
        assert some.shape == (6, 2) and some.dims == (2,)
        np.testing.assert_allclose(some.todense(), matrix[:, [2, 0]])
        np.testing.assert_allclose(some.H @ np.ones(6), matrix[:, [2, 0]].conj().T @ np.ones(6))
    assert network().apply_columns([1]).pixelwise


def test_counters():
    A = Scale(np.ones(4), 4)
    A @ np.ones(4), A @ np.ones(4), A.matvec(np.ones(4)), A @ np.ones((4, 2)), A.rmatvec(np.ones(4)), A.rmatmat(np.ones((4, 2)))
    assert (A.matvec_count, A.matmat_count, A.rmatvec_count, A.rmatmat_count) == (3, 1, 1, 1)
    (A.H @ A) @ np.ones(4)                                  # inside others they count, too
    assert (A.matvec_count, A.rmatvec_count) == (4, 2)
    A.reset_count()
    assert A.matvec_count == A.rmatvec_count == A.matmat_count == A.rmatmat_count == 0
    N = network()
    N @ np.ones(4), N.matvec(np.ones(4)), N @ np.ones((4, 2))
    assert (N.matvec_count, N.matmat_count) == (2, 1)


def test_what_methods_of_subclasses_may_be():
    class Columns(lp.LinearOperator):       # SciPy's other way: all columns at once
        def _matmat(self, X):
            return 3 * X

        def _rmatmat(self, X):
            return 3 * X

    op = Columns(shape=(4, 4))
    np.testing.assert_array_equal(op @ np.ones(4), 3 * np.ones(4))
    np.testing.assert_array_equal((op @ op.H) @ np.ones((4, 2)), 9 * np.ones((4, 2)))

    for kind in (lp.Pattern, lp.MatrixMult):
        class Twice(kind):                   # a method of a subclass wins over the core
            def _matvec(self, x):
                return 2 * super()._matvec(x)

            def _rmatvec(self, x):
                return 2 * super()._rmatvec(x)

        op = Twice(np.eye(3))
        for twice in (op, lp.LinearOperator(op), lp.aslinearoperator(np.eye(3)) @ op, op.H.H, op.T, lp.VStack([op])):
            np.testing.assert_array_equal(twice @ np.ones(3), 2 * np.ones(3))
            np.testing.assert_array_equal(twice.matvec(np.ones(3)), 2 * np.ones(3))
            np.testing.assert_array_equal(twice.H @ np.ones(3), 2 * np.ones(3))

    class Old(lp.LinearOperator):            # the style of PyLops 1: attributes instead of a constructor
        def __init__(self):
            self.shape, self.dtype, self.explicit = (3, 3), np.dtype("float64"), False

        def _matvec(self, x):
            return 2 * x

        _rmatvec = _matvec

    np.testing.assert_array_equal((Old().H @ (Old() + Old())) @ np.ones(3), 8 * np.ones(3))
    assert lp.dottest(Old()) and Old().dims == Old().dimsd == (3,)

    class Nothing(lp.LinearOperator):
        pass

    with pytest.raises(NotImplementedError, match="_matvec"):
        Nothing(shape=(3, 3)) @ np.ones(3)
    with pytest.raises(ValueError, match="shape"):
        Nothing()

    class Short(lp.LinearOperator):
        def _matvec(self, x):
            return x[:-1]

    with pytest.raises(lp.ShapeError):
        Short(shape=(4, 4)) @ np.ones(4)
    with pytest.raises(lp.ShapeError):
        (Short(shape=(4, 4)) @ lp.Pattern(np.eye(4))) @ np.ones(4)

    class Complex(lp.LinearOperator):
        def _matvec(self, x):
            return 1j * x

    with pytest.raises(lp.InvalidArgument, match="complex dtype"):
        (Complex(shape=(4, 4)) @ lp.Pattern(np.eye(4))) @ np.ones(4)


class Trouble(Exception):
    pass


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt, ZeroDivisionError])
def test_exceptions_of_python_operators_reach_the_caller_unchanged(error):
    raised = error("as it is")

    class Fails(lp.LinearOperator):
        def _matvec(self, x):
            raise raised

        _rmatvec = _matvec

    op = Fails(shape=(300, 300))
    composed = lp.VStack([2 * op @ lp.Pattern(np.eye(300)), lp.MatrixMult(np.eye(300))]) @ lp.Pattern(np.eye(300))
    for run in (lambda: op @ np.ones(300), lambda: composed @ np.ones(300), lambda: composed @ np.ones((300, 40)), lambda: composed.H @ np.ones(600)):
        with pytest.raises(error) as caught:
            run()
        assert caught.value is raised
        caught = raised.__traceback__ = None


def test_interrupt_while_python_code_runs():
    class Interrupted(lp.LinearOperator):
        def _matvec(self, x):
            signal.raise_signal(signal.SIGINT)
            return x

    with pytest.raises(KeyboardInterrupt):
        (lp.Pattern(np.eye(3)) @ Interrupted(shape=(3, 3))) @ np.ones(3)


def test_operators_that_hold_themselves_are_collected():
    class Normal(lp.LinearOperator):
        def __init__(self):
            super().__init__(shape=(3, 3))
            self.normal = self.H @ self           # a cycle through the core
            self.stack = lp.VStack([self, 2 * self.H])

        def _matvec(self, x):
            return 2 * x

        _rmatvec = _matvec

    op = Normal()
    np.testing.assert_array_equal(op.normal @ np.ones(3), 4 * np.ones(3))
    alive = weakref.ref(op)
    del op
    gc.collect()
    assert alive() is None


def test_operands_live_as_long_as_what_is_composed_of_them():
    def make():
        first = Scale(np.full(3, 2.0), 3)
        second = lp.aslinearoperator(np.eye(3))
        return ((first @ second).H + lp.HStack([lp.Block([[first]])]) - 2 * lp.BlockDiag([first]).T).conj()

    op = make()
    gc.collect()
    np.testing.assert_array_equal(op @ np.ones(3), np.zeros(3))
    np.testing.assert_array_equal(lp.Kronecker(Scale(np.full(2, 2.0), 2), np.eye(2)) @ np.ones(4), 2 * np.ones(4))
    np.testing.assert_array_equal(Scale(np.full(2, 2.0), 2).H.H.T.H ** 2 @ np.ones(2), 4 * np.ones(2))
    np.testing.assert_array_equal(lp.LinearOperator(make()) @ np.ones(3), np.zeros(3))


def test_python_operators_may_keep_what_they_are_given():
    kept = []

    class Keeps(lp.LinearOperator):
        def _matvec(self, x):
            kept.append(x)
            x += 0                                # and write into it
            return x

    op = lp.Pattern(2 * np.eye(1000)) @ Keeps(shape=(1000, 1000)) @ lp.Pattern(np.eye(1000))
    for i in range(20):
        op @ np.full(1000, float(i))
    gc.collect()
    assert all(np.array_equal(x, np.full(1000, float(i))) for i, x in enumerate(kept))


def test_python_operators_in_many_threads():
    op = lp.VStack([Scale(np.full(500, float(i)), 500) @ lp.Pattern(np.eye(500)) for i in range(4)])
    x = np.random.default_rng(0).standard_normal((500, 30))
    wanted = np.vstack([i * x for i in range(4)])
    with ThreadPoolExecutor(4) as pool:
        for y in pool.map(lambda _: op @ x, range(20)):
            np.testing.assert_array_equal(y, wanted)


def test_input_is_not_aliased():
    x = np.ones(4)
    for op in (lp.Pattern(np.eye(4)), lp.Real(4, dtype="float64"), lp.Conj(4), 1 * lp.Conj(4), lp.aslinearoperator(np.eye(4))):
        y = op @ x
        y[0] = 7
        assert x[0] == 1


@pytest.mark.parametrize("solver", [sla.cg, sla.gmres, sla.bicgstab])
def test_scipy_solves_systems_of_all_kinds(solver):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(4)
    for A, _ in every_kind():
        normal = A.H @ A
        assert np.allclose(solver(normal, normal @ x, rtol=1e-12, maxiter=200)[0], x, atol=1e-8)
        assert np.allclose(sla.lsmr(A, A @ x, atol=1e-12, btol=1e-12)[0], x, atol=1e-8)


def test_describe_names_what_users_wrote():
    text = (network() @ Scale(np.ones(4), 4, name="weights")).describe()
    assert "Network" in text and "weights" in text and "8" in text
    assert "weights" in Scale(np.ones(4), 4, name="weights").describe(latex=True)


@pytest.mark.parametrize("make", [lambda: lp.Gradient((7, 5)), lambda: lp.aslinearoperator(np.arange(12.0).reshape(3, 4)),
                                  lambda: lp.Network(["20170304_20170316", "20170316_20170328"])])
def test_apply_into(make):
    op = make()
    rng = np.random.default_rng(0)
    for adjoint, turned in ((False, op), (True, op.H)):
        for x in (rng.normal(size=turned.shape[1]), rng.normal(size=(turned.shape[1], 3)), rng.normal(size=turned.dims).astype(np.float32)):
            expected = turned @ x
            out = np.full(expected.shape, np.nan, x.dtype)
            assert op.apply_into(x, out, adjoint=adjoint, threads=1) is out
            # A matrix alone is one product by BLAS, which rounds each of at most 4 terms otherwise.
            np.testing.assert_allclose(out, expected, rtol=0, atol=8 * np.finfo(x.dtype).eps * np.abs(x).max() * 33 if op.explicit else 0)
            with pytest.raises(lp.ShapeError, match="expected out"):
                op.apply_into(x, np.empty(expected.size + 1, x.dtype), adjoint=adjoint)
            with pytest.raises(lp.ShapeError, match="expected out"):
                op.apply_into(x, np.empty((*expected.shape, 2), x.dtype)[..., 0], adjoint=adjoint)
            with pytest.raises(lp.ShapeError, match="expected out"):
                op.apply_into(x, np.empty(expected.shape, np.float16), adjoint=adjoint)
    with pytest.raises(lp.ShapeError, match="expected x"):
        op.apply_into(np.ones(op.shape[1] + 1), np.empty(op.shape[0]))


def derived(base, replaced, *args):
    """A subclass that doubles what some methods give."""
    def doubled(method):
        return lambda self, x: 2 * getattr(base, method)(self, x)
    return type("Derived", (base,), {method: doubled(method) for method in replaced})(*args)


class ByPattern(lp.LinearOperator):
    def pattern(self):
        return dense()


@pytest.mark.parametrize("base, args", [(lp.FirstDerivative, (9,)), (lp.Network, ([("20170304", "20170316"), ("20170316", "20170328")],)),
                                        (lp.MatrixMult, (np.arange(12.0).reshape(3, 4),)), (ByPattern, (None, None, (8, 4)))])
@pytest.mark.parametrize("replaced", [("_matvec", "_rmatvec"), ("_matmat", "_rmatmat")])
def test_a_subclass_replaces_one_kind_of_method_for_all_shapes(base, args, replaced):
    plain, op = base(*args), derived(base, replaced, *args)
    M = plain.todense()
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((M.shape[1], 3)), rng.standard_normal((M.shape[0], 3))
    for of, factor in ((op, 2), (2 * op, 4), (lp.LinearOperator(op), 2), (lp.VStack([op]), 2), (op @ lp.Identity(M.shape[1]), 2), (op.H.H, 2)):
        np.testing.assert_allclose(of @ X, factor * M @ X, atol=1e-12)
        np.testing.assert_allclose(of @ X[:, 0], factor * M @ X[:, 0], atol=1e-12)
        np.testing.assert_allclose(of.H @ Y, factor * M.T @ Y, atol=1e-12)
        np.testing.assert_allclose(of.H @ Y[:, 0], factor * M.T @ Y[:, 0], atol=1e-12)
    np.testing.assert_allclose((1 * op).todense(), 2 * M)
    again = derived(type(op), ("_matvec",) if replaced == ("_matmat", "_rmatmat") else ("_matmat",), *args)
    np.testing.assert_allclose(again @ X, 4 * M @ X, atol=1e-12)
    np.testing.assert_allclose(again @ X[:, 0], 4 * M @ X[:, 0], atol=1e-12)


def test_an_integer_label_keeps_fractions():
    op = lp.Diagonal([1.5, 2], dtype="int64")
    half = 0.5 * lp.aslinearoperator(np.eye(3, dtype=int))
    assert op.dtype == np.int64 and half.dtype == np.float64 and lp.aslinearoperator(sp.identity(3, dtype=np.int8)).dtype == np.float64
    for found in (op.todense(), op.tosparse().toarray(), lp.Diagonal([1.5, 2], dtype="float16").tosparse().toarray()):
        np.testing.assert_array_equal(found, np.diag([1.5, 2]))
    scene = lp.Diagonal([[1.5, 2]], dtype="int64")
    assert op.trace() == 3.5 and half.trace() == 1.5 and np.array_equal(scene.tosparse().toarray(), np.diag([1.5, 2]))
    assert lp.dottest(op) and np.array_equal(op.matrix(), np.diag([1.5, 2]))
    np.random.seed(0)
    assert lp.utils.trace_hutchinson(op, neval=2, sampler="unitvector") == pytest.approx(3.5)
    assert lp.utils.trace_hutchinson(op, neval=4000, sampler="gaussian") == pytest.approx(3.5, abs=5 * np.sqrt(2 * 6.25 / 4000))


def test_a_sparse_matrix_on_either_side():
    A, M = network(), dense()
    L, C = sp.random(3, 8, 0.5, format="csr", random_state=0), sp.random(3, 6, 0.5, format="csc", random_state=0)
    for left in (L, sp.csr_array(L), L.tocoo()):
        np.testing.assert_allclose(left @ A, L.toarray() @ M, atol=1e-15)
    np.testing.assert_allclose(L * A, L.toarray() @ M, atol=1e-15)   # a product of matrices for SciPy's csr_matrix
    complex_op = lp.MatrixMult(np.arange(12.0).reshape(6, 2) * (1 + 2j))
    np.testing.assert_allclose(C @ complex_op, C.toarray() @ complex_op.A, atol=1e-13)


def test_small_matrices_are_pixelwise():
    A, M = network(), dense()
    D = np.random.default_rng(0).standard_normal((5, 4))
    cube = np.random.default_rng(1).standard_normal((4, 3, 5))
    for matrix in (lp.MatrixMult(D), D, sp.csr_matrix(D), sp.identity(2000)):
        op = lp.aslinearoperator(matrix)
        assert op.pixelwise and op.explicit and (2 * op).pixelwise and op.H.pixelwise
    op = lp.VStack([A, D])
    assert op.pixelwise and lp.MatrixMult(np.ones((2, 8))).over((3, 5)).dims == (8, 3, 5)
    np.testing.assert_allclose(op @ cube, np.einsum("ij,jkl->ikl", np.vstack([M, D]), cube), atol=1e-13)
    both = lp.MatrixMult(np.ones((2, 8))) @ A
    assert both.pixelwise and both.dims == (4,)
    np.testing.assert_allclose(both @ cube, np.einsum("ij,jkl->ikl", np.ones((2, 8)) @ M, cube), atol=1e-13)
    for large in (lp.MatrixMult(np.ones((200, 57))), lp.MatrixMult(1j * D), lp.MatrixMult(D, otherdims=2), lp.MatrixMult([[1, np.inf]])):
        assert not large.pixelwise
    assert lp.MatrixMult(np.ones((200, 56))).pixelwise
    np.testing.assert_array_equal((2 * lp.MatrixMult([[1, np.inf]])) @ np.ones(2), [np.inf])


@pytest.mark.parametrize("call, message", [
    (lambda A: lp.HStack(A), "a list of operators, got Network"),
    (lambda A: lp.Block([A]), "a list of operators, got"),
    (lambda A: A * None, "array of numbers, an operator or a number"),
    (lambda A: A @ "abcd", "array of numbers, an operator or a number"),
    (lambda A: A @ np.array([1, 2, None, 4]), "array of numbers"),
    (lambda A: lp.VStack([A, None]), "an operator or a matrix of numbers, got None"),
    (lambda A: lp.MatrixMult([[1, None]]), "matrix of numbers"),
    (lambda A: A @ 3, "use \\* for scaling"),
    (lambda A: A @ np.array(3.0), "use \\* for scaling"),
    (lambda A: A.__rmatmul__(np.array(3.0)), "use \\* for scaling"),
    (lambda A: lp.LinearOperator(np.eye(2)), "MatrixMult and aslinearoperator take matrices"),
    (lambda A: lp.Pattern(np.ones(3)), r"a matrix \(m, n\) of numbers"),
    (lambda A: lp.Pattern(lp.Pattern(np.ones((2, 2)))), "give its tosparse"),
    (lambda A: A.over(2.5), "over: expected integers of 1 or more"),
    (lambda A: A.over(0), "over: expected integers of 1 or more"),
    (lambda A: A.over((-1, 3)), "over: expected integers of 1 or more"),
    (lambda A: A @ np.ma.array(np.ones(4), mask=[0, 1, 0, 0]), r"x.filled\(np.nan\)"),
    (lambda A: A @ np.ma.array(np.ones((4, 2)), mask=True), "masked"),
    (lambda A: A.H.matvec(np.ma.array(np.ones(8), mask=True)), "masked"),
    (lambda A: A / np.ma.array(np.ones(8), mask=True), "masked"),
    (lambda A: lp.MatrixMult(np.ma.array(np.eye(2), mask=np.eye(2))), "masked"),
    (lambda A: lp.Diagonal(np.ma.array([1, 2], mask=[0, 1])), "masked"),
    (lambda A: lp.DemError(A, np.arange(5.0), np.ma.array(np.full((2, 2), 8e5), mask=np.eye(2)), 39), "slant_range.*masked"),
])
def test_what_operators_refuse(call, message):
    with pytest.raises((lp.InvalidArgument, lp.ShapeError, ValueError), match=message):
        call(network())


def test_arrays_without_masked_values_and_the_shape():
    A = network()
    np.testing.assert_array_equal(A @ np.ma.array(np.ones(4), mask=False), A @ np.ones(4))
    with pytest.raises(lp.ShapeError, match="make another operator"):
        A.shape = (9, 9)
    A.shape = (8, 4)
    assert A.shape == (8, 4)

    class Old(lp.LinearOperator):   # without the base class's constructor, as scripts for old versions of PyLops
        def __init__(self):
            self.shape, self.dtype, self.explicit = (3, 3), np.dtype(float), False

        def _matvec(self, x):
            return 2 * x
    assert np.array_equal(Old() @ np.ones(3), np.full(3, 2))

    class Unmade(lp.LinearOperator):
        def __init__(self):
            pass
    with pytest.raises(AttributeError, match="super"):
        Unmade() @ np.ones(3)


def test_dottest_of_an_operator_with_fields():
    height = np.random.default_rng(0).standard_normal((1, 7))
    op = network() @ lp.Pattern(np.eye(4), height, np.where(np.eye(4), 0, -1))
    assert op.pixels == 7 and lp.dottest(op, 8, 4, rtol=1e-14) and lp.dottest(op.H, 4, 8, rtol=1e-14)


def test_completion_shows_public_names():
    assert {name for name in dir(lp) if not name.startswith("__")} == set(lp.__all__)
