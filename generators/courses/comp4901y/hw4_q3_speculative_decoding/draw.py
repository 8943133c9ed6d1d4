"""Draws times and gains of speculative decoding over the number of drafted tokens."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

from generators.answer import Answer, Figure, Part
from generators.figures.series import axis_label
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, spread, to_svg
from generators.table import Table

Named = tuple[str, tuple[float, float], str]
"""A line's name, where it ends, and its colour."""


def draw(answer: Answer) -> dict[str, Figure]:
    """Times of all launches, and for each the gain beside what was expected, of each kind of device apart."""
    figures: dict[str, Figure] = {}
    for part in chain(answer.starting("3"), answer.starting("measured_")):
        figures[f"{part.label}_times"] = _times(part)
        for launch in part["steadiness"].rows:
            figures[f"{part.label}_gain_{launch}"] = _gain(part, launch)
    return figures


def _times(part: Part) -> Figure:
    """Median milliseconds of every prompt over the draft length, one colour and line a launch."""
    table: Table = part["times"]
    keys = ["standard", *(key for key in table.columns if key.startswith("gamma_"))]
    lines: dict[str, list[list[tuple[int, float]]]] = {}
    for row, cells in table.rows.items():
        timed = [(x, numbers[row]) for x, key in enumerate(keys) if row in (numbers := table[key].numbers)]
        lines.setdefault(str(cells["launch"]), []).append(timed)
    figure, axes = new_axes(height_in=3.2)
    ends = [_launch(axes, number, launch, rows) for number, (launch, rows) in enumerate(lines.items())]
    axes.set_yscale("log")
    _name(axes, ends)
    axes.set_xticks(range(len(keys)), [table[key].label for key in keys])
    axes.set_xlabel("drafted tokens a call of the target")
    axes.set_ylabel(f"{axis_label([table[key] for key in keys], 'time of a run')} (log scale)")
    heights = {name: [y for row in rows for _, y in row] for name, rows in lines.items()}
    said = "; ".join(f"{name} from {min(ys):.4g} to {max(ys):.4g} {table['standard'].unit}" for name, ys in heights.items())
    return Figure(
        svg=to_svg(figure),
        caption=f"Time of one run on {part['device'].value}: dots are prompts (medians), lines their means.",
        alt=f"Time of a run of standard decoding and of speculative decoding over draft lengths, one line a launch: {said}.",
        shows=(table.address,),
    )


def _launch(axes: Any, number: int, launch: str, lines: list[list[tuple[int, float]]]) -> Named:
    """Draw the dots of a launch's prompts and the line of their means."""
    colour, style, marker = LIGHT[SERIES[number % 5]], DASHES[number % 5], MARKERS[number % 5]
    at: dict[int, list[float]] = {}
    for line in lines:
        axes.plot(*zip(*line, strict=True), marker, color=colour, markersize=4, alpha=0.6)
        for x, y in line:
            at.setdefault(x, []).append(y)
    means = [(x, sum(ys) / len(ys)) for x, ys in sorted(at.items())]
    axes.plot(*zip(*means, strict=True), color=colour, linestyle=style, linewidth=1.6)
    return launch, means[-1], colour


def _name(axes: Any, ends: list[Named]) -> None:
    """Write each line's name at its end, names moved apart, and whole numbers along the axis."""
    low, high = (math.log(y) for y in axes.get_ylim())
    heights = spread([math.log(end[1]) for _, end, _ in ends], (high - low) / 14)
    for (name, end, colour), height in zip(ends, heights, strict=True):
        axes.annotate(plain(name), (end[0], math.exp(height)), xytext=(8, 0), textcoords="offset points", va="center",
                      color=colour, fontsize=FONT_PT, annotation_clip=False)  # fmt: skip
    ticks = [step * 10.0**power for power in range(-2, 7) for step in range(1, 10) if low <= math.log(step * 10.0**power) <= high]
    round_ones = [tick for tick in ticks if f"{tick:e}"[0] in "125"]
    shown = round_ones if len(round_ones) > 2 else ticks
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()


def _gain(part: Part, launch: str) -> Figure:
    """Gains of one launch over the draft length: by the formula, by the step times where there are any, and measured."""
    table: Table = part["gains"]
    rows = [row for row in table.rows if row.startswith(f"{launch}.")]
    figure, axes = new_axes(height_in=2.2)
    said = []
    for number, key in enumerate(("formula", "step_times", "measured")):
        values = [table[key].numbers[row] for row in rows if row in table[key].numbers]
        if values:
            name = table[key].label.lower()
            axes.plot(range(len(rows)), values, color=LIGHT[SERIES[number]], linestyle=DASHES[number], marker=MARKERS[number],
                      linewidth=1.6, markersize=5, label=name)  # fmt: skip
            said.append(f"{name} {', '.join(f'{value:.4g}' for value in values)}")
    axes.axhline(1, color=LIGHT["muted"], linewidth=0.8, zorder=0)
    axes.annotate("no gain", (1, 1), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points", va="center",
                  color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    axes.legend(frameon=False, fontsize=FONT_PT, labelcolor=LIGHT["ink"], loc="lower left", bbox_to_anchor=(1, 0))
    axes.set_xticks(range(len(rows)), [str(table.rows[row]["gamma"]) for row in rows])
    axes.set_ylim(bottom=0)
    axes.set(xlabel="drafted tokens a call of the target, γ", ylabel="gain over standard")
    shown = table.rows[rows[0]]["launch"]
    return Figure(
        svg=to_svg(figure),
        caption=f"Gain over standard decoding on {part['device'].value}, all prompts together; {shown}.",
        alt=f"Expected and measured gain of speculative decoding over draft lengths; {shown}: {'; '.join(said)}.",
        shows=(table.address,),
    )
