"""What a question's package provides: its parameters, and how to solve, find and draw it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Generic, TypeVar

from generators.answer import Answer, Figure
from generators.found import Found, Proof
from generators.params import Params

P = TypeVar("P", bound=Params)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Which recordings of a name an answer shows: those whose parameters equal the entry's in these fields.

    A processor's recordings may be made at sizes of their own, so that fewer fields must agree.
    """

    cuda: tuple[str, ...]
    cpu: tuple[str, ...] = ()


Slip = tuple[str, str, Fraction]
"""The address of a boxed number, what was done to it, as "without the last row", and the number that this gives."""


Variant = tuple[str, str, Mapping[str, Any]]
"""What a reader may switch on the page, the name of one choice, as "3 beams", and the change of the entry that it stands for."""


class Whole(dict[str, Any]):
    """A mapping in `others` that takes the place of the entry's, which others are merged with."""


@dataclass(frozen=True, kw_only=True)
class Question(Generic[P]):
    """A unit without side effects: the same parameters always give the same answer, findings and figures.

    `find` finds every published value of the answer again from the parameters alone; it shares no code with `solve` and
    imports what is slow inside. `others` are changes of the entry at which formulas are evaluated besides. `slips`
    gives wrong numbers that a reader may get in place of a boxed one, and the mistake behind each. `what_if` names the
    numbers among the parameters that a reader may change on the page. `variants` are changes that a reader may switch to,
    besides other conventions.
    """

    title: str
    points: int
    params: type[P]
    solve: Callable[[P], Answer]
    find: Callable[[P], Iterable[Found | Proof]]
    draw: Callable[[Answer], Mapping[str, Figure]] = lambda answer: {}
    others: tuple[Mapping[str, Any], ...] = ()
    recordings: Mapping[str, Recorded] = field(default_factory=dict)
    slips: Callable[[P, Answer], Iterable[Slip]] = lambda params, answer: ()
    what_if: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()


def overlaid(entry: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with some fields changed, mappings field by field unless they are Whole."""
    made = dict(entry)
    for name, value in change.items():
        inside = isinstance(value, Mapping) and not isinstance(value, Whole) and isinstance(made.get(name), Mapping)
        made[name] = overlaid(made[name], value) if inside else value
    return made
