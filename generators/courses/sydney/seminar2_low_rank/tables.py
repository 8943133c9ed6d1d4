"""Tables of exact numbers: matrices, row reductions, and LoRA's first steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations

import sympy

from generators.cells import exact
from generators.courses.sydney.seminar2_low_rank.lora_step import Problem, State
from generators.courses.sydney.seminar2_low_rank.row_reduction import reduced
from generators.table import Table, column, table

N_STEPS = 48
"""Pieces of a drawn curve."""
BEYOND = 1.15
"""The curve goes on a little from where the loss after the step is that before it."""


def entries(key: str, rows: sympy.Matrix) -> Table:
    """A matrix, its rows and columns numbered from 1; a vector is one column."""
    columns = [str(place) for place in range(1, rows.cols + 1)]
    return table(key, columns, {str(i): [*map(exact, row)] for i, row in enumerate(rows.tolist(), 1)})


def operations(key: str, letter: str, columns: Sequence[str], matrix: sympy.Matrix) -> Table:
    """The rows as given, then each row that an operation on the first three columns changed."""
    rows = {f"given_{i}": (f"{letter}{i}", "given", *map(exact, row)) for i, row in enumerate(matrix.tolist(), 1)}
    for number, (target, factor, source, row) in enumerate(reduced(matrix, 3), 1):
        times = "" if abs(factor) == 1 else f"{abs(factor)}·"
        how = f"{letter}{target + 1} {'−' if factor < 0 else '+'} {times}{letter}{source + 1}"
        rows[f"step_{number}"] = (f"{letter}{target + 1}", how, *map(exact, row))
    return table(key, ["row", column("computed", "Computed as"), *(column(one, one) for one in columns)], rows)


def frame(matrix: sympy.Matrix, v: sympy.Matrix) -> Table:
    """The rows R1, R2, R3 and v along the first two independent rows and across their plane."""
    rows = [matrix.row(i) for i in range(3)]
    plane = next(pair for pair in map(sympy.Matrix.vstack, *zip(*combinations(rows, 2), strict=True)) if pair.rank() == 2)
    axes = sympy.Matrix.hstack(plane.T, plane.nullspace()[0])
    places = {
        name: [*map(exact, axes.LUsolve(one))]
        for name, one in zip(("R1", "R2", "R3", "v"), [*(row.T for row in rows), v], strict=True)
    }
    return table("frame", ["along", "beside", "across"], places, drawn=True)


def steps_table(states: Sequence[State]) -> Table:
    """The loss and the squared lengths of both gradients after 0, 1, 2 ... steps."""
    rows = {
        f"after_{number}": (
            number,
            *(exact(one) for one in (state.loss, state.a_gradient.norm() ** 2, state.b_gradient.norm() ** 2)),
        )
        for number, state in enumerate(states)
    }
    return table("steps", ["steps_done", "loss", column("a_squared", "‖dL/dA‖²"), column("b_squared", "‖dL/dB‖²")], rows)


def sigmas_table(problem: Problem, loss: sympy.Rational, sigmas: Sequence[Fraction]) -> Table:
    """The first step with the same draw at several standard deviations: it leaves 1 − c of g."""
    rows = {}
    for number, sigma in enumerate(map(sympy.sympify, sorted(set(sigmas))), 1):
        ratio, removed = problem.scale**2 * sigma**2 * problem.draw.rows, problem.removed(sigma)
        rows[f"sigma_{number}"] = [exact(one) for one in (sigma, ratio, removed, 1 - removed, (1 - removed) ** 2 * loss)]
    columns = [column("sigma", "σ"), column("ratio", "Mean ratio ρ"), column("removed", "c"), column("left", "1 − c")]
    return table("sigmas", [*columns, column("loss", "Loss after one step")], rows)


def curve(problem: Problem, loss: sympy.Rational, back: float) -> Table:
    """The loss after one step over σ, from 0 to a little beyond `back` and the σ in force."""
    end, each = BEYOND * max(back, float(problem.sigma)), Fraction(str(problem.removed(sympy.Integer(1))))
    places = [end * i / N_STEPS for i in range(N_STEPS + 1)]
    rows = {f"point_{i}": (at, float((1 - Fraction(at) ** 2 * each) ** 2 * Fraction(str(loss)))) for i, at in enumerate(places)}
    return table("curve", [column("sigma", "σ"), "loss"], rows, drawn=True)


def outputs_table(problem: Problem, last: State, inputs: Mapping[str, tuple[str, sympy.Matrix]]) -> Table:
    """Every entry of the output by W alone, by both branches, and by the merged matrix."""
    merged = problem.weight + problem.scale * last.b * last.a
    rows = {}
    for key, (name, x) in inputs.items():
        alone = problem.weight * x
        outputs = sympy.Matrix.hstack(alone, alone + problem.scale * (last.b * (last.a * x)), merged * x)
        for i, row in enumerate(outputs.tolist(), 1):
            rows[f"{key}_{i}"] = (f"{name}, entry {i}", *map(exact, row))
    columns = [column("output", "Output for"), column("alone", "Wx"), column("apart", "Wx + sBAx"), column("merged", "W′x")]
    return table("outputs", columns, rows, asked=True)
