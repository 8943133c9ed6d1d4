"""Draws the quantization error over bits, and bytes of A and B over the rank."""

from __future__ import annotations

import math
from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.series import axis_label
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, to_svg
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The quantization error over bits, and bytes of A and B over rank."""
    return {
        "error_over_bits": _errors(answer["4.1/errors"], answer["sheet/m"]),
        "bytes_over_rank": _bytes_over_rank(answer),
    }


def _errors(table: Table, own: Quantity) -> Figure:
    """What was measured as marks, what the step predicts as lines; a guide at the bits in force."""
    bits, steps = (list(table[key].numbers.values()) for key in ("bits", "step"))
    figure, axes = new_axes(height_in=3.4)
    axes.set_yscale("log")
    largest, rms = table["largest_error"], table["rms_error"]
    kinds = ((largest, "Δ/2", 2.0, 8), (rms, "Δ/√12", math.sqrt(12), -8))
    for number, (measured, predicted, divisor, offset) in enumerate(kinds):
        colour, line = LIGHT[SERIES[number]], [step / divisor for step in steps]
        name = measured.label if measured.label[1:2].isupper() else measured.label.lower()
        axes.plot(bits, line, color=colour, linestyle=DASHES[number], linewidth=1.4)
        axes.plot(bits, list(measured.numbers.values()), MARKERS[number], color=colour, markersize=5)
        axes.annotate(f"{name}; line: {predicted}", (bits[-3], line[-3]), xytext=(offset, offset), textcoords="offset points",
                      ha="left" if offset > 0 else "right", va="bottom" if offset > 0 else "top", color=colour,
                      fontsize=FONT_PT)  # fmt: skip
    axes.axvline(int(own), color=LIGHT["faint"], linewidth=0.8, zorder=0)
    axes.annotate(f"here: m = {int(own)}", (int(own), 0), xycoords=("data", "axes fraction"), xytext=(4, 4),
                  textcoords="offset points", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    axes.set_xticks(bits)
    axes.set_xlabel(axis_label([table["bits"]], "bits of a weight, m"))
    axes.set_ylabel(axis_label([largest, rms], "error in the weights' unit (log scale)"))
    worst = ", ".join(f"{error:.3g} at {int(count)} bits" for count, error in zip(bits, largest.numbers.values(), strict=True))
    return Figure(
        svg=to_svg(figure),
        caption="Measured errors (marks): none exceeds half a step, and their RMS nears that of an even spread over the step.",
        alt=f"Error against bits, logarithmic. Largest errors, each within half a step: {worst}.",
        shows=(table.address, own.address),
    )


def _bytes_over_rank(answer: Answer) -> Figure:
    table, own = answer["4.2/over_rank"], answer["sheet/r"]
    series = [table[key] for key in ("a_and_b", "w", "codes")]
    codes, full = (answer[f"4.2/{name}"] for name in ("heavier_than_codes", "heavier_than_full"))
    figure = line_figure(
        [line_of(table["rank"], one) for one in series],
        Axis(axis_label([table["rank"]], "rank r"), scale="log", base=2),
        Axis(axis_label(series, "memory beside one matrix W"), scale="log"),
        caption=f"Bytes of A and B reach those of the codes at rank {codes.value}, and those of W at rank {full.value}.",
        guide=(float(own), f"here: {own.value}"),
    )
    return replace(figure, shows=(*figure.shows, codes.address, full.address))
