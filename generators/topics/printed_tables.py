"""Numbers as a printed table gives them: all with the same decimals."""

from __future__ import annotations

from fractions import Fraction


def as_printed(number: Fraction, decimals: int) -> str:
    """The number with all its decimals, such as 36.0; a number that has more raises ValueError."""
    units = number * 10**decimals
    if units.denominator != 1:
        raise ValueError(f"must have at most {decimals} decimals (got {number})")
    whole, part = divmod(abs(units.numerator), 10**decimals)
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}.{part:0{decimals}}" if decimals else f"{sign}{whole}"
