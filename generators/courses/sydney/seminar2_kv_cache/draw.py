"""Draws the scores of every step, and what the cache saves over the length."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.courses.sydney.seminar2_kv_cache.steps_picture import steps_figure
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.series import axis_label
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The steps as squares, and the ratios of a step's costs as lines."""
    return {"steps": steps_figure(answer["1/scores"], answer["1/counts"]), "saving": _saving(answer["2/ratios"])}


def _saving(ratios: Table) -> Figure:
    """How many times as much a step takes without the cache, in FLOPs and in bytes, over the tokens so far."""
    series = [ratios["flops"], ratios["bytes"]]
    return line_figure(
        [line_of(ratios["tokens"], one, marked=True) for one in series],
        Axis(axis_label([ratios["tokens"]], "tokens so far"), scale="log", base=2),
        Axis(axis_label(series, "times as much"), scale="log"),
        caption="How many times as many FLOPs and bytes a step takes without the cache.",
        height_in=2.8,
    )
