"""Which files a question reads: its code, found without running it, its template, recordings and versions."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from generators.pipeline.catalog import ROOT, TEMPLATES, QuestionId, load_question, recordings_folder, shown
from generators.pipeline.recorded import paths

_RENDERING = ("generators.pipeline.render", "generators.pipeline.unit")
_LOCK = ROOT / "requirements.lock"
_REFERENCE = re.compile(r"""{%-?\s*(?:extends|include|import|from)\s+["']([^"']+)["']""")


def files_read(question_id: QuestionId) -> list[Path]:
    """The question's module and template with everything they import, its recordings even if missing, and the lock file."""
    code = _closure({question_id.module, *_RENDERING})
    return sorted({*code, *_templates(question_id.template), *_recordings(question_id), _LOCK})


def _recordings(question_id: QuestionId) -> set[Path]:
    """A recording that does not exist yet counts as read, so that the page follows when it is made."""
    names = load_question(question_id).recordings
    return {path for of_kind in paths(recordings_folder(question_id), names).values() for path in of_kind.values()}


def imported_packages(question_id: QuestionId) -> set[str]:
    """Top-level packages outside the project that the question's code imports, now or later."""
    return {name.split(".")[0] for path in _closure({question_id.module}) for name in _imports(path)}


def _closure(modules: Iterable[str]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        path = _source(waiting.pop())
        if path and path not in found:
            found.add(path)
            waiting += [name for name in _imports(path) if name.startswith("generators")]
    return found


def _source(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Dotted names a file imports anywhere; `from a import b` gives both a and a.b, as b may be a module."""
    names = []
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _templates(name: str) -> set[Path]:
    path = TEMPLATES / name
    if not path.is_file():
        return set()
    found = {path}
    for reference in _REFERENCE.findall(path.read_text(encoding="utf-8")):
        found |= _templates(reference)
    return found


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file by its path in the project; a file that is gone has the digest ''."""
    return {shown(path): digest_of_file(path) for path in paths}


@cache
def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read once a run; '' if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def digest_of(content: Mapping[str, Any] | str) -> str:
    """SHA-256 of a mapping of plain values, or of text, together with the Python version."""
    text = json.dumps([content, sys.version_info[:3]], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
