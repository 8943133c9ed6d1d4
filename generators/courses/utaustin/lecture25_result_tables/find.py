"""Finds the averages of the printed tables again: Python's statistics, and decimals rounded both ways.

From the tables as the lecture prints them: an average agrees where its row's mean rounds to it, whichever way halves go.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from generators.cells import Cell
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

TITLES = {"1": "FlashAttention", "2": "Sheared LLaMA", "3": "BitFit", "4": "LLM.int8()"}
AVERAGES = ["printed", "recomputed", "difference", "agrees", "explained"]


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


def written(number: Fraction, decimals: int) -> str:
    """A number with all its decimals."""
    return f"{_decimal(number):.{decimals}f}"


def rounded(number: Fraction, decimals: int) -> set[Decimal]:
    """The number rounded to these decimals; two where it lies halfway between them."""
    unit = Decimal(1).scaleb(-decimals)
    return {_decimal(number).quantize(unit, rounding=way) for way in (ROUND_HALF_UP, ROUND_HALF_DOWN)}


def compared(printed: Fraction, scores: Sequence[Fraction], decimals: int) -> tuple[Cell, ...]:
    """Whether a printed average agrees, and whether scores as far off as rounding allows explain it."""
    mean = statistics.mean(scores)
    options = rounded(mean, decimals)
    if _decimal(printed) in options:
        return printed, mean, printed - mean, "yes" if len(options) == 1 else "half case", None
    half = Fraction(1, 2 * 10**decimals)
    lowest, highest = (statistics.mean([score + shift for score in scores]) for shift in (-half, half))
    reachable = lowest <= printed + half and printed - half <= highest
    return printed, mean, printed - mean, "no", "yes" if reachable else "no"


def _rows(rows: Iterable[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return {f"row_{place}": row for place, row in enumerate(rows, 1)}


def _tasks(names: Sequence[str]) -> dict[str, str]:
    return {f"task_{place}": name for place, name in enumerate(names, 1)}


def _averages(label: str, rows: Sequence[tuple[str, Sequence[Fraction], Fraction]], decimals: int) -> Iterator[Found]:
    """Averages that agree, and the others; the scores of the one that differs most, added up in decimal."""
    cells = _rows([(name, *compared(average, scores, decimals)) for name, scores, average in rows])
    yield from ROUNDED.table(label, "averages", cells, columns=["model", *AVERAGES])
    verdicts = [row[4] for row in cells.values()]
    unit = Fraction(Decimal(5).scaleb(-decimals - 1))
    yield from SHEET.values(label, n_averages=len(rows))
    yield from ROUNDED.values(label, half_unit=unit, n_agree=verdicts.count("yes"))
    yield from ROUNDED.values(label, half_cases="half case" in verdicts, no_half_cases="half case" not in verdicts)
    said = {"yes": "can", "no": "cannot"}
    off = {key: (*row[:4], said[row[5]]) for key, row in cells.items() if row[4] == "no"}
    yield from ROUNDED.table(label, "off", off, columns=["model", *AVERAGES[:3], "explains"])
    halves = {key: (row[0], row[2]) for key, row in cells.items() if row[4] == "half case"}
    if halves:
        yield from ROUNDED.table(label, "halves", halves, columns=["model", "recomputed"])
    differences = [abs(row[3]) for row in cells.values()]
    name, scores, _ = rows[differences.index(max(differences))]
    yield from MEAN.values(label, furthest_row=name)
    yield from SHEET.values(label, terms=" + ".join(written(x, decimals) for x in scores))
    yield from ROUNDED.letters(label, S=Fraction(sum(map(_decimal, scores))), n=len(scores))
    yield from MEAN.values(label, symbols={"furthest": r"\bar x"}, furthest=statistics.mean(scores))


def _arena(arena: Arena) -> Iterator[Found]:
    d, headings = arena.decimals, _tasks(arena.tasks)
    speedups = [f"{written(row.speedup, d)}×" if row.speedup else None for row in arena.rows]
    printed = [(row.model, *(written(x, d) for x in (*row.scores, row.average)), times)
               for row, times in zip(arena.rows, speedups, strict=True)]  # fmt: skip
    yield from SHEET.table("1", "printed", _rows(printed), headings={**headings, "average": "Avg"},
                           columns=["model", *headings, "average", "speedup"])  # fmt: skip
    numbers = _rows((row.model, *row.scores, row.speedup) for row in arena.rows)
    columns = ["model", *headings, "speedup"]
    yield from SHEET.table("1", "scores", numbers, headings=headings, units={"speedup": "×"}, columns=columns)
    yield from SHEET.values("1", decimals=d)
    yield from _averages("1", [(row.model, row.scores, row.average) for row in arena.rows], d)


def _sheared(sheared: Sheared) -> Iterator[Found]:
    d, shown, left_out = sheared.decimals, _tasks(sheared.shown), _tasks(sheared.left_out)
    printed = _rows((row.model, *(written(x, d) for x in (*row.shown, row.average))) for row in sheared.rows)
    yield from SHEET.table("2", "printed", printed, headings=shown, columns=["model", *shown, "average"])
    beside = _rows((row.model, *(written(x, d) for x in row.left_out)) for row in sheared.rows)
    yield from SHEET.table("2", "left_out", beside, headings=left_out, columns=["model", *left_out])
    numbers = _rows((row.model, *row.shown) for row in sheared.rows)
    yield from SHEET.table("2", "scores", numbers, headings=shown, columns=["model", *shown])
    yield from SHEET.values("2", n_tasks=len(sheared.shown + sheared.left_out), n_shown=len(sheared.shown))
    yield from _averages("2", [(row.model, row.shown + row.left_out, row.average) for row in sheared.rows], d)
    yield from _swaps(sheared)


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
    yield from SHEET.values("2", swap_margin=sheared.swap_margin)
    yield from SORTED.values("2", swaps_found=len(found) > 0, no_swaps=len(found) == 0)
    if found:
        yield from SORTED.table("2", "swaps", _rows(found), columns=["model", "column", "and_column"])


def _name(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _bitfit(bitfit: Bitfit) -> Iterator[Found]:
    d, headings, printed = bitfit.decimals, _tasks(bitfit.tasks), []
    for row in bitfit.rows:
        spreads = [f" ± {written(x, d)}" for x in row.spreads] if row.spreads else [""] * len(row.scores)
        texts = [written(x, d) + spread for x, spread in zip(row.scores, spreads, strict=True)]
        printed.append((_name(row), f"{float(_decimal(row.percent)):g}%", *texts, written(row.average, d)))
    yield from SHEET.table("3", "printed", _rows(printed), headings={"percent": "%Param", **headings, "average": "Avg."},
                           columns=["method", "percent", *headings, "average"])  # fmt: skip
    numbers = _rows((_name(row), *row.scores, row.percent) for row in bitfit.rows)
    headings["trained"] = "Parameters trained"
    yield from SHEET.table("3", "scores", numbers, headings=headings, units={"trained": "%"}, columns=["method", *headings])
    yield from SHEET.values("3", n_lost=bitfit.n_lost, n_shown=len(bitfit.tasks), n_averages=len(bitfit.rows))
    averages = _rows((_name(row), *compared(row.average, row.scores, d)) for row in bitfit.rows)
    columns = ["method", *AVERAGES]
    yield from ROUNDED.table("3", "averages", averages, headings={"recomputed": "Mean of shown"}, columns=columns)
    yes = [row[4] != "no" or row[5] == "yes" for row in averages.values()]
    yield from ROUNDED.values("3", none_explained=not any(yes), all_explained=all(yes))
    yield from ROUNDED.values("3", some_explained=len(set(yes)) == 2)
    if len(set(yes)) == 2:
        yield from ROUNDED.values("3", n_explained=sum(yes))
    yield from _fewest(bitfit)


def _fewest(bitfit: Bitfit) -> Iterator[Found]:
    """In each set, what trains the fewest parameters less what trains the most, score by score."""
    rows: list[tuple[Cell, ...]] = []
    for name in sorted({row.set for row in bitfit.rows}, key=[row.set for row in bitfit.rows].index):
        ranked = sorted((row for row in bitfit.rows if row.set == name), key=lambda row: row.percent)
        least = ranked[0]
        for full in (row for row in bitfit.rows if row.set == name and row.percent == ranked[-1].percent and row is not least):
            on_shown = statistics.mean([ours - theirs for ours, theirs in zip(least.scores, full.scores, strict=True)])
            share = least.percent / (full.percent / 100)
            rows.append((_name(least), _name(full), share, on_shown, least.average - full.average))
    yield from MEAN.values("3", compared=len(rows) > 0)
    headings = {"share": "Share trained", "on_shown": "On the shown", "on_average": "On the printed average"}
    if rows:
        yield from MEAN.table("3", "beside", _rows(rows), headings=headings, units={"share": "%"},
                              columns=["fewest", "against", *headings])  # fmt: skip


def _perplexities(table: Perplexities) -> Iterator[Found]:
    headings = {f"model_{place}": model for place, model in enumerate(table.models, 1)}
    columns = ["method", *headings]
    texts = ((row.scheme, (row.method, *(written(x, table.decimals) for x in row.values))) for row in table.rows)
    yield from SHEET.table("4", "printed", texts, headings=headings, columns=columns)
    (floats,) = (row for row in table.rows if row.scheme == "float32")
    others = [row for row in table.rows if row is not floats]
    inverses = [1 / base for base in floats.values]
    ratios = ((row.scheme, (row.method, *(x * one for x, one in zip(row.values, inverses, strict=True)))) for row in others)
    yield from INVERSE.table("4", "ratios", ratios, headings=headings, columns=columns)
    rows: dict[str, tuple[Cell, ...]] = {}
    for place, (key, model) in enumerate(headings.items()):
        ordered = sorted(row.values[place] for row in others)
        (best, best_ratio), (worst, worst_ratio) = (
            ("; ".join(row.method for row in others if row.values[place] == end), end * inverses[place])
            for end in (ordered[0], ordered[-1])
        )
        below = sum(value - floats.values[place] < 0 for value in ordered)
        rows[key] = (model, best, best_ratio, worst, worst_ratio, below)
    said = {"best": "Best in 8 bits", "best_ratio": "Over FP32", "worst_ratio": "Its ratio", "n_below": "Below FP32"}
    order = ["model", "best", "best_ratio", "worst", "worst_ratio", "n_below"]
    yield from SORTED.table("4", "best", rows, headings=said, columns=order)
