"""Draws the scores of every step, and what the cache saves over the length."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.courses.sydney.seminar2_kv_cache.steps_picture import steps_figure
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The steps as squares, and the ratios of a step's costs as lines."""
    return {"steps": steps_figure(answer["1/scores"], answer["1/counts"]), "saving": _saving(answer["2/ratios"])}


def _saving(ratios: Table) -> Figure:
    """How many times as much a step takes without the cache, in FLOPs and in bytes, over the tokens so far."""
    tokens = list(ratios["tokens"].numbers.values())
    series = [ratios["flops"], ratios["bytes"]]
    lines = []
    for one, name in zip(series, ("FLOPs", "bytes"), strict=True):
        points = list(zip(tokens, one.numbers.values(), strict=True))
        lines.append(Line(name, points, tuple(points)))
    ends = "; ".join(f"{line.name}: {line.points[0][1]:,.1f} and {line.points[-1][1]:,.1f} times" for line in lines)
    drawn = line_figure(
        lines,
        Axis("tokens so far", scale="log", base=2),
        Axis(axis_label(series, "times as much"), scale="log"),
        caption="How many times as many FLOPs and bytes a step takes without the cache.",
        alt=f"FLOPs and bytes of a step without the cache over those with. At {tokens[0]:g} and {tokens[-1]:g} tokens, {ends}.",
        height_in=2.8,
    )
    return replace(drawn, shows=(ratios.address,))
