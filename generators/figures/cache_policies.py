"""Cache policies: their masks as squares, memory over the length, and errors over the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from generators.answer import Figure, rational
from generators.figures.lines import Axis, Line, line_figure
from generators.figures.style import FONT_PT, LIGHT, PRINTED_WIDTH_IN, new_axes, to_svg
from generators.steps import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD_IN, EDGE_IN, GAP_IN, LEGEND_IN, LABEL_IN = 0.26, 0.26, 0.2, 0.34, 0.185
PANEL_IN, ROW_IN = 1.85, 0.13
"""Width of a panel, unless rows would become too low for their numbers."""
KINDS = {
    "kept": ("accent-tint", "accent", "", "attended"),
    "own": ("accent", "accent", "", "the query's own token"),
    "evicted": ("paper", "muted", "////", "evicted"),
}
"""Fill, ink, hatch and words of each kind of square; what comes after the query is left blank."""
Corner = tuple[float, float]


def masks_figure(policies: Mapping[str, Sequence[Sequence[int]]]) -> Figure:
    """Draw a panel a policy, a row a query: squares of tokens it attends to, and of those it has evicted."""
    n = len(next(iter(policies.values())))
    cell = min(max(PANEL_IN / n, ROW_IN), (PRINTED_WIDTH_IN / 2 - EDGE_IN - GAP_IN) / n)
    stride = -(-LABEL_IN // cell)
    pitch = HEAD_IN + EDGE_IN + n * cell + GAP_IN
    height = -(-len(policies) // 2) * pitch + LEGEND_IN
    figure, axes = new_axes(height_in=height)
    figure.set_layout_engine("none")  # one unit of the axes is an inch
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, PRINTED_WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    squares: dict[str, list[Corner]] = {kind: [] for kind in KINDS}
    for number, (name, kept) in enumerate(policies.items()):
        left, top = (number % 2) * PRINTED_WIDTH_IN / 2 + EDGE_IN, (number // 2) * pitch + HEAD_IN + EDGE_IN
        _text(axes, left, top - EDGE_IN - HEAD_IN / 2, name, ha="left", weight="bold")
        for i in range(n):
            _text(axes, left - 0.06, top + (i + 0.5) * cell, str(i + 1), ha="right")
            if i % stride == 0:
                _text(axes, left + (i + 0.5) * cell, top - 0.1, str(i + 1))
            for j in range(i + 1):
                kind = "own" if j == i else "kept" if j in kept[i] else "evicted"
                squares[kind].append((left + j * cell, top + i * cell))
    x = EDGE_IN
    for kind, (_, _, _, words) in KINDS.items():
        squares[kind].append((x, height - LEGEND_IN + 0.06))
        _text(axes, x + cell + 0.08, height - LEGEND_IN + 0.06 + cell / 2, words, ha="left")
        x += cell + 0.4 + 0.08 * len(words)
    _add(axes, squares, cell)
    most = {name: max(map(len, kept)) for name, kept in policies.items()}
    return Figure(
        svg=to_svg(figure),
        caption="Rows are queries, columns tokens: what each policy attends to, query by query.",
        alt=f"Masks over {n} tokens. Most tokens that a query attends to: "
        + "; ".join(f"{name}: {count}" for name, count in most.items())
        + ". The table in the working lists them.",
    )


def _add(axes: Axes, squares: Mapping[str, Sequence[Corner]], cell: float) -> None:
    """One collection a kind, which is drawn many times faster than squares one by one."""
    from matplotlib.collections import PolyCollection

    for kind, corners in squares.items():
        fill, ink, hatch, _ = KINDS[kind]
        shapes = [[(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)] for x, y in corners]
        if hatch:
            axes.add_collection(PolyCollection(shapes, facecolors=LIGHT[fill], edgecolors=LIGHT["faint"], hatch=hatch))
        edge = LIGHT["paper" if kind == "own" else ink]
        axes.add_collection(PolyCollection(shapes, facecolors="none" if hatch else LIGHT[fill], edgecolors=edge, linewidths=0.5))


def _text(axes: Axes, x: float, y: float, words: str, ha: str = "center", weight: str = "normal") -> None:
    axes.text(x, y, words, ha=ha, va="center_baseline", fontsize=FONT_PT, color=LIGHT["ink"], fontweight=weight)


def memory_figure(lengths: Table, budget: int) -> Figure:
    """Draw the cache of dense attention and of a policy with a budget over the tokens so far, in GiB."""
    tokens = [float(rational(cell)) for cell in lengths.column("Tokens")]
    held = {name: [float(rational(cell)) / 1024 for cell in lengths.column(name)] for name in ("Dense", "Budget")}
    lines = []
    for name, sizes in held.items():
        points = [(n / 1000, size) for n, size in zip(tokens, sizes, strict=True)]
        bend = [(budget / 1000, sizes[-1])] if name == "Budget" and tokens[-1] > budget else []
        lines.append(Line(name.lower(), sorted([(0.0, 0.0), *points, *bend]), tuple(points)))
    ends = "; ".join(f"{name.lower()} {sizes[-1]:.3g} GiB" for name, sizes in held.items())
    return line_figure(
        lines,
        Axis("thousand tokens so far", limits=(0, 1.02 * tokens[-1] / 1000)),
        Axis("keys and values, GiB", limits=(0, 1.08 * held["Dense"][-1])),
        caption="The cache of dense attention grows with every token; with a budget it stays as it is once full.",
        alt=f"Size of the cache over tokens so far. At {tokens[-1]:g} tokens: {ends}. The budget is {budget} tokens.",
        height_in=2.4,
    )


def error_figure(queries: Table) -> Figure:
    """Draw each policy's relative error over the queries that attend to fewer tokens than there are."""
    lines = []
    numbers = [float(rational(cell)) for cell in queries.column("Query")]
    for name in (str(cell) for cell in queries.header if str(cell).endswith(": error")):
        errors = [float(cell) for cell in queries.column(name) if isinstance(cell, float)]
        points = list(zip(numbers, errors, strict=True))
        lines.append(Line(name.removesuffix(": error").lower(), points, tuple(points)))
    heights = {line.name: [y for _, y in line.points] for line in lines}
    ranges = "; ".join(f"{name}: {min(errors):.3g} to {max(errors):.3g}" for name, errors in heights.items())
    return line_figure(
        lines,
        Axis("query", whole=True),
        Axis("relative error of the output", limits=(0, 1.08 * max(map(max, heights.values())))),
        caption="How far each policy's output is from that of dense attention, query by query.",
        alt=f"Relative error over queries {numbers[0]:g} to {numbers[-1]:g}. {ranges}.",
        height_in=2.8,
    )
