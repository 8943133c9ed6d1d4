"""All ways to share ranks among modules, and what each leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

Ranks = tuple[int, ...]
Spectra = Sequence[Sequence[Fraction]]


def left_out(spectra: Spectra, ranks: Ranks) -> Fraction:
    """Half the squares of the singular values behind the ranks."""
    return sum((s * s for values, rank in zip(spectra, ranks, strict=True) for s in values[rank:]), Fraction(0)) / 2


def best_allocation(spectra: Spectra, budget: int) -> tuple[Ranks, Fraction]:
    """Of all allocations within the budget the one of least error, of equal ones that with more for the first modules."""
    allocations = (ranks for ranks in product(*(range(len(one) + 1) for one in spectra)) if sum(ranks) <= budget)
    error, negative = min((left_out(spectra, ranks), tuple(-rank for rank in ranks)) for ranks in allocations)
    return tuple(-rank for rank in negative), error
