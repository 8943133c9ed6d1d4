"""Finds ranks, reductions, null vectors and combinations of the slide's matrices by determinants of parts.

From the slides: two 3×3 matrices of rank 3 and 2, whose rows are the vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generators.courses.sydney.seminar2_low_rank.minors import (
    Rows,
    Vector,
    across,
    along_first_rows,
    combination,
    determinant,
    echelon,
    rank_by_minors,
)
from generators.found import Found, Route

SHEET = Route("the slides and the parameters, read again", restates=True)
MINORS = Route("determinants of parts")
CRAMER = Route("Cramer's rule and cross products")
FACTORS = ("c1", "c2", "c3")


def matrices_found(matrices: Mapping[str, Rows], v: Vector) -> Iterator[Found]:
    """What is published about every matrix, and about v in the span of its rows."""
    yield from SHEET.part("1", "Rank")
    ranks = {key: (place, rank_by_minors(one), determinant(one)) for place, (key, one) in enumerate(matrices.items(), 1)}
    yield from MINORS.table("1", "ranks", ranks, columns=("matrix", "rank", "determinant"))
    yield from SHEET.part("2", "Span")
    spans = {}
    for place, (key, rows) in enumerate(matrices.items(), 1):
        factors = combination(rows, v)
        lost = None if rank_by_minors(rows) == 3 else sum(a * b for a, b in zip(across(rows), v, strict=True))
        spans[key] = (place, "yes" if factors else "no", *(factors or (None,) * 3), lost)
        yield from _matrix(key, place, rows, v, reached=factors is not None)
    headings = {**{one: one for one in FACTORS}, "normal_product": "n·v"}
    columns = ("matrix", "in_the_span", *headings)
    yield from CRAMER.table("2", "spans", spans, headings=headings, columns=columns)


def entries_found(route: Route, part: str, key: str, rows: Sequence[Sequence[Any]]) -> Iterator[Found]:
    """A matrix, its rows and columns numbered from 1."""
    columns = [str(j) for j in range(1, len(rows[0]) + 1)]
    yield from route.table(part, key, {str(i): row for i, row in enumerate(rows, 1)}, columns=columns)


def _matrix(key: str, place: int, rows: Rows, v: Vector, *, reached: bool) -> Iterator[Found]:
    columns: list[Vector] = list(zip(*rows, strict=True))
    full = rank_by_minors(rows) == 3
    yield from SHEET.part(key, f"Matrix {place}")
    yield from entries_found(SHEET, key, "entries", rows)
    system = {f"E{i}": (*row, value) for i, (row, value) in enumerate(zip(columns, v, strict=True), 1)}
    yield from _reduction(key, "reduction", "R", rows, ("1", "2", "3"))
    yield from _reduction(key, "system", "E", list(system.values()), (*FACTORS, "v"))
    yield from MINORS.values(key, rank=rank_by_minors(rows), independent=full, dependent=not full)
    yield from CRAMER.values(key, outside=not reached, in_plane=reached and not full)
    if not full:
        yield from entries_found(CRAMER, key, "null", [[value] for value in across(rows)])
        yield from entries_found(CRAMER, key, "relation", [[value] for value in across(columns)])
    if not reached:
        made = [*system.items(), *((f"E{one[0] + 1}", one[3]) for one in echelon(list(system.values()), 3))]
        name, row = next((name, row) for name, row in reversed(made) if row[3] and not any(row[:3]))
        yield from MINORS.values(key, contradicting_row=name, contradiction=row[3])
    frame = dict(zip(("R1", "R2", "R3", "v"), along_first_rows(rows, v), strict=True))
    yield from CRAMER.table(key, "frame", frame, columns=("along", "beside", "across"))


def _reduction(key: str, table: str, letter: str, given: Rows, columns: Sequence[str]) -> Iterator[Found]:
    """The rows as given, then every operation as it is said, with the row that it makes."""
    rows = {f"given_{i}": (f"{letter}{i}", "given", *row) for i, row in enumerate(given, 1)}
    for number, (target, factor, source, row) in enumerate(echelon(given, 3), 1):
        times = "" if factor in (1, -1) else f"{abs(factor)}·"
        said = f"{letter}{target + 1} {'+' if factor > 0 else '−'} {times}{letter}{source + 1}"
        rows[f"step_{number}"] = (f"{letter}{target + 1}", said, *row)
    headings = {"computed": "Computed as", **{one: one for one in columns}}
    yield from MINORS.table(key, table, rows, headings=headings, columns=("row", *headings))
