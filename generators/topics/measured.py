"""What medians of a measurement say: a straight line through them, and tables of median and quartiles."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from generators.recording import Series

PER_SECOND_MS = 1000


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


def median(series: Series) -> float:
    """The median of a series, in its unit."""
    return statistics.median(series.samples)


def in_ms(series: Series) -> tuple[float, float, float]:
    """Median, first and third quartile of a series of seconds, in milliseconds."""
    low, high = series.spread
    return PER_SECOND_MS * series.median, PER_SECOND_MS * low, PER_SECOND_MS * high
