"""Draws the unrolled graph: outputs on top, then the backward chain, the forward chain, and inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators.answer import Answer, Figure, Part
from generators.cells import Cell, Math
from generators.figures.style import FONT_PT, LIGHT, new_axes, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ROWS = {"output": (0.0, 0), "backward": (0.33, 1), "forward": (-0.33, 2), "input": (0.0, 3)}
"""How far a row stands right of its time step, in inches, and its place from the top."""
STEP_IN = 1.3
ROW_IN = 0.9
RADIUS_IN = 0.22
MARGIN_IN = 0.3
LOOKS = {"forward": ("accent", "-", -1), "backward": ("warning", (0, (4, 2)), 1)}
"""Colour and line style of the chains, and the side of an edge that its weight stands on."""
LABELS = {"input": (0.32, 0.22), "output": (0.64, 0.22), "": (0.54, 0.0)}
"""Where an edge carries its weight, by the row besides the chains that it touches: share of its length, inches outward."""

Span = tuple[int, int]
Cells = Mapping[str, Mapping[str, Cell]]


@dataclass(frozen=True)
class Node:
    """A vector with its row, time step, and place in inches from the top left."""

    name: str
    row: str
    time: int
    x: float
    y: float


def draw(answer: Answer) -> dict[str, Figure]:
    """The unrolled graph, a few time steps a picture."""
    graph: Part = answer["3.1"]
    return {
        name: _picture(graph, (_number(cells["first"]), _number(cells["last"]))) for name, cells in graph["pictures"].rows.items()
    }


def _number(cell: Cell) -> int:
    return int(str(cell))


def _picture(graph: Part, span: Span) -> Figure:
    """The steps of `span`, with the states that come in from both sides."""
    first, final = span
    nodes, edges = graph["nodes"].rows, graph["edges"].rows
    shown = f"time step {first}" if first == final else f"time steps {first} to {final}"
    before, after = _incoming(nodes, edges, span)
    again = [_plain(nodes[one]) for one in (before, after) if one not in _initial(nodes, edges)]
    circles = "Dotted circles repeat" if len(again) > 1 else "A dotted circle repeats"
    repeated = f" {circles} {' and '.join(again)} of another picture." if again else ""
    incoming = f"{_plain(nodes[before])} from the left and {_plain(nodes[after])} from the right"
    return Figure(
        svg=to_svg(drawn(graph, span)),
        caption=f"The graph at {shown}: forward chain in solid lines, backward chain in dashed ones, initial states in grey."
        f"{repeated}",
        alt=f"Graph at {shown}. Every input x goes to both hidden states of its step with W(f) and W(b), both go to the output y "
        f"with V(f) and V(b). U(f) leads along the forward chain to the right, U(b) along the backward chain to the left; "
        f"{incoming} come in.{repeated}",
        shows=tuple(graph[key].address for key in ("nodes", "edges", "pictures")),
    )


def _plain(node: Mapping[str, Cell]) -> str:
    """A hidden state in plain text: h3(f)."""
    return f"h{node['time']}({str(node['row'])[0]})"


def _initial(nodes: Cells, edges: Cells) -> set[str]:
    """Hidden states that nothing leads to."""
    reached = {edge["to"] for edge in edges.values()}
    return {name for name, node in nodes.items() if node["row"] in LOOKS and name not in reached}


def _inside(nodes: Cells, name: Cell, span: Span) -> bool:
    return span[0] <= _number(nodes[str(name)]["time"]) <= span[1]


def _incoming(nodes: Cells, edges: Cells, span: Span) -> list[str]:
    """The states outside `span` that lead into it, earlier ones first."""
    sources = {
        str(edge["from"])
        for edge in edges.values()
        if _inside(nodes, edge["to"], span) and not _inside(nodes, edge["from"], span)
    }
    return sorted(sources, key=lambda name: _number(nodes[name]["time"]))


def drawn(graph: Part, span: Span) -> Drawing:
    """The picture before it becomes SVG; one unit of its axes is an inch."""
    nodes, edges = graph["nodes"].rows, graph["edges"].rows
    places = dict(_placed(nodes, edges, span))
    width = max(node.x for node in places.values()) + MARGIN_IN
    height = 3 * ROW_IN + 2 * MARGIN_IN
    figure, axes = new_axes(height_in=height, width_in=width)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for edge in edges.values():
        if _inside(nodes, edge["to"], span):
            _edge(axes, places[str(edge["from"])], places[str(edge["to"])], _latex(edge["weight"]))
    initial = _initial(nodes, edges)
    for name, node in places.items():
        _node(axes, node, initial=name in initial, repeated=not _inside(nodes, name, span))
    return figure


def _latex(cell: Cell) -> str:
    return cell.latex if isinstance(cell, Math) else str(cell)


def _placed(nodes: Cells, edges: Cells, span: Span) -> Iterator[tuple[str, Node]]:
    """The nodes of these steps and the states that lead into them."""
    incoming = _incoming(nodes, edges, span)
    for key, node in nodes.items():
        if key in incoming or _inside(nodes, key, span):
            row, time = str(node["row"]), _number(node["time"])
            shift, down = ROWS[row]
            x = MARGIN_IN + 0.33 + (time - span[0] + 1) * STEP_IN + shift
            yield key, Node(_latex(node["name"]), row, time, x, MARGIN_IN + down * ROW_IN)


def _edge(axes: Axes, source: Node, target: Node, weight: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    colour, style, side = LOOKS[target.row if target.row in LOOKS else source.row]
    ends = (source.x, source.y), (target.x, target.y)
    shrink = RADIUS_IN * 72 + 1
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": shrink, "shrinkB": shrink, "linewidth": 1.3}
    axes.add_patch(FancyArrowPatch(*ends, color=LIGHT[colour], linestyle=style, **arrow))
    share, outward = LABELS["".join({source.row, target.row} - set(LOOKS))]
    x = source.x + share * (target.x - source.x) + side * outward
    y = source.y + share * (target.y - source.y)
    backing = {"boxstyle": "round,pad=0.08", "facecolor": LIGHT["paper"], "edgecolor": "none"}
    axes.text(x, y, f"${weight}$", ha="center", va="center", fontsize=FONT_PT, color=LIGHT[colour], bbox=backing)


def _node(axes: Axes, node: Node, *, initial: bool, repeated: bool) -> None:
    from matplotlib.patches import Circle

    fill = LIGHT["faint" if initial else "paper"]
    edge = ":" if repeated and not initial else "-"
    circle: dict[str, Any] = {"facecolor": fill, "edgecolor": LIGHT["ink"], "linewidth": 1.1, "linestyle": edge, "zorder": 3}
    axes.add_patch(Circle((node.x, node.y), RADIUS_IN, **circle))
    axes.text(
        node.x, node.y + 0.01, f"${node.name}$", ha="center", va="center", fontsize=FONT_PT + 1, color=LIGHT["ink"], zorder=4
    )
