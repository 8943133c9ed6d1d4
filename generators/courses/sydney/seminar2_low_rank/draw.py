"""Draws the rows of every matrix, LoRA's share over the rank, and the first step's loss over σ."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure, Part
from generators.courses.sydney.seminar2_low_rank.spans_picture import spans_figure
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.series import axis_label
from generators.pipeline.wording import noun
from generators.table import Series


def draw(answer: Answer) -> dict[str, Figure]:
    """The rows of every matrix with the plane of two of them, LoRA's share over the rank, and the loss over σ."""
    return {
        "spans": spans_figure(answer.starting("matrix_")),
        "share": _share(answer),
        "first_step": _first_step(answer["4"], float(answer["example/sigma"])),
    }


def _points(x: Series, y: Series) -> list[tuple[float, float]]:
    return [(place, y.numbers[row]) for row, place in x.numbers.items()]


def _share(answer: Answer) -> Figure:
    """LoRA's values over those of the network for every rank of the table."""
    part, rank, width = answer["3"], int(answer["sheet/R"]), int(answer["sheet/D"])
    ranks, shares = part["ranks"]["rank"], part["ranks"]["of_the_network"]
    points, equal = _points(ranks, shares), float(part["equal"])
    figure = line_figure(
        [Line("LoRA", points, tuple(points))],
        Axis(axis_label([ranks], "rank R"), scale="log", base=2),
        Axis(axis_label([shares], "of the network's values"), scale="log"),
        caption=f"LoRA's trainable values grow in proportion to the rank. They are as many as the network's at R = {equal:g}.",
        alt=f"LoRA's trainable values as a share of the network of width {width} over the rank, a straight line on "
        f"logarithmic axes: {dict(points)[rank]:.3g} {shares.unit} at rank {rank}.",
        guide=(float(rank), f"here: {rank}"),
    )
    return replace(figure, shows=(part["ranks"].address, part["equal"].address, answer["sheet/R"].address))


def _first_step(part: Part, sigma: float) -> Figure:
    """The loss after one step over σ, with marks at those of the table."""
    table, curve = part["sigmas"], part["curve"]
    points, before = _points(curve["sigma"], curve["loss"]), float(part["steps"].cell("after_0", "loss"))
    end = points[-1][0]
    marked = _points(table["sigma"], table["loss"])
    shown = tuple(point for point in marked if point[0] <= end)
    caption, alt = "Loss before and after the first step.", f"Loss of {before:.4g} before the first step as a level line."
    if part["loss_moves"]:
        caption += " The step leaves least where c = 1, and from c = 2 on no less than there was."
        least, back = f"{float(part['least_at']):.3g}", f"{float(part['back_at']):.3g}"
        alt += f" The loss after it falls from there to 0 at σ = {least} and is back at σ = {back}."
    hidden = len(marked) - len(shown)
    if hidden:
        caption += f" {hidden} of the table's σ {noun(hidden, 'lies', 'lie')} further right."
    figure = line_figure(
        [Line("after the step", points, shown), Line("before it", [(0.0, before), (end, before)])],
        Axis(axis_label([curve["sigma"]], "standard deviation σ of A")),
        Axis(axis_label([curve["loss"]]), limits=(0.0, 1.08 * max(y for _, y in points) or 1.0)),
        caption=caption,
        alt=alt,
        guide=(sigma, f"σ = {sigma:g}"),
        height_in=2.8,
    )
    places = tuple(part[key].address for key in ("least_at", "back_at") if key in part.items)
    return replace(figure, shows=(curve.address, table.address, *places))
