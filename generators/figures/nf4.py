"""Levels of 4-bit codes, their errors over the size of blocks, bits of codes and scales, and memory with paged states."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from generators.answer import Cell, Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.rows import Marks, Panel, rows_figure
from generators.figures.style import FONT_PT, LIGHT, SERIES, new_axes, to_svg
from generators.steps import Table

CURVE = 1.6
"""Height of the bell curve, in rows."""


def levels_figure(books: Mapping[str, Sequence[float]], spread: float) -> Figure:
    """Draw a row of ticks for each set of levels, below a normal density whose standard deviation is `spread`."""
    figure, axes = new_axes(height_in=2.6)
    xs = [x / 100 for x in range(-100, 101)]
    axes.plot(xs, [-0.6 - CURVE * math.exp(-((x / spread) ** 2) / 2) for x in xs], color=LIGHT["muted"], linewidth=1.4)
    for row, (name, points) in enumerate(books.items()):
        colour = LIGHT[SERIES[row % 5]]
        axes.hlines(row, -1, 1, color=LIGHT["faint"], linewidth=0.6, zorder=0)
        axes.vlines(points, row - 0.32, row + 0.32, color=colour, linewidth=2)
        axes.annotate(name, (1, row), xytext=(8, 0), textcoords="offset points", va="center", color=colour, fontsize=FONT_PT)
    axes.annotate("normal weights", (spread, -0.6 - CURVE * math.exp(-0.5)), xytext=(8, 7), textcoords="offset points",
                  va="center", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    axes.set(
        xlim=(-1.03, 1.03), ylim=(len(books) - 0.5, -0.7 - CURVE), yticks=[], xlabel="level, 1 is a block's largest magnitude"
    )
    axes.spines["left"].set_visible(False)
    counts = ", ".join(f"{name} has {len(points)}" for name, points in books.items())
    return Figure(
        svg=to_svg(figure),
        caption="NF4 has its levels where normal weights are; integers spread theirs evenly.",
        alt=f"Rows of ticks from -1 to 1 below a bell curve: {counts} levels; those of NF4 are densest around zero.",
    )


def _floats(cells: tuple[Cell, ...]) -> list[float]:
    return [cell if isinstance(cell, float) else float(rational(cell)) for cell in cells]


def blocks_figure(table: Table, block_len: int) -> Figure:
    """Draw the relative error of each set of levels over the number of weights that share a scale."""
    lengths = _floats(table.column("Block"))
    lines = []
    for name in map(str, table.header[2:]):
        points = list(zip(lengths, _floats(table.column(name)), strict=True))
        lines.append(Line(name, points, tuple(points)))
    ends = "; ".join(f"{line.name} from {line.points[0][1]:.3g} to {line.points[-1][1]:.3g}" for line in lines)
    return line_figure(
        lines,
        Axis("weights that share a scale", scale="log", base=2),
        Axis("RMS error over RMS of the weights"),
        caption="Larger blocks hold larger extremes, which stretch all levels.",
        alt=f"Relative errors over blocks of {lengths[0]:g} to {lengths[-1]:g} weights: {ends}.",
        guide=(float(block_len), f"here: {block_len}"),
    )


def bits_figure(methods: Mapping[str, Sequence[float]]) -> Figure:
    """Draw a row for each method, the bits of a weight's code and behind them its share of the scales."""
    figure, axes = new_axes(height_in=1.5)
    for row, (name, (code, scales)) in enumerate(methods.items()):
        axes.barh(row, code, height=0.6, color=LIGHT["accent-tint"], edgecolor=LIGHT["accent"], linewidth=0.8)
        axes.barh(row, scales, left=code, height=0.6, color=LIGHT["warning"], edgecolor=LIGHT["warning"], linewidth=0.8)
        axes.annotate(f"{name}: code {code:g}", (0, row), xytext=(6, 0), textcoords="offset points", va="center",
                      color=LIGHT["ink"], fontsize=FONT_PT)  # fmt: skip
        axes.annotate(f"+ {scales:.4g} for scales", (code + scales, row), xytext=(6, 0), textcoords="offset points",
                      va="center", color=LIGHT["ink"], fontsize=FONT_PT)  # fmt: skip
    most = max(map(sum, methods.values()))
    axes.set(xlim=(0, 1.4 * most), ylim=(len(methods) - 0.5, -0.5), yticks=[], xlabel="bits a weight")
    axes.spines["left"].set_visible(False)
    listed = "; ".join(f"{name} {code:g} + {scales:.4g}" for name, (code, scales) in methods.items())
    return Figure(
        svg=to_svg(figure),
        caption="What a weight takes: its code, and its share of the scales. FP16 takes 16 bits.",
        alt=f"Bars of bits a weight, code and scales: {listed}.",
    )


def paging_figure(table: Table, limit: float) -> Figure:
    """Draw the most memory held in each step with and without paging, and what the accelerator has, in MiB."""
    steps = _floats(table.column("Step"))
    held = {name: _floats(table.column(name)) for name in ("Peak without", "Peak with paging")}
    over = sum(value > limit for value in held["Peak without"])
    return rows_figure(
        [f"step {step:g}" for step in steps],
        [
            Panel(
                "most memory held, MiB; line: what the accelerator has",
                [
                    Marks("without paging", held["Peak without"], hollow=True),
                    Marks("with paging", held["Peak with paging"]),
                ],
                guide=limit,
            )
        ],
        caption="Pages of optimizer states leave while a long sequence needs their room.",
        alt=f"Peak memory of {len(steps)} steps: without paging {over} of them exceed the {limit:g} MiB of the accelerator; "
        f"with paging the most is {max(held['Peak with paging']):.4g} MiB.",
    )
