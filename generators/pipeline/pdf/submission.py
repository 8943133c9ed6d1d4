"""What is handed in: which questions make a PDF, and its whole text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from generators.params import Params, Text
from generators.pipeline.build import Worked
from generators.pipeline.catalog import ROOT, QuestionId, read_mapping, shown, validated
from generators.pipeline.course import load_course
from generators.pipeline.site.page import agreement_page, printed_page

STUDENT = ROOT / "student.yml"

Plan = Mapping[str, Sequence[QuestionId]]
"""The questions of each PDF, by its path below `build/pdf/`."""


@dataclass(frozen=True)
class Document:
    """One PDF: its place below `build/pdf/`, its title, the text at the top of each page, and what it holds."""

    path: str
    title: str
    header: str
    pages: Sequence[str]
    """Markdown, each from the top of a new page."""
    pictures: Mapping[str, str]
    questions: Sequence[tuple[str, Sequence[str]]]
    """Heading and part headings of each question, in order."""
    opening: str = ""
    """The heading of a page that stands before the questions."""


def _quoted(value: Any) -> Any:
    """YAML reads 012345 as an octal number, so that a bare number could print as another one."""
    if value is not None and not isinstance(value, str):
        raise ValueError("must be written in quotes")
    return value


class Student(Params):
    """Who signs; what is absent stays a blank line."""

    name: Text | None = None
    student_id: Annotated[Text | None, BeforeValidator(_quoted)] = None
    signature: Text | None = None


def student() -> Student:
    """Read `student.yml`, which git ignores; a broken rule raises ParameterError."""
    return validated(Student, read_mapping(STUDENT), shown(STUDENT)) if STUDENT.is_file() else Student()


def pdf_path(question_id: QuestionId) -> str:
    """The PDF that holds a question, below `build/pdf/`."""
    folder = f"{question_id.course}/{question_id.document}"
    printed = load_course(question_id.course).document(question_id.document).printed
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
    course = load_course(first.course)
    sheet = course.document(first.document)
    together = sheet.printed != "question"
    pages = [printed_page(worked[question_id], sheet.title, course.title) for question_id in question_ids]
    if sheet.printed == "theory":
        signed = student()
        pages.insert(0, agreement_page(f"{course.title}, {sheet.title}", signed.name, signed.student_id, signed.signature))
    title = worked[first].title
    return Document(
        path=path,
        title=f"{course.title}, {sheet.title}" if together else f"{course.title}, {sheet.title}: {title}",
        header=f"{course.title} · {sheet.title if together else title}",
        pages=pages,
        pictures={
            f"{question_id.page}-{name}.svg": svg
            for question_id in question_ids
            for name, svg in worked[question_id].figures.items()
        },
        opening="Agreement" if sheet.printed == "theory" else "",
        questions=[(worked[question_id].title, _part_headings(worked[question_id])) for question_id in question_ids],
    )


def _part_headings(worked: Worked) -> list[str]:
    return [label for label in worked.answer["parts"] if label[0].isdigit()]
