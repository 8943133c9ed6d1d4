"""What `params.yml` may say of a beam search on a tree of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from generators.params import Params, PositiveExact, PositiveInt, Token, bounded_tree, convention, sequences_of, siblings


class Branch(Params):
    """A token's probability after what precedes it and what may follow it; a bare number is a last token."""

    p: PositiveExact
    next: dict[Token, Branch] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | Branch) else {"p": value}


class Conventions(Params):
    """What the track rests on."""

    scoring: Literal["product", "sum of logs"] = convention(
        "product",
        {
            "product": "The score of a sequence is the product of its probabilities",
            "sum of logs": "The score of a sequence is the sum of the logarithms of its probabilities",
        },
        handed_in=False,
    )
    ties: Literal["first", "last"] = convention(
        "first",
        {
            "first": "Of two equal candidates the one further left in the tree is preferred",
            "last": "Of two equal candidates the one further right in the tree is preferred",
        },
        handed_in=False,
    )


class BeamParams(Params):
    """Every sequence's conditional probabilities, and the number of beams."""

    root: Token
    tree: Annotated[dict[Token, Branch], Field(min_length=1), BeforeValidator(bounded_tree)]
    num_beams: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sequences = sequences_of(self.tree)
        vocabulary = sorted(self.tree)
        for place, below in siblings(self.tree):
            if sorted(below) != vocabulary:
                raise ValueError(f"tree: {place} must stand every token of {list(self.tree)} (got {list(below)})")
            total = sum((branch.p for branch in below.values()), Fraction(0))
            if total != 1:
                raise ValueError(f"tree: {place} the probabilities must sum to 1 (got {_decimal(total)})")
        if self.num_beams > sequences:
            raise ValueError(f"num_beams: must be at most the {sequences} sequences of the tree (got {self.num_beams})")
        return self


def _decimal(number: Fraction) -> str:
    return str(Decimal(number.numerator) / Decimal(number.denominator))
