"""Draws the tree with both tracks, and counted operations on the curves of their formulas."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.curves import Curve, log_log_figure
from generators.figures.search_tree import search_tree_figure
from generators.pipeline.wording import counted
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """A tree for greedy decoding, one for the beams, and the runs."""
    figures = {}
    for label, search in (("2.4a", "greedy decoding"), ("2.4b", counted(int(answer["sheet/beam_width"]), "beam"))):
        tree = answer[f"{label}/tree"]
        weights, shows = tree["log_probability"], (tree.address,)
        figures[f"tree_{label}"] = search_tree_figure(tree, weights, root="<BOS>", search=f"track of {search}", shows=shows)
    return {**figures, "operations": _operations(answer["2.3/runs"], answer["sheet/B"], answer["2.3/length_of_runs"])}


def _operations(runs: Table, width: Quantity, length: Quantity) -> Figure:
    """Draw runs over N: the formula's line, and a mark for what each run of this beam width and length counted."""
    pairs = {"sort_at_most": "sort", "scan": "scan", "heap_at_most": "heap", "scores": "scores"}
    words = runs["N"].numbers.values()
    points = {key: list(zip(words, runs[key].numbers.values(), strict=True)) for key in {*pairs, *pairs.values()}}
    *_, last = runs
    compared = f"{last['scan'].value} by scans, {last['sort'].value} by sorting, {last['heap'].value} with a heap"
    figure = log_log_figure(
        [Curve(runs[line].label.lower(), points[line], points[marks]) for line, marks in pairs.items()],
        x_label=f"words N (log scale); T = {length.value}, B = {width.value}",
        y_label="operations in a run (log scale)",
        caption="Lines are the formulas, marks what was counted in runs: comparisons of the three selections, and scores.",
        alt=f"Operations against the number N of words for {counted(int(length), 'step')} and beam width {width.value}, "
        f"formulas as lines, counts as marks. At N = {last['N'].value}, scores: {last['scores'].value}; "
        f"comparisons counted: {compared}.",
    )
    return replace(figure, shows=(runs.address, width.address, length.address))
