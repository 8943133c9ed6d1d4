"""Merging of the KV cache: the similarity matrix with each row's maximum, and the errors by method."""

from __future__ import annotations

from generators.answer import Cell, Figure
from generators.figures.style import FONT_PT, LIGHT, new_axes, to_svg
from generators.steps import Table

CELL_IN, ROW_IN, EDGE_IN = 0.9, 0.32, 0.95


def similarity_figure(matrix: Table) -> Figure:
    """Draw a table of evicted token, similarity to each conserved one, and the one it goes to, which is marked."""
    from matplotlib.patches import Rectangle

    conserved = [int(str(name).removeprefix("to ")) for name in matrix.header[1:-1]]
    width, height = len(conserved) * CELL_IN + EDGE_IN + 0.1, len(matrix.rows) * ROW_IN + 0.5
    figure, axes = new_axes(height_in=height, width_in=width)
    figure.set_layout_engine("none")  # one unit of the axes is an inch
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()

    def text(x: float, y: float, words: str, ink: str = "ink", *, bold: bool = False) -> None:
        weight = "bold" if bold else "normal"
        axes.text(x, y, words, ha="center", va="center", fontsize=FONT_PT, color=LIGHT[ink], fontweight=weight)

    for j, token in enumerate(conserved):
        text(EDGE_IN + (j + 0.5) * CELL_IN, 0.3, f"conserved {token}")
    for i, row in enumerate(matrix.rows):
        y = 0.48 + i * ROW_IN
        text(EDGE_IN / 2, y + ROW_IN / 2, f"evicted {row[0]}")
        for j, (token, cell) in enumerate(zip(conserved, row[1:-1], strict=True)):
            chosen = token == row[-1]
            place = (EDGE_IN + j * CELL_IN, y), CELL_IN, ROW_IN
            fill = LIGHT["accent-tint" if chosen else "paper"]
            axes.add_patch(Rectangle(*place, facecolor=fill, edgecolor=LIGHT["faint"], linewidth=0.6))
            shown = f"{_number(cell):.2f}".replace("-", "−")
            ink = "accent" if chosen else "muted"
            text(place[0][0] + CELL_IN / 2, y + ROW_IN / 2 + 0.01, f"{shown} ✓" if chosen else shown, ink, bold=chosen)
    goes = "; ".join(f"{row[0]} to {row[-1]}" for row in matrix.rows)
    return Figure(
        svg=to_svg(figure),
        caption="Similarity of keys, rounded; the maximum of each row is marked.",
        alt=f"Similarity matrix of {len(matrix.rows)} evicted and {len(conserved)} conserved tokens. Maxima: {goes}.",
    )


def _number(cell: Cell) -> float:
    if cell is None or isinstance(cell, str) or not hasattr(cell, "__float__"):
        raise TypeError(f"not a number: {cell!r}")
    return float(cell)


def errors_figure(queries: Table, overall: Table) -> Figure:
    """Draw a bar a method with its error over all queries, and a mark for each query."""
    names = [str(name) for name in overall.column("Method")]
    bars = [_number(cell) for cell in overall.column("Relative error")]
    figure, axes = new_axes(height_in=0.34 * len(names) + 0.75)
    places = range(len(names))
    colours = [LIGHT["warning-tint" if name == "eviction" else "accent-tint"] for name in names]
    edges = [LIGHT["warning" if name == "eviction" else "accent"] for name in names]
    axes.barh(places, bars, height=0.62, color=colours, edgecolor=edges, linewidth=0.8)
    for place, name, edge in zip(places, names, edges, strict=True):
        errors = [_number(cell) for cell in queries.column(name)]
        axes.plot(errors, [place] * len(errors), "o", color=edge, markersize=4, linestyle="none")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlabel("relative error of the output: bars over all queries, dots for each")
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    shown = "; ".join(f"{name} {error:.3g}" for name, error in zip(names, bars, strict=True))
    count = len(queries.rows)
    return Figure(
        svg=to_svg(figure),
        caption="Error of attention over the conserved tokens alone and over the merged ones.",
        alt=f"Bars of the relative error over {count} {'query' if count == 1 else 'queries'}: {shown}.",
    )
