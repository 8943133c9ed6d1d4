"""Rows of each matrix and the plane that two of them span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from generators.answer import Figure, Part
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, subscripted, to_svg
from generators.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Placed = tuple[str, tuple[float, ...]]
"""A vector's name, and its coordinates along the two vectors of the plane and across it."""

ALONG, BESIDE, UP = (1.0, -0.16), (0.42, 0.5), (0.0, 1.0)
"""Where the three axes point on paper."""


def spans_figure(matrices: Sequence[Part]) -> Figure:
    """Draw one panel a matrix: the plane of two rows, all rows as arrows, and the vector v."""
    from matplotlib.figure import Figure as Drawing

    panels = {one.label: [_placed(one["frame"], name) for name in one["frame"].rows] for one in matrices}

    figure = Drawing(figsize=(PRINTED_WIDTH_IN, 2.9), layout="constrained")
    columns = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, one in zip(columns, matrices, strict=True):
        _draw(axes, panels[one.label])
        title = f"{one.title[:1].lower()}{one.title[1:]}, rank {int(one['rank'])}"
        axes.set_title(title, fontsize=FONT_PT + 1, color=LIGHT["ink"])
    told = "; ".join(_told(one.title, panels[one.label]) for one in matrices)
    return Figure(
        svg=to_svg(figure),
        caption="The plane of the first two independent rows. Dotted lines lead from the plane to what stands out of it. "
        "Drawn along those two rows and across them, so lengths and angles are not to scale.",
        alt=f"Rows of each matrix as arrows from one point, and the plane of two of them. {told}.",
        shows=tuple(one[key].address for one in matrices for key in ("frame", "rank")),
    )


def _placed(frame: Table, name: str) -> Placed:
    return name, tuple(float(one) for one in frame.row(name).values())


def _told(title: str, vectors: Sequence[Placed]) -> str:
    out = [name for name, place in vectors if place[2]]
    return f"{title}: {' and '.join(out)} out of the plane" if out else f"{title}: everything lies in the plane"


def _unit(vectors: Sequence[Placed]) -> tuple[float, float]:
    """The largest coordinate in the plane, and across it; 1 where all are 0."""
    flat = max(abs(float(value)) for _, place in vectors for value in place[:2])
    return flat, max(abs(float(place[2])) for _, place in vectors) or 1.0


def _on_paper(place: Sequence[float], unit: tuple[float, float]) -> tuple[float, float]:
    a, b, c = float(place[0]) / unit[0], float(place[1]) / unit[0], 0.8 * float(place[2]) / unit[1]
    x, y = (a * ALONG[k] + b * BESIDE[k] + c * UP[k] for k in range(2))
    return x, y


def _draw(axes: Axes, vectors: Sequence[Placed]) -> None:
    from matplotlib.patches import Polygon

    unit = _unit(vectors)
    low = [min(0.0, *(float(place[k]) for _, place in vectors)) - 0.2 * unit[0] for k in range(2)]
    high = [max(0.0, *(float(place[k]) for _, place in vectors)) + 0.2 * unit[0] for k in range(2)]
    corners = [(low[0], low[1], 0), (high[0], low[1], 0), (high[0], high[1], 0), (low[0], high[1], 0)]
    plane = [_on_paper(corner, unit) for corner in corners]
    axes.add_patch(Polygon(plane, facecolor=LIGHT["accent-tint"], edgecolor=LIGHT["accent"], linewidth=0.8, zorder=0))
    for name, place in vectors:
        _arrow(axes, name, place, unit)
    axes.plot(0, 0, "o", color=LIGHT["ink"], markersize=3)
    axes.autoscale_view()
    axes.margins(0.12)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _arrow(axes: Axes, name: str, place: Sequence[float], unit: tuple[float, float]) -> None:
    colour = LIGHT["warning" if name == "v" else "accent"]
    tip, foot = _on_paper(place, unit), _on_paper((*place[:2], 0.0), unit)
    if place[2]:
        axes.plot(*zip(foot, tip, strict=True), linestyle=":", color=LIGHT["muted"], linewidth=1.0)
        axes.plot(*foot, marker=".", color=LIGHT["muted"], markersize=3)
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", tip, (0, 0), arrowprops={**arrow, "linestyle": "--" if name == "v" else "-"})
    away = 6 if tip[0] >= 0 else -6
    axes.annotate(subscripted(name), tip, xytext=(away, 5), textcoords="offset points", color=colour, fontsize=FONT_PT,
                  ha="left" if away > 0 else "right", va="center")  # fmt: skip
    axes.plot(*tip, linestyle="none")
