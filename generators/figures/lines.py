"""Lines over one quantity, each named at its right end, with marked points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from generators.answer import Figure
from generators.figures.series import lowered, spoken
from generators.figures.style import CHART_WIDTH_IN, DASHES, FONT_PT, LIGHT, MARKERS, SERIES, new_axes, plain, spread, to_svg
from generators.table import Series
from generators.traced import is_traced

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis

LABEL_GAP = 0.065
"""Between the names of neighbouring lines, as a share of the picture's height."""
PLOT_SHARE = 0.75
"""About what axes take of a picture's width and height."""
WRITTEN_OUT = 100_000
"""Numbers of an axis from here on, and below its inverse, stay powers."""


@dataclass(frozen=True)
class Line:
    """A name, its points, those of them that get a mark, words beside places, and the addresses of what it shows."""

    name: str | tuple[Any, ...]
    """Words, or words and numbers."""
    points: list[tuple[float, float]]
    marked: tuple[tuple[float, float], ...] = ()
    notes: tuple[tuple[float, float, str], ...] = ()
    shows: tuple[str, ...] = ()


def line_of(x: Series, y: Series, *, marked: bool = False) -> Line:
    """One column over another, named by its label; a row that lacks one of the two numbers is left out."""
    points = [(x.numbers[row], number) for row, number in y.numbers.items() if row in x.numbers]
    return Line(lowered(y.label), points, tuple(points) if marked else (), shows=(x.table, y.table))


@dataclass(frozen=True)
class Axis:
    """What an axis shows, with its unit; its limits and scale."""

    label: str
    scale: Literal["linear", "log"] = "linear"
    base: int = 10
    limits: tuple[float, float] | None = None
    whole: bool = False

    @property
    def titled(self) -> str:
        """What stands beside it."""
        return f"{self.label} (log scale)" if self.scale == "log" else self.label


def line_figure(
    lines: list[Line],
    x: Axis,
    y: Axis,
    *,
    caption: str,
    guide: tuple[float, str] | None = None,
    height_in: float = 3.4,
) -> Figure:
    """Draw the lines; `guide` is a place on the x axis and the words beside its upright line.

    The alternative text gives where each line begins and ends.
    """
    shows = tuple(dict.fromkeys(address for line in lines for address in line.shows))
    if any(is_traced(number) for line in lines for point in (*line.points, *line.marked) for number in point):
        if guide is not None:
            raise ValueError("a picture that follows changes has no guide")
        return Figure(svg="", caption=caption, alt="", shows=shows, chart=_chart(lines, x, y))
    lines = [_as_drawn(line) for line in lines]
    figure, axes = new_axes(height_in=height_in, width_in=CHART_WIDTH_IN)
    for number, line in enumerate(lines):
        colour = LIGHT[SERIES[number % 5]]
        axes.plot(*zip(*line.points, strict=True), color=colour, linestyle=DASHES[number % 5], linewidth=1.6)
        if line.marked:
            axes.plot(*zip(*line.marked, strict=True), MARKERS[number % 5], color=colour, markersize=5.5, linestyle="none")
    _scale(axes, x, y)
    _write_notes(axes, lines, height_in)
    if guide is not None:
        axes.axvline(guide[0], color=LIGHT["faint"], linewidth=0.8, zorder=0)
        axes.annotate(plain(guide[1]), (guide[0], 1), xycoords=("data", "axes fraction"), xytext=(0, 3), ha="center",
                      textcoords="offset points", va="bottom", color=LIGHT["muted"], fontsize=FONT_PT)  # fmt: skip
    _name_ends(axes, lines)
    return Figure(svg=to_svg(figure), caption=caption, alt=_said(lines, x, y), shows=shows)


def _as_drawn(line: Line) -> Line:
    name = "".join(str(one) if isinstance(one, str) or one.denominator == 1 else f"{float(one):g}" for one in line.name)
    return replace(line, name=name, points=_floats(line.points), marked=tuple(_floats(line.marked)))


def _floats(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _chart(lines: list[Line], x: Axis, y: Axis) -> dict[str, Any]:
    """What `docs/assets/chart.js` draws."""
    axes = [{"label": one.label, "log": one.scale == "log", "base": one.base, "limits": one.limits, "whole": one.whole}
            for one in (x, y)]  # fmt: skip
    drawn = [{"name": line.name, "points": line.points, "marked": line.marked, "notes": line.notes} for line in lines]
    return {"lines": drawn, "x": axes[0], "y": axes[1]}


def _said(lines: list[Line], x: Axis, y: Axis) -> str:
    said = []
    for line in lines:
        ends = " to ".join(f"{spoken(v)} at {spoken(u)}" for u, v in (line.points[0], line.points[-1]))
        said += [f"{line.name}: {ends}"] if line.name else []
        said += [f"{words}: {spoken(v)} at {spoken(u)}" for u, v, words in line.notes]
    return f"{y.label}, over {x.label}. {'; '.join(said)}."


def _scale(axes: Axes, x: Axis, y: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, one, axis in (("x", x, axes.xaxis), ("y", y, axes.yaxis)):
        logarithmic = one.scale == "log"
        axes.set(**{f"{name}label": one.titled})
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


def _write_notes(axes: Axes, lines: list[Line], height_in: float) -> None:
    """Each note stands at that corner of its place which is farthest from lines and marks."""
    from matplotlib.patheffects import withStroke

    axes.autoscale_view()
    to_share = axes.transData + axes.transAxes.inverted()

    def in_points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        places = [to_share.transform(point) for point in points]
        return [(float(x) * PLOT_SHARE * CHART_WIDTH_IN * 72, float(y) * PLOT_SHARE * height_in * 72) for x, y in places]

    drawn = [in_points(line.points) for line in lines] + [[mark] for line in lines for mark in in_points(line.marked)]
    halo = withStroke(linewidth=3, foreground=LIGHT["paper"])
    for number, line in enumerate(lines):
        for x, y, note in line.notes:
            right, up = _free_corner(in_points([(x, y)])[0], len(note), drawn)
            axes.annotate(plain(note), (x, y), xytext=(4 * right, 3 * up), textcoords="offset points",
                          ha="left" if right > 0 else "right", va="bottom" if up > 0 else "top",
                          color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT, path_effects=[halo])  # fmt: skip


def _free_corner(place: tuple[float, float], length: int, drawn: list[list[tuple[float, float]]]) -> tuple[int, int]:
    """Right or left (1, -1) and up or down, whichever leaves a note of `length` letters most room; all in points."""
    half_width, half_height = 0.3 * FONT_PT * length, 0.6 * FONT_PT

    def room(corner: tuple[int, int]) -> float:
        x, y = place[0] + corner[0] * (4 + half_width), place[1] + corner[1] * (3 + half_height)
        return round(min(max(abs(px - x) - half_width, abs(py - y) - half_height) for px, py in dense), 1)

    dense = [point for line in drawn for point in _between(line)]
    return max(((1, -1), (-1, 1), (-1, -1), (1, 1)), key=room)


def _between(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A line's points with many more on the way from each to the next."""
    steps = [step / 16 for step in range(16)]
    on_the_way = [(x + t * (u - x), y + t * (v - y)) for (x, y), (u, v) in pairwise(line) for t in steps]
    return [*on_the_way, line[-1]]


def _name_ends(axes: Axes, lines: list[Line]) -> None:
    """Each name stands beside its line's last point, moved apart from its neighbours."""
    axes.autoscale_view()  # else places on linear axes are not known yet
    to_share = axes.transData + axes.transAxes.inverted()
    ends = [to_share.transform(line.points[-1]) for line in lines]
    heights = spread([float(end[1]) for end in ends], LABEL_GAP)
    for number, (line, end, height) in enumerate(zip(lines, ends, heights, strict=True)):
        axes.annotate(plain(str(line.name)), (float(end[0]), height), xycoords="axes fraction", xytext=(6, 0),
                      textcoords="offset points", va="center", color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT,
                      annotation_clip=False)  # fmt: skip
