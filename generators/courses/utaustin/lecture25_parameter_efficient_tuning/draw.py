"""Draws the share of a matrix or model that is trained, over the inner width of adapters and the rank of LoRA."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label
from generators.table import Series

Points = list[tuple[float, float]]


def draw(answer: Answer) -> dict[str, Figure]:
    """LoRA's share of a matrix over its rank, and shares of the first model over inner width and rank."""
    return {"ranks": _ranks(answer), "shares": _shares(answer)}


def _ranks(answer: Answer) -> Figure:
    """LoRA's values over those of a square matrix for each rank."""
    table = answer["1/ranks"]
    share = table["share"]
    points = _points(table["rank"], share)
    ends = " to ".join(f"{value:.3g} {share.unit} at rank {rank:g}" for rank, value in (points[0], points[-1]))
    figure = line_figure(
        [Line("LoRA", points, tuple(points)), Line("the matrix", [(points[0][0], 100), (points[-1][0], 100)])],
        Axis("rank of LoRA", scale="log", base=2),
        Axis(axis_label([share], "trained share"), scale="log"),
        caption="The share that LoRA trains is twice its rank over the width of the matrix.",
        alt=f"Trained share over rank, both logarithmic: {ends}.",
    )
    return replace(figure, shows=(table.address,))


def _points(xs: Series, ys: Series) -> Points:
    """The rows in which the second column holds a number."""
    return [(xs.numbers[row], y) for row, y in ys.numbers.items()]


def _shares(answer: Answer) -> Figure:
    """A line for adapters and for LoRA, with marks at the page's own sizes, and level lines for what has no size."""
    table = answer["2/over_size"]
    sizes, series = table["size"], [table["adapters"], table["lora"]]
    lines = [Line(one.label, _points(sizes, one), tuple(_points(sizes, table[f"{one.column.key}_counted"]))) for one in series]
    levels = {
        "BitFit": answer["2/shares/model_1.bitfit/share"],
        "diff pruning, as printed": answer["sheet/printed_diff_pruning"],
        "adapters, as printed": answer["sheet/printed_adapters"],
    }
    first, last = lines[0].points[0][0], lines[0].points[-1][0]
    lines += [Line(name, [(first, float(level)), (last, float(level))]) for name, level in levels.items()]
    unit = series[0].unit
    ends = "; ".join(f"{line.name} {line.points[0][1]:.3g} {unit} to {line.points[-1][1]:.3g} {unit}" for line in lines)
    figure = line_figure(
        lines,
        Axis(axis_label([sizes]), scale="log", base=2),
        Axis(axis_label(series, "trained share"), scale="log"),
        caption=f"Shares of {answer['sheet/first_model'].value}. Marks: the widths and the rank counted on this page.",
        alt=f"Trained share over width, both logarithmic, from width {first:g} to {last:g}: {ends}.",
        height_in=3.8,
    )
    return replace(figure, shows=(table.address, answer["2/shares"].address, *(one.address for one in levels.values())))
