"""Draws the similarity matrix with each row's maximum, the errors by method, and keys before and after merging."""

from __future__ import annotations

from generators.answer import Answer, Figure
from generators.courses.sydney.seminar2_kv_merging.merged_keys import keys_figure
from generators.figures.style import FONT_PT, LIGHT, new_axes, to_svg
from generators.pipeline.wording import counted
from generators.table import Table

CELL_IN, ROW_IN, EDGE_IN = 0.9, 0.32, 0.95
RULES = ("averaged", "pivotal", "weighted")


def draw(answer: Answer) -> dict[str, Figure]:
    """The pictures; that of keys where they have two components."""
    figures = {"similarity": _similarity(answer["2/matrix"]), "errors": _errors(answer["4/queries"], answer["4/overall"])}
    if answer["sheet/plane"]:
        figures["keys"] = _keys(answer["sheet/keys"], answer["3/keys"])
    return figures


def _similarity(matrix: Table) -> Figure:
    """A square a pair, with the maximum of each row marked."""
    from matplotlib.patches import Rectangle

    conserved = [key for key in matrix.columns if key not in ("evicted", "goes_to")]
    width, height = len(conserved) * CELL_IN + EDGE_IN + 0.1, len(matrix.rows) * ROW_IN + 0.5
    figure, axes = new_axes(height_in=height, width_in=width)
    figure.set_layout_engine("none")  # one unit of the axes is an inch
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()

    def text(x: float, y: float, words: str, ink: str = "ink", *, bold: bool = False) -> None:
        weight = "bold" if bold else "normal"
        axes.text(x, y, words, ha="center", va="center", fontsize=FONT_PT, color=LIGHT[ink], fontweight=weight)

    for j, key in enumerate(conserved):
        text(EDGE_IN + (j + 0.5) * CELL_IN, 0.3, matrix[key].label.lower())
    for i, row in enumerate(matrix):
        y = 0.48 + i * ROW_IN
        text(EDGE_IN / 2, y + ROW_IN / 2, f"evicted {row['evicted'].value}")
        for j, key in enumerate(conserved):
            chosen = key == f"conserved_{row['goes_to'].value}"
            place = (EDGE_IN + j * CELL_IN, y), CELL_IN, ROW_IN
            fill = LIGHT["accent-tint" if chosen else "paper"]
            axes.add_patch(Rectangle(*place, facecolor=fill, edgecolor=LIGHT["faint"], linewidth=0.6))
            shown = f"{float(row[key]):.2f}".replace("-", "−")
            ink = "accent" if chosen else "muted"
            text(place[0][0] + CELL_IN / 2, y + ROW_IN / 2 + 0.01, f"{shown} ✓" if chosen else shown, ink, bold=chosen)
    goes = "; ".join(f"{row['evicted'].value} to {row['goes_to'].value}" for row in matrix)
    return Figure(
        svg=to_svg(figure),
        caption="Similarity of keys, rounded; the maximum of each row is marked.",
        alt=f"Similarity matrix of {len(matrix.rows)} evicted and {len(conserved)} conserved tokens. Maxima: {goes}.",
        shows=(matrix.address,),
    )


def _errors(queries: Table, overall: Table) -> Figure:
    """A bar a method with its error over all queries, and a mark for each query."""
    bars = overall["relative_error"].numbers
    names = [str(name) for name in overall["method"].cells.values()]
    figure, axes = new_axes(height_in=0.34 * len(names) + 0.75)
    places = range(len(names))
    colours = [LIGHT["warning-tint" if key == "eviction" else "accent-tint"] for key in bars]
    edges = [LIGHT["warning" if key == "eviction" else "accent"] for key in bars]
    axes.barh(places, list(bars.values()), height=0.62, color=colours, edgecolor=edges, linewidth=0.8)
    for place, key, edge in zip(places, bars, edges, strict=True):
        errors = list(queries[key].numbers.values())
        axes.plot(errors, [place] * len(errors), "o", color=edge, markersize=4, linestyle="none")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlabel("relative error of the output: bars over all queries, dots for each")
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    shown = "; ".join(f"{name} {error:.3g}" for name, error in zip(names, bars.values(), strict=True))
    return Figure(
        svg=to_svg(figure),
        caption="Error of attention over the conserved tokens alone and over the merged ones.",
        alt=f"Bars of the relative error over {counted(len(queries.rows), 'query', 'queries')}: {shown}.",
        shows=(queries.address, overall.address),
    )


def _keys(given: Table, after: Table) -> Figure:
    """Keys of two components before, and conserved ones by each rule."""
    fates = given["fate"].cells
    tokens = {row: int(number) for row, number in given["token"].numbers.items()}
    before = {row: (given["component_1"].numbers[row], given["component_2"].numbers[row]) for row in given.rows}
    conserved, evicted = (
        {tokens[row]: key for row, key in before.items() if fates[row] == fate} for fate in ("conserved", "evicted")
    )
    moved = {
        rule: {tokens[row]: (after[f"{rule}_k1"].numbers[row], after[f"{rule}_k2"].numbers[row]) for row in after.rows}
        for rule in RULES
    }
    return keys_figure(conserved, moved, evicted, (given.address, after.address))
