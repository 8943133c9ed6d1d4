"""Operations counted in runs of an algorithm, on the curves of their formulas."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Figure
from generators.cells import Quantity
from generators.figures.curves import Curve, log_log_figure
from generators.pipeline.wording import counted
from generators.table import Series, Table


def operations_figure(runs: Table, width: Quantity, length: Quantity) -> Figure:
    """Draw a table of runs over N: the formula's line, and a mark for what each run of this beam width and length counted."""
    pairs = {"sort_at_most": "sort", "scan": "scan", "heap_at_most": "heap", "scores": "scores"}
    curves = [Curve(_label(runs[line]), _points(runs, line), _points(runs, marks)) for line, marks in pairs.items()]
    *_, last = runs
    compared = f"{last['scan'].value} by scans, {last['sort'].value} by sorting, {last['heap'].value} with a heap"
    figure = log_log_figure(
        curves,
        x_label=f"words N (log scale); T = {length.value}, B = {width.value}",
        y_label="operations in a run (log scale)",
        caption="Lines are the formulas, marks what was counted in runs: comparisons of the three selections, and scores.",
        alt=f"Operations against the number N of words for {counted(int(length), 'step')} and beam width {width.value}, "
        f"formulas as lines, counts as marks. At N = {last['N'].value}, scores: {last['scores'].value}; "
        f"comparisons counted: {compared}.",
    )
    return replace(figure, shows=(runs.address, width.address, length.address))


def _label(series: Series) -> str:
    return series.label.lower()


def _points(runs: Table, column: str) -> list[tuple[float, float]]:
    words, counts = runs["N"].numbers, runs[column].numbers
    return [(words[row], counts[row]) for row in words]
