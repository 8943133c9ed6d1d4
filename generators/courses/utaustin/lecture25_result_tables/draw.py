"""Draws each printed table: its scores, its averages beside recomputed ones, and perplexities over that of full precision."""

from __future__ import annotations

from collections.abc import Sequence

from generators.answer import Answer, Figure, Part
from generators.figures.rows import Marks, Panel, rows_figure
from generators.figures.series import axis_label
from generators.table import Series, Table


def draw(answer: Answer) -> dict[str, Figure]:
    """Scores and averages of the first three tables, and the ratios of the fourth."""
    arena, sheared, bitfit = (answer[label] for label in "123")
    return {
        "arena_scores": _scores(arena["scores"], "Long-range arena"),
        "arena": _averages(arena, "Long-range arena", [arena["scores"]["speedup"]]),
        "sheared_scores": _scores(sheared["scores"], "Sheared LLaMA"),
        "sheared": _averages(sheared, "Sheared LLaMA"),
        "bitfit_scores": _scores(bitfit["scores"], "BitFit"),
        "bitfit": _bitfit(bitfit),
        "perplexities": _ratios(answer["4/ratios"]),
    }


def _names(table: Table) -> list[str]:
    """The cells of the first column."""
    return [str(cell) for cell in table[next(iter(table.columns))].cells.values()]


def _marks(series: Series, name: str = "", *, hollow: bool = False) -> Marks:
    return Marks(name or series.label, [series.numbers.get(row) for row in series.cells], hollow)


def _scores(table: Table, title: str) -> Figure:
    """Every printed score, a row a model and a mark for each task."""
    tasks = [table[key] for key in table.columns if key.startswith("task_")]
    ends = "; ".join(f"{one.label} from {min(one.numbers.values()):g} to {max(one.numbers.values()):g}" for one in tasks)
    names = _names(table)
    return rows_figure(
        names,
        [Panel(axis_label(tasks, "score"), [_marks(one) for one in tasks])],
        caption=f"{title}: the printed scores, a mark for each task.",
        alt=f"{title}, printed scores of {len(names)} rows: {ends}.",
        shows=(table.address,),
    )


def _averages(part: Part, title: str, speedups: Sequence[Series] = ()) -> Figure:
    """Printed and recomputed averages, their difference with the band that rounding allows, and speedups if given."""
    table: Table = part["averages"]
    printed, recomputed, difference = (table[key] for key in ("printed", "recomputed", "difference"))
    half = float(part["half_unit"])
    panels = [
        Panel(axis_label([recomputed, printed], "average"), [_marks(recomputed), _marks(printed, hollow=True)]),
        Panel("printed − recomputed", [_marks(difference)], band=(-half, half), guide=0),
        *(Panel(axis_label([one]), [_marks(one)]) for one in speedups),
    ]
    out = [str(name) for name in part["off"]["model"].cells.values()]
    named = f"outside of it: {', '.join(out)}" if out else "none lies outside of it"
    names = _names(table)
    return rows_figure(
        names,
        panels,
        caption=f"{title}. The band is what rounding the average allows.",
        alt=f"{title}: averages of {len(names)} models, printed and recomputed, and their differences with a band of "
        f"±{half:g}; {named}.",
        shows=(table.address, part["half_unit"].address),
    )


def _bitfit(part: Part) -> Figure:
    """The printed averages and the means of the shown columns, and the share of parameters trained."""
    table, trained = part["averages"], part["scores"]["trained"]
    printed, found = table["printed"], table["recomputed"]
    ends, means = printed.numbers.values(), found.numbers.values()
    marks = [_marks(found, "mean of the columns shown"), _marks(printed, "printed average", hollow=True)]
    names = _names(table)
    return rows_figure(
        names,
        [Panel(axis_label([found, printed], "score"), marks), Panel(axis_label([trained]), [_marks(trained)], scale="log")],
        caption="BitFit's table: printed averages beside means of the columns shown, and what each method trains.",
        alt=f"{len(names)} methods: printed averages from {min(ends):g} to {max(ends):g}, means of the columns shown "
        f"from {min(means):.4g} to {max(means):.4g}.",
        shows=(table.address, part["scores"].address),
    )


def _ratios(table: Table) -> Figure:
    """Each 8-bit method's perplexity over that in 32 bits, a mark for each model."""
    models = [table[key] for key in table.columns if key.startswith("model_")]
    worst = "; ".join(f"{one.label} up to {max(one.numbers.values()):.4g}" for one in models)
    return rows_figure(
        _names(table),
        [Panel(axis_label(models, "perplexity over that in 32 bits"), [_marks(one) for one in models], scale="log", guide=1.0)],
        caption="Perplexity in 8 bits over that of 32-bit floats; 1 is no loss.",
        alt=f"Ratios of perplexity by method on a logarithmic axis, a mark for each model: {worst}.",
        shows=(table.address,),
    )
