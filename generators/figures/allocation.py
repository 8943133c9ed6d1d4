"""Bytes that each fine-tuning method holds: what was predicted as lines, what was stored and allocated as marks."""

from __future__ import annotations

from generators.answer import Figure, rational
from generators.figures.style import FONT_PT, LIGHT, MARKERS, new_axes, to_svg
from generators.steps import Table


def allocation_figure(table: Table, device: str) -> Figure:
    """A row a method and kind of value; takes columns Method, Of, Predicted, Stored, Allocated, in bytes."""
    figure, axes = new_axes(height_in=3.6)
    names = [f"{row[0]}: {row[1]}" for row in table.rows]
    places = range(len(names))
    predicted = [float(rational(cell)) for cell in table.column("Predicted")]
    axes.set_xscale("log", base=2)
    axes.vlines(predicted, [y - 0.38 for y in places], [y + 0.38 for y in places], color=LIGHT["ink"], linewidth=1.6,
                label="predicted")  # fmt: skip
    for number, (name, colour) in enumerate((("Stored", "accent"), ("Allocated", "warning"))):
        found = [(float(rational(cell)), y) for y, cell in enumerate(table.column(name)) if cell is not None]
        if found:
            axes.plot(*zip(*found, strict=True), MARKERS[number], color=LIGHT[colour], label=name.lower(), markersize=5.5,
                      fillstyle="none", markeredgewidth=1.4)  # fmt: skip
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlabel("bytes (log scale)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.14), ncols=3, frameon=False, fontsize=FONT_PT, labelcolor=LIGHT["ink"])
    counts = ", ".join(f"{name} {size:.4g}" for name, size in zip(names, predicted, strict=True))
    return Figure(
        svg=to_svg(figure),
        caption=f"Predicted bytes and what torch held on {device}; marks on the lines mean that nothing was left out.",
        alt=f"Bytes of each method on a logarithmic axis, predicted: {counts}.",
    )
