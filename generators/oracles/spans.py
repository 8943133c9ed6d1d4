"""Finds rank, null vectors and spans of 3×3 matrices again: by determinants of parts, Cramer's rule, and torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, permutations
from math import prod
from typing import TYPE_CHECKING

from generators.answer import Cell, rational
from generators.oracles.compare import same, same_rows
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_low_rank import LowRankPageParams

MINORS = "enumeration of all minors"
CRAMER = "Cramer's rule, minors"
REPLAYED = "every operation replayed"
OPERATION = re.compile(r"([RE])(\d) ([+−]) (?:([\d/]+)·)?[RE](\d)")

Vector = tuple[Fraction, ...]
Rows = Sequence[Vector]


def determinant(rows: Rows) -> Fraction:
    """Leibniz' sum over all permutations."""
    total = Fraction(0)
    for order in permutations(range(len(rows))):
        inversions = sum(a > b for a, b in combinations(order, 2))
        total += (-1) ** inversions * prod((rows[i][j] for i, j in enumerate(order)), start=Fraction(1))
    return total


def rank_by_minors(rows: Rows) -> int:
    """The size of the largest square part whose determinant is not zero."""
    height, width = len(rows), len(rows[0])
    for size in range(min(height, width), 0, -1):
        for chosen in combinations(range(height), size):
            for columns in combinations(range(width), size):
                if determinant([tuple(rows[i][j] for j in columns) for i in chosen]):
                    return size
    return 0


def across(rows: Rows) -> Vector | None:
    """A vector at right angles to rows of rank 2, by the cross product of two of them; its last entry but zeros is 1."""
    for (a, b, c), (d, e, f) in combinations(rows, 2):
        found = (b * f - c * e, c * d - a * f, a * e - b * d)
        if any(found):
            last = next(value for value in reversed(found) if value)
            return tuple(value / last for value in found)
    return None


def combination(rows: Rows, vector: Vector) -> Vector | None:
    """Factors of the rows that give the vector, 0 for a row that depends on those before it; None outside their span."""
    kept = [i for i in range(3) if rank_by_minors(rows[: i + 1]) > (rank_by_minors(rows[:i]) if i else 0)]
    if rank_by_minors([*rows, vector]) > len(kept):
        return None
    chosen = [rows[i] for i in kept]
    for columns in combinations(range(3), len(kept)):
        square = [tuple(row[j] for j in columns) for row in chosen]
        whole = determinant(square)
        if whole:
            target = tuple(vector[j] for j in columns)
            factors = dict.fromkeys(range(3), Fraction(0))
            for place, i in enumerate(kept):
                factors[i] = determinant([*square[:place], target, *square[place + 1 :]]) / whole
            return tuple(factors.values())
    return None


def _columns(rows: Rows) -> list[Vector]:
    return list(zip(*rows, strict=True))


def verify_spans(params: LowRankPageParams, answer: Answer) -> Iterator[Check]:
    """Check every matrix, its reductions, its null vectors, and whether the vector is in the span of its rows."""
    vector = tuple(map(Fraction, params.vector))
    matrices = [[tuple(map(Fraction, row)) for row in rows] for rows in params.matrices]
    ranks: list[tuple[Cell, ...]] = []
    spans: list[tuple[Cell, ...]] = []
    for number, rows in enumerate(matrices, 1):
        yield from _check_matrix(number, rows, answer["1"])
        system = answer["2"].tables[f"system_{number}"]
        yield from _replayed(
            f"2, system of matrix {number}", system, [(*row, v) for row, v in zip(_columns(rows), vector, strict=True)]
        )
        ranks.append((number, rank_by_minors(rows), determinant(rows)))
        spans.append((number, *_span(rows, vector)))
    yield same_rows("1, ranks and determinants", answer["1"].tables["ranks"], ranks, f"{MINORS}, Leibniz' formula")
    yield _with_torch(matrices, answer["1"].tables["ranks"])
    yield same_rows("2, the vector as a combination of rows", answer["2"].tables["spans"], spans, CRAMER)


def _span(rows: Rows, vector: Vector) -> tuple[Cell, ...]:
    factors = combination(rows, vector)
    normal = across(rows) if rank_by_minors(rows) == 2 else None
    product = None if normal is None else sum((a * b for a, b in zip(normal, vector, strict=True)), Fraction(0))
    return ("no" if factors is None else "yes", *((None,) * 3 if factors is None else factors), product)


def _check_matrix(number: int, rows: Rows, part: Part) -> Iterator[Check]:
    yield same_rows(f"1, matrix {number}", part.tables[f"matrix_{number}"], rows, "the parameters")
    yield from _replayed(f"1, reduction of matrix {number}", part.tables[f"reduction_{number}"], rows)
    if f"null_{number}" in part.tables:
        for name, of in (("null", rows), ("relation", _columns(rows))):
            found = [(value,) for value in across(of) or ()]
            yield same_rows(f"1, {name} vector of matrix {number}", part.tables[f"{name}_{number}"], found, "cross product")
    full = rank_by_minors(rows) == 3
    yield same(f"1, matrix {number} has a null vector", f"null_{number}" in part.tables, not full, MINORS)


def _replayed(what: str, table: Table, rows: Rows) -> Iterator[Check]:
    """Do what the published operations say, and see that they end with steps of zeros."""
    now = list(rows)
    letter = str(table.rows[0][0])[0]
    found: list[tuple[Cell, ...]] = [(f"{letter}{i}", "given", *row) for i, row in enumerate(rows, 1)]
    for published in table.rows[len(rows) :]:
        match = OPERATION.fullmatch(str(published[1]))
        if match is None:
            yield same(f"{what}: an operation on rows", published[1], None, REPLAYED)
            return
        target, source = int(match[2]) - 1, int(match[5]) - 1
        factor = Fraction(match[4] or 1) * (-1 if match[3] == "−" else 1)
        now[target] = tuple(a + factor * b for a, b in zip(now[target], now[source], strict=True))
        found.append((f"{match[1]}{target + 1}", published[1], *now[target]))
    yield same_rows(what, table, found, REPLAYED)
    leading = [next((j for j, value in enumerate(row) if value), len(row) + i) for i, row in enumerate(now)]
    yield same(f"{what} ends with steps of zeros", leading == sorted(set(leading)), True, REPLAYED)


def _with_torch(matrices: Sequence[Rows], table: Table) -> Check:
    import torch

    found = [int(torch.linalg.matrix_rank(torch.tensor([list(map(float, row)) for row in rows]).double())) for rows in matrices]
    published = [int(rational(rank)) for rank in table.column("Rank")]
    return same("1, ranks", ", ".join(map(str, published)), ", ".join(map(str, found)), "torch.linalg.matrix_rank")
