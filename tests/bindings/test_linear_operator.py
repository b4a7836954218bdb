"""Network as a SciPy operator, and the algebra of lopsar.LinearOperator."""

from datetime import datetime

import lopsar as lp
import numpy as np
import pytest
import scipy.sparse.linalg as sla

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
