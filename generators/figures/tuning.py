"""Trained values over the size of each tuning method, and what they add to a decoded token."""

from __future__ import annotations

from collections.abc import Mapping

from generators.answer import Figure
from generators.figures.lines import Axis, Line, line_figure

Points = list[tuple[float, float]]
MILLION = 1e6


def size_figure(curves: Mapping[str, Points]) -> Figure:
    """Draw trained values over rank, inner width or number of virtual tokens, one line a method."""
    last = "; ".join(f"{name} {points[-1][1]:.3g}" for name, points in curves.items())
    largest = next(iter(curves.values()))[-1][0]
    return line_figure(
        [_line(name, [(size, values / MILLION) for size, values in points]) for name, points in curves.items()],
        Axis("rank, inner width, or virtual tokens", scale="log", base=2),
        Axis("trained values, millions", scale="log"),
        caption="Trained values grow in proportion to each method's size; prompt tuning has one set for the whole model.",
        alt=f"Trained values over the size of each method, parallel rising lines. At {largest:g}: {last}.",
    )


def _line(name: str, points: Points) -> Line:
    """A line with a mark at every point."""
    return Line(name, points, tuple(points))


def cost_figure(flops: Mapping[str, Points]) -> Figure:
    """Draw FLOPs added to a decoded token over trained values; methods on the same line are named together."""
    groups: dict[float, list[str]] = {}
    for name, points in flops.items():
        groups.setdefault(round(points[0][1] / points[0][0], 6), []).append(name)
    lines = [(",\n".join(names), sorted({point for name in names for point in flops[name]})) for names in groups.values()]
    told = "; ".join(f"{' and '.join(names)}: {slope:g} FLOPs for each trained value" for slope, names in groups.items())
    return line_figure(
        [_line(name, [(values / MILLION, extra / MILLION) for values, extra in points]) for name, points in lines],
        Axis("trained values, millions", scale="log"),
        Axis("extra MFLOP of a token", scale="log"),
        caption="What a method adds to every decoded token, over what it trains. Every mark is one size of one method.",
        alt=f"Extra FLOPs of a decoded token over trained values, parallel lines on logarithmic axes. {told}.",
    )
