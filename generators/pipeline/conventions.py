"""What a question's conventions say, and what each rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic.fields import FieldInfo

from generators.pipeline.wording import counted
from generators.traced import untraced


def stated(field: FieldInfo, value: Any, with_noun: Callable[[Any, str], str] = counted) -> str:
    """The sentence for a value, whose number `with_noun` writes."""
    says: Any = field.json_schema_extra["says"]  # type: ignore[index]
    return str(says[0].format(with_noun(value, says[1])) if isinstance(says, tuple) else says[value])


def fixed_by(field: FieldInfo, value: Any) -> str:
    """What a convention rests on: a document speaks for the default alone."""
    return str(field.json_schema_extra["fixed_by"]) if untraced(value) == field.default else "our choice"  # type: ignore[index]
