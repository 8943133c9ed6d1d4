"""The graph of a bidirectional RNN, unrolled: outputs on top, then the backward chain, the forward chain, and inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generators.answer import Cell, Figure, Math
from generators.figures.style import FONT_PT, LIGHT, new_axes, to_svg
from generators.steps import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ROWS = {"output": (0.0, 0), "backward": (0.33, 1), "forward": (-0.33, 2), "input": (0.0, 3)}
"""How far a row stands right of its time step, in inches, and its place from the top."""
STEP_IN = 1.3
ROW_IN = 0.9
RADIUS_IN = 0.22
MARGIN_IN = 0.3
LOOKS = {"f": ("accent", "-"), "b": ("warning", (0, (4, 2)))}
"""Colour and line style of the chains."""
LABELS = {"W": (0.32, 0.22), "U": (0.54, 0.0), "V": (0.64, 0.22)}
"""Where an edge carries its weight: the share of its length, and how far outward from the time step, in inches."""


@dataclass(frozen=True)
class Node:
    """A vector with its place in inches from the top left, and its time step."""

    name: str
    x: float
    y: float
    time: int


def unrolled_figure(nodes: Table, edges: Table, span: tuple[int, int], last: int) -> Figure:
    """Draw the steps of `span`, of `last` in all, with the states that come in from both sides."""
    first, final = span
    shown = f"time step {first}" if first == final else f"time steps {first} to {final}"
    incoming = [f"h{first - 1}(f) from the left", f"h{final + 1}(b) from the right"]
    again = [f"h{t}({chain})" for chain, t, edge in (("f", first - 1, 0), ("b", final + 1, last + 1)) if t != edge]
    repeated = f" Dotted circles repeat {' and '.join(again)} of another picture." if again else ""
    return Figure(
        svg=to_svg(drawn(nodes, edges, span, last)),
        caption=f"The graph at {shown}: forward chain in solid lines, backward chain in dashed ones, initial states in grey."
        f"{repeated}",
        alt=f"Graph at {shown}. Every input x goes to both hidden states of its step with W(f) and W(b), both go to the output y "
        f"with V(f) and V(b). U(f) leads along the forward chain to the right, U(b) along the backward chain to the left; "
        f"{' and '.join(incoming)} come in.{repeated}",
    )


def drawn(nodes: Table, edges: Table, span: tuple[int, int], last: int) -> Drawing:
    """The picture before it becomes SVG; one unit of its axes is an inch."""
    places = {node.name: node for node in _placed(nodes, span)}
    width = max(node.x for node in places.values()) + MARGIN_IN
    height = 3 * ROW_IN + 2 * MARGIN_IN
    figure, axes = new_axes(height_in=height, width_in=width)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for source, target, weight in edges.rows:
        if span[0] <= _node_time(nodes, target) <= span[1]:
            _edge(axes, places[_latex(source)], places[_latex(target)], _latex(weight))
    for node in places.values():
        _node(axes, node, initial=node.time in (0, last + 1), repeated=not span[0] <= node.time <= span[1])
    return figure


def _latex(cell: Cell) -> str:
    return cell.latex if isinstance(cell, Math) else str(cell)


def _node_time(nodes: Table, name: Cell) -> int:
    return next(int(str(time)) for node, _, time in nodes.rows if node == name)


def _placed(nodes: Table, span: tuple[int, int]) -> Iterator[Node]:
    """The nodes of these steps, the forward state before them and the backward state after them."""
    first, final = span
    for name, row, time in nodes.rows:
        t = int(str(time))
        if first <= t <= final or (row, t) in (("forward", first - 1), ("backward", final + 1)):
            shift, down = ROWS[str(row)]
            yield Node(_latex(name), MARGIN_IN + 0.33 + (t - first + 1) * STEP_IN + shift, MARGIN_IN + down * ROW_IN, t)


def _edge(axes: Axes, source: Node, target: Node, weight: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    letter, chain = weight[8], weight[-3]
    colour, style = LOOKS[chain]
    ends = (source.x, source.y), (target.x, target.y)
    shrink = RADIUS_IN * 72 + 1
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": shrink, "shrinkB": shrink, "linewidth": 1.3}
    axes.add_patch(FancyArrowPatch(*ends, color=LIGHT[colour], linestyle=style, **arrow))
    share, outward = LABELS[letter]
    side = -1 if chain == "f" else 1
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
