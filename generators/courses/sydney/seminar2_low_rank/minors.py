"""Rank, null vectors, combinations and echelon forms of small exact matrices by determinants of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, permutations
from math import prod

Vector = tuple[Fraction, ...]
Rows = Sequence[Vector]
Operation = tuple[int, Fraction, int, Vector]
"""Target, factor and source, rows counted from 0, and what the target became."""


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


def across(rows: Rows) -> Vector:
    """A vector at right angles to rows of rank 2, by the cross product of two of them; its last entry but zeros is 1."""
    crossed = (
        (b * f - c * e, c * d - a * f, a * e - b * d) for (a, b, c), (d, e, f) in combinations(rows, 2)
    )  # fmt: skip
    found = next(one for one in crossed if any(one))
    last = next(value for value in reversed(found) if value)
    return tuple(value / last for value in found)


def combination(rows: Rows, vector: Vector) -> Vector | None:
    """Factors of three rows that give the vector, 0 for a row that depends on those before it; None outside their span."""
    kept = [i for i in range(3) if rank_by_minors(rows[: i + 1]) > (rank_by_minors(rows[:i]) if i else 0)]
    if rank_by_minors([*rows, vector]) > len(kept):
        return None
    chosen = [rows[i] for i in kept]
    square, columns = next(
        (part, columns)
        for columns in combinations(range(3), len(kept))
        if determinant(part := [tuple(row[j] for j in columns) for row in chosen])
    )
    target = tuple(vector[j] for j in columns)
    factors = dict.fromkeys(range(3), Fraction(0))
    for place, i in enumerate(kept):
        factors[i] = determinant([*square[:place], target, *square[place + 1 :]]) / determinant(square)
    return tuple(factors.values())


def along_first_rows(rows: Rows, vector: Vector) -> list[Vector]:
    """All rows and the vector, along the first two rows that are independent and across their plane, by Cramer's rule."""
    a, b = next(pair for pair in combinations(rows, 2) if rank_by_minors(pair) == 2)
    return [combination((a, b, across((a, b))), one) or () for one in (*rows, vector)]


def echelon(rows: Rows, n_columns: int) -> list[Operation]:
    """The operations that bring rows to echelon form, top to bottom and left to right; each entry is a ratio of minors.

    Where the next row has a zero in the column, the first row below without one is added to it. Elimination is linear, so
    that this equals having added them before the first step.
    """
    now, pivots, done = list(rows), list[int](), list[Operation]()
    for column in range(n_columns):
        top = len(pivots)
        level = {i: _eliminated(now, pivots, i) for i in range(top, len(now))}
        below = [i for i, row in level.items() if row[column]]
        if not below:
            continue
        if below[0] != top:
            now[top] = tuple(a + b for a, b in zip(now[top], now[below[0]], strict=True))
            level[top] = _eliminated(now, pivots, top)
            done.append((top, Fraction(1), below[0], level[top]))
        pivots.append(column)
        for i in below:
            if i != top:
                done.append((i, -level[i][column] / level[top][column], top, _eliminated(now, pivots, i)))
    return done


def _eliminated(rows: Rows, pivots: Sequence[int], i: int) -> Vector:
    """Row i after the pivots' columns are cleared below their rows: minors bordered by it, over the pivots' own."""
    above = rows[: len(pivots)]
    own = determinant([tuple(row[j] for j in pivots) for row in above])
    bordered = ([tuple(row[k] for k in (*pivots, j)) for row in (*above, rows[i])] for j in range(len(rows[i])))
    return tuple(determinant(one) / own for one in bordered)
