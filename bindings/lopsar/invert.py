"""The job: a stack of interferograms in, a displacement time series in MintPy's files out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from . import _core
from .arrays import SIZE, at_least_one
from .stack import Stack

__all__ = ["invert"]

OUTPUT = ("timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5")


def options(
    stack: str | PathLike[str] | Stack,
    weight_func: str = "var",
    output: Sequence[str | PathLike[str]] = OUTPUT,
    *,
    solver: str = "auto",
    dataset: str | None = None,
    water_mask: str | PathLike[str] | None = None,
    mask_dataset: str | None = None,
    mask_threshold: float = 0.4,
    min_redundancy: float = 1.0,
    min_norm_velocity: bool = True,
    skip_reference: bool = False,
    ram: float = 4.0,
    threads: int | None = None,
    chunk_size: int | None = None,
    attributes: Mapping[str, str] | None = None,
) -> _core.InvertOptions:
    """The core's options for the arguments of :func:`invert`."""
    if isinstance(output, (str, PathLike)) or len(output) != 3:
        raise ValueError(f"expected three output files (time series, temporal coherence, number of interferograms), got {output!r}")
    chosen = _core.InvertOptions()
    chosen.stack = stack.path if isinstance(stack, Stack) else os.fspath(stack)
    chosen.output = [os.fspath(path) for path in output]
    chosen.dataset = dataset or "unwrapPhase"
    chosen.weight_function = _core.weight_function(weight_func)
    chosen.solver = solver
    chosen.minimum_norm_velocity = min_norm_velocity
    chosen.mask_dataset = mask_dataset or ""
    chosen.mask_threshold = mask_threshold
    chosen.min_redundancy = min_redundancy
    chosen.water_mask = os.fspath(water_mask) if water_mask else ""
    chosen.skip_reference = skip_reference
    chosen.ram = ram
    chosen.threads = at_least_one(threads, "threads")
    chosen.chunk_size = at_least_one(chunk_size, "chunk_size", SIZE)
    chosen.attributes = dict(attributes or {})
    return chosen


def invert(
    stack: str | PathLike[str] | Stack,
    weight_func: str = "var",
    output: Sequence[str | PathLike[str]] = OUTPUT,
    *,
    solver: str = "auto",
    dataset: str | None = None,
    water_mask: str | PathLike[str] | None = None,
    mask_dataset: str | None = None,
    mask_threshold: float = 0.4,
    min_redundancy: float = 1.0,
    min_norm_velocity: bool = True,
    skip_reference: bool = False,
    ram: float = 4.0,
    threads: int | None = None,
    chunk_size: int | None = None,
    progress: Callable[[_core.InvertProgress], bool | None] | None = None,
) -> _core.InvertReport:
    """Invert a stack of unwrapped interferograms into a displacement time series, with MintPy's rules.

    Parameters
    ----------
    stack : path or Stack
        MintPy's ``ifgramStack.h5``.
    weight_func : {"var", "fim", "coh", "no"}
        Inverse phase variance, Fisher information, coherence, or no weights.
    output : three paths
        ``timeseries`` (D, l, w) in meters towards the satellite, relative to the reference pixel and first date; ``temporalCoherence``
        (l, w); number of interferograms ``mask`` (l, w) beside ``status`` (l, w), the :class:`Status` of each pixel.
    solver : {"auto", "edge-flow", "cholesky", "qr", "cg", "cgls", "lsqr"}
        Method for pixels whose dates all hang together, as for `solve`; "auto" is edge flow, fused with everything else. The others are for
        comparison; they leave pixels of missing rank to edge flow, which alone has the minimum norms.
    dataset : str, optional
        Phase to invert, "unwrapPhase" by default.
    water_mask : path, optional
        File whose ``waterMask``, ``mask`` or first 2-D dataset is not 0 where pixels are to be inverted.
    mask_dataset : {"connectComponent", "coherence", "offsetSNR"}, optional
        Observations are used where connectComponent is not 0, or where the others are at least `mask_threshold`.
    min_redundancy : float
        Interferograms that every date but the first needs, else the pixel is left out (zeros); 0 for no such rule.
    min_norm_velocity : bool
        What fills dates that no data tie together: minimum norm of velocity, or of phase.
    skip_reference : bool
        The phase is referenced already.
    ram : float
        GB for buffers.
    threads : int, optional
        All by default.
    chunk_size : int, optional
        Pixels per block (whole rows).
    progress : callable, optional
        Called about ten times a second with blocks, pixels and bytes done; returning False interrupts.

    Returns
    -------
    InvertReport
        Pixels by status, times, bytes, warnings; ``interrupted`` if `progress` asked for it.

    Raises
    ------
    FileError, ShapeError, InvalidArgument
        Bad input or options; no output file is made or changed.
    KeyboardInterrupt
        Ctrl-C. The same call goes on where this one stopped.

    Notes
    -----
    Files appear under their names when they are complete, whatever happens before. The side file ``../avgSpatialCoh.h5`` of the stack's
    folder leaves out pixels where it is 0, as in MintPy; the report says so.
    """
    chosen = options(
        stack,
        weight_func,
        output,
        solver=solver,
        dataset=dataset,
        water_mask=water_mask,
        mask_dataset=mask_dataset,
        mask_threshold=mask_threshold,
        min_redundancy=min_redundancy,
        min_norm_velocity=min_norm_velocity,
        skip_reference=skip_reference,
        ram=ram,
        threads=threads,
        chunk_size=chunk_size,
    )
    return _core.invert(chosen, progress)


def default_output(stack: str | PathLike[str]) -> tuple[str, str, str]:
    """MintPy's names: those of an ionospheric stack (``ion*.h5``) differ."""
    return ("ion.h5", "temporalCoherenceIon.h5", "numInvIon.h5") if Path(stack).name.startswith("ion") else OUTPUT
