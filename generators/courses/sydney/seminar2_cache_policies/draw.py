"""Draws the masks of the policies, their memory over the length, and their errors over the queries."""

from __future__ import annotations

from dataclasses import replace

from generators.answer import Answer, Figure
from generators.cells import Quantity
from generators.courses.sydney.seminar2_cache_policies.masks_picture import masks_figure
from generators.figures.lines import Axis, Line, line_figure, line_of
from generators.figures.series import axis_label
from generators.table import Table


def draw(answer: Answer) -> dict[str, Figure]:
    """The three pictures."""
    kept = answer["1/kept"]
    names = {key: kept[key].label for key in kept.columns if key != "query"}
    return {
        "masks": masks_figure({name: answer[f"1/mask_{key}"] for key, name in names.items()}, kept),
        "memory": _memory(answer["2/lengths"], answer["sheet/B"]),
        "errors": _errors(answer["3/queries"], names),
    }


def _memory(lengths: Table, budget: Quantity) -> Figure:
    """The cache of dense attention and of a policy with a budget over the tokens so far."""
    tokens = list(lengths["tokens"].numbers.values())
    series = {one.label.lower(): one for one in (lengths["dense"], lengths["budget"])}
    lines = []
    for name, one in series.items():
        points = list(zip(tokens, one.numbers.values(), strict=True))
        full = one.column.key == "budget" and tokens[-1] > float(budget)
        bend = [(float(budget), points[-1][1])] if full else []
        lines.append(Line(name, sorted([(0.0, 0.0), *points, *bend]), tuple(points)))
    ends = "; ".join(f"{line.name} {line.points[-1][1]:,.6g} {series[line.name].unit}" for line in lines)
    highest = max(lengths["dense"].numbers.values())
    drawn = line_figure(
        lines,
        Axis("tokens so far", limits=(0, 1.02 * tokens[-1])),
        Axis(axis_label(list(series.values()), "keys and values"), limits=(0, 1.08 * highest)),
        caption="The cache of dense attention grows with every token; with a budget it stays as it is once full.",
        alt=f"Size of the cache over tokens so far. At {tokens[-1]:g} tokens: {ends}. The budget is {budget.value} tokens.",
        height_in=2.4,
    )
    return replace(drawn, shows=(lengths.address, budget.address))


def _errors(queries: Table, names: dict[str, str]) -> Figure:
    """Each policy's relative error over the queries that attend to fewer tokens than there are."""
    shown = {name: queries[f"{key}_error"] for key, name in names.items() if f"{key}_error" in queries.columns}
    lines = [line_of(queries["query"], one, name.lower(), marked=True) for name, one in shown.items()]
    highest = max(y for line in lines for _, y in line.points)
    return line_figure(
        lines,
        Axis(axis_label([queries["query"]]), whole=True),
        Axis(
            axis_label(list(shown.values()), "relative error of the output"),
            limits=(0, 1.08 * highest),
        ),
        caption="How far each policy's output is from that of dense attention, query by query.",
        height_in=2.8,
    )
