"""lopsar.invert_arrays: MintPy's rules on arrays."""

import lopsar as lp
import numpy as np
import pytest


def scene(dates=20, connections=3, pixels=200, seed=0, dtype=np.float32):
    day = np.datetime64("2017-03-04") + 12 * np.arange(dates)
    pairs = [(day[i], day[j]) for i in range(dates) for j in range(i + 1, min(dates, i + connections + 1))]
    A = lp.Network(pairs)
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.zeros((1, pixels)), 5 * rng.standard_normal((dates - 1, pixels))])
    coherence = rng.uniform(0.1, 0.99, (len(pairs), pixels))
    y = A.todense() @ truth[1:] + 0.3 * (1 - coherence) * rng.standard_normal(coherence.shape)
    return A, y.astype(dtype), coherence.astype(dtype), truth


def reference(A, y, w):
    """Float64 least squares and temporal coherence, pixel by pixel."""
    M = A.todense()
    series, quality = np.zeros((M.shape[1] + 1, y.shape[1])), np.zeros(y.shape[1])
    for p in range(y.shape[1]):
        ok = w[:, p] > 0
        root = np.sqrt(w[ok, p])
        series[1:, p] = np.linalg.lstsq(M[ok] * root[:, None], y[ok, p].astype(float) * root, rcond=None)[0]
        quality[p] = abs(np.exp(1j * (y[ok, p] - M[ok] @ series[1:, p])).mean())
    return series, quality


@pytest.mark.parametrize("function", ["var", "fim", "coh", "no"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weight_functions(function, dtype):
    A, y, g, _ = scene(dtype=dtype)
    ts, tcoh, num = lp.invert_arrays(y, A, coherence=g, weight_func=function, looks=39)
    kind = lp._core.weight_function(function)
    w = np.array([lp._core.coherence_to_weight(row.astype(float).tolist(), kind, 39) for row in g])
    series, quality = reference(A, y, w)
    scale = np.maximum(np.abs(series).max(0), np.abs(y).max(0))
    assert (np.abs(ts - series) / scale).max() <= (1e-6 if dtype == np.float32 else 1e-12)
    assert np.abs(tcoh - quality).max() <= (2e-6 if dtype == np.float32 else 1e-12)
    assert (num == len(A.pairs)).all() and (ts[0] == 0).all() and ts.dtype == dtype


@pytest.mark.parametrize("solver", ["cholesky", "cg", "cgls", "lsqr"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("more", [{}, {"reference_phase": 0.5, "min_redundancy": 2.0}, {"min_norm_velocity": False, "min_redundancy": 0.0}])
def test_every_solver_follows_the_rules(solver, dtype, more):
    A, y, g, _ = scene(dtype=dtype, pixels=300)
    rng = np.random.default_rng(1)
    y[rng.random(y.shape) < 0.1] = 0
    y[rng.random(y.shape) < 0.02] = np.nan
    y[:, 5] = np.nan
    mask = rng.random(300) < 0.9
    more = dict(more)
    if "reference_phase" in more:
        more["reference_phase"] = np.full(len(A.pairs), more["reference_phase"])
    N = lp.Network(A.pairs, reference=3)   # series are relative to the first date all the same
    fused = lp.invert_arrays(y, A, g, looks=39, mask=mask, **more)
    other = lp.invert_arrays(y, N, g, looks=39, mask=mask, solver=solver, **more)
    np.testing.assert_array_equal(other.status, fused.status)
    np.testing.assert_array_equal(other.num_ifgram, fused.num_ifgram)
    np.testing.assert_array_equal(other.timeseries == 0, fused.timeseries == 0)
    assert len(np.unique(fused.status)) >= 3
    # Iterations stop at 1e-6 of the data or the residual; conditions are below 300 here.
    bound = (2e-6 if dtype == np.float32 else 1e-11) if solver == "cholesky" else 3e-4
    assert np.abs(other.timeseries - fused.timeseries).max() <= bound * np.abs(fused.timeseries).max()
    assert np.abs(other.temporal_coherence - fused.temporal_coherence).max() <= 10 * bound


def test_solvers_have_names():
    A, y, g, _ = scene(pixels=3)
    with pytest.raises(lp.InvalidArgument, match="'cgls'"):
        lp.invert_arrays(y, A, g, looks=39, solver="magic")


def test_missing_data_rules():
    A, y, g, _ = scene()
    y[3, 0], y[4, 1], y[5, 2] = 0, np.nan, np.inf
    date = 7
    at = [k for k, p in enumerate(A.pairs) if A.dates[date] in p]
    y[at, 3] = np.nan                       # a date without data: left out
    y[at[1:], 4] = np.nan                   # one pair left: still inverted
    first = [k for k, p in enumerate(A.pairs) if A.dates[0] in p]
    y[first, 5] = np.nan                    # the first date does not count: minimum norm
    y[:, 6] = np.nan
    keep = np.ones(200, bool)
    keep[8] = False
    result = lp.invert_arrays(y, A, coherence=g, looks=39, mask=keep)
    ts, tcoh, num = result
    K = len(A.pairs)
    np.testing.assert_array_equal(num[:9], [K - 1, K - 1, K - 1, 0, K - len(at) + 1, K - len(first), 0, K, 0])
    S = lp.Status
    assert [S(int(s)) for s in result.status[3:9]] == [S.below_redundancy, S.ok, S.rank_deficient, S.no_data, S.ok, S.masked]
    assert (ts[:, [3, 6, 8]] == 0).all() and (tcoh[[3, 6, 8]] == 0).all()
    assert np.abs(ts[1, 5]) < 1e-5          # velocity 0 in the first interval
    assert lp.invert_arrays(y, A, coherence=g, looks=39, min_redundancy=0).status[3] == int(S.rank_deficient)
    assert lp.invert_arrays(y, A, coherence=g, looks=39, min_redundancy=2).num_ifgram[4] == 0
    zero = lp.invert_arrays(y, A, coherence=g, looks=39, zero_is_missing=False)
    assert zero.num_ifgram[0] == K and zero.num_ifgram[1] == K - 1


def test_reference_phase_and_out():
    A, y, g, _ = scene()
    shift = np.linspace(-2, 2, len(A.pairs)).astype(np.float32)
    plain = lp.invert_arrays(y, A, coherence=g, looks=39)
    out = (np.empty((20, 200), np.float32), np.empty(200, np.float32), np.empty(200, np.float32))
    moved = lp.invert_arrays(y + shift[:, None], A, coherence=g, looks=39, reference_phase=shift, out=out, threads=1)
    assert moved.timeseries is out[0] and moved[2] is out[2]
    np.testing.assert_allclose(moved[0], plain[0], atol=2e-5)
    np.testing.assert_array_equal(out[2], plain[2])
    for wrong in [(out[0][1:], out[1], out[2]), (out[0], out[1], out[2].astype(np.int64)), out[:2], (out[0].astype(np.float64), out[1], out[2])]:
        with pytest.raises(lp.ShapeError):
            lp.invert_arrays(y, A, coherence=g, looks=39, out=wrong)


@pytest.mark.parametrize("kwargs", [dict(coherence=None), dict(looks=None), dict(weight_func="best"), dict(looks=0),
                                    dict(coherence=np.zeros((3, 200), np.float32)), dict(reference_phase=[1.0])])
def test_errors(kwargs):
    A, y, g, _ = scene()
    with pytest.raises(ValueError, match="expected"):
        lp.invert_arrays(y, A, **{"coherence": g, "looks": 39, **kwargs})


@pytest.mark.parametrize("min_norm_velocity", [True, False])
def test_the_first_date_is_zero_whatever_the_reference_of_the_network(min_norm_velocity):
    A, y, g, _ = scene()
    y[[k for k, p in enumerate(A.pairs) if p[0] <= A.dates[9] < p[1]], 3] = np.nan    # one pixel in two parts
    other = lp.Network(A.pairs, reference=7)
    plain = lp.invert_arrays(y, A, coherence=g, looks=38.66, min_norm_velocity=min_norm_velocity)
    moved = lp.invert_arrays(y, other, coherence=g, looks=39, min_norm_velocity=min_norm_velocity)
    for one, two in zip(plain, moved):
        np.testing.assert_array_equal(one, two)
    assert (moved.timeseries[0] == 0).all() and plain.status[3] == int(lp.Status.rank_deficient)
