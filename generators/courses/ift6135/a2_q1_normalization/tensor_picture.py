"""A tensor of samples, channels and features as squares, with the subset of each statistic in one colour and pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from generators.answer import Figure
from generators.courses.ift6135.a2_q1_normalization.params import entry_text
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, SERIES, new_axes, subscript, to_svg
from generators.pipeline.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL_IN = 0.3
NAMES_IN = 0.45
GAP_IN = 0.52
HEAD_IN = 0.3
FOOT_IN = 0.32
PATTERNS = ("", "///", "\\\\\\", "xxx", "---", "|||", "+++", "..")
"""Hatches that go with SERIES: 40 pairs of colour and pattern before one repeats."""

Tensor = Sequence[Sequence[Sequence[Fraction]]]


def tensor_picture(tensor: Tensor, name: str, each_sample: bool, each_channel: bool, shows: tuple[str, ...]) -> Figure:
    """Draw a block a sample, a row a channel, a square a feature; entries of one statistic share colour and pattern."""
    samples, channels, features = len(tensor), len(tensor[0]), len(tensor[0][0])
    cell = max(CELL_IN, 0.12 + 0.08 * max(len(entry_text(entry)) for sample in tensor for row in sample for entry in row))
    pitch_x = features * cell + GAP_IN
    pitch_y = HEAD_IN + channels * CELL_IN + (0.1 if each_channel else FOOT_IN)
    across = max(1, min(samples, int((PRINTED_WIDTH_IN - NAMES_IN) / pitch_x)))
    lines = -(-samples // across)
    width, height = NAMES_IN + across * pitch_x, lines * pitch_y
    figure, axes = new_axes(height_in=height, width_in=width)
    figure.set_layout_engine("none")  # one unit of the axes is an inch
    axes.set_position((0, 0, 1, 1))
    for i in range(samples):
        block = _Block(axes, i, NAMES_IN + (i % across) * pitch_x, (i // across) * pitch_y + HEAD_IN, cell)
        block.draw(tensor[i], each_sample, each_channel, named=i % across == 0)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    kept = {(True, True): "sample and channel", (True, False): "sample", (False, True): "channel"}[each_sample, each_channel]
    over = {(True, True): "features", (True, False): "channels and features", (False, True): "samples and features"}
    return Figure(
        svg=to_svg(figure),
        caption=f"{name}: squares of one colour and pattern go into one mean and one variance, one of each a {kept}.",
        alt=f"Blocks of {channels} by {counted(features, 'square')}, {samples} in all; statistics of {name} run over "
        f"{over[each_sample, each_channel]}, so each {kept} has a colour and pattern of its own.",
        shows=shows,
    )


@dataclass(frozen=True)
class _Block:
    """Where one sample is drawn, in inches from the top left."""

    axes: Axes
    sample: int
    left: float
    top: float
    cell: float

    def draw(self, rows: Sequence[Sequence[Fraction]], each_sample: bool, each_channel: bool, *, named: bool) -> None:
        """Draw the rows, and the statistics beside or below what they run over."""
        middle = self.left + len(rows[0]) * self.cell / 2
        self._text(middle, self.top - 0.14, f"n = {self.sample + 1}")
        for j, row in enumerate(rows):
            y = self.top + j * CELL_IN
            group = self.sample * len(rows) + j if each_sample and each_channel else self.sample if each_sample else j
            self._row(row, y, group)
            if named:
                self._text(self.left - 0.07, y + CELL_IN / 2, f"c = {j + 1}", ha="right")
            if each_channel:
                index = (self.sample + 1, j + 1) if each_sample else (j + 1,)
                self._text(self.left + len(row) * self.cell + 0.07, y + CELL_IN / 2, _mean(*index), ha="left")
                self._frame(y, 1, len(row))
        if not each_channel:
            self._frame(self.top, len(rows), len(rows[0]))
            self._text(middle, self.top + len(rows) * CELL_IN + 0.14, _mean(self.sample + 1))

    def _row(self, row: Sequence[Fraction], y: float, group: int) -> None:
        from matplotlib.patches import Rectangle

        colour = LIGHT[SERIES[group % len(SERIES)]]
        pattern = PATTERNS[(group % len(SERIES) + group // len(SERIES)) % len(PATTERNS)]
        whole = (self.left, y), len(row) * self.cell, CELL_IN
        self.axes.add_patch(Rectangle(*whole, facecolor=colour, alpha=0.22, linewidth=0))
        self.axes.add_patch(Rectangle(*whole, fill=False, edgecolor=colour, hatch=pattern, linewidth=0.5))
        lines = [self.left + k * self.cell for k in range(1, len(row))]
        self.axes.vlines(lines, y, y + CELL_IN, color=colour, linewidth=0.5)
        for k, entry in enumerate(row):
            backing = {"boxstyle": "round,pad=0.12", "facecolor": LIGHT["paper"], "edgecolor": "none"}
            self._text(self.left + (k + 0.5) * self.cell, y + CELL_IN / 2 + 0.01, entry_text(entry), bbox=backing)

    def _frame(self, y: float, rows: int, columns: int) -> None:
        from matplotlib.patches import Rectangle

        size = columns * self.cell, rows * CELL_IN
        self.axes.add_patch(Rectangle((self.left, y), *size, fill=False, edgecolor=LIGHT["ink"], linewidth=1.3))

    def _text(self, x: float, y: float, text: str, ha: str = "center", **more: Any) -> None:
        self.axes.text(x, y, text, ha=ha, va="center", fontsize=FONT_PT, color=LIGHT["ink"], **more)


def _mean(*index: int) -> str:
    """μ₂,₁ for sample 2 and channel 1; plain text is drawn many times faster than a formula."""
    return "μ" + ",".join(map(subscript, index))
