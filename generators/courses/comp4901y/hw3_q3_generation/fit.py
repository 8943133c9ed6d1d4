"""A straight line through medians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Line:
    """y = intercept + slope·x."""

    intercept: Fraction
    slope: Fraction

    def at(self, x: int) -> Fraction:
        """The line's value at x."""
        return self.intercept + self.slope * x


def least_squares(xs: Sequence[int], ys: Sequence[float]) -> Line:
    """The line with the smallest sum of squared distances in y, exact for the floats given; needs two different xs."""
    points = [(Fraction(x), Fraction(y)) for x, y in zip(xs, ys, strict=True)]
    mean_x = sum((x for x, _ in points), Fraction(0)) / len(points)
    mean_y = sum((y for _, y in points), Fraction(0)) / len(points)
    across = sum(((x - mean_x) * (y - mean_y) for x, y in points), Fraction(0))
    slope = across / sum(((x - mean_x) ** 2 for x, _ in points), Fraction(0))
    return Line(mean_y - slope * mean_x, slope)
