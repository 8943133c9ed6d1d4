"""What is said once about a course and its documents: `generators/courses/<course>/course.yml`."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field

from generators.errors import ParameterError
from generators.params import Paragraph, Params, Text
from generators.pipeline.catalog import COURSES, QuestionId, read_mapping, shown, validated


class Agreement(Params):
    """The form that a student signs: its text, a paragraph an item, and the labels of its lines."""

    text: list[Paragraph] = Field(min_length=1, max_length=10)
    signature: Text = "Signature"
    name: Text = "Name"
    student_id: Text = "Student ID"


class Document(Params):
    """A sheet of questions or a lecture, its kind in a word (homework, lab, lecture, ...), and how its answers are printed.

    `question`: a PDF a question; `theory`: one PDF, which opens with the signed agreement if there is one; both are handed in.
    `collected`: one PDF that holds all of every page. `parts_on_own_pages` starts every part of a question on a new page.
    """

    title: Text
    kind: Text
    source: Text
    printed: Literal["question", "theory", "collected"] = "question"
    agreement: Agreement | None = None
    parts_on_own_pages: bool = False

    @property
    def medium(self) -> Literal["booklet", "handed_in"]:
        """What its PDFs are for, as templates name it."""
        return "booklet" if self.printed == "collected" else "handed_in"


class Course(Params):
    """A course as the site names it."""

    title: Text
    institution: Text
    documents: dict[str, Document]

    def document(self, name: str) -> Document:
        """The sheet or lecture `name`; an unlisted one raises ParameterError."""
        if name not in self.documents:
            raise ParameterError(f"course.yml of {self.title}: documents: {name}: is required, but missing")
        return self.documents[name]


@cache
def load_course(name: str) -> Course:
    """Read a course's `course.yml`; a broken rule raises ParameterError."""
    path = COURSES / name / "course.yml"
    return validated(Course, read_mapping(path), shown(path))


def sheet_of(question_id: QuestionId) -> Document:
    """The document that a question belongs to."""
    return load_course(question_id.course).document(question_id.document)
