"""Charts of printed tables: averages beside recomputed ones, and perplexities over that of full precision."""

from __future__ import annotations

from collections.abc import Sequence

from generators.answer import Cell, Figure, rational
from generators.figures.rows import Marks, Panel, rows_figure
from generators.steps import Table


def _floats(cells: tuple[Cell, ...]) -> list[float]:
    return [float(rational(cell)) for cell in cells]


def _both(table: Table) -> tuple[list[str], list[float], list[float]]:
    """Names, printed averages and those found."""
    return [str(name) for name in table.column(str(table.header[0]))], *(
        _floats(table.column(str(name))) for name in table.header[1:3]
    )  # type: ignore[return-value]


def averages_figure(table: Table, decimals: int, title: str, speedups: Sequence[float | None] = ()) -> Figure:
    """Draw printed and recomputed averages, their difference with the band that rounding allows, and speedups if given."""
    names, printed, found = _both(table)
    half = 0.5 / 10**decimals
    panels = [
        Panel("average", [Marks("recomputed", found), Marks("printed", printed, hollow=True)]),
        Panel("printed − recomputed", [Marks("difference", _floats(table.column("Difference")))], band=(-half, half), guide=0),
    ]
    if speedups:
        panels.append(Panel("speedup, ×", [Marks("speedup", speedups)]))
    out = [name for name, agrees in zip(names, table.column("Agrees"), strict=True) if agrees == "no"]
    named = f"outside of it: {', '.join(out)}" if out else "none lies outside of it"
    return rows_figure(
        names,
        panels,
        caption=f"{title}. The band is what rounding the average allows.",
        alt=f"{title}: averages of {len(names)} models, printed and recomputed, and their differences with a band of "
        f"±{half:g}; {named}.",
    )


def bitfit_figure(table: Table, percents: Sequence[float]) -> Figure:
    """Draw the printed averages and the means of the shown columns, and the share of parameters trained."""
    names, printed, found = _both(table)
    return rows_figure(
        names,
        [
            Panel("score", [Marks("mean of the columns shown", found), Marks("printed average", printed, hollow=True)]),
            Panel("% of parameters trained", [Marks("trained", percents)], scale="log"),
        ],
        caption="BitFit's table: printed averages beside means of the columns shown, and what each method trains.",
        alt=f"{len(names)} methods: printed averages from {min(printed):g} to {max(printed):g}, means of the columns shown "
        f"from {min(found):.4g} to {max(found):.4g}.",
    )


def scores_figure(names: Sequence[str], tasks: Sequence[str], scores: Sequence[Sequence[float]], title: str) -> Figure:
    """Draw every printed score, a row a model and a mark for each task."""
    marks = [Marks(task, [row[place] for row in scores]) for place, task in enumerate(tasks)]
    ends = "; ".join(
        f"{task} from {min(column):g} to {max(column):g}" for task, column in zip(tasks, zip(*scores, strict=True), strict=True)
    )
    return rows_figure(
        names,
        [Panel("score", marks)],
        caption=f"{title}: the printed scores, a mark for each task.",
        alt=f"{title}, printed scores of {len(names)} rows: {ends}.",
    )


def ratios_figure(table: Table) -> Figure:
    """Draw each 8-bit method's perplexity over that in 32 bits, a mark for each model."""
    names = [str(name) for name in table.column("Method")]
    models = [str(model) for model in table.header[1:]]
    marks = [Marks(model, [float(rational(row[1 + place])) for row in table.rows]) for place, model in enumerate(models)]
    worst = "; ".join(f"{one.name} up to {max(x for x in one.values if x is not None):.4g}" for one in marks)
    return rows_figure(
        names,
        [Panel("perplexity over that in 32 bits", marks, scale="log", guide=1.0)],
        caption="Perplexity in 8 bits over that of 32-bit floats; 1 is no loss.",
        alt=f"Ratios of perplexity by method on a logarithmic axis, a mark for each model: {worst}.",
    )
