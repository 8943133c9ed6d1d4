"""What `params.yml` may say of the seminar's low-rank adaptation."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from generators.params import Exact, Params, convention

LARGEST = 1000


def _short(number: Fraction) -> Fraction:
    """Keep the numbers of worked examples short enough to be followed."""
    if abs(number) > LARGEST or number.denominator > LARGEST:
        raise ValueError(f"must be of at most {LARGEST} with a denominator of at most {LARGEST}")
    return number


Short = Annotated[Exact, AfterValidator(_short)]
PositiveShort = Annotated[Short, Field(gt=0)]
Triple = Annotated[list[Short], Field(min_length=3, max_length=3)]
Square = Annotated[list[Triple], Field(min_length=3, max_length=3)]
ShortRow = Annotated[list[Short], Field(min_length=1, max_length=5)]
ShortRows = Annotated[list[ShortRow], Field(min_length=1, max_length=5)]
Size = Annotated[int, Field(gt=0, le=2**20)]


class Conventions(Params):
    """What the numbers rest on."""

    scaling: Literal["alpha_over_rank", "alpha"] = convention(
        "alpha_over_rank",
        {"alpha_over_rank": "BAx is scaled by s = α/R", "alpha": "BAx is scaled by s = α"},
        "from LoRA's paper",
    )
    sigma: Literal["same_at_every_rank", "over_root_of_rank"] = convention(
        "same_at_every_rank",
        {
            "same_at_every_rank": "The standard deviation of A at the start is the same at every rank",
            "over_root_of_rank": "The standard deviation of A at the start falls with the square root of the rank",
        },
    )


class Example(Params):
    """One linear layer, its first A as σ times a draw, and the input on which it is trained."""

    weight: ShortRows
    draw: ShortRows
    sigma: PositiveShort
    other_sigmas: Annotated[list[Annotated[Short, Field(ge=0)]], Field(max_length=8)]
    alpha: PositiveShort
    learning_rate: PositiveShort
    x: ShortRow
    target: ShortRow
    other_x: ShortRow

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        columns, outputs = len(self.weight[0]), len(self.weight)
        for name, rows in (("weight", self.weight), ("draw", self.draw), ("x", [self.x]), ("other_x", [self.other_x])):
            for row in rows:
                if len(row) != columns:
                    raise ValueError(f"{name}: must have {columns} numbers a row like the first of weight (got {len(row)})")
        if len(self.target) != outputs:
            raise ValueError(f"target: must have {outputs} numbers, one a row of weight (got {len(self.target)})")
        if len(self.draw) > min(columns, outputs):
            rule = f"must have at most {min(columns, outputs)} rows, the smaller size of weight"
            raise ValueError(f"draw: {rule} (got {len(self.draw)})")
        if not any(self.x):
            raise ValueError("x: must not be all zeros (got all zeros)")
        if self.other_x == self.x:
            raise ValueError(f"other_x: must differ from x (got {', '.join(map(str, self.x))} twice)")
        return self


class LowRankPageParams(Params):
    """The slide's matrices and a vector, sizes of its network, and the example of the first steps."""

    matrices: Annotated[list[Square], Field(min_length=1, max_length=3)]
    vector: Triple
    embedding_dim: Size
    rank: Size
    example: Example
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for number, rows in enumerate(self.matrices):
            pairs = [(a, b, i, j) for a, b in combinations(rows, 2) for i, j in combinations(range(3), 2)]
            if all(a[i] * b[j] == a[j] * b[i] for a, b, i, j in pairs):
                raise ValueError(f"matrices.{number}: must have a rank of at least 2 (got {int(any(map(any, rows)))})")
        if not any(self.vector):
            raise ValueError("vector: must not be all zeros (got all zeros)")
        if self.rank > self.embedding_dim:
            raise ValueError(f"rank: must be at most embedding_dim (got {self.rank} and {self.embedding_dim})")
        return self
