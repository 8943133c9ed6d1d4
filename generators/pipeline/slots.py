"""Marks places of a page whose numbers follow from parameters, so that the page can write them anew.

A slot is a node of the trace, the label of the part that it belongs to, and the rule by which its number is written: a
function of `docs/assets/what_if.js`, which does the same as the one that marks it, and its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

from generators.depending import Chosen
from generators.traced import Condition, Traced, is_traced

_SLOTS: ContextVar[dict[tuple[Any, ...], int] | None] = ContextVar("_SLOTS", default=None)
_OPENED, _CLOSED = "\ue004", "\ue005"
_TEX_OPENED, _TEX_CLOSED = "\ue006", "\ue007"
_ROW = "\ue008"
_IN_ROW = re.compile(f"{_ROW}(.*?){_ROW}(.*?){_ROW}(.*?){_ROW}")
_IN_TEXT = re.compile(f"{_OPENED}([0-9]+){_OPENED}([^{_CLOSED}]*){_CLOSED}")
_IN_TEX = re.compile(rf"\\text\{{{_TEX_OPENED}[0-9]+\}}|\\text\{{{_TEX_CLOSED}\}}")
_OPENS = re.compile(rf"\\text\{{{_TEX_OPENED}([0-9]+)\}}")
_IN_MATHML = re.compile(f"<mtext>{_TEX_OPENED}([0-9]+(?:\\.[0-9]+)?)</mtext>")
_RELATION = re.compile(rf" (?=(?:{_OPENS.pattern})?(?:=|\\approx ))".replace("([0-9]+)", "[0-9]+"))
_BLOCKS = re.compile(r"\n\n|^(?:#|\||- |\$\$|\d+\. )")
"""Paragraphs, or a heading, table, list or displayed formula; all else stands within a line."""
_TEX_END = rf"\text{{{_TEX_CLOSED}}}"


@contextmanager
def collected() -> Iterator[dict[tuple[Any, ...], int]]:
    """Collect the slots of the page that is rendered within, each with its place."""
    slots: dict[tuple[Any, ...], int] = {}
    token = _SLOTS.set(slots)
    try:
        yield slots
    finally:
        _SLOTS.reset(token)


def _place(node: int, part: str, *rule: Any) -> int:
    slots = _SLOTS.get()
    if slots is None:
        raise ValueError("a traced number is shown outside a page that follows it")
    return slots.setdefault((node, part, *rule), len(slots))


def in_data(content: Any) -> Any:
    """Plain data whose traced numbers name their slot; other numbers are floats."""
    if is_traced(content):
        when = {"when": _place(content.when.node, content.part, "when")} if content.when is not None else {}
        return {"slot": _place(content.node, content.part, "data"), **when}
    if isinstance(content, Mapping):
        return {key: in_data(one) for key, one in content.items()}
    if isinstance(content, list | tuple):
        return [in_data(one) for one in content]
    return float(content) if isinstance(content, Fraction) else content


def in_text(number: Traced, text: str, *rule: Any) -> str:
    """Text of a number with its mark."""
    return _marked(_place(number.node, number.part, *rule), text)


def in_words(words: Chosen) -> str:
    """Words that a comparison chooses, with their mark."""
    return _marked(_place(words.condition.node, words.part, "either", *words.pair), words)


def _marked(place: int, text: str) -> str:
    return f"{_OPENED}{place}{_OPENED}{text}{_CLOSED}"


def in_tex(number: Traced, latex: str, *rule: Any) -> str:
    """LaTeX of a number with its mark."""
    return rf"\text{{{_TEX_OPENED}{_place(number.node, number.part, *rule)}}}{latex}{_TEX_END}"


def said_by(address: str, text: str, condition: Condition | None = None, *, absent: bool = False) -> str:
    """Markdown that a claim says, whole blocks or words within a line; with a condition, hidden while that does not hold.

    What is `absent` from the published answer only stands for it.
    """
    marks = f'data-of="{address}"'
    if condition is not None:
        place = _place(condition.node, address.partition("/")[0], "absent" if absent else "when")
        marks += f' data-slot="{place}"{"" if condition.holds else " hidden"}'
    if _BLOCKS.search(text.strip()):
        return f'<div {marks} markdown="1">\n\n{text.strip()}\n\n</div>\n'
    return f"<span {marks}>{text.rstrip()}</span>{text[len(text.rstrip()) :]}"


def row_of(address: str, condition: Condition) -> str:
    """The mark of a table's row that is hidden while a condition does not hold; it opens the row's first cell."""
    place = _place(condition.node, address.partition("/")[0], "when")
    return f"{_ROW}{place}{_ROW}{address}{_ROW}{'' if condition.holds else 'hidden'}{_ROW}"


def take_row_mark(text: str) -> tuple[dict[str, str], str]:
    """The attributes that the mark at the start of a text gives its row, and the text without it."""
    marked = _IN_ROW.match(text)
    if marked is None:
        return {}, text
    hidden = {"hidden": "hidden"} if marked[3] else {}
    return {"data-slot": marked[1], "data-of": marked[2], **hidden}, text[marked.end() :]


def without_marks(latex: str) -> str:
    """LaTeX as readers see it."""
    return _IN_TEX.sub("", latex)


def in_pieces(latex: str) -> list[str]:
    """LaTeX cut before each relation, each piece with a mark of its own: the first of slot 3 is marked 3.0, the second 3.1."""
    made, opened, place = [], "", 0
    for piece in _RELATION.split(latex):
        text = rf"\text{{{_TEX_OPENED}{opened}.{place}}}{piece}" if opened else piece
        for mark in _IN_TEX.findall(piece):
            found = _OPENS.fullmatch(mark)
            opened, place = (found[1], 0) if found else ("", 0)
        if opened:
            text = text.replace(rf"{_TEX_OPENED}{opened}}}", rf"{_TEX_OPENED}{opened}.0}}") + _TEX_END
            place += 1
        made.append(text)
    return made


def as_spans(markdown: str) -> str:
    """Markdown whose marked texts are spans that name their slot."""
    return _IN_TEXT.sub(r'<span data-slot="\1">\2</span>', markdown)


def as_rows(mathml: str) -> str:
    """MathML whose marked numbers are rows that name their slot."""
    return _IN_MATHML.sub(r'<mrow data-slot="\1">', mathml).replace(f"<mtext>{_TEX_CLOSED}</mtext>", "</mrow>")
