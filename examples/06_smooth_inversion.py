"""Invert a noisy scene pixel by pixel, and jointly with smoothness in space, which also fills a gap.

    python examples/06_smooth_inversion.py [PICTURE.png]

Simulates 24 dates of a volcano at a few looks only, loses the data of a region, and compares both inversions with the truth. A picture is saved
where a name is given.

Expected output:

    64 x 80 pixels, 23 unknowns each, 66 interferograms
    error with data: 5 mm pixel by pixel, 2 mm smooth
    error in the gap: 2 mm smooth, of 14 mm that happened
    smoothness 0.3: about jacobi 100, pixelwise 50, spectral 350 iterations; auto takes pixelwise
    smoothness 2.0: about jacobi 400, pixelwise 400, spectral 250 iterations; auto takes spectral
"""

import sys
import tempfile
from pathlib import Path

import lopsar as lp
import numpy as np
from lopsar._core import Hdf5File

rows, columns = shape = (64, 80)
with tempfile.TemporaryDirectory() as folder:
    lp.simulate(folder, shape, dates=24, connections=3, seed=0, looks=(1, 4))
    stack = lp.open_stack(Path(folder) / "inputs" / "ifgramStack.h5")
    phase, coherence, at = stack.phase[...].astype(float), stack.coherence[...].astype(float), stack.reference
    pairs, looks, phase_per_meter = stack.pairs, stack.looks, stack.phase_per_meter
    series = Hdf5File(str(Path(folder) / "truth.h5"), "r").read("timeseries").astype(float)
    land = Hdf5File(str(Path(folder) / "waterMask.h5"), "r").read("waterMask") > 0

A = lp.Network(pairs)
truth = (series[1:] - series[1:, at[0], at[1], None, None]) * phase_per_meter
phase[phase == 0] = np.nan                                   # how missing data are written
y = phase - phase[:, at[0], at[1], None, None]
coherence = coherence.clip(0.05, 0.99)
weights = 2 * looks * coherence**2 / (1 - coherence**2)      # inverse variances of phase noise, 1/rad^2
print(f"{rows} x {columns} pixels, {A.shape[1]} unknowns each, {A.shape[0]} interferograms")

i, j = np.indices(shape)
gap = ((i - 38) / 8)**2 + ((j - 22) / 9)**2 < 1               # no data here
y[:, gap] = np.nan

pixelwise = lp.solve(A, y, weights).x                         # every pixel by itself: nothing in the gap
weak, strong = 0.3, 2.0                                       # 1/rad: the Laplacian of phase is about 1 rad by itself
auto = {smoothness: lp.smooth_inversion(A, y, smoothness, weights, mask=land, tol=1e-4) for smoothness in (weak, strong)}
runs = {(smoothness, kind): best if kind == best.preconditioner else
        lp.smooth_inversion(A, y, smoothness, weights, mask=land, preconditioner=kind, tol=1e-4)
        for smoothness, best in auto.items() for kind in ("jacobi", "pixelwise", "spectral")}
smooth = auto[strong].x

mm = 1e3 / abs(phase_per_meter)
land &= truth.any(0)                                          # the truth is 0 where the radar sees nothing
seen = land & np.isfinite(pixelwise).all(0)


def rms(x: np.ndarray, where: np.ndarray) -> float:
    """Error in mm."""
    return mm * np.sqrt(np.mean((x - truth)[:, where]**2))


print(f"error with data: {rms(pixelwise, seen):.0f} mm pixel by pixel, {rms(smooth, seen):.0f} mm smooth")
print(f"error in the gap: {rms(smooth, gap & land):.0f} mm smooth, of {rms(0 * truth, gap & land):.0f} mm that happened")
for smoothness, best in auto.items():
    counts = ", ".join(f"{kind} {50 * round(runs[smoothness, kind].iterations / 50)}" for kind in ("jacobi", "pixelwise", "spectral"))
    print(f"smoothness {smoothness}: about {counts} iterations; auto takes {best.preconditioner}")

if len(sys.argv) > 1:
    from matplotlib.figure import Figure

    date = A.shape[1] - 1
    far = 0.9 * mm * np.abs(truth[date][land]).max()
    figure = Figure(figsize=(15, 8), layout="constrained")
    axes = figure.subplots(2, 3)
    maps = (("Truth", truth[date], land, far), ("Pixel by pixel", pixelwise[date], seen, far), ("Smooth, jointly", smooth[date], land, far),
            ("Error, pixel by pixel", pixelwise[date] - truth[date], seen, 20), ("Error, smooth", smooth[date] - truth[date], land, 20))
    for ax, (title, values, where, limit) in zip(axes.flat, maps):
        image = ax.imshow(np.where(where, -mm * values, np.nan), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.contour(gap, [0.5], colors="black", linewidths=1.2, linestyles="--")
        ax.set(xticks=[], yticks=[], facecolor="#dedede")
        ax.set_title(title, loc="left", weight="bold")
        figure.colorbar(image, ax=ax, label="mm", shrink=0.8, extend="both")
    axes[0, 0].text(22, 38, "no data", ha="center", va="center")
    ax = axes[1, 2]
    for kind, color in (("jacobi", "#888888"), ("pixelwise", "#d1495b"), ("spectral", "#00798c")):
        for smoothness, style in ((weak, "--"), (strong, "-")):
            run = runs[smoothness, kind]
            ax.semilogy(run.history, style, color=color, label=f"{kind}, smoothness {smoothness:g}: {run.iterations}")
    ax.set(xlabel="iteration", ylabel="relative residual", ylim=(0.7e-4, 2))
    ax.set_title("Residual by preconditioner", loc="left", weight="bold")
    ax.legend(frameon=False, title="iterations")
    ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Displacement on the last date, towards the satellite. Error of all dates with data: "
                    f"{rms(pixelwise, seen):.1f} mm pixel by pixel, {rms(smooth, seen):.1f} mm smooth; "
                    f"in the gap {rms(smooth, gap & land):.1f} mm")
    figure.savefig(sys.argv[1], dpi=130)
