"""Draws the tree with both tracks, and counted operations on the curves of their formulas."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.courses.ift6135.a2_q2_decoding.operations_chart import operations_figure
from generators.figures.search_tree import search_tree_figure
from generators.pipeline.wording import counted


def draw(answer: Answer) -> dict[str, Figure]:
    """A tree for greedy decoding, one for the beams, and the runs."""
    beams = counted(int(answer["sheet/beam_width"]), "beam")
    figures = {}
    for label, search in (("2.4a", "track of greedy decoding"), ("2.4b", f"track of {beams}")):
        tree = answer[f"{label}/tree"]
        figures[f"tree_{label}"] = search_tree_figure(
            tree, tree["log_probability"], root="<BOS>", search=search, shows=(tree.address,)
        )
    figures["operations"] = operations_figure(answer["2.3/runs"], answer["sheet/B"], answer["2.3/length_of_runs"])
    return figures
