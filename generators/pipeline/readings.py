"""Other readings of a question: other conventions, and the other sizes that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

from generators.answer import Answer
from generators.errors import ParameterError
from generators.params import Params
from generators.pipeline.catalog import QuestionId, load_params
from generators.pipeline.conventions import fixed_by, stated
from generators.pipeline.failures import named
from generators.pipeline.slips import boxed
from generators.question import Question, overlaid


@dataclass(frozen=True)
class Reading:
    """Its name, the name of the group that it is one of, and its parameters."""

    group: str
    name: str
    params: Params

    @property
    def called(self) -> str:
        """What messages call it."""
        return f"the variant “{self.name}”"


def readings(question_id: QuestionId, question: Question[Any], entry: Mapping[str, Any]) -> list[Reading]:
    """All that fit the entry and are not what it says."""
    params = load_params(question_id, question, entry)
    made: list[Reading] = []
    for group, name, change in changes(question, params):
        with suppress(ParameterError):  # what is for one entry need not fit another
            changed = load_params(question_id, question, overlaid(entry, change))
            made += [Reading(group, name, changed)] if changed != params else []
    return made


def changes(question: Question[Any], params: Params) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """What the question names, and every other value of a convention that a reader cannot choose beside the numbers."""
    yield from question.variants
    held: Params | None = getattr(params, "conventions", None)
    for name, field in type(held).model_fields.items() if held else ():
        value = getattr(held, name)
        options = (True, False) if isinstance(value, bool) else get_args(field.annotation)
        for one in options if value is not None and f"conventions.{name}" not in question.what_if else ():
            if isinstance(one, str | bool | int) and one != value:
                yield f"{stated(field, value)} ({fixed_by(field, value)})", stated(field, one), {"conventions": {name: one}}


def answers(question_id: QuestionId, question: Question[Any], of: list[Reading]) -> list[Answer]:
    """What the question's answer is under each reading."""
    made = []
    for one in of:
        with named(one.called, question_id):
            made.append(question.solve(one.params))
    return made


def offered(reading: Reading, answer: Answer) -> dict[str, Any]:
    """What the published page says of a reading: group, name, and by address the boxed numbers that it gives."""
    numbers = {one.quantity.address: str(one.number) for one in boxed(reading.params, answer)}
    return {"group": reading.group, "name": reading.name, "numbers": numbers}
