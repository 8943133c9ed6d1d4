"""A labelled attention mask as squares."""

from __future__ import annotations

from generators.answer import Figure
from generators.figures.style import FONT_PT, LIGHT, new_axes, plain, subscripted, to_svg
from generators.pipeline.wording import counted
from generators.steps import Table

CELL_IN = 0.28


def mask_figure(table: Table, rows: str) -> Figure:
    """Draw a square a pair: filled with a 1 where attention is allowed, empty with a 0 where it is masked."""
    from matplotlib.patches import Rectangle

    labels = [plain(subscripted(str(name))) for name in table.header[1:]]
    n = len(labels)
    margin = 0.3 + 0.075 * max(map(len, labels))
    figure, axes = new_axes(height_in=n * CELL_IN + margin, width_in=n * CELL_IN + margin)
    allowed = 0
    for i, row in enumerate(table.rows):
        for j, cell in enumerate(row[1:]):
            fill, ink = ("accent-tint", "accent") if cell == 1 else ("paper", "faint")
            allowed += cell == 1
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=LIGHT[fill], edgecolor=LIGHT["faint"], linewidth=0.6))
            axes.text(j + 0.5, i + 0.53, str(cell), ha="center", va="center", fontsize=FONT_PT,
                      color=LIGHT["muted" if ink == "faint" else ink], fontweight="bold" if cell == 1 else "normal")  # fmt: skip
    ticks = [position + 0.5 for position in range(n)]
    turned = 90 if max(map(len, labels)) > 3 else 0
    axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal")
    axes.set_xticks(ticks, labels, rotation=turned)
    axes.set_yticks(ticks, labels)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelcolor=LIGHT["ink"])
    for spine in axes.spines.values():
        spine.set_visible(False)
    meaning = "row is the column's ancestor, or the token itself" if rows == "ancestors" else "row attends to the column"
    return Figure(
        svg=to_svg(figure),
        caption=f"The mask as a picture: a filled square with 1 where the {meaning}.",
        alt=f"{n} by {n} mask with {counted(allowed, 'one')} of {n * n}; the table below it says the same in text.",
    )
