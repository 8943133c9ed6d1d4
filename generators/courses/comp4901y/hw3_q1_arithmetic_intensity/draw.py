"""Draws every product on every accelerator's roofline."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, Line, line_figure
from generators.table import Table

LONGEST_NAME = 24
"""Letters that have room beside the plot."""


def draw(answer: Answer) -> dict[str, Figure]:
    """The rooflines of the accelerators, where the elements are those of the makers' peaks."""
    return {part.label: _rooflines(part["accelerators"], part["share_of_peak"]) for part in answer.starting("roofline")}


def _rooflines(accelerators: Table, products: Table) -> Figure:
    """Attainable TFLOP/s over intensity: bandwidth times intensity up to the ridge point, the peak from there on."""
    intensities = sorted(products["intensity"].numbers.values())
    ridges = accelerators["ridge"].numbers.values()
    ends = min(*intensities, *ridges) / 2, 2 * max(*intensities, *ridges)
    lines = [_roof(row, ends, intensities, (accelerators.address, products.address)) for row in accelerators]
    return line_figure(
        lines,
        Axis("arithmetic intensity, FLOP/B", "log"),
        Axis("attainable TFLOP/s", "log"),
        caption="Each mark is a product at its intensity. On the slope it waits for memory, on the flat roof for arithmetic.",
    )


def _roof(row: dict[str, Quantity], ends: tuple[float, float], intensities: list[float], shows: tuple[str, ...]) -> Line:
    peak, per_intensity = float(row["peak"]), float(row["bandwidth"]) / 1000
    low, high = ends
    points, marked = ([(x, min(peak, x * per_intensity)) for x in xs] for xs in ([low, float(row["ridge"]), high], intensities))
    name = str(row["name"].value)
    shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return Line(shown, points, tuple(marked), shows=shows)
