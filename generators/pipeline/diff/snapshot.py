"""What a build says, datum by datum, as exact texts by address, so that two states can be compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generators.pipeline.wording import counted

if TYPE_CHECKING:
    from generators.pipeline.build import Worked

TITLE, PAGES, LOOK = "@title", "@pages", "@look"
"""Addresses: of each question, and of each PDF how many pages it has and how it looks."""
PARAMS = "params"
"""The first word of the address of a parameter."""
PDF, FILE, FIGURE, LEFT_OUT = "PDF", "site file", "figure", "left-out recording"
KINDS = (
    "title", "parameter", "value", "formula", "text", "claim", "line", "order", "table shape", "label",
    FIGURE, "page", PDF, LEFT_OUT, FILE,
)  # fmt: skip
"""What a datum may be, in the order in which they are counted."""
_MARK = re.compile(r'<span id="[^"]*">|</span>|\\label\{[^{}]*\} ?|\n*<div data-nodes="[^"]*" hidden></div>\n')
"""Where an address stands in a page's Markdown, and where nodes stand in a picture."""


class Datum(NamedTuple):
    """What something is, as a noun that can be counted, and its text; of pictures and files the text is a digest."""

    kind: str
    text: str


Data = dict[str, Datum]
Snapshot = Mapping[str, Mapping[str, Datum]]
"""Data by address: those of a question by its id, and those of files by their place."""


def of_worked(worked_out: Iterable[Worked], pdfs: Mapping[str, Path], earlier: Snapshot) -> dict[str, Data]:
    """Questions as they were worked out, and PDFs by their names; a PDF that stands in `earlier` is not read again."""
    questions = {str(worked.question_id): dict(_question(worked)) for worked in worked_out}
    return questions | {name: _pdf(path.read_bytes(), earlier.get(name, {})) for name, path in pdfs.items()}


def of_site(folder: Path, worked_out: Iterable[Worked], earlier: Snapshot) -> dict[str, Data]:
    """The same for the site that stands in a project's folder, with all its files."""
    site = folder / "site"
    files = {path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*")) if path.is_file()}
    pdfs = {f"build/pdf/{name.removeprefix('answers/')}": path for name, path in files.items() if path.suffix == ".pdf"}
    others = {name: Datum(FILE, _digest(path.read_bytes())) for name, path in files.items() if path.suffix != ".pdf"}
    return of_worked(worked_out, pdfs, earlier) | {"site/": others}


def read(path: Path) -> Snapshot | None:
    """The snapshot in a file; None where it is missing or damaged."""
    try:
        return from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def from_json(content: Any) -> Snapshot:
    """A snapshot from plain values."""
    return {place: {address: Datum(*one) for address, one in data.items()} for place, data in content.items()}


def _question(worked: Worked) -> Iterator[tuple[str, Datum]]:
    yield TITLE, Datum("title", worked.title)
    yield from _parameters(PARAMS, worked.answer["params"])
    for label, part in worked.answer["parts"].items():
        yield f"{label}@title", Datum("label", part["title"])
        yield from _part(part)
    for name, svg in worked.figures.items():
        yield f"figure/{name}", Datum(FIGURE, _digest((svg + worked.tall.get(name, "")).encode()))
    for name, reason in worked.left_out.items():
        yield f"recordings/{name}", Datum(LEFT_OUT, reason)
    yield "@page", Datum("page", _MARK.sub("", worked.site))


def _parameters(address: str, value: Any) -> Iterator[tuple[str, Datum]]:
    """Every field, and the fields of a field."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _parameters(f"{address}/{name}", inner)
    else:
        yield address, Datum("parameter", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _part(part: Mapping[str, Any]) -> Iterator[tuple[str, Datum]]:
    for one in part["quantities"]:
        yield one["address"], Datum("value", _text(one["value"]))
        yield from _labels(one, "symbol", "unit")
        if one["formula"] is not None:
            yield f"{one['address']}@formula", Datum("formula", one["formula"])
    for one in part["texts"]:
        yield one["address"], Datum("text", _text(one["value"]))
    for one in part["claims"]:
        yield one["address"], Datum("claim", "holds" if one["value"] else "does not hold")
    for one in part["derivations"]:
        yield f"{one['address']}@lines", Datum("order", _keys(one["lines"], "line"))
        for line in one["lines"]:
            yield f"{one['address']}/{line['key']}", Datum("line", f"{line['symbol']} = {line['latex']}")
    for one in part["tables"]:
        yield from _table(one)


def _table(table: Mapping[str, Any]) -> Iterator[tuple[str, Datum]]:
    address = table["address"]
    yield f"{address}@rows", Datum("table shape", _keys(table["rows"], "row"))
    yield f"{address}@columns", Datum("table shape", _keys(table["columns"], "column"))
    for column in table["columns"]:
        yield from _labels({**column, "address": f"{address}/{column['key']}"}, "heading", "symbol", "unit")
    formulas = {column["key"] for column in table["columns"] if column["of"]}
    for row in table["rows"]:
        for key, cell in row["cells"].items():
            yield f"{address}/{row['key']}/{key}", Datum("formula" if key in formulas else "value", _text(cell))


def _labels(one: Mapping[str, Any], *names: str) -> Iterator[tuple[str, Datum]]:
    """What is said of a quantity or column besides its numbers."""
    for name in names:
        if one[name]:
            yield f"{one['address']}@{name}", Datum("label", _text(one[name]))


def _keys(ones: list[Any], noun: str) -> str:
    return f"{counted(len(ones), noun)}: {', '.join(one['key'] for one in ones)}"


def _text(datum: Any) -> str:
    """A datum as answers.json has it: text, notation, or a number as it is written exactly."""
    first = next(iter(datum.values())) if isinstance(datum, dict) else datum
    return float.__repr__(first) if isinstance(first, float) else first or "–"


def _pdf(content: bytes, earlier: Mapping[str, Datum]) -> Data:
    """How many pages a PDF has and what they say, and a digest of its look."""
    look = Datum(PDF, _digest(content))
    return dict(earlier) if earlier.get(LOOK) == look else {LOOK: look, **_printed(content)}


def _printed(content: bytes) -> Data:
    from generators.pipeline.pdf.printed_check import texts_of

    texts = {f"page {number}": Datum(PDF, text) for number, text in enumerate(texts_of(content), 1)}
    return {PAGES: Datum(PDF, str(len(texts))), **texts}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
