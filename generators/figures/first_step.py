"""The loss that LoRA's first step leaves, over the standard deviation of A."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from generators.answer import Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.steps import Table

N_STEPS = 48
BEYOND = 1.15
"""The axis goes on a little from where the loss after the step is that before it."""


def first_step_figure(sigmas: Table, loss_at: Callable[[Fraction], Fraction], sigma: Fraction, shrinking: Fraction) -> Figure:
    """Draw the loss after one step over σ, marking those of the table; at `sigma` the step takes c = `shrinking` of g."""
    before = float(loss_at(Fraction(0)))
    level = float(sigma) * (2 / float(shrinking)) ** 0.5 if shrinking else 0.0
    end = Fraction(BEYOND * max(level, float(sigma))).limit_denominator(1000) or sigma
    curve = [(float(end * i / N_STEPS), float(loss_at(end * i / N_STEPS))) for i in range(N_STEPS + 1)]
    rows = zip(sigmas.column("σ"), sigmas.column("Loss after one step"), strict=True)
    marked = tuple((float(rational(one)), float(rational(left))) for one, left in rows)
    shown = tuple(point for point in marked if point[0] <= end)
    caption, alt = "Loss before and after the first step.", f"Loss of {before:.4g} before the first step as a level line."
    if shrinking and before:
        caption += " The step leaves least where c = 1, and from c = 2 on no less than there was."
        least, back = f"{level / 2**0.5:.3g}", f"{level:.3g}"
        alt += f" The loss after it falls from there to 0 at σ = {least} and is back at σ = {back}."
    hidden = len(marked) - len(shown)
    if hidden:
        caption += f" {hidden} of the table's σ {'lies' if hidden == 1 else 'lie'} further right."
    return line_figure(
        [Line("after the step", curve, shown), Line("before it", [(0.0, before), (float(end), before)])],
        Axis("standard deviation σ of A"),
        Axis("loss", limits=(0.0, 1.08 * max(y for _, y in curve) or 1.0)),
        caption=caption,
        alt=alt,
        guide=(float(sigma), f"σ = {float(sigma):g}"),
        height_in=2.8,
    )
