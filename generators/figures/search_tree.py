"""A tree of tokens with the track of a search: what was kept, pruned, never scored, and what it ended with."""

from __future__ import annotations

from generators.answer import Cell, Figure, rational
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, subscripted
from generators.steps import Table

_NODES = {
    "final": {
        "style": "rounded,filled,bold",
        "fillcolor": LIGHT["accent"],
        "color": LIGHT["accent"],
        "fontcolor": LIGHT["paper"],
    },
    "kept": {"fillcolor": LIGHT["accent-tint"], "color": LIGHT["accent"], "penwidth": "1.6"},
    "pruned": {"style": "rounded,filled,dashed", "color": LIGHT["warning"], "penwidth": "1.2"},
    "not scored": {"color": LIGHT["faint"], "fontcolor": LIGHT["muted"]},
}
_EDGES = {
    "final": {"color": LIGHT["accent"], "penwidth": "2.4"},
    "kept": {"color": LIGHT["accent"], "penwidth": "2.4"},
    "pruned": {"color": LIGHT["warning"], "style": "dashed"},
    "not scored": {"color": LIGHT["faint"]},
}
LEGEND = (
    "Light boxes on thick lines are kept, dark boxes are the sequences at the end, dashed boxes were scored and pruned, "
    "pale boxes were never scored."
)
_GAP_IN = 0.05


def search_tree_figure(table: Table, *, root: str, step: str, weight: str, search: str) -> Figure:
    """Draw a table of node, token, parent, depth, weight and fate below `root`.

    It grows downward, or to the right where that would be wider than the page. `step` names what a level is,
    `weight` what the numbers are, and `search` whose track it is.
    """
    tokens = [subscripted(str(token)) for token in table.column("Token")]
    numbers = [shown_weight(row[4]) for row in table.rows]
    parents = set(table.column("Parent node"))
    leaves = sum(row[0] not in parents for row in table.rows)
    width = max(_width_in(text) for text in (*tokens, *numbers))
    across = leaves * (width + _GAP_IN) > PRINTED_WIDTH_IN
    if across:
        width = max(_width_in(f"{token} {number}") for token, number in zip(tokens, numbers, strict=True))
    graph = new_graph(nodesep=str(_GAP_IN), ranksep="0.3", rankdir="LR" if across else "TB")
    height = "0.2" if across else "0.36"
    graph.attr("node", shape="box", style="rounded,filled", width=f"{width:.3f}", height=height, fontsize=str(FONT_PT))
    graph.node("root", label(subscripted(root)), width=f"{_width_in(root) + 0.1:.3f}", height="0.2")
    for row, token, number in zip(table.rows, tokens, numbers, strict=True):
        fate = str(row[5])
        graph.node(str(row[0]), f"{label(token)}{' ' if across else chr(92) + 'n'}{label(number)}", **_NODES[fate])
        graph.edge("root" if row[2] is None else str(row[2]), str(row[0]), **_EDGES[fate])
    return Figure(
        svg=laid_out(graph),
        caption=f"The {search} on the tree, {step}. With each token stands its {weight}. {LEGEND}",
        alt=f"Tree diagram of the {search}. " + " ".join(_level(table, depth) for depth in sorted(_depths(table))),
    )


def shown_weight(weight: Cell) -> str:
    """A probability as .4, a log-probability as −3.4."""
    text = f"{float(rational(weight)):g}".replace("-", "−")
    return text[1:] if text.startswith("0.") else text


def _width_in(text: str) -> float:
    """Room for a line of the figure's text, from DejaVu Sans' widths in ems of narrow, wide and other letters."""
    ems = sum(0.4 if letter in " .,:;'|!()[]fijlrtI" else 0.95 if letter in "mwMW@%−" else 0.64 for letter in text)
    return 0.045 + ems * FONT_PT / 72


def _depths(table: Table) -> set[int]:
    return {int(rational(depth)) for depth in table.column("Depth")}


def _level(table: Table, depth: int) -> str:
    """Who was kept and who was pruned on one level, in words."""
    names: dict[Cell, str] = {}
    for node, token, parent, *_ in table.rows:
        names[node] = f"{names[parent]} {token}" if parent is not None else str(token)
    on_level = {fate: [names[row[0]] for row in table.rows if row[3] == depth and row[5] == fate] for fate in _NODES}
    kept = on_level["final"] or on_level["kept"]
    pruned = f"; pruned: {', '.join(on_level['pruned'])}" if on_level["pruned"] else ""
    return f"Step {depth} keeps {', '.join(kept)}{pruned}."
