"""What comparisons choose: words, numbers and rows that come and go when parameters change.

A comparison of plain numbers decides at once. One of traced numbers stays open, so that a page can follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from generators.traced import Condition, Traced, is_condition, is_traced


class Chosen(str):
    """Words that a comparison of traced numbers chooses from a pair."""

    __slots__ = ("condition", "pair", "part")
    condition: Condition
    pair: tuple[str, str]
    part: str

    def __new__(cls, condition: Condition, pair: tuple[str, str], part: str = "") -> Chosen:  # noqa: D102
        self = super().__new__(cls, pair[0] if condition.holds else pair[1])
        self.condition, self.pair, self.part = condition, pair, part
        return self


def either(truth: Any, words: str, others: str) -> str:
    """`words` while a comparison holds, else `others`."""
    if is_condition(truth):
        return Chosen(truth, (words, others))
    return words if truth else others


def while_holds(truth: Any, number: Any) -> Any:
    """A number while a comparison holds, else None; it knows the one traced comparison that it depends on."""
    if not is_condition(truth):
        return number if truth else None
    if is_traced(number) and number.when is None:
        return Traced(number.trace, number.number, number.node, number.part, truth)
    if is_traced(number) or not isinstance(number, int | Fraction):
        raise TypeError(f"must be an exact number that depends on nothing yet (got {number!r})")
    return Traced(truth.trace, number, truth.trace.constant(number), "", truth)


def holds_now(truth: Any) -> bool:
    """Whether a comparison holds for the published numbers, without a decision; what is made by it must stand under a claim."""
    return bool(truth.holds if is_condition(truth) else truth)


def least(*numbers: Any) -> Any:
    """The least of exact numbers, without a decision."""
    return _chosen("min", min, numbers)


def greatest(*numbers: Any) -> Any:
    """The greatest of exact numbers, without a decision."""
    return _chosen("max", max, numbers)


def count(truths: Iterable[Any]) -> Any:
    """How many comparisons hold, without a decision."""
    return sum(map(one_if, truths))


def one_if(truth: Any) -> Any:
    """1 if a comparison holds, else 0, without a decision."""
    if is_condition(truth):
        return Traced(truth.trace, int(truth.holds), truth.trace.place(("truth", truth.node)))
    return int(truth)


def _chosen(sign: str, choose: Callable[[Any, Any], Any], numbers: tuple[Any, ...]) -> Any:
    made = numbers[0]
    for one in numbers[1:]:
        first, second = (one, made) if is_traced(one) else (made, one)
        made = first.worked(sign, second, choose) if is_traced(first) else choose(first, second)
    return made


def in_part(value: Any, label: str) -> Any:
    """The same value; what follows parameters as what is shown in a part."""
    if isinstance(value, Chosen):
        return Chosen(value.condition, value.pair, label)
    return Traced(value.trace, value.number, value.node, label, value.when) if is_traced(value) else value
