"""What `params.yml` may say of a beam search on a tree of probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from generators.params import Params, PositiveExact, PositiveInt, Text

MAX_TOKENS = 128
MAX_SEQUENCES = 32
Token = Annotated[Text, Field(max_length=16)]


class Branch(Params):
    """A token's probability after what precedes it and what may follow it; a bare number is a last token."""

    p: PositiveExact
    next: dict[Token, Branch] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | Branch) else {"p": value}


def _bounded(tree: Any) -> Any:
    """Refuse a huge tree before anything is built of it; YAML aliases can make one of a few lines."""
    waiting, met = [tree], 0
    while waiting:
        one = waiting.pop()
        met += 1
        if met > 3 * MAX_TOKENS + 1:  # a token is at most a mapping, its number, and the mapping of what follows
            raise ValueError(f"must have at most {MAX_TOKENS} tokens (got more)")
        if isinstance(one, Mapping):
            waiting += one.values()
    return tree


class Conventions(Params):
    """What the track rests on."""

    scoring: Literal["product", "sum of logs"] = Field("product", description="score of a sequence, from its probabilities")
    ties: Literal["first", "last"] = Field(
        "first", description="which of two equal candidates is preferred, reading the tree from left to right"
    )


class BeamParams(Params):
    """Every sequence's conditional probabilities, and the number of beams."""

    root: Token
    tree: Annotated[dict[Token, Branch], Field(min_length=1), BeforeValidator(_bounded)]
    num_beams: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sequences = _sequences(self.tree)
        vocabulary = sorted(self.tree)
        for place, below in _siblings(self.tree, ()):
            if sorted(below) != vocabulary:
                raise ValueError(f"tree: {place} must stand every token of {list(self.tree)} (got {list(below)})")
            total = sum((branch.p for branch in below.values()), Fraction(0))
            if total != 1:
                raise ValueError(f"tree: {place} the probabilities must sum to 1 (got {_decimal(total)})")
        if self.num_beams > sequences:
            raise ValueError(f"num_beams: must be at most the {sequences} sequences of the tree (got {self.num_beams})")
        return self


def _sequences(tree: Mapping[str, Branch]) -> int:
    """How many sequences the tree has; refuses those of several lengths, and more than can be enumerated and drawn."""
    lengths = sorted(_lengths(tree, 1))
    if lengths[0] != lengths[-1]:
        raise ValueError(f"tree: every sequence must have the same length (got {lengths[0]} and {lengths[-1]})")
    if len(lengths) > MAX_SEQUENCES:
        raise ValueError(f"tree: must have at most {MAX_SEQUENCES} sequences to be enumerated and drawn (got {len(lengths)})")
    return len(lengths)


def _lengths(tree: Mapping[str, Branch], depth: int) -> Iterator[int]:
    for branch in tree.values():
        if branch.next:
            yield from _lengths(branch.next, depth + 1)
        else:
            yield depth


def _siblings(below: Mapping[str, Branch], prefix: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Branch]]]:
    """All tokens that stand after the same prefix, and where that is, for messages."""
    yield f"after {' '.join(prefix)!r}" if prefix else "at the root", below
    for token, branch in below.items():
        if branch.next:
            yield from _siblings(branch.next, (*prefix, token))


def _decimal(number: Fraction) -> str:
    return str(Decimal(number.numerator) / Decimal(number.denominator))
