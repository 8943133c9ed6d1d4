"""Draws the tree with both tracks, and counted operations on the curves of their formulas."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.search_tree import search_tree_figure
from generators.figures.series import axis_label
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
    marks = {key: tuple(line_of(runs["N"], runs[one]).points) for key, one in pairs.items()}
    lines = [replace(line_of(runs["N"], runs[key]), marked=marks[key]) for key in pairs]
    figure = line_figure(
        lines,
        Axis(f"words N; T = {length.value}, B = {width.value}", scale="log", base=2),
        Axis(axis_label([runs[one] for one in pairs], "operations in a run"), scale="log"),
        caption="Lines are the formulas, marks what was counted in runs: comparisons of the three selections, and scores.",
    )
    return replace(figure, shows=(*figure.shows, width.address, length.address))
