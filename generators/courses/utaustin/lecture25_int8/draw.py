"""Draws a matrix with outlier features, and the error that each 8-bit product makes."""

from __future__ import annotations

import math

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.rows import Panel, marks_of, rows_figure
from generators.figures.series import axis_label
from generators.figures.style import LIGHT, new_axes, to_svg
from generators.table import Table

SHOWN = ("absmax", "zero_point", "absmax_vector_wise", "absmax_vector_wise_decomposed", "fp16")
"""The methods whose errors are drawn over the size of the outliers."""


def draw(answer: Answer) -> dict[str, Figure]:
    """X with its outlier features, the error of each method, and that over the size of the outliers."""
    return {
        "matrix": _matrix(answer["2/matrix"]),
        "methods": _methods(answer["2/methods"]),
        "sizes": _sizes(answer["2/sizes"], float(answer["sheet/threshold"])),
    }


def _matrix(table: Table) -> Figure:
    """A bar from each row of X for every value, as tall as its magnitude; outlier features stand out."""
    tokens = [table[key].numbers for key in table.columns if key.startswith("token_")]
    wide = {row: cell == "yes" for row, cell in table["outlier"].cells.items()}
    places = {row: int(place) for row, place in table["feature"].numbers.items()}
    most = max(max(one.values()) for one in tokens)
    figure, axes = new_axes(height_in=1.0 + 0.09 * len(tokens))
    for kind, colour in ((False, "accent"), (True, "warning")):
        bars = [(row, t) for row in places if wide[row] is kind for t in range(len(tokens))]
        xs = [float(x) for row, _ in bars for x in [places[row]] * 3]
        ys = [y for row, t in bars for y in (t, t - 0.06 - 0.84 * tokens[t][row] / most, math.nan)]
        axes.plot(xs, ys, color=LIGHT[colour], linewidth=3.0 if kind else 1.6, solid_capstyle="butt")
    axes.set(xlim=(-1, len(places)), ylim=(len(tokens) - 0.5, -2), xlabel=axis_label([table["feature"]]), ylabel="token")
    axes.spines["left"].set_visible(False)
    named = _outliers([places[row] for row, is_wide in wide.items() if is_wide])
    return Figure(
        svg=to_svg(figure),
        caption=f"X, a bar for each value as tall as its magnitude: {named}.",
        alt=f"Bars for {len(tokens)} tokens and {len(places)} features, the tallest of {most:.3g}; {named}.",
        shows=(table.address,),
    )


def _outliers(found: list[int]) -> str:
    if len(found) == 1:
        return f"feature {found[0]} is an outlier, drawn thicker"
    return f"features {', '.join(map(str, found))} are outliers, drawn thicker" if found else "no feature is an outlier"


def _methods(table: Table) -> Figure:
    """The RMS error of each method as a row."""
    names, errors = [str(name) for name in table["method"].cells.values()], table["error"]
    panel = Panel(axis_label([errors], "RMS error of the product"), [marks_of(errors)], scale="log")
    return rows_figure(names, [panel], caption="The error of X·W by each method.")


def _sizes(table: Table, threshold: float) -> Figure:
    """RMS errors over the size of the largest outlier; the threshold gets a guide."""
    shown = [table[key] for key in SHOWN]
    return line_figure(
        [line_of(table["largest"], one) for one in shown],
        Axis(axis_label([table["largest"]], "size of the largest outlier"), scale="log", base=2),
        Axis(axis_label(shown, "RMS error of the product"), scale="log"),
        caption="With one step for a whole vector, every value pays for its outliers.",
        guide=(threshold, f"threshold {threshold:g}"),
    )
