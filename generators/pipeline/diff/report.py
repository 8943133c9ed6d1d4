"""Writes changes for people, as text or Markdown, and for machines."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby

from generators.pipeline.diff.changes import Change, summary, whole
from generators.pipeline.diff.snapshot import FIGURE, FILE, LEFT_OUT, LOOK, PARAMS, PDF, TITLE
from generators.pipeline.site.page import escaped, pipe_table
from generators.pipeline.wording import counted

_LINES = 6
"""Changes of one table, PDF or list of files that are shown."""
_WIDTH = 60
"""Characters of a text that are shown."""
_CONTEXT = 12
"""Characters that stay, with the word they begin in, before what differs in two longer texts."""
_NOTHING = "nothing changed"

Row = tuple[str, str, str]
"""Address, old text and new text."""


def as_json(ones: Sequence[Change]) -> str:
    """Every change, texts whole."""
    return json.dumps({"summary": summary(ones), "changes": [asdict(one) for one in ones]}, ensure_ascii=False, indent=1)


def as_text(ones: Sequence[Change]) -> str:
    """Changes by question, an address a line, then how many there are."""
    lines = [line for place, one in _places(ones) for line in ("", place, *_text_of(one))]
    return "\n".join([*lines[1:], "", f"{summary(ones)} changed"] if ones else [_NOTHING])


def as_markdown(ones: Sequence[Change]) -> str:
    """The same as tables."""
    lines = [line for place, one in _places(ones) for line in (f"### {escaped(place)}", "", *_tables_of(one))]
    return "\n".join([f"**{escaped(summary(ones))} changed**", "", *lines] if ones else [_NOTHING])


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}


def _places(ones: Sequence[Change]) -> Iterator[tuple[str, dict[str, list[Row]]]]:
    """Each question or file with its rows, those that changed, are new and were removed apart."""
    of_whole = whole(ones)
    for place, of_place in groupby(ones, lambda one: one.place):
        found = list(of_place)
        if place in of_whole:
            yield f"{place}: {of_whole[place]}", {}
            continue
        kinds = {
            "changed": [one for one in found if None not in (one.old, one.new)],
            "new": [one for one in found if one.old is None],
            "removed": [one for one in found if one.new is None],
        }
        yield place, {name: list(_rows(some)) for name, some in kinds.items() if some}


def _rows(ones: Sequence[Change]) -> Iterator[Row]:
    """Rows for the changes of one kind; of a table, a PDF, a list of files and a whole part not all."""
    parts = {one.address.removesuffix(TITLE) for one in ones if one.address.endswith(TITLE) and None in (one.old, one.new)}
    for (_, noun, most), of_one in groupby(ones, partial(_shown_with, parts)):
        found = list(of_one)
        if noun == "page" and len(found) > 1:
            found = [one for one in found if one.address != LOOK]  # what says something else looks different too
        for one in found[:most]:
            yield (one.address, *_shown(one))
        if len(found) > most:
            yield f"and {counted(len(found) - most, f'more {noun}', f'more {noun}es' if noun == 'address' else '')}", "", ""


def _shown_with(parts: Collection[str], one: Change) -> tuple[str, str, int]:
    """What a change is shown with: the place of both, the noun for one of them, and how many are shown."""
    part, _, inner = one.address.partition("@")[0].partition("/")
    if one.kind in (PDF, FILE):
        return "", "page" if one.kind == PDF else "file", _LINES
    if part in parts:
        return part, "address", 1
    keys = inner.split("/")
    return (f"{part}/{keys[0]}", "cell", _LINES) if len(keys) == 3 and part != PARAMS else (one.address, "address", 1)


def _shown(one: Change) -> tuple[str, str]:
    """The old and the new text, of long ones where they begin to differ; of digests only that they do."""
    if one.kind in (FIGURE, FILE) or one.address == LOOK:
        return "", "looks different" if None not in (one.old, one.new) else ""
    old, new = one.old or "", one.new or ""
    start = _start(old, new) if old and new and max(len(old), len(new)) > _WIDTH else 0
    said = "left out: " if one.kind == LEFT_OUT else ""
    old, new = (text and said + _short(text, start) for text in (old, new))
    return old, new


def _start(old: str, new: str) -> int:
    """Where a word begins before the place at which two texts begin to differ."""
    same = next((at for at, (left, right) in enumerate(zip(old, new, strict=False)) if left != right), min(len(old), len(new)))
    before = max(0, same - _CONTEXT)
    return max(old.rfind(" ", 0, before) + 1, before - _CONTEXT)


def _short(text: str, start: int) -> str:
    line = " ".join(text[start:].split())
    return ("…" if start else "") + (line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…")


def _text_of(kinds: Mapping[str, list[Row]]) -> Iterator[str]:
    for kind, rows in kinds.items():
        if kind != "changed":
            yield f"  {kind}:"
        for address, *texts in rows:
            yield f"  {'' if kind == 'changed' else '  '}{address}  {' -> '.join(filter(None, texts))}".rstrip()


def _tables_of(kinds: Mapping[str, list[Row]]) -> Iterator[str]:
    for kind, rows in kinds.items():
        columns = {"changed": (0, 1, 2), "new": (0, 2), "removed": (0, 1)}[kind]
        header = [(kind.capitalize(), "Before", "Now")[one] for one in columns]
        cells = [[escaped(row[one]) for one in columns] for row in rows]
        yield pipe_table(header, cells, right=[False] * len(columns)).strip("\n")
        yield ""
