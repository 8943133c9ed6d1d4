"""The share of a matrix or model that is trained, over the inner width of adapters and the rank of LoRA."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from generators.answer import Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.steps import Table

PER_CENT = 100
WIDTHS = tuple(2**power for power in range(9))


def ranks_figure(table: Table) -> Figure:
    """Draw LoRA's values over those of a square matrix for each rank, in per cent."""
    points = [(float(rational(rank)), PER_CENT * float(rational(share))) for rank, *_, share in table.rows]
    ends = " to ".join(f"{share:.3g} % at rank {rank:g}" for rank, share in (points[0], points[-1]))
    return line_figure(
        [Line("LoRA", points, tuple(points)), Line("the matrix", [(points[0][0], PER_CENT), (points[-1][0], PER_CENT)])],
        Axis("rank of LoRA", scale="log", base=2),
        Axis("trained share, %", scale="log"),
        caption="The share that LoRA trains is twice its rank over the width of the matrix.",
        alt=f"Trained share over rank, both logarithmic: {ends}.",
    )


def shares_figure(
    model: str, share: Callable[[str, int], float], marks: Mapping[str, Sequence[int]], flat: Mapping[str, float], printed: float
) -> Figure:
    """Draw a line for each method in `marks` over widths, with its marks, and level lines for what has no width, in per cent."""
    last = max(WIDTHS[-1], *(width for widths in marks.values() for width in widths))
    places = sorted({*(width for width in WIDTHS if width <= last), last})
    lines = []
    for name, widths in marks.items():
        marked = tuple((float(width), PER_CENT * share(name, width)) for width in widths)
        lines.append(Line(name, [(float(width), PER_CENT * share(name, width)) for width in places], marked))
    levels = {**flat, "adapters, as printed": printed}
    lines += [Line(name, [(1.0, PER_CENT * level), (float(last), PER_CENT * level)]) for name, level in levels.items()]
    ends = "; ".join(f"{line.name} {line.points[0][1]:.3g} % to {line.points[-1][1]:.3g} %" for line in lines)
    return line_figure(
        lines,
        Axis("inner width of adapters, rank of LoRA", scale="log", base=2),
        Axis("trained share, %", scale="log"),
        caption=f"Shares of {model}. Marks: the widths and the rank counted on this page.",
        alt=f"Trained share over width, both logarithmic, from width 1 to {last}: {ends}.",
        height_in=3.8,
    )
