"""Lines over one quantity, each named at its right end, with marked points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from generators.answer import Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, spread, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis

LABEL_GAP = 0.065
"""Between the names of neighbouring lines, as a share of the picture's height."""
WRITTEN_OUT = 100_000
"""Numbers of an axis from here on, and below its inverse, stay powers."""


@dataclass(frozen=True)
class Line:
    """A name, its points, those of them that get a mark, and words beside places."""

    name: str
    points: list[tuple[float, float]]
    marked: tuple[tuple[float, float], ...] = ()
    notes: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True)
class Axis:
    """What an axis shows, with its unit; its limits and scale."""

    label: str
    scale: Literal["linear", "log"] = "linear"
    base: int = 10
    limits: tuple[float, float] | None = None
    whole: bool = False


def line_figure(
    lines: list[Line], x: Axis, y: Axis, *, caption: str, alt: str, guide: tuple[float, str] | None = None, height_in: float = 3.4
) -> Figure:
    """Draw the lines; `guide` is a place on the x axis and the words beside its upright line."""
    from matplotlib.patheffects import withStroke

    figure, axes = new_axes(height_in=height_in)
    halo = withStroke(linewidth=2.5, foreground=LIGHT["paper"])
    for number, line in enumerate(lines):
        colour = LIGHT[SERIES[number % 5]]
        axes.plot(*zip(*line.points, strict=True), color=colour, linestyle=DASHES[number % 5], linewidth=1.6)
        if line.marked:
            axes.plot(*zip(*line.marked, strict=True), MARKERS[number % 5], color=colour, markersize=5.5, linestyle="none")
        for place_x, place_y, note in line.notes:
            axes.annotate(plain(note), (place_x, place_y), xytext=(4, -3), textcoords="offset points", ha="left",
                          va="top", color=colour, fontsize=FONT_PT, path_effects=[halo])  # fmt: skip
    _scale(axes, x, y)
    if guide is not None:
        axes.axvline(guide[0], color=LIGHT["faint"], linewidth=0.8, zorder=0)
        axes.annotate(plain(guide[1]), (guide[0], 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
                      textcoords="offset points", va="top", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    _name_ends(axes, lines)
    return Figure(svg=to_svg(figure), caption=caption, alt=alt)


def _scale(axes: Axes, x: Axis, y: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, one, axis in (("x", x, axes.xaxis), ("y", y, axes.yaxis)):
        logarithmic = one.scale == "log"
        axes.set(**{f"{name}label": f"{one.label} (log scale)" if logarithmic else one.label})
        if logarithmic:
            getattr(axes, f"set_{name}scale")("log", base=one.base)
        elif one.whole:
            axis.set_major_locator(MaxNLocator(integer=True))
        if one.limits is not None:
            axes.set(**{f"{name}lim": one.limits})
        if logarithmic:
            plain_ticks(axis, one.base)


def plain_ticks(axis: XAxis | YAxis, base: int) -> None:
    """Write a logarithmic axis' numbers out, at 1, 2 and 5 of each decade where there are few decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    if base == 10 and high < 1000 * low:
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    if high < WRITTEN_OUT and low * WRITTEN_OUT > 1:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", "\u2009")))
    axis.set_minor_formatter(NullFormatter())


def _name_ends(axes: Axes, lines: list[Line]) -> None:
    """Each name stands beside its line's last point, moved apart from its neighbours."""
    axes.autoscale_view()  # else places on linear axes are not known yet
    to_share = axes.transData + axes.transAxes.inverted()
    ends = [to_share.transform(line.points[-1]) for line in lines]
    heights = spread([float(end[1]) for end in ends], LABEL_GAP)
    for number, (line, end, height) in enumerate(zip(lines, ends, heights, strict=True)):
        axes.annotate(plain(line.name), (float(end[0]), height), xycoords="axes fraction", xytext=(6, 0),
                      textcoords="offset points", va="center", color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT,
                      annotation_clip=False)  # fmt: skip
