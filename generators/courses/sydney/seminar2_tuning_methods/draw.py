"""Draws trained values over the size of each tuning method, and what they add to a decoded token."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, Line, line_figure, line_of
from generators.figures.series import axis_label

METHODS = ("lora", "adapters", "prefix", "prompt")


def draw(answer: Answer) -> dict[str, Figure]:
    """Trained values over the size of each method, and FLOPs of a token over trained values."""
    return {"values": _values(answer), "flops": _flops(answer)}


def _values(answer: Answer) -> Figure:
    """A line a method over rank, inner width or number of virtual tokens."""
    table = answer["over_size/values"]
    series = [table[name] for name in METHODS]
    return line_figure(
        [line_of(table["size"], one, marked=True) for one in series],
        Axis(axis_label([table["size"]]), scale="log", base=2),
        Axis(axis_label(series, "trained values"), scale="log"),
        caption="Trained values grow in proportion to each method's size; prompt tuning has one set for the whole model.",
    )


def _flops(answer: Answer) -> Figure:
    """FLOPs added to a decoded token over trained values; methods of the same cost lie on one line and are named together."""
    values, flops, costs = answer["over_size/values"], answer["over_size/token_flops"], answer["4/costs"]["flops_here"]
    groups: dict[float, list[Line]] = {}
    for name, cost in costs.numbers.items():
        groups.setdefault(cost, []).append(line_of(values[name], flops[name]))
    lines = []
    for ones in groups.values():
        points = sorted({point for one in ones for point in one.points})
        lines.append(Line(",\n".join(one.name for one in ones), points, tuple(points), shows=ones[0].shows))
    told = [f"{' and '.join(one.name for one in ones)}: {cost:g} FLOPs for each trained value" for cost, ones in groups.items()]
    figure = line_figure(
        lines,
        Axis(axis_label([values[name] for name in METHODS], "trained values"), scale="log"),
        Axis(axis_label([flops[name] for name in METHODS], "added to a token"), scale="log"),
        caption="What a method adds to every decoded token, over what it trains. Every mark is one size of one method.",
        alt=f"Extra FLOPs of a decoded token over trained values, parallel lines on logarithmic axes. {'; '.join(told)}.",
    )
    return replace(figure, shows=(*figure.shows, answer["4/costs"].address))
