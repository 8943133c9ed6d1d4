"""Draws the expected gain over the length of the draft."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from generators.answer import Answer, Figure
from generators.depending import greatest
from generators.figures.lines import Axis, line_figure, line_of
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """One picture."""
    return {"gain": _gain(answer["4/gain_by_length"], answer["4/best"])}


def _gain(table: Table, best: Table) -> Figure:
    """A line for each acceptance rate; the best length is marked where it is known."""
    lengths, gains = best["best"].numbers, best["gain"].numbers
    marks = {key: ((lengths[key], gains[key]),) if key in lengths else () for key in best.rows}
    names = {key: ("α = ", rate) for key, rate in best["alpha"].cells.items()}
    lines = [replace(line_of(table["gamma"], table[key]), name=names[key], marked=mark) for key, mark in marks.items()]
    figure = line_figure(
        lines,
        Axis("drafted tokens γ", whole=True),
        Axis("expected walltime gain", limits=(0, Fraction(11, 10) * greatest(*(y for line in lines for _, y in line.points)))),
        caption="The gain over the length of the draft, a line for each acceptance rate α. A mark shows the best γ of its line.",
    )
    return replace(figure, shows=(*figure.shows, best.address))
