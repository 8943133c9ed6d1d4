"""Orders of growth: the fastest-growing terms of a counted polynomial."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

ORDER = sympy.Function("O")

Direction = Sequence[int]
"""How the variables grow together, as the power of one size that each of them is: (1, 0, 2) is x and z = x²."""


def leading_terms(count: sympy.Expr, variables: Sequence[sympy.Symbol], directions: Sequence[Direction]) -> sympy.Expr:
    """The terms, without their coefficients, beside which no other term stays at least as large in every direction."""
    powers = sympy.Poly(count, *variables).monoms()
    kept = [one for one in powers if not any(other != one and _outgrows(other, one, directions) for other in powers)]
    return sum((sympy.prod(v**power for v, power in zip(variables, one, strict=True)) for one in kept), sympy.Integer(0))


def _outgrows(above: Direction, below: Direction, directions: Sequence[Direction]) -> bool:
    """Whether above/below shrinks in no direction."""
    gaps = [a - b for a, b in zip(above, below, strict=True)]
    return all(sum(gap * way for gap, way in zip(gaps, direction, strict=True)) >= 0 for direction in directions)
