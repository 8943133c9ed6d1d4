"""What the recorded generation runs show: times, scores, entropies and distinct outputs against each argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from generators.answer import Cell, Figure
from generators.figures.measured import Panel, Trace, panel_figure
from generators.steps import Answer, Part, Table


def generation_figures(answer: Answer, prefix: str) -> dict[str, Figure]:
    """A figure for each part that has recorded runs, of those whose labels have the prefix."""
    makers: dict[str, Callable[[Part], Figure]] = {"3.1": _lengths, "3.2": _beams, "3.3": _top_k, "3.4": _top_p}
    parts = {label: answer.parts.get(f"{prefix}{label}") for label in makers}
    return {f"{prefix}measured_{label}": makers[label](part) for label, part in parts.items() if part and part.tables}


def _numbers(column: tuple[Cell, ...]) -> list[float]:
    return [float(cell) for cell in column if not isinstance(cell, str) and cell is not None]  # type: ignore[arg-type]


def _columns(table: Table, *names: str) -> list[list[float]]:
    return [_numbers(table.column(name)) for name in names]


def _timed(name: str, table: Table, x: str) -> Trace:
    xs, ys, low, high = _columns(table, x, "Median", "First quartile", "Third quartile")
    return Trace(name, xs, ys, low=low, high=high)


def _lengths(part: Part) -> Figure:
    table = part.tables["times"]
    xs, line = _columns(table, "Output length", "Line")
    measured = _timed("measured", table, "Output length")
    panel = Panel("time (ms)", [measured._replace(joined=False), Trace("line", xs, line, dots=False)])
    return panel_figure(
        [panel], x_label="output length (tokens)",
        caption="Time against output length: medians with quartiles as dots, and the least-squares line.",
        alt=f"From {xs[0]:g} to {xs[-1]:g} tokens the median time goes from {measured.ys[0]:.3g} to {measured.ys[-1]:.3g} ms.",
    )  # fmt: skip


def _beams(part: Part) -> Figure:
    times = [_timed(name, part.tables[name], "Beam width") for name in ("sampled", "searched")]
    scores = []
    for name in ("sampled", "searched"):
        widths, medians = _columns(part.tables[name], "Beam width", "Score")
        scores.append(Trace(name, widths, medians))
    return panel_figure(
        [Panel("time (ms)", times, from_zero=True), Panel("score (nat)", scores)], x_label="beam width",
        caption="Median time with quartiles, and median score, against beam width, for sampled beams and for beam search.",
        alt=f"Sampled beams: the score goes from {scores[0].ys[0]:.4g} to {scores[0].ys[-1]:.4g} nat, "
        f"the time from {times[0].ys[0]:.4g} to {times[0].ys[-1]:.4g} ms.",
    )  # fmt: skip


def _top_k(part: Part) -> Figure:
    return _kept(part, "Top-k", "top-k (logarithmic)", log_x=True)


def _top_p(part: Part) -> Figure:
    return _kept(part, "Top-p", "top-p", log_x=False)


def _kept(part: Part, name: str, x_label: str, **options: Any) -> Figure:
    xs, entropy, distinct = _columns(part.tables["kept"], name, "First entropy", "Distinct outputs")
    panels = [
        Panel("entropy (nat)", [Trace("entropy", xs, entropy)], from_zero=True),
        Panel("distinct outputs", [Trace("distinct", xs, distinct)], from_zero=True),
    ]
    return panel_figure(
        panels, x_label=x_label,
        caption=f"Entropy of the kept distribution at the first step, and distinct outputs of a batch, against {name.lower()}.",
        alt=f"From {xs[0]:g} to {xs[-1]:g} the entropy goes from {entropy[0]:.3g} to {entropy[-1]:.3g} nat "
        f"and the distinct outputs from {distinct[0]:g} to {distinct[-1]:g}.", **options,
    )  # fmt: skip
