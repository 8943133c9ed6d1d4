"""Finds the averages of the printed tables again: Python's statistics, and decimals rounded both ways.

From the tables as the lecture prints them: an average agrees where its row's mean rounds to it, whichever way halves go.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
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
SORTED = Route("sorting")
INVERSE = Route("products with the inverse of FP32's perplexity, exact fractions")
BELOW = Route("differences from FP32, those below zero counted")

TITLES = {"1": "FlashAttention", "2": "Sheared LLaMA", "3": "BitFit", "4": "LLM.int8()"}
Rows = dict[str, dict[str, Cell]]


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


def compared(printed: Fraction, scores: Sequence[Fraction], decimals: int) -> dict[str, Cell]:
    """Whether a printed average agrees, and whether scores as far off as rounding allows explain it."""
    mean = statistics.mean(scores)
    cells: dict[str, Cell] = {"printed": printed, "recomputed": mean, "difference": printed - mean}
    options = rounded(mean, decimals)
    if _decimal(printed) in options:
        return {**cells, "agrees": "yes" if len(options) == 1 else "half case", "explained": None}
    half = Fraction(1, 2 * 10**decimals)
    lowest, highest = (statistics.mean([score + shift for score in scores]) for shift in (-half, half))
    reachable = lowest <= printed + half and printed - half <= highest
    return {**cells, "agrees": "no", "explained": "yes" if reachable else "no"}


def _rows(rows: Sequence[Mapping[str, Cell]]) -> Rows:
    return {f"row_{place}": dict(row) for place, row in enumerate(rows, 1)}


def _tasks(cells: Sequence[Any]) -> dict[str, Any]:
    return {f"task_{place}": cell for place, cell in enumerate(cells, 1)}


def _averages(label: str, rows: Rows, decimals: int) -> Iterator[Found]:
    """Of the averages as compared: those that agree, and the others."""
    yield from ROUNDED.table(label, "averages", rows)
    verdicts = [str(row["agrees"]) for row in rows.values()]
    unit = Fraction(Decimal(5).scaleb(-decimals - 1))
    yield from SHEET.values(label, n_averages=len(rows))
    yield from ROUNDED.values(label, half_unit=unit, n_agree=verdicts.count("yes"))
    yield from ROUNDED.values(label, half_cases="half case" in verdicts, no_half_cases="half case" not in verdicts)
    off = {key: dict(row) for key, row in rows.items() if row["agrees"] == "no"}
    for row in off.values():
        del row["agrees"]
        row["explains"] = {"yes": "can", "no": "cannot"}[str(row.pop("explained"))]
    yield from ROUNDED.table(label, "off", off, columns=("model", "printed", "recomputed", "difference", "explains"))
    halves = {key: {name: row[name] for name in ("model", "recomputed")} for key, row in rows.items() if row["agrees"][0] == "h"}  # type: ignore[index]
    if halves:
        yield from ROUNDED.table(label, "halves", halves)


def _furthest(label: str, rows: Rows, scores: Sequence[Sequence[Fraction]], decimals: int) -> Iterator[Found]:
    """The row whose average differs most, with its scores written out and added up in decimal."""
    differences = [abs(row["difference"]) for row in rows.values()]  # type: ignore[arg-type]
    place = differences.index(max(differences))
    row = scores[place]
    yield from MEAN.values(label, furthest_row=list(rows.values())[place]["model"])
    yield from SHEET.values(label, terms=" + ".join(written(x, decimals) for x in row))
    yield from ROUNDED.letters(label, S=Fraction(sum(map(_decimal, row))), n=len(row))
    yield from MEAN.values(label, symbols={"furthest": r"\bar x"}, furthest=statistics.mean(row))


def _arena(arena: Arena) -> Iterator[Found]:
    d = arena.decimals
    headings = _tasks(arena.tasks)
    printed: list[dict[str, Cell]] = []
    numbers: list[dict[str, Cell]] = []
    for row in arena.rows:
        times = f"{written(row.speedup, d)}×" if row.speedup else None
        texts = {**_tasks([written(x, d) for x in row.scores]), "average": written(row.average, d), "speedup": times}
        printed.append({"model": row.model, **texts})
        numbers.append({"model": row.model, **_tasks(row.scores), "speedup": row.speedup})
    yield from SHEET.table("1", "printed", _rows(printed), headings={**headings, "average": "Avg"})
    yield from SHEET.table("1", "scores", _rows(numbers), headings=headings, units={"speedup": "×"})
    yield from SHEET.values("1", decimals=d)
    rows = _rows([{"model": row.model, **compared(row.average, row.scores, d)} for row in arena.rows])
    yield from _averages("1", rows, d)
    yield from _furthest("1", rows, [row.scores for row in arena.rows], d)


def _sheared(sheared: Sheared) -> Iterator[Found]:
    d = sheared.decimals
    printed, left_out, numbers = [], [], []
    for row in sheared.rows:
        printed.append({"model": row.model, **_tasks([written(x, d) for x in row.shown]), "average": written(row.average, d)})
        left_out.append({"model": row.model, **_tasks([written(x, d) for x in row.left_out])})
        numbers.append({"model": row.model, **_tasks(row.shown)})
    yield from SHEET.table("2", "printed", _rows(printed), headings=_tasks(sheared.shown))
    yield from SHEET.table("2", "left_out", _rows(left_out), headings=_tasks(sheared.left_out))
    yield from SHEET.table("2", "scores", _rows(numbers), headings=_tasks(sheared.shown))
    yield from SHEET.values("2", n_tasks=len(sheared.shown + sheared.left_out), n_shown=len(sheared.shown))
    scores = [row.shown + row.left_out for row in sheared.rows]
    compared_rows = [compared(row.average, all_scores, d) for row, all_scores in zip(sheared.rows, scores, strict=True)]
    rows = _rows([{"model": row.model, **cells} for row, cells in zip(sheared.rows, compared_rows, strict=True)])
    yield from _averages("2", rows, d)
    yield from _furthest("2", rows, scores, d)
    yield from _swaps(sheared)


def _swaps(sheared: Sheared) -> Iterator[Found]:
    """For every row and two columns, the distances to the middle of the other rows as they are and exchanged."""
    found: list[dict[str, Cell]] = []
    for row in sheared.rows:
        others = [sorted(other.shown[i] for other in sheared.rows if other is not row) for i in range(len(sheared.shown))]
        middles = [(column[(len(column) - 1) // 2] + column[len(column) // 2]) / 2 for column in others]
        for i in range(len(middles)):
            for j in range(i + 1, len(middles)):
                gains = [abs(row.shown[a] - middles[a]) - abs(row.shown[b] - middles[a]) for a, b in ((i, j), (j, i))]
                if all(gain >= sheared.swap_margin for gain in gains):
                    found.append({"model": row.model, "column": sheared.shown[i], "and_column": sheared.shown[j]})
    yield from SHEET.values("2", swap_margin=sheared.swap_margin)
    yield from SORTED.values("2", swaps_found=len(found) > 0, no_swaps=len(found) == 0)
    if found:
        yield from SORTED.table("2", "swaps", _rows(found))


def _name(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _bitfit(bitfit: Bitfit) -> Iterator[Found]:
    d = bitfit.decimals
    headings = _tasks(bitfit.tasks)
    printed, numbers = [], []
    for row in bitfit.rows:
        spreads = [f" ± {written(x, d)}" for x in row.spreads] if row.spreads else [""] * len(row.scores)
        texts = [written(x, d) + spread for x, spread in zip(row.scores, spreads, strict=True)]
        percent = f"{float(_decimal(row.percent)):g}%"
        printed.append({"method": _name(row), "percent": percent, **_tasks(texts), "average": written(row.average, d)})
        numbers.append({"method": _name(row), **_tasks(row.scores), "trained": row.percent})
    yield from SHEET.table("3", "printed", _rows(printed), headings={"percent": "%Param", **headings, "average": "Avg."})
    trained = {"trained": "Parameters trained"}
    yield from SHEET.table("3", "scores", _rows(numbers), headings={**headings, **trained}, units={"trained": "%"})
    yield from SHEET.values("3", n_lost=bitfit.n_lost, n_shown=len(bitfit.tasks), n_averages=len(bitfit.rows))
    cells = [compared(row.average, row.scores, d) for row in bitfit.rows]
    named = _rows([{"method": _name(row), **one} for row, one in zip(bitfit.rows, cells, strict=True)])
    yield from ROUNDED.table("3", "averages", named, headings={"recomputed": "Mean of shown"})
    yes = [one["agrees"] != "no" or one["explained"] == "yes" for one in cells]
    yield from ROUNDED.values("3", none_explained=not any(yes), all_explained=all(yes))
    yield from ROUNDED.values("3", some_explained=len(set(yes)) == 2)
    if len(set(yes)) == 2:
        yield from ROUNDED.values("3", n_explained=sum(yes))
    yield from _fewest(bitfit)


def _fewest(bitfit: Bitfit) -> Iterator[Found]:
    """In each set, what trains the fewest parameters less what trains the most, score by score."""
    rows: list[dict[str, Cell]] = []
    for name in sorted({row.set for row in bitfit.rows}, key=[row.set for row in bitfit.rows].index):
        ranked = sorted((row for row in bitfit.rows if row.set == name), key=lambda row: row.percent)
        least = ranked[0]
        for full in (row for row in bitfit.rows if row.set == name and row.percent == ranked[-1].percent and row is not least):
            differences = [ours - theirs for ours, theirs in zip(least.scores, full.scores, strict=True)]
            pair = {"fewest": _name(least), "against": _name(full), "share": least.percent / (full.percent / 100)}
            rows.append({**pair, "on_shown": statistics.mean(differences), "on_average": least.average - full.average})
    yield from MEAN.values("3", compared=len(rows) > 0)
    headings = {"share": "Share trained", "on_shown": "On the shown", "on_average": "On the printed average"}
    if rows:
        yield from MEAN.table("3", "beside", _rows(rows), headings=headings, units={"share": "%"})


def _perplexities(table: Perplexities) -> Iterator[Found]:
    def by_model(cells: Sequence[Any]) -> dict[str, Any]:
        return {f"model_{place}": cell for place, cell in enumerate(cells, 1)}

    headings = by_model(table.models)
    texts: Rows = {
        row.scheme: {"method": row.method, **by_model([written(x, table.decimals) for x in row.values])} for row in table.rows
    }
    yield from SHEET.table("4", "printed", texts, headings=headings)
    (floats,) = (row for row in table.rows if row.scheme == "float32")
    others = [row for row in table.rows if row is not floats]
    inverses = [1 / base for base in floats.values]
    ratios: Rows = {
        row.scheme: {"method": row.method, **by_model([x * one for x, one in zip(row.values, inverses, strict=True)])}
        for row in others
    }
    yield from INVERSE.table("4", "ratios", ratios, headings=headings)
    rows: Rows = {}
    over: Rows = {}
    below: Rows = {}
    for place, (key, model) in enumerate(headings.items()):
        ordered = sorted(others, key=lambda row: row.values[place])
        best, worst = ([row for row in others if row.values[place] == end.values[place]] for end in (ordered[0], ordered[-1]))
        rows[key] = {
            "model": model,
            "best": "; ".join(row.method for row in best),
            "worst": "; ".join(row.method for row in worst),
        }
        ends = {"best_ratio": best[0], "worst_ratio": worst[0]}
        over[key] = {name: row.values[place] * inverses[place] for name, row in ends.items()}
        below[key] = {"n_below": len([row for row in ordered if row.values[place] - floats.values[place] < 0])}
    said = {"best": "Best in 8 bits", "best_ratio": "Over FP32", "worst_ratio": "Its ratio", "n_below": "Below FP32"}
    order = ("model", "best", "best_ratio", "worst", "worst_ratio", "n_below")
    yield from SORTED.table("4", "best", rows, headings=said, columns=order)
    yield from INVERSE.cells("4", "best", over)
    yield from BELOW.cells("4", "best", below)
