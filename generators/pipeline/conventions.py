"""What a question's conventions say, and what each rests on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic.fields import FieldInfo

from generators.params import Params
from generators.pipeline import filters
from generators.traced import untraced

Medium = Literal["site", "booklet", "handed_in"]
"""The site; the PDF of a lecture, which holds all of a page; a PDF that is handed in, which holds what earns marks."""


def stated(field: FieldInfo, value: Any) -> str:
    """The sentence for the value that is in force."""
    says: Any = field.json_schema_extra["says"]  # type: ignore[index]
    return str(says[0].format(filters.with_noun(value, says[1])) if isinstance(says, tuple) else says[value])


def fixed_by(field: FieldInfo, value: Any) -> str:
    """What a convention rests on: a document speaks for the default alone."""
    return str(field.json_schema_extra["fixed_by"]) if untraced(value) == field.default else "our choice"  # type: ignore[index]


def _key(name: str, value: Any) -> str:
    """A convention's key, with its value where the sentence does not show that."""
    return f"{name}: {str(value).lower()}" if isinstance(value, str | bool) else name


def in_force(params: Params, medium: Medium) -> list[tuple[str, str, str]]:
    """The key of every convention in force that the medium states, the sentence that says it, and what fixes it.

    One without a value is not in force.
    """
    held: Params | None = getattr(params, "conventions", None)
    if held is None:
        return []
    fields = {name: (field, getattr(held, name)) for name, field in type(held).model_fields.items()}
    return [
        (_key(name, one), stated(field, one), fixed_by(field, one))
        for name, (field, one) in fields.items()
        if one is not None and (medium != "handed_in" or field.json_schema_extra["handed_in"])  # type: ignore[index]
    ]
