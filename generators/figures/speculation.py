"""Times and gains of speculative decoding over the number of drafted tokens."""

from __future__ import annotations

from typing import Any

from generators.answer import Figure, Table
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, to_svg

STANDARD = "Standard"


def times_figure(times: Table, *, caption: str, alt: str) -> Figure:
    """Median milliseconds of every prompt over the draft length, one colour and line a launch."""
    figure, axes = new_axes(height_in=3.6)
    columns = [name for name in times.header if name == STANDARD or str(name).startswith("γ = ")]
    places = range(len(columns))
    launches = list(dict.fromkeys(times.column("Launch")))
    for number, launch in enumerate(launches):
        rows = [row for row in times.rows if row[times.header.index("Launch")] == launch]
        series = [[row[times.header.index(name)] for name in columns] for row in rows]
        colour, style, marker = LIGHT[SERIES[number % 5]], DASHES[number % 5], MARKERS[number % 5]
        for values in series:
            axes.plot([x for x, y in zip(places, values, strict=True) if y is not None], [y for y in values if y is not None],
                      marker, color=colour, markersize=4, alpha=0.6)  # fmt: skip
        means = [[row[x] for row in series if row[x] is not None] for x in places]
        line = [(x, sum(values) / len(values)) for x, values in zip(places, means, strict=True) if values]
        axes.plot(*zip(*line, strict=True), color=colour, linestyle=style, linewidth=1.6)
        _named(axes, str(launch), line[-1], colour)
    axes.set_yscale("log")
    axes.set_xticks(list(places), [str(name) for name in columns])
    axes.set_xlabel("drafted tokens a call of the target")
    axes.set_ylabel("ms a run, log scale")
    return Figure(svg=to_svg(figure), caption=caption, alt=alt)


def _named(axes: Any, name: str, end: tuple[float, float], colour: str) -> None:
    axes.annotate(plain(name), end, xytext=(8, 0), textcoords="offset points", va="center", color=colour, fontsize=FONT_PT,
                  annotation_clip=False)  # fmt: skip


def gain_figure(gains: Table, launch: str, *, caption: str, alt: str) -> Figure:
    """Gains of one launch over the draft length: by the formula, by the step times, and measured."""
    figure, axes = new_axes(height_in=2.8)
    rows = [row for row in gains.rows if row[0] == launch]
    places = list(range(len(rows)))
    for number, name in enumerate(("Formula", "Step times", "Measured")):
        values = [row[gains.header.index(name)] for row in rows]
        if None in values:
            continue
        axes.plot(places, values, color=LIGHT[SERIES[number]], linestyle=DASHES[number], marker=MARKERS[number], linewidth=1.6,
                  markersize=5, label=name.lower())  # fmt: skip
    axes.axhline(1, color=LIGHT["muted"], linewidth=0.8, zorder=0)
    axes.annotate("no gain", (places[0], 1), xytext=(2, 3), textcoords="offset points", color=LIGHT["muted"], fontsize=FONT_PT)
    axes.legend(frameon=False, fontsize=FONT_PT, labelcolor=LIGHT["ink"], loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_xticks(places, [str(row[1]) for row in rows])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("drafted tokens a call of the target, γ")
    axes.set_ylabel("gain over standard")
    return Figure(svg=to_svg(figure), caption=caption, alt=alt)
