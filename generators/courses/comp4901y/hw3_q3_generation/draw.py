"""Draws what the recorded generation runs show: times, scores, entropies and distinct outputs against each argument."""

from __future__ import annotations

from typing import Any

from generators.answer import Answer, Figure, Part
from generators.courses.comp4901y.hw3_q3_generation.panels import Panel, Trace, panel_figure
from generators.figures.series import axis_label
from generators.table import Series, Table


def draw(answer: Answer) -> dict[str, Figure]:
    """A figure for each part that has recorded runs, and for the times of the other kind of device."""
    makers = {"3.1": _lengths, "3.2": _beams, "3.3": _kept, "3.4": _kept}
    figures = {f"measured_{label}": make(answer[label]) for label, make in makers.items() if label in answer}
    for measured in answer.starting("measured_"):
        if measured["lengths"]:
            figures[f"{measured.label}_lengths"] = _lengths(measured)
        if measured["beams"]:
            figures[f"{measured.label}_beams"] = _beams(measured)
    return figures


def _values(series: Series) -> list[float]:
    return list(series.numbers.values())


def _timed(name: str, table: Table, x: str) -> Trace:
    median, low, high = (_values(table[key]) for key in ("median", "quartile_1", "quartile_3"))
    return Trace(name, _values(table[x]), median, low=low, high=high)


def _lengths(part: Part) -> Figure:
    table = part["times"]
    measured = _timed("measured", table, "output_length")
    line = Trace("line", measured.xs, _values(table["line"]), dots=False)
    label = axis_label([table["median"], table["line"]], "time")
    return panel_figure(
        [Panel(label, [measured._replace(joined=False), line])], x_label="output length (tokens)",
        caption="Time against output length: medians with quartiles as dots, and the least-squares line.",
        alt=f"From {measured.xs[0]:g} to {measured.xs[-1]:g} tokens the median time goes from {measured.ys[0]:.3g} to "
        f"{measured.ys[-1]:.3g} {table['median'].unit}.", shows=(table.address,),
    )  # fmt: skip


def _beams(part: Part) -> Figure:
    """Sampled beams and searched ones."""
    tables = {name: part[name] for name in ("sampled", "searched")}
    times = [_timed(name, one, "width") for name, one in tables.items()]
    scores = [Trace(name, _values(one["width"]), _values(one["score"])) for name, one in tables.items()]
    panels = [
        Panel(axis_label([one["median"] for one in tables.values()], "time"), times, from_zero=True),
        Panel(axis_label([one["score"] for one in tables.values()], "score"), scores),
    ]
    table = tables["sampled"]
    return panel_figure(
        panels, x_label="beam width",
        caption="Median time with quartiles, and median score, against beam width, for sampled beams and for beam search.",
        alt=f"Sampled beams: the score goes from {scores[0].ys[0]:.4g} to {scores[0].ys[-1]:.4g} {table['score'].unit}, "
        f"the time from {times[0].ys[0]:.4g} to {times[0].ys[-1]:.4g} {table['median'].unit}.",
        shows=tuple(one.address for one in tables.values()),
    )  # fmt: skip


def _kept(part: Part) -> Figure:
    """Over a filter's values, on a logarithmic axis where these are whole numbers."""
    table = part["kept"]
    whole = all(isinstance(cell, int) for cell in table["value"].cells.values())
    name = table["value"].label.lower()
    xs, entropy, distinct = (_values(table[key]) for key in ("value", "first_entropy", "distinct_outputs"))
    options: dict[str, Any] = {"log_x": whole, "x_label": f"{name} (logarithmic)" if whole else name}
    panels = [
        Panel(axis_label([table["first_entropy"]], "entropy"), [Trace("entropy", xs, entropy)], from_zero=True),
        Panel(axis_label([table["distinct_outputs"]]), [Trace("distinct", xs, distinct)], from_zero=True),
    ]
    return panel_figure(
        panels, caption=f"Entropy of the kept distribution at the first step, and distinct outputs of a batch, against {name}.",
        alt=f"From {xs[0]:g} to {xs[-1]:g} the entropy goes from {entropy[0]:.3g} to {entropy[-1]:.3g} "
        f"{table['first_entropy'].unit} and the distinct outputs from {distinct[0]:g} to {distinct[-1]:g}.",
        shows=(table.address,), **options,
    )  # fmt: skip
