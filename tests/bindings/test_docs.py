"""The documents: links lead somewhere, and nothing names a folder of one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [path for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md") for path in sorted(ROOT.glob(name))]
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
MACHINE = re.compile(r"(?<![\w.~-])(?:/(?:work|home|root|Users|tmp|mnt|scratch|opt)/|[A-Z]:\\)[^\s`)]*|file://\S*")


def anchors(text: str) -> set[str]:
    """GitHub's names of the headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.*?) *#*$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(next(n for n in (name, *(f"{name}-{i}" for i in range(1, 100))) if n not in found))
    return found


def test_documents_are_found():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/concepts.md"} <= set(NAMES)


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_relative_links_exist(path):
    missing = []
    for match in LINK.finditer(CODE.sub("", path.read_text())):
        target = match[1] or match[2]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        inside = file.is_relative_to(ROOT) and file.exists()
        if not inside or (anchor and file.suffix == ".md" and anchor not in anchors(file.read_text())):
            missing.append(target)
    assert not missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_no_machine_paths(path):
    assert not [match[0] for match in MACHINE.finditer(path.read_text())]
