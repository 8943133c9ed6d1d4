"""Tables of LoRA's first steps: what each step leaves, other scales of A, and outputs before and after merging."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from generators.answer import Cell, exact
from generators.steps import Table
from generators.topics.lora_step import Problem, State
from generators.topics.row_reduction import Matrix, Row, applied, squares


def steps_table(states: Sequence[State]) -> Table:
    """The loss and the squared lengths of both gradients after 0, 1, 2 ... steps."""
    rows = tuple(
        (number, exact(state.loss), *(exact(squares(one)) for one in (state.a_gradient, state.b_gradient)))
        for number, state in enumerate(states)
    )
    return Table(header=("Steps done", "Loss", "‖dL/dA‖²", "‖dL/dB‖²"), rows=rows)


def sigmas_table(problem: Problem, draw: Matrix, sigmas: Sequence[Fraction]) -> Table:
    """The first step with the same draw at several standard deviations."""
    rows = []
    for sigma in sorted(set(sigmas)):
        shrinking = problem.shrinking(problem.start(draw, sigma))
        ratio = problem.scale**2 * sigma**2 * len(draw)
        rows.append(tuple(map(exact, (sigma, ratio, shrinking, 1 - shrinking, problem.first_loss(draw, sigma)))))
    return Table(header=("σ", "Mean ratio ρ", "c", "1 − c", "Loss after one step"), rows=tuple(rows))


def outputs_table(problem: Problem, state: State, inputs: Sequence[tuple[str, Row]]) -> Table:
    """Every entry of the output by W alone, by both branches, and by the merged matrix."""
    merged = problem.merged(state.a, state.b)
    rows: list[tuple[Cell, ...]] = []
    for name, x in inputs:
        outputs = zip(applied(problem.weight, x), problem.output(state.a, state.b, x), applied(merged, x), strict=True)
        rows += [(f"{name}, entry {i}", *map(exact, values)) for i, values in enumerate(outputs, 1)]
    return Table(header=("Output for", "Wx", "Wx + sBAx", "W′x"), rows=tuple(rows))
