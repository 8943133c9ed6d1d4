"""Draws what stays of a pruned layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from generators.answer import Answer, Figure
from generators.figures.style import CHART_WIDTH_IN, FONT_PT, LIGHT, bare, to_svg
from generators.table import Series, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(answer: Answer) -> dict[str, Figure]:
    """The layer once for each method: a square a weight, as large as its magnitude, filled where it stays."""
    layer, methods = answer["1/layer"], answer["1/methods"]
    n_rows, n_columns = (int(max(layer[key].numbers.values())) for key in ("output", "neuron"))
    said = [f"{cells['pruned_by']} keeps {cells['kept']}" for cells in methods.rows.values()]
    masks = Figure(
        svg=_panels(layer, methods, CHART_WIDTH_IN / len(methods.rows) * n_rows / n_columns + 0.35, beside=len(methods.rows)),
        tall=_panels(layer, methods, len(methods.rows) * (CHART_WIDTH_IN * n_rows / n_columns + 0.35), beside=1),
        caption="A row for each output, a column for each neuron. A square grows with the weight's magnitude; it is filled "
        "where the weight stays and hollow where it is dropped.",
        alt=f"Three pictures of {n_rows} by {n_columns} weights. {'; '.join(said)}.",
        shows=(layer.address, methods.address),
    )
    return {"masks": masks}


def _panels(layer: Table, methods: Table, height_in: float, *, beside: int) -> str:
    """A panel for each method, so many beside each other."""
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(CHART_WIDTH_IN, height_in), layout="constrained")
    panels = figure.subplots(len(methods.rows) // beside, beside).flat
    for axes, (key, cells) in zip(panels, methods.rows.items(), strict=True):
        _hinton(axes, layer, layer[key])
        axes.set_title(f"{cells['pruned_by']}: {cells['kept']} of {len(layer.rows)}", fontsize=FONT_PT, color=LIGHT["ink"])
    return to_svg(figure)


def _hinton(axes: Axes, layer: Table, mask: Series) -> None:
    from matplotlib.collections import PolyCollection

    bare(axes)
    weights = layer["weight"].numbers
    outputs, neurons = layer["output"].numbers, layer["neuron"].numbers
    largest = max(map(abs, weights.values()))
    for stays, face, edge in ((1, "accent", "accent"), (0, "paper", "muted")):
        squares = []
        for row in (row for row in weights if mask.cells[row] == stays):
            x, y, half = neurons[row], outputs[row], 0.08 + 0.37 * math.sqrt(abs(weights[row]) / largest)
            squares.append([(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)])
        axes.add_collection(PolyCollection(squares, facecolor=LIGHT[face], edgecolor=LIGHT[edge], linewidth=0.6))
    axes.set(xlim=(0.5, max(neurons.values()) + 0.5), ylim=(max(outputs.values()) + 0.5, 0.5), aspect="equal",
             xticks=[], yticks=[])  # fmt: skip
    for spine in axes.spines.values():
        spine.set_visible(False)
