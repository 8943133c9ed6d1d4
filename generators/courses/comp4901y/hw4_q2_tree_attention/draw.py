"""Draws each tree as a diagram, or as an outline where a diagram would be too wide to read, and each mask as squares."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from generators.answer import Answer, Figure
from generators.figures.graph import FONTS, label, laid_out, new_graph
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, subscripted
from generators.pipeline.wording import counted
from generators.table import Table

GAP_IN, STEP_IN, HIGHEST_IN = 0.05, 0.2, 8.5
ROW_PT = 9.8
"""Between lines of text."""
CELL_PT = 14.4
"""A square that has room for its digit."""
LONGEST_LABEL, LONGEST_NAME = 2, 60
"""Letters of a token that fit a mask's edge, where two subscripts count as one, and of one that fits an outline."""
MOST_NAMED = 30
"""Larger trees are labelled by number in masks."""

Children = Mapping[str | None, list[str]]


def draw(answer: Answer) -> dict[str, Figure]:
    """Each tree and each mask."""
    figures = {}
    for part in ("2.1", "2.2"):
        tree = answer[f"{part}/tree"]
        tokens = {row: subscripted(str(token)) for row, token in tree["token"].cells.items()}
        crowded = len(tokens) > MOST_NAMED or max(map(_letters, tokens.values())) > LONGEST_LABEL
        numbered = crowded or len(set(tokens.values())) < len(tokens)
        figures[f"tree_{part}"] = _tree(tree, tokens, numbered=numbered)
        names = {row: row if crowded else f"{row} {token}" if numbered else token for row, token in tokens.items()}
        says = "which nodes attend to its node" if answer["sheet/rows_are_ancestors"] else "which nodes its node attends to"
        figures[f"mask_{part}"] = _mask(answer[f"{part}/mask"], names, tree.address, f"A row says {says}.")
    return figures


def _letters(token: str) -> float:
    return sum(0.5 if letter in "₀₁₂₃₄₅₆₇₈₉" else 1 for letter in token)


def _tree(table: Table, tokens: Mapping[str, str], *, numbered: bool) -> Figure:
    """A prefix tree that grows downward."""
    children: dict[str | None, list[str]] = {}
    for row, parent in table["parent"].cells.items():
        children.setdefault(None if parent is None else str(parent), []).append(row)
    levels = list(_levels(children, None, 0))
    width = max(0.31, 0.12 + 0.085 * max(map(len, tokens.values())))
    leaves = sum(row not in children for row in tokens)
    height = 0.7 * (1 + max(level for _, level in levels))
    if leaves * (width + GAP_IN) > PRINTED_WIDTH_IN or height > HIGHEST_IN:
        svg = _outline(levels, tokens, children)
    else:
        svg = _diagram(levels, tokens, children, width, numbered=numbered)
    names = {row: f"{row} ({token})" if numbered else token for row, token in tokens.items()}
    families = [
        f"{name} has {' and '.join(names[one] for one in children[row])}" for row, name in names.items() if row in children
    ]
    return Figure(
        svg=svg,
        caption="Every candidate is a path that starts at the top. Each node stands below its parent.",
        alt=f"Tree diagram of {counted(len(tokens), 'node')}. {'; '.join(families)}.",
        shows=(table.address,),
        nodes=table.address,
    )


def _levels(children: Children, above: str | None, level: int) -> Iterator[tuple[str, int]]:
    """Each node with its level, depth first."""
    for row in children.get(above, []):
        yield row, level
        yield from _levels(children, row, level + 1)


def _diagram(
    levels: list[tuple[str, int]], tokens: Mapping[str, str], children: Children, width: float, *, numbered: bool
) -> str:
    """Leaves side by side, and each parent in the middle above its children."""
    graph, height, across, leaves = new_graph(), 0.4 if numbered else 0.3, dict[str, float](), 0
    graph.attr("node", shape="box", style="rounded,filled", width=f"{width:.2f}", height=f"{height}")
    for row, level in reversed(levels):
        below = children.get(row)
        leaves += not below
        across[row] = (across[below[0]] + across[below[-1]]) / 2 if below else -leaves * (width + GAP_IN)
        text = f"{row}\\n{label(tokens[row])}" if numbered else label(tokens[row])
        graph.node(row, text, pos=f"{across[row]:.3f},{-level * (height + STEP_IN):.3f}!")
        for one in below or ():
            graph.edge(row, one)
    return laid_out(graph, engine="neato")


def _outline(levels: list[tuple[str, int]], tokens: Mapping[str, str], children: Children) -> str:
    """A line a node, with its number and token, and lines from each parent down to its children; all in points."""
    step = min(18.0, 144 / (1 + max(level for _, level in levels)))
    place = {row: (2 + level * step, ROW_PT * (line + 1)) for line, (row, level) in enumerate(levels)}
    names = {row: name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for row, name in tokens.items()}
    drawn = []
    for row, (left, y) in place.items():
        drawn.append(
            _node(row, _text(left, y, row) + _text(left + 15, y, names[row]), (left, y - 8, 20 + 5.8 * len(names[row]), ROW_PT))
        )
        for right, below in (place[one] for one in children.get(row, [])):
            line = f"M{right - max(step - 4, 5):.1f} {y + 2:.1f}V{below - 3:.1f}H{right - 2:.1f}"
            drawn.append(f'<path d="{line}" stroke="{LIGHT["muted"]}" fill="none" stroke-width="0.6"/>')
    width = max(left + 20 + 5.8 * len(names[row]) for row, (left, _) in place.items())
    return _svg(width, ROW_PT * len(levels) + 4, drawn)


def _svg(width: float, height: float, drawn: Iterable[str]) -> str:
    """Elements in points, with the project's font."""
    box = f'width="{width:.0f}pt" height="{height:.0f}pt" viewBox="0 0 {width:.0f} {height:.0f}"'
    font = f'font-family="{FONTS}" font-size="{FONT_PT}" fill="{LIGHT["ink"]}"'
    return f'<svg {box} xmlns="http://www.w3.org/2000/svg"><g {font}>{"".join(drawn)}</g></svg>'


def _node(row: str, drawn: str, *boxes: tuple[float, float, float, float]) -> str:
    """What is drawn for a node, and the boxes in which a reader points at it: left, top, width and height."""
    outlines = "".join(
        f'<path d="M{x:.1f} {y:.1f}L{x + width:.1f} {y + height:.1f}" fill="none"/>' for x, y, width, height in boxes
    )
    return f'<g class="node"><title>{row}</title>{drawn}{outlines}</g>'


def _mask(table: Table, names: Mapping[str, str], nodes: str, meaning: str) -> Figure:
    """A square a pair of nodes: filled where the mask is 1, empty where it is 0, with the digit where there is room."""
    edge = 6 + 5.8 * max(map(len, names.values()))
    cell = min(CELL_PT, (72 * PRINTED_WIDTH_IN - edge) / len(names))
    digits = cell == CELL_PT
    ones = {names[row]: [names[one] for one, value in cells.items() if value == 1] for row, cells in table.rows.items()}
    said = [f"{name}: {', '.join(below)}" for name, below in ones.items()]
    return Figure(
        svg=_squares(table, names, edge, cell, digits=digits),
        caption=f"The mask M, with a row and a column for each node. Filled squares are 1, all others 0. {meaning}",
        alt=f"Mask of {counted(len(names), 'row')} and as many columns. Ones by row: {'; '.join(said)}.",
        shows=(table.address,),
        nodes=nodes,
    )


def _squares(table: Table, names: Mapping[str, str], edge: float, cell: float, *, digits: bool) -> str:
    """Names stand left of the rows and above the columns, on two lines where they are a number and a token."""
    top = ROW_PT * (2 if " " in next(iter(names.values())) else 1) + 4
    places = {row: place * cell for place, row in enumerate(names)}
    outlines: dict[bool, str] = {True: "", False: ""}
    drawn = []
    for (row, y), (column, x) in product(places.items(), repeat=2):
        value = table.rows[row][column]
        outlines[value == 1] += f"M{edge + x:.2f} {top + y:.2f}h{cell:.2f}v{cell:.2f}h-{cell:.2f}z"
        if digits:
            look = f'fill="{LIGHT["accent"]}" font-weight="bold"' if value == 1 else f'fill="{LIGHT["muted"]}"'
            drawn.append(_text(edge + x + cell / 2, top + y + cell / 2 + 3, str(value), "middle", look))
    side = cell * len(names) + 1
    for line, (row, place) in enumerate(places.items()):
        beside = _text(edge - 3, top + place + cell / 2 + 3, names[row], "end")
        above = [
            _text(edge + place + cell / 2, top - 3 - level * ROW_PT, word, "middle")
            for level, word in enumerate(reversed(names[row].split(" ")))
        ]
        named = "".join([beside, *above]) if digits or line % 4 == 0 else ""
        drawn.append(_node(row, named, (0, top + place, edge + side, cell), (edge + place, 0, cell, top + side)))
    fills = {True: LIGHT["accent-tint" if digits else "accent"], False: LIGHT["paper"]}
    squares = [f'<path d="{d}" fill="{fills[one]}" stroke="{LIGHT["faint"]}" stroke-width="0.6"/>' for one, d in outlines.items()]
    return _svg(edge + side, top + side, [*squares, *drawn])


def _text(x: float, y: float, text: str, anchor: str = "start", look: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {look}>{html.escape(text)}</text>'
