"""Draws throughput over latency for growing batches, and what the time of a step goes into."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, Line, line_figure, line_of
from generators.figures.series import axis_label
from generators.pipeline.wording import counted
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """A line for each length, and one for each kind of product."""
    return {
        "trade_off": _trade_off(answer["2/curves"], int(answer["sheet/n"])),
        "split": _split(answer["2/batches"]),
    }


def _trade_off(table: Table, named: int) -> Figure:
    """Batch sizes of the length `named` are written beside their marks."""
    latency, throughput = table["step"].numbers, table["throughput"].numbers
    lines, ends = [], []
    for length in dict.fromkeys(table["context"].numbers.values()):
        rows = [row for row, context in table["context"].numbers.items() if context == length]
        batches = [int(table["batch"].numbers[row]) for row in rows]
        places = [(latency[row], throughput[row]) for row in rows]
        notes = tuple((x, y, str(batch)) for batch, (x, y) in list(zip(batches, places, strict=True))[:-1])
        tokens = counted(int(length), "token")
        lines.append(Line(f"{tokens}, up to {batches[-1]}", places, tuple(places), notes if length == named else ()))
        ends.append(
            f"{tokens}: from {places[0][1]:.0f} {table['throughput'].unit} at {places[0][0]:.3g} {table['step'].unit} "
            f"to {places[-1][1]:.0f} at {places[-1][0]:.3g} {table['step'].unit} with {counted(batches[-1], 'sequence')}"
        )
    drawn = line_figure(
        lines,
        Axis(axis_label([table["step"]], "latency: time of one step"), scale="log", whole=True),
        Axis(axis_label([table["throughput"]]), scale="log"),
        caption=(
            "A line for each number of cached tokens, a mark for each batch size up to the largest that fits, "
            "written beside the marks of one line. Where a line is steep, throughput costs little latency."
        ),
        alt=f"Throughput over latency, both logarithmic. {'; '.join(ends)}.",
        height_in=3.8,
    )
    return replace(drawn, shows=(table.address,))


def _split(table: Table) -> Figure:
    """The time of products with weights and of attention over the batch."""
    series = [table["weights"], table["attention"]]
    return line_figure(
        [line_of(table["batch"], one) for one in series],
        Axis("batch: sequences decoded together", scale="log", base=2),
        Axis(axis_label(series, "time in a step"), scale="log"),
        caption="Weights are read once for every batch; attention takes as much again for each sequence.",
    )
