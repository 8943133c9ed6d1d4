"""Times and gains of speculative decoding over the number of drafted tokens."""

from __future__ import annotations

import math
from typing import Any

from generators.answer import Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, spread, to_svg
from generators.steps import Table

STANDARD = "Standard"


def times_figure(times: Table, *, caption: str, alt: str) -> Figure:
    """Median milliseconds of every prompt over the draft length, one colour and line a launch."""
    figure, axes = new_axes(height_in=3.2)
    columns = [name for name in times.header if name == STANDARD or str(name).startswith("γ = ")]
    places = range(len(columns))
    ends: list[tuple[str, tuple[float, float], str]] = []
    launches = list(dict.fromkeys(times.column("Launch")))
    for number, launch in enumerate(launches):
        rows = [row for row in times.rows if row[times.header.index("Launch")] == launch]
        series: list[list[Any]] = [[row[times.header.index(name)] for name in columns] for row in rows]
        colour, style, marker = LIGHT[SERIES[number % 5]], DASHES[number % 5], MARKERS[number % 5]
        for values in series:
            axes.plot([x for x, y in zip(places, values, strict=True) if y is not None], [y for y in values if y is not None],
                      marker, color=colour, markersize=4, alpha=0.6)  # fmt: skip
        means = [[row[x] for row in series if row[x] is not None] for x in places]
        line = [(x, sum(values) / len(values)) for x, values in zip(places, means, strict=True) if values]
        axes.plot(*zip(*line, strict=True), color=colour, linestyle=style, linewidth=1.6)
        ends.append((str(launch), line[-1], colour))
    axes.set_yscale("log")
    _name(axes, ends)
    axes.set_xticks(list(places), [str(name) for name in columns])
    axes.set_xlabel("drafted tokens a call of the target")
    axes.set_ylabel("ms a run, log scale")
    return Figure(svg=to_svg(figure), caption=caption, alt=alt)


def _name(axes: Any, ends: list[tuple[str, tuple[float, float], str]]) -> None:
    """Write each line's name at its end, names moved apart, and whole numbers along the axis."""
    low, high = (math.log(y) for y in axes.get_ylim())
    heights = spread([math.log(end[1]) for _, end, _ in ends], (high - low) / 14)
    for (name, end, colour), height in zip(ends, heights, strict=True):
        axes.annotate(plain(name), (end[0], math.exp(height)), xytext=(8, 0), textcoords="offset points", va="center",
                      color=colour, fontsize=FONT_PT, annotation_clip=False)  # fmt: skip
    shown = _ticks(low, high, (1, 2, 5))
    if len(shown) < 3:
        shown = _ticks(low, high, tuple(range(1, 10)))
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()


def _ticks(low: float, high: float, steps: tuple[int, ...]) -> list[float]:
    """Steps of every decade whose logarithms lie between `low` and `high`."""
    return [step * 10.0**power for power in range(-2, 7) for step in steps if low <= math.log(step * 10.0**power) <= high]


def gain_figure(gains: Table, launch: str, *, caption: str, alt: str) -> Figure:
    """Gains of one launch over the draft length: by the formula, by the step times, and measured."""
    figure, axes = new_axes(height_in=2.2)
    rows = [row for row in gains.rows if row[0] == launch]
    places = list(range(len(rows)))
    for number, name in enumerate(("Formula", "Step times", "Measured")):
        values: list[Any] = [row[gains.header.index(name)] for row in rows]
        if None in values:
            continue
        axes.plot(places, values, color=LIGHT[SERIES[number]], linestyle=DASHES[number], marker=MARKERS[number], linewidth=1.6,
                  markersize=5, label=name.lower())  # fmt: skip
    axes.axhline(1, color=LIGHT["muted"], linewidth=0.8, zorder=0)
    axes.annotate("no gain", (1, 1), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points", va="center",
                  color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    axes.legend(frameon=False, fontsize=FONT_PT, labelcolor=LIGHT["ink"], loc="lower left", bbox_to_anchor=(1, 0))
    axes.set_xticks(places, [str(row[1]) for row in rows])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("drafted tokens a call of the target, γ")
    axes.set_ylabel("gain over standard")
    return Figure(svg=to_svg(figure), caption=caption, alt=alt)
