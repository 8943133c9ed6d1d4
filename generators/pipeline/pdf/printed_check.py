"""Reads a finished PDF back: who reads or grades it must find each question on pages of its own."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from generators.errors import CheckFailed
from generators.pipeline.pdf.submission import Document

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_RAW_TEX = re.compile(r"\\[A-Za-z]{2,}|\$|[_^]\{")
_ESCAPED_TEX = re.compile(r"&#92;[A-Za-z]{2,}|&#36;|&#9[45];&#123;")
"""The same in the Markdown, where text from parameters is meant to look like TeX."""
_CODE = re.compile(r"^    .*$", re.MULTILINE)
"""A line of a block of code, in which a shell's $ may stand."""

_HEAD_PT, _FOOT_PT = 56, 53
"""The margins that hold the running header and the page's number, as in the template."""


@dataclass(frozen=True)
class Heading:
    """A heading of the PDF's outline: its text, its level from 1, and its page from 0."""

    text: str
    level: int
    page: int


def check_printed(content: bytes, document: Document) -> None:
    """Check the finished file against what it should hold; the first difference raises CheckFailed."""
    from pypdfium2 import PdfDocument

    with closing(PdfDocument(content)) as pdf:
        headings = _headings(pdf)
    _check(headings, texts_of(content), document)


def _check(headings: list[Heading], texts: Sequence[str], document: Document) -> None:
    _check_text(document, texts)
    if document.opening and (not headings or (headings[0].text, headings[0].page) != (document.opening, 0)):
        _fail(document, "page 1", document.opening, headings[0].text if headings else "no heading")
    starts = _check_starts(document, headings, texts)
    for (title, labels), start, end in zip(document.questions, starts, [*starts[1:], len(texts)], strict=True):
        _check_parts(document, title, labels, [h for h in headings if start <= h.page < end])


@lru_cache(maxsize=32)  # each PDF is checked, and then what it says is remembered
def texts_of(content: bytes) -> tuple[str, ...]:
    """What stands on each page of a PDF between the running header and the page's number."""
    from pypdfium2 import PdfDocument

    with closing(PdfDocument(content)) as pdf:
        return tuple(_text_of(page) for page in pdf)


def _text_of(page: PdfPage) -> str:
    body = page.get_textpage().get_text_bounded(bottom=_FOOT_PT, top=page.get_height() - _HEAD_PT)
    return " ".join(body.replace("\x02", "-").split())  # so it gives a hyphen at the end of a line


def _headings(pdf: PdfDocument) -> list[Heading]:
    found = []
    for bookmark in pdf.get_toc():
        place = bookmark.get_dest()
        page = place.get_index() if place else None
        if page is not None:
            found.append(Heading(" ".join(bookmark.get_title().split()), bookmark.level + 1, page))
    return found


def _check_text(document: Document, texts: Sequence[str]) -> None:
    source = "\n".join(document.pages.values())
    meant = [html.unescape(escaped) for escaped in _ESCAPED_TEX.findall(source)]
    in_code = Counter(raw for line in _CODE.findall(source) for raw in _RAW_TEX.findall(line))
    for number, text in enumerate(texts, 1):
        for raw in _RAW_TEX.findall(text):
            in_code[raw] -= 1
            if in_code[raw] < 0 and not any(one.startswith(raw) for one in meant):
                _fail(document, f"page {number}", "no raw TeX", raw)
        if not text:
            _fail(document, f"page {number}", "text", "an empty page")


def _check_starts(document: Document, headings: list[Heading], texts: Sequence[str]) -> list[int]:
    """Every question opens a page: its title is the first heading there and stands above all other text."""
    titles = [title for title, _ in document.questions]
    starts = []
    for title in titles:
        pages = [h.page for h in headings if h.level == 1 and h.text == title]
        if len(pages) != 1:
            _fail(document, f"question {title!r}", "one heading", f"{len(pages)} headings")
        text = texts[pages[0]]
        if not text.startswith(title):
            _fail(document, f"question {title!r}", "the top of a page", f"{text[:60]!r} above it")
        starts.append(pages[0])
    if starts != sorted(set(starts)):
        _fail(document, "first pages of the questions", "in order, one each", str([page + 1 for page in starts]))
    return starts


def _check_parts(document: Document, title: str, labels: object, headings: list[Heading]) -> None:
    """The pages of a question hold its own parts in the sheet's order, and no other question's heading."""
    others = [h.text for h in headings if h.level == 1 and h.text != title]
    if others:
        _fail(document, f"pages of {title!r}", "no other question", str(others))
    numbered = [h.text.split()[0] for h in headings if h.level == 2 and h.text[:1].isdigit()]
    if numbered != list(labels):  # type: ignore[call-overload]
        _fail(document, f"parts of {title!r}", str(labels), str(numbered))


def _fail(document: Document, what: str, published: str, found: str) -> None:
    raise CheckFailed(f"build/pdf/{document.path}: {what}: published {published}, found {found} by reading the PDF back")
