"""What `params.yml` may say of decoding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from generators.params import Exact, Params, PositiveInt, Token, bounded_tree, convention, ended, sequences_of, siblings

MAX_DIGITS = 300


def _finite(value: Any) -> Any:
    if str(value) == "-inf":
        raise ValueError("must be finite; leave out a branch of probability 0, whose logarithm is minus infinity")
    return value


class LogBranch(Params):
    """A token's log-probability after what precedes it and what may follow it; a bare number is a last token."""

    log_p: Annotated[Exact, Field(le=0), BeforeValidator(_finite)]
    next: dict[Token, LogBranch] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | LogBranch) else {"log_p": value}


class Sizes(Params):
    """The example of 2.2 and 2.3: words, words of a sequence, beams, and the rate at which sequences are scored."""

    vocabulary_size: Annotated[int, Field(ge=3, le=10**9)]
    length: Annotated[int, Field(ge=1, le=10**6)]
    beam_width: Annotated[int, Field(ge=1, le=10**6)]
    sequences_per_second: Annotated[int, Field(ge=1, le=10**24)]

    @model_validator(mode="after")
    def _statable(self) -> Self:
        if self.length > 3 * MAX_DIGITS or self.vocabulary_size**self.length > 10**MAX_DIGITS:
            digits = math.ceil(self.length * math.log10(self.vocabulary_size))
            got = f"{digits} with {self.vocabulary_size} words"
            raise ValueError(f"length: the number of sequences must have at most {MAX_DIGITS} digits (got {got})")
        return self


class Conventions(Params):
    """What the answers rest on."""

    bos: Literal["any position", "start only"] = convention(
        "any position",
        {"any position": "The word <BOS> may appear at any position", "start only": "The word <BOS> appears at the start only"},
    )
    ties: Literal["first", "last"] = convention(
        "first",
        {
            "first": "Of two equal candidates the one further left in the tree is preferred",
            "last": "Of two equal candidates the one further right in the tree is preferred",
        },
    )
    ended: Literal["stays"] | None = ended()


class DecodingParams(Params):
    """Sizes for 2.2 and 2.3, and the tree of log-probabilities with the beam width of 2.4.

    Branches may be left out, as those of probability 0 are. A word that nothing follows ends its sequence, as an end token does;
    where sequences end after different numbers of words, `conventions.ended` says what becomes of those that have ended.
    """

    sizes: Sizes
    tree: Annotated[dict[Token, LogBranch], Field(min_length=1), BeforeValidator(bounded_tree)]
    beam_width: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sequences = sequences_of(self.tree, self.conventions.ended)
        for place, below in siblings(self.tree):
            total = math.fsum(math.exp(branch.log_p) for branch in below.values())
            if total > 1 + 1e-12:
                raise ValueError(f"tree: {place} the probabilities must sum to at most 1 (got {total:.6g})")
        if self.beam_width > sequences:
            raise ValueError(f"beam_width: must be at most the {sequences} sequences of the tree (got {self.beam_width})")
        return self
