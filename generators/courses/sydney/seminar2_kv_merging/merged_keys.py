"""Conserved keys of two components as arrows, before they are merged and after, a panel a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from generators.answer import Figure
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, bare, subscripted, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT_IN = 2.3
MARGINS = {"left": 0.09, "right": 0.99, "bottom": 0.2, "top": 0.9, "wspace": 0.08}
Vectors = Mapping[int, tuple[float, float]]
"""Keys by the number of their token."""


def keys_figure(before: Vectors, after: Mapping[str, Vectors], evicted: Vectors, shows: tuple[str, ...]) -> Figure:
    """Draw one panel a rule: evicted keys as crosses, conserved ones as dashed arrows, and what they become as solid ones."""
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(PRINTED_WIDTH_IN, HEIGHT_IN))
    figure.subplots_adjust(**MARGINS)  # a layout engine would draw everything once more
    columns = figure.subplots(1, len(after), sharex=True, sharey=True)
    points = [(0.0, 0.0), *before.values(), *evicted.values(), *(key for keys in after.values() for key in keys.values())]
    for axes, (rule, keys) in zip(columns, after.items(), strict=True):
        _panel(axes, before, keys, evicted)
        axes.set_title(rule, fontsize=FONT_PT + 1, color=LIGHT["ink"])
        axes.set_xlabel("first component")
        bare(axes)
        _fit(axes, points)
    columns[0].set_ylabel("second component")
    told = "; ".join(f"{rule}: {_told(before, keys)}" for rule, keys in after.items())
    return Figure(
        svg=to_svg(figure),
        caption="Conserved keys before (dashed, hollow mark) and after merging (solid); crosses are the evicted keys.",
        alt=f"Conserved keys as arrows from the origin, by rule. {told}.",
        shows=shows,
    )


def _told(before: Vectors, keys: Vectors) -> str:
    moved = [number for number in keys if keys[number] != before[number]]
    if len(moved) > 1:
        return f"keys {', '.join(map(str, moved))} change"
    return f"key {moved[0]} changes" if moved else "no key changes"


def _fit(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """One scale on both axes, with room for names."""
    lows, highs = (tuple(choose(point[k] for point in points) for k in range(2)) for choose in (min, max))
    room = 0.2 * max(high - low for low, high in zip(lows, highs, strict=True))
    axes.set_aspect("equal", adjustable="box")
    axes.set(xlim=(lows[0] - room, highs[0] + room), ylim=(lows[1] - room, highs[1] + room))


def _panel(axes: Axes, before: Vectors, keys: Vectors, evicted: Vectors) -> None:
    axes.axhline(0, color=LIGHT["faint"], linewidth=0.8, zorder=0)
    axes.axvline(0, color=LIGHT["faint"], linewidth=0.8, zorder=0)
    axes.plot(*zip(*evicted.values(), strict=True), "x", color=LIGHT["muted"], markersize=5, linestyle="none")
    for number, key in before.items():
        axes.plot(*zip((0, 0), key, strict=True), "--", color=LIGHT["warning"], linewidth=1.1)
        axes.plot(*key, "o", markersize=4.5, color=LIGHT["warning"], markerfacecolor=LIGHT["paper"])
        arrow = {"arrowstyle": "-|>", "color": LIGHT["accent"], "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", keys[number], (0, 0), arrowprops=arrow)
        away = 5 if key[0] >= 0 else -5
        axes.annotate(subscripted(f"k{number}"), key, xytext=(away, 6), textcoords="offset points", color=LIGHT["ink"],
                      fontsize=FONT_PT, ha="left" if away > 0 else "right", va="center")  # fmt: skip
