"""A question with its course, its document and its places on the site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from generators.pipeline.build import Worked
from generators.pipeline.course import load_course
from generators.pipeline.pdf.submission import pdf_path


class Listed(NamedTuple):
    """Where a question comes from, its page and PDF below `answers/`, and what was worked out."""

    course: str
    institution: str
    document: str
    source: str
    path: str
    pdf: str
    worked: Worked
    handed_in: bool = False
    """Whether the PDF is what is handed in, not a booklet."""
    agreement: bool = False
    """Whether the PDF opens with an agreement to sign."""


def listed(worked: Worked) -> Listed:
    """Look up course, document and places."""
    question_id = worked.question_id
    course = load_course(question_id.course)
    sheet = course.document(question_id.document)
    return Listed(
        course.title, course.institution, sheet.title, sheet.source, question_id.path, pdf_path(question_id), worked,
        sheet.medium == "handed_in", sheet.agreement is not None,
    )  # fmt: skip


def contents(worked_out: Iterable[Worked]) -> list[Listed]:
    """Every question, in order."""
    return [listed(worked) for worked in worked_out]
