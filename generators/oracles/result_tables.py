"""Finds the averages of the printed tables again: Python's statistics, decimals rounded both ways, and numpy."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from generators.answer import Cell
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_result_tables import BitfitRow, TablesParams

MEAN = "statistics.mean, exact fractions"
ROUNDED = "decimal, 60 digits, halves rounded up and down"
NUMPY = "numpy.mean, float64"
WRITTEN = "decimal, the numbers of the parameters written out"
SORTED = "sorting, each column without the row"
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89)

Rows = list[tuple[Cell, ...]]


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
    """Printed, recomputed, difference, whether they agree, and whether scores as far off as rounding allows explain it."""
    mean = statistics.mean(scores)
    options = rounded(mean, decimals)
    if _decimal(printed) in options:
        return printed, mean, printed - mean, "yes" if len(options) == 1 else "half case", "–"
    half = Fraction(1, 2 * 10**decimals)
    lowest, highest = (statistics.mean([score + shift for score in scores]) for shift in (-half, half))
    reachable = lowest <= printed + half and printed - half <= highest
    return printed, mean, printed - mean, "no", "yes" if reachable else "no"


def verify_tables(params: TablesParams, answer: Answer) -> Iterator[Check]:
    """Check what is shown of each table, its averages, and what is concluded."""
    arena, sheared = params.long_range_arena, params.sheared_llama
    d = arena.decimals
    texts: Rows = [
        (row.model, *(written(x, d) for x in [*row.scores, row.average]), f"{written(row.speedup, d)}×" if row.speedup else "–")
        for row in arena.rows
    ]
    yield same_rows("1, as printed", answer["1"].tables["printed"], texts, WRITTEN)
    scores = [row.scores for row in arena.rows]
    yield from _check_averages(
        "1", answer["1"], [row.model for row in arena.rows], [row.average for row in arena.rows], scores, d
    )
    yield from _check_summary("1", answer["1"], scores, [row.average for row in arena.rows], d)
    d = sheared.decimals
    texts = [(row.model, *(written(x, d) for x in [*row.shown, row.average])) for row in sheared.rows]
    yield same_rows("2, as printed", answer["2"].tables["printed"], texts, WRITTEN)
    texts = [(row.model, *(written(x, d) for x in row.left_out)) for row in sheared.rows]
    yield same_rows("2, columns left out", answer["2"].tables["left_out"], texts, WRITTEN)
    scores = [row.shown + row.left_out for row in sheared.rows]
    names, averages = [row.model for row in sheared.rows], [row.average for row in sheared.rows]
    yield from _check_averages("2", answer["2"], names, averages, scores, d)
    yield from _check_summary("2", answer["2"], scores, averages, d)
    yield _check_swaps(params, answer["2"].tables["swaps"])
    yield from _check_bitfit(params, answer["3"])
    yield from _check_perplexities(params, answer["4"])


def _check_averages(
    label: str, part: Part, names: Sequence[str], printed: Sequence[Fraction], scores: Sequence[Sequence[Fraction]], decimals: int
) -> Iterator[Check]:
    rows = [(name, *compared(average, row, decimals)) for name, average, row in zip(names, printed, scores, strict=True)]
    yield same_rows(f"{label}, averages and whether they agree", part.tables["averages"], rows, ROUNDED)
    found = np.array([[float(x) for x in row] for row in scores]).mean(axis=1)
    ours = [
        float(cell) if isinstance(cell, int | Fraction) else np.nan for cell in (row[2] for row in part.tables["averages"].rows)
    ]
    off = float(np.abs(np.array(ours) - found).max())
    yield Check(
        what=f"{label}, averages to 1e-12", published=f"{len(ours)} averages", found=f"off by {off:.1e} at most", by=NUMPY,
        passed=off <= 1e-12 * float(found.max()),
    )  # fmt: skip


def _letter(number: int, count: int) -> str:
    return "x_" + str(number).zfill(len(str(count)))


def _check_summary(
    label: str, part: Part, scores: Sequence[Sequence[Fraction]], printed: Sequence[Fraction], decimals: int
) -> Iterator[Check]:
    cells = [compared(average, row, decimals) for average, row in zip(printed, scores, strict=True)]
    verdicts = [row[3] for row in cells]
    yield same(f"{label}, averages that agree", part["agree"].value, verdicts.count("yes"), ROUNDED)
    yield same(f"{label}, half cases", part["half"].value, verdicts.count("half case"), ROUNDED)
    differences = [abs(average - statistics.mean(row)) for average, row in zip(printed, scores, strict=True)]
    row = scores[differences.index(max(differences))]
    yield same(f"{label}, {part['furthest'].what}", part["furthest"].value, statistics.mean(row), MEAN)
    put_in = {_letter(number, len(row)): x for number, x in enumerate(row, 1)}
    yield same_letters(f"{label}, scores in the formula", {"furthest": part["furthest"]}, put_in)
    primes = [Fraction(prime) for prime in PRIMES[: len(row)]]
    sizes = {_letter(number, len(row)): prime for number, prime in enumerate(primes, 1)}
    triples: list[Formula] = [("average", part["furthest"].formula, statistics.mean(primes))]
    check = same_formulas(f"{label}, formula", triples, sizes, MEAN)
    yield Check(
        what=f"{label}, formula at the first {len(row)} primes", published=check.published, found=check.found, by=MEAN,
        passed=check.passed,
    )  # fmt: skip


def _check_swaps(params: TablesParams, table: Table) -> Check:
    """For every row and two columns, the distances to the middle of the other rows as they are and exchanged."""
    sheared = params.sheared_llama
    found = []
    for row in sheared.rows:
        others = [sorted(other.shown[i] for other in sheared.rows if other is not row) for i in range(len(sheared.shown))]
        middles = [(column[(len(column) - 1) // 2] + column[len(column) // 2]) / 2 for column in others]
        for i in range(len(middles)):
            for j in range(i + 1, len(middles)):
                gains = [abs(row.shown[a] - middles[a]) - abs(row.shown[b] - middles[a]) for a, b in ((i, j), (j, i))]
                if all(gain >= sheared.swap_margin for gain in gains):
                    found.append((row.model, sheared.shown[i], sheared.shown[j]))
    if found:
        return same_rows("2, values that look exchanged", table, found, SORTED)
    return same("2, values that look exchanged", len(table.rows), 0, SORTED)


def _name(row: BitfitRow) -> str:
    return f"({row.set}) {row.method}"


def _check_bitfit(params: TablesParams, part: Part) -> Iterator[Check]:
    bitfit = params.bitfit
    d = bitfit.decimals
    texts: Rows = []
    for row in bitfit.rows:
        spreads = [f" ± {written(x, d)}" for x in row.spreads] if row.spreads else [""] * len(row.scores)
        scores = [written(x, d) + spread for x, spread in zip(row.scores, spreads, strict=True)]
        texts.append(
            (
                _name(row),
                f"{float(_decimal(row.percent)):g}%",
                *scores,
                written(row.average, d),
            )
        )
    yield same_rows("3, as printed", part.tables["printed"], texts, WRITTEN)
    scores_of = [row.scores for row in bitfit.rows]
    averages = [row.average for row in bitfit.rows]
    yield from _check_averages("3", part, list(map(_name, bitfit.rows)), averages, scores_of, d)
    cells = [compared(average, row, d) for average, row in zip(averages, scores_of, strict=True)]
    count = sum("no" not in cell[3:] or "yes" in cell[3:] for cell in cells)
    yield same("3, averages that the shown columns explain", part["explained"].value, count, ROUNDED)
    rows = []
    for name in sorted({row.set for row in bitfit.rows}, key=[row.set for row in bitfit.rows].index):
        ranked = sorted((row for row in bitfit.rows if row.set == name), key=lambda row: row.percent)
        least = ranked[0]
        for full in (row for row in bitfit.rows if row.set == name and row.percent == ranked[-1].percent and row is not least):
            differences = [ours - theirs for ours, theirs in zip(least.scores, full.scores, strict=True)]
            share = least.percent / full.percent
            rows.append((_name(least), _name(full), share, statistics.mean(differences), least.average - full.average))
    if rows:
        yield same_rows("3, the fewest parameters against all", part.tables["beside"], rows, MEAN)
    else:
        yield same("3, the fewest parameters against all", len(part.tables["beside"].rows), 0, MEAN)


def _check_perplexities(params: TablesParams, part: Part) -> Iterator[Check]:
    table = params.perplexities
    texts = [(row.method, *(written(x, table.decimals) for x in row.values)) for row in table.rows]
    yield same_rows("4, as printed", part.tables["printed"], texts, WRITTEN)
    (floats,) = (row for row in table.rows if row.scheme == "float32")
    others = [row for row in table.rows if row is not floats]
    ratios = [(row.method, *(x * (1 / base) for x, base in zip(row.values, floats.values, strict=True))) for row in others]
    yield same_rows(
        "4, perplexities over those in 32 bits", part.tables["ratios"], ratios, "Python's fractions: times the inverse"
    )
    rows: Rows = []
    for place, model in enumerate(table.models):
        ordered = sorted(others, key=lambda row: row.values[place])
        base = floats.values[place]
        ends = [[row for row in others if row.values[place] == end.values[place]] for end in (ordered[0], ordered[-1])]
        named = [("; ".join(row.method for row in end), end[0].values[place] / base) for end in ends]
        below = len([row for row in ordered if row.values[place] - base < 0])
        rows.append((model, *named[0], *named[1], below))
    yield same_rows("4, best and worst for each model", part.tables["best"], rows, "sorting")
