"""Shared by all Python tests: where the reference data are, and that the asked instruction-set level is the one that runs."""

import os
from pathlib import Path

import lopsar
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_report_header() -> str:
    where = "found" if SHARED.is_dir() else "absent: tests on golden and real data are skipped"
    return f"lopsar {lopsar.__version__}, instruction set {lopsar.active_isa()}, reference data {where}"


def pytest_sessionstart() -> None:
    asked = os.environ.get("LOPSAR_ISA")
    if asked and lopsar.active_isa() != asked:
        raise pytest.UsageError(f"LOPSAR_ISA={asked}, but {lopsar.active_isa()} would run")


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("no reference data beside the repository")
    return SHARED
