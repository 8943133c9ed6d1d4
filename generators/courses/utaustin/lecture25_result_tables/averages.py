"""What a printed average says about the scores it was taken from: whether rounding gives or explains it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from statistics import median


def mean(numbers: Sequence[Fraction]) -> Fraction:
    """The exact mean."""
    return sum(numbers, Fraction(0)) / len(numbers)


def verdict(printed: Fraction, exact: Fraction, decimals: int) -> str:
    """Whether the exact number rounds to the printed one; it may lie halfway between two printed numbers."""
    off = abs(printed - exact) * 10**decimals
    if off == Fraction(1, 2):
        return "half case"
    return "yes" if off < Fraction(1, 2) else "no"


def explained(printed: Fraction, exact: Fraction, decimals: int) -> bool:
    """Whether a mean of numbers that were rounded themselves can be the printed one: each may be off by half a unit."""
    return abs(printed - exact) <= Fraction(1, 10**decimals)


def likely_swaps(rows: Sequence[Sequence[Fraction]], margin: Fraction) -> list[tuple[int, int, int]]:
    """Row and two columns whose values would each lie nearer, by the margin, to the other column's median without the row."""
    found = []
    for number, row in enumerate(rows):
        others = [other for place, other in enumerate(rows) if place != number]
        medians = [median(column) for column in zip(*others, strict=True)]
        for i, j in combinations(range(len(row)), 2):
            nearer = (
                abs(row[i] - medians[i]) - abs(row[j] - medians[i]),
                abs(row[j] - medians[j]) - abs(row[i] - medians[j]),
            )
            if min(nearer) >= margin:
                found.append((number, i, j))
    return found
