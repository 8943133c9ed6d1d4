"""Draws the whole tree with the beams' track."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.figures.search_tree import search_tree_figure
from generators.pipeline.wording import counted


def draw(answer: Answer) -> dict[str, Figure]:
    """The tree below the prompt's token."""
    root, tree = answer["sheet/root"], answer["2/tree"]
    figure = search_tree_figure(
        tree,
        tree["probability"],
        root=f"[{root.value}]",
        search=f"track of {counted(int(answer['sheet/num_beams']), 'beam')}",
        shows=(tree.address, root.address),
    )
    return {"track": figure}
