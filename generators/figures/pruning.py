"""What stays of a pruned layer, its error over the sparsity, and the bytes of formats that hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from generators.answer import Cell, Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, bare, to_svg
from generators.steps import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Sequence[int]]
Masks = Mapping[str, Sequence[Sequence[bool]]]


def masks_figure(weights: Rows, masks: Masks) -> Figure:
    """Draw the layer once for each mask: a square a weight, as large as its magnitude, filled where it stays."""
    from matplotlib.figure import Figure as Drawing

    n_rows, n_columns = len(weights), len(weights[0])
    height = PRINTED_WIDTH_IN / len(masks) * n_rows / n_columns + 0.55
    figure = Drawing(figsize=(PRINTED_WIDTH_IN, height), layout="constrained")
    largest = max(abs(weight) for row in weights for weight in row)
    for axes, (name, mask) in zip(figure.subplots(1, len(masks)), masks.items(), strict=True):
        _hinton(axes, weights, mask, largest)
        kept = sum(map(sum, mask))
        axes.set_title(f"{name}: {kept} of {n_rows * n_columns}", fontsize=FONT_PT, color=LIGHT["ink"])
    counts = "; ".join(f"{name} keeps {sum(map(sum, mask))}" for name, mask in masks.items())
    return Figure(
        svg=to_svg(figure),
        caption=(
            "The fitted layer, a row for each output and a column for each neuron that feeds it. A square grows with the "
            "weight's magnitude; it is filled where the weight stays and hollow where it is pruned."
        ),
        alt=f"Three pictures of {n_rows} by {n_columns} weights. {counts}.",
    )


def _hinton(axes: Axes, weights: Rows, mask: Sequence[Sequence[bool]], largest: int) -> None:
    from matplotlib.collections import PolyCollection

    bare(axes)
    n_rows, n_columns = len(weights), len(weights[0])
    for stays, face, edge in ((True, "accent", "accent"), (False, "paper", "muted")):
        squares = [
            _square(i, j, 0.08 + 0.37 * math.sqrt(abs(weight) / largest))
            for i, row in enumerate(weights)
            for j, weight in enumerate(row)
            if mask[i][j] == stays
        ]
        axes.add_collection(PolyCollection(squares, facecolor=LIGHT[face], edgecolor=LIGHT[edge], linewidth=0.6))
    axes.set(xlim=(0, n_columns), ylim=(n_rows, 0), aspect="equal", xticks=[], yticks=[], xlabel="neurons", ylabel="outputs")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _square(row: int, column: int, half: float) -> list[tuple[float, float]]:
    x, y = column + 0.5, row + 0.5
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def _floats(cells: Sequence[Cell]) -> list[float]:
    return [cell if isinstance(cell, float) else float(rational(cell)) for cell in cells]


def _paired(table: Table, column: str) -> list[tuple[float, float]]:
    return list(zip(_floats(table.column("Sparsity")), _floats(table.column(column)), strict=True))


def error_figure(sparsities: Table, patterns: Table) -> Figure:
    """Draw the error of both ways over the sparsity, before and after fitting again, and N:M after it."""
    names = {"Neurons": "neurons", "neurons, fitted again": "neurons, fitted again",
             "Magnitude": "magnitude", "fitted again": "magnitude, fitted again"}  # fmt: skip
    lines = [Line(name, _paired(sparsities, column)) for column, name in names.items()]
    marks = tuple(_paired(patterns, "fitted again"))
    notes = tuple((*mark, str(name)) for mark, name in zip(marks, patterns.column("N:M"), strict=True))
    ends = "; ".join(f"{line.name} {line.points[-1][1]:.3g} at {line.points[-1][0]:.3g}" for line in lines)
    ends += "; " + "; ".join(f"{name} {y:.3g}" for _, y, name in notes)
    return line_figure(
        [*lines, Line("", [marks[0]], marks, notes)],
        Axis("sparsity: share of the weights that is pruned"),
        Axis("squared error over the targets' squares", scale="log"),
        caption="What a pruned layer leaves unexplained. Marks: N:M, fitted again.",
        alt=f"Error over sparsity, logarithmic. Last points: {ends}.",
        height_in=3.8,
    )


def bytes_figure(lines: Mapping[str, tuple[float, float]], pattern: tuple[str, float, float], break_even: float) -> Figure:
    """Draw each format's bytes over those of the dense matrix, which fall evenly; `pattern` is a mark."""
    name, sparsity, share = pattern
    places = [step / 40 for step in range(39)]
    ends = {**lines, "dense": (1.0, 1.0), "fewer columns": (1.0, 0.0)}
    drawn = [Line(one, [(x, first + x * (last - first)) for x in places]) for one, (first, last) in ends.items()]
    drawn.append(Line("", [(sparsity, share)], ((sparsity, share),), ((sparsity, share, name),)))
    starts = "; ".join(f"{one} from {first:.3g}" for one, (first, _) in lines.items())
    return line_figure(
        drawn,
        Axis("sparsity: share of the weights that is pruned"),
        Axis("bytes over those of the dense matrix", scale="log"),
        caption=f"The dense matrix stores its zeros; CSR, bitmap and N:M store where values stand. Mark: {name}.",
        alt=f"Bytes over sparsity, logarithmic. {starts}; CSR meets dense at {break_even:.3g}; {name} takes {share:.3g}.",
        guide=(break_even, f"CSR pays from {break_even:.3g}") if break_even < 1 else None,
    )
