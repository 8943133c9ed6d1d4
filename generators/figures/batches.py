"""Times of the tree's batch and of the candidates run apart, as marks on one axis."""

from __future__ import annotations

from generators.answer import Figure
from generators.figures.style import FONT_PT, LIGHT, MARKERS, new_axes, to_svg
from generators.steps import Table


def batches_figure(table: Table, device: str) -> Figure:
    """A row a part and way; takes columns Part, Way, Tokens, Launched and Graph, the last two in ms."""
    figure, axes = new_axes(height_in=2.6)
    names = [f"{row[0]} {row[1]}, {row[2]} tokens" for row in table.rows]
    shown = []
    for number, (name, label, colour) in enumerate(
        (("Launched", "kernel by kernel", "accent"), ("Graph", "one graph", "warning"))
    ):
        found = [(float(cell), y) for y, cell in enumerate(table.column(name)) if isinstance(cell, float)]
        if found:
            shown.append(f"{label}: " + ", ".join(f"{names[y]} {x:.3g} ms" for x, y in found))
            axes.plot(*zip(*found, strict=True), MARKERS[number], color=LIGHT[colour], markersize=5.5, label=label)
    axes.hlines(range(len(names)), 0, [max(x for x in row[3:5] if isinstance(x, float)) for row in table.rows],
                color=LIGHT["faint"], linewidth=0.8, zorder=0)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.set_xlabel("median time of a forward pass over the drafted tokens, ms")
    if len(shown) > 1:
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.18), ncols=2, frameon=False, fontsize=FONT_PT,
                    labelcolor=LIGHT["ink"])  # fmt: skip
    return Figure(
        svg=to_svg(figure),
        caption=f"The tree in one pass, beside its candidates as one padded batch and in turn, on {device}.",
        alt=f"Median times. {'; '.join(shown)}.",
    )
