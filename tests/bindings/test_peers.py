"""MintPy itself reads what the job writes. Runs where MintPy is installed, or where LOPSAR_MINTPY_PYTHON names a Python that has it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

h5py = pytest.importorskip("h5py")
import lopsar as lp  # noqa: E402
from lopsar.command_line import main  # noqa: E402

PYTHON = os.environ.get("LOPSAR_MINTPY_PYTHON") or sys.executable
if PYTHON == sys.executable and importlib.util.find_spec("mintpy") is None:
    pytest.skip("MintPy is not installed here, and LOPSAR_MINTPY_PYTHON names no Python that has it", allow_module_level=True)


def mintpy(folder: Path, *words: str, code: bool = False) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
    }
    done = subprocess.run([PYTHON, *(("-c",) if code else ("-m",)), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = lp.simulate(tmp_path_factory.mktemp("peers"), (60, 50), 24, 3, 2, gaps=0.05)
    (path / "smallbaselineApp.cfg").write_text(
        "mintpy.networkInversion.weightFunc = auto\nmintpy.networkInversion.waterMaskFile = auto\nmintpy.networkInversion.maskDataset = auto\n"
        "mintpy.networkInversion.maskThreshold = auto\nmintpy.networkInversion.minRedundancy = auto\nmintpy.networkInversion.minNormVelocity = auto\n"
        "mintpy.reference.date = auto\nmintpy.compute.maxMemory = auto\nmintpy.unwrapError.method = auto\n"
    )
    here = Path.cwd()
    os.chdir(path)
    try:
        assert main(["invert", "inputs/ifgramStack.h5", "-t", "smallbaselineApp.cfg"]) == 0
    finally:
        os.chdir(here)
    return path


def test_objects_open(folder):
    out = mintpy(
        folder,
        """
from mintpy.objects import timeseries
from mintpy.utils import readfile
t = timeseries('timeseries.h5'); t.open(print_msg=False)
print(t.numDate, t.length, t.width, t.refIndex, len(t.pbase))
for name in ('timeseries.h5', 'temporalCoherence.h5', 'numInvIfgram.h5'):
    data, attributes = readfile.read(name)
    print(data.shape, data.dtype, attributes['FILE_TYPE'], attributes['UNIT'], data.max() > 0.5 or 'timeseries' in name)
""",
        code=True,
    )
    lines = out.strip().splitlines()[-4:]
    assert lines[0] == "24 60 50 0 24"
    assert lines[1:] == ["(24, 60, 50) float32 timeseries m True", "(60, 50) float32 temporalCoherence 1 True", "(60, 50) float32 mask 1 True"]


def test_update_skips_from_template_and_flags(folder):
    assert "run or skip: skip" in mintpy(folder, "mintpy.cli.ifgram_inversion", "inputs/ifgramStack.h5", "-t", "smallbaselineApp.cfg", "--update")
    here = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["invert", "inputs/ifgramStack.h5", "-w", "var", "--md", "coherence", "--mt", "0.3"]) == 0
    finally:
        os.chdir(here)
    assert "run or skip: skip" in mintpy(
        folder, "mintpy.cli.ifgram_inversion", "inputs/ifgramStack.h5", "-w", "var", "--mask-dset", "coherence", "--mask-thres", "0.3", "--update"
    )


def test_velocity_and_masks_run(folder):
    mintpy(folder, "mintpy.cli.timeseries2velocity", "timeseries.h5")
    with h5py.File(folder / "velocity.h5") as f, h5py.File(folder / "timeseries.h5") as t:
        assert f["velocity"].shape == t["timeseries"].shape[1:] and abs(f["velocity"][()]).max() > 0.005
    mintpy(folder, "mintpy.cli.generate_mask", "temporalCoherence.h5", "-m", "0.7", "-o", "maskTempCoh.h5")
    mintpy(folder, "mintpy.cli.dem_error", "timeseries.h5", "-g", "inputs/geometryRadar.h5")
    mintpy(folder, "mintpy.cli.view", "numInvIfgram.h5", "--nodisplay", "--noverbose", "-o", "number.png")


def test_same_result(folder, tmp_path):
    mintpy(
        folder,
        "mintpy.cli.ifgram_inversion",
        "inputs/ifgramStack.h5",
        "-w",
        "var",
        "-o",
        *(str(tmp_path / n) for n in ("ts.h5", "tcoh.h5", "num.h5")),
    )
    lp.invert(folder / "inputs" / "ifgramStack.h5", output=[tmp_path / n for n in ("a.h5", "b.h5", "c.h5")])
    pairs = (("ts.h5", "a.h5"), ("tcoh.h5", "b.h5"), ("num.h5", "c.h5"))
    for theirs, ours in pairs:
        with h5py.File(tmp_path / theirs) as m, h5py.File(tmp_path / ours) as o:
            a, b = dict(m.attrs), dict(o.attrs)
            assert {k: b.get(k) for k in a} == a, (theirs, {k: (a[k], b.get(k)) for k in a if b.get(k) != a[k]})
            for name in m:
                if m[name].dtype.kind == "S":
                    assert (m[name][()] == o[name][()]).all()
                else:
                    assert m[name].dtype == o[name].dtype and m[name].shape == o[name].shape
                    limit = 1e-3 if name == "bperp" else 0 if name == "mask" else 2e-5
                    x = m[name][()]
                    assert (abs(x - o[name][()]) <= limit + (1e-4 * abs(x) if name == "timeseries" else 0)).all(), name
