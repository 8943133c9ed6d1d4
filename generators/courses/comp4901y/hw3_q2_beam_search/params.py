"""What `params.yml` may say of a beam search on a tree of probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from generators.params import Exact, Params, PositiveInt, Token, bounded_tree, convention, ended, sequences_of, siblings


class Branch(Params):
    """A token's probability after what precedes it and what may follow it; a bare number is a last token."""

    p: Annotated[Exact, Field(ge=0, le=1)]
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
        "from the course's lectures",
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
    ended: Literal["stays"] | None = ended()


class BeamParams(Params):
    """Every sequence's conditional probabilities, and the number of beams.

    A probability may be 0, and tokens may be left out: those that stand after the same prefix sum to 1, or to less where a token
    of the vocabulary is left out there. `vocabulary` is needed only for tokens that the tree holds nowhere. A third is written
    1/3. A token that nothing follows ends its sequence, as an end token does; where sequences end after different numbers of
    tokens, `conventions.ended` says what becomes of those that have ended.
    """

    root: Token
    tree: Annotated[dict[Token, Branch], Field(min_length=1), BeforeValidator(bounded_tree)]
    vocabulary: Annotated[list[Token], Field(min_length=1)] | None = None
    num_beams: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sequences, groups = sequences_of(self.tree, self.conventions.ended), list(siblings(self.tree))
        held = list(dict.fromkeys(token for _, below in groups for token in below))
        vocabulary = set(self.vocabulary or held)
        if not vocabulary.issuperset(held):
            raise ValueError(f"vocabulary: must hold every token of the tree, {', '.join(held)} (got {self.vocabulary})")
        for place, below in groups:
            _refuse_sum(place, [branch.p for branch in below.values()], all_shown=len(below) == len(vocabulary))
        if self.conventions.scoring == "sum of logs" and any(one.p == 0 for _, below in groups for one in below.values()):
            raise ValueError("conventions.scoring: must be product where a probability is 0, which has no log (got sum of logs)")
        if self.num_beams > sequences:
            raise ValueError(f"num_beams: must be at most the {sequences} sequences of the tree (got {self.num_beams})")
        return self


def _refuse_sum(place: str, probabilities: list[Fraction], *, all_shown: bool) -> None:
    total = sum(probabilities, Fraction(0))
    if all_shown and total != 1:
        raise ValueError(f"tree: {place} the probabilities must sum to 1, with a third written as 1/3 (got {_decimal(total)})")
    if not 0 < total <= 1:
        rule = "the probabilities, of which some are left out, must sum to at most 1 and more than 0"
        raise ValueError(f"tree: {place} {rule} (got {_decimal(total)})")


def _decimal(number: Fraction) -> str:
    return str(Decimal(number.numerator) / Decimal(number.denominator))
