"""Named rows with marks beside them, in panels side by side that share the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from generators.answer import Figure
from generators.figures.lines import plain_ticks
from generators.figures.series import spoken
from generators.figures.style import FONT_PT, LIGHT, MARKERS, PRINTED_WIDTH_IN, SERIES, bare, plain, to_svg
from generators.table import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 0.26
LONGEST_NAME = 44


@dataclass(frozen=True)
class Marks:
    """A value for each row, or none; hollow marks are what was printed. `shows` is the address of their table."""

    name: str
    values: Sequence[float | None]
    hollow: bool = False
    shows: str = ""


def marks_of(series: Series, name: str = "", *, hollow: bool = False) -> Marks:
    """The numbers of a column, named by its label."""
    return Marks(name or series.label, [series.numbers.get(row) for row in series.cells], hollow, series.table)


@dataclass(frozen=True)
class Panel:
    """Marks over one axis; `guide` is a place on it, and `band` a stretch, each drawn behind the marks."""

    label: str
    marks: Sequence[Marks]
    scale: Literal["linear", "log"] = "linear"
    guide: float | None = None
    band: tuple[float, float] | None = None


def rows_figure(
    names: Sequence[str], panels: Sequence[Panel], *, caption: str, alt: str = "", shows: tuple[str, ...] = ()
) -> Figure:
    """Draw the rows from top to bottom; a legend says what each mark is where a panel has several kinds.

    Without `alt`, the alternative text gives the least and the largest of each kind of mark.
    """
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(PRINTED_WIDTH_IN, 0.9 + ROW_IN * len(names)), layout="constrained")
    grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, panel in zip(grid, panels, strict=True):
        bare(axes)
        axes.spines["left"].set_visible(False)
        axes.hlines(range(len(names)), 0, 1, transform=axes.get_yaxis_transform(), color=LIGHT["faint"], linewidth=0.6)
        _draw(axes, panel, aside=len(panels) > 1 and len(panel.marks) == 1)
    grid[0].set_yticks(range(len(names)), [plain(_short(name)) for name in names])
    grid[0].set_ylim(len(names) - 0.5, -0.5)
    grid[0].tick_params(axis="y", length=0)
    for axes in grid[1:]:
        axes.yaxis.set_visible(False)
    most = max(panels, key=lambda panel: len(panel.marks))
    if len(most.marks) > 1:
        handles, labels = grid[panels.index(most)].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=FONT_PT,
                       labelcolor=LIGHT["ink"], handletextpad=0.2, columnspacing=1.2)  # fmt: skip
    drawn = [marks.shows for panel in panels for marks in panel.marks if marks.shows]
    return Figure(
        svg=to_svg(drawing), caption=caption, alt=alt or _said(names, panels), shows=tuple(dict.fromkeys([*shows, *drawn]))
    )


def _said(names: Sequence[str], panels: Sequence[Panel]) -> str:
    said = []
    for panel in panels:
        for marks in panel.marks:
            known = [(value, name) for value, name in zip(marks.values, names, strict=True) if value is not None]
            if known:
                (least, first), (most, last) = min(known), max(known)
                said.append(f"{panel.label}, {marks.name}: from {spoken(least)} ({first}) to {spoken(most)} ({last})")
    return f"{len(names)} rows. {'; '.join(said)}."


def _draw(axes: Axes, panel: Panel, *, aside: bool) -> None:
    """Marks that stand aside look unlike those of other panels, which the legend explains."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    if panel.band is not None:
        axes.axvspan(*panel.band, color=LIGHT["accent-tint"], linewidth=0, zorder=0)
    if panel.guide is not None:
        axes.axvline(panel.guide, color=LIGHT["muted"], linewidth=0.8, zorder=0)
    for number, marks in enumerate(panel.marks):
        colour, marker = (LIGHT["ink"], "D") if aside else (LIGHT[SERIES[number % 5]], MARKERS[number % 5])
        places = [(value, row) for row, value in enumerate(marks.values) if value is not None]
        axes.plot([x for x, _ in places], [y for _, y in places], marker, color=colour, label=plain(marks.name),
                  markersize=9 if marks.hollow else 5 if aside else 6, markerfacecolor="none" if marks.hollow else colour,
                  linestyle="none")  # fmt: skip
    axes.set_xlabel(f"{panel.label} (log scale)" if panel.scale == "log" else panel.label)
    if panel.scale == "log":
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, 10)
        axes.minorticks_off()
        low, high = axes.get_xlim()
        if high < 10 * low:
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 3, 5, 7)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
