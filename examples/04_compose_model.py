"""Compose a model of a stack: velocity, annual and semiannual terms and DEM error under a network of interferograms.

    python examples/04_compose_model.py

Expected output:

    -228.479 A [B | C | D]    150 x 6 at every pixel, fields of 2000 pixels
      A  Network     150 x 51
      B  Polynomial  51 x 1
      C  Seasonal    51 x 4
      D  DemError    51 x 1, fields of 2000 pixels
      unknowns: velocity [1/year], cos 1 yr, sin 1 yr, cos 0.5 yr, sin 0.5 yr, DEM error
    adjoint test: True
    one pixel by SciPy's lsqr: largest error below 1e-9: True
    DEM error left out: velocity is wrong by 3 mm/year or more at some pixel: True
    smooth in space: (312000, 12000), largest difference of both ways to apply it 0: True
"""

import lopsar as lp
import numpy as np
from scipy.sparse.linalg import lsqr

rng = np.random.default_rng(0)
dates = np.datetime64("2017-03-04") + 12 * np.arange(52)
A = lp.Network([(dates[i], dates[j]) for i in range(52) for j in range(i + 1, min(52, i + 4))])
rows, columns = 40, 50
pixels = rows * columns

# Unknowns in meters, interferograms in radians: the model is scaled once.
phase_per_meter = -4 * np.pi / 0.055
baselines = rng.normal(0, 80, 52)                                       # perpendicular, m, per date
slant_range = np.linspace(800e3, 900e3, pixels)                         # m
incidence = np.linspace(30, 45, pixels)                                 # degrees
velocity, seasonal, dem = lp.Polynomial(A, degree=1), lp.Seasonal(A, [1.0, 0.5]), lp.DemError(A, baselines, slant_range, incidence)
M = A @ (phase_per_meter * lp.HStack([velocity, seasonal, dem]))
print(M.describe())

# 2 cm/year, a few mm of seasonal motion, 10 m of DEM error.
truth = rng.normal(size=(6, pixels)) * np.array([0.02, 0.004, 0.004, 0.001, 0.001, 10])[:, None]
y = M @ truth
print("adjoint test:", lp.dottest(M.over((rows, columns))))

# Any solver of SciPy takes the model of one pixel: here as a dense matrix from the triplets, and scaled to equal columns.
p = 1234
one = A @ (phase_per_meter * lp.HStack([velocity, seasonal, lp.DemError(A, baselines, slant_range[p], incidence[p])]))
scale = lp.Diagonal(1 / np.linalg.norm(one.todense(), axis=0))
found = scale @ lsqr(one @ scale, y[:, p], atol=1e-14, btol=1e-14)[0]
print("one pixel by SciPy's lsqr: largest error below 1e-9:", np.abs(found - truth[:, p]).max() < 1e-9)

# What a model without the DEM error makes of the same data, all pixels at once by the matrix they share.
without = A @ (phase_per_meter * lp.HStack([velocity, seasonal]))
wrong = np.linalg.lstsq(without.todense(), y, rcond=None)[0][0] - truth[0]
print("DEM error left out: velocity is wrong by 3 mm/year or more at some pixel:", np.abs(wrong).max() > 0.003)

# Beside an operator over the whole scene the pixelwise model lifts itself to the grid.
S = lp.VStack([M, 0.1 * lp.FirstDerivative((6, rows, columns), axis=-1)])
s = S @ truth.ravel()
same = np.array_equal(s[:y.size], y.ravel())
print(f"smooth in space: {S.shape}, largest difference of both ways to apply it 0: {same}")
