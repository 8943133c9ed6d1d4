"""Draws memory traffic of attention over the length and over the size of SRAM."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label
from generators.table import Series, Table


def draw(answer: Answer) -> dict[str, Figure]:
    """Both pictures."""
    return {
        "lengths": _lengths(answer["3/lengths"], answer["sheet/N"]),
        "sram": _sram(answer["3/sram"], answer["3/standard"], answer["sheet/sram"]),
    }


def _points(xs: Series, ys: Series) -> list[tuple[float, float]]:
    return list(zip(xs.numbers.values(), ys.numbers.values(), strict=True))


def _lengths(table: Table, marked: Quantity) -> Figure:
    """Reads and writes of both over the length."""
    said = {"standard_reads": "standard, read", "standard_writes": "standard, written",
            "flash_reads": "flash, read", "flash_writes": "flash, written"}  # fmt: skip
    series = {name: table[key] for key, name in said.items()}
    lines = [Line(name, _points(table["tokens"], one)) for name, one in series.items()]
    ends = "; ".join(f"{line.name} {line.points[-1][1]:.4g} {series[line.name].unit}" for line in lines)
    drawn = line_figure(
        lines,
        Axis(axis_label([table["tokens"]], "tokens N"), scale="log", base=2),
        Axis(axis_label(list(series.values()), "traffic of one head"), scale="log"),
        caption="One head. Standard attention moves its N × N scores; those of FlashAttention never leave the chip.",
        alt=f"Memory traffic over the length, both axes logarithmic. At N = {lines[0].points[-1][0]:g}: {ends}.",
        guide=(float(marked), f"N = {marked.value}"),
    )
    return replace(drawn, shows=(table.address, marked.address))


def _sram(table: Table, standard: Quantity, marked: Quantity) -> Figure:
    """Reads and writes together over the size of SRAM, beside those of standard attention."""
    points, unit, kib = _points(table["sram"], table["traffic"]), table["traffic"].unit, table["sram"].unit
    (least, first), (most, last) = points[0], points[-1]
    drawn = line_figure(
        [Line("standard", [(least, float(standard)), (most, float(standard))]), Line("flash", points, tuple(points))],
        Axis(axis_label([table["sram"]]), scale="log", base=2),
        Axis(axis_label([table["traffic"]], "traffic of one head"), scale="log"),
        caption="More memory on the chip makes larger blocks and fewer passes over the matrices in HBM.",
        alt=f"Traffic goes from {first:.4g} {unit} with {least:g} {kib} to {last:.4g} {unit} with {most:g} {kib}; "
        f"standard attention moves {float(standard):.4g} {standard.unit}.",
        guide=(float(marked), f"{marked.value} {marked.unit}"),
    )
    return replace(drawn, shows=(table.address, standard.address, marked.address))
