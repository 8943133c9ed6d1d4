"""Draws each printed table: its scores, its averages beside recomputed ones, and perplexities over that of full precision."""

from __future__ import annotations

from collections.abc import Sequence

from generators.answer import Answer, Figure, Part
from generators.figures.rows import Panel, marks_of, rows_figure
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


def _scores(table: Table, title: str) -> Figure:
    """Every printed score, a row a model and a mark for each task."""
    tasks = [table[key] for key in table.columns if key.startswith("task_")]
    panel = Panel(axis_label(tasks, "score"), [marks_of(one) for one in tasks])
    return rows_figure(_names(table), [panel], caption=f"{title}: the printed scores, a mark for each task.")


def _averages(part: Part, title: str, speedups: Sequence[Series] = ()) -> Figure:
    """Printed and recomputed averages, their difference with the band that rounding allows, and speedups if given."""
    table: Table = part["averages"]
    printed, recomputed, difference = (table[key] for key in ("printed", "recomputed", "difference"))
    half = float(part["half_unit"])
    panels = [
        Panel(axis_label([recomputed, printed], "average"), [marks_of(recomputed), marks_of(printed, hollow=True)]),
        Panel("printed − recomputed", [marks_of(difference)], band=(-half, half), guide=0),
        *(Panel(axis_label([one]), [marks_of(one)]) for one in speedups),
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
    marks = [marks_of(found, "mean of the columns shown"), marks_of(printed, "printed average", hollow=True)]
    return rows_figure(
        _names(table),
        [Panel(axis_label([found, printed], "score"), marks), Panel(axis_label([trained]), [marks_of(trained)], scale="log")],
        caption="BitFit's table: printed averages beside means of the columns shown, and what each method trains.",
    )


def _ratios(table: Table) -> Figure:
    """Each 8-bit method's perplexity over that in 32 bits, a mark for each model."""
    models = [table[key] for key in table.columns if key.startswith("model_")]
    panel = Panel(
        axis_label(models, "perplexity over that in 32 bits"), [marks_of(one) for one in models], scale="log", guide=1.0
    )
    return rows_figure(_names(table), [panel], caption="Perplexity in 8 bits over that of 32-bit floats; 1 is no loss.")
