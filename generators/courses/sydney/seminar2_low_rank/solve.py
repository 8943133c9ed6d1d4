"""Reduces the matrices, looks for the vector, counts LoRA's values, and trains two steps exactly."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text, value_at
from generators.cells import Cell, Math, exact, rational
from generators.courses.sydney.seminar2_low_rank.lora_step import (
    ALPHA,
    ETA,
    SIGMA,
    X_SQUARED,
    Problem,
    S,
    State,
    expected_inner,
    expected_ratio,
    expected_shrinking,
)
from generators.courses.sydney.seminar2_low_rank.params import Example, LowRankPageParams
from generators.courses.sydney.seminar2_low_rank.row_reduction import (
    Matrix,
    Row,
    applied,
    determinant,
    dot,
    exact_matrix,
    null_vectors,
    rank,
    reduced,
    solution,
    squares,
    transposed,
    with_column,
)
from generators.courses.sydney.seminar2_low_rank.tables import (
    curve,
    entries,
    frame,
    operations,
    outputs_table,
    sigmas_table,
    steps_table,
    vector,
)
from generators.table import Column, Table, column, table
from generators.topics import peft

COMBINATION = ("c1", "c2", "c3")


def solve(params: LowRankPageParams) -> Answer:
    """Ranks, spans, counts, the first steps, and merging."""
    matrices = {f"matrix_{place}": exact_matrix(rows) for place, rows in enumerate(params.matrices, 1)}
    v = tuple(params.vector)
    sheet = part(
        "sheet",
        "Given",
        number("n_matrices", len(matrices), "example matrices"),
        vector("v", v),
        letter(peft.D, params.embedding_dim, "width of the network"),
        letter(peft.R, params.rank, "rank"),
    )
    example, problem = _example(params), _problem(params)
    states = [problem.start(exact_matrix(params.example.draw), params.example.sigma)]
    for _ in range(2):
        states.append(problem.stepped(states[-1]))
    return answer(
        sheet,
        *(_matrix(key, place, matrix, v) for place, (key, matrix) in enumerate(matrices.items(), 1)),
        example,
        part("1", "Rank", _ranks(matrices)),
        part("2", "Span", _spans(matrices, v)),
        _sizes(params, sheet),
        _start(params.example, problem, states, example),
        _merging(params.example, problem, states[2]),
    )


def _matrix(key: str, place: int, matrix: Matrix, v: Row) -> Part:
    """A matrix, its reduction, what it loses, and the system for the vector."""
    equations = transposed(matrix)
    reached, full = solution(equations, v) is not None, rank(matrix) == 3
    augmented = with_column(equations, v)
    system = operations("system", "E", {**{one: one for one in COMBINATION}, "v": "v"}, augmented, reduced(augmented, 3))
    lost: list[Item] = [] if full else [vector("null", null_vectors(matrix)[0]), vector("relation", null_vectors(equations)[0])]
    return part(
        key,
        f"Matrix {place}",
        entries("entries", matrix),
        operations("reduction", "R", {"1": "1", "2": "2", "3": "3"}, matrix, reduced(matrix)),
        number("rank", rank(matrix)),
        claim("independent", full, "the rows are independent"),
        claim("dependent", not full, "the rows are dependent"),
        *lost,
        system,
        claim("outside", not reached, "the vector is outside the span of the rows"),
        claim("in_plane", reached and not full, "the vector lies in the plane of the rows"),
        *([] if reached else _contradiction(system)),
        frame(matrix, v),
    )


def _contradiction(system: Table) -> list[Item]:
    """The last row that asks for a number as a sum of zeros."""
    bad = [row for row in system.rows.values() if row["v"] != 0 and all(row[one] == 0 for one in COMBINATION)][-1]
    return [text("contradicting_row", str(bad["row"])), number("contradiction", rational(bad["v"]))]


def _ranks(matrices: dict[str, Matrix]) -> Table:
    rows = {
        key: {"matrix": place, "rank": rank(matrix), "determinant": exact(determinant(matrix))}
        for place, (key, matrix) in enumerate(matrices.items(), 1)
    }
    return table("ranks", ["matrix", "rank", "determinant"], rows, asked=True)


def _spans(matrices: dict[str, Matrix], v: Row) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for place, (key, matrix) in enumerate(matrices.items(), 1):
        found, across = solution(transposed(matrix), v), null_vectors(matrix)
        rows[key] = {
            "matrix": place,
            "in_the_span": "no" if found is None else "yes",
            **dict(zip(COMBINATION, (None,) * 3 if found is None else map(exact, found), strict=True)),
            "normal_product": exact(dot(across[0], v)) if across else None,
        }
    combination = [column(one, one) for one in COMBINATION]
    columns: list[Column | str] = ["matrix", "in_the_span", *combination, column("normal_product", "n·v")]
    return table("spans", columns, rows, asked=True)


def _sizes(params: LowRankPageParams, sheet: Part) -> Part:
    whole, added = peft.total(peft.ffn_groups()), peft.total(peft.ffn_lora_groups())
    rows: dict[str, dict[str, Cell]] = {}
    for one in sorted({params.rank, *params.other_ranks}):
        values = rational(value_at(added.subs({peft.R: one}), sheet))
        share = 100 * values / rational(value_at(whole, sheet))
        rows[f"rank_{one}"] = {"rank": one, "trainable_values": exact(values), "of_the_network": exact(share)}
    equal = sympy.expand(whole / (added / peft.R))
    return part(
        "3",
        "LoRA on the feed-forward network",
        _groups("network_tensors", peft.ffn_groups(), sheet),
        formula("network", whole, "values of the network", r"N_{\text{FFN}}", asked=True),
        _groups("lora_tensors", peft.ffn_lora_groups(), sheet),
        formula("lora", added, "trainable values of LoRA", r"N_{\text{LoRA}}", asked=True),
        formula(
            "share",
            sympy.cancel(added / whole),
            "LoRA's values over the network's",
            r"N_{\text{LoRA}} / N_{\text{FFN}}",
            asked=True,
        ),
        formula("equal", equal, "rank at which LoRA trains as many values as the network has", r"R_{\text{equal}}"),
        table("ranks", ["rank", "trainable_values", column("of_the_network", unit="%")], rows),
        within=sheet,
    )


def _groups(key: str, groups: Sequence[peft.Group], sheet: Part) -> Table:
    rows: dict[str, dict[str, Cell]] = {
        one.names: {
            "tensor": Math(one.names),
            "shape": Math(r" \times ".join(map(sympy.latex, one.shape))),
            "values": one.values,
            "here": value_at(one.values, sheet),
        }
        for one in groups
    }
    return table(key, ["tensor", "shape", column("values", of="here"), "here"], rows)


def _problem(params: LowRankPageParams) -> Problem:
    one = params.example
    scale = one.alpha / (len(one.draw) if params.conventions.scaling == "alpha_over_rank" else 1)
    return Problem(exact_matrix(one.weight), scale, tuple(one.x), tuple(one.target), one.learning_rate)


def _example(params: LowRankPageParams) -> Part:
    """The layer that parts 4 and 5 follow."""
    one = params.example
    over_rank = params.conventions.scaling == "alpha_over_rank"
    return part(
        "example",
        "The layer of the first steps",
        number("n_outputs", len(one.weight)),
        number("n_inputs", len(one.x)),
        entries("weight", exact_matrix(one.weight)),
        vector("x", tuple(one.x)),
        vector("target", tuple(one.target)),
        vector("other_x", tuple(one.other_x)),
        letter(peft.R, len(one.draw), "rank of the update at most"),
        letter(ALPHA, exact(one.alpha), "numerator of the scale"),
        formula("s", ALPHA / peft.R if over_rank else ALPHA, "scale of BAx", S),
        letter(ETA, exact(one.learning_rate), "learning rate"),
        letter(SIGMA, exact(one.sigma), "standard deviation of A at the start"),
        letter(X_SQUARED, exact(squares((tuple(one.x),))), "squared length of x"),
        claim("over_rank", over_rank, "the scale is divided by the rank"),
        claim("not_over_rank", not over_rank, "the scale is not divided by the rank"),
    )


def _start(one: Example, problem: Problem, states: Sequence[State], example: Part) -> Part:
    first, second, _ = states
    moves, goes_on = any(map(any, second.b)), any(map(any, second.a_gradient))
    return part(
        "4",
        "The first steps",
        entries("a", first.a),
        vector("inner_vector", applied(first.a, problem.x)),
        *(vector(f"{name}_{place}", values) for place, one in enumerate(states) for name, values in (("h", one.h), ("g", one.g))),
        *(entries(f"b_gradient_{place}", one.b_gradient) for place, one in enumerate(states[:2])),
        *(entries(f"a_gradient_{place}", one.a_gradient) for place, one in enumerate(states[:2])),
        entries("b_1", second.b),
        number("inner", exact(squares((applied(first.a, problem.x),))), "squared length of Ax", r"\lVert Ax \rVert^2"),
        number("removed", exact(problem.shrinking(first)), "what the first step removes of g", "c"),
        claim("goes_on", goes_on, "after one step B is not zero, and A has a gradient"),
        claim("met", moves and not goes_on, "one step meets the target"),
        claim("stuck", not moves, "the first step leaves B at zero"),
        steps_table(states),
        formula("expected_inner", expected_inner(), "mean of ‖Ax‖²", r"\mathbb{E}\lVert Ax \rVert^2"),
        formula("expected_shrinking", expected_shrinking(), "mean of what the first step removes of g", r"\mathbb{E}[c]"),
        formula(
            "expected_ratio", expected_ratio(), "first change of h over that of full fine-tuning", r"\rho", asked=True
        ),
        formula("matched", 1 / (S**2 * peft.R), "variance at which the two are equal", r"\sigma^2_{\text{equal}}"),
        sigmas_table(problem, exact_matrix(one.draw), [one.sigma, *one.other_sigmas]),
        *_drawn_losses(one, problem, first, moves=moves),
        within=example,
    )  # fmt: skip


def _drawn_losses(one: Example, problem: Problem, first: State, *, moves: bool) -> list[Item]:
    """The curve of the loss over σ, and where it is least and back where it was, if the step changes anything."""
    draw = exact_matrix(one.draw)
    if not moves:
        return [claim("loss_moves", holds=False), curve(problem, draw, one.sigma, 0.0)]
    least = float(one.sigma) / float(problem.shrinking(first)) ** 0.5
    back = 2**0.5 * least
    return [
        claim("loss_moves", holds=True),
        number("least_at", least, "σ at which the first step meets the target"),
        number("back_at", back, "σ from which the first step lowers the loss no more"),
        curve(problem, draw, one.sigma, back),
    ]


def _merging(one: Example, problem: Problem, last: State) -> Part:
    update = problem.update(last.a, last.b)
    inputs = {"x": ("x", problem.x), "other_x": ("x′", tuple(map(Fraction, one.other_x)))}
    return part(
        "5",
        "Merging",
        entries("a", last.a),
        entries("b", last.b),
        entries("update", update),
        entries("merged", problem.merged(last.a, last.b)),
        number("rank", rank(update), "rank of the update", r"\text{rank}(sBA)"),
        outputs_table(problem, last, inputs),
    )
