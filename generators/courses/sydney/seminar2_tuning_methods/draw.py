"""Draws trained values over the size of each tuning method, and what they add to a decoded token."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label

METHODS = ("lora", "adapters", "prefix", "prompt")
Points = list[tuple[float, float]]


def draw(answer: Answer) -> dict[str, Figure]:
    """Trained values over the size of each method, and FLOPs of a token over trained values."""
    return {"values": _values(answer), "flops": _flops(answer)}


def _values(answer: Answer) -> Figure:
    """A line a method over rank, inner width or number of virtual tokens."""
    table = answer["over_size/values"]
    sizes, series = table["size"], [table[name] for name in METHODS]
    curves = {one.label: list(zip(sizes.numbers.values(), one.numbers.values(), strict=True)) for one in series}
    last = "; ".join(f"{name} {points[-1][1]:.3g}" for name, points in curves.items())
    largest = max(sizes.numbers.values())
    figure = line_figure(
        [_marked(name, points) for name, points in curves.items()],
        Axis(axis_label([sizes]), scale="log", base=2),
        Axis(axis_label(series, "trained values"), scale="log"),
        caption="Trained values grow in proportion to each method's size; prompt tuning has one set for the whole model.",
        alt=f"Trained values over the size of each method, parallel rising lines. At {largest:g}: {last}.",
    )
    return replace(figure, shows=(table.address,))


def _marked(name: str, points: Points) -> Line:
    """A line with a mark at every point."""
    return Line(name, points, tuple(points))


def _flops(answer: Answer) -> Figure:
    """FLOPs added to a decoded token over trained values; methods of the same cost lie on one line and are named together."""
    values, flops, costs = answer["over_size/values"], answer["over_size/token_flops"], answer["4/costs"]["flops_here"]
    groups: dict[float, list[str]] = {}
    for name, cost in costs.numbers.items():
        groups.setdefault(cost, []).append(name)
    points = {name: list(zip(values[name].numbers.values(), flops[name].numbers.values(), strict=True)) for name in METHODS}
    labels = {name: flops[name].label for name in METHODS}
    lines = [
        _marked(",\n".join(labels[name] for name in names), sorted({point for name in names for point in points[name]}))
        for names in groups.values()
    ]
    told = "; ".join(
        f"{' and '.join(labels[name] for name in names)}: {cost:g} FLOPs for each trained value" for cost, names in groups.items()
    )
    figure = line_figure(
        lines,
        Axis(axis_label([values[name] for name in METHODS], "trained values"), scale="log"),
        Axis(axis_label([flops[name] for name in METHODS], "added to a token"), scale="log"),
        caption="What a method adds to every decoded token, over what it trains. Every mark is one size of one method.",
        alt=f"Extra FLOPs of a decoded token over trained values, parallel lines on logarithmic axes. {told}.",
    )
    return replace(figure, shows=(values.address, flops.address, answer["4/costs"].address))
