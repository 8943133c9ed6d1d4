"""Quartiles of what was measured, and the sizes of what was stored."""

from __future__ import annotations

from generators.recording import Series

PER_SECOND_MS = 1000
ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}


def in_ms(series: Series) -> tuple[float, float, float]:
    """Median, first and third quartile of a series of seconds, in milliseconds."""
    low, high = series.spread
    return PER_SECOND_MS * series.median, PER_SECOND_MS * low, PER_SECOND_MS * high
