"""The Python examples print what their docstrings say."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def expected(script: Path) -> str:
    """The indented block after the line "Expected output:" of the docstring."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    assert text and "Expected output:\n\n" in text, f"{script} does not state its expected output"
    return textwrap.dedent(text.split("Expected output:\n\n")[1]).strip()


@pytest.mark.parametrize("name", ["02_network.py", "03_your_operator.py", "04_compose_model.py", "05_pylops_side_by_side.py",
                                  "06_smooth_inversion.py"])
def test_example_prints_what_it_says(name):
    if "pylops" in name:
        pytest.importorskip("pylops", reason="needs PyLops (the extra peers)")
    script = EXAMPLES / name
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected(script)
