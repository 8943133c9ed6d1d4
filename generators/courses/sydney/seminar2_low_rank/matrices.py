"""Parts about the slide's matrices: determinants, ranks, what a matrix loses, and the vector in the span of its rows."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from generators.answer import Item, Part, claim, number, part
from generators.cells import Value, exact
from generators.table import Table, column, table

Matrices = Mapping[str, sympy.Matrix]
FACTORS = ("y1", "y2", "y3")


def entries(key: str, rows: sympy.Matrix) -> Table:
    """A matrix, its rows and columns numbered from 1; a vector is one column."""
    columns = [str(place) for place in range(1, rows.cols + 1)]
    return table(key, columns, {str(i): [*map(exact, row)] for i, row in enumerate(rows.tolist(), 1)})


def matrix_part(key: str, place: int, matrix: sympy.Matrix, v: sympy.Matrix) -> Part:
    """A matrix, what it loses, and where the vector lies."""
    full = matrix.rank() == 3
    rank: list[Item] = [
        number("rank", matrix.rank()),
        claim("independent", full, "the rows are independent"),
        claim("dependent", not full),
    ]
    if full:
        return part(key, f"Matrix {place}", entries("entries", matrix), *rank)
    reached = _factors(matrix, v) is not None
    return part(
        key,
        f"Matrix {place}",
        entries("entries", matrix),
        *rank,
        entries("null", matrix.nullspace()[0]),
        entries("relation", matrix.T.nullspace()[0]),
        claim("outside", not reached, "the vector is outside the plane of the rows"),
        claim("in_plane", reached, "the vector lies in the plane of the rows"),
    )


def rank_part(matrices: Matrices) -> Part:
    """Ranks and determinants."""
    ranks = {key: (place, one.rank(), exact(one.det())) for place, (key, one) in enumerate(matrices.items(), 1)}
    return part("1", "Rank", table("ranks", ["matrix", "rank", "determinant"], ranks, asked=True))


def span_part(matrices: Matrices, v: sympy.Matrix) -> Part:
    """Which factors of the rows give the vector, and its product with what the matrix loses."""
    rows = {}
    for place, (key, matrix) in enumerate(matrices.items(), 1):
        found, lost = _factors(matrix, v), matrix.nullspace()
        rows[key] = (place, "yes" if found else "no", exact(lost[0].dot(v)) if lost else None, *(found or (None,) * 3))
    columns = [column("normal_product", "n·v"), *(column(one, one) for one in FACTORS)]
    return part("2", "Span", table("spans", ["matrix", "in_the_span", *columns], rows, asked=True))


def _factors(matrix: sympy.Matrix, v: sympy.Matrix) -> list[Value] | None:
    """Some y with yᵀM = vᵀ, 0 for rows that depend on those above; None where there is none."""
    try:
        found, free = matrix.T.gauss_jordan_solve(v)
    except ValueError:
        return None
    return [*map(exact, found.subs(dict.fromkeys(free, 0)))]
