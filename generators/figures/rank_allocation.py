"""Ranks of modules over the steps of training, and errors over the rank to which DyLoRA is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from generators.answer import Cell, Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.style import DASHES, FONT_PT, LIGHT, PRINTED_WIDTH_IN, SERIES, bare, plain, spread, to_svg
from generators.steps import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = 0.07
"""How far lines of equal rank are drawn from each other."""


def ranks_figure(names: Sequence[str], starts: Mapping[str, int], tables: Mapping[str, Table], n_steps: int) -> Figure:
    """Draw one panel a method; the tables' first column is the step and their last columns are the ranks."""
    from matplotlib.figure import Figure as Drawing
    from matplotlib.ticker import MaxNLocator

    figure = Drawing(figsize=(PRINTED_WIDTH_IN, 1.6 * len(tables)), layout="constrained")
    rows = figure.subplots(len(tables), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (method, table) in zip(rows, tables.items(), strict=True):
        bare(axes)
        _draw(axes, names, _tracks(table, len(names), starts[method], n_steps))
        axes.set_ylabel(f"rank, {method}")
        axes.set_xlim(0, n_steps)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    rows[-1].set_xlabel("training step")
    told = "; ".join(f"{method}: {_ends(names, table)}" for method, table in tables.items() if table.rows)
    return Figure(
        svg=to_svg(figure),
        caption="Ranks of the modules while they are trained. Lines of equal rank are drawn a little apart.",
        alt=f"Ranks of {len(names)} modules over {n_steps} steps. AdaLoRA lowers, IncreLoRA raises them. At the end, {told}.",
    )


def _ends(names: Sequence[str], table: Table) -> str:
    return ", ".join(f"{name} {rank}" for name, rank in zip(names, table.rows[-1][-len(names) :], strict=True))


def _tracks(table: Table, count: int, start: int, n_steps: int) -> list[list[tuple[float, float]]]:
    """For every module its rank from each step on, from the start to the end of training."""
    tracks: list[list[tuple[float, float]]] = [[(0.0, float(start))] for _ in range(count)]
    for row in table.rows:
        for track, rank in zip(tracks, row[-count:], strict=True):
            track.append((_number(row[0]), _number(rank)))
    for track in tracks:
        track.append((float(n_steps), track[-1][1]))
    return tracks


def _number(cell: Cell) -> float:
    return cell if isinstance(cell, float) else float(rational(cell))


def _draw(axes: Axes, names: Sequence[str], tracks: Sequence[list[tuple[float, float]]]) -> None:
    ends = []
    for number, track in enumerate(tracks):
        shift = APART * ((len(tracks) - 1) / 2 - number)
        xs, ys = [x for x, _ in track], [y + shift for _, y in track]
        colour, dash = LIGHT[SERIES[number % 5]], DASHES[number % 5]
        axes.plot(xs, ys, drawstyle="steps-post", color=colour, linestyle=dash, linewidth=1.6)
        ends.append(ys[-1])
    low, high = min(ends) - 1, axes.get_ylim()[1]
    axes.set_ylim(bottom=low)
    for number, (name, y) in enumerate(zip(names, spread(ends, (high - low) / 8), strict=True)):
        axes.annotate(plain(name), (tracks[number][-1][0], y), xytext=(6, 0), textcoords="offset points", va="center",
                      color=LIGHT[SERIES[number % 5]], fontsize=FONT_PT, annotation_clip=False)  # fmt: skip


def dylora_figure(table: Table) -> Figure:
    """Draw errors over the rank: LoRA of the largest rank when it is cut, DyLoRA, and the least possible."""
    columns = {name: [_number(cell) for cell in table.column(name)] for name in ("LoRA, cut", "DyLoRA", "Least")}
    ranks = [_number(row[0]) for row in table.rows]
    highest = max(max(errors) for errors in columns.values())
    lines = [Line(name, points := list(zip(ranks, errors, strict=True)), tuple(points)) for name, errors in columns.items()]
    told = "; ".join(f"{name} {errors[0]:.3g} at rank 1" for name, errors in columns.items())
    return line_figure(
        lines,
        Axis("rank to which every module is cut", whole=True, limits=(ranks[0] - 0.1, ranks[-1] + 0.1)),
        Axis("error", limits=(-0.12 * highest, 1.05 * highest)),
        caption="One DyLoRA run serves every rank. The factors of a LoRA that is trained at the largest rank have no order.",
        alt=f"Error over the rank to which the factors are cut, falling lines: {told}.",
    )
