"""Lines over one quantity, each named at its right end, with marked points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from generators.answer import Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, spread, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_GAP = 0.065
"""Between the names of neighbouring lines, as a share of the picture's height."""


@dataclass(frozen=True)
class Line:
    """A name, its points, and those of them that get a mark."""

    name: str
    points: list[tuple[float, float]]
    marked: tuple[tuple[float, float], ...] = ()


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
    figure, axes = new_axes(height_in=height_in)
    for number, line in enumerate(lines):
        colour = LIGHT[SERIES[number % 5]]
        axes.plot(*zip(*line.points, strict=True), color=colour, linestyle=DASHES[number % 5], linewidth=1.6)
        if line.marked:
            axes.plot(*zip(*line.marked, strict=True), MARKERS[number % 5], color=colour, markersize=5.5, linestyle="none")
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
        if one.scale == "log":
            axes.set(**{f"{name}label": f"{one.label} (log scale)"})
            getattr(axes, f"set_{name}scale")("log", base=one.base)
        else:
            axes.set(**{f"{name}label": one.label})
            if one.whole:
                axis.set_major_locator(MaxNLocator(integer=True))
        if one.limits is not None:
            axes.set(**{f"{name}lim": one.limits})


def _name_ends(axes: Axes, lines: list[Line]) -> None:
    """Each name stands beside its line's last point, moved apart from its neighbours."""
    to_share = axes.transData + axes.transAxes.inverted()
    ends = [to_share.transform(line.points[-1]) for line in lines]
    heights = spread([float(end[1]) for end in ends], LABEL_GAP)
    for number, (line, end, height) in enumerate(zip(lines, ends, heights, strict=True)):
        axes.annotate(plain(line.name), (float(end[0]), height), xycoords="axes fraction", xytext=(6, 0),
                      textcoords="offset points", va="center", color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT,
                      annotation_clip=False)  # fmt: skip
