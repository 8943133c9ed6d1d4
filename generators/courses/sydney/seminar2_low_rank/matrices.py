"""Parts about the slide's matrices: determinants, ranks, what a matrix loses, and the vector in the span of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import sympy

from generators.answer import Item, Part, claim, number, part, text
from generators.cells import Math, Value, exact
from generators.table import Table, column, table

Matrices = Mapping[str, sympy.Matrix]


def entries(key: str, rows: sympy.Matrix) -> Table:
    """A matrix, its rows and columns numbered from 1; a vector is one column."""
    columns = [str(place) for place in range(1, rows.cols + 1)]
    return table(key, columns, {str(i): [*map(exact, row)] for i, row in enumerate(rows.tolist(), 1)})


def matrix_part(key: str, place: int, matrix: sympy.Matrix, u: sympy.Matrix) -> Part:
    """A matrix, what it loses, and where the vector lies."""
    full, found = matrix.rank() == 3, _factors(matrix, u)
    rank: list[Item] = [
        number("rank", matrix.rank()),
        text("expansion", _expansion(matrix)),
        claim("independent", full, "the rows are independent"),
        claim("dependent", not full),
    ]
    if found:
        rank.append(entries("factors", sympy.Matrix(found)))
    if full:
        return part(key, f"Matrix {place}", entries("entries", matrix), *rank)
    pairs, lost = combinations(range(3), 2), matrix.nullspace()[0]
    pair = next(f"{i + 1} and {j + 1}" for i, j in pairs if matrix.extract([i, j], [0, 1, 2]).rank() == 2)
    return part(
        key,
        f"Matrix {place}",
        entries("entries", matrix),
        *rank,
        text("pair", pair),
        entries("null", lost),
        number("normal_product", exact(lost.dot(u)), "ν·u"),
        entries("relation", matrix.T.nullspace()[0]),
        claim("outside", found is None, "the vector is outside the plane of the rows"),
        claim("in_plane", found is not None, "the vector lies in the plane of the rows"),
    )


def _expansion(matrix: sympy.Matrix) -> Math:
    """The determinant along the first row: a sum of entries times cofactors."""
    pairs = ((matrix[0, j], matrix.cofactor(0, j)) for j in range(3))
    terms = (r" \cdot ".join(f"({sympy.latex(x)})" if x < 0 else sympy.latex(x) for x in pair) for pair in pairs)
    return Math(rf"\det Z = {' + '.join(terms)} = {sympy.latex(matrix.det())}".replace("- ", "-"))


def rank_part(matrices: Matrices) -> Part:
    """Ranks and determinants."""
    ranks = {key: (place, one.rank(), exact(one.det())) for place, (key, one) in enumerate(matrices.items(), 1)}
    return part("1", "Rank", table("ranks", ["matrix", "rank", "determinant"], ranks, asked=True))


def span_part(matrices: Matrices, u: sympy.Matrix) -> Part:
    """Which vectors the rows do not give, and whether they give this one."""
    rows = {
        key: (place, _out_of_reach(one), "yes" if _factors(one, u) else "no")
        for place, (key, one) in enumerate(matrices.items(), 1)
    }
    return part("2", "Span", table("spans", ["matrix", "not_reached", column("combination", "u reached")], rows, asked=True))


def _out_of_reach(matrix: sympy.Matrix) -> Math | str:
    """The vectors that are not at right angles to what the matrix loses."""
    lost = matrix.nullspace()
    return Math(rf"u' \text{{ with }} ({', '.join(map(str, lost[0]))}) \cdot u' \ne 0") if lost else "none"


def _factors(matrix: sympy.Matrix, u: sympy.Matrix) -> list[Value] | None:
    """Some μ with μᵀZ = uᵀ, 0 for rows that depend on those above; None where there is none."""
    try:
        found, free = matrix.T.gauss_jordan_solve(u)
    except ValueError:
        return None
    return [*map(exact, found.subs(dict.fromkeys(free, 0)))]
