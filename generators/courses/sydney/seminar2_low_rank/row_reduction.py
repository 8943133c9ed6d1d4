"""Exact row reduction: echelon form with every operation, rank, null vectors and solutions.

Rows are only ever changed by adding a multiple of another row, so that the determinant stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TypeAlias

Row: TypeAlias = tuple[Fraction, ...]
Matrix: TypeAlias = tuple[Row, ...]


@dataclass(frozen=True)
class Operation:
    """Row `target` became itself plus `factor` times row `source`; rows count from 0."""

    target: int
    factor: Fraction
    source: int
    row: Row


@dataclass(frozen=True)
class Reduction:
    """The echelon form, the operations that led to it, and the columns of its pivots, one a row from the top."""

    operations: tuple[Operation, ...]
    rows: Matrix
    pivots: tuple[int, ...]

    @property
    def rank(self) -> int:
        """How many rows are independent."""
        return len(self.pivots)


def exact_matrix(rows: Sequence[Sequence[Fraction | int]]) -> Matrix:
    """Rows as tuples of fractions."""
    return tuple(tuple(map(Fraction, row)) for row in rows)


def reduced(matrix: Matrix, n_columns: int | None = None) -> Reduction:
    """Bring a matrix to echelon form; pivots are looked for in the first `n_columns`, by default in all."""
    rows = list(matrix)
    operations: list[Operation] = []
    pivots: list[int] = []

    def add(target: int, factor: Fraction, source: int) -> None:
        rows[target] = tuple(a + factor * b for a, b in zip(rows[target], rows[source], strict=True))
        operations.append(Operation(target, factor, source, rows[target]))

    for column in range(len(matrix[0]) if n_columns is None else n_columns):
        top = len(pivots)
        below = [number for number in range(top, len(rows)) if rows[number][column]]
        if not below:
            continue
        if below[0] != top:
            add(top, Fraction(1), below[0])
        for number in below:
            if number != top:
                add(number, -rows[number][column] / rows[top][column], top)
        pivots.append(column)
    return Reduction(tuple(operations), tuple(rows), tuple(pivots))


def rank(matrix: Matrix) -> int:
    """How many rows, and as many columns, are independent."""
    return reduced(matrix).rank


def determinant(matrix: Matrix) -> Fraction:
    """Of a square matrix: the product of the echelon form's diagonal."""
    product = Fraction(1)
    for number, row in enumerate(reduced(matrix).rows):
        product *= row[number]
    return product


def null_vectors(matrix: Matrix) -> list[Row]:
    """A basis of all x with matrix·x = 0: one vector for each column without a pivot, 1 there and 0 in other such columns."""
    form, width = reduced(matrix), len(matrix[0])
    found = []
    for free in (column for column in range(width) if column not in form.pivots):
        x = [Fraction(int(column == free)) for column in range(width)]
        for row, pivot in reversed(list(zip(form.rows, form.pivots, strict=False))):
            x[pivot] = -sum((row[k] * x[k] for k in range(pivot + 1, width)), Fraction(0)) / row[pivot]
        found.append(tuple(x))
    return found


def with_column(matrix: Matrix, column: Row) -> Matrix:
    """The augmented matrix."""
    return tuple((*row, value) for row, value in zip(matrix, column, strict=True))


def solution(matrix: Matrix, right: Row) -> Row | None:
    """Some x with matrix·x = right, 0 in columns without a pivot; None where a row says that 0 is something else."""
    width = len(matrix[0])
    form = reduced(with_column(matrix, right), width)
    if any(row[width] for row in form.rows[form.rank :]):
        return None
    x = [Fraction(0)] * width
    for row, pivot in reversed(list(zip(form.rows, form.pivots, strict=False))):
        x[pivot] = (row[width] - sum((row[k] * x[k] for k in range(pivot + 1, width)), Fraction(0))) / row[pivot]
    return tuple(x)


def transposed(matrix: Matrix) -> Matrix:
    """Columns as rows."""
    return tuple(zip(*matrix, strict=True))


def product(left: Matrix, right: Matrix) -> Matrix:
    """The matrix product."""
    columns = transposed(right)
    return tuple(tuple(dot(row, column) for column in columns) for row in left)


def applied(matrix: Matrix, x: Row) -> Row:
    """The matrix times a vector."""
    return tuple(dot(row, x) for row in matrix)


def dot(left: Row, right: Row) -> Fraction:
    """The scalar product of two vectors."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def added(left: Matrix, right: Matrix, factor: Fraction = Fraction(1)) -> Matrix:
    """Left + factor·right."""
    return tuple(tuple(a + factor * b for a, b in zip(*rows, strict=True)) for rows in zip(left, right, strict=True))


def squares(matrix: Matrix) -> Fraction:
    """The sum of all squared entries."""
    return sum((value * value for row in matrix for value in row), Fraction(0))


def in_frame(rows: Matrix, vector: Row) -> list[tuple[str, Row]]:
    """All rows (R1, R2 ...) and `vector` (v), along the first two independent rows and across their plane.

    The matrix is 3×3 and of rank 2 or more.
    """
    a, b = next((a, b) for a, b in combinations(rows, 2) if rank((a, b)) == 2)
    across = null_vectors((a, b))[0]
    frame = transposed((a, b, across))
    named = [*((f"R{i}", row) for i, row in enumerate(rows, 1)), ("v", vector)]
    return [(name, solution(frame, one) or ()) for name, one in named]
