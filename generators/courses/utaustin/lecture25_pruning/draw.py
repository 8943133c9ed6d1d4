"""Draws what stays of a pruned layer, its error over the sparsity, and the bytes of formats that hold it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from generators.answer import Answer, Figure, Part
from generators.figures.lines import Axis, Line, line_figure, line_of
from generators.figures.series import axis_label
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, bare, to_svg
from generators.table import Series, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PRUNED = "sparsity: share of the weights that is pruned"


def draw(answer: Answer) -> dict[str, Figure]:
    """The three masks, the error over the sparsity, and bytes over the sparsity."""
    return {
        "masks": _masks(answer["1/layer"], answer["1/methods"]),
        "errors": _errors(answer["2/sparsities"], answer["2/patterns"]),
        "bytes": _bytes(answer["3"]),
    }


def _masks(layer: Table, methods: Table) -> Figure:
    """The layer once for each method: a square a weight, as large as its magnitude, filled where it stays."""
    from matplotlib.figure import Figure as Drawing

    n_rows, n_columns = (int(max(layer[key].numbers.values())) for key in ("output", "neuron"))
    height = PRINTED_WIDTH_IN / len(methods.rows) * n_rows / n_columns + 0.55
    figure = Drawing(figsize=(PRINTED_WIDTH_IN, height), layout="constrained")
    said = []
    for axes, (key, cells) in zip(figure.subplots(1, len(methods.rows)), methods.rows.items(), strict=True):
        _hinton(axes, layer, layer[key])
        axes.set_title(f"{cells['pruned_by']}: {cells['kept']} of {len(layer.rows)}", fontsize=FONT_PT, color=LIGHT["ink"])
        said.append(f"{cells['pruned_by']} keeps {cells['kept']}")
    return Figure(
        svg=to_svg(figure),
        caption=(
            "The fitted layer, a row for each output and a column for each neuron that feeds it. A square grows with the "
            "weight's magnitude; it is filled where the weight stays and hollow where it is pruned."
        ),
        alt=f"Three pictures of {n_rows} by {n_columns} weights. {'; '.join(said)}.",
        shows=(layer.address, methods.address),
    )


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
             xticks=[], yticks=[], xlabel="neurons", ylabel="outputs")  # fmt: skip
    for spine in axes.spines.values():
        spine.set_visible(False)


def _errors(sparsities: Table, patterns: Table) -> Figure:
    """The error of both ways over the sparsity, before and after fitting again, and N:M after it."""
    series = [sparsities[key] for key in ("neurons", "neurons_fitted_again", "magnitude", "magnitude_fitted_again")]
    sparsity, again = sparsities["sparsity"], patterns["error_fitted_again"]
    marks = line_of(patterns["sparsity"], again).points
    notes = tuple((*mark, str(name)) for mark, name in zip(marks, patterns["pattern"].cells.values(), strict=True))
    return line_figure(
        [*(line_of(sparsity, one) for one in series), Line("", marks[:1], tuple(marks), notes, shows=(patterns.address,))],
        Axis(axis_label([sparsity, patterns["sparsity"]], PRUNED)),
        Axis(axis_label([*series, again], "squared error over the targets' squares"), scale="log"),
        caption="What a pruned layer leaves unexplained. Marks: N:M, fitted again.",
        height_in=3.8,
    )


def _bytes(part: Part) -> Figure:
    """Each format's bytes over those of the dense matrix, which fall evenly with the sparsity; N:M is a mark."""
    points: Table = part["points"]
    ends: dict[str, list[tuple[float, float]]] = {}
    for row, name in points["format"].cells.items():
        ends.setdefault(str(name), []).append((points["sparsity"].numbers[row], points["share"].numbers[row]))
    shares = [step / 40 for step in range(39)]  # a logarithmic axis bends an even line, and its end may be zero
    lines = [Line(name, [(x, pair[0][1] + x * (pair[1][1] - pair[0][1])) for x in shares])
             for name, pair in ends.items() if len(pair) == 2]  # fmt: skip
    name, (mark,) = list(ends.items())[-1]
    break_even = float(part["csr_break_even"])
    starts = "; ".join(f"{line.name} from {line.points[0][1]:.3g}" for line in lines[:2])
    meets = f"CSR meets dense at {break_even:.3g}" if part["csr_pays"] else "CSR never meets dense"
    figure = line_figure(
        [*lines, Line("", [mark], (mark,), ((*mark, name),))],
        Axis(PRUNED),
        Axis(axis_label([points["share"]], "bytes over those of the dense matrix"), scale="log"),
        caption=f"The dense matrix stores its zeros; CSR, bitmap and N:M store where values stand. Mark: {name}.",
        alt=f"Bytes over sparsity, logarithmic. {starts}; {meets}; {name} takes {mark[1]:.3g}.",
        guide=(break_even, f"CSR pays from {break_even:.3g}") if part["csr_pays"] else None,
    )
    return replace(figure, shows=(points.address, part["csr_break_even"].address, part["csr_pays"].address))
