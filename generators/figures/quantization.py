"""The error of quantization over the number of bits: what was measured as marks, what the step predicts as lines."""

from __future__ import annotations

import math

from generators.answer import Cell, Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, to_svg
from generators.steps import Table


def error_figure(table: Table, marked_bits: int) -> Figure:
    """Draw a table with the columns Bits, Δ, Largest error and RMS error; `marked_bits` gets a guide."""
    bits, steps, largest, rms = (_numbers(table.column(name)) for name in ("Bits", "Δ", "Largest error", "RMS error"))
    figure, axes = new_axes(height_in=3.4)
    axes.set_yscale("log")
    series = (("largest error", largest, "Δ/2", 2.0, 8), ("RMS error", rms, "Δ/√12", math.sqrt(12), -8))
    for number, (measured, marks, predicted, divisor, offset) in enumerate(series):
        colour, line = LIGHT[SERIES[number]], [step / divisor for step in steps]
        axes.plot(bits, line, color=colour, linestyle=DASHES[number], linewidth=1.4)
        axes.plot(bits, marks, MARKERS[number], color=colour, markersize=5)
        axes.annotate(f"{measured}; line: {predicted}", (bits[-3], line[-3]), xytext=(offset, offset), textcoords="offset points",
                      ha="left" if offset > 0 else "right", va="bottom" if offset > 0 else "top", color=colour,
                      fontsize=FONT_PT)  # fmt: skip
    axes.axvline(marked_bits, color=LIGHT["faint"], linewidth=0.8, zorder=0)
    axes.annotate(f"here: m = {marked_bits}", (marked_bits, 0), xycoords=("data", "axes fraction"), xytext=(4, 4),
                  textcoords="offset points", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    axes.set_xticks(bits)
    axes.set_xlabel("bits of a weight, m")
    axes.set_ylabel("error in the weights' unit (log scale)")
    worst = ", ".join(f"{error:.3g} at {int(count)} bits" for count, error in zip(bits, largest, strict=True))
    return Figure(
        svg=to_svg(figure),
        caption="Measured errors (marks): none exceeds half a step, and their RMS nears that of an even spread over the step.",
        alt=f"Error against bits, logarithmic. Largest errors, each within half a step: {worst}.",
    )


def _numbers(cells: tuple[Cell, ...]) -> list[float]:
    return [float(cell) for cell in cells if isinstance(cell, int | float)]
