"""A prefix tree as a diagram that grows downward."""

from __future__ import annotations

from generators.answer import Figure
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.style import subscripted
from generators.steps import Table


def tree_figure(table: Table) -> Figure:
    """Draw a table of node, token, parent and depth; where a token repeats, nodes carry their number too."""
    tokens = [str(token) for token in table.column("Token")]
    numbered = len(set(tokens)) < len(tokens)
    graph = new_graph()
    size = max(0.46, 0.2 + 0.085 * max(len(subscripted(token)) for token in tokens))
    for number, token, parent, _ in table.rows:
        shown = label(subscripted(str(token)))
        graph.node(str(number), f"{shown}\\n({number})" if numbered else shown, width=f"{size:.2f}")
        if parent is not None:
            graph.edge(str(parent), str(number))
    roots = [str(row[1]) for row in table.rows if row[2] is None]
    numbers = " The number of a node stands in brackets below its token." if numbered else ""
    return Figure(
        svg=laid_out(graph),
        caption=f"The prefix tree: every candidate is a path down from {' or '.join(map(subscripted, roots))}.{numbers}",
        alt="Tree diagram. " + "; ".join(_family(table)) + ".",
    )


def _family(table: Table) -> list[str]:
    children: dict[object, list[str]] = {}
    names = {row[0]: str(row[1]) for row in table.rows}
    for _, token, parent, _ in table.rows:
        if parent is not None:
            children.setdefault(parent, []).append(f"{token}")
    return [f"{names[parent]} has {' and '.join(below)}" for parent, below in children.items()]
