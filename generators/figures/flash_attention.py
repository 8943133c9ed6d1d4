"""Memory traffic of attention over the length and over the size of SRAM."""

from __future__ import annotations

from generators.answer import Cell, Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.steps import Table


def _numbers(cells: tuple[Cell, ...]) -> list[float]:
    return [float(rational(cell)) for cell in cells]


def _paired(xs: list[float], ys: list[float]) -> list[tuple[float, float]]:
    return list(zip(xs, ys, strict=True))


def length_figure(table: Table, marked: int) -> Figure:
    """Draw reads and writes of both over the length; `marked` gets a guide. Numbers are in MiB."""
    lengths = _numbers(table.column("N"))
    moved = {name: _numbers(table.column(name)) for name in map(str, table.header[1:5])}
    styles = {"Reads, standard": "standard, read", "Writes, standard": "standard, written",
              "Reads, flash": "flash, read", "Writes, flash": "flash, written"}  # fmt: skip
    ends = "; ".join(f"{styles[name]} {values[-1]:.4g} MiB" for name, values in moved.items())
    return line_figure(
        [Line(styles[name], _paired(lengths, values)) for name, values in moved.items()],
        Axis("tokens N", scale="log", base=2),
        Axis("MiB of one head", scale="log"),
        caption="One head. Standard attention moves its N × N scores; those of FlashAttention never leave the chip.",
        alt=f"Memory traffic over the length, both axes logarithmic. At N = {lengths[-1]:g}: {ends}.",
        guide=(float(marked), f"N = {marked}"),
    )


def sram_figure(table: Table, standard: float, marked_kib: int) -> Figure:
    """Draw reads and writes together over the size of SRAM, beside those of standard attention, in MiB."""
    sizes, moved = _numbers(table.column("SRAM")), _numbers(table.column("Traffic"))
    return line_figure(
        [
            Line("standard", [(sizes[0], standard), (sizes[-1], standard)]),
            Line("flash", _paired(sizes, moved), tuple(_paired(sizes, moved))),
        ],
        Axis("SRAM, KiB", scale="log", base=2),
        Axis("MiB of one head", scale="log"),
        caption="More memory on the chip makes larger blocks and fewer passes over the matrices in HBM.",
        alt=f"Traffic goes from {moved[0]:.4g} MiB with {sizes[0]:g} KiB to {moved[-1]:.4g} MiB with {sizes[-1]:g} KiB; "
        f"standard attention moves {standard:.4g} MiB.",
        guide=(float(marked_kib), f"{marked_kib} KiB"),
    )
