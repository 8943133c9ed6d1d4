"""Draws throughput over latency for growing batches."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from generators.answer import Answer, Figure
from generators.cells import rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label
from generators.table import Table
from generators.traced import untraced


def draw(answer: Answer) -> dict[str, Figure]:
    """A line for each length."""
    return {"trade_off": _trade_off(answer["2/curves"])}


def _trade_off(table: Table) -> Figure:
    """Batch sizes of the page's length are written beside their marks."""
    latency, throughput = (table[key].numbers for key in ("step", "throughput"))
    lines = []
    for key, of_length in groupby(table.rows, lambda row: row.partition(".")[0]):
        rows = list(of_length)
        places = [(latency[row], throughput[row]) for row in rows]
        last = rational(table.rows[rows[-1]]["batch"]) + 0  # as a sum it is there whether its row is shown or not
        name = ("context ", table.rows[rows[0]]["context"], ", up to ", last)
        noted = [row for row in rows if key == "own" and not row.endswith(".largest")]
        notes = tuple((latency[row], throughput[row], str(untraced(table.rows[row]["batch"]))) for row in noted)
        lines.append(Line(name, places, tuple(places), notes))
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
