"""Curves on logarithmic axes, each named at its right end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from generators.answer import Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, spread, to_svg


@dataclass(frozen=True)
class Curve:
    """A name, the points of its line, and what was counted or measured beside them as dots."""

    name: str
    points: list[tuple[float, float]]
    dots: list[tuple[float, float]] = field(default_factory=list)


def log_log_figure(
    curves: list[Curve], *, x_label: str, y_label: str, caption: str, alt: str, marked_x: float | None = None
) -> Figure:
    """Draw the curves; `marked_x` gets a guide, the example of the page."""
    figure, axes = new_axes(height_in=3.6)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ends = []
    for number, curve in enumerate(curves):
        xs, ys = zip(*curve.points, strict=True)
        axes.plot(xs, ys, color=LIGHT[SERIES[number % 5]], linestyle=DASHES[number % 5], linewidth=1.6)
        if len(xs) == 1:  # a line of one point shows nothing
            axes.plot(xs, ys, MARKERS[number % 5], color=LIGHT[SERIES[number % 5]], markersize=5)
        if curve.dots:
            axes.plot(*zip(*curve.dots, strict=True), MARKERS[number % 5], color=LIGHT[SERIES[number % 5]], markersize=5)
        ends.append(math.log(ys[-1]))
    axes.set_ylim(top=4 * axes.get_ylim()[1])
    low, high = (math.log(y) for y in axes.get_ylim())
    last_x = max(curve.points[-1][0] for curve in curves)
    for number, (curve, y) in enumerate(zip(curves, spread(ends, (high - low) / 16), strict=True)):
        axes.annotate(plain(curve.name), (last_x, math.exp(y)), xytext=(6, 0), textcoords="offset points", va="center",
                      color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT, annotation_clip=False)  # fmt: skip
    if marked_x is not None:
        axes.axvline(marked_x, color=LIGHT["faint"], linewidth=0.8, zorder=0)
        axes.annotate(f"here: {marked_x:g}", (marked_x, 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
                      textcoords="offset points", va="top", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return Figure(svg=to_svg(figure), caption=caption, alt=alt)
