"""Medians and quartiles of what was measured."""

from __future__ import annotations

import statistics

from generators.recording import Series

PER_SECOND_MS = 1000


def median(series: Series) -> float:
    """The median of a series, in its unit."""
    return statistics.median(series.samples)


def in_ms(series: Series) -> tuple[float, float, float]:
    """Median, first and third quartile of a series of seconds, in milliseconds."""
    low, high = series.spread
    return PER_SECOND_MS * series.median, PER_SECOND_MS * low, PER_SECOND_MS * high
