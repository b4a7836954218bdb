"""Simulated truth is recovered within the noise that the weights predict, file to file."""

import h5py
import lopsar as lp
import numpy as np
import pytest


@pytest.mark.parametrize("function", ["var", "no"])
def test_errors_are_as_large_as_the_weights_say(tmp_path, function):
    """Errors relative to the reference pixel, divided by their predicted standard deviation, have variance 1.

    Prediction: phase noise of variance 1/w at every pixel (the simulation draws it from the distribution whose variance the
    weights invert), so x has the covariance C = G diag(1/w) G', G = (A' W A)^-1 A' W of the weights in use; the difference to the
    reference pixel adds that pixel's C. Mean of z^2 over P pixels of D-1 correlated dates: for n independent values its
    standard deviation is sqrt(2/n); only pixels are independent, so n = P is used, and 4 standard deviations are allowed, plus
    1 % for the quadrature of the variance table (mintpy's 200 samples).
    """
    lp.simulate(tmp_path, (48, 64), dates=14, connections=3, seed=5)
    stack = lp.open_stack(tmp_path / "inputs" / "ifgramStack.h5")
    output = [tmp_path / name for name in ("ts.h5", "tcoh.h5", "num.h5")]
    lp.invert(stack, weight_func=function, output=output)
    with h5py.File(output[0]) as ts, h5py.File(output[2]) as num, h5py.File(tmp_path / "truth.h5") as truth:
        error = (ts["timeseries"][:] - truth["timeseries"][:]) * stack.phase_per_meter
        full = num["mask"][:] == len(stack.pairs)
    A = lp.Network(stack.pairs).todense()
    coherence = stack.coherence[...].reshape(len(stack.pairs), -1)
    variance_weight = lp._core.weight_function("var")
    flat = lp._core.coherence_to_weight(coherence.astype(float).ravel().tolist(), variance_weight, stack.looks)
    inverse_variance = np.array(flat).reshape(coherence.shape)

    def variance(pixel):
        w = inverse_variance[:, pixel]
        used = w if function == "var" else np.ones_like(w)
        G = np.linalg.solve(A.T @ (used[:, None] * A), A.T * used)
        return np.einsum("ik,k,ik->i", G, 1 / w, G)

    # Low coherence wraps: the noise is not additive any more, and the weights floor at 0.05.
    row, column = stack.reference
    reference = row * 64 + column
    use = full.ravel() & (coherence.min(axis=0) > 0.3)
    use[reference] = False
    pixels = np.flatnonzero(use)
    assert len(pixels) > 500
    error = error.reshape(14, -1)[1:]
    at_reference = variance(reference)
    predicted = np.array([variance(p) + at_reference for p in pixels]).T
    # The reference pixel's own error is common to all pixels: take it out by the mean over pixels, weighted alike.
    common = error[:, pixels].mean(axis=1, keepdims=True)
    own = error[:, pixels] - common
    z2 = own**2 / (predicted - at_reference[:, None])
    assert abs(z2.mean() - 1) <= 4 * np.sqrt(2 / len(pixels)) + 0.01 + 1 / len(pixels)
    # What is common is the reference pixel's noise, within four of its standard deviations.
    assert (np.abs(common[:, 0]) <= 4 * np.sqrt(at_reference + predicted.mean(axis=1) / len(pixels))).all()


def test_what_is_predicted_is_what_the_noise_free_scene_gives(tmp_path):
    """Without noise (truth turned into interferograms) the inversion returns the truth to float32."""
    lp.simulate(tmp_path, (24, 32), dates=10, connections=2, seed=1)
    stack = lp.open_stack(tmp_path / "inputs" / "ifgramStack.h5")
    with h5py.File(tmp_path / "truth.h5") as file:
        truth = file["timeseries"][:].reshape(10, -1)
    A = lp.Network(stack.pairs)
    phase = (A @ (truth[1:].astype(float) * stack.phase_per_meter)).astype(np.float32)
    series = lp.invert_arrays(phase, A, weight_func="no", zero_is_missing=False).timeseries / stack.phase_per_meter
    scale = max(np.abs(truth).max(), np.abs(phase).max() / abs(stack.phase_per_meter))
    assert np.abs(series - truth).max() <= 1e-6 * scale
