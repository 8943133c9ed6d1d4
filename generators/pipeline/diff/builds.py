"""Remembers what the last build said, and what the build before said where that was something else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from generators.errors import RenderError
from generators.pipeline.build import Tell, Worked
from generators.pipeline.catalog import QuestionId, shown
from generators.pipeline.diff.changes import Change, changes, summary
from generators.pipeline.diff.snapshot import of_worked, read
from generators.pipeline.files import write_whole
from generators.pipeline.kept import BUILD
from generators.pipeline.wording import noun

LAST, _BEFORE = BUILD / "snapshot.json", BUILD / "snapshot.before.json"
"""What the last build said, and what the build before the last change said."""


def remember(worked_out: Mapping[QuestionId, Worked], pdfs: Iterable[Path], tell: Tell, *, everything: bool = True) -> None:
    """Take the snapshot of a build and tell in one line what it changed; the first build has nothing to compare with.

    Of a build that does not cover `everything`, what it leaves alone stays as it was.
    """
    last = read(LAST)
    if last is None and not everything:
        return
    taken = of_worked(worked_out.values(), {shown(path): path for path in pdfs}, last or {})
    now = taken if everything else {**(last or {}), **taken}
    if now == last:
        return
    if last is not None:
        write_whole(_BEFORE, LAST.read_bytes())
    write_whole(LAST, json.dumps(now, ensure_ascii=False).encode())
    if last is not None:
        found = changes(last, now)
        tell(f"{summary(found)} changed; `python -m generators diff` shows {noun(len(found), 'it', 'them')}")


def last_changes() -> list[Change]:
    """What the last build that changed something changed; raises RenderError where there was no build."""
    last, before = read(LAST), read(_BEFORE)
    if last is None:
        raise RenderError("build/snapshot.json: there was no build yet; run `python -m generators site` first")
    return [] if before is None else changes(before, last)
