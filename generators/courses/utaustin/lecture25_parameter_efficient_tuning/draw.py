"""Draws the share of a matrix or model that is trained, over the inner width of adapters and the rank of LoRA."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, Line, line_figure, line_of
from generators.figures.series import axis_label


def draw(answer: Answer) -> dict[str, Figure]:
    """LoRA's share of a matrix over its rank, and shares of the first model over inner width and rank."""
    return {"ranks": _ranks(answer), "shares": _shares(answer)}


def _ranks(answer: Answer) -> Figure:
    """LoRA's values over those of a square matrix for each rank."""
    rank, share = answer["1/ranks"]["rank"], answer["1/ranks"]["share"]
    lora = line_of(rank, share, "LoRA", marked=True)
    return line_figure(
        [lora, _level("the matrix", 100.0, lora)],
        Axis(axis_label([rank], "rank of LoRA"), scale="log", base=2),
        Axis(axis_label([share], "trained share"), scale="log"),
        caption="The share that LoRA trains is twice its rank over the width of the matrix.",
    )


def _level(name: str, height: float, beside: Line, shows: tuple[str, ...] = ()) -> Line:
    """A level line as wide as another."""
    return Line(name, [(place, height) for place, _ in (beside.points[0], beside.points[-1])], shows=shows)


def _shares(answer: Answer) -> Figure:
    """A line for adapters and for LoRA, with marks at the page's own sizes, and level lines for what has no size."""
    table = answer["2/over_size"]
    sizes, series = table["size"], [table["adapters"], table["lora"]]
    counted = [tuple(line_of(sizes, table[f"{one.column.key}_counted"]).points) for one in series]
    lines = [replace(line_of(sizes, one), marked=marks) for one, marks in zip(series, counted, strict=True)]
    levels = {
        "BitFit": answer["2/shares/model_1.bitfit/share"],
        "diff pruning, as printed": answer["sheet/printed_diff_pruning"],
        "adapters, as printed": answer["sheet/printed_adapters"],
    }
    lines += [_level(name, float(level), lines[0], (level.address,)) for name, level in levels.items()]
    return line_figure(
        lines,
        Axis(axis_label([sizes]), scale="log", base=2),
        Axis(axis_label(series, "trained share"), scale="log"),
        caption=f"Shares of {answer['sheet/first_model'].value}. Marks: the widths and the rank counted on this page.",
        height_in=3.8,
    )
