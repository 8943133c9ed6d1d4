"""What `params.yml` may say of the lecture's tables of results."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveExact, Text

Score = Annotated[Exact, Field(ge=0, le=100)]
Columns = Annotated[list[Text], Field(min_length=2, max_length=12)]
Decimals = Annotated[int, Field(ge=0, le=6)]


class ArenaRow(Params):
    """A model of the long-range arena with its scores, printed average and speedup, which the baseline lacks.

    The slide claims that one method is faster than the approximate ones.
    """

    model: Text
    kind: Literal["claimed", "approximate", "other"] = "other"
    scores: list[Score]
    average: Score
    speedup: PositiveExact | None


class ShearedRow(Params):
    """A model with the scores that the lecture shows, those that it leaves out, and the printed average of all.

    Models of one group are of about one size.
    """

    model: Text
    group: Text
    billion_tokens: PositiveExact
    shown: list[Score]
    left_out: list[Score]
    average: Score


class BitfitRow(Params):
    """A method on a set with the share of parameters it trains in percent, its scores, their spread, and the average."""

    set: Text
    method: Text
    percent: Annotated[Exact, Field(gt=0, le=100)]
    scores: list[Score]
    spreads: list[Score] | None = None
    average: Score


class PerplexityRow(Params):
    """A printed row: the method's name, how it multiplies, and a perplexity for each model."""

    method: Text
    scheme: Text
    values: list[Annotated[Exact, Field(gt=0)]]


def _refuse_finer(name: str, numbers: Sequence[Fraction | None], decimals: int) -> None:
    for one in numbers:
        if one is not None and (one * 10**decimals).denominator != 1:
            raise ValueError(f"rows: {name!r} must have at most {decimals} decimals (got {float(one):g})")


def _refuse(name: str, scores: Sequence[Fraction], columns: int, numbers: Sequence[Fraction | None], decimals: int) -> None:
    if len(scores) != columns:
        raise ValueError(f"rows: {name!r} must have {columns} scores (got {len(scores)})")
    _refuse_finer(name, [*scores, *numbers], decimals)


class Arena(Params):
    """FlashAttention's table on the long-range arena."""

    decimals: Decimals
    tasks: Columns
    rows: Annotated[list[ArenaRow], Field(min_length=2, max_length=16)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            _refuse(row.model, row.scores, len(self.tasks), (row.average, row.speedup), self.decimals)
            if row.kind != "other" and row.speedup is None:
                raise ValueError(f"rows: {row.model!r} must have a speedup, as it is {row.kind} (got none)")
        kinds = [row.kind for row in self.rows]
        if kinds.count("claimed") != 1 or "approximate" not in kinds:
            raise ValueError(f"rows: must have one claimed and some approximate (got {kinds.count('claimed')} claimed)")
        return self


class Sheared(Params):
    """Sheared LLaMA's table, lower half; the columns left out are those of the upper half."""

    decimals: Decimals
    shown: Columns
    left_out: Columns
    swap_margin: PositiveExact
    rows: Annotated[list[ShearedRow], Field(min_length=2, max_length=16)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            _refuse(row.model, row.shown, len(self.shown), (row.average,), self.decimals)
            _refuse(row.model, row.left_out, len(self.left_out), (), self.decimals)
        return self


class Bitfit(Params):
    """BitFit's table on GLUE."""

    decimals: Decimals
    tasks: Columns
    rows: Annotated[list[BitfitRow], Field(min_length=2, max_length=16)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            spreads = row.spreads or []
            _refuse(row.method, row.scores, len(self.tasks), (row.average, *spreads), self.decimals)
            if row.spreads is not None and len(spreads) != len(self.tasks):
                raise ValueError(f"rows: {row.method!r} must have {len(self.tasks)} spreads (got {len(spreads)})")
        return self


class Perplexities(Params):
    """The printed table of LLM.int8(): perplexity by method and by size of the model."""

    models: Annotated[list[Text], Field(min_length=1, max_length=8)]
    decimals: Decimals
    rows: Annotated[list[PerplexityRow], Field(min_length=2)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            if len(row.values) != len(self.models):
                raise ValueError(f"rows: {row.method!r} must have {len(self.models)} values (got {len(row.values)})")
            _refuse_finer(row.method, row.values, self.decimals)
        schemes = [row.scheme for row in self.rows]
        if schemes.count("float32") != 1:
            raise ValueError(f"rows: must have the scheme 'float32' once (got {', '.join(schemes)})")
        return self


class TablesParams(Params):
    """The four tables as printed."""

    long_range_arena: Arena
    sheared_llama: Sheared
    bitfit: Bitfit
    perplexities: Perplexities
