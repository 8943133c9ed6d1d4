"""Remembers what a finished command read and wrote, so that the next one can tell at once that nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from generators.pipeline.catalog import ROOT
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.files import PAGES, write_whole
from generators.pipeline.kept import BUILD

READ = ("generators", "templates", "docs")
READ_FILES = ("CHANGELOG.md", "mkdocs.yml", "requirements.lock", "student.yml")
"""What a build reads of the project."""


def inputs_digest() -> str:
    """One digest of every file that any answer, page or PDF could be made from."""
    paths = [ROOT / name for name in READ_FILES]
    for folder in READ:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not made_by_builds(path):
                paths.append(path)
    return digest_of(digests(paths))


_MADE = [("docs", PAGES.name), ("docs", f".{PAGES.name}.new"), ("docs", f".{PAGES.name}.old")]


def made_by_builds(path: Path) -> bool:
    """Whether a build or Python wrote a file: docs/answers, and what a killed build left beside it."""
    parts = path.relative_to(ROOT).parts
    return "__pycache__" in parts or parts[:2] in _MADE


def is_current(command: str) -> bool:
    """Whether the command's last complete run read the same files, and all it wrote is still there untouched."""
    try:
        stamp = json.loads(_path(command).read_bytes())
        return bool(stamp["inputs"] == inputs_digest() and stamp["outputs"] == seen(ROOT / name for name in stamp["outputs"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def finished(command: str, inputs: str, outputs: Mapping[str, Any]) -> None:
    """Note a complete run; `inputs` is the digest taken before it began, `outputs` what the run itself wrote."""
    stamp = {"inputs": inputs, "outputs": outputs}
    write_whole(_path(command), json.dumps(stamp, sort_keys=True).encode())


def _path(command: str) -> Path:
    return BUILD / f"{command}.stamp.json"


def seen(paths: Iterable[Path], new: Path = ROOT, old: Path = ROOT) -> dict[str, Any]:
    """Size and time of files, by their paths in the project once the folder `new` has taken the place of `old`."""
    found = {}
    for path in paths:
        state, place = path.stat(), old / path.relative_to(new)
        found[place.relative_to(ROOT).as_posix()] = [state.st_size, state.st_mtime_ns]
    return found
