"""Measured values with their quartiles, in panels one above the other that share their x axis."""

from __future__ import annotations

from typing import Any, NamedTuple

from generators.answer import Figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, MARKERS, PRINTED_WIDTH_IN, SERIES, bare, plain, spread, to_svg


class Trace(NamedTuple):
    """Values at xs under one name; `low` and `high` are drawn as bars where given."""

    name: str
    xs: list[float]
    ys: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    dots: bool = True
    joined: bool = True


class Panel(NamedTuple):
    """Traces over one y axis, which may be made to start at zero."""

    y_label: str
    traces: list[Trace]
    from_zero: bool = False


def panel_figure(
    panels: list[Panel], *, x_label: str, caption: str, alt: str, shows: tuple[str, ...], log_x: bool = False
) -> Figure:
    """Draw the panels; each trace is named at its right end where a panel has several."""
    from matplotlib.figure import Figure as Drawing

    height_in = 3.0 if len(panels) == 1 else 2.2 * len(panels)
    figure = Drawing(figsize=(PRINTED_WIDTH_IN, height_in), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        bare(axes)
        if log_x:
            axes.set_xscale("log")
        _draw(axes, panel)
    rows[-1].set_xlabel(x_label)
    return Figure(svg=to_svg(figure), caption=caption, alt=alt, shows=shows)


def _draw(axes: Any, panel: Panel) -> None:
    for number, trace in enumerate(panel.traces):
        colour = LIGHT[SERIES[number % 5]]
        line = DASHES[number % 5] if trace.joined else "none"
        marker = MARKERS[number % 5] if trace.dots else None
        axes.plot(trace.xs, trace.ys, color=colour, linestyle=line, marker=marker, markersize=5, linewidth=1.6)
        if trace.low and trace.high:
            axes.vlines(trace.xs, trace.low, trace.high, color=colour, linewidth=1.2)
    if panel.from_zero:
        axes.set_ylim(bottom=0)
    axes.set_ylabel(panel.y_label)
    if len(panel.traces) > 1:
        _name(axes, panel.traces)


def _name(axes: Any, traces: list[Trace]) -> None:
    low, high = axes.get_ylim()
    for number, (trace, y) in enumerate(zip(traces, spread([one.ys[-1] for one in traces], (high - low) / 9), strict=True)):
        axes.annotate(plain(trace.name), (trace.xs[-1], y), xytext=(8, 0), textcoords="offset points", va="center",
                      color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT, annotation_clip=False)  # fmt: skip
