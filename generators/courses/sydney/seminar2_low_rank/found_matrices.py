"""Finds ranks, null vectors and combinations of the slide's matrices by permutations, cross products and Cramer's rule.

From the slides: two 3×3 matrices of rank 3 and 2, whose rows are the vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, permutations
from math import prod
from typing import Any

from generators.cells import Math
from generators.found import Found, Route

SHEET = Route("the slides and the parameters, read again", restates=True)
LEIBNIZ = Route("Leibniz' sum over all permutations")
CRAMER = Route("Cramer's rule and cross products")
GIVEN = dict.fromkeys(("matrix",), SHEET)
Vector = tuple[Fraction, ...]
Rows = Sequence[Vector]


def entries_found(route: Route, part: str, key: str, rows: Sequence[Sequence[Any]]) -> Iterator[Found]:
    """A matrix, its rows and columns numbered from 1."""
    columns = [str(j) for j in range(1, len(rows[0]) + 1)]
    yield from route.table(part, key, {str(i): row for i, row in enumerate(rows, 1)}, columns=columns)


def matrices_found(matrices: Mapping[str, Rows], u: Vector) -> Iterator[Found]:
    """What is published about every matrix, and about u in the span of its rows."""
    ranks, spans = {}, {}
    for place, (key, rows) in enumerate(matrices.items(), 1):
        ranks[key] = (place, _rank(rows), determinant(rows))
        lost = "none" if _rank(rows) == 3 else Math(rf"u' \text{{ with }} ({', '.join(map(str, across(rows)))}) \cdot u' \ne 0")
        spans[key] = (place, lost, "yes" if combination(rows, u) else "no")
        yield from _matrix(key, place, rows, u)
    yield from SHEET.part("1", "Rank")
    yield from LEIBNIZ.table("1", "ranks", ranks, columns=("matrix", "rank", "determinant"), given=GIVEN)
    yield from SHEET.part("2", "Span")
    yield from CRAMER.table(
        "2", "spans", spans, headings={"combination": "u reached"}, columns=("matrix", "not_reached", "combination"), given=GIVEN
    )


def _matrix(key: str, place: int, rows: Rows, u: Vector) -> Iterator[Found]:
    full, found = _rank(rows) == 3, combination(rows, u)
    yield from SHEET.part(key, f"Matrix {place}")
    yield from entries_found(SHEET, key, "entries", rows)
    terms = " + ".join(rf"{_latex(a)} \cdot {_latex(b)}" for a, b in zip(rows[0], _crossed(rows[1], rows[2]), strict=True))
    total = _latex(determinant(rows)).strip("()")
    yield from CRAMER.values(key, expansion=Math(rf"\det Z = {terms} = {total}"))
    yield from LEIBNIZ.values(key, rank=_rank(rows), independent=full, dependent=not full)
    if found:
        yield from entries_found(CRAMER, key, "factors", [[value] for value in found])
    if not full:
        pair = " and ".join(str(place + 1) for place in _independent(rows))
        yield from CRAMER.values(key, outside=found is None, in_plane=found is not None, pair=pair)
        yield from CRAMER.values(key, normal_product=sum(a * b for a, b in zip(across(rows), u, strict=True)))
        yield from entries_found(CRAMER, key, "null", [[value] for value in across(rows)])
        yield from entries_found(CRAMER, key, "relation", [[value] for value in across(list(zip(*rows, strict=True)))])


def _latex(number: Fraction) -> str:
    """A factor: digits or a fraction, in brackets where negative."""
    text = str(abs(number)) if number == int(number) else rf"\frac{{{abs(number.numerator)}}}{{{number.denominator}}}"
    return f"(-{text})" if number < 0 else text


def determinant(rows: Rows) -> Fraction:
    """The sum over all permutations."""
    total = Fraction(0)
    for order in permutations(range(3)):
        inversions = sum(a > b for a, b in combinations(order, 2))
        total += (-1) ** inversions * prod((rows[i][j] for i, j in enumerate(order)), start=Fraction(1))
    return total


def _rank(rows: Rows) -> int:
    """The parameters hold no matrix of rank below 2."""
    return 3 if determinant(rows) else 2


def _crossed(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def across(rows: Rows) -> Vector:
    """A vector at right angles to rows of rank 2; its last entry but zeros is 1."""
    found = next(one for one in (_crossed(a, b) for a, b in combinations(rows, 2)) if any(one))
    last = next(value for value in reversed(found) if value)
    return tuple(value / last for value in found)


def _independent(rows: Rows) -> tuple[int, int]:
    """The first two rows that are not multiples of each other."""
    return next((i, j) for i, j in combinations(range(3), 2) if any(_crossed(rows[i], rows[j])))


def combination(rows: Rows, u: Vector) -> Vector | None:
    """Factors of three rows that give u, 0 for a row that depends on those above it; None outside their span."""
    if _rank(rows) == 3:
        return tuple(determinant([*rows[:i], u, *rows[i + 1 :]]) / determinant(rows) for i in range(3))
    i, j = _independent(rows)
    by_i, by_j, left = combination((rows[i], rows[j], across(rows)), u) or ()
    return None if left else tuple({i: by_i, j: by_j}.get(place, Fraction(0)) for place in range(3))
