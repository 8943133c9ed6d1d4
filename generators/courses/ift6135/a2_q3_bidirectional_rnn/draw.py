"""Draws the unrolled graph: outputs on top, then the backward chain, the forward chain, and inputs; or from left to right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators.answer import Answer, Figure, Part
from generators.cells import Cell, Math
from generators.figures.style import FONT_PT, LIGHT, PHONE_WIDTH_IN, new_axes, to_svg
from generators.pipeline.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ROWS = {"output": (0.0, 0), "backward": (0.33, 1), "forward": (-0.33, 2), "input": (0.0, 3)}
"""How far a row stands right of its time step, in inches, and its place from the top."""
STEP_IN = 1.3
ROW_IN = 0.75
TALL_ROW_IN = 1.1
"""Between rows that stand beside each other."""
RADIUS_IN = 0.22
MARGIN_IN = 0.3
LOOKS = {"forward": ("accent", "-", -1), "backward": ("warning", (0, (4, 2)), 1)}
"""Colour and line style of the chains, and the side of an edge that its weight stands on."""
LABELS = {"input": (0.32, 0.22), "output": (0.64, 0.22), "": (0.54, 0.0)}
"""Where an edge carries its weight, by the row besides the chains that it touches: share of its length, inches outward."""


@dataclass(frozen=True)
class Node:
    """A vector with its row, its time step, whether it is a hidden state that no edge leads to, and whether time runs down."""

    name: str
    row: str
    time: int
    initial: bool
    tall: bool

    @property
    def place(self) -> tuple[float, float]:
        """Inches from the top left."""
        shift, down = ROWS[self.row]
        along = MARGIN_IN + 0.33 + self.time * STEP_IN + shift
        return (MARGIN_IN + (3 - down) * TALL_ROW_IN, along) if self.tall else (along, MARGIN_IN + down * ROW_IN)


Edges = list[tuple[Node, Node, str]]
"""Source, target and weight."""


def draw(answer: Answer) -> dict[str, Figure]:
    """The unrolled graph."""
    graph: Part = answer["3.1"]
    last = max(int(str(node["time"])) for node in graph["nodes"].rows.values() if node["row"] == "input")
    wide = drawn(graph)
    figure = Figure(
        svg=to_svg(wide),
        tall=to_svg(drawn(graph, tall=True)) if wide.get_figwidth() > PHONE_WIDTH_IN else "",
        caption="Forward chain in solid lines, backward chain in dashed ones, initial states filled.",
        alt=f"Graph of {counted(last, 'time step')}. Every input x goes to both hidden states of its step with W(f) and W(b), "
        f"both go to the output y with V(f) and V(b). U(f) leads from h0(f) along the forward chain to step {last}, "
        f"U(b) from h{last + 1}(b) along the backward chain to step 1.",
        shows=tuple(graph[key].address for key in ("nodes", "edges")),
    )
    return {"graph": figure}


def _edges(graph: Part, *, tall: bool) -> Edges:
    cells = graph["edges"].rows.values()
    initial = {key for key, node in graph["nodes"].rows.items() if node["row"] in LOOKS} - {edge["to"] for edge in cells}
    nodes = {
        key: Node(_latex(node["name"]), str(node["row"]), int(str(node["time"])), key in initial, tall)
        for key, node in graph["nodes"].rows.items()
    }
    return [(nodes[str(edge["from"])], nodes[str(edge["to"])], _latex(edge["weight"])) for edge in cells]


def _latex(cell: Cell) -> str:
    return cell.latex if isinstance(cell, Math) else str(cell)


def drawn(graph: Part, *, tall: bool = False) -> Drawing:
    """The picture before it becomes SVG; one unit of its axes is an inch."""
    edges = _edges(graph, tall=tall)
    met = {node for source, target, _ in edges for node in (source, target)}
    nodes = sorted(met, key=lambda node: (ROWS[node.row][1], node.time))
    width, height = (max(ends) + MARGIN_IN for ends in zip(*(node.place for node in nodes), strict=True))
    figure, axes = new_axes(height_in=height, width_in=width)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for source, target, weight in edges:
        _edge(axes, source, target, weight)
    for node in nodes:
        _node(axes, node)
    return figure


def _edge(axes: Axes, source: Node, target: Node, weight: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    colour, style, side = LOOKS[target.row if target.row in LOOKS else source.row]
    start, end = source.place, target.place
    shrink = RADIUS_IN * 72 + 1
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": shrink, "shrinkB": shrink, "linewidth": 1.3}
    axes.add_patch(FancyArrowPatch(start, end, color=LIGHT[colour], linestyle=style, **arrow))
    share, outward = LABELS["".join({source.row, target.row} - set(LOOKS))]
    aside = (0, side * outward) if source.tall else (side * outward, 0)
    x, y = (one + share * (other - one) + more for one, other, more in zip(start, end, aside, strict=True))
    backing = {"boxstyle": "round,pad=0.08", "facecolor": LIGHT["paper"], "edgecolor": "none"}
    axes.text(x, y, f"${weight}$", ha="center", va="center", fontsize=FONT_PT, color=LIGHT[colour], bbox=backing)


def _node(axes: Axes, node: Node) -> None:
    from matplotlib.patches import Circle

    x, y = node.place
    fill = LIGHT["faint" if node.initial else "paper"]
    circle: dict[str, Any] = {"facecolor": fill, "edgecolor": LIGHT["ink"], "linewidth": 1.1, "zorder": 3}
    axes.add_patch(Circle((x, y), RADIUS_IN, **circle))
    axes.text(x, y + 0.01, f"${node.name}$", ha="center", va="center", fontsize=FONT_PT + 1, color=LIGHT["ink"], zorder=4)
