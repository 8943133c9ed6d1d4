"""Draws ranks of modules over the steps of training, and errors over the rank to which DyLoRA is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from generators.answer import Answer, Figure, Part
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.series import axis_label
from generators.figures.style import DASHES, FONT_PT, LIGHT, SERIES, new_axes, plain, spread, to_svg
from generators.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = 0.07
"""How far lines of equal rank are drawn from each other."""
Track = list[tuple[float, float]]


def draw(answer: Answer) -> dict[str, Figure]:
    """Ranks over the steps of AdaLoRA and of IncreLoRA, and errors over the rank of DyLoRA."""
    start, n_steps = answer["sheet/initial_rank"], answer["sheet/T"]
    adalora = _ranks(answer["3"], answer["3/choices"], "lowers", int(start), int(n_steps))
    increlora = _ranks(answer["4"], answer["4/growth"], "raises", 1, int(n_steps))
    return {
        "adalora": replace(adalora, shows=(*adalora.shows, start.address, n_steps.address)),
        "increlora": replace(increlora, shows=(*increlora.shows, n_steps.address)),
        "dylora": _dylora(answer["2/errors"]),
    }


def _ranks(part: Part, table: Table, does: str, start: int, n_steps: int) -> Figure:
    """The ranks of a method's modules as steps."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_axes(height_in=1.9)
    _draw(axes, _tracks(table, start, n_steps))
    axes.set_ylabel("rank")
    axes.set_xlim(0, n_steps)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(axis_label([table["step"]], "training step"))
    final: Table = part["final"]
    ends = ", ".join(f"{row['module'].value} {int(row['rank'])}" for row in final)
    return Figure(
        svg=to_svg(figure),
        caption=f"Ranks of the modules while {part.title} trains them. Lines of equal rank are drawn a little apart.",
        alt=f"Ranks of {len(final.rows)} modules over {n_steps} steps. {part.title} {does} them. At the end: {ends}.",
        shows=(table.address, final.address),
    )


def _tracks(table: Table, start: int, n_steps: int) -> dict[str, Track]:
    """For every module its rank from each step on, from the start to the end of training."""
    steps = table["step"].numbers
    tracks: dict[str, Track] = {}
    for key in table.columns:
        if key.startswith("module_"):
            series = table[key]
            track = [(0.0, float(start)), *((step, series.numbers[row]) for row, step in steps.items())]
            tracks[series.label] = [*track, (float(n_steps), track[-1][1])]
    return tracks


def _draw(axes: Axes, tracks: Mapping[str, Track]) -> None:
    ends = []
    for number, track in enumerate(tracks.values()):
        shift = APART * ((len(tracks) - 1) / 2 - number)
        xs, ys = [x for x, _ in track], [y + shift for _, y in track]
        colour, dash = LIGHT[SERIES[number % 5]], DASHES[number % 5]
        axes.plot(xs, ys, drawstyle="steps-post", color=colour, linestyle=dash, linewidth=1.6)
        ends.append(ys[-1])
    low, high = min(ends) - 1, axes.get_ylim()[1]
    axes.set_ylim(bottom=low)
    _name(axes, tracks, spread(ends, (high - low) / 8))


def _name(axes: Axes, tracks: Mapping[str, Track], heights: Sequence[float]) -> None:
    """Each module's name stands at the end of its line."""
    for number, ((name, track), y) in enumerate(zip(tracks.items(), heights, strict=True)):
        axes.annotate(plain(name), (track[-1][0], y), xytext=(6, 0), textcoords="offset points", va="center",
                      color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT, annotation_clip=False)  # fmt: skip


def _dylora(table: Table) -> Figure:
    """Errors over the rank: LoRA of the largest rank when it is cut, DyLoRA, and the least possible."""
    ranks, series = table["rank_of_every_module"], [table[key] for key in ("lora_cut", "dylora", "least")]
    lines = [line_of(ranks, one, marked=True) for one in series]
    highest, places = max(y for line in lines for _, y in line.points), list(ranks.numbers.values())
    return line_figure(
        lines,
        Axis("rank to which every module is cut", whole=True, limits=(places[0] - 0.1, places[-1] + 0.1)),
        Axis(axis_label(series, "error"), limits=(-0.12 * highest, 1.05 * highest)),
        caption="One DyLoRA run serves every rank. The factors of a LoRA that is trained at the largest rank have no order.",
    )
