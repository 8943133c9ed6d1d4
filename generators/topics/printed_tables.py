"""Numbers as a printed table gives them: all with the same decimals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, Text

Scheme = Literal[
    "float32",
    "absmax",
    "zero_point",
    "absmax_row_wise",
    "absmax_vector_wise",
    "zero_point_vector_wise",
    "absmax_row_wise_decomposed",
    "absmax_vector_wise_decomposed",
    "zero_point_vector_wise_decomposed",
]
"""The ways to multiply that the table of LLM.int8() compares."""


def as_printed(number: Fraction, decimals: int) -> str:
    """The number with all its decimals, such as 36.0; a number that has more raises ValueError."""
    units = number * 10**decimals
    if units.denominator != 1:
        raise ValueError(f"must have at most {decimals} decimals (got {number})")
    whole, part = divmod(abs(units.numerator), 10**decimals)
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}.{part:0{decimals}}" if decimals else f"{sign}{whole}"


def too_fine(numbers: Sequence[Fraction | None], decimals: int) -> Fraction | None:
    """The first number with more decimals than the table prints."""
    return next((one for one in numbers if one is not None and (one * 10**decimals).denominator != 1), None)


class PerplexityRow(Params):
    """A printed row: the method's name, how it multiplies, and a perplexity for each model."""

    method: Text
    scheme: Scheme
    values: list[Annotated[Exact, Field(gt=0)]]


class Perplexities(Params):
    """The printed table of LLM.int8(): perplexity by method and by size of the model."""

    models: Annotated[list[Text], Field(min_length=1, max_length=8)]
    decimals: Annotated[int, Field(ge=0, le=6)]
    rows: Annotated[list[PerplexityRow], Field(min_length=2)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            if len(row.values) != len(self.models):
                raise ValueError(f"rows: {row.method!r} must have {len(self.models)} values (got {len(row.values)})")
            fine = too_fine(row.values, self.decimals)
            if fine is not None:
                raise ValueError(f"rows: {row.method!r} must have at most {self.decimals} decimals (got {float(fine):g})")
        for ours, theirs in pairwise(sorted(row.scheme for row in self.rows)):
            if ours == theirs:
                raise ValueError(f"rows: must not have a scheme twice (got {ours!r})")
        return self

    def column(self, model: int) -> dict[Scheme, Fraction]:
        """The perplexities of one model by scheme."""
        return {row.scheme: row.values[model] for row in self.rows}
