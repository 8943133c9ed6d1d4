"""Who hands in: `student.yml`, which git ignores, beside README.md."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from generators.params import Paragraph, Params
from generators.pipeline.catalog import ROOT, read_mapping, shown, validated

STUDENT = ROOT / "student.yml"


def _quoted(value: Any) -> Any:
    """A bare number would lose its leading zeros or its plus sign."""
    if value is not None and not isinstance(value, str):
        raise ValueError("must be written in quotes")
    return value


def _one_line(text: str) -> str:
    """Any script is allowed; which fonts show it is looked up when it is printed."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    if not composed or any(unicodedata.category(mark) in ("Cc", "Cs", "Co", "Cn") for mark in composed):
        raise ValueError(f"must be one line of visible characters (got {text!r})")
    return composed


Written = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
"""One line in any script."""


class Student(Params):
    """Name and number on every file that is handed in, signature and form of the agreement; what is absent is left blank."""

    name: Written | None = None
    student_id: Annotated[Written | None, BeforeValidator(_quoted)] = None
    signature: Written | None = None
    agreement: Annotated[list[Paragraph] | None, Field(min_length=1, max_length=10)] = None
    """The exact text of the form that is signed, a paragraph an item, in place of the course's."""

    @property
    def texts(self) -> dict[str, str | None]:
        """What may be in any script, by field."""
        return {"name": self.name, "student_id": self.student_id, "signature": self.signature}

    @property
    def line(self) -> str:
        """What stands on every page."""
        return ", ".join(text for text in (self.name, self.student_id) if text)


def student() -> Student:
    """Read `student.yml`; a broken rule raises ParameterError."""
    return validated(Student, read_mapping(STUDENT), shown(STUDENT)) if STUDENT.is_file() else Student()
