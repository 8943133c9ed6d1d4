"""What a module imports, found without running it; kept by the module's content, as reading syntax trees takes long."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

from generators.pipeline.digest import digest_of_file
from generators.pipeline.kept import BUILD, Section, keep, load

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements hold statements; imports stand nowhere else, and expressions are most of a tree."""

_KEPT = BUILD / "imports.json"
_KEY = digest_of_file(Path(__file__))
_new: dict[str, tuple[str, ...]] = {}
"""What was read in this run, by the digest of the module."""


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Dotted names a file imports anywhere but for types; `from a import b` gives both a and a.b, as b may be a module."""
    digest = digest_of_file(path)
    names = _known().get(digest)
    if names is None:
        names = _new[digest] = _read(path)
    return tuple(names)


@cache
def _known() -> dict[str, tuple[str, ...]]:
    section = load(_KEPT).get("imports")
    return section.content if section and section.key == _KEY else {}


def keep_imports() -> None:
    """Keep what was read in this run for the next one."""
    if _new:
        keep(_KEPT, {"imports": Section(_KEY, {**_known(), **_new})})


def _read(path: Path) -> tuple[str, ...]:
    names = []
    waiting: list[Any] = [ast.parse(path.read_bytes(), filename=str(path))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for block in _BLOCKS:
            waiting += getattr(node, block, ())
    return tuple(names)
