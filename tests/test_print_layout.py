"""How a printed page looks: nothing torn, nothing too small, nothing outside the margins, hardly an empty page."""

from __future__ import annotations

import atexit
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from generators.figures.style import FONT_PT
from generators.pipeline.catalog import entries
from generators.pipeline.pdf.submission import pdf_path, plan
from tests.project import Project

PDFS = sorted(plan(entries()))
SIDE_PT, HEAD_PT, FOOT_PT = 62, 56, 53
"""Margins: 2.2 cm at the sides, 2 cm above and 1.9 cm below."""
BOX = (243, 248, 252)
SMALLEST_PT, NESTED_PT = 7, 5
"""Of text, and of a subscript's own subscript."""
TEXT_WIDTH_PT = 595 - 2 * SIDE_PT
LEAST_FULL = 1 / 4


@cache
def opened(project: Project, name: str) -> Any:
    pdf = pypdfium2.PdfDocument(project.path(f"build/pdf/{name}"))
    atexit.register(pdf.close)
    return pdf


def characters(page: Any) -> Iterator[tuple[str, float, tuple[float, float, float, float]]]:
    """Every visible character: itself, its size, and left, bottom, right and top in points."""
    text = page.get_textpage()
    for place in range(text.count_chars()):
        mark = chr(pdfium.FPDFText_GetUnicode(text, place))
        if not mark.isspace() and mark.isprintable():
            yield mark, pdfium.FPDFText_GetFontSize(text, place), text.get_charbox(place)


def boxes(page: Any) -> int:
    """How many pieces of answer boxes a page has."""
    count = 0
    for one in page.get_objects([pdfium.FPDF_PAGEOBJ_PATH]):
        colour = [pdfium.ctypes.c_uint() for _ in range(4)]
        pdfium.FPDFPageObj_GetFillColor(one.raw, *colour)
        count += tuple(part.value for part in colour[:3]) == BOX
    return count


@pytest.mark.parametrize("name", PDFS)
def test_no_box_is_torn(built: Project, name: str) -> None:
    """Each part of the sheet has its box in one piece."""
    wanted = sum(built.made(str(one))["render"]["pdf"].count('<div class="answer"') for one in entries() if pdf_path(one) == name)
    assert sum(boxes(page) for page in opened(built, name)) == wanted


@pytest.mark.parametrize("name", PDFS)
def test_text_is_large_enough_and_inside_the_margins(built: Project, name: str) -> None:
    for number, page in enumerate(opened(built, name), 1):
        for mark, size, (left, _, right, _) in characters(page):
            assert size >= NESTED_PT - 0.01, (number, mark)
            assert left >= SIDE_PT - 1, (number, mark)
            assert right <= 595 - SIDE_PT + 2, (number, mark)


@pytest.mark.parametrize("name", PDFS)
def test_hardly_any_text_is_smaller_than_the_smallest(built: Project, name: str) -> None:
    """Subscripts of subscripts alone are."""
    sizes = [size for page in opened(built, name) for _, size, _ in characters(page)]
    assert sum(size < SMALLEST_PT - 0.01 for size in sizes) <= len(sizes) / 100


@pytest.mark.parametrize("name", PDFS)
def test_no_heading_stands_at_a_foot(built: Project, name: str) -> None:
    """Two lines at least follow on the same page."""
    pdf = opened(built, name)
    for bookmark in pdf.get_toc():
        place = bookmark.get_dest()
        _, (_, top, *_) = place.get_view()
        lowest = lowest_ink(pdf[place.get_index()])
        assert top - lowest > 3 * FONT_PT, bookmark.get_title()


def lowest_ink(page: Any) -> float:
    """Where the content of a page ends above the page's number, in points from its foot."""
    rows = np.asarray(page.render(scale=1).to_numpy()).min(axis=(1, 2)) < 200
    inked = np.flatnonzero(rows[: len(rows) - FOOT_PT])
    return float(len(rows) - inked[-1])


@pytest.mark.parametrize("name", PDFS)
def test_pages_are_not_left_almost_empty(built: Project, name: str) -> None:
    """But for the last page of a question, and the agreement."""
    pdf = opened(built, name)
    starts = {mark.get_dest().get_index() for mark in pdf.get_toc() if mark.level == 0}
    for place in range(len(pdf) - 1):
        if place + 1 not in starts:
            used = pdf[place].get_height() - HEAD_PT - lowest_ink(pdf[place])
            assert used >= LEAST_FULL * (pdf[place].get_height() - HEAD_PT - FOOT_PT), f"page {place + 1}"


@pytest.mark.parametrize("question_id", entries(), ids=str)
def test_pictures_are_not_shrunk_to_small_labels(built: Project, question_id: Any) -> None:
    """A picture wider than the text is scaled to it, and its labels with it."""
    for name, figure in built.made(str(question_id))["draw"].items():
        width, unit = re.search(r'<svg[^>]*? width="([\d.]+)(pt|px)?"', figure["svg"]).groups()  # type: ignore[union-attr]
        points = float(width) * (1 if unit == "pt" else 0.75)
        assert FONT_PT * min(1, TEXT_WIDTH_PT / points) >= SMALLEST_PT, name
