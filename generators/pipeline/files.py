"""Writes files whole or not at all, and lets complete folders take the place of old ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generators.errors import RenderError
from generators.pipeline.catalog import ROOT, shown

SITE = ROOT / "site"
PAGES = ROOT / "docs" / "answers"
"""What a build of the site replaces as a whole."""


def staging(folder: Path) -> Path:
    """An empty place beside a folder, on the same file system, for the one that will replace it."""
    new = folder.with_name(f".{folder.name}.new")
    if new.exists():
        shutil.rmtree(new)
    return new


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RenderError(f"{shown(path)}: cannot be written ({error.strerror or type(error).__name__})") from error


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Name the folder where a file in it cannot be written; a full disk names none itself."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise RenderError(f"{shown(folder)}: cannot be written ({error.strerror or type(error).__name__})") from error


def put_in_place(new: Path, old: Path) -> None:
    """Let the complete folder `new` take the place of `old`, which stays if that fails.

    `restore` mends a kill between the two renames.
    """
    aside = old.with_name(f".{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        if old.exists():
            old.replace(aside)
        new.replace(old)
    except OSError as error:
        restore(old)
        raise RenderError(f"{shown(old)}: cannot be replaced ({error.strerror or type(error).__name__})") from error
    shutil.rmtree(aside, ignore_errors=True)


def refuse_links() -> None:
    """Renaming would take a link's place, not its target's."""
    for folder in (SITE, PAGES):
        if folder.is_symlink():
            raise RenderError(f"{shown(folder)}: must be a folder, which a build replaces as a whole (got a link)")


def restore(old: Path) -> None:
    """Put a folder back that a killed build had moved aside."""
    aside = old.with_name(f".{old.name}.old")
    if aside.exists() and not old.exists():
        aside.replace(old)
