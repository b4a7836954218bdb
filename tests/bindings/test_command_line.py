"""The command line: exit codes, messages, templates, reports, and what is left after Ctrl-C and kill -9."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
import lopsar as lp  # noqa: E402
from lopsar.command_line import main  # noqa: E402
from lopsar.template import inversion_options  # noqa: E402

OUTPUT = ("timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return lp.simulate(tmp_path_factory.mktemp("scene"), (96, 60), 10, 3, 1)


@pytest.fixture
def work(simulated, tmp_path, monkeypatch):
    """A copy of the scene that a test may damage, as the current folder."""
    shutil.copytree(simulated, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def products(folder):
    return {name: (folder / name).read_bytes() for name in OUTPUT if (folder / name).exists()}


def left_over(folder):
    return sorted(p.name for p in folder.iterdir() if p.name in OUTPUT or p.name.startswith("."))


def test_invert_and_report(work, capsys):
    assert main(["invert", "inputs/ifgramStack.h5", "-w", "var", "--ram", "1", "--threads", "2", "--json", "run.json"]) == 0
    out = capsys.readouterr()
    assert "plan" in out.out and "inverted" in out.out and not out.err
    report = json.loads(Path("run.json").read_text())
    assert report["version"] and report["isa"] in lp._core.isa_levels() and report["pixels"] == 96 * 60
    assert sum(report["pixels_by_status"].values()) == report["pixels"] and report["plan"]["dates"] == 10
    assert set(report["seconds"]) == {"total", "read", "compute", "write"} and report["options"]["weight_function"] == "var"
    assert left_over(work) == sorted(OUTPUT)


def test_invert_by_another_solver_says_so(work, capsys):
    assert main(["invert", "inputs/ifgramStack.h5", "--json", "run.json"]) == 0
    report = json.loads(Path("run.json").read_text())
    assert report["solver"] == {"method": "edge-flow", "arithmetic": "float32", "pixels_by_edge_flow": 0}
    capsys.readouterr()
    with h5py.File("timeseries.h5") as f:
        fused = f["timeseries"][()]
    assert main(["invert", "inputs/ifgramStack.h5", "--solver", "cgls", "--json", "run.json"]) == 0
    out = capsys.readouterr()
    assert "solved by cgls" in out.out and "cgls in float" in out.out
    report = json.loads(Path("run.json").read_text())
    assert report["solver"]["method"] == "cgls" and report["options"]["solver"] == "cgls"
    with h5py.File("timeseries.h5") as f:
        assert np.abs(f["timeseries"][()] - fused).max() <= 1e-4 * np.abs(fused).max()


def test_compare(work, capsys):
    words = ["compare", "inputs/ifgramStack.h5", "--solvers", "edge-flow,cholesky,cgls", "--pixels", "400", "--threads", "1", "--repeats", "1"]
    assert main([*words, "-o", "out", "--json", "numbers.json"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("edge-flow", "cholesky", "cgls", "time / pixel", "edge-flow in float64"))
    found = json.loads(Path("numbers.json").read_text())
    assert found == json.loads(Path("out/compare.json").read_text())
    assert [m["method"] for m in found["methods"]] == ["edge-flow", "cholesky", "cgls"] and 300 <= found["pixels"] <= 500
    assert all(m["unconverged"] == 0 and m["relative_error"] < 1e-3 for m in found["methods"])
    assert Path("out/compare.png").read_bytes()[:4] == b"\x89PNG"
    assert main([*words[:2], "--solvers", "cg", "--weight-func", "no", "--pixels", "50", "--repeats", "1"]) == 0
    with h5py.File("inputs/ifgramStack.h5", "a") as f:
        del f["coherence"]
    capsys.readouterr()
    assert main(words) == 1
    assert "coherence: expected a dataset for the weights 'var', got none among " in (error := capsys.readouterr().err) and "-w no" in error
    for name, text in (("date", "expected a dataset of unwrapped phase, got 'date'"), ("unwrapPhase_x", "expected a dataset of phase, got none")):
        assert main([*words, "-i", name, "-w", "no"]) == 1 and text in capsys.readouterr().err
    assert main(["compare", "nothing.h5"]) == 1 and capsys.readouterr().err.startswith("lopsar: error: ")


def test_compare_of_a_network_in_parts(shared, capsys):
    assert main(["compare", str(shared / "golden" / "gap_24" / "ifgramStack.h5"), "--repeats", "1", "--solvers", "edge-flow,cgls"]) == 0
    assert "left out at" in capsys.readouterr().out


def test_alternative_spellings_are_the_same_run(work):
    spellings = [
        "-d unwrapPhase -m waterMask.h5 --skip-ref --md coherence --mt 0.5 --mr 2 --memory 1".split(),
        "-i unwrapPhase --water-mask waterMask.h5 --skip-reference --mask-dset coherence --mask-thres 0.5 --min-redun 2 --ram 1".split(),
        "--dset unwrapPhase -m waterMask.h5 --skip-ref --mask-dataset coherence --mask-threshold 0.5 --min-redundancy 2 --ram 1".split(),
    ]
    found = []
    for words in spellings:
        assert main(["invert", "inputs/ifgramStack.h5", *words, "-o", *OUTPUT]) == 0
        found.append(products(work))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["unknown"],
        ["invert"],
        ["invert", "x.h5", "--update"],
        ["invert", "x.h5", "--calc-cov"],
        ["invert", "x.h5", "-c", "local"],
        ["invert", "x.h5", "--solver", "magic"],
        ["compare"],
        ["compare", "x.h5", "--solvers", "cg,magic"],
        ["compare", "x.h5", "--solvers", "cg,cg"],
        ["compare", "x.h5", "--tol", "2"],
        ["invert", "x.h5", "-w", "best"],
        ["invert", "x.h5", "-o", "one.h5"],
        ["invert", "x.h5", "--threads", "0"],
        ["invert", "x.h5", "--min-n"],
        ["simulate", "d", "--shape", "4by5"],
        ["plot"],
        ["plot", "x", "--pixel", "3"],
    ],
)
def test_usage(words, capsys):
    assert main(words) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["invert", "--help"], ["--version"]])
def test_help(words, capsys):
    assert main(words) == 0
    assert "lopsar" in capsys.readouterr().out


def edit(path, change):
    with h5py.File(path, "r+") as f:
        change(f)


def replace(f, name, values):
    del f[name]
    f[name] = values


def no_reference_data(value):
    def change(f):
        y, x = int(f.attrs["REF_Y"]), int(f.attrs["REF_X"])
        f["unwrapPhase"][:, y, x] = value

    return change


BAD = {
    "missing dataset": (lambda f: f.__delitem__("unwrapPhase"), ["unwrapPhase"]),
    "missing dates": (lambda f: f.__delitem__("date"), ["date"]),
    "missing coherence": (lambda f: f.__delitem__("coherence"), ["coherence", "-w no"]),
    "missing bperp": (lambda f: f.__delitem__("bperp"), ["bperp"]),
    "missing wavelength": (lambda f: f.attrs.__delitem__("WAVELENGTH"), ["WAVELENGTH"]),
    "missing looks": (lambda f: f.attrs.__delitem__("ALOOKS"), ["ALOOKS", "NCORRLOOKS"]),
    "looks no number": (lambda f: f.attrs.__setitem__("ALOOKS", "many"), ["ALOOKS", "many"]),
    "missing reference": (lambda f: f.attrs.__delitem__("REF_Y"), ["REF_Y", "--skip-reference"]),
    "reference outside": (lambda f: f.attrs.__setitem__("REF_Y", "96"), ["REF_Y", "(96, "]),
    "reference NaN": (no_reference_data(np.nan), ["reference pixel without data", "NaN"]),
    "reference zero": (no_reference_data(0), ["reference pixel without data"]),
    "dates of another number": (lambda f: replace(f, "date", f["date"][:-1]), ["one image per pair", "expected shape (23, "]),
    "dates of one column": (lambda f: replace(f, "date", f["date"][:, 0]), ["date", "(m, 2)"]),
    "malformed date": (lambda f: replace(f, "date", np.r_[[[b"2017x304", b"20170316"]], f["date"][1:]]), ["date", "2017x304"]),
    "impossible date": (lambda f: replace(f, "date", np.r_[[[b"20170230", b"20170316"]], f["date"][1:]]), ["date", "20170230"]),
    "date twice": (lambda f: replace(f, "date", np.r_[[[b"20170304", b"20170304"]], f["date"][1:]]), ["date", "20170304 twice"]),
    "coherence of another size": (lambda f: replace(f, "coherence", f["coherence"][:, :-1]), ["coherence", "(24, 96, 60)", "(24, 95, 60)"]),
    "bperp of another size": (lambda f: replace(f, "bperp", f["bperp"][:-1]), ["bperp", "(24,)", "(23,)"]),
    "length": (lambda f: f.attrs.__setitem__("LENGTH", "97"), ["LENGTH", "expected 96", "got 97"]),
    "drop flags of another size": (lambda f: replace(f, "dropIfgram", np.ones(5, bool)), ["dropIfgram", "(24,)", "(5,)"]),
    "all pairs dropped": (lambda f: replace(f, "dropIfgram", np.zeros(24, bool)), ["dropIfgram", "all 24 dropped"]),
    "coherence as text": (lambda f: replace(f, "unwrapPhase", np.full((24, 96, 60), b"x")), ["unwrapPhase"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_stack(name, work, capsys):
    change, words = BAD[name]
    edit("inputs/ifgramStack.h5", change)
    (work / OUTPUT[0]).write_bytes(b"an older product")
    assert main(["invert", "inputs/ifgramStack.h5"]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "Traceback" not in message and "inputs/ifgramStack.h5" in message
    assert all(w in message for w in words), message
    assert left_over(work) == [OUTPUT[0]] and (work / OUTPUT[0]).read_bytes() == b"an older product"


def test_nothing_to_invert(work, capsys):
    assert main(["invert", "inputs/ifgramStack.h5", "--min-redun", "50"]) == 1
    message = capsys.readouterr().err
    assert "below the minimum redundancy of 50.0" in message and left_over(work) == []
    assert main(["invert", "inputs/ifgramStack.h5", "--md", "coherence", "--mt", "2"]) == 1
    assert "without data after masking by coherence" in capsys.readouterr().err and left_over(work) == []


def test_bad_files_and_options(work, capsys):
    def fails(*words):
        assert main(list(words)) == 1
        assert left_over(work) == []
        return capsys.readouterr().err

    stack = "inputs/ifgramStack.h5"
    assert "absent.h5" in fails("invert", "absent.h5")
    assert "inputs" in fails("invert", "inputs")
    Path("text.h5").write_text("no HDF5")
    assert "text.h5" in fails("invert", "text.h5") and "text.h5" in fails("info", "text.h5")
    whole = Path(stack).read_bytes()
    Path("cut.h5").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in fails("invert", "cut.h5")
    assert "unwrapPhase_bridging" in fails("invert", stack, "-i", "unwrapPhase_bridging")
    assert "phase" in fails("invert", stack, "-i", "coherence")
    edit(stack, lambda f: f.__delitem__("connectComponent"))
    assert "connectComponent" in fails("invert", stack, "--mask-dset", "connectComponent")
    assert "shadow" in fails("invert", stack, "--mask-dset", "shadow")
    assert "absent.h5" in fails("invert", stack, "-m", "absent.h5")
    with h5py.File("small.h5", "w") as f:
        f["waterMask"] = np.ones((3, 4), bool)
    assert "(96, 60)" in fails("invert", stack, "-m", "small.h5")
    assert "nowhere" in fails("invert", stack, "-o", "nowhere/a.h5", "b.h5", "c.h5")
    assert "twice" in fails("invert", stack, "-o", "a.h5", "a.h5", "c.h5")
    assert "not an input" in fails("invert", stack, "-o", stack, "b.h5", "c.h5")
    assert "GB" in fails("invert", stack, "--ram", "0.0000001") and "GB" in fails("invert", stack, "--ram", "-1")
    assert "nowhere" in fails("invert", stack, "--json", "nowhere/run.json")
    Path("run.json").mkdir()
    assert "run.json: expected a report file that can be written" in fails("invert", stack, "--json", "run.json")
    assert "neither an input nor an output" in fails("invert", stack, "--json", stack)
    missing = "absent.cfg: expected a template file, got none (No such file or directory); check the path"
    assert missing in fails("invert", stack, "-t", "absent.cfg")
    assert "inputs: expected a template file, got a directory" in fails("invert", stack, "-t", "inputs")
    assert "absent" in fails("plot", "absent.h5")
    assert fails("simulate", "s", "--dates", "1")


@pytest.mark.parametrize("most", [1000, 40000, 150000])
def test_full_disk_is_a_message_not_a_crash(work, most):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    command = [sys.executable, "-B", "-m", "lopsar", "invert", "inputs/ifgramStack.h5", "-o", "a.h5", "b.h5", "c.h5"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert done.stderr.startswith("lopsar: error: ") and done.stderr.count("\n") == 1
    assert not any(Path(name).exists() for name in ("a.h5", "b.h5", "c.h5"))


def test_memory_is_bounded_with_large_compressed_chunks(work):
    n, pairs, gb = 2500, [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)], 0.25
    days = [b"20200101", b"20200113", b"20200125", b"20200206"]
    ramp = np.linspace(0.5, 3, n * n, dtype=np.float32).reshape(n, n)
    ramp.view(np.uint32)[...] &= 0xFFFFF000
    with h5py.File("large.h5", "w") as f:
        f["date"] = np.array([[days[a], days[b]] for a, b in pairs])
        f["bperp"] = np.zeros(len(pairs), np.float32)
        f["dropIfgram"] = np.ones(len(pairs), bool)
        phase = f.create_dataset(
            "unwrapPhase", (len(pairs), n, n), np.float32, chunks=(1, n, n), compression="gzip", compression_opts=1, shuffle=True
        )
        for k, (a, b) in enumerate(pairs):
            phase[k] = ramp * (b - a)
        f.attrs.update({"LENGTH": str(n), "WIDTH": str(n), "WAVELENGTH": "0.05", "REF_Y": "0", "REF_X": "0"})
    script = f"""
import lopsar as lp
def kib(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))
before = kib("VmRSS:")
report = lp.invert("large.h5", "no", ram={gb}, threads=2)
print(kib("VmHWM:") - before, report.pixels_inverted)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    grown, inverted = map(int, done.stdout.split())
    assert inverted > 0.9 * n * n and grown <= gb * 2**20 + 24 * 2**10, f"{grown / 2**20:.3f} GB"


def test_interrupt_after_the_last_block(work, capsys, monkeypatch):
    job = lp.invert.__globals__["options"]("inputs/ifgramStack.h5", output=OUTPUT)

    def at_the_end(what):
        def monitor(at):
            if at.blocks_done == at.blocks:
                raise what

        return monitor

    with pytest.raises(KeyboardInterrupt, match="complete") as caught:
        lp._core.invert(job, at_the_end(KeyboardInterrupt()))
    assert caught.value.report.pixels_inverted > 0 and left_over(work) == sorted(OUTPUT)
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    assert lp._core.invert(job, at_the_end(RuntimeError("from progress"))).pixels_inverted > 0 and len(seen) == 1

    real = lp._core.invert
    monkeypatch.setattr(lp._core, "invert", lambda job, show: real(job, at_the_end(KeyboardInterrupt())))
    assert main(["invert", "inputs/ifgramStack.h5", "--json", "run.json"]) == 0
    assert Path("run.json").is_file() and not capsys.readouterr().err

    def fails(job, show):
        raise KeyboardInterrupt from lp._core.FileError("x.h5: damaged")

    monkeypatch.setattr(lp._core, "invert", fails)
    assert main(["invert", "inputs/ifgramStack.h5"]) == 130
    assert "x.h5: damaged; no output has its final name" in capsys.readouterr().err


def test_damaged_chunk_leaves_nothing(work, capsys):
    with h5py.File("inputs/ifgramStack.h5", "r+") as f:
        phase = f["unwrapPhase"][()]
        del f["unwrapPhase"]
        f.create_dataset("unwrapPhase", data=phase, chunks=(4, 32, 60), compression="gzip")
        chunk = f["unwrapPhase"].id.get_chunk_info_by_coord((0, 64, 0))
    with open("inputs/ifgramStack.h5", "r+b") as f:
        f.seek(chunk.byte_offset + 10)
        f.write(b"\xff" * 200)
    assert main(["invert", "inputs/ifgramStack.h5", "--chunk-size", "1920"]) == 1
    assert "unwrapPhase" in capsys.readouterr().err and left_over(work) == []


def test_template(work, capsys):
    os.environ["LOPSAR_TEST_MASK"] = "coherence"
    Path("smallbaselineApp.cfg").write_text("""# comment = 1
% mintpy.networkInversion.weightFunc = coh
mintpy.networkInversion.weightFunc      = no   #[var / fim / coh / no], auto for var
mintpy.networkInversion.waterMaskFile   = auto
mintpy.networkInversion.minNormVelocity = No
mintpy.networkInversion.maskDataset     = $LOPSAR_TEST_MASK
mintpy.networkInversion.maskThreshold   = 0.3
mintpy.networkInversion.minRedundancy   = auto
mintpy.compute.maxMemory                = 2
mintpy.unwrapError.method               = auto
""")
    assert inversion_options("smallbaselineApp.cfg") == {
        "attributes": {},
        "weight_func": "no",
        "water_mask": "waterMask.h5",
        "min_norm_velocity": False,
        "mask_dataset": "coherence",
        "mask_threshold": 0.3,
        "min_redundancy": 1.0,
        "ram": 2.0,
        "dataset": "unwrapPhase",
    }
    assert main(["invert", "inputs/ifgramStack.h5", "-t", "smallbaselineApp.cfg", "--mask-thres", "0.5", "--json", "run.json"]) == 0
    chosen = json.loads(Path("run.json").read_text())["options"]
    assert (chosen["mask_threshold"], chosen["mask_dataset"], chosen["weight_function"], chosen["minimum_norm_velocity"], chosen["ram"]) == (
        0.5,
        "coherence",
        "no",
        False,
        2.0,
    )
    Path("waterMask.h5").unlink()
    assert inversion_options("smallbaselineApp.cfg")["water_mask"] is None
    Path("auto.cfg").write_text("mintpy.networkInversion.maskDataset = auto\nmintpy.unwrapError.method = bridging+phase_closure\n")
    assert inversion_options("auto.cfg") == {
        "attributes": {"mintpy.networkInversion.maskDataset": "False"},
        "mask_dataset": None,
        "dataset": "unwrapPhase_bridging_phaseClosure",
    }
    for line in ("weightFunc = best", "maskThreshold = high", "minNormVelocity = 3", "maskDataset = yes"):
        Path("bad.cfg").write_text(f"mintpy.networkInversion.{line}\n")
        assert main(["invert", "inputs/ifgramStack.h5", "-t", "bad.cfg"]) == 1
        assert f"mintpy.networkInversion.{line.split()[0]}" in capsys.readouterr().err


def test_info_and_plot(work, capsys):
    assert main(["info", "inputs/ifgramStack.h5"]) == 0
    out = capsys.readouterr().out
    assert all(w in out for w in ("connected", "redundancy", "baselines", "unwrapPhase", "looks", "WAVELENGTH"))
    assert main(["info", "waterMask.h5"]) == 0 and "waterMask" in capsys.readouterr().out
    assert main(["invert", "inputs/ifgramStack.h5"]) == 0
    capsys.readouterr()
    assert main(["plot", "timeseries.h5", "-o", "pictures", "--pixel", "20,30", "--truth", "truth.h5"]) == 0
    pictures = capsys.readouterr().out.split()
    assert pictures and all(Path(p).stat().st_size > 10000 for p in pictures)


def test_simulate(tmp_path, capsys):
    assert (
        main(["simulate", str(tmp_path / "s"), "--shape", "64x40", "--dates", "8", "--connections", "2", "--seed", "3", "--compression", "gzip"]) == 0
    )
    with h5py.File(tmp_path / "s" / "inputs" / "ifgramStack.h5") as f:
        assert f["unwrapPhase"].shape == (13, 64, 40)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """A run of many small blocks, each made safe on disk, and what it makes undisturbed."""
    folder = lp.simulate(tmp_path_factory.mktemp("long"), (480, 64), 12, 3, 1)
    command = [sys.executable, "-m", "lopsar", "invert", "inputs/ifgramStack.h5", "--chunk-size", "64"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole = products(folder)
    return folder, command, whole


def stop_midway(folder, command, number):
    """Sends the signal when some blocks are finished; returns the process and its messages."""

    def finished_blocks():
        try:
            return (folder / f".{OUTPUT[0]}.journal").read_bytes().count(b"\nblock ")
        except FileNotFoundError:  # not begun, or just over
            return 0

    for _ in range(10):  # on a loaded machine a run may be over before this process is awake to stop it
        for name in OUTPUT:
            (folder / name).unlink(missing_ok=True)
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while process.poll() is None and finished_blocks() < 3 and time.monotonic() < end:
            time.sleep(0.001)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        if process.returncode != 0:
            return process, err
    pytest.fail("every run was over before it could be stopped")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_run_goes_on(long_run, number):
    folder, command, whole = long_run
    process, err = stop_midway(folder, command, number)
    assert not products(folder)
    if number == signal.SIGINT:
        assert process.returncode == 130 and "give the same command again" in err and "Traceback" not in err
    else:
        assert process.returncode == -signal.SIGKILL
    again = subprocess.run([*command, "--json", "run.json"], cwd=folder, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert json.loads((folder / "run.json").read_text())["resumed_blocks"] >= 3
    assert products(folder) == whole
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_other_options_start_afresh(long_run):
    folder, command, whole = long_run
    stop_midway(folder, command, signal.SIGKILL)
    other = subprocess.run([*command, "-w", "no", "--json", "run.json"], cwd=folder, capture_output=True, text=True)
    assert other.returncode == 0 and json.loads((folder / "run.json").read_text())["resumed_blocks"] == 0
    assert products(folder)["timeseries.h5"] != whole["timeseries.h5"]
