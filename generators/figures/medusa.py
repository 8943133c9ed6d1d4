"""The tree of Medusa's guesses, and what a step gives over the number of nodes."""

from __future__ import annotations

from generators.answer import Figure, rational
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.style import FONT_PT, LIGHT
from generators.pipeline.wording import counted
from generators.steps import Table

Points = list[tuple[float, float]]


def guesses_figure(table: Table) -> Figure:
    """Draw a table of node, token, parent, depth and the probability to reach the node, which stands below its token."""
    words = [str(word) for word in table.column("Token")]
    graph = new_graph(nodesep="0.06")
    width = 0.12 + 0.085 * max(4, *map(len, words))
    graph.attr("node", shape="box", style="rounded,filled", width=f"{width:.2f}", height="0.36", fontsize=str(FONT_PT))
    for number, word, parent, _, reached in table.rows:
        fill = {"fillcolor": LIGHT["accent-tint"], "color": LIGHT["accent"]}
        graph.node(str(number), f"{label(str(word))}\\n{label(f'{float(rational(reached)):.2g}')}", **fill)
        if parent is not None:
            graph.edge(str(parent), str(number))
    deepest = max(int(rational(depth)) for depth in table.column("Depth"))
    return Figure(
        svg=laid_out(graph),
        caption="The pruned tree. Below each guess stands the probability that it and all above it are right, rounded.",
        alt=f"Tree diagram with {counted(len(words), 'node')} on {counted(deepest + 1, 'level')} from the root {words[0]} down.",
    )


def growth_figure(full: Points, best: Points, n_nodes: int) -> Figure:
    """Draw expected tokens a step of full trees, with a mark each, and of the best tree of every size."""
    at = dict(best)[float(n_nodes)]
    marks = "; ".join(f"{y:.3g} with {counted(int(x), 'node')}" for x, y in full)
    return line_figure(
        [Line("best trees", best, ((float(n_nodes), at),)), Line("full trees", full, tuple(full))],
        Axis("nodes below the root", scale="log"),
        Axis("expected tokens a step"),
        caption="The first nodes bring most. Between its marks, the line of the full trees only guides the eye.",
        alt=f"Expected tokens a step over the number of nodes. Best tree of {n_nodes}: {at:.3g}. Full trees: {marks}.",
        guide=(float(n_nodes), f"here: {n_nodes}"),
    )
