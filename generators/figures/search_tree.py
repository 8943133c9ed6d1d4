"""A tree of tokens with the track of a search: what was kept, pruned, never scored, and what it ended with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generators.answer import Figure
from generators.cells import Cell
from generators.figures.graph import label, laid_out, new_graph
from generators.figures.style import FONT_PT, LIGHT, PHONE_WIDTH_IN, PRINTED_WIDTH_IN, subscripted
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
    "Thick lines lead to kept boxes. Filled boxes end the final sequences. Dashed boxes were pruned, dotted ones never scored."
)
_GAP_IN = 0.05


def search_tree_figure(table: Table, weights: Series, *, root: str, search: str, shows: tuple[str, ...]) -> Figure:
    """Draw a table of tokens by node, with their parents, depths, `weights` and fates, below `root`.

    It grows downward, or to the right where that would be wider than the page. `search` names whose track it is.
    """
    tokens = {row: subscripted(str(token)) for row, token in table["token"].cells.items()}
    steps = tuple(_levels(table))
    tree = _Tree(table, tokens, {row: shown_weight(number) for row, number in weights.numbers.items()}, root)
    return Figure(
        svg=tree.drawn(across=tree.width_in > PRINTED_WIDTH_IN),
        tall=tree.drawn(across=True) if PHONE_WIDTH_IN < tree.width_in <= PRINTED_WIDTH_IN else "",
        caption=f"The {search}: each step is a level of the tree. A number is its token's "
        f"{weights.label.lower()} given the tokens before it. {LEGEND}",
        alt=f"Tree diagram of the {search}. {' '.join(said for said, _ in steps)}",
        shows=shows,
        nodes=table.address,
        steps=steps,
    )


@dataclass(frozen=True)
class _Tree:
    """Nodes with what is written in their boxes."""

    table: Table
    tokens: Mapping[str, str]
    numbers: Mapping[str, str]
    root: str

    @property
    def width_in(self) -> float:
        """What the leaves take beside each other, with a number under each token."""
        leaves = len(self.tokens.keys() - set(self.table["parent"].cells.values()))
        return leaves * (self._box_in("\n") + _GAP_IN)

    def _text(self, row: str, between: str) -> str:
        return f"{self.tokens[row]}{between}{self.numbers[row]}"

    def _box_in(self, between: str) -> float:
        return max(_width_in(line) for row in self.tokens for line in self._text(row, between).split("\n"))

    def drawn(self, *, across: bool) -> str:
        """The tree as SVG, from the left to the right with numbers beside tokens, or downward with numbers under them."""
        between, height, direction = (" ", "0.2", "LR") if across else ("\n", "0.36", "TB")
        graph = new_graph(nodesep=str(_GAP_IN), ranksep="0.3", rankdir=direction)
        width = f"{self._box_in(between):.3f}"
        graph.attr("node", shape="box", style="rounded,filled", width=width, height=height, fontsize=str(FONT_PT))
        graph.node("root", label(subscripted(self.root)), width=f"{_width_in(self.root) + 0.1:.3f}", height="0.2")
        for row, parent in self.table["parent"].cells.items():
            fate = str(self.table["track"].cells[row])
            graph.node(row, label(self._text(row, between)), **_NODES[fate])
            graph.edge("root" if parent is None else str(parent), row, **_EDGES[fate])
        return laid_out(graph).replace('stroke-dasharray="1,5"', 'stroke-dasharray="1,2"')  # dots near enough to be an outline


def shown_weight(weight: float) -> str:
    """A probability as .4, a log-probability as −3.4 or −5.0."""
    text = (f"{weight:.1f}" if weight < 0 and weight.is_integer() else f"{weight:g}").replace("-", "−")
    return text[1:] if text.startswith("0.") else text


def _width_in(text: str) -> float:
    """Room for a line of the figure's text, from DejaVu Sans' widths in ems of narrow, wide and other letters."""
    ems = sum(0.4 if letter in " .,:;'|!()[]fijlrtI" else 0.95 if letter in "mwMW@%−" else 0.64 for letter in text)
    return 0.045 + ems * FONT_PT / 72


def _levels(table: Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Who was kept and who was pruned on each level, in words, and its nodes.

    A level is a step unless some sequences end before others.
    """
    names: dict[str, str] = {}
    for row, parent in table["parent"].cells.items():
        token = str(table["token"].cells[row])
        names[row] = token if parent is None else f"{names[str(parent)]}\u00a0{token}"
    depths, inner = table["depth"].cells, set(table["parent"].cells.values())
    level = "Step" if len({depth for row, depth in depths.items() if row not in inner}) == 1 else "Level"
    for depth in dict.fromkeys(depths.values()):
        rows = tuple(row for row in names if depths[row] == depth)
        yield _level(f"{level} {depth}", {names[row]: table["track"].cells[row] for row in rows}), rows


def _level(name: str, fates: Mapping[str, Cell]) -> str:
    kept = [name for name, fate in fates.items() if fate in ("final", "kept")]
    pruned = [name for name, fate in fates.items() if fate == "pruned"]
    return f"{name} keeps {', '.join(kept)}{'; pruned: ' + ', '.join(pruned) if pruned else ''}."
