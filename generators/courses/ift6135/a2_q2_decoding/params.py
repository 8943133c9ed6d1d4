"""What `params.yml` may say of decoding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from generators.params import Exact, Params, PositiveInt, Token, bounded_tree, sequences_of, siblings

MAX_DIGITS, MAX_COMPARISONS = 300, 200_000


class LogBranch(Params):
    """A token's log-probability after what precedes it and what may follow it; a bare number is a last token."""

    log_p: Annotated[Exact, Field(le=0)]
    next: dict[Token, LogBranch] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | LogBranch) else {"log_p": value}


class Feasibility(Params):
    """The sizes for which the work of exhaustive enumeration is stated."""

    vocabulary_size: Annotated[int, Field(ge=3, le=10**9)]
    length: Annotated[int, Field(ge=1, le=10**6)]
    sequences_per_second: Annotated[int, Field(ge=1, le=10**24)]
    other_vocabulary_sizes: Annotated[list[Annotated[int, Field(ge=2, le=10**9)]], Field(max_length=8)]

    @model_validator(mode="after")
    def _statable(self) -> Self:
        for size in (self.vocabulary_size, *self.other_vocabulary_sizes):
            digits = math.ceil(self.length * math.log10(size))
            if digits > MAX_DIGITS:
                raise ValueError(f"length: {size} words to this power must have at most {MAX_DIGITS} digits (got {digits})")
        return self


class Counted(Params):
    """The runs of the algorithm whose operations are counted; their beam width also serves as the example's."""

    beam_width: PositiveInt
    length: PositiveInt
    vocabulary_sizes: Annotated[list[PositiveInt], Field(min_length=2, max_length=8)]
    seed: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _short(self) -> Self:
        sizes = self.vocabulary_sizes
        if sizes != sorted(set(sizes)):
            raise ValueError(f"vocabulary_sizes: must increase (got {sizes})")
        comparisons = self.length * self.beam_width**2 * sizes[-1]
        if comparisons > MAX_COMPARISONS:
            raise ValueError(f"length: a run must have at most {MAX_COMPARISONS} comparisons, T·B²·N (got {comparisons})")
        return self


class Conventions(Params):
    """What the answers rest on."""

    bos: Literal["any position", "start only"] = Field(
        "any position", description="where the special token <BOS>, one of the N words, may stand"
    )
    ties: Literal["first", "last"] = Field(
        "first", description="which of two equal candidates is preferred, reading the tree from left to right"
    )


class DecodingParams(Params):
    """Sizes for 2.1 to 2.3, and the tree of log-probabilities with the beam width of 2.4."""

    feasibility: Feasibility
    counted: Counted
    tree: Annotated[dict[Token, LogBranch], Field(min_length=1), BeforeValidator(bounded_tree)]
    beam_width: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sequences = sequences_of(self.tree)
        for place, below in siblings(self.tree):
            total = math.fsum(math.exp(branch.log_p) for branch in below.values())
            if total > 1 + 1e-12:
                raise ValueError(f"tree: {place} the probabilities must sum to at most 1 (got {total:.6g})")
        if self.beam_width > sequences:
            raise ValueError(f"beam_width: must be at most the {sequences} sequences of the tree (got {self.beam_width})")
        return self
