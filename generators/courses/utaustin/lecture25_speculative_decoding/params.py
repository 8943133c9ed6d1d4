"""What `params.yml` may say of speculative decoding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, Token

MAX_SEQUENCES = 4**7
Probability = Annotated[Exact, Field(ge=0, le=1)]
Rate = Annotated[Exact, Field(ge=0, lt=1)]
Rows = dict[Token, list[Probability]]


class Sampling(Params):
    """The random numbers of the round that is traced."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    decimals: Annotated[int, Field(ge=1, le=9)]


class Gain(Params):
    """Where the gain is evaluated: cost of a draft call, acceptance rates, and the longest draft tried."""

    cost_ratio: Annotated[Exact, Field(gt=0, le=100)]
    acceptance_rates: Annotated[list[Rate], Field(min_length=1, max_length=5)]
    longest_draft: Annotated[int, Field(ge=1, le=32)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for lower, higher in pairwise(self.acceptance_rates):
            if lower >= higher:
                raise ValueError(f"acceptance_rates: must rise from each to the next (got {lower}, {higher})")
        return self


class SpeculativeParams(Params):
    """Two models of the next token given the one before, and how many tokens are drafted."""

    vocabulary: Annotated[list[Token], Field(min_length=2, max_length=6)]
    first: Token
    target: Rows
    draft: Rows
    n_drafted: Annotated[int, Field(ge=1, le=8)]
    n_greedy_calls: Annotated[int, Field(ge=1, le=6)]
    sampling: Sampling
    gain: Gain

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.vocabulary)) < len(self.vocabulary):
            raise ValueError(f"vocabulary: must not repeat a token (got {self.vocabulary})")
        if self.first not in self.vocabulary:
            raise ValueError(f"first: must be a token of the vocabulary (got {self.first!r})")
        sequences = len(self.vocabulary) ** (self.n_drafted + 1)
        if sequences > MAX_SEQUENCES:
            raise ValueError(f"n_drafted: must give at most {MAX_SEQUENCES} sequences to add up (got {sequences})")
        _refuse_improper("target", self.target, self.vocabulary)
        _refuse_improper("draft", self.draft, self.vocabulary)
        return self


def _refuse_improper(name: str, rows: Rows, vocabulary: Sequence[str]) -> None:
    if sorted(rows) != sorted(vocabulary):
        raise ValueError(f"{name}: must have a row for each token of the vocabulary and no other (got {list(rows)})")
    for token, row in rows.items():
        if len(row) != len(vocabulary):
            raise ValueError(f"{name}: row {token} must have {len(vocabulary)} probabilities (got {len(row)})")
        if sum(row) != 1:
            raise ValueError(f"{name}: row {token} must sum to 1, with a third written as 1/3 (got {sum(row)})")
