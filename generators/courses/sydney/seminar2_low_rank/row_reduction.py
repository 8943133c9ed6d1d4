"""Exact row reduction, operation by operation, and a combination of columns; matrices are sympy's.

Rows are only ever changed by adding a multiple of another row, so that the determinant stays as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import sympy


class Operation(NamedTuple):
    """Row `target` became itself plus `factor` times row `source`; rows count from 0."""

    target: int
    factor: sympy.Rational
    source: int
    row: list[sympy.Rational]


def reduced(matrix: sympy.Matrix, n_columns: int) -> list[Operation]:
    """What brings a matrix to echelon form; pivots are looked for in the first `n_columns`."""
    rows, top = sympy.Matrix(matrix), 0
    operations: list[Operation] = []

    def add(target: int, factor: sympy.Rational, source: int) -> None:
        rows[target, :] += factor * rows[source, :]
        operations.append(Operation(target, factor, source, list(rows[target, :])))

    for column in range(n_columns):
        below = [number for number in range(top, rows.rows) if rows[number, column]]
        if not below:
            continue
        if below[0] != top:
            add(top, sympy.Integer(1), below[0])
        for number in below:
            if number != top:
                add(number, -rows[number, column] / rows[top, column], top)
        top += 1
    return operations


def solution(matrix: sympy.Matrix, right: sympy.Matrix) -> sympy.Matrix | None:
    """Some x with matrix·x = right, 0 in columns without a pivot; None where there is none."""
    try:
        found, free = matrix.gauss_jordan_solve(right)
    except ValueError:
        return None
    return found.subs(dict.fromkeys(free, 0))
