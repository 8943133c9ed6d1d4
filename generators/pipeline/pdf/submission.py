"""What is handed in: which questions make a PDF, and its whole text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from generators.pipeline.build import Worked
from generators.pipeline.catalog import QuestionId, shown
from generators.pipeline.course import load_course, sheet_of
from generators.pipeline.pdf.fonts import font_for
from generators.pipeline.pdf.student import STUDENT, Student, student
from generators.pipeline.site.page import agreement_page, on_own_pages, printed_page, printed_title

Plan = Mapping[str, Sequence[QuestionId]]
"""The questions of each PDF, by its path below `build/pdf/`."""


@dataclass(frozen=True)
class Document:
    """One PDF: its place below `build/pdf/`, its title, and what it holds."""

    path: str
    title: str
    header: str
    """The document, at the top of each page."""
    pages: Mapping[str, str]
    """Markdown by the file of words that it is made from, each from the top of a new page."""
    pictures: Mapping[str, str]
    questions: Sequence[tuple[str, Sequence[str]]]
    """Heading and part headings of each question, in order."""
    opening: str = ""
    """The heading of a page that stands before the questions."""
    student: str = ""
    """Name and number, at the top of each page."""
    font: str = ""
    """The file of a font of this machine that the student's name needs."""


def pdf_path(question_id: QuestionId) -> str:
    """The PDF that holds a question, below `build/pdf/`."""
    folder = f"{question_id.course}/{question_id.document}"
    printed = sheet_of(question_id).printed
    return {"question": f"{question_id.path}.pdf", "theory": f"{folder}/theory.pdf", "collected": f"{folder}.pdf"}[printed]


def plan(question_ids: Iterable[QuestionId]) -> Plan:
    """The questions of each PDF, in order."""
    found: dict[str, list[QuestionId]] = {}
    for question_id in question_ids:
        found.setdefault(pdf_path(question_id), []).append(question_id)
    return found


def document(path: str, question_ids: Sequence[QuestionId], worked: Mapping[QuestionId, Worked]) -> Document:
    """The text and pictures of one PDF."""
    first = question_ids[0]
    course, sheet = load_course(first.course), sheet_of(first)
    where, signed = f"{course.title}, {sheet.title}", student() if sheet.medium == "handed_in" else Student()
    pages = {f"templates/{one.template}": printed_page(worked[one], where, signed.line) for one in question_ids}
    if sheet.parts_on_own_pages:
        pages = {source: on_own_pages(page) for source, page in pages.items()}
    if sheet.agreement:
        pages = {f"generators/courses/{first.course}/course.yml": agreement_page(where, sheet.agreement, signed), **pages}
    return Document(
        path=path,
        title=where if sheet.printed != "question" else f"{where}: {printed_title(worked[first])}",
        header=sheet.source,
        student=signed.line,
        font=str(font_for(signed.texts, shown(STUDENT)) or ""),
        pages=pages,
        pictures={
            f"{question_id.page}-{name}.svg": svg
            for question_id in question_ids
            for name, svg in worked[question_id].figures.items()
        },
        opening="Agreement" if sheet.agreement else "",
        questions=[(printed_title(worked[one]), _part_headings(worked[one])) for one in question_ids],
    )


def _part_headings(worked: Worked) -> list[str]:
    return [label for label in worked.answer["parts"] if label[0].isdigit()]
