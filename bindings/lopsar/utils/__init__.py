"""The names of ``pylops.utils`` that lopsar has."""

from . import backend, decorators, describe, estimators, metrics
from .dottest import dottest
from .estimators import trace_hutchinson, trace_hutchpp, trace_nahutchpp
from .metrics import mae, mse, psnr, snr

__all__ = [
    "backend", "decorators", "describe", "dottest", "estimators", "mae", "metrics", "mse", "psnr", "snr", "trace_hutchinson", "trace_hutchpp",
    "trace_nahutchpp",
]
