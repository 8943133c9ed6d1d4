"""Draws the masks of cache policies as squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from generators.answer import Figure
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, new_axes, to_svg
from generators.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD_IN, EDGE_IN, GAP_IN, LEGEND_IN, LABEL_IN = 0.26, 0.26, 0.2, 0.34, 0.185
PANEL_IN, ROW_IN = 1.85, 0.13
"""Width of a panel, unless rows would become too low for their numbers."""
KINDS = {
    "kept": ("accent-tint", "accent", "", "attended"),
    "own": ("accent", "accent", "", "the query's own token"),
    "evicted": ("paper", "muted", "////", "evicted"),
}
"""Fill, ink, hatch and words of each kind of square; what comes after the query is left blank."""
Corner = tuple[float, float]


def masks_figure(policies: Mapping[str, Table], listed: Table) -> Figure:
    """Draw a panel a policy, a row a query: squares of tokens it attends to, and of those it has evicted."""
    masks = {name: _mask(table) for name, table in policies.items()}
    n = len(next(iter(masks.values())))
    cell = min(max(PANEL_IN / n, ROW_IN), (PRINTED_WIDTH_IN / 2 - EDGE_IN - GAP_IN) / n)
    stride = -(-LABEL_IN // cell)
    pitch = HEAD_IN + EDGE_IN + n * cell + GAP_IN
    height = -(-len(masks) // 2) * pitch + LEGEND_IN
    figure, axes = new_axes(height_in=height)
    figure.set_layout_engine("none")  # one unit of the axes is an inch
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, PRINTED_WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    squares: dict[str, list[Corner]] = {kind: [] for kind in KINDS}
    for number, (name, mask) in enumerate(masks.items()):
        left, top = (number % 2) * PRINTED_WIDTH_IN / 2 + EDGE_IN, (number // 2) * pitch + HEAD_IN + EDGE_IN
        _text(axes, left, top - EDGE_IN - HEAD_IN / 2, name, ha="left", weight="bold")
        for i in range(n):
            _text(axes, left - 0.06, top + (i + 0.5) * cell, str(i + 1), ha="right")
            if i % stride == 0:
                _text(axes, left + (i + 0.5) * cell, top - 0.1, str(i + 1))
            for j in range(i + 1):
                kind = "own" if j == i else "kept" if mask[i][j] else "evicted"
                squares[kind].append((left + j * cell, top + i * cell))
    x = EDGE_IN
    for kind, (_, _, _, words) in KINDS.items():
        squares[kind].append((x, height - LEGEND_IN + 0.06))
        _text(axes, x + cell + 0.08, height - LEGEND_IN + 0.06 + cell / 2, words, ha="left")
        x += cell + 0.4 + 0.08 * len(words)
    _add(axes, squares, cell)
    most = {name: max(map(sum, mask)) for name, mask in masks.items()}
    return Figure(
        svg=to_svg(figure),
        caption="Rows are queries, columns tokens: what each policy attends to, query by query.",
        alt=f"Masks over {n} tokens. Most tokens that a query attends to: "
        + "; ".join(f"{name}: {count}" for name, count in most.items())
        + ". The table in the working lists them.",
        shows=(*(table.address for table in policies.values()), listed.address),
    )


def _mask(table: Table) -> list[list[int]]:
    """Ones and zeros of each query, as far as the query itself."""
    rows = table.rows.values()
    return [[int(cell == 1) for cell in row.values() if cell is not None] for row in rows]


def _add(axes: Axes, squares: Mapping[str, Sequence[Corner]], cell: float) -> None:
    """One collection a kind, which is drawn many times faster than squares one by one."""
    from matplotlib.collections import PolyCollection

    for kind, corners in squares.items():
        fill, ink, hatch, _ = KINDS[kind]
        shapes = [[(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)] for x, y in corners]
        if hatch:
            axes.add_collection(PolyCollection(shapes, facecolors=LIGHT[fill], edgecolors=LIGHT["faint"], hatch=hatch))
        edge = LIGHT["paper" if kind == "own" else ink]
        axes.add_collection(PolyCollection(shapes, facecolors="none" if hatch else LIGHT[fill], edgecolors=edge, linewidths=0.5))


def _text(axes: Axes, x: float, y: float, words: str, ha: str = "center", weight: str = "normal") -> None:
    axes.text(x, y, words, ha=ha, va="center_baseline", fontsize=FONT_PT, color=LIGHT["ink"], fontweight=weight)
