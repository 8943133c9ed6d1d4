"""Decoding with and without a cache of keys and values: the scores of every step as squares, and costs over the length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from generators.answer import Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, new_axes, subscript, to_svg
from generators.steps import Table

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


def steps_figure(scores: Table) -> Figure:
    """Draw each step twice: the square of scores without the cache, and keys and one row of scores with it."""
    rows = [[int(rational(cell)) for cell in row[1:]] for row in scores.rows]
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
    again = sum(n * (n - 1) // 2 for n in range(1, len(rows) + 1))
    return Figure(
        svg=to_svg(figure),
        caption="Each step above without the cache and below with it, where only the bottom row of scores is left.",
        alt=f"{len(rows)} steps. Without the cache {again} scores are computed again and as many computed and masked; with it "
        f"step n computes n scores and reads n minus 1 keys.",
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


def saving_figure(lengths: Table) -> Figure:
    """Draw how many times as much a step takes without the cache, in FLOPs and in bytes, over the tokens so far."""
    tokens = [float(rational(cell)) for cell in lengths.column("Tokens")]
    lines = []
    for name, unit in (("FLOPs", "GFLOP"), ("bytes", "GB")):
        without, kept = (map(rational, lengths.column(f"{unit} {way}")) for way in ("without", "with"))
        points = [(n, float(most / least)) for n, most, least in zip(tokens, without, kept, strict=True)]
        lines.append(Line(name, points, tuple(points)))
    ends = "; ".join(f"{line.name}: {line.points[0][1]:,.1f} and {line.points[-1][1]:,.1f} times" for line in lines)
    return line_figure(
        lines,
        Axis("tokens so far", scale="log", base=2),
        Axis("times as much", scale="log"),
        caption="How many times as many FLOPs and bytes a step takes without the cache.",
        alt=f"FLOPs and bytes of a step without the cache over those with. At {tokens[0]:g} and {tokens[-1]:g} tokens, {ends}.",
        height_in=2.8,
    )
