"""What a model cannot tell apart."""

import warnings

import lopsar as lp
import numpy as np
import pytest


def network(dates=10, connections=2, skip=()):
    day = np.datetime64("2017-03-04") + 12 * np.arange(dates)
    return lp.Network([(day[i], day[j]) for i in range(dates) for j in range(i + 1, min(dates, i + connections + 1)) if (i, j) not in skip])


A = network()
rng = np.random.default_rng(0)
SLANT, INCIDENCE = rng.uniform(8e5, 9e5, 50), rng.uniform(30, 45, 50)
BASELINES = np.array([0.0, 30, -20, 55, 10, -70, 5, 90, -15, 40])
DEM = lp.DemError(A, BASELINES, SLANT, INCIDENCE)


@pytest.mark.parametrize("model", [A, A @ lp.HStack([lp.Polynomial(A, 2), lp.Seasonal(A), DEM]), np.eye(3), 2.0 * A @ lp.Polynomial(A)],
                         ids=["network", "joint", "matrix", "scaled"])
def test_models_that_are_determined(model):
    found = lp.identifiability(model)
    assert found.checked and not found.groups and found.rank == model.shape[1] and not found.message and "determined" in str(found)


def test_everything_on_dates_lies_in_the_range_of_a_network():
    found = lp.identifiability(lp.HStack([A, A @ DEM]))
    assert len(found.groups) == 1 and found.rank == 9
    group = found.groups[0]
    # The reference date has baseline 0: every other one moves with the DEM error.
    assert group.parameters == (*A.dates[1:], "DEM error") and group.columns == tuple(range(10)) and group.freedom == 1
    words = ("DEM error", A.dates[1], "trade off", "9 of these 10", "prior", "deformation model", "leave out", "damp")
    assert all(word in found.message for word in words)

    # A velocity and a step trade off with the dates that they move, and with those only.
    late = lp.HStack([A, A @ lp.Step(A, A.dates[7]), A @ lp.Step(A, A.dates[8] + "T0600")])
    found = lp.identifiability(late)
    assert [g.freedom for g in found.groups] == [2] and found.groups[0].columns == (7, 8, 9, 10)


def test_trade_offs_that_share_nothing_stay_apart():
    B = lp.BlockDiag([lp.HStack([lp.Polynomial(A), lp.Polynomial(A)]), lp.Seasonal(A), np.array([[1.0, 1, 0]])])
    found = lp.identifiability(B)
    assert [g.columns for g in found.groups] == [(0, 1), (4, 5), (6,)]
    assert "x6 is in no observation" in found.message


def test_only_what_holds_for_all_geometries_is_named():
    """At one pixel a slope over height equals a constant; over all pixels it does not."""
    height = np.array([[100.0, 100.0, 250.0]])
    per_pixel = lp.Pattern(np.ones((4, 2)), height, np.array([[-1, 0]] * 4))
    assert [g.columns for g in lp.identifiability(per_pixel).groups] == [(0, 1)]   # every pixel by itself cannot tell them apart
    two_fields = lp.Pattern(np.ones((4, 2)), np.array([[1.0, 1, 1], [1.0, 1, 1]]), np.array([[0, -1], [1, -1]] * 2))
    assert not lp.identifiability(two_fields).groups   # equal here by chance only
    shared = lp.HStack([DEM, 3.0 * DEM])
    assert [g.columns for g in lp.identifiability(shared).groups] == [(0, 1)]


def test_priors_and_damping_determine():
    model = lp.HStack([A, A @ DEM])
    assert lp.identifiability(model, lp.Prior(np.eye(10)[-1:], weights=1e-2)).groups == ()
    # Second differences leave trends free, but those are seen by the network; the DEM error is rough.
    assert lp.identifiability(model, [lp.HStack([lp.TimeDifference(A, 2), lp.Zero(8, 1)])]).groups == ()
    assert len(lp.identifiability(model, lp.Prior(np.eye(10)[:1])).groups) == 0
    y = np.zeros((A.shape[0], 50))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lp.solve(model, y, damp=1e-3)
        lp.solve(model, y, prior=np.eye(10)[-1:])
    for _ in range(2):   # every call says it
        with pytest.warns(lp.IdentifiabilityWarning, match="DEM error"):
            lp.solve(model, y)


@pytest.mark.parametrize("call", [lambda model, y: lp.solve(model, y), lambda model, y: lp.Solve(model), lambda model, y: lp.Solve(model, 1.0),
                                  lambda model, y: lp.IterativeSolve(model).setup(y), lambda model, y: lp.IterativeSolve(model, "cg").solve(y),
                                  lambda model, y: lp.smooth_inversion(model, y.reshape(-1, 5, 10), 1.0, tol=1e-2)],
                         ids=["solve", "Solve", "Solve with weights", "setup", "iterative", "smooth"])
def test_every_solver_warns_at_the_line_of_the_caller(call):
    model = lp.HStack([A, A @ DEM])
    with pytest.warns(lp.IdentifiabilityWarning, match="DEM error") as told:
        call(model, np.ones((A.shape[0], 50)))
    assert [w.filename for w in told] == [__file__]


def test_labelled_data_warn_at_the_line_of_the_caller():
    xarray = pytest.importorskip("xarray")
    with pytest.warns(lp.IdentifiabilityWarning) as told:
        lp.solve(lp.HStack([A, A @ DEM]), xarray.DataArray(np.ones((A.shape[0], 50)), dims=("pair", "x")))
    assert [w.filename for w in told] == [__file__]


def test_messages_fit_the_model():
    twice = lp.identifiability(A @ lp.HStack([lp.Polynomial(A), lp.Polynomial(A)]))
    assert twice.groups[0].parameters == ("velocity (column 0)", "velocity (column 1)")
    assert "free dates" not in twice.message and "null_space" not in twice.message and "Leave out" in twice.message
    apart = lp.identifiability(network(8, 2, {(i, j) for i in range(4) for j in range(4, 8)}))
    assert "null_space='min-norm-velocity'" in apart.message and "deformation model" not in apart.message


def test_disconnected_networks_and_large_models():
    apart = network(8, 2, {(i, j) for i in range(4) for j in range(4, 8)})
    found = lp.identifiability(apart)
    assert [g.columns for g in found.groups] == [(3, 4, 5, 6)] and found.groups[0].parameters == tuple(apart.dates[4:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lp.solve(apart, np.zeros((apart.shape[0], 3)))   # status and null_space say it
    large = lp.identifiability(lp.Pattern(np.eye(401)))
    assert not large.checked and "not checked" in str(large)


def test_results_are_kept_with_the_operator():
    model = lp.HStack([A, A @ DEM])
    assert lp.identifiability(model) is lp.identifiability(model)
    prior = lp.Pattern(np.eye(10))
    assert lp.identifiability(model, prior) is lp.identifiability(model, lp.Prior(prior, weights=2.0)) is not lp.identifiability(model)


@pytest.mark.parametrize("call", [lambda: lp.identifiability(lp.FirstDerivative((5, 2))), lambda: lp.identifiability(A, np.eye(3)),
                                  lambda: lp.identifiability(A, lp.FirstDerivative((9, 1))), lambda: lp.identifiability(1j * A)])
def test_errors(call):
    with pytest.raises((lp.InvalidArgument, lp.ShapeError), match="expected"):
        call()
