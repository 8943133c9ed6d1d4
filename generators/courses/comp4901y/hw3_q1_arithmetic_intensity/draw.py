"""Draws every product on every accelerator's roofline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from generators.answer import Answer, Figure
from generators.cells import Quantity, rational
from generators.depending import greatest, least
from generators.figures.lines import Axis, Line, line_figure
from generators.table import Table

LONGEST_NAME = 24
"""Letters that have room beside the plot."""


def draw(answer: Answer) -> dict[str, Figure]:
    """The rooflines of the accelerators, where the elements are those of the makers' peaks."""
    return {part.label: _rooflines(part["accelerators"], part["share_of_peak"]) for part in answer.starting("roofline")}


def _rooflines(accelerators: Table, products: Table) -> Figure:
    """Attainable TFLOP/s over intensity: bandwidth times intensity up to the ridge point, the peak from there on."""
    both = (products["intensity"], accelerators["ridge"])
    intensities, ridges = ([rational(cell) for cell in series.cells.values()] for series in both)
    ends = least(*intensities, *ridges) / 2, 2 * greatest(*intensities, *ridges)
    lines = [_roof(row, ends, intensities, (accelerators.address, products.address)) for row in accelerators]
    return line_figure(
        lines,
        Axis("arithmetic intensity, FLOP/B", "log"),
        Axis("attainable TFLOP/s", "log"),
        caption="Each mark is a product at its intensity. On the slope it waits for memory, on the flat roof for arithmetic.",
    )


def _roof(row: dict[str, Quantity], ends: tuple[Any, Any], intensities: Sequence[Any], shows: tuple[str, ...]) -> Line:
    peak, ridge, gb_per_s = (rational(row[key].value) for key in ("peak", "ridge", "bandwidth"))
    low, high = ends
    points, marked = ([(x, least(peak, x * gb_per_s / 1000)) for x in xs] for xs in ([low, ridge, high], intensities))
    name = str(row["name"].value)
    shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return Line(shown, points, tuple(marked), shows=shows)
