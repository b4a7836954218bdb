"""Speed and error of `lopsar.solve` against PyTorch, PyLops and SciPy (where they are installed), in one process by turns.

    direct     (a) Network @ HStack([Polynomial, Seasonal, DemError]) with the geometry of each pixel, (b) free dates, DEM error and velocity under
               smoothness, against torch's batched normal equations and Cholesky factors
    iterative  CGLS and LSQR on a network with weights over two decades, to a relative error of 1e-4, against the PyLops idiom (one CGLS over
               Diagonal(sqrt w) @ MatrixMult(G, otherdims=pixels)) and scipy.sparse.linalg.lsqr per pixel
    sweep      direct against iterative methods over networks, spreads of the weights and numbers of parameters, with a picture

Each time is that of one call, as microseconds per pixel, median. Errors are the largest over the pixels, against float64: QR in units of each
parameter's own standard deviation (direct), or relative to the norm of the pixel's solution (iterative, sweep).

    python tests/bench/bench_solvers.py [direct] [iterative] [sweep] [--threads N] [--repeats 5] [--json FILE] [--plot FILE]
"""

import argparse
import contextlib
import io
import json
import os
import time
from functools import partial
from typing import Any

import lopsar as lp
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from bench_invert_arrays import network

try:
    import torch
except ImportError:
    torch = None
try:
    import pylops
except ImportError:
    pylops = None

GOAL = 1e-4


def seconds(call: Any, repeats: int) -> float:
    """Median of `repeats` calls after one that warms up. The pause lets threads of others stop spinning."""
    times = []
    for repeat in range(repeats + 1):
        time.sleep(0.05)
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
        if repeat == 0 and times[0] > 20:   # long enough to need no median
            return times[0]
    return float(np.median(times[1:]))


def alternating(calls: dict[str, Any], repeats: int) -> dict[str, float]:
    """Medians of several, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            time.sleep(0.05)
            start = time.perf_counter()
            call()
            if repeat:
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


class Scene:
    """A network, weights over `decades`, and data with noise that matches them: y, w (K, pixels) float32."""

    def __init__(self, pairs: int, dates: int, pixels: int, decades: float = 2, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.network = network(pairs, dates)
        self.pixels = pixels
        self.dense = self.network.todense()
        years = np.arange(dates)[1:] * 12 / 365.25
        self.baselines = rng.normal(0, 100, dates)
        self.slant_range = np.full(pixels, 850e3) + rng.uniform(0, 30e3, pixels)
        self.incidence = np.deg2rad(rng.uniform(30, 45, pixels))
        self.phase = np.outer(years, rng.normal(0, 10, pixels)) + np.cumsum(rng.normal(0, 0.3, (dates - 1, pixels)), 0)
        self.w = (10 ** rng.uniform(-decades / 2, decades / 2, (pairs, pixels))).astype(np.float32)
        self.y = (self.dense @ self.phase + rng.normal(0, 1, (pairs, pixels)) / np.sqrt(self.w)).astype(np.float32)

    def dem_error(self, pixels: int) -> Any:
        """Phase in rad per meter of height."""
        return (4 * np.pi / 0.0555) * lp.DemError(self.network, self.baselines, self.slant_range[:pixels], self.incidence[:pixels])

    def time_model(self, pixels: int) -> tuple[Any, list[Any]]:
        return self.network @ lp.HStack([lp.Polynomial(self.network, 1), lp.Seasonal(self.network, [1.0, 0.5]), self.dem_error(pixels)]), []

    def smooth_dates(self, pixels: int) -> tuple[Any, list[Any]]:
        """Unknowns: the phase of every date, DEM error, velocity; dates change with the velocity, to 1 rad per sqrt(12 days)."""
        free = self.network.shape[1]
        step = 12 / 365.25
        model = self.network @ lp.HStack([lp.Identity(free), self.dem_error(pixels), lp.Zero(free, 1)])
        difference = lp.TimeDifference(self.network, 1)
        smooth = lp.HStack([difference, lp.Zero(free, 1), lp.MatrixMult(-np.ones((free, 1)))])
        return model, [lp.Prior(smooth, weights=np.full(free, step**2))]


def matrices(model: Any) -> np.ndarray:
    """(pixels, rows, columns) of a model with fields, from the operator applied to unit vectors: independent of its lowering."""
    out = np.empty((model.pixels, *model.shape))
    for j in range(model.shape[1]):
        unit = np.zeros((model.shape[1], model.pixels))
        unit[j] = 1
        out[:, :, j] = (model @ unit).T
    return out


def reference(g: np.ndarray, w: np.ndarray, y: np.ndarray, rows: np.ndarray | None, row_weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Float64 solutions and standard deviations (n, pixels) by QR."""
    x, sigma = [], []
    for p in range(len(g)):
        root = np.sqrt(w[:, p].astype(float))
        a, b = root[:, None] * g[p], root * y[:, p].astype(float)
        if rows is not None and row_weights is not None:
            a, b = np.vstack([a, np.sqrt(row_weights)[:, None] * rows]), np.concatenate([b, np.zeros(len(rows))])
        q, r = np.linalg.qr(a)
        x.append(np.linalg.solve(r, q.T @ b))
        sigma.append(np.sqrt(np.sum(np.linalg.inv(r) ** 2, 1)))
    return np.stack(x, 1), np.stack(sigma, 1)


def torch_normal(g: Any, w: Any, y: Any, extra: Any) -> Any:
    """(n, pixels): matrices formed and factored batch by batch. g (batch, K, n), w and y (K, pixels)."""
    out = []
    for at in range(0, w.shape[1], g.shape[0]):
        wt, yt = w[:, at:at + g.shape[0]].T, y[:, at:at + g.shape[0]].T
        weighted = (g[:len(wt)] * wt[:, :, None]).mT
        normal = weighted @ g[:len(wt)]
        if extra is not None:
            normal += extra
        x = torch.cholesky_solve(weighted @ yt[:, :, None], torch.linalg.cholesky(normal))
        out.append(x[:, :, 0].T)
    return torch.cat(out, 1)


def torch_shared(g: Any, outer: Any, scale: Any, w: Any, y: Any) -> Any:
    """The same where the matrix of a pixel is one matrix g with its columns scaled: sums over rows as one product of matrices. outer (K, n n)."""
    out = []
    for at in range(0, w.shape[1], len(scale)):
        wt, yt = w[:, at:at + len(scale)].T, y[:, at:at + len(scale)].T
        normal = (wt @ outer).reshape(-1, g.shape[1], g.shape[1]) * scale[:, :, None] * scale[:, None, :]
        x = torch.cholesky_solve((((wt * yt) @ g) * scale)[:, :, None], torch.linalg.cholesky(normal))
        out.append(x[:, :, 0].T)
    return torch.cat(out, 1)


def direct(repeats: int, threads: int) -> list[dict[str, Any]]:
    figures = []
    print(f"Direct solves, {threads} threads: microseconds per pixel, error in standard deviations")
    print(f"{'K':>5}{'D':>5} {'model':30}{'method':32}{'us/pixel':>9} {'error':>9} {'times':>7}")
    for pairs, dates in ((288, 98), (490, 98)):
        for title, make in (("time model + DEM error, 6", Scene.time_model), ("smooth dates + DEM + rate, 99", Scene.smooth_dates)):
            small = make is Scene.time_model
            scene = Scene(pairs, dates, 1 << (18 if small else 16))
            model, prior = make(scene, scene.pixels)
            few = 256 if small else 48
            rows = prior[0].op.todense() if prior else None
            row_weights = np.asarray(prior[0].weights) if prior else None
            g = matrices(make(scene, few)[0])
            exact, sigma = reference(g, scene.w[:, :few], scene.y[:, :few], rows, row_weights)

            def error(x: np.ndarray, exact: np.ndarray = exact, sigma: np.ndarray = sigma, few: int = few) -> float:
                return float(np.max(np.abs(np.asarray(x)[:, :few] - exact) / sigma))

            runs: dict[str, Any] = {}
            calls = {}
            for arithmetic in ("auto", "float32", "float64"):
                def call(arithmetic: str = arithmetic, scene: Scene = scene, model: Any = model, prior: Any = prior) -> Any:
                    return lp.solve(model, scene.y, weights=scene.w, prior=prior, method="cholesky", arithmetic=arithmetic,
                                    threads=threads)
                solution = call()
                runs[f"lopsar {arithmetic}" + (f" ({solution.arithmetic})" if arithmetic == "auto" else "")] = error(solution.x)
                calls[list(runs)[-1]] = (call, scene.pixels)
            if torch is not None:
                torch.set_num_threads(threads)
                batch = 2048 if small else 256
                count = 4 * batch
                for dtype in (torch.float32, torch.float64):
                    gt = torch.as_tensor(matrices(make(scene, batch)[0]), dtype=dtype)
                    wt, yt = (torch.as_tensor(a[:, :count], dtype=dtype) for a in (scene.w, scene.y))
                    extra = None if rows is None else torch.as_tensor(rows.T @ (row_weights[:, None] * rows), dtype=dtype)
                    name = f"torch {str(dtype).split('.')[1]}"
                    # Batches after the first reuse its matrices: what forming them takes is not counted.
                    def peer(g: Any = gt, w: Any = wt, y: Any = yt, extra: Any = extra) -> Any:
                        return torch_normal(g, w, y, extra)
                    try:
                        runs[name] = error(peer().numpy())
                    except torch.linalg.LinAlgError as failure:
                        print(f"{pairs:5}{dates:5} {title:30}{name:32} fails: {str(failure)[:60]}")
                        continue
                    calls[name] = (peer, count)
                    if not small:
                        continue
                    # What a user may do by hand, because only the scale of one column differs from pixel to pixel.
                    outer = (gt[0][:, :, None] * gt[0][:, None, :]).reshape(pairs, -1)
                    by_hand = partial(torch_shared, gt[0], outer, gt[:, 0] / gt[0, 0], wt, yt)
                    runs[f"{name}, geometry apart"] = error(by_hand().numpy())
                    calls[f"{name}, geometry apart"] = (by_hand, count)
            taken = alternating({name: call for name, (call, _) in calls.items()}, repeats)
            per_pixel = {name: taken[name] / count * 1e6 for name, (_, count) in calls.items()}
            ours = per_pixel[next(iter(per_pixel))]
            for name, us in per_pixel.items():
                print(f"{pairs:5}{dates:5} {title:30}{name:32}{us:9.3f} {runs[name]:9.1e} {us / ours:6.1f}x", flush=True)
                figures.append({"pairs": pairs, "dates": dates, "model": title, "method": name, "microseconds": us, "error": runs[name]})
    return figures


def first_to_reach(goal: float, settings: Any, run: Any, error: Any) -> tuple[Any, float]:
    """The first of the settings, cheap to dear, whose result has that error, else the last; and the error."""
    found = None, np.inf
    for setting in settings:
        found = setting, error(run(setting))
        if found[1] <= goal:
            break
    return found


def iterative(repeats: int, threads: int) -> list[dict[str, Any]]:
    pairs, dates = 288, 98
    figures = []
    scene = Scene(pairs, dates, 20000)
    few = 1000   # pixels of the peers; errors of lopsar are over all
    exact = lp.solve(scene.network, scene.y.astype(float), weights=scene.w.astype(float)).x
    check, _ = reference(np.broadcast_to(scene.dense, (100, *scene.dense.shape)), scene.w[:, :100], scene.y[:, :100], None, None)
    assert np.abs(exact[:, :100] - check).max() < 1e-9 * np.abs(check).max()   # QR of dense matrices agrees

    def error(x: Any) -> float:
        wanted = exact[:, :x.shape[1]]
        return float(np.max(np.linalg.norm(x - wanted, axis=0) / np.linalg.norm(wanted, axis=0)))

    print(f"\nIterative solves of {pairs} pairs, {dates} dates, weights over two decades, {threads} threads, to a relative error of {GOAL:g}")
    print(f"{'method':34}{'setting':14}{'iterations':>18} {'us/pixel':>10} {'error':>9} {'times':>8}")
    first = None

    def report(name: str, setting: str, iterations: str, us: float, reached: float) -> None:
        nonlocal first
        first = first or us
        print(f"{name:34}{setting:14}{iterations:>18} {us:10.2f} {reached:9.1e} {us / first:7.1f}x", flush=True)
        figures.append({"method": name, "setting": setting, "iterations": iterations, "microseconds": us, "error": reached})

    for dtype in ("float32", "float64"):
        for method in ("cgls", "lsqr", "cg"):
            def run(tol: float, method: str = method, dtype: str = dtype) -> Any:
                return lp.solve(scene.network, scene.y, weights=scene.w, method=method, tol=tol, max_iterations=1000, dtype=dtype, arithmetic=dtype,
                                threads=threads)
            tol, reached = first_to_reach(GOAL, (1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 1e-7, 1e-8), lambda t: run(t).x, error)
            counts = run(tol).iterations
            us = seconds(partial(run, tol), repeats) / scene.pixels * 1e6
            report(f"lopsar {method} {dtype}", f"tol {tol:g}", f"{counts.min()} {int(np.median(counts))} {counts.max()}", us, reached)
    us = seconds(lambda: lp.solve(scene.network, scene.y, weights=scene.w, threads=threads), repeats) / scene.pixels * 1e6
    report("lopsar edge-flow float32", "", "", us, error(lp.solve(scene.network, scene.y, weights=scene.w).x))
    if pylops is not None:
        for dtype in ("float32", "float64"):
            root = np.sqrt(scene.w[:, :few]).astype(dtype)
            op = pylops.Diagonal(root.ravel(), dtype=dtype) @ pylops.MatrixMult(scene.dense.astype(dtype), otherdims=few, dtype=dtype)
            data = (root * scene.y[:, :few]).ravel()

            def idiom(niter: int, op: Any = op, data: np.ndarray = data) -> np.ndarray:
                with contextlib.redirect_stdout(io.StringIO()):
                    return pylops.cgls(op, data, x0=np.zeros(op.shape[1], data.dtype), niter=niter, tol=0)[0].reshape(-1, few)
            niter, reached = first_to_reach(GOAL, (100, 200, 400, 600, 800, 1000, 1200, 1600), idiom, error)
            report(f"PyLops cgls, stacked, {dtype}", f"niter {niter}", str(niter), seconds(partial(idiom, niter), 1) / few * 1e6, reached)
    sparse = scipy.sparse.csr_array(scene.dense)

    def single(tol: float, pixels: int = 100) -> np.ndarray:
        out = []
        counts.clear()
        for p in range(pixels):
            root = np.sqrt(scene.w[:, p].astype(float))
            weighted = scipy.sparse.diags_array(root) @ sparse
            x, _, used, *_ = scipy.sparse.linalg.lsqr(weighted, root * scene.y[:, p], atol=tol, btol=tol, iter_lim=1000)
            out.append(x)
            counts.append(used)
        return np.stack(out, 1)
    counts = []
    tol, reached = first_to_reach(GOAL, (1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 1e-7, 1e-8), single, error)
    us = seconds(lambda: single(tol), 1) / 100 * 1e6
    report("scipy lsqr per pixel, float64", f"tol {tol:g}", f"{min(counts)} {int(np.median(counts))} {max(counts)}", us, reached)
    return figures


def sweep(repeats: int, threads: int, picture: str | None) -> list[dict[str, Any]]:
    """Where direct methods win and where iterative ones do: the same solves by each, tolerances at their defaults."""
    figures = []

    def measure(study: str, at: float, scene: Scene, model: Any, methods: Any) -> None:
        solutions, calls = {}, {}
        for method in methods:
            def call(method: str = method) -> Any:
                return lp.solve(model, scene.y, weights=scene.w, method=method, threads=threads,
                                max_iterations=4 * model.shape[1] + 100 if method in ("cg", "cgls", "lsqr") else None)
            solutions[method] = call()
            calls[method] = call
        exact = lp.solve(model, scene.y.astype(float), weights=scene.w.astype(float), method="qr").x
        taken = alternating(calls, repeats)
        for method in methods:
            s = solutions[method]
            error = float(np.max(np.linalg.norm(s.x - exact, axis=0) / np.linalg.norm(exact, axis=0)))
            us = taken[method] / scene.pixels * 1e6
            figures.append({"study": study, "at": at, "method": method, "microseconds": us, "error": error,
                            "iterations": int(np.median(s.iterations))})
            print(f"{study:22}{at:9g} {method:10}{us:10.3f} {error:9.1e} {int(np.median(s.iterations)):6}", flush=True)

    print(f"\n{'study':22}{'at':>9} {'method':10}{'us/pixel':>10} {'error':>9} {'iter.':>6}")
    network_methods = ("edge-flow", "cholesky", "cg", "cgls", "lsqr")
    model_methods = ("cholesky", "qr", "cg", "cgls", "lsqr")
    for pairs, dates in ((69, 24), (144, 49), (288, 98), (576, 194), (1152, 386)):
        scene = Scene(pairs, dates, 4096)
        measure("dates, 3 neighbors", dates, scene, scene.network, network_methods)
    for pairs in (195, 288, 490, 930):
        scene = Scene(pairs, 98, 4096)
        measure("pairs of 98 dates", pairs, scene, scene.network, network_methods)
    for decades in (0, 1, 2, 3, 4):
        scene = Scene(288, 98, 4096, decades)
        measure("decades of weights", decades, scene, scene.network, network_methods)
    for periods in ([], [1.0], [1.0, 0.5], [1.0, 0.5, 1 / 3, 0.25], [1.0, 0.5, 1 / 3, 0.25, 0.2, 1 / 6]):
        scene = Scene(288, 98, 8192)
        parts = [lp.Polynomial(scene.network, 1), scene.dem_error(scene.pixels)] + ([lp.Seasonal(scene.network, periods)] if periods else [])
        model = scene.network @ lp.HStack(parts)
        measure("parameters", model.shape[1], scene, model, model_methods)
    if picture:
        draw(figures, picture)
    return figures


def draw(figures: list[dict[str, Any]], picture: str) -> None:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    studies = list(dict.fromkeys(f["study"] for f in figures))
    fig, axes = plt.subplots(1, len(studies), figsize=(4 * len(studies), 3.8), constrained_layout=True, sharey=True)
    colors = {"edge-flow": "C3", "cholesky": "C0", "qr": "C4", "cg": "C1", "cgls": "C2", "lsqr": "C5"}
    for ax, study in zip(axes, studies, strict=True):
        for method in dict.fromkeys(f["method"] for f in figures if f["study"] == study):
            points = [(f["at"], f["microseconds"]) for f in figures if f["study"] == study and f["method"] == method]
            ax.plot(*zip(*points, strict=True), "o-", color=colors[method], label=method)
        at = sorted({f["at"] for f in figures if f["study"] == study})
        ax.set(yscale="log", xlabel=study, xscale="log" if study.startswith(("dates", "pairs")) else "linear")
        ax.minorticks_off()
        ax.set_xticks(at, [f"{v:g}" for v in at])
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize=8, frameon=False)
    axes[0].set_ylabel("microseconds per pixel")
    fig.savefig(picture, dpi=110)
    print(f"wrote {picture}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="direct, iterative, sweep (default: all)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--plot", help="write the picture of the sweep to this file")
    args = parser.parse_args()
    known = ("direct", "iterative", "sweep")
    if unknown := set(args.parts) - set(known):
        parser.error(f"expected parts {', '.join(known)}, got {', '.join(sorted(unknown))}")
    for peer, name in ((torch, "torch"), (pylops, "pylops")):
        if peer is None:
            print(f"{name} is not installed: without it as a peer (pip install {name})")
    figures: dict[str, Any] = {}
    for part in args.parts or known:
        if part == "sweep":
            figures[part] = sweep(args.repeats, args.threads, args.plot)
        else:
            figures[part] = (direct if part == "direct" else iterative)(args.repeats, args.threads)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
