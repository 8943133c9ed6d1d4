"""A distribution that flattens with the temperature, and students that near their teacher."""

from __future__ import annotations

from collections.abc import Sequence

from generators.answer import Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.steps import Table


def heat_figure(classes: Sequence[str], powers: Sequence[int], marked: int, highest: int) -> Figure:
    """Draw the probability of each class over the temperature; `powers` are the logits over ln 2."""
    highest = max(highest, 2 * marked)
    places = [highest ** (step / 60) for step in range(61)]
    shares = [_shares(powers, place) for place in places]
    lines = [
        Line(name, [(place, share[number]) for place, share in zip(places, shares, strict=True)])
        for number, name in enumerate(classes)
    ]
    ends = "; ".join(f"{line.name} from {line.points[0][1]:.3g} to {line.points[-1][1]:.3g}" for line in lines)
    return line_figure(
        lines,
        Axis("temperature T", scale="log", base=2),
        Axis("the teacher's probability", limits=(0, 1)),
        caption="A higher temperature flattens the teacher's distribution and shows what it thinks of unlikely classes.",
        alt=f"Probability of each class for temperatures from 1 to {highest}: {ends}.",
        guide=(float(marked), f"T = {marked}"),
    )


def _shares(powers: Sequence[int], temperature: float) -> list[float]:
    weights = [2.0 ** ((power - max(powers)) / temperature) for power in powers]
    return [weight / sum(weights) for weight in weights]


def curve_figure(table: Table, n_starts: int) -> Figure:
    """Draw a table of the step and the divergence of each kind of student."""
    steps = [float(rational(step)) for step in table.column("Step")]
    lines = []
    for name in table.header[1:]:
        points = [(step, cell) for step, cell in zip(steps, table.column(str(name)), strict=True) if isinstance(cell, float)]
        lines.append(Line(str(name), points, tuple(points)))
    ends = "; ".join(f"{line.name} {line.points[-1][1]:.3g}" for line in lines)
    starts = "one start" if n_starts == 1 else f"{n_starts} starts on average"
    return line_figure(
        lines,
        Axis("step of the student's training"),
        Axis("divergence from the teacher"),
        caption=f"On test points, over {starts}, by what the student learns from.",
        alt=f"Divergence over training steps. At the last step: {ends}.",
    )
