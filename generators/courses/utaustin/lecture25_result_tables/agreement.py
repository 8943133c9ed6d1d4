"""Rows of scores beside their printed averages: which averages agree, and the one that is furthest off, worked out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.answer import Item, claim, formula, letter, number, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_result_tables.averages import explained, mean, verdict
from generators.table import Column, Table, column, table
from generators.topics.printed_tables import as_printed

S, n = sympy.symbols("S n", positive=True)

Rows = dict[str, dict[str, Cell]]


@dataclass(frozen=True)
class Averaged:
    """A printed row with all scores that its average is compared with."""

    name: str
    scores: Sequence[Fraction]
    printed: Fraction

    @property
    def off(self) -> Fraction:
        """Printed less recomputed."""
        return self.printed - mean(self.scores)


def keyed(rows: Sequence[Mapping[str, Cell]]) -> Rows:
    """Rows by their place."""
    return {f"row_{place}": dict(row) for place, row in enumerate(rows, 1)}


def tasks(names: Sequence[str]) -> dict[str, str]:
    """Names of columns by key."""
    return {f"task_{place}": name for place, name in enumerate(names, 1)}


def texts(scores: Sequence[Fraction], decimals: int) -> dict[str, Cell]:
    """Scores as printed, by the key of their column."""
    return {f"task_{place}": as_printed(score, decimals) for place, score in enumerate(scores, 1)}


def numbers(scores: Sequence[Fraction]) -> dict[str, Cell]:
    """Scores by the key of their column."""
    return {f"task_{place}": exact(score) for place, score in enumerate(scores, 1)}


def averages_table(rows: Sequence[Averaged], decimals: int, name: str, recomputed: str = "", *, asked: bool = False) -> Table:
    """Each average as printed and as recomputed, and whether rounding gives or explains the difference."""
    cells: list[dict[str, Cell]] = []
    for row in rows:
        agrees = verdict(row.printed, mean(row.scores), decimals)
        why = "yes" if explained(row.printed, mean(row.scores), decimals) else "no"
        cells.append(
            {
                name: row.name,
                "printed": exact(row.printed),
                "recomputed": exact(mean(row.scores)),
                "difference": exact(row.off),
                "agrees": agrees,
                "explained": why if agrees == "no" else None,
            }
        )
    columns: list[Column | str] = [name, "printed", column("recomputed", recomputed), "difference", "agrees", "explained"]
    return table("averages", columns, keyed(cells), asked=asked)


def agreement(rows: Sequence[Averaged], decimals: int) -> Iterator[Item]:
    """The averages, how many agree, those that do not, and those that could be printed in two ways, if any."""
    averages = averages_table(rows, decimals, "model")
    cells = averages.rows
    off = {
        key: {name: row[name] for name in ("model", "printed", "recomputed", "difference")}
        | {"explains": "can" if row["explained"] == "yes" else "cannot"}
        for key, row in cells.items()
        if row["agrees"] == "no"
    }
    halves = {
        key: {name: row[name] for name in ("model", "recomputed")} for key, row in cells.items() if row["agrees"] == "half case"
    }
    yield averages
    yield number("half_unit", Fraction(1, 2 * 10**decimals), "half a unit of the last decimal")
    yield number("n_averages", len(rows), "printed averages")
    yield number("n_agree", len([row for row in cells.values() if row["agrees"] == "yes"]), "averages that agree", asked=True)
    yield table("off", ["model", "printed", "recomputed", "difference", "explains"], off, asked=True)
    yield claim("half_cases", bool(halves), "averages lie halfway between two numbers with as many decimals")
    yield claim("no_half_cases", not halves, "no average lies halfway between two numbers with as many decimals")
    if halves:
        yield table("halves", ["model", "recomputed"], halves)
    yield from _worked_out(max(rows, key=lambda row: abs(row.off)), decimals)


def _worked_out(row: Averaged, decimals: int) -> Iterator[Item]:
    """The average of the row that is furthest off, from the sum of its scores."""
    yield text("furthest_row", row.name)
    yield text("terms", " + ".join(as_printed(score, decimals) for score in row.scores))
    yield letter(S, exact(sum(row.scores, Fraction(0))), "sum of the scores of the row that is furthest off")
    yield letter(n, len(row.scores), "scores of a row")
    yield formula("furthest", S / n, "average of the row that is furthest off", r"\bar x")
