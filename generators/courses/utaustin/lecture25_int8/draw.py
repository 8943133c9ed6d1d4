"""Draws the error of 8-bit products over the size of the outliers."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.series import axis_label


def draw(answer: Answer) -> dict[str, Figure]:
    """Errors over the size of the largest outlier; the threshold gets a guide where it lies among the sizes."""
    table, threshold = answer["2/sizes"], float(answer["sheet/threshold"])
    sizes, *errors = (table[key] for key in table.columns)
    places = sizes.numbers.values()
    return {
        "sizes": line_figure(
            [line_of(sizes, one) for one in errors],
            Axis(axis_label([sizes], "size of the largest outlier"), scale="log", base=2),
            Axis(axis_label(errors, "RMS error of the product"), scale="log"),
            caption="The error of XW over the size of the outliers, mean over the seeds.",
            guide=(threshold, f"threshold {threshold:g}") if min(places) <= threshold <= max(places) else None,
        )
    }
