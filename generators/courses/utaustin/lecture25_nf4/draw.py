"""Draws levels of 4-bit codes, their errors over the size of blocks, bits of codes and scales, and memory with paged states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.rows import Marks, Panel, rows_figure
from generators.figures.series import axis_label
from generators.figures.style import FONT_PT, LIGHT, SERIES, new_axes, to_svg
from generators.table import Table

CURVE = 1.6
"""Height of the bell curve, in rows."""


def draw(answer: Answer) -> dict[str, Figure]:
    """The levels, errors over the size of blocks, bits of codes and scales, and memory over the training steps."""
    overheads = {"NF4": answer["3/plain"], "NF4 + DQ": answer["3/double"]}
    return {
        "levels": _levels(answer["1/levels"], answer["sheet/magnitudes"]),
        "blocks": _blocks(answer["2/blocks"], answer["sheet/b_1"]),
        "bits": _bits(answer["sheet/code_bits"], overheads),
        "paging": _paging(answer["4/steps"], answer["sheet/limit"], leave=bool(answer["4/pages_leave"])),
    }


def _levels(normal: Table, magnitudes: Table) -> Figure:
    """A row of ticks for each set of levels, below the density of the weights that NF4's levels are quantiles of."""
    figure, axes = new_axes(height_in=2.6)
    books = {"NF4": sorted(normal["level"].numbers.values())}
    for key in magnitudes.columns:
        sizes = magnitudes[key].numbers.values()
        books[magnitudes[key].label] = sorted({sign * size / max(sizes) for size in sizes for sign in (-1, 1)})
    deviation = 1 / max(normal["quantile"].numbers.values())
    xs = [x / 100 for x in range(-100, 101)]
    axes.plot(xs, [-0.6 - CURVE * math.exp(-((x / deviation) ** 2) / 2) for x in xs], color=LIGHT["muted"], linewidth=1.4)
    for row, (name, points) in enumerate(books.items()):
        colour = LIGHT[SERIES[row % 5]]
        axes.hlines(row, -1, 1, color=LIGHT["faint"], linewidth=0.6, zorder=0)
        axes.vlines(points, row - 0.32, row + 0.32, color=colour, linewidth=2)
        axes.annotate(name, (1, row), xytext=(8, 0), textcoords="offset points", va="center", color=colour, fontsize=FONT_PT)
    axes.annotate("normal weights", (deviation, -0.6 - CURVE * math.exp(-0.5)), xytext=(8, 7), textcoords="offset points",
                  va="center", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    label = axis_label([normal["level"]])
    axes.set(xlim=(-1.03, 1.03), ylim=(len(books) - 0.5, -0.7 - CURVE), yticks=[],
             xlabel=f"{label}, 1 is a block's largest magnitude")  # fmt: skip
    axes.spines["left"].set_visible(False)
    counts = ", ".join(f"{name} has {len(points)}" for name, points in books.items())
    return Figure(
        svg=to_svg(figure),
        caption="NF4 has its levels where normal weights are; integers spread theirs evenly.",
        alt=f"Rows of ticks from -1 to 1 below a bell curve: {counts} levels; those of NF4 are densest around zero.",
        shows=(normal.address, magnitudes.address),
    )


def _blocks(table: Table, block_len: Quantity) -> Figure:
    """The relative error of each set of levels over the number of weights that share a scale."""
    series = [table[key] for key in ("nf4", "int4", "fp4")]
    return line_figure(
        [line_of(table["block"], one, marked=True) for one in series],
        Axis(axis_label([table["block"]], "weights that share a scale"), scale="log", base=2),
        Axis(axis_label(series, "RMS error over RMS of the weights")),
        caption="Larger blocks hold larger extremes, which stretch all levels.",
        guide=(float(block_len), f"here: {int(block_len)}"),
    )


def _bits(code: Quantity, overheads: Mapping[str, Quantity]) -> Figure:
    """A row for each method, the bits of a weight's code and behind them its share of the scales."""
    figure, axes = new_axes(height_in=1.5)
    bits = float(code)
    for row, (name, one) in enumerate(overheads.items()):
        scales = float(one)
        axes.barh(row, bits, height=0.6, color=LIGHT["accent-tint"], edgecolor=LIGHT["accent"], linewidth=0.8)
        axes.barh(row, scales, left=bits, height=0.6, color=LIGHT["warning"], edgecolor=LIGHT["warning"], linewidth=0.8)
        axes.annotate(f"{name}: code {bits:g}", (0, row), xytext=(6, 0), textcoords="offset points", va="center",
                      color=LIGHT["ink"], fontsize=FONT_PT)  # fmt: skip
        axes.annotate(f"+ {scales:.4g} for scales", (bits + scales, row), xytext=(6, 0), textcoords="offset points",
                      va="center", color=LIGHT["ink"], fontsize=FONT_PT)  # fmt: skip
    most = bits + max(map(float, overheads.values()))
    axes.set(xlim=(0, 1.4 * most), ylim=(len(overheads) - 0.5, -0.5), yticks=[], xlabel="bits a weight")
    axes.spines["left"].set_visible(False)
    listed = "; ".join(f"{name} {bits:g} + {float(one):.4g}" for name, one in overheads.items())
    return Figure(
        svg=to_svg(figure),
        caption="What a weight takes: its code, and its share of the scales. FP16 takes 16 bits.",
        alt=f"Bars of bits a weight, code and scales: {listed}.",
        shows=(code.address, *(one.address for one in overheads.values())),
    )


def _paging(table: Table, limit: Quantity, *, leave: bool) -> Figure:
    """The most memory held in each step with and without paging, and what the accelerator has."""
    steps = [f"step {step:g}" for step in table["step"].numbers.values()]
    unpaged, paged = table["peak_unpaged"], table["peak_paged"]
    over = sum(one == "no" for one in table["fits_unpaged"].cells.values())
    marks = [
        Marks("without paging", list(unpaged.numbers.values()), hollow=True),
        Marks("with paging", list(paged.numbers.values())),
    ]
    label = f"{axis_label([unpaged, paged], 'most memory held')}; line: what the accelerator has"
    figure = rows_figure(
        steps,
        [Panel(label, marks, guide=float(limit))],
        caption="Pages of optimizer states leave while a long sequence needs their room."
        if leave
        else "Every step fits beside all pages of optimizer states, so that none leaves.",
        alt=f"Peak memory of {len(steps)} steps: without paging {over} of them exceed the {float(limit):g} {limit.unit} of the "
        f"accelerator; with paging the most is {max(paged.numbers.values()):.4g} {paged.unit}.",
    )
    return replace(figure, shows=(table.address, limit.address))
