"""Finds the averages of the printed tables again: Python's statistics, and decimals rounded both ways.

From the tables as the lecture prints them: an average agrees where its row's mean rounds to it, whichever way halves go.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from generators.courses.utaustin.lecture25_result_tables.params import (
    Arena,
    Bitfit,
    BitfitRow,
    Perplexities,
    Sheared,
    TablesParams,
)
from generators.found import Found, Route

SHEET = Route("the printed tables, read again", restates=True)
MEAN = Route("statistics.mean, exact fractions")
ROUNDED = Route("decimal, 60 digits, halves rounded up and down")
SORTED = Route("sorting, exact fractions")
INVERSE = Route("products with the inverse of FP32's perplexity, exact fractions")
PRINTED = dict.fromkeys(("model", "method", "size", "printed", "speedup", "trained", "its_tokens"), SHEET)
"""Columns that the printed tables have as well."""

TITLES = {"1": "FlashAttention", "2": "Sheared LLaMA", "3": "BitFit", "4": "LLM.int8()"}


def find(params: TablesParams) -> Iterator[Found]:
    """What is shown of each table, its averages, and what is concluded."""
    for label, title in TITLES.items():
        yield from SHEET.part(label, title)
    yield from _arena(params.long_range_arena)
    yield from _sheared(params.sheared_llama)
    yield from _bitfit(params.bitfit)
    yield from _perplexities(params.perplexities)


def _decimal(number: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return Decimal(number.numerator) / Decimal(number.denominator)


def written(numbers: Iterable[Fraction], decimals: int) -> list[str]:
    """Numbers with all their decimals."""
    return [f"{_decimal(number):.{decimals}f}" for number in numbers]


def rounded(number: Fraction, decimals: int) -> set[Decimal]:
    """The number rounded to these decimals; two where it lies halfway between them."""
    unit = Decimal(1).scaleb(-decimals)
    return {_decimal(number).quantize(unit, rounding=way) for way in (ROUND_HALF_UP, ROUND_HALF_DOWN)}


def compared(printed: Fraction, scores: Sequence[Fraction], decimals: int) -> str:
    """Whether a printed average agrees, and whether scores as far off as rounding allows reach it."""
    if _decimal(printed) in rounded(statistics.mean(scores), decimals):
        return "yes"
    half = Fraction(1, 2 * 10**decimals)
    lowest, highest = (statistics.mean([score + shift for score in scores]) for shift in (-half, half))
    return "nearly" if lowest <= printed + half and printed - half <= highest else "no"


def _rows(rows: Iterable[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return {f"row_{place}": row for place, row in enumerate(rows, 1)}


def _tasks(names: Sequence[str]) -> dict[str, str]:
    return {f"task_{place}": name for place, name in enumerate(names, 1)}


def _agreeing(label: str, verdicts: Sequence[str]) -> Iterator[Found]:
    yield from SHEET.values(label, n_averages=len(verdicts))
    yield from ROUNDED.values(label, n_agree=verdicts.count("yes"), n_nearly=verdicts.count("nearly"))


def _arena(arena: Arena) -> Iterator[Found]:
    d, headings = arena.decimals, _tasks(arena.tasks)
    verdicts = [compared(row.average, row.scores, d) for row in arena.rows]
    rows = []
    for row, agrees in zip(arena.rows, verdicts, strict=True):
        speedup = "".join(written([row.speedup], d)) + "×" if row.speedup else None
        rows.append((row.model, agrees, statistics.mean(row.scores), *written([row.average], d), speedup))
    columns = ["model", "agrees", "recomputed", "printed", "speedup"]
    yield from ROUNDED.table("1", "averages", _rows(rows), columns=columns, given=PRINTED)
    scores = _rows((row.model, *written(row.scores, d)) for row in arena.rows)
    yield from SHEET.table("1", "scores", scores, headings=headings, columns=["model", *headings])
    yield from _agreeing("1", verdicts)
    yield from _slower(arena)


def _slower(arena: Arena) -> Iterator[Found]:
    """Approximate methods in the order of their averages, each beside the claimed one."""
    (ours,) = (row for row in arena.rows if row.kind == "claimed")
    others = sorted((row for row in arena.rows if row.kind == "approximate"), key=lambda row: (-row.average, row.model))
    slower = [row.model for row in others if (row.speedup or 0) < (ours.speedup or 0)]
    faster = [row.model for row in arena.rows if row in others and row.model not in slower]
    yield from SHEET.values("1", claimed=ours.model, n_approximate=len(others))
    yield from SORTED.values("1", n_slower=len(slower), some_faster=len(slower) < len(others), faster=", ".join(faster))
    close = [row for row in others if row.average + 1 > ours.average]
    points = written([ours.average - row.average for row in close], arena.decimals)
    said = (f"{row.model} ({one})" for row, one in zip(close, points, strict=True))
    yield from SORTED.values("1", close=", ".join(said), some_close=len(close) > 0)
    ends = [ours.average - others[place].average for place in (0, -1)]
    yield from SORTED.values("1", dict(zip(("least_behind", "most_behind"), ends, strict=True)))
    apart = [row.model for row in arena.rows if row.speedup and row not in (ours, *others)]
    yield from SHEET.values("1", left_out=", ".join(apart), some_left_out=len(apart) > 0)


def _sheared(sheared: Sheared) -> Iterator[Found]:
    d = sheared.decimals
    verdicts = [compared(row.average, row.left_out + row.shown, d) for row in sheared.rows]
    rows = []
    for row, agrees in zip(sheared.rows, verdicts, strict=True):
        rows.append((row.model, agrees, statistics.mean(row.left_out + row.shown), *written([row.average], d)))
    yield from ROUNDED.table("2", "averages", _rows(rows), columns=["model", "agrees", "recomputed", "printed"], given=PRINTED)
    for key, tasks in (("shown", _tasks(sheared.shown)), ("left_out", _tasks(sheared.left_out))):
        scores = _rows((row.model, *written(getattr(row, key), d)) for row in sheared.rows)
        yield from SHEET.table("2", key, scores, headings=tasks, columns=["model", *tasks])
    yield from _agreeing("2", verdicts)
    yield from _best(sheared)
    yield from _swaps(sheared)


def _best(sheared: Sheared) -> Iterator[Found]:
    """In each group a model that none exceeds, found by comparing all pairs."""
    rows = []
    for group in sorted({row.group for row in sheared.rows}, key=[row.group for row in sheared.rows].index):
        models = [row for row in sheared.rows if row.group == group]
        best = next(row for row in models if all(row.average >= other.average for other in models))
        others = [row for row in models if row is not best]
        if others:
            ahead = min(best.average - row.average for row in others)
            rows.append((group, best.model, ahead, best.billion_tokens, sorted(row.billion_tokens for row in others)[0]))
    headings = {"ahead": "Points ahead", "its_tokens": "Its tokens (billions)", "fewest": "Fewest of the others (billions)"}
    yield from SORTED.values("2", ranked=len(rows) > 0)
    yield from SORTED.table("2", "best", _rows(rows), headings=headings, columns=["size", "best", *headings], given=PRINTED)


def _swaps(sheared: Sheared) -> Iterator[Found]:
    """For every row and two columns, the distances to the middle of the other rows as they are and exchanged."""
    found = []
    for row in sheared.rows:
        others = [sorted(other.shown[i] for other in sheared.rows if other is not row) for i in range(len(sheared.shown))]
        middles = [(column[(len(column) - 1) // 2] + column[len(column) // 2]) / 2 for column in others]
        for i in range(len(middles)):
            for j in range(i + 1, len(middles)):
                gains = [abs(row.shown[a] - middles[a]) - abs(row.shown[b] - middles[a]) for a, b in ((i, j), (j, i))]
                if all(gain >= sheared.swap_margin for gain in gains):
                    found.append((row.model, sheared.shown[i], sheared.shown[j]))
    yield from SORTED.values("2", swaps_found=len(found) > 0)
    yield from SORTED.table("2", "swaps", _rows(found), columns=["model", "column", "and_column"])


def _name(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _bitfit(bitfit: Bitfit) -> Iterator[Found]:
    d, headings, rows, scores = bitfit.decimals, _tasks(bitfit.tasks), [], []
    for row in bitfit.rows:
        spreads = [f" ± {x}" for x in written(row.spreads, d)] if row.spreads else [""] * len(row.scores)
        scores.append((_name(row), *map("".join, zip(written(row.scores, d), spreads, strict=True))))
        rows.append((_name(row), *written([row.average], d), statistics.mean(row.scores), row.percent))
    columns, said = ["method", "printed", "recomputed", "trained"], {"recomputed": f"Mean of the {len(headings)} tasks shown"}
    yield from MEAN.table("3", "averages", _rows(rows), headings=said, units={"trained": "%"}, columns=columns, given=PRINTED)
    yield from SHEET.table("3", "scores", _rows(scores), headings=headings, columns=["method", *headings])
    yield from _fewest(bitfit)


def _fewest(bitfit: Bitfit) -> Iterator[Found]:
    """In each set, what trains the fewest parameters less what trains the most, score by score."""
    rows: list[tuple[Any, ...]] = []
    for name in sorted({row.set for row in bitfit.rows}, key=[row.set for row in bitfit.rows].index):
        ranked = sorted((row for row in bitfit.rows if row.set == name), key=lambda row: row.percent)
        least = ranked[0]
        for full in (row for row in bitfit.rows if row.set == name and row.percent == ranked[-1].percent and row is not least):
            on_shown = statistics.mean([ours - theirs for ours, theirs in zip(least.scores, full.scores, strict=True)])
            rows.append((_name(least), _name(full), least.average - full.average, on_shown))
    yield from SORTED.values("3", compared=len(rows) > 0)
    headings = {"means_of_the_shown": f"Mean of the {len(bitfit.tasks)} tasks shown"}
    columns = ["method", "minus", "printed_averages", *headings]
    yield from MEAN.table("3", "beside", _rows(rows), headings=headings, columns=columns)


def _perplexities(table: Perplexities) -> Iterator[Found]:
    (floats,) = (row for row in table.rows if row.scheme == "float32")
    others = [row for row in table.rows if row is not floats]
    rows: dict[str, Any] = {}
    for place, model in enumerate(table.models):
        ordered = sorted(row.values[place] for row in others)
        named = ["; ".join(row.method for row in others if row.values[place] == end) for end in (ordered[0], ordered[-1])]
        best, worst = (end * (1 / floats.values[place]) for end in (ordered[0], ordered[-1]))
        rows[f"model_{place + 1}"] = (model, named[0], best, named[1], worst)
    said = {"best_ratio": "Best / FP32", "worst_ratio": "Worst / FP32"}
    columns = ["model", "best", "best_ratio", "worst", "worst_ratio"]
    yield from INVERSE.table("4", "best", rows, headings=said, columns=columns, given=PRINTED)
