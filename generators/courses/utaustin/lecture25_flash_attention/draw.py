"""Draws memory traffic of attention over the length and over the size of SRAM."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, Line, line_figure, line_of
from generators.figures.series import axis_label
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """Both pictures."""
    return {
        "lengths": _lengths(answer["3/lengths"], answer["sheet/N"]),
        "sram": _sram(answer["3/sram"], answer["3/standard"], answer["sheet/sram"]),
    }


def _lengths(table: Table, marked: Quantity) -> Figure:
    """Reads and writes of both over the length."""
    traffic = [table[key] for key in ("standard_reads", "standard_writes", "flash_reads", "flash_writes")]
    return line_figure(
        [line_of(table["tokens"], one) for one in traffic],
        Axis(axis_label([table["tokens"]], "tokens N"), scale="log", base=2),
        Axis(axis_label(traffic, "traffic of one head"), scale="log"),
        caption="One head. Standard attention moves its N × N scores; those of FlashAttention never leave the chip.",
        guide=(float(marked), f"N = {marked.value}"),
    )


def _sram(table: Table, standard: Quantity, marked: Quantity) -> Figure:
    """Reads and writes together over the size of SRAM, beside those of standard attention."""
    flash = line_of(table["sram"], table["traffic"], "flash", marked=True)
    ends = [(place, float(standard)) for place, _ in (flash.points[0], flash.points[-1])]
    return line_figure(
        [Line("standard", ends, shows=(standard.address,)), flash],
        Axis(axis_label([table["sram"]]), scale="log", base=2),
        Axis(axis_label([table["traffic"]], "traffic of one head"), scale="log"),
        caption="More memory on the chip makes larger blocks and fewer passes over the matrices in HBM.",
        guide=(float(marked), f"{marked.value} {marked.unit}"),
    )
