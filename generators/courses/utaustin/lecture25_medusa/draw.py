"""Draws the tree of Medusa's likely guesses, and what a step gives over the number of nodes."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import rational
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.lines import Axis, line_figure, line_of
from generators.figures.series import axis_label
from generators.figures.style import FONT_PT, LIGHT
from generators.pipeline.wording import counted
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The pruned tree, and expected tokens over the number of nodes."""
    return {
        "tree": _tree(answer["3/tree"]),
        "growth": _growth(answer["3/sizes"], answer["3/best"], int(answer["sheet/n_nodes"])),
    }


def _tree(table: Table) -> Figure:
    """A box a node, in which the probability to reach it stands below its token."""
    tokens = [str(cell) for cell in table["token"].cells.values()]
    graph = new_graph(nodesep="0.06")
    width = 0.12 + 0.085 * max(4, *map(len, tokens))
    graph.attr("node", shape="box", style="rounded,filled", width=f"{width:.2f}", height="0.36", fontsize=str(FONT_PT))
    for key, cells in table.rows.items():
        reached = f"{float(rational(cells['reached'])):.2g}"
        graph.node(key, f"{label(str(cells['token']))}\\n{label(reached)}", fillcolor=LIGHT["accent-tint"], color=LIGHT["accent"])
        if cells["parent"] is not None:
            graph.edge(str(cells["parent"]), key)
    levels = 1 + int(max(table["depth"].numbers.values()))
    return Figure(
        svg=laid_out(graph),
        caption="The pruned tree. Below each guess stands the probability that it and all above it are right, rounded.",
        alt=f"Tree diagram with {counted(len(tokens), 'node')} on {counted(levels, 'level')} from the root {tokens[0]} down.",
        shows=(table.address,),
    )


def _growth(full: Table, best: Table, n_nodes: int) -> Figure:
    """Expected tokens a step of full trees, with a mark each, and of the best tree of every size."""
    trees = line_of(best["nodes"], best["tokens_a_step"], "best trees")
    here = float(n_nodes), dict(trees.points)[float(n_nodes)]
    return line_figure(
        [replace(trees, marked=(here,)), line_of(full["nodes"], full["full_tree"], "full trees", marked=True)],
        Axis(axis_label([full["nodes"], best["nodes"]], "nodes below the root"), scale="log"),
        Axis(axis_label([full["full_tree"], best["tokens_a_step"]], "expected tokens a step")),
        caption="The first nodes bring most. Between its marks, the line of the full trees only guides the eye.",
        guide=(here[0], f"here: {n_nodes}"),
    )
