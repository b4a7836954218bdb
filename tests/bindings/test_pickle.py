"""Operators through pickle and copy: the same bits, without the arrays twice."""

import copy
import multiprocessing
import pickle

import lopsar as lp
import numpy as np
import pytest
import scipy.sparse

DATES = ["20170304", "20170316", "20170328", "20170409", "20170503"]
PAIRS = [f"{a}_{b}" for i, a in enumerate(DATES) for b in DATES[i + 1:i + 3]]
rng = np.random.default_rng(0)
A = lp.Network(PAIRS)
B = lp.Network(PAIRS, reference=DATES[2], dtype="float32")
GRID = (3, 4)
BASELINES, RANGE = rng.standard_normal((5, *GRID)), 8e5 + rng.random(GRID)
MATRIX = rng.standard_normal((4, 3))


class Mine(lp.LinearOperator):
    """Written in Python, from an iterator, with an attribute that changes."""

    def __init__(self, factors):
        self.factors = np.array(list(factors))
        super().__init__(shape=(4, 4))

    def _matvec(self, x):
        return self.factors * x

    _rmatvec = _matvec


class MyNetwork(lp.Network):
    """With arguments of its own."""

    def __init__(self, spacing, scale=1.0):
        super().__init__([(a, b) for a, b in zip(DATES[::spacing], DATES[spacing::spacing])])
        self.scale = scale


class Louder(lp.FirstDerivative):
    """Replaces a method of a native one."""

    def _matvec(self, x):
        return 2 * super()._matvec(x)


class Rates(lp.LinearOperator):
    """Pixelwise, from a pattern."""

    def __init__(self, times):
        self.times = times
        super().__init__(shape=(len(times), 1))

    def pattern(self):
        return np.asarray(self.times)[:, None]


class Wraps(lp.LinearOperator):
    """Another operator under its name."""

    def __init__(self, op):
        super().__init__(op, name="W")


def operators():
    dem = lp.DemError(A, BASELINES, RANGE, 30 + rng.random(GRID))
    polynomial = lp.Polynomial(A, 2)
    renamed = lp.Roll(GRID, 0, 2)
    renamed.dims, renamed.name = 12, "renamed"
    ops = [A, B, lp.Network((p for p in PAIRS), -1), lp.Network(pairs=iter(PAIRS)), polynomial, lp.Polynomial(B, reference=None),
           lp.Polynomial(DATES, reference=1, convention="mintpy"), lp.Seasonal(A, [1, 0.5]), lp.Step(A, DATES[1]),
           lp.Exponential(B, DATES[1], 9), lp.Logarithm(A, DATES[1], 9), lp.Polyline(A, [DATES[1], DATES[3]]), dem,
           lp.DemError(B, BASELINES.astype("float32"), 8e5, 30.0), lp.DemError(DATES, np.arange(5), 8e5, 30.0, reference=0),
           lp.TimeDifference(A, 2), lp.CumulativeSum(B, rates=True), lp.Datum(A, DATES[1:3], [1, 2]), lp.Weighting(np.arange(1.0, 8)),
           lp.Weighting(rng.random((7, *GRID))), lp.Diagonal(np.arange(4.0)), lp.Diagonal(rng.random(GRID) + 1j), lp.Diagonal(np.arange(3), GRID, 0),
           lp.Identity(3), lp.Identity(3, 5), lp.Identity(GRID), lp.Zero(3, 2), lp.Restriction(5, [0, 3, 3]), lp.Restriction(GRID, [0, 2], 0),
           lp.FirstDerivative(GRID, 0), lp.SecondDerivative(GRID, edge=True), lp.Laplacian(GRID), lp.Gradient(GRID),
           lp.FirstDirectionalDerivative(GRID, [1.0, 2.0]), lp.SecondDirectionalDerivative(GRID, [1.0, 2.0]), lp.CausalIntegration(GRID),
           lp.Sum(GRID, 0), lp.Flip(GRID), renamed, lp.Transpose(GRID, (1, 0)), lp.Pad(GRID, ((1, 2), (0, 1))), lp.Symmetrize(GRID),
           lp.Smoothing2D([3, 3], GRID), lp.Regression(np.arange(5.0), 2), lp.LinearRegression(np.arange(5.0)),
           lp.Pattern(scipy.sparse.csr_array(MATRIX)), lp.Pattern(np.ones((2, 2)), rng.random((1, *GRID)), [[-1, 0], [-1, 0]]),
           lp.signalprocessing.Interp(GRID, [0.5, 1.5], 0)[0], lp.signalprocessing.Interp(6, [0.5, 4.5], kind="cubic_spline")[0],
           lp.signalprocessing.Bilinear([[0.5], [1.5]], GRID), lp.MatrixMult(MATRIX), lp.MatrixMult(scipy.sparse.csr_array(MATRIX + 1j)),
           lp.MatrixMult(MATRIX, otherdims=2), lp.Real(4), lp.Imag(4), lp.Conj(GRID), lp.MemoizeOperator(A),
           lp.VStack([A, B, MATRIX @ np.ones((3, 4))]), lp.HStack([polynomial, dem]), lp.BlockDiag([A, B]),
           lp.Block([[A, A], [B, B]]), lp.Kronecker(A, MATRIX), A + B, A - 2 * B, A @ lp.HStack([polynomial, dem]), -A, (1 + 2j) * A, A.H, A.T,
           ((1 + 2j) * A).T, ((1 + 2j) * A).conj(), (A.H @ A) ** 3, (A.H @ A) ** 0, A.over(GRID),
           A.over(GRID).H @ lp.Weighting(np.arange(7.0)).over(GRID),
           A.H @ A + 0.1 * lp.Laplacian((4, *GRID)), A.apply_columns([0, 2]), ((1 + 2j) * A).toimag(), ((1 + 2j) * A).toreal().H,
           Mine(range(4)), 2 * Mine(range(4)).H, A @ Mine(x for x in range(4)), MyNetwork(2), MyNetwork(1, scale=3.0), Louder(9),
           Rates([1.0, 2.0, 3.0]), 2 * Rates([1.0]), Wraps(A), Wraps(Mine(range(4))), lp.LinearOperator(A, name="again"),
           lp.aslinearoperator(scipy.sparse.linalg.aslinearoperator(MATRIX)),
           lp.FunctionOperator(np.negative, np.negative, 3)]
    return {f"{i}-{type(op).__name__}": op for i, op in enumerate(ops)}


OPS = operators()


def same(op, other):
    assert type(other) is type(op) and other.shape == op.shape and other.dims == op.dims and other.dimsd == op.dimsd and other.dtype == op.dtype
    assert other.name == op.name and other.describe() == op.describe() and other.parameters == op.parameters and other.clinear == op.clinear
    for dtype in ("float32", "float64", "complex128"):
        x, y = (rng.standard_normal((n, op.pixels or 2)).astype(dtype) for n in op.shape[::-1])
        np.testing.assert_array_equal(other.matmat(x), op.matmat(x))
        np.testing.assert_array_equal(other.rmatmat(y), op.rmatmat(y))
        if op.pixels < 2:
            np.testing.assert_array_equal(other @ x[:, 0], op @ x[:, 0])
            np.testing.assert_array_equal(other.rmatvec(y[:, 0]), op.rmatvec(y[:, 0]))


@pytest.mark.parametrize("name", list(OPS))
def test_round_trip(name):
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        same(OPS[name], pickle.loads(pickle.dumps(OPS[name], protocol)))


@pytest.mark.parametrize("name", list(OPS))
def test_copies(name):
    op = OPS[name]
    for copier in (copy.copy, copy.deepcopy):
        other = copier(op)
        same(op, other)
        other.name = "another"
        assert other is not op and op.name != "another"


def test_what_changed_after_the_constructor():
    op = Mine(range(4))
    op.factors[0] = 7
    assert (pickle.loads(pickle.dumps(op)) @ np.ones(4))[0] == 7
    deep = copy.deepcopy(op)
    op.factors[0] = 8
    assert (deep @ np.ones(4))[0] == 7
    assert pickle.loads(pickle.dumps(MyNetwork(1, 3.0))).scale == 3.0
    values, weights, ops = np.ones(20000), np.ones(7), [A, A]
    diagonal, weighting, stack = lp.Diagonal(values), lp.Weighting(weights), lp.VStack(ops)
    values[:] = weights[:] = 5
    ops.append(A)
    for made in (diagonal, weighting, stack):
        same(made, pickle.loads(pickle.dumps(made)))


def test_arrays_are_not_held_or_written_twice():
    values = rng.random((7, 100000))
    weighting = lp.Weighting(values)
    assert any(a is values for a in weighting._made[1])
    assert len(pickle.dumps((weighting, 2 * weighting, weighting.H, lp.VStack([weighting, weighting])))) < 1.1 * values.nbytes
    assert len(pickle.dumps(lp.Diagonal(values))) < 1.1 * values.nbytes
    assert np.shares_memory(copy.deepcopy(weighting)._made[1][0], values)
    adjoint = pickle.loads(pickle.dumps(A.H))
    assert adjoint.H.H is adjoint and isinstance(adjoint.H, lp.Network)


def test_lambdas_say_no():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(lp.FunctionOperator(lambda x: x, 3))


def _total(op):
    return float((op @ np.ones(op.shape[1])).sum())


def test_other_processes():
    ops = [A, 2 * A, lp.VStack([A, A]) @ lp.Polynomial(A)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(_total, ops) == [_total(op) for op in ops]
