"""What `params.yml` may say of the seminar's low-rank adaptation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from generators.params import Exact, Params

LARGEST = 1000
MAX_SIZE = 2**20


def _short(number: Fraction) -> Fraction:
    """Keep the numbers of worked examples short enough to be followed."""
    if abs(number) > LARGEST or number.denominator > LARGEST:
        raise ValueError(f"must be of at most {LARGEST} with a denominator of at most {LARGEST}")
    return number


Short = Annotated[Exact, AfterValidator(_short)]
Triple = Annotated[list[Short], Field(min_length=3, max_length=3)]
Square = Annotated[list[Triple], Field(min_length=3, max_length=3)]
ShortRow = Annotated[list[Short], Field(min_length=1, max_length=5)]
ShortRows = Annotated[list[ShortRow], Field(min_length=1, max_length=5)]
Size = Annotated[int, Field(gt=0, le=MAX_SIZE)]


class Conventions(Params):
    """What the numbers rest on."""

    scaling: Literal["alpha_over_rank", "alpha"] = Field("alpha_over_rank", description="what BAx is multiplied by")


class Example(Params):
    """One linear layer, its first A as σ times a draw, and the input on which it is trained."""

    weight: ShortRows
    draw: ShortRows
    sigma: Annotated[Short, Field(gt=0)]
    other_sigmas: Annotated[list[Annotated[Short, Field(ge=0)]], Field(max_length=8)]
    alpha: Annotated[Short, Field(gt=0)]
    learning_rate: Annotated[Short, Field(gt=0)]
    x: ShortRow
    target: ShortRow
    other_x: ShortRow

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        columns = len(self.weight[0])
        for name, rows in (("weight", self.weight), ("draw", self.draw), ("x", [self.x]), ("other_x", [self.other_x])):
            for row in rows:
                if len(row) != columns:
                    raise ValueError(f"{name}: must have {columns} numbers a row like the first of weight (got {len(row)})")
        if len(self.target) != len(self.weight):
            raise ValueError(f"target: must have {len(self.weight)} numbers, one a row of weight (got {len(self.target)})")
        if len(self.draw) > min(columns, len(self.weight)):
            limit = min(columns, len(self.weight))
            raise ValueError(f"draw: must have at most {limit} rows, the smaller size of weight (got {len(self.draw)})")
        if not any(self.x):
            raise ValueError("x: must not be all zeros (got all zeros)")
        return self


class LowRankPageParams(Params):
    """The slide's matrices and a vector, sizes of its network, and the example of the first steps."""

    matrices: Annotated[list[Square], Field(min_length=1, max_length=3)]
    vector: Triple
    embedding_dim: Size
    rank: Size
    other_ranks: Annotated[list[Size], Field(max_length=10)]
    example: Example
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for number, rows in enumerate(self.matrices):
            if not _has_rank_two(rows):
                raise ValueError(f"matrices.{number}: must have a rank of at least 2 (got {int(any(map(any, rows)))})")
        if not any(self.vector):
            raise ValueError("vector: must not be all zeros (got all zeros)")
        for one in (self.rank, *self.other_ranks):
            if one > self.embedding_dim:
                raise ValueError(f"rank, other_ranks: must be at most embedding_dim (got {one} and {self.embedding_dim})")
        return self


def _has_rank_two(rows: Sequence[Sequence[Fraction]]) -> bool:
    """Whether two rows do not lie along one line."""
    pairs = list(combinations(range(3), 2))
    return any(a[i] * b[j] != a[j] * b[i] for a, b in combinations(rows, 2) for i, j in pairs)
