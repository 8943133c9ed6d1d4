"""A matrix with outlier features, and the error that each 8-bit product makes."""

from __future__ import annotations

import math

from generators.answer import Cell, Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.rows import Marks, Panel, rows_figure
from generators.figures.style import LIGHT, new_axes, to_svg
from generators.steps import Table

SHOWN = ("absmax", "zero-point", "absmax vector-wise", "absmax LLM.int8()", "FP16")
"""The methods whose errors are drawn over the size of the outliers."""


def matrix_figure(magnitudes: list[list[float]], wide: list[bool]) -> Figure:
    """Draw a bar from each row of X for every value, as tall as its magnitude; outlier features stand out."""
    tokens, features = len(magnitudes), len(wide)
    most = max(map(max, magnitudes))
    figure, axes = new_axes(height_in=1.0 + 0.09 * tokens)
    for kind, colour in ((False, "accent"), (True, "warning")):
        bars = [(f, t) for f in range(features) if wide[f] is kind for t in range(tokens)]
        xs = [float(x) for f, _ in bars for x in (f, f, f)]
        ys = [y for f, t in bars for y in (t, t - 0.06 - 0.84 * magnitudes[t][f] / most, math.nan)]
        axes.plot(xs, ys, color=LIGHT[colour], linewidth=3.0 if kind else 1.6, solid_capstyle="butt")
    axes.set(xlim=(-1, features), ylim=(tokens - 0.5, -2), xlabel="feature", ylabel="token")
    axes.spines["left"].set_visible(False)
    found = [str(f) for f in range(features) if wide[f]]
    named = f"features {', '.join(found)} are outliers, drawn thicker" if found else "no feature is an outlier"
    return Figure(
        svg=to_svg(figure),
        caption=f"X, a bar for each value as tall as its magnitude: {named}.",
        alt=f"Bars for {tokens} tokens and {features} features, the tallest of {most:.3g}; {named}.",
    )


def _floats(cells: tuple[Cell, ...]) -> list[float]:
    return [float(cell) for cell in cells if isinstance(cell, int | float)]


def methods_figure(table: Table) -> Figure:
    """Draw the RMS error of each method as a row."""
    names = [str(name) for name in table.column("Method")]
    errors = _floats(table.column("RMS error"))
    listed = "; ".join(f"{name} {error:.3g}" for name, error in zip(names, errors, strict=True))
    return rows_figure(
        names,
        [Panel("RMS error of the product", [Marks("RMS error", errors)], scale="log")],
        caption="The error of X·W by each method.",
        alt=f"RMS errors on a logarithmic axis: {listed}.",
    )


def sizes_figure(table: Table, threshold: float) -> Figure:
    """Draw RMS errors over the size of the largest outlier; the threshold gets a guide."""
    sizes = [float(rational(size)) for size in table.column("Largest outlier")]
    lines = [Line(name, list(zip(sizes, _floats(table.column(name)), strict=True))) for name in SHOWN]
    ends = "; ".join(f"{line.name} {line.points[-1][1]:.3g}" for line in lines)
    return line_figure(
        lines,
        Axis("size of the largest outlier", scale="log", base=2),
        Axis("RMS error of the product", scale="log"),
        caption="With one step for a whole vector, every value pays for its outliers.",
        alt=f"RMS errors over the size of the outliers, both axes logarithmic. With {sizes[-1]:g}: {ends}.",
        guide=(threshold, f"threshold {threshold:g}"),
    )
