"""Lecture 25, its four tables of results: every average recomputed where the printed columns allow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Annotated, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, exact, rational
from generators.params import Exact, Params, PositiveExact, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.printed_tables import Perplexities, as_printed, explained, likely_swaps, too_fine, verdict

Score = Annotated[Exact, Field(ge=0)]
Columns = Annotated[list[Text], Field(min_length=2, max_length=12)]
Decimals = Annotated[int, Field(ge=0, le=6)]
AVERAGES = ("Printed", "Recomputed", "Difference", "Agrees", "Explained by rounding")


class ArenaRow(Params):
    """A model of the long-range arena with its scores, printed average and speedup, which the baseline lacks."""

    model: Text
    scores: list[Score]
    average: Score
    speedup: PositiveExact | None


class ShearedRow(Params):
    """A model with the scores that the lecture shows, those that it leaves out, and the printed average of all."""

    model: Text
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


def _refuse(name: str, scores: Sequence[Fraction], columns: int, numbers: Sequence[Fraction | None], decimals: int) -> None:
    if len(scores) != columns:
        raise ValueError(f"rows: {name!r} must have {columns} scores (got {len(scores)})")
    fine = too_fine([*scores, *numbers], decimals)
    if fine is not None:
        raise ValueError(f"rows: {name!r} must have at most {decimals} decimals (got {float(fine):g})")


class Arena(Params):
    """FlashAttention's table on the long-range arena."""

    decimals: Decimals
    tasks: Columns
    rows: Annotated[list[ArenaRow], Field(min_length=2, max_length=16)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            _refuse(row.model, row.scores, len(self.tasks), (row.average, row.speedup), self.decimals)
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
    """BitFit's table on GLUE; `n_lost` columns stand as dashes."""

    decimals: Decimals
    tasks: Columns
    n_lost: PositiveInt
    rows: Annotated[list[BitfitRow], Field(min_length=2, max_length=16)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            spreads = row.spreads or []
            _refuse(row.method, row.scores, len(self.tasks), (row.average, *spreads), self.decimals)
            if row.spreads is not None and len(spreads) != len(self.tasks):
                raise ValueError(f"rows: {row.method!r} must have {len(self.tasks)} spreads (got {len(spreads)})")
        return self


class TablesParams(Params):
    """The four tables as printed."""

    long_range_arena: Arena
    sheared_llama: Sheared
    bitfit: Bitfit
    perplexities: Perplexities

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "float32" not in {row.scheme for row in self.perplexities.rows}:
            raise ValueError("perplexities.rows: must have the scheme 'float32' (got none)")
        return self

    @property
    def eight_bit(self) -> list[int]:
        """The numbers of the perplexity rows in 8 bits."""
        return [number for number, row in enumerate(self.perplexities.rows) if row.scheme != "float32"]


def solve(params: TablesParams) -> Answer:
    """Average rows exactly and compare with what is printed."""
    return Answer(
        {
            "1": _arena(params.long_range_arena),
            "2": _sheared(params.sheared_llama),
            "3": _bitfit(params.bitfit),
            "4": _perplexities(params),
        }
    )


def _mean(numbers: Sequence[Fraction]) -> Fraction:
    return sum(numbers, Fraction(0)) / len(numbers)


def _compared(printed: Fraction, scores: Sequence[Fraction], decimals: int) -> tuple[Cell, ...]:
    """The cells of AVERAGES for a row."""
    mean = _mean(scores)
    agrees = verdict(printed, mean, decimals)
    why = ("yes" if explained(printed, mean, decimals) else "no") if agrees == "no" else "–"
    return exact(printed), exact(mean), exact(printed - mean), agrees, why


def _summary(rows: Sequence[tuple[Cell, ...]], scores: Sequence[Sequence[Fraction]], decimals: int) -> dict[str, Step]:
    """How many averages agree, how many are half cases, and the average of the row that is furthest off, worked out."""
    verdicts = [row[-2] for row in rows]
    furthest = max(range(len(rows)), key=lambda i: abs(rational(rows[i][-3])))
    symbols = [sympy.Symbol(name) for name in _letters(len(scores[furthest]))]
    at = dict(zip(symbols, map(exact, scores[furthest]), strict=True))
    mean = sympy.Mul(sympy.Rational(1, len(symbols)), sum(symbols, sympy.Integer(0)), evaluate=False)
    return {
        "agree": Step(what="averages that agree", symbol="n", value=verdicts.count("yes")),
        "half": Step(what="averages that are half cases", symbol="n", value=verdicts.count("half case")),
        "furthest": step(f"average, {rows[furthest][0]}", r"\bar x", mean, at),
    }


def _letters(count: int) -> list[str]:
    """x_1, x_2 ..., with a leading zero where there are ten or more, so that they sort by number."""
    return [f"x_{number:0{len(str(count))}}" for number in range(1, count + 1)]


def _arena(table: Arena) -> Part:
    d = table.decimals
    printed = tuple(
        (row.model, *(as_printed(x, d) for x in row.scores), as_printed(row.average, d), _times(row.speedup, d))
        for row in table.rows
    )
    rows = [(row.model, *_compared(row.average, row.scores, d)) for row in table.rows]
    tables = {
        "printed": Table(header=("Model", *table.tasks, "Avg", "Speedup"), rows=printed),
        "averages": Table(header=("Model", *AVERAGES), rows=tuple(rows)),
    }
    return Part(title="FlashAttention", steps=_summary(rows, [row.scores for row in table.rows], d), tables=tables)


def _times(speedup: Fraction | None, decimals: int) -> str:
    return "–" if speedup is None else f"{as_printed(speedup, decimals)}×"


def _sheared(table: Sheared) -> Part:
    d = table.decimals
    printed = tuple((row.model, *(as_printed(x, d) for x in row.shown), as_printed(row.average, d)) for row in table.rows)
    left_out = tuple((row.model, *(as_printed(x, d) for x in row.left_out)) for row in table.rows)
    rows = [(row.model, *_compared(row.average, [*row.shown, *row.left_out], d)) for row in table.rows]
    swaps = tuple(
        (table.rows[number].model, table.shown[i], table.shown[j])
        for number, i, j in likely_swaps([row.shown for row in table.rows], table.swap_margin)
    )
    tables = {
        "printed": Table(header=("Model", *table.shown, "Average"), rows=printed),
        "left_out": Table(header=("Model", *table.left_out), rows=left_out),
        "averages": Table(header=("Model", *AVERAGES), rows=tuple(rows)),
        "swaps": Table(header=("Model", "Column", "And column"), rows=swaps),
    }
    steps = _summary(rows, [[*row.shown, *row.left_out] for row in table.rows], d)
    return Part(title="Sheared LLaMA", steps=steps, tables=tables)


def _bitfit(table: Bitfit) -> Part:
    d = table.decimals
    rows = [(_named(row), *_compared(row.average, row.scores, d)) for row in table.rows]
    printed = tuple((_named(row), f"{float(row.percent):g}%", *_spread(row, d), as_printed(row.average, d)) for row in table.rows)
    beside = []
    for name in dict.fromkeys(row.set for row in table.rows):
        of_set = [row for row in table.rows if row.set == name]
        least = min(of_set, key=lambda row: row.percent)
        for full in (row for row in of_set if row.percent == max(one.percent for one in of_set) and row is not least):
            shown, whole = _mean(least.scores) - _mean(full.scores), least.average - full.average
            beside.append((_named(least), _named(full), exact(least.percent / full.percent), exact(shown), exact(whole)))
    explained_rows = [row for row in rows if row[-2] != "no" or row[-1] == "yes"]
    steps = {"explained": Step(what="averages that the shown columns explain", symbol="n", value=len(explained_rows))}
    header = ("Method", "Printed", "Mean of shown", *AVERAGES[2:])
    tables = {
        "printed": Table(header=("Method", "%Param", *table.tasks, "Avg."), rows=printed),
        "averages": Table(header=header, rows=tuple(rows)),
        "beside": Table(
            header=("Fewest", "Against", "Share trained", "On the shown", "On the printed average"), rows=tuple(beside)
        ),
    }
    return Part(title="BitFit", steps=steps, tables=tables)


def _named(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _spread(row: BitfitRow, decimals: int) -> list[str]:
    texts = [as_printed(score, decimals) for score in row.scores]
    if row.spreads is None:
        return texts
    return [f"{text} ± {as_printed(spread, decimals)}" for text, spread in zip(texts, row.spreads, strict=True)]


def _perplexities(params: TablesParams) -> Part:
    table, models = params.perplexities, params.perplexities.models
    texts = tuple((row.method, *(as_printed(x, table.decimals) for x in row.values)) for row in table.rows)
    baseline = next(row.values for row in table.rows if row.scheme == "float32")
    ratios = tuple(
        (table.rows[number].method, *(exact(x / base) for x, base in zip(table.rows[number].values, baseline, strict=True)))
        for number in params.eight_bit
    )
    best = []
    for place, model in enumerate(models):
        values = {number: table.rows[number].values[place] for number in params.eight_bit}
        least, most = min(values.values()), max(values.values())
        names = ["; ".join(table.rows[i].method for i, x in values.items() if x == end) for end in (least, most)]
        below = sum(x < baseline[place] for x in values.values())
        best.append((model, names[0], exact(least / baseline[place]), names[1], exact(most / baseline[place]), below))
    tables = {
        "printed": Table(header=("Method", *models), rows=texts),
        "ratios": Table(header=("Method", *models), rows=ratios),
        "best": Table(header=("Model", "Best in 8 bits", "Over FP32", "Worst", "Its ratio", "Below FP32"), rows=tuple(best)),
    }
    return Part(title="LLM.int8()", tables=tables)


def verify(params: TablesParams, answer: Answer) -> Iterator[Check]:
    """Average with Python's statistics and numpy, and round both ways with decimals."""
    from generators.oracles.result_tables import verify_tables

    return verify_tables(params, answer)


def draw(params: TablesParams, answer: Answer) -> dict[str, Figure]:
    """Charts of each table: its scores, and its averages printed and found."""
    from generators.figures.result_tables import averages_figure, bitfit_figure, ratios_figure

    arena = params.long_range_arena
    speedups = [None if row.speedup is None else float(row.speedup) for row in arena.rows]
    sheared = params.sheared_llama
    return _scores(params) | {
        "arena": averages_figure(answer["1"].tables["averages"], arena.decimals, "Long-range arena", speedups),
        "sheared": averages_figure(answer["2"].tables["averages"], sheared.decimals, "Sheared LLaMA"),
        "bitfit": bitfit_figure(answer["3"].tables["averages"], [float(row.percent) for row in params.bitfit.rows]),
        "perplexities": ratios_figure(answer["4"].tables["ratios"]),
    }


def _scores(params: TablesParams) -> dict[str, Figure]:
    from generators.figures.result_tables import scores_figure

    arena, sheared, bitfit = params.long_range_arena, params.sheared_llama, params.bitfit
    shown = {
        "arena": ("Long-range arena", arena.tasks, [(row.model, row.scores) for row in arena.rows]),
        "sheared": ("Sheared LLaMA", sheared.shown, [(row.model, row.shown) for row in sheared.rows]),
        "bitfit": ("BitFit", bitfit.tasks, [(f"({row.set}) {row.method}", row.scores) for row in bitfit.rows]),
    }
    return {
        f"{name}_scores": scores_figure(
            [row for row, _ in rows], tasks, [[float(x) for x in scores] for _, scores in rows], title
        )
        for name, (title, tasks, rows) in shown.items()
    }


QUESTION = SelfVerifying(
    title="The lecture's tables of results",
    points=0,
    params=TablesParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
