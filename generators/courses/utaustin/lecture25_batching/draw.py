"""Draws throughput over latency for growing batches."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label
from generators.pipeline.wording import counted
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """A line for each length."""
    return {"trade_off": _trade_off(answer["2/curves"], int(answer["sheet/n"]))}


def _trade_off(table: Table, named: int) -> Figure:
    """Batch sizes of the length `named` are written beside their marks."""
    latency, throughput, contexts = (table[key].numbers for key in ("step", "throughput", "context"))
    lines = []
    for length in dict.fromkeys(contexts.values()):
        rows = [row for row, context in contexts.items() if context == length]
        batches = [table["batch"].cells[row] for row in rows]
        places = [(latency[row], throughput[row]) for row in rows]
        notes = tuple((*place, str(batch)) for batch, place in zip(batches[:-1], places[:-1], strict=True))
        tokens = counted(int(length), "token")
        lines.append(Line((f"{tokens}, up to ", batches[-1]), places, tuple(places), notes if length == named else ()))
    drawn = line_figure(
        lines,
        Axis(axis_label([table["step"]], "latency: time of one step"), scale="log", whole=True),
        Axis(axis_label([table["throughput"]]), scale="log"),
        caption=(
            "Each line is one context length, each mark a batch size up to the largest that fits. "
            "Where a line is steep, throughput costs little latency."
        ),
        height_in=3.4,
    )
    return replace(drawn, shows=(table.address,))
