"""Throughput over latency for growing batches, and what the time of a step goes into."""

from __future__ import annotations

from collections.abc import Mapping

from generators.answer import Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.pipeline.wording import counted
from generators.steps import Table

Point = tuple[int, float, float]
"""Batch, latency of a token in ms, and throughput in tokens/s."""


def trade_off_figure(curves: Mapping[int, list[Point]], named: int) -> Figure:
    """Draw a line a context length through its batch sizes; those of the length `named` are written beside their marks."""
    lines = []
    for length, points in curves.items():
        places = [(latency, throughput) for _, latency, throughput in points]
        notes = tuple((x, y, str(batch)) for batch, x, y in points[:-1]) if length == named else ()
        lines.append(Line(f"{counted(length, 'token')}, up to {points[-1][0]}", places, tuple(places), notes))
    ends = "; ".join(
        f"{counted(length, 'token')}: from {points[0][2]:.0f} tokens/s at {points[0][1]:.3g} ms "
        f"to {points[-1][2]:.0f} at {points[-1][1]:.3g} ms with {counted(points[-1][0], 'sequence')}"
        for length, points in curves.items()
    )
    return line_figure(
        lines,
        Axis("latency: time of one step, ms", scale="log", whole=True),
        Axis("throughput, tokens/s", scale="log"),
        caption=(
            "A line for each number of cached tokens, a mark for each batch size up to the largest that fits, "
            "written beside the marks of one line. Where a line is steep, throughput costs little latency."
        ),
        alt=f"Throughput over latency, both logarithmic. {ends}.",
        height_in=3.8,
    )


def split_figure(table: Table) -> Figure:
    """Draw the time of products with weights and of attention over the batch; takes columns Batch, Weights, Attention."""
    batches, weights, attention = (
        [float(rational(cell)) for cell in table.column(name)] for name in ("Batch", "Weights", "Attention")
    )
    lines = [
        Line("weights", list(zip(batches, weights, strict=True))),
        Line("attention", list(zip(batches, attention, strict=True))),
    ]
    return line_figure(
        lines,
        Axis("batch: sequences decoded together", scale="log", base=2),
        Axis("time in a step, ms", scale="log"),
        caption="Weights are read once for every batch; attention takes as much again for each sequence.",
        alt=(
            f"Time in a step over the batch. Weights: {weights[0]:.3g} ms alone, {weights[-1]:.3g} ms at {batches[-1]:g}. "
            f"Attention: {attention[0]:.3g} ms alone, {attention[-1]:.3g} ms at {batches[-1]:g}."
        ),
    )
