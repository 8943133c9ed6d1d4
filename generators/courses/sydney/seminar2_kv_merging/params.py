"""What `params.yml` may say of merging."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveInt, Text

MAX_WIDTH, MAX_TOKENS = 4, 12
LEAST_OUTPUT = 0.001
"""Of the largest component of a query's output; errors are relative to it."""
Bounded = Annotated[Exact, Field(ge=-20, le=20)]
Rows = list[Annotated[list[Bounded], Field(min_length=1, max_length=MAX_WIDTH)]]


class Token(Params):
    """A token by its name and kind."""

    name: Text
    kind: Literal["image", "text"]


class Eviction(Params):
    """A causal attention matrix over image and text tokens, and how many tokens stay."""

    tokens: Annotated[list[Token], Field(min_length=3, max_length=MAX_TOKENS)]
    attention: list[list[Annotated[Exact, Field(ge=0, le=1)]]]
    n_recent: PositiveInt
    n_top: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.attention) != len(self.tokens):
            raise ValueError(f"attention: must have a row for each token (got {len(self.attention)})")
        for number, row in enumerate(self.attention, 1):
            if len(row) != number:
                raise ValueError(f"attention: row {number} must have {number} weights (got {len(row)})")
            if sum(row) != 1:
                raise ValueError(f"attention: row {number} must sum to 1 (got {sum(row)})")
        if self.n_recent + self.n_top >= len(self.tokens):
            raise ValueError(f"n_top: must leave a token to evict (got {self.n_top} beside {self.n_recent} recent ones)")
        return self


class Merging(Params):
    """Keys and values of the cache, one row a token, and the numbers of those that are conserved."""

    conserved: Annotated[list[PositiveInt], Field(min_length=1, max_length=6)]
    keys: Annotated[Rows, Field(min_length=2, max_length=MAX_TOKENS)]
    values: Rows

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.values) != len(self.keys):
            raise ValueError(f"values: must be as many as keys (got {len(self.values)})")
        for name in ("keys", "values"):
            lengths = sorted({len(row) for row in getattr(self, name)})
            if len(lengths) > 1:
                raise ValueError(f"{name}: must be of one length (got {lengths})")
        for number, key in enumerate(self.keys, 1):
            if not any(key):
                raise ValueError(f"keys: must not be zero, which has no direction (got key {number})")
        if self.conserved != sorted(set(self.conserved)) or self.conserved[-1] > len(self.keys):
            raise ValueError(f"conserved: must be rising numbers of keys (got {self.conserved})")
        if len(self.conserved) == len(self.keys):
            raise ValueError(f"conserved: must leave a token to evict (got all {len(self.keys)})")
        return self


class Trials(Params):
    """Random caches with as many tokens, of which the same are conserved, a seed each."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    n_seeds: Annotated[int, Field(ge=2, le=1000)] = 100


class MergingParams(Params):
    """The attention that decides who is evicted, the cache that is merged, the queries that read it, and random caches."""

    eviction: Eviction
    merging: Merging
    trials: Trials = Trials()
    queries: Annotated[Rows, Field(min_length=1, max_length=6)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        width = len(self.merging.keys[0])
        for number, query in enumerate(self.queries, 1):
            if len(query) != width:
                raise ValueError(f"queries: query {number} must be as long as the keys, {width} (got {len(query)})")
        for number, query in enumerate(self.queries, 1):
            output = _dense_output(query, self.merging)
            if max(map(abs, output)) < LEAST_OUTPUT:
                shown = ", ".join(f"{x:.3g}" for x in output)
                raise ValueError(f"queries: query {number} must have an output that is not near zero (got {shown})")
        return self


def _dense_output(query: list[Fraction], merging: Merging) -> list[float]:
    """The output of a query over all tokens, to which errors are relative."""
    scores = [float(sum(q * k for q, k in zip(query, key, strict=True))) / math.sqrt(len(query)) for key in merging.keys]
    weights = [math.exp(score - max(scores)) for score in scores]
    columns = zip(*merging.values, strict=True)
    return [sum(w * float(x) for w, x in zip(weights, column, strict=True)) / sum(weights) for column in columns]
