"""What became of a pixel."""

from enum import IntEnum

from . import _core

__all__ = ["Status"]


class Status(IntEnum):
    """What became of a pixel; an integer, so that arrays of status compare with it: ``solution.status == lopsar.Status.ok``."""

    ok = int(_core.Status.ok)
    rank_deficient = int(_core.Status.rank_deficient)
    no_data = int(_core.Status.no_data)
    below_redundancy = int(_core.Status.below_redundancy)
    masked = int(_core.Status.masked)
    not_finite = int(_core.Status.not_finite)
    not_converged = int(_core.Status.not_converged)
    breakdown = int(_core.Status.breakdown)
