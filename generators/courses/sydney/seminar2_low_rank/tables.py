"""Tables of exact numbers: matrices, row reductions, and LoRA's first steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from generators.cells import Cell, exact
from generators.courses.sydney.seminar2_low_rank.lora_step import Problem, State
from generators.courses.sydney.seminar2_low_rank.row_reduction import Matrix, Reduction, Row, applied, in_frame, squares
from generators.table import Column, Table, column, table

N_STEPS = 48
"""Pieces of a drawn curve."""
BEYOND = 1.15
"""The curve goes on a little from where the loss after the step is that before it."""


def entries(key: str, rows: Matrix) -> Table:
    """A matrix, its rows and columns numbered from 1."""
    places = [str(number) for number in range(1, len(rows[0]) + 1)]
    cells = {str(i): {place: exact(value) for place, value in zip(places, row, strict=True)} for i, row in enumerate(rows, 1)}
    return table(key, places, cells)


def vector(key: str, values: Row) -> Table:
    """A vector as a matrix of one column."""
    return entries(key, tuple((value,) for value in values))


def operations(key: str, letter: str, columns: Mapping[str, str], matrix: Matrix, form: Reduction) -> Table:
    """The rows as given, then each row that an operation changed; `columns` are keys with their headings."""
    rows: dict[str, dict[str, Cell]] = {
        f"given_{i}": {"row": f"{letter}{i}", "computed": "given", **_cells(columns, row)} for i, row in enumerate(matrix, 1)
    }
    for number, one in enumerate(form.operations, 1):
        sign, size = ("−" if one.factor < 0 else "+"), abs(one.factor)
        times = "" if size == 1 else f"{size}·"
        how = f"{letter}{one.target + 1} {sign} {times}{letter}{one.source + 1}"
        rows[f"step_{number}"] = {"row": f"{letter}{one.target + 1}", "computed": how, **_cells(columns, one.row)}
    made: list[Column | str] = ["row", column("computed", "Computed as")]
    return table(key, [*made, *(column(name, heading) for name, heading in columns.items())], rows)


def _cells(columns: Mapping[str, str], row: Row) -> dict[str, Cell]:
    return dict(zip(columns, map(exact, row), strict=True))


def frame(matrix: Matrix, v: Row) -> Table:
    """The rows R1, R2, R3 and v along the first two independent rows and across their plane."""
    keys = ("along", "beside", "across")
    rows = {name: dict(zip(keys, map(exact, place), strict=True)) for name, place in in_frame(matrix, v)}
    return table("frame", keys, rows, drawn=True)


def steps_table(states: Sequence[State]) -> Table:
    """The loss and the squared lengths of both gradients after 0, 1, 2 ... steps."""
    rows: dict[str, dict[str, Cell]] = {
        f"after_{number}": {
            "steps_done": number,
            "loss": exact(state.loss),
            "a_squared": exact(squares(state.a_gradient)),
            "b_squared": exact(squares(state.b_gradient)),
        }
        for number, state in enumerate(states)
    }
    columns: list[Column | str] = ["steps_done", "loss", column("a_squared", "‖dL/dA‖²"), column("b_squared", "‖dL/dB‖²")]
    return table("steps", columns, rows)


def sigmas_table(problem: Problem, draw: Matrix, sigmas: Sequence[Fraction]) -> Table:
    """The first step with the same draw at several standard deviations."""
    rows: dict[str, dict[str, Cell]] = {}
    for number, sigma in enumerate(sorted(set(sigmas)), 1):
        shrinking = problem.shrinking(problem.start(draw, sigma))
        rows[f"sigma_{number}"] = {
            "sigma": exact(sigma),
            "ratio": exact(problem.scale**2 * sigma**2 * len(draw)),
            "removed": exact(shrinking),
            "left": exact(1 - shrinking),
            "loss": exact(problem.first_loss(draw, sigma)),
        }
    columns = [column("sigma", "σ"), column("ratio", "Mean ratio ρ"), column("removed", "c"), column("left", "1 − c")]
    return table("sigmas", [*columns, column("loss", "Loss after one step")], rows)


def curve(problem: Problem, draw: Matrix, sigma: Fraction, back: float) -> Table:
    """The loss after one step over σ, from 0 to a little beyond `back` and `sigma`."""
    end = BEYOND * max(back, float(sigma))
    places = [end * i / N_STEPS for i in range(N_STEPS + 1)]
    rows: dict[str, dict[str, Cell]] = {
        f"point_{i}": {"sigma": place, "loss": float(problem.first_loss(draw, Fraction(place)))} for i, place in enumerate(places)
    }
    return table("curve", [column("sigma", "σ"), "loss"], rows, drawn=True)


def outputs_table(problem: Problem, state: State, inputs: Mapping[str, tuple[str, Row]]) -> Table:
    """Every entry of the output by W alone, by both branches, and by the merged matrix."""
    merged = problem.merged(state.a, state.b)
    rows: dict[str, dict[str, Cell]] = {}
    for key, (name, x) in inputs.items():
        outputs = zip(applied(problem.weight, x), problem.output(state.a, state.b, x), applied(merged, x), strict=True)
        for i, (alone, apart, together) in enumerate(outputs, 1):
            values = {"alone": exact(alone), "apart": exact(apart), "merged": exact(together)}
            rows[f"{key}_{i}"] = {"output": f"{name}, entry {i}", **values}
    columns = [column("output", "Output for"), column("alone", "Wx"), column("apart", "Wx + sBAx"), column("merged", "W′x")]
    return table("outputs", columns, rows, asked=True)
