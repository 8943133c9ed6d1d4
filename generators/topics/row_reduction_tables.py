"""Tables of exact matrices: their entries, and a row reduction operation by operation."""

from __future__ import annotations

from generators.answer import Cell, exact
from generators.steps import Table
from generators.topics.row_reduction import Matrix, Reduction, Row


def entries_table(rows: Matrix) -> Table:
    """The entries, with columns numbered from 1."""
    header = tuple(map(str, range(1, len(rows[0]) + 1)))
    return Table(header=header, rows=tuple(tuple(map(exact, row)) for row in rows))


def column_table(vector: Row) -> Table:
    """A vector as a column."""
    return entries_table(tuple((value,) for value in vector))


def operations_table(matrix: Matrix, form: Reduction, letter: str) -> Table:
    """The rows as given, then each row that an operation changed."""
    rows: list[tuple[Cell, ...]] = [(f"{letter}{i}", "given", *map(exact, row)) for i, row in enumerate(matrix, 1)]
    for one in form.operations:
        sign, size = ("−" if one.factor < 0 else "+"), abs(one.factor)
        times = "" if size == 1 else f"{size}·"
        how = f"{letter}{one.target + 1} {sign} {times}{letter}{one.source + 1}"
        rows.append((f"{letter}{one.target + 1}", how, *map(exact, one.row)))
    columns = [str(number) for number in range(1, len(matrix[0]) + 1)]
    return Table(header=("Row", "Computed as", *columns), rows=tuple(rows))
