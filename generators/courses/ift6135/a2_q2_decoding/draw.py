"""Draws the tree with the track of the beams."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.figures.search_tree import search_tree_figure
from generators.pipeline.wording import counted


def draw(answer: Answer) -> dict[str, Figure]:
    """The tree of 2.4, with what became of each node in the search."""
    tree, search = answer["2.4b/tree"], counted(int(answer["sheet/beam_width"]), "beam")
    figure = search_tree_figure(tree, tree["log_probability"], root="<BOS>", search=f"track of {search}", shows=(tree.address,))
    return {"tree": figure}
