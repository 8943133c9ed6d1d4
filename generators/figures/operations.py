"""Operations counted in runs of an algorithm, on the curves of their formulas."""

from __future__ import annotations

from generators.answer import Figure, rational
from generators.figures.curves import Curve, log_log_figure
from generators.pipeline.wording import counted
from generators.steps import Table


def operations_figure(runs: Table, width: int, length: int) -> Figure:
    """Draw a table of runs over N: the formula's line, and a mark for what each run of this beam width and length counted."""

    def curve(name: str, line: str, counted: str) -> Curve:
        return Curve(name, _points(runs, line), _points(runs, counted))

    last = dict(zip(map(str, runs.header), runs.rows[-1], strict=True))
    compared = f"{last['Scan']} by scans, {last['Sort']} by sorting, {last['Heap']} with a heap"
    return log_log_figure(
        [
            curve("sort, at most", "Sort, at most", "Sort"),
            curve("scan", "Scan", "Scan"),
            curve("heap, at most", "Heap, at most", "Heap"),
            curve("scores", "Scores", "Scores"),
        ],
        x_label=f"words N (log scale); T = {length}, B = {width}",
        y_label="operations in a run (log scale)",
        caption="Lines are the formulas, marks what was counted in runs: comparisons of the three selections, and scores.",
        alt=f"Operations against the number N of words for {counted(length, 'step')} and beam width {width}, formulas as lines, "
        f"counts as marks. At N = {last['N']}, scores: {last['Scores']}; comparisons counted: {compared}.",
    )


def _points(runs: Table, name: str) -> list[tuple[float, float]]:
    return [(float(rational(x)), float(rational(y))) for x, y in zip(runs.column("N"), runs.column(name), strict=True)]
