"""Finds orders of growth by measuring: each size is doubled where it alone, or others with it, is large; for `find`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any, TypeAlias

import sympy

from generators.courses.ift6135.a2_q2_decoding.line_counts import line_by_line

Count: TypeAlias = Callable[[Mapping[str, int]], int]
LARGE = {"T": 2**13, "B": 2**8, "N": 2**20}
LONG, WIDE = {"T": 2**13, "B": 2, "N": 2}, {"T": 2, "B": 2**8, "N": 2**20}
"""Where the copies of prefixes outgrow the scores, and where the scores outgrow them."""
POWER = 0.03
"""How far two powers may lie apart; a logarithm more or less is at least log2(29/28) = 0.05, as BN is at most 2^28."""


def counted(*lines: str) -> Count:
    """The sum of some lines' counts."""
    return lambda sizes: sum(line_by_line(sizes["T"], sizes["B"], sizes["N"])[line] for line in lines)


def order(count: Count) -> sympy.Expr:
    """The terms that a count is made of where sequences are long, and where beam and vocabulary are large."""
    return _term(count, LONG) + _term(count, WIDE)


def _term(count: Count, at: Mapping[str, int]) -> sympy.Expr:
    """Powers are rounded to whole numbers; what is left over grows as the logarithm of a product of the sizes."""
    powers = {name: round(_power(count, at, name)) for name in at}
    symbols = {name: sympy.Symbol(name, positive=True) for name in at}
    slopes = {name: round(_slope(count, at, name, powers)) for name in at}
    term = sympy.prod([symbols[name] ** power for name, power in powers.items()])
    if any(slopes.values()):
        common = math.gcd(*slopes.values())
        term *= sympy.log(sympy.prod([symbols[name] ** (slope // common) for name, slope in slopes.items()]))
    return term


def _power(count: Count, at: Mapping[str, int], name: str) -> float:
    """With which power of a size a count grows when that is doubled."""
    return math.log2(count({**at, name: 2 * at[name]}) / count(at))


def _slope(count: Count, at: Mapping[str, int], name: str, powers: Mapping[str, int]) -> float:
    """By how much a count over its powers grows when a size is doubled: not at all, or steadily, as a logarithm does."""
    if at[name] < 2**8:
        return 0.0
    left, right = ({**at, name: at[name] // 2**3}, at)
    low, high = (
        Fraction(count(sizes), math.prod(sizes[one] ** power for one, power in powers.items())) for sizes in (left, right)
    )
    return float(high - low) / 3


def gap(found: sympy.Expr, count: Count) -> float:
    """How far the powers of an order and of a count lie apart at most, wherever any of the sizes are large."""
    return max(
        abs(math.log2(_at(found, after) / _at(found, before)) - math.log2(count(after) / count(before)))
        for before, after in _doublings()
    )


def _at(found: sympy.Expr, sizes: Mapping[str, int]) -> Any:
    return found.subs({symbol: sizes[str(symbol)] for symbol in found.free_symbols})


@lru_cache(maxsize=1)
def _doublings() -> list[tuple[dict[str, int], dict[str, int]]]:
    """Every choice of sizes to be large while the others are 2, and for each of those the sizes with it doubled."""
    corners = [dict(zip(LARGE, sizes, strict=True)) for sizes in product(*((2, large) for large in LARGE.values()))]
    return [(one, {**one, letter: 2 * size}) for one in corners for letter, size in one.items() if size > 2]
