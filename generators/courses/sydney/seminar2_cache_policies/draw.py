"""Draws the tokens that each query attends to as squares, a panel a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from generators.answer import Answer, Figure
from generators.figures.style import FONT_PT, LIGHT, new_axes, to_svg
from generators.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_IN, HEAD_IN, EDGE_IN, GAP_IN, LEGEND_IN, LABEL_IN = 2.95, 0.26, 0.24, 0.12, 0.3, 0.185
"""Width of the picture, which a phone shows whole, and what titles, numbers and gaps take."""
NAMES = {"dense": "Dense", "window": "Window", "initial_and_window": "Initial and window", "attention_based": "Attention-based"}
KINDS = {
    "kept": ("accent-tint", "accent", "attended"),
    "own": ("accent", "paper", "its own"),
    "evicted": ("paper", "muted", "evicted"),
}
"""Fill, edge and words of each kind of square; what comes after the query is left blank."""
Corner = tuple[float, float]
Mask = list[list[int]]


def draw(answer: Answer) -> dict[str, Figure]:
    """The masks of all policies."""
    tables = {name: answer[f"1/mask_{key}"] for key, name in NAMES.items()}
    masks = {name: _mask(one) for name, one in tables.items()}
    last = len(masks["Dense"])
    said = "; ".join(f"{name}: {_listed(mask[-1])}" for name, mask in masks.items())
    return {
        "masks": Figure(
            svg=_drawn(masks, last),
            caption="Rows are queries, columns tokens: which tokens a query may attend to under each policy.",
            alt=f"Masks of {last} queries over {last} tokens. The last query attends to these tokens. {said}.",
            shows=tuple(one.address for one in tables.values()),
        )
    }


def _mask(table: Table) -> Mask:
    """Ones and zeros of each query, as far as the query itself."""
    return [[int(cell == 1) for cell in row.values() if cell is not None] for row in table.rows.values()]


def _listed(row: Sequence[int]) -> str:
    return ", ".join(str(number) for number, kept in enumerate(row, 1) if kept)


def _drawn(masks: Mapping[str, Mask], n: int) -> str:
    cell = (WIDTH_IN / 2 - EDGE_IN - GAP_IN) / n
    pitch = HEAD_IN + EDGE_IN + n * cell + GAP_IN
    height = 2 * pitch + LEGEND_IN
    figure, axes = new_axes(height_in=height, width_in=WIDTH_IN)
    figure.set_layout_engine("none")  # one unit of the axes is an inch
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    squares: dict[str, list[Corner]] = {kind: [] for kind in KINDS}
    for number, (name, mask) in enumerate(masks.items()):
        corner = (number % 2 * WIDTH_IN / 2 + EDGE_IN, number // 2 * pitch + HEAD_IN + EDGE_IN)
        _panel(axes, name, mask, corner, cell, squares)
    _legend(axes, height - LEGEND_IN + 0.06, squares)
    _add(axes, squares, cell)
    return to_svg(figure)


def _panel(axes: Axes, name: str, mask: Mask, corner: Corner, cell: float, squares: dict[str, list[Corner]]) -> None:
    left, top = corner
    _text(axes, left, top - EDGE_IN - HEAD_IN / 2, name, ha="left", weight="bold")
    for i, row in enumerate(mask):
        if i % -(-LABEL_IN // cell) == 0:
            _text(axes, left - 0.05, top + (i + 0.5) * cell, str(i + 1), ha="right")
            _text(axes, left + (i + 0.5) * cell, top - 0.1, str(i + 1))
        for j, kept in enumerate(row):
            kind = "own" if j == i else "kept" if kept else "evicted"
            squares[kind].append((left + j * cell, top + i * cell))


def _legend(axes: Axes, y: float, squares: dict[str, list[Corner]]) -> None:
    x = EDGE_IN
    for kind, (_, _, words) in KINDS.items():
        squares[kind].append((x, y))
        _text(axes, x + 0.22, y + 0.06, words, ha="left")
        x += 0.38 + 0.07 * len(words)


def _add(axes: Axes, squares: Mapping[str, Sequence[Corner]], cell: float) -> None:
    """One collection a kind, which is drawn many times faster than squares one by one."""
    from matplotlib.collections import PolyCollection

    for kind, corners in squares.items():
        fill, edge, _ = KINDS[kind]
        shapes = [[(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)] for x, y in corners]
        axes.add_collection(PolyCollection(shapes, facecolors=LIGHT[fill], edgecolors=LIGHT[edge], linewidths=0.5))


def _text(axes: Axes, x: float, y: float, words: str, ha: str = "center", weight: str = "normal") -> None:
    axes.text(x, y, words, ha=ha, va="center_baseline", fontsize=FONT_PT, color=LIGHT["ink"], fontweight=weight)
