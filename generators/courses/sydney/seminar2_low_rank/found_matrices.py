"""Finds ranks, reductions, null vectors and combinations of the slide's matrices by determinants of parts, and by torch.

From the slides: two 3×3 matrices of rank 3 and 2, whose rows are the vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from generators.cells import Cell, Math
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
RANKS = Route("torch.linalg.matrix_rank")


def matrices_found(matrices: Mapping[str, Rows], v: Vector) -> Iterator[Found]:
    """What is published about every matrix, and about v in the span of its rows."""
    yield from _ranks(matrices)
    yield from SHEET.part("2", "Span")
    spans: dict[str, dict[str, Cell]] = {}
    for place, (key, rows) in enumerate(matrices.items(), 1):
        factors = combination(rows, v)
        yield from _matrix(key, place, rows, v, reached=factors is not None)
        named = dict(zip(("c1", "c2", "c3"), factors or (None,) * 3, strict=True))
        spans[key] = {"matrix": place, "in_the_span": "yes" if factors else "no", **named, "normal_product": _lost(rows, v)}
    headings = {"c1": "c1", "c2": "c2", "c3": "c3", "normal_product": "n·v"}
    yield from CRAMER.table("2", "spans", spans, headings=headings)


def vector_found(route: Route, part: str, key: str, values: Sequence[Any]) -> Iterator[Found]:
    """A vector as a column."""
    yield from entries_found(route, part, key, [[value] for value in values])


def entries_found(route: Route, part: str, key: str, rows: Sequence[Sequence[Any]]) -> Iterator[Found]:
    """A matrix, its rows and columns numbered from 1."""
    cells = {str(i): {str(j): value for j, value in enumerate(row, 1)} for i, row in enumerate(rows, 1)}
    yield from route.table(part, key, cells)


def _ranks(matrices: Mapping[str, Rows]) -> Iterator[Found]:
    import torch

    from generators.courses.sydney.seminar2_low_rank.trained_layer import tensor

    yield from SHEET.part("1", "Rank")
    rows = {
        key: {"matrix": place, "rank": rank_by_minors(one), "determinant": determinant(one)}
        for place, (key, one) in enumerate(matrices.items(), 1)
    }
    yield from MINORS.table("1", "ranks", rows)
    found = {key: {"rank": int(torch.linalg.matrix_rank(tensor(one)))} for key, one in matrices.items()}
    yield from RANKS.cells("1", "ranks", found)


def _lost(rows: Rows, v: Vector) -> Fraction | None:
    """The product of v with the vector that a matrix of rank 2 loses."""
    if rank_by_minors(rows) == 3:
        return None
    return sum((a * b for a, b in zip(across(rows), v, strict=True)), Fraction(0))


def _matrix(key: str, place: int, rows: Rows, v: Vector, *, reached: bool) -> Iterator[Found]:
    columns: list[Vector] = list(zip(*rows, strict=True))
    full = rank_by_minors(rows) == 3
    yield from SHEET.part(key, f"Matrix {place}")
    yield from entries_found(SHEET, key, "entries", rows)
    yield from MINORS.table(key, "reduction", _reduction("R", rows, ("1", "2", "3")), headings=_headings("1", "2", "3"))
    augmented = [(*row, value) for row, value in zip(columns, v, strict=True)]
    system = _reduction("E", augmented, ("c1", "c2", "c3", "v"))
    yield from MINORS.table(key, "system", system, headings=_headings("c1", "c2", "c3", "v"))
    yield from MINORS.values(key, rank=rank_by_minors(rows), independent=full, dependent=not full)
    yield from CRAMER.values(key, outside=not reached, in_plane=reached and not full)
    if not full:
        yield from vector_found(CRAMER, key, "null", across(rows))
        yield from vector_found(CRAMER, key, "relation", across(columns))
    if not reached:
        row = next(one for one in reversed(system.values()) if one["v"] and not any(one[name] for name in ("c1", "c2", "c3")))
        yield from MINORS.values(key, contradicting_row=row["row"], contradiction=row["v"])
    places = zip(("R1", "R2", "R3", "v"), along_first_rows(rows, v), strict=True)
    frame = {name: dict(zip(("along", "beside", "across"), one, strict=True)) for name, one in places}
    yield from CRAMER.table(key, "frame", frame)


def _headings(*columns: str) -> dict[str, str | Math]:
    return {"computed": "Computed as", **{one: one for one in columns}}


def _reduction(letter: str, rows: Rows, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows as given, then every operation as it is said, with the row that it makes."""
    told = {f"given_{i}": (i, "given", row) for i, row in enumerate(rows, 1)}
    for number, (target, factor, source, row) in enumerate(echelon(rows, 3), 1):
        times = f"{abs(factor)}·".removeprefix("1·") if abs(factor).denominator == 1 else f"{abs(factor)}·"
        said = f"{letter}{target + 1} {'+' if factor > 0 else '−'} {times}{letter}{source + 1}"
        told[f"step_{number}"] = (target + 1, said, row)
    return {
        key: {"row": f"{letter}{i}", "computed": said, **dict(zip(columns, row, strict=True))}
        for key, (i, said, row) in told.items()
    }
