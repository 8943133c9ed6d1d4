"""Draws the levels of 4-bit codes."""

from __future__ import annotations

import math

from generators.answer import Answer, Figure
from generators.figures.style import CHART_WIDTH_IN, FONT_PT, LIGHT, SERIES, new_axes, to_svg

CURVE = 1.6
"""Height of the bell curve, in rows."""


def draw(answer: Answer) -> dict[str, Figure]:
    """A row of ticks for each set of levels, below the density of the weights that NF4's levels are quantiles of."""
    normal, magnitudes = answer["1/levels"], answer["sheet/magnitudes"]
    figure, axes = new_axes(height_in=2.4, width_in=CHART_WIDTH_IN)
    books = {"NF4": sorted([*normal["below"].numbers.values(), 0.0, *normal["above"].numbers.values()])}
    for key in magnitudes.columns:
        sizes = magnitudes[key].numbers.values()
        books[magnitudes[key].label.partition(",")[0]] = sorted({sign * size / max(sizes) for size in sizes for sign in (-1, 1)})
    deviation = 1 / float(answer["1/largest"])
    xs = [x / 100 for x in range(-100, 101)]
    axes.plot(xs, [-0.6 - CURVE * math.exp(-((x / deviation) ** 2) / 2) for x in xs], color=LIGHT["muted"], linewidth=1.4)
    for row, (name, points) in enumerate(books.items()):
        colour = LIGHT[SERIES[row % 5]]
        axes.hlines(row, -1, 1, color=LIGHT["faint"], linewidth=0.6, zorder=0)
        axes.vlines(points, row - 0.32, row + 0.32, color=colour, linewidth=2)
        axes.annotate(name, (1, row), xytext=(8, 0), textcoords="offset points", va="center", color=colour, fontsize=FONT_PT)
    axes.annotate("normal weights", (deviation, -0.6 - CURVE * math.exp(-0.5)), xytext=(8, 7), textcoords="offset points",
                  va="center", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    axes.set(xlim=(-1.03, 1.03), ylim=(len(books) - 0.5, -0.7 - CURVE), yticks=[],
             xlabel="level, 1 is a block's largest magnitude")  # fmt: skip
    axes.spines["left"].set_visible(False)
    counts = ", ".join(f"{name} has {len(points)}" for name, points in books.items())
    levels = Figure(
        svg=to_svg(figure),
        caption="NF4 has its levels where normal weights are; integers spread theirs evenly.",
        alt=f"Rows of ticks from -1 to 1 below a bell curve: {counts} levels; those of NF4 are densest around zero.",
        shows=(normal.address, magnitudes.address),
    )
    return {"levels": levels}
