"""Draws the scores of every step as squares, without a cache of keys and values and with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from generators.answer import Figure
from generators.cells import rational
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, new_axes, subscript, to_svg
from generators.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL_IN = 0.32
GAP_IN = 0.34
HEAD_IN = 0.28
LEGEND_IN = 0.38
KINDS = {
    "new": ("accent-tint", "accent", "", "needed"),
    "again": ("warning-tint", "warning", "", "computed again"),
    "masked": ("paper", "muted", "///", "masked"),
    "cached": ("paper", "third", "...", "from the cache"),
}
"""Fill, ink, hatch and words of each kind of square."""


@dataclass(frozen=True)
class _Canvas:
    """Axes whose unit is an inch, from the top left."""

    axes: Axes
    cell: float

    def square(self, x: float, y: float, kind: str, text: str) -> None:
        """A square of a kind with its number."""
        from matplotlib.patches import Rectangle

        fill, ink, hatch, _ = KINDS[kind]
        place = (x, y), self.cell, CELL_IN
        self.axes.add_patch(Rectangle(*place, facecolor=LIGHT[fill], edgecolor=LIGHT["faint"], hatch=hatch, linewidth=0))
        self.axes.add_patch(Rectangle(*place, fill=False, edgecolor=LIGHT[ink], linewidth=0.8))
        backing = {"boxstyle": "round,pad=0.1", "facecolor": LIGHT[fill], "edgecolor": "none"} if hatch else None
        weight = "bold" if kind == "new" else "normal"
        self.axes.text(x + self.cell / 2, y + CELL_IN / 2 + 0.01, text.replace("-", "−"), ha="center", va="center",
                       fontsize=FONT_PT, color=LIGHT[ink], fontweight=weight, bbox=backing)  # fmt: skip

    def text(self, x: float, y: float, text: str, ink: str = "ink") -> None:
        """Words that begin at a place."""
        self.axes.text(x, y, text, ha="left", va="center", fontsize=FONT_PT, color=LIGHT[ink])


def steps_figure(scores: Table, counts: Table) -> Figure:
    """Draw each step twice: the square of scores without the cache, and keys and one row of scores with it."""
    rows = [[int(rational(cell)) for key, cell in cells.items() if key != "query"] for cells in scores.rows.values()]
    cell = max(CELL_IN, 0.14 + 0.08 * max(len(str(score)) for row in rows for score in row))
    lines = _lines(len(rows), cell)
    heights = [3 * HEAD_IN + (max(line) + 2.6) * CELL_IN for line in lines]
    height = sum(heights) + LEGEND_IN
    figure, axes = new_axes(height_in=height)
    figure.set_layout_engine("none")  # one unit of the axes is an inch
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, PRINTED_WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    canvas = _Canvas(axes, cell)
    for k, line in enumerate(lines):
        _line(canvas, line, rows, sum(heights[:k]))
    _legend(_Canvas(axes, CELL_IN), height - LEGEND_IN + 0.01)
    again, masked = (int(sum(counts[key].numbers.values())) for key in ("computed_again", "masked"))
    return Figure(
        svg=to_svg(figure),
        caption="Each step above without the cache and below with it, where only the bottom row of scores is left.",
        alt=f"{len(rows)} steps. Without the cache {again} scores are computed again and {masked} computed and masked; with it "
        f"step n computes n scores and reads n minus 1 keys.",
        shows=(scores.address, counts.address),
    )


def _lines(count: int, cell: float) -> list[list[int]]:
    """Steps that stand side by side."""
    lines: list[list[int]] = [[]]
    for number in range(1, count + 1):
        used = sum(n * cell + GAP_IN for n in [*lines[-1], number])
        if lines[-1] and used > PRINTED_WIDTH_IN:
            lines.append([])
        lines[-1].append(number)
    return lines


def _line(canvas: _Canvas, line: list[int], rows: list[list[int]], top: float) -> None:
    x = 0.05
    below = top + 2.1 * HEAD_IN + max(line) * CELL_IN
    canvas.text(x, top + HEAD_IN / 2, "without the cache", "muted")
    canvas.text(x, below + HEAD_IN / 2, "with the cache: keys above, scores below", "muted")
    for n in line:
        canvas.text(x, top + 1.5 * HEAD_IN, f"step {n}")
        for i in range(n):
            for j in range(n):
                kind = "masked" if j > i else "new" if i == n - 1 else "again"
                canvas.square(x + j * canvas.cell, top + 2 * HEAD_IN + i * CELL_IN, kind, str(rows[i][j]))
        for j in range(n):
            y = below + HEAD_IN
            canvas.square(x + j * canvas.cell, y, "new" if j == n - 1 else "cached", f"k{subscript(j + 1)}")
            canvas.square(x + j * canvas.cell, y + 1.2 * CELL_IN, "new", str(rows[n - 1][j]))
        x += max(n * canvas.cell, 0.45) + GAP_IN


def _legend(canvas: _Canvas, y: float) -> None:
    x = 0.05
    for kind, (_, _, _, words) in KINDS.items():
        canvas.square(x, y, kind, "")
        canvas.text(x + CELL_IN + 0.07, y + CELL_IN / 2, words)
        x += CELL_IN + 0.25 + 0.078 * len(words)
