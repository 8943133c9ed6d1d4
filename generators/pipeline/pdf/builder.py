"""Brings the PDFs of `build/pdf/` up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from generators.pipeline.build import Hooks, Tell, Worked, units
from generators.pipeline.catalog import QuestionId, shown
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.files import write_whole
from generators.pipeline.kept import BUILD
from generators.pipeline.pdf.printed_check import check_printed
from generators.pipeline.pdf.printing import OWN_FILES, compiled_pdf
from generators.pipeline.pdf.submission import Document, document, plan
from generators.pipeline.schedule import Entries

PDFS = BUILD / "pdf"
_STAMPS = BUILD / "pdf.json"
_READING = Lock()
"""The library that reads PDFs back does one at a time."""


Printed = dict[str, bytes]
"""What PDFs hold, by their paths below `build/pdf/`."""


def build_pdfs(
    entries: Entries,
    tell: Tell,
    while_waiting: Callable[[], object] = lambda: None,
    when_found: Callable[[dict[QuestionId, Worked], Printed], object] | None = None,
) -> tuple[list[Path], dict[QuestionId, Worked]]:
    """Write every PDF of these questions whose content changed; no PDF is put in place before all is done.

    `while_waiting` is called once when all pages exist, `when_found` once when all questions are matched, with all PDFs.
    Returns the PDFs, and the questions as worked out.
    """
    stamps = _read_stamps()
    planned = plan(entries)
    composed: dict[QuestionId, Worked] = {}
    compiling: dict[str, tuple[str, Future[bytes]]] = {}

    with ThreadPoolExecutor(2) as threads:

        def compile_when_complete(worked: Worked) -> None:
            question_id = worked.question_id
            composed[question_id] = worked
            for path, members in planned.items():
                if question_id in members and all(member in composed for member in members):
                    found = document(path, members, composed)
                    if not _current(found, stamps):
                        compiling[path] = (_digest(found), threads.submit(_checked, found))

        def all_found(worked_out: dict[QuestionId, Worked]) -> None:
            if when_found:
                anew = {path: future.result() for path, (_, future) in compiling.items()}
                when_found(worked_out, {path: anew.get(path) or (PDFS / path).read_bytes() for path in planned})

        done = units(entries, tell, Hooks(compile_when_complete, while_waiting, all_found if when_found else None))
        compiled = {path: (digest, future.result()) for path, (digest, future) in compiling.items()}
    for path, (digest, content) in compiled.items():
        write_whole(PDFS / path, content)
        stamps[path] = [digest, hashlib.sha256(content).hexdigest()]
        tell(f"wrote {shown(PDFS / path)}")
    if compiled:
        write_whole(_STAMPS, json.dumps(stamps, sort_keys=True, indent=1).encode())
    return [PDFS / path for path in planned], done


def remove_others(entries: Entries, tell: Tell) -> None:
    """Remove the PDFs that earlier builds wrote and that none of these questions stands in."""
    stamps, planned = _read_stamps(), plan(entries)
    others = [path for path in stamps if path not in planned]
    for path in others:
        (PDFS / path).unlink(missing_ok=True)
        tell(f"removed {shown(PDFS / path)}")
    if others:
        kept = {path: stamp for path, stamp in stamps.items() if path in planned}
        write_whole(_STAMPS, json.dumps(kept, sort_keys=True, indent=1).encode())


def _checked(found: Document) -> bytes:
    content = compiled_pdf(found)
    with _READING:
        check_printed(content, found)
    return content


def _digest(found: Document) -> str:
    """Changes when the PDF would."""
    return digest_of({"document": vars(found), "look": digests(OWN_FILES)})


def _read_stamps() -> dict[str, Any]:
    try:
        stamps = json.loads(_STAMPS.read_bytes())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _current(found: Document, stamps: Mapping[str, Any]) -> bool:
    path = PDFS / found.path
    return path.is_file() and stamps.get(found.path) == [_digest(found), hashlib.sha256(path.read_bytes()).hexdigest()]
