"""The command ``lopsar``: invert, compare, simulate, info, plot.

Exit codes: 0 done, 1 bad input or option, 2 usage, 130 interrupted (``invert`` can be resumed).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    from rich.console import Console

    from .stack import Cube, Stack

__all__ = ["main"]

WHY = {
    "ok": "inverted",
    "rank_deficient": "inverted, dates apart filled by minimum norm",
    "no_data": "no data",
    "below_redundancy": "a date has too few interferograms",
    "masked": "water, or without coherence",
    "not_finite": "infinite or huge values",
    "not_converged": "not converged: the last iterate is written",
    "breakdown": "the iteration broke down",
}
SOLVERS = ("edge-flow", "cholesky", "qr", "cg", "cgls", "lsqr")


def _shape(text: str) -> tuple[int, int]:
    rows, x, columns = text.lower().partition("x")
    if not (x and rows.isdigit() and columns.isdigit()):
        raise argparse.ArgumentTypeError(f"expected ROWSxCOLUMNS such as 450x600, got '{text}'")
    return int(rows), int(columns)


def _pixel(text: str) -> tuple[int, int]:
    y, comma, x = text.partition(",")
    if not (comma and y.strip().isdigit() and x.strip().isdigit()):
        raise argparse.ArgumentTypeError(f"expected ROW,COLUMN such as 120,305, got '{text}'")
    return int(y), int(x)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return int(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, below 1, got '{text}'")
    return value


def _solvers(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in SOLVERS]
    if wrong or not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected different methods among {', '.join(SOLVERS)}, got '{text}'")
    return names


def parser() -> argparse.ArgumentParser:
    """The parser of the command, for documentation and tests."""
    top = argparse.ArgumentParser(prog="lopsar", description="InSAR time-series inversion.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"lopsar {_core.version()} ({_core.active_isa()})")
    commands = top.add_subparsers(dest="command", required=True, metavar="command")

    p = commands.add_parser(
        "invert",
        allow_abbrev=False,
        help="invert a stack of interferograms into a displacement time series",
        description="Invert a MintPy ifgramStack.h5 into timeseries.h5, temporalCoherence.h5 and numInvIfgram.h5, with MintPy's rules. "
        "An interrupted run goes on when the same command is given again.",
    )
    # Left out unless given, so that a flag beats the template by being there.
    p.set_defaults(run=_invert)
    p.add_argument("stack", help="ifgramStack.h5")
    p.add_argument("-t", "--template", help="smallbaselineApp.cfg; flags beat it")
    given: dict[str, Any] = {"default": argparse.SUPPRESS}
    p.add_argument("-i", "-d", "--dset", dest="dataset", help="phase dataset (unwrapPhase, or what mintpy.unwrapError.method says)", **given)
    p.add_argument("-m", "--water-mask", dest="water_mask", metavar="FILE", help="pixels that are not 0 in it are inverted", **given)
    p.add_argument("-o", "--output", nargs=3, metavar=("TS", "TCOH", "NUM"), help="output files", **given)
    p.add_argument("--skip-reference", "--skip-ref", dest="skip_reference", action="store_true", help="the phase is referenced already", **given)
    p.add_argument(
        "-w",
        "--weight-func",
        dest="weight_func",
        choices=("var", "fim", "coh", "no"),
        help="weights: inverse variance (default), Fisher information, coherence, none",
        **given,
    )
    p.add_argument(
        "--solver",
        choices=SOLVERS,
        help="how pixels are solved: edge-flow (default), or another to compare with; pixels of missing rank always by edge-flow",
        **given,
    )
    p.add_argument("--min-norm-phase", dest="min_norm_velocity", action="store_false", help="minimum norm of phase instead of velocity", **given)
    p.add_argument(
        "--mask-dset",
        "--mask-dataset",
        "--md",
        dest="mask_dataset",
        metavar="NAME",
        help="mask observations by connectComponent, coherence or offsetSNR",
        **given,
    )
    p.add_argument(
        "--mask-thres", "--mask-threshold", "--mt", dest="mask_threshold", type=float, metavar="X", help="least coherence or SNR (0.4)", **given
    )
    p.add_argument(
        "--min-redun", "--min-redundancy", "--mr", dest="min_redundancy", type=float, metavar="N", help="least interferograms per date (1)", **given
    )
    p.add_argument("--ram", "--memory", dest="ram", type=float, metavar="GB", help="memory for buffers (4)", **given)
    p.add_argument("--threads", type=_positive, metavar="N", help="threads (all)", **given)
    p.add_argument("--chunk-size", dest="chunk_size", type=_positive, metavar="PIXELS", help="pixels per block (from --ram)", **given)
    p.add_argument("--json", metavar="FILE", help="write a report of the run")

    p = commands.add_parser(
        "compare",
        allow_abbrev=False,
        help="solve the same pixels by several methods and measure them",
        description="Solve pixels of a stack, spread over the scene, by several methods: accuracy against float64, time, iterations, memory.",
    )
    p.set_defaults(run=_compare)
    p.add_argument("stack", metavar="STACK", help="ifgramStack.h5")
    p.add_argument("--solvers", type=_solvers, default="edge-flow,cholesky,cg,cgls,lsqr", metavar="NAME,...",
                   help=f"methods among {', '.join(SOLVERS)} (edge-flow,cholesky,cg,cgls,lsqr)")
    p.add_argument("--pixels", type=_positive, default=20000, metavar="N", help="about so many pixels (20000)")
    p.add_argument("-w", "--weight-func", dest="weight_func", choices=("var", "fim", "coh", "no"), default="var", help="weights (var)")
    p.add_argument("-i", "-d", "--dset", dest="dataset", default="unwrapPhase", help="phase dataset (unwrapPhase)")
    p.add_argument("--skip-reference", "--skip-ref", dest="skip_reference", action="store_true", help="the phase is referenced already")
    p.add_argument("--tol", type=_fraction, default=1e-6, metavar="X", help="relative tolerance of iterative methods (1e-6)")
    p.add_argument("--repeats", type=_positive, default=3, metavar="N", help="timed runs of each (3)")
    p.add_argument("--threads", type=_positive, metavar="N", help="threads (all)")
    p.add_argument("-o", "--output", metavar="DIR", help="folder for compare.png and compare.json")
    p.add_argument("--json", metavar="FILE", help="write the numbers")

    p = commands.add_parser(
        "simulate",
        allow_abbrev=False,
        help="write a stack over a volcano whose truth is known",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    p.set_defaults(run=_simulate)
    p.add_argument("directory", metavar="DIR")
    p.add_argument("--shape", type=_shape, default="450x600", metavar="ROWSxCOLUMNS", help="size of the scene")
    p.add_argument("--dates", type=_positive, default=98, metavar="N", help="acquisitions")
    p.add_argument("--connections", type=_positive, default=3, metavar="N", help="pairs with the next N dates")
    p.add_argument("--seed", type=int, default=0, help="of everything random")
    p.add_argument("--gaps", type=float, default=0.0, metavar="FRACTION", help="of patches without data")
    p.add_argument("--annual-pairs", action="store_true", help="also pair dates a year apart")
    p.add_argument("--network-gap", action="store_true", help="leave out the pairs across the middle")
    p.add_argument("--unwrap-errors", type=float, default=0.0, metavar="FRACTION", help="of pairs with unwrapping errors")
    p.add_argument("--compression", choices=("gzip", "lzf"), help="of phase and coherence")
    p.add_argument("--looks", type=_shape, default="5x15", metavar="AZIMUTHxRANGE", help="looks taken")

    p = commands.add_parser("info", allow_abbrev=False, help="say what is in a stack or a product")
    p.set_defaults(run=_info)
    p.add_argument("stack", metavar="STACK", help="ifgramStack.h5, or another HDF5 file")

    p = commands.add_parser("plot", allow_abbrev=False, help="draw stacks, maps and series into PNG files")
    p.set_defaults(run=_plot)
    p.add_argument("files", nargs="+", metavar="FILE")
    p.add_argument("-o", "--output", metavar="OUT", help="folder, or a .png for one file (default: beside each file)")
    p.add_argument("--pixel", type=_pixel, action="append", metavar="Y,X", help="series at this pixel; may be repeated")
    p.add_argument("--truth", metavar="FILE", help="truth.h5 of a simulation")
    p.add_argument("--show", action="store_true", help="open windows too")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        try:
            chosen = parser().parse_args(arguments)
        except SystemExit as stop:
            return int(stop.code or 0)
        chosen.run(chosen)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        print(f"lopsar: interrupted{': ' + str(stop) if str(stop) else ''}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (_core.Error, ValueError, OSError, MemoryError) as error:
        print(f"lopsar: error: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def _console() -> Console:
    from rich.console import Console

    # A file or a pipe gets whole lines, whatever the width of the terminal that is not there.
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" or n >= 100 else f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} TB"


def _rate(n: float) -> str:
    return f"{n / 1e6:.2f} Mpx/s" if n >= 1e5 else f"{n / 1e3:.3g} kpx/s"


def _seconds(s: float) -> str:
    return f"{s:.2g} s" if s < 10 else f"{s:.0f} s" if s < 120 else f"{s / 60:.0f} min" if s < 7200 else f"{s / 3600:.1f} h"


def _table(title: str | None = None) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, show_header=False, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _invert(chosen: argparse.Namespace) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from .invert import default_output, options
    from .template import inversion_options

    names = (
        "dataset",
        "water_mask",
        "output",
        "skip_reference",
        "weight_func",
        "solver",
        "min_norm_velocity",
        "mask_dataset",
        "mask_threshold",
        "min_redundancy",
        "ram",
        "threads",
        "chunk_size",
    )
    arguments: dict[str, Any] = {"output": default_output(chosen.stack)}
    if chosen.template:
        arguments |= inversion_options(chosen.template)
    flags = {name: getattr(chosen, name) for name in names if hasattr(chosen, name)}
    if "mask_dataset" in flags:
        arguments.pop("attributes", None)
    arguments |= flags
    job = options(chosen.stack, **arguments)
    if chosen.json:
        _check_report(chosen.json, [job.stack, job.water_mask, *job.output])
    plan = _core.plan(job)

    console = _console()
    table = _table(f"lopsar invert {chosen.stack}")
    pairs = f"{plan.pairs}" + (f" of {plan.all_pairs}" if plan.all_pairs != plan.pairs else "")
    parts = "" if plan.components == 1 else f", [yellow]in {plan.components} parts[/]"
    table.add_row("network", f"{pairs} pairs, {plan.dates} dates{parts}")
    table.add_row("scene", f"{plan.length} x {plan.width} = {plan.pixels:,} pixels")
    table.add_row(
        "rules",
        f"{job.dataset}, weights {arguments.get('weight_func', 'var')}, minimum norm of {'velocity' if job.minimum_norm_velocity else 'phase'}, "
        f"redundancy {job.min_redundancy:g}"
        + (
            f", mask {job.mask_dataset}" + ("" if job.mask_dataset == "connectComponent" else f" >= {job.mask_threshold:g}")
            if job.mask_dataset
            else ""
        )
        + (f", water mask {job.water_mask}" if job.water_mask else "")
        + (f", solved by {job.solver}" if job.solver not in ("auto", "edge-flow") else "")
        + (", phase taken as referenced" if job.skip_reference else ""),
    )
    table.add_row(
        "plan",
        f"{plan.blocks} block{'s' * (plan.blocks != 1)} of {plan.rows_per_block} rows, {plan.blocks_in_flight} in flight, "
        f"{_bytes(plan.memory_bytes)} of memory",
    )
    table.add_row("files", f"{_bytes(plan.bytes_to_read)} to read{f' ({plan.codec})' if plan.codec else ''}, {_bytes(plan.bytes_to_write)} to write")
    table.add_row("machine", f"{plan.threads} thread{'s' * (plan.threads != 1)}, {plan.isa}; about {_seconds(plan.predicted_seconds)}")
    console.print(table)

    last: Any = None
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.fields[speed]}"),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[memory]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("inverting", total=plan.pixels, speed="", memory="")
        first: int | None = None

        def show(at: Any) -> None:
            nonlocal last, first
            last = at
            first = at.pixels_done if first is None else first
            done, seconds = at.pixels_done - first, max(at.seconds, 1e-9)
            speed = f"{_rate(done / seconds)}  {(at.bytes_read + at.bytes_written) / seconds / 1e6:.0f} MB/s"
            bar.update(task, completed=at.pixels_done, speed=speed, memory=_bytes(_resident()))

        try:
            report = _core.invert(job, show)
        except KeyboardInterrupt as stop:
            if isinstance(stop.__cause__, _core.Error):
                raise KeyboardInterrupt(f"{stop.__cause__}; no output has its final name") from None
            finished: _core.InvertReport | None = getattr(stop, "report", None)
            done = f"{last.blocks_done} of {last.blocks} blocks are on disk" if last else "nothing is on disk"
            if finished is None:
                raise KeyboardInterrupt(f"{done}, no output has its final name yet; give the same command again to go on from there") from None
            report = finished  # the interrupt came when everything was written

    computed = plan.pixels * (1 - report.resumed_blocks / plan.blocks)
    seconds = max(report.seconds, 1e-9)
    table = _table()
    for name, count in report.pixels_by_status.items():
        if count or name == "ok":
            table.add_row(f"{count:,} pixels", f"{100 * count / plan.pixels:.1f} %  {WHY[name]}" + (_masked(report) if name == "masked" else ""))
    if report.solver != "edge-flow":
        by = f", {report.pixels_by_edge_flow:,} pixels of missing rank by edge-flow" if report.pixels_by_edge_flow else ""
        table.add_row("solver", f"{report.solver} in {report.arithmetic}{by}")
    if report.resumed_blocks:
        table.add_row("resumed", f"{report.resumed_blocks} of {plan.blocks} blocks were there from an earlier run")
    table.add_row(
        "time",
        f"{report.seconds:.2f} s (read {report.read_seconds:.2f}, compute {report.compute_seconds:.2f}, "
        f"write {report.write_seconds:.2f}, overlapping)",
    )
    table.add_row("speed", f"{_rate(computed / seconds)}, {(report.bytes_read + report.bytes_written) / seconds / 1e6:.0f} MB/s")
    table.add_row("files", "  ".join(report.output))
    console.print(table)
    for warning in report.warnings:
        print(f"lopsar: note: {warning}", file=sys.stderr)
    if chosen.json:
        try:
            Path(chosen.json).write_text(json.dumps(_report(job, report, arguments), indent=1) + "\n")
        except OSError as error:
            raise type(error)(f"{chosen.json}: the report could not be written ({error.strerror}); the products are complete") from None


def _check_report(path: str, others: Sequence[str]) -> None:
    """Raise for a report that could not be written after the run, or would overwrite one of ``others``."""
    there = os.path.lexists(path)
    for other in others:
        if other and Path(other).resolve() == Path(path).resolve():
            raise ValueError(f"{path}: expected a report that is neither an input nor an output of the run; name another file")
    if there and not (os.path.isfile(path) or os.path.isdir(path)) and not os.path.islink(path):
        return  # a pipe or a device: opening it may wait
    try:
        with open(path, "a"):
            pass
    except OSError as error:
        raise type(error)(f"{path}: expected a report file that can be written, got: {error.strerror}; name another") from None
    if not there:
        os.unlink(path)


def _masked(report: Any) -> str:
    return f" ({report.water_pixels:,} water, {report.incoherent_pixels:,} zero in avgSpatialCoh.h5)" if report.incoherent_pixels else " (water mask)"


def _report(job: Any, report: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    def fields(thing: Any, *leave_out: str) -> dict[str, Any]:
        names = [n for n in dir(thing) if not n.startswith("_") and n not in leave_out]
        return {n: getattr(thing, n) for n in names}

    return {
        "version": report.plan.version,
        "isa": report.plan.isa,
        "options": fields(job, "weight_function", "attributes") | {"weight_function": arguments.get("weight_func", "var")},
        "plan": fields(report.plan, "version", "isa"),
        "pixels": report.plan.pixels,
        "pixels_by_status": report.pixels_by_status,
        "solver": {"method": report.solver, "arithmetic": report.arithmetic, "pixels_by_edge_flow": report.pixels_by_edge_flow},
        "pixels_inverted": report.pixels_inverted,
        "water_pixels": report.water_pixels,
        "incoherent_pixels": report.incoherent_pixels,
        "seconds": {"total": report.seconds, "read": report.read_seconds, "compute": report.compute_seconds, "write": report.write_seconds},
        "bytes_read": report.bytes_read,
        "bytes_written": report.bytes_written,
        "resumed_blocks": report.resumed_blocks,
        "output": report.output,
        "warnings": report.warnings,
    }


def _cube(stack: Stack, name: str, what: str, help_: str) -> Cube:
    """A dataset of the stack, or the error of `lopsar invert`."""
    try:
        return stack[name]
    except KeyError:
        cubes = ", ".join(n for n in stack.datasets if n not in ("date", "bperp", "dropIfgram")) or "none"
        raise ValueError(f"{stack.path}: {name}: expected {what}, got none among {cubes}; {help_}") from None


def _compare(chosen: argparse.Namespace) -> None:
    import numpy as np

    from .compare import compare
    from .network import Network
    from .stack import Stack

    if chosen.json:
        _check_report(chosen.json, [chosen.stack])
    folder = Path(chosen.output) if chosen.output else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    console = _console()
    stack = Stack(chosen.stack)
    pairs, rows, columns = stack.shape
    step = max(1, round(float(np.sqrt(rows * columns / chosen.pixels))))   # between the pixels of a grid over the scene
    ys, xs = np.arange(step // 2, rows, step), np.arange(step // 2, columns, step)
    weighted = chosen.weight_func != "no"
    y = np.empty((pairs, len(ys), len(xs)), np.float32)
    w = np.empty_like(y) if weighted else None
    if "phase" not in chosen.dataset.lower():
        raise ValueError(f"compare: expected a dataset of unwrapped phase, got {chosen.dataset!r}; choose one of unwrapPhase*")
    phase = _cube(stack, chosen.dataset, "a dataset of phase", "name one of these")
    coherence = _cube(stack, "coherence", f"a dataset for the weights {chosen.weight_func!r}",
                      "add it, or choose the weight function 'no' (-w no)") if weighted else None
    function = _core.weight_function(chosen.weight_func)
    looks = stack.looks if chosen.weight_func in ("var", "fim") else 1
    for i, row in enumerate(ys):
        y[:, i] = phase[:, row, :][:, xs]
        if w is not None and coherence is not None:
            w[:, i] = _core.coherence_to_weights(coherence[:, row, :][:, xs], function, looks)
    y[~np.isfinite(y) | (y == 0)] = np.nan   # no data, as for lopsar invert
    if not chosen.skip_reference:
        if stack.reference is None:
            raise ValueError(f"{stack.path}: expected the reference pixel (REF_Y, REF_X), got none; use --skip-reference if the phase is referenced")
        y -= phase[:, stack.reference[0], stack.reference[1]].astype(np.float32)[:, None, None]
        y[y == 0] = np.nan
    found = compare(Network(stack.pairs), y, w, chosen.solvers, tol=chosen.tol, repeats=chosen.repeats, threads=chosen.threads)
    if console.is_terminal:
        console.print(found.table())
    else:
        print(found)
    text = json.dumps({"stack": stack.path, "version": _core.version(), "isa": _core.active_isa(), "weight_func": chosen.weight_func,
                       "tol": chosen.tol, "threads": chosen.threads} | found.to_dict(), indent=1) + "\n"
    targets = [Path(chosen.json)] if chosen.json else []
    if folder is not None:
        found.plot(folder / "compare.png")
        print(folder / "compare.png")
        targets.append(folder / "compare.json")
    for target in targets:
        target.write_text(text)
        print(target)


def _simulate(chosen: argparse.Namespace) -> None:
    from rich.progress import Progress

    from .simulate import simulate

    console = _console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("simulating", total=None)
        simulate(
            chosen.directory,
            chosen.shape,
            chosen.dates,
            chosen.connections,
            chosen.seed,
            gaps=chosen.gaps,
            annual_pairs=chosen.annual_pairs,
            network_gap=chosen.network_gap,
            unwrap_errors=chosen.unwrap_errors,
            compression=chosen.compression,
            looks=chosen.looks,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for name in ("inputs/ifgramStack.h5", "inputs/geometryRadar.h5", "waterMask.h5", "truth.h5"):
        path = Path(chosen.directory) / name
        console.print(f"{path}  {_bytes(path.stat().st_size)}")


def _info(chosen: argparse.Namespace) -> None:
    import numpy as np

    from .stack import Stack

    console = _console()
    with _core.Hdf5File(chosen.stack) as file:
        datasets = [file.info(name) for name in file.datasets()]
        attributes = file.attributes()
    if any(d.name.startswith("unwrapPhase") for d in datasets):
        stack = Stack(chosen.stack)
        network = stack._core.network
        table = _table(f"stack {chosen.stack}")
        k, rows, columns = stack.shape
        dates = stack.dates
        table.add_row(
            "dates", f"{len(dates)}, {dates[0]} to {dates[-1]}, steps of {min(np.diff(network.days)):g} to {max(np.diff(network.days)):g} days"
        )
        dropped = len(stack.all_pairs) - k
        table.add_row("pairs", f"{k}" + (f", {dropped} more dropped" if dropped else ""))
        parts = max(network.components) + 1
        table.add_row("network", "connected" if parts == 1 else f"[yellow]{parts} parts that no pair connects[/]")
        table.add_row("redundancy", f"{min(network.redundancy)} to {max(network.redundancy)} pairs per date")
        spans = [abs(network.days[b] - network.days[a]) for a, b in network.pairs]
        table.add_row("spans", f"{min(spans):g} to {max(spans):g} days, median {np.median(spans):g}")
        if "bperp" in stack.datasets:
            rms, worst = stack.baseline_misfit
            b = stack.date_baselines
            table.add_row("baselines", f"dates {b.min():.1f} to {b.max():.1f} m; pairs agree with them to {rms:.2g} m rms, {worst:.2g} m at worst")
        table.add_row("scene", f"{rows} x {columns} = {rows * columns:,} pixels")
        table.add_row("reference", "none (REF_Y, REF_X)" if stack.reference is None else f"row {stack.reference[0]}, column {stack.reference[1]}")
        for name, text in (
            ("looks", lambda: f"{stack.looks}"),
            ("wavelength", lambda: f"{stack.wavelength:.7g} m, {stack.phase_per_meter:.5g} rad/m"),
        ):
            try:
                table.add_row(name, text())
            except _core.FileError:
                table.add_row(name, "[yellow]not in the attributes[/]")
        console.print(table)
    table = _table(f"datasets of {chosen.stack}")
    table.add_column()
    table.add_column()
    for d in datasets:
        storage = f"chunks {d.chunks}" if d.chunks else "contiguous"
        table.add_row(d.name, str(d.shape), d.dtype, storage + (f", {d.compression}" if d.compression else "") + (" + shuffle" if d.shuffle else ""))
    console.print(table)
    table = _table("attributes")
    from rich.text import Text

    for key, value in sorted(attributes.items()):
        table.add_row(key, Text(value))
    console.print(table)


def _plot(chosen: argparse.Namespace) -> None:
    from .plot import plot

    for path in plot(chosen.files, out=chosen.output, pixels=chosen.pixel, truth=chosen.truth, show=chosen.show):
        print(path)
