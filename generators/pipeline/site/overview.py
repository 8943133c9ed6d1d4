"""What the hand-written pages take in of all answers: an example, every question with its PDF, and every route."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from generators.pipeline.catalog import ROOT
from generators.pipeline.site.page import BEING_CHECKED, ROUTES, escaped, grouped, pipe_table
from generators.pipeline.wording import counted

if TYPE_CHECKING:
    from generators.pipeline.listed import Listed

LAST_CHANGES = 2
"""Entries of the changelog on the first page."""

EXAMPLE_ROWS = 3
"""Boxed values of the example on the first page."""


def example(contents: Sequence[Listed]) -> str:
    """The first boxed quantities of the first question that has some, as published and as found."""
    for one in contents:
        rows = list(_quantities(one))[:EXAMPLE_ROWS]
        if rows:
            where = f"**An example**, from [{escaped(one.worked.title)}](answers/{one.path}.md)"
            table = pipe_table(["What is asked", "Published", "Found", "Route"], rows, right=[False] * 4)
            return f'<div class="answer checks" markdown="1">\n\n{where}\n{table}\n</div>\n'
    return ""


def _quantities(one: Listed) -> Iterator[list[str]]:
    """A row for each boxed quantity: its part and what it is, as published, as found, and the routes."""
    parts = one.worked.answer["parts"].values()
    named = {two["address"]: f"{part['title']}: {two['what']}" for part in parts for two in part["quantities"]}
    for boxed in (one.worked.ledger or {}).get("boxed", []):
        if boxed["address"] in named:
            numbers = map(grouped, (boxed["published"], boxed["found"]))
            yield [escaped(named[boxed["address"]]), *numbers, escaped(boxed["route"])]


def questions(contents: Sequence[Listed]) -> str:
    """Every course with its documents, their questions, points, values found again, and PDFs."""
    lines = [_in_all(contents), '<div class="courses" markdown="1">\n']
    for course, of_course in groupby(contents, key=_course):
        lines += ['<div markdown="1">\n', f"## {escaped(course)}\n"]
        for document, of_document in groupby(of_course, key=lambda one: one.document):
            held = list(of_document)
            lines += [f"### {escaped(document)}\n", f"{_facts(held)}\n", *map(_question, held), ""]
        lines.append("</div>\n")
    return "\n".join([*lines, "</div>\n"])


def _course(one: Listed) -> str:
    return one.course if one.course == one.institution else f"{one.course}, {one.institution}"


def _values(contents: Iterable[Listed]) -> str:
    """How many values were found again, where that is known of all."""
    ledgers = [one.worked.ledger for one in contents]
    return f"{counted(sum(one['values'] for one in ledgers), 'value')} found again" if all(ledgers) else BEING_CHECKED


def _in_all(contents: Sequence[Listed]) -> str:
    ledgers = [one.worked.ledger for one in contents if one.worked.ledger]
    number = counted(sum(len(one["routes"]) for one in ledgers), "route")
    by = f" by [{number}](checks.md#routes)" if len(ledgers) == len(contents) else ""
    return f"{counted(len(contents), 'page')}, {_values(contents)}{by}. The search at the top covers all of them.\n{{ #pdfs }}\n"


def _facts(held: Sequence[Listed]) -> str:
    """Points, values and PDFs of a document, by the names of their files."""
    points = sum(one.worked.points for one in held)
    links = ", ".join(f"[{escaped(pdf.rpartition('/')[2])}](answers/{pdf})" for pdf in dict.fromkeys(one.pdf for one in held))
    links += " with an agreement to sign, in our words" if held[0].agreement else ""
    links = f"to hand in: {links}" if held[0].handed_in else links
    return " · ".join([*([counted(points, "point")] if points else []), _values(held), links])


def _question(one: Listed) -> str:
    number = one.worked.question_id.number
    title = escaped(one.worked.title if number is None else f"{number}. {one.worked.title}")
    return f"- [{title}](answers/{one.path}.md)"


def changes() -> str:
    """The last entries of the newest version in the changelog."""
    newest = re.split(r"^## .*$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    entries = re.split(r"^- ", newest, flags=re.MULTILINE)[1:]
    return "".join(["## What changed last\n\n", *(f"- {one.strip()}\n" for one in entries[-LAST_CHANGES:])])


def routes(contents: Sequence[Listed]) -> str:
    """Every route of every question, the parts in which it found values, and how many it found."""
    rows = [
        [f"[{escaped(one.worked.title)}](answers/{one.path}.md)", *_route(one, name)]
        for one in contents
        if one.worked.ledger
        for name in one.worked.ledger["routes"]
    ]
    table = pipe_table(["Page", "Route", "Parts", "Values"], rows, right=[False, False, False, True])
    return (
        f'## Every route {{ #routes data-search-exclude }}\n\n{ROUTES}\n\n<div class="checks" markdown="1">\n{table}\n</div>\n'
        if rows
        else ""
    )


def _route(one: Listed, name: str) -> list[str]:
    ledger: Any = one.worked.ledger
    parts = [label if label[0].isdigit() else one.worked.answer["parts"][label]["title"] for label in ledger["covers"][name]]
    return [escaped(name), escaped("; ".join(parts)), str(ledger["routes"][name])]
