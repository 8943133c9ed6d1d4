"""Draws the tree of Medusa's likely guesses."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN
from generators.pipeline.wording import counted
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The pruned tree, where it is small enough."""
    growth = answer["3/growth"]
    return {"tree": _tree(growth)} if answer["3/drawn"] else {}


def _tree(table: Table) -> Figure:
    """A box a node with the probability to reach it below its token; a tree too wide for a page grows to the right."""
    tokens = {key: str(token) for key, token in table["token"].cells.items()}
    width = 0.12 + 0.085 * max(4, *map(len, tokens.values()))
    leaves = len(tokens) - len({_parent(key) for key in tokens if key != "root"})
    across = leaves * (width + 0.06) > PRINTED_WIDTH_IN
    graph = new_graph(nodesep="0.06", rankdir="LR" if across else "TB")
    graph.attr(
        "node", shape="box", style="rounded,filled", fontsize=str(FONT_PT), fillcolor=LIGHT["accent-tint"], color=LIGHT["accent"]
    )
    size = {"width": f"{width + 0.45:.2f}", "height": "0.2"} if across else {"width": f"{width:.2f}", "height": "0.36"}
    for key in sorted(
        tokens, key=lambda one: (one != "root", one.count("."), [int(rank) for rank in one.split(".") if rank != "root"])
    ):
        reached = f"{table['probability'].numbers[key]:.3f}"
        graph.node(key, f"{label(tokens[key])}{' ' if across else chr(92) + 'n'}{label(reached)}", **size)
        if key != "root":
            graph.edge(_parent(key), key)
    return Figure(
        svg=laid_out(graph),
        caption="The pruned tree. The number under a guess is the probability that it and all guesses above it are right.",
        alt=f"Tree diagram of {counted(len(tokens), 'node')}; its root is “{tokens['root']}”.",
        shows=(table.address,),
    )


def _parent(key: str) -> str:
    """The row of the node above: 1.1 for 1.1.2."""
    return key.rpartition(".")[0] or "root"
