"""A tree of tokens with the track of a search: what was kept, pruned, never scored, and what it ended with."""

from __future__ import annotations

from collections.abc import Mapping

from generators.answer import Figure
from generators.cells import Cell
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, subscripted
from generators.table import Series, Table

_NODES = {
    "final": {
        "style": "rounded,filled,bold",
        "fillcolor": LIGHT["accent"],
        "color": LIGHT["accent"],
        "fontcolor": LIGHT["paper"],
    },
    "kept": {"color": LIGHT["accent"], "penwidth": "1.6"},
    "pruned": {"style": "rounded,filled,dashed", "color": LIGHT["warning"], "penwidth": "1.2"},
    "not scored": {"style": "rounded,filled,dotted", "color": LIGHT["ink"]},
}
_EDGES = {
    "final": {"color": LIGHT["accent"], "penwidth": "2.4"},
    "kept": {"color": LIGHT["accent"], "penwidth": "2.4"},
    "pruned": {"color": LIGHT["warning"], "style": "dashed"},
    "not scored": {"color": LIGHT["muted"]},
}
LEGEND = (
    "Boxes on thick lines are kept, and filled ones are the sequences at the end. Dashed boxes were scored and pruned. "
    "Dotted boxes were never scored."
)
_GAP_IN = 0.05


def search_tree_figure(table: Table, weights: Series, *, root: str, search: str, shows: tuple[str, ...]) -> Figure:
    """Draw a table of tokens by node, with their parents, depths, `weights` and fates, below `root`.

    It grows downward, or to the right where that would be wider than the page. `search` names whose track it is.
    """
    tokens = {row: subscripted(str(token)) for row, token in table["token"].cells.items()}
    numbers = {row: shown_weight(number) for row, number in weights.numbers.items()}
    parents, fates = table["parent"].cells, table["track"].cells
    leaves = len(tokens.keys() - set(parents.values()))
    width = max(map(_width_in, (*tokens.values(), *numbers.values())))
    across = leaves * (width + _GAP_IN) > PRINTED_WIDTH_IN
    if across:
        width = max(_width_in(f"{token} {numbers[row]}") for row, token in tokens.items())
    graph = new_graph(nodesep=str(_GAP_IN), ranksep="0.3", rankdir="LR" if across else "TB")
    height = "0.2" if across else "0.36"
    graph.attr("node", shape="box", style="rounded,filled", width=f"{width:.3f}", height=height, fontsize=str(FONT_PT))
    graph.node("root", label(subscripted(root)), width=f"{_width_in(root) + 0.1:.3f}", height="0.2")
    for row, token in tokens.items():
        fate = str(fates[row])
        graph.node(row, f"{label(token)}{' ' if across else chr(92) + 'n'}{label(numbers[row])}", **_NODES[fate])
        graph.edge("root" if parents[row] is None else str(parents[row]), row, **_EDGES[fate])
    return Figure(
        svg=laid_out(graph).replace('stroke-dasharray="1,5"', 'stroke-dasharray="1,2"'),  # dots near enough to be an outline
        caption=f"The {search}, a level of the tree for each step. The number {'beside' if across else 'under'} a token is its "
        f"{weights.label.lower()} given the tokens {'before' if across else 'above'} it. {LEGEND}",
        alt=f"Tree diagram of the {search}. {_levels(table)}",
        shows=shows,
    )


def shown_weight(weight: float) -> str:
    """A probability as .4, a log-probability as −3.4."""
    text = f"{weight:g}".replace("-", "−")
    return text[1:] if text.startswith("0.") else text


def _width_in(text: str) -> float:
    """Room for a line of the figure's text, from DejaVu Sans' widths in ems of narrow, wide and other letters."""
    ems = sum(0.4 if letter in " .,:;'|!()[]fijlrtI" else 0.95 if letter in "mwMW@%−" else 0.64 for letter in text)
    return 0.045 + ems * FONT_PT / 72


def _levels(table: Table) -> str:
    """Who was kept and who was pruned on each level, in words."""
    names: dict[str, str] = {}
    for row, parent in table["parent"].cells.items():
        token = str(table["token"].cells[row])
        names[row] = token if parent is None else f"{names[str(parent)]} {token}"
    depths = table["depth"].cells
    return " ".join(
        _level(str(depth), {names[row]: table["track"].cells[row] for row in names if depths[row] == depth})
        for depth in dict.fromkeys(depths.values())
    )


def _level(depth: str, fates: Mapping[str, Cell]) -> str:
    kept = [name for name, fate in fates.items() if fate in ("final", "kept")]
    pruned = [name for name, fate in fates.items() if fate == "pruned"]
    return f"Step {depth} keeps {', '.join(kept)}{'; pruned: ' + ', '.join(pruned) if pruned else ''}."
