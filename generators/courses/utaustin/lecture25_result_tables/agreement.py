"""Rows of scores beside their printed averages: which averages agree, and the one that is furthest off, worked out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import sympy

from generators.answer import Item, claim, formula, letter, number, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_result_tables.averages import explained, mean, verdict
from generators.table import Table, column, table
from generators.topics.printed_tables import as_printed

S, n = sympy.symbols("S n", positive=True)


class Averaged(NamedTuple):
    """A printed row with all scores that its average is compared with."""

    name: str
    scores: Sequence[Fraction]
    printed: Fraction

    @property
    def off(self) -> Fraction:
        """Printed less recomputed."""
        return self.printed - mean(self.scores)


def keyed(rows: Iterable[Sequence[Cell]]) -> dict[str, Sequence[Cell]]:
    """Rows by their place."""
    return {f"row_{place}": row for place, row in enumerate(rows, 1)}


def averages_table(rows: Sequence[Averaged], decimals: int, name: str, recomputed: str = "", *, asked: bool = False) -> Table:
    """Each average as printed and as recomputed, and whether rounding gives or explains the difference."""
    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        average = mean(row.scores)
        agrees = verdict(row.printed, average, decimals)
        why = "yes" if explained(row.printed, average, decimals) else "no"
        numbers = (exact(row.printed), exact(average), exact(row.off))
        cells.append((row.name, *numbers, agrees, why if agrees == "no" else None))
    columns = [column(name), column("printed"), column("recomputed", recomputed)]
    return table("averages", [*columns, "difference", "agrees", "explained"], keyed(cells), asked=asked)


def agreement(rows: Sequence[Averaged], decimals: int) -> Iterator[Item]:
    """The averages, how many agree, those that do not, and those that could be printed in two ways, if any."""
    averages = averages_table(rows, decimals, "model")
    off: dict[str, tuple[Cell, ...]] = {}
    halves: dict[str, tuple[Cell, ...]] = {}
    for key, row in averages.rows.items():
        model, printed, recomputed, difference, agrees, why = row.values()
        if agrees == "no":
            off[key] = (model, printed, recomputed, difference, "can" if why == "yes" else "cannot")
        if agrees == "half case":
            halves[key] = (model, recomputed)
    yield averages
    yield number("half_unit", Fraction(1, 2 * 10**decimals), "half a unit of the last decimal")
    yield number("n_averages", len(rows), "printed averages")
    yield number("n_agree", len(rows) - len(off) - len(halves), "averages that agree", asked=True)
    yield table("off", ["model", "printed", "recomputed", "difference", "explains"], off, asked=True)
    yield claim("half_cases", bool(halves), "averages lie halfway between two numbers with as many decimals")
    yield claim("no_half_cases", not halves, "no average lies halfway between two numbers with as many decimals")
    if halves:
        yield table("halves", ["model", "recomputed"], halves)
    furthest = max(rows, key=lambda row: abs(row.off))
    yield text("furthest_row", furthest.name)
    yield text("terms", " + ".join(as_printed(score, decimals) for score in furthest.scores))
    yield letter(S, exact(sum(furthest.scores, Fraction(0))), "sum of the scores of the row that is furthest off")
    yield letter(n, len(furthest.scores), "scores of a row")
    yield formula("furthest", S / n, "average of the row that is furthest off", r"\bar x")
