"""Draws each tree as a diagram, each mask as squares, and the recorded times as marks on one axis."""

from __future__ import annotations

from generators.answer import Answer, Figure, Part
from generators.figures.series import axis_label
from generators.figures.style import FONT_PT, LIGHT, MARKERS, new_axes, plain, subscripted, to_svg
from generators.pipeline.wording import counted
from generators.table import Table

CELL_IN = 0.28


def draw(answer: Answer) -> dict[str, Figure]:
    """Each tree, each mask, and the measured batches of each device."""
    figures = {}
    for label in ("2.1", "2.2"):
        figures[f"tree_{label}"] = _tree(answer[f"{label}/tree"])
        figures[f"mask_{label}"] = _mask(answer[f"{label}/mask"], ancestors=bool(answer["sheet/rows_are_ancestors"]))
    for measured in answer.starting("measured_"):
        figures[measured.label] = _batches(measured)
    return figures


def _tree(table: Table) -> Figure:
    """A prefix tree that grows downward; where a token repeats, nodes carry their number too."""
    from generators.figures.graph import label, laid_out, new_graph

    tokens = {row: subscripted(str(cell)) for row, cell in table["token"].cells.items()}
    numbered = len(set(tokens.values())) < len(tokens)
    graph = new_graph()
    size = max(0.46, 0.2 + 0.085 * max(map(len, tokens.values())))
    children: dict[str, list[str]] = {}
    for row, parent in table["parent"].cells.items():
        shown = label(tokens[row])
        graph.node(row, f"{shown}\\n({row})" if numbered else shown, width=f"{size:.2f}")
        if parent is not None:
            graph.edge(str(parent), row)
            children.setdefault(str(parent), []).append(row)
    numbers = " The number of a node stands in brackets below its token." if numbered else ""
    families = [f"{tokens[row]} has {' and '.join(tokens[one] for one in below)}" for row, below in children.items()]
    return Figure(
        svg=laid_out(graph),
        caption=f"The prefix tree: every candidate is a path down from a root.{numbers}",
        alt=f"Tree diagram of {counted(len(tokens), 'node')}. {'; '.join(families)}.",
        shows=(table.address,),
    )


def _mask(table: Table, *, ancestors: bool) -> Figure:
    """A square a pair: filled with a 1 where attention is allowed, empty with a 0 where it is masked."""
    from matplotlib.patches import Rectangle

    labels = {row: plain(subscripted(str(cell))) for row, cell in table["token"].cells.items()}
    n, longest = len(labels), max(map(len, labels.values()))
    size = n * CELL_IN + 0.3 + 0.075 * longest
    figure, axes = new_axes(height_in=size, width_in=size)
    allowed = 0
    for i, row in enumerate(labels):
        for j, name in enumerate(labels):
            cell = table.rows[row][name]
            one = cell == 1
            allowed += one
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=LIGHT["accent-tint" if one else "paper"],
                                     edgecolor=LIGHT["faint"], linewidth=0.6))  # fmt: skip
            axes.text(j + 0.5, i + 0.53, str(cell), ha="center", va="center", fontsize=FONT_PT,
                      color=LIGHT["accent" if one else "muted"], fontweight="bold" if one else "normal")  # fmt: skip
    ticks = [position + 0.5 for position in range(n)]
    axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal")
    axes.set_xticks(ticks, labels.values(), rotation=90 if longest > 3 else 0)
    axes.set_yticks(ticks, labels.values())
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelcolor=LIGHT["ink"])
    for spine in axes.spines.values():
        spine.set_visible(False)
    meaning = "row is the column's ancestor, or the token itself" if ancestors else "row attends to the column"
    return Figure(
        svg=to_svg(figure),
        caption=f"The mask as a picture: a filled square with 1 where the {meaning}.",
        alt=f"{n} by {n} mask with {counted(allowed, 'one')} of {n * n}; the table below it says the same in text.",
        shows=(table.address,),
    )


def _batches(measured: Part) -> Figure:
    """A row a part and way, with a mark for each way of launching."""
    table, device = measured["batches"], measured["device"].value
    figure, axes = new_axes(height_in=2.6)
    names = {row: f"{cells['part']} {cells['way']}, {cells['tokens']} tokens" for row, cells in table.rows.items()}
    places = {row: y for y, row in enumerate(names)}
    series = [table[key] for key in ("launched", "graph") if key in table.columns]
    said = {"launched": "kernel by kernel", "graph": "one graph"}
    shown = []
    for one, marker, colour in zip(series, MARKERS, ("accent", "warning"), strict=False):
        label = said[one.column.key]
        axes.plot(list(one.numbers.values()), [places[row] for row in one.numbers], marker, color=LIGHT[colour],
                  markersize=5.5, label=label)  # fmt: skip
        shown.append(f"{label}: " + ", ".join(f"{names[row]} {x:.3g} {one.unit}" for row, x in one.numbers.items()))
    ends = [max(one.numbers[row] for one in series) for row in names]
    axes.hlines(range(len(names)), 0, ends, color=LIGHT["faint"], linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(names)), names.values())
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.set_xlabel(axis_label(series, "median time of a forward pass over the drafted tokens"))
    if len(series) > 1:
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.18), ncols=2, frameon=False, fontsize=FONT_PT,
                    labelcolor=LIGHT["ink"])  # fmt: skip
    return Figure(
        svg=to_svg(figure),
        caption=f"The tree in one pass, beside its candidates as one padded batch and in turn, on {device}.",
        alt=f"Median times. {'; '.join(shown)}.",
        shows=(table.address,),
    )
