"""Reduces the matrices, looks for the vector, counts LoRA's values, and trains two steps exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import starmap

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text, value_at
from generators.cells import Math, exact, rational
from generators.courses.sydney.seminar2_low_rank import tables
from generators.courses.sydney.seminar2_low_rank.lora_step import Problem, State
from generators.courses.sydney.seminar2_low_rank.params import LowRankPageParams
from generators.courses.sydney.seminar2_low_rank.row_reduction import solution
from generators.courses.sydney.seminar2_low_rank.tables import entries
from generators.table import Table, column, table
from generators.topics import peft

ALPHA, ETA, S, SIGMA = sympy.symbols("alpha eta s sigma", nonnegative=True)
X_SQUARED = sympy.Symbol("X", positive=True)  # ‖x‖²
COMBINATION = ("c1", "c2", "c3")


def solve(params: LowRankPageParams) -> Answer:
    """Ranks, spans, counts, the first steps, and merging."""
    matrices = {f"matrix_{place}": sympy.Matrix(rows) for place, rows in enumerate(params.matrices, 1)}
    v, problem = sympy.Matrix(params.vector), Problem(params)
    sheet = part(
        "sheet",
        "Given",
        number("n_matrices", len(matrices), "example matrices"),
        entries("v", v),
        letter(peft.D, params.embedding_dim, "width of the network"),
        letter(peft.R, params.rank, "rank"),
    )
    example, states = _example(params), problem.states(2)
    return answer(
        sheet,
        *(_matrix(key, place, matrix, v) for place, (key, matrix) in enumerate(matrices.items(), 1)),
        example,
        part("1", "Rank", _ranks(matrices)),
        part("2", "Span", _spans(matrices, v)),
        _sizes(params, sheet),
        _start(params, problem, states, example),
        _merging(problem, states[2], sympy.Matrix(params.example.other_x)),
    )


def _matrix(key: str, place: int, matrix: sympy.Matrix, v: sympy.Matrix) -> Part:
    """A matrix, its reduction, what it loses, and the system for the vector."""
    reached, full = solution(matrix.T, v) is not None, matrix.rank() == 3
    system = tables.operations("system", "E", (*COMBINATION, "v"), sympy.Matrix.hstack(matrix.T, v))
    lost = [] if full else [entries("null", matrix.nullspace()[0]), entries("relation", matrix.T.nullspace()[0])]
    return part(
        key,
        f"Matrix {place}",
        entries("entries", matrix),
        tables.operations("reduction", "R", ("1", "2", "3"), matrix),
        number("rank", matrix.rank()),
        claim("independent", full, "the rows are independent"),
        claim("dependent", not full, "the rows are dependent"),
        *lost,
        system,
        claim("outside", not reached, "the vector is outside the span of the rows"),
        claim("in_plane", reached and not full, "the vector lies in the plane of the rows"),
        *([] if reached else _contradiction(system)),
        tables.frame(matrix, v),
    )


def _contradiction(system: Table) -> list[Item]:
    """The last row that asks for a number as a sum of zeros."""
    bad = [row for row in system.rows.values() if row["v"] != 0 and all(row[one] == 0 for one in COMBINATION)][-1]
    return [text("contradicting_row", str(bad["row"])), number("contradiction", rational(bad["v"]))]


def _ranks(matrices: Mapping[str, sympy.Matrix]) -> Table:
    rows = {key: (place, one.rank(), exact(one.det())) for place, (key, one) in enumerate(matrices.items(), 1)}
    return table("ranks", ["matrix", "rank", "determinant"], rows, asked=True)


def _spans(matrices: Mapping[str, sympy.Matrix], v: sympy.Matrix) -> Table:
    rows = {}
    for place, (key, matrix) in enumerate(matrices.items(), 1):
        found, across = solution(matrix.T, v), matrix.nullspace()
        factors = (None,) * 3 if found is None else map(exact, found)
        rows[key] = (place, "no" if found is None else "yes", *factors, exact(across[0].dot(v)) if across else None)
    combination = [column(one, one) for one in COMBINATION]
    return table("spans", ["matrix", "in_the_span", *combination, column("normal_product", "n·v")], rows, asked=True)


def _sizes(params: LowRankPageParams, sheet: Part) -> Part:
    whole, added = peft.total(peft.ffn_groups()), peft.total(peft.ffn_lora_groups())
    ranks = {
        f"rank_{one}": (one, *(value_at(count.subs({peft.R: one}), sheet) for count in (added, 100 * added / whole)))
        for one in sorted({params.rank, *params.other_ranks})
    }
    share = sympy.cancel(added / whole)
    equal = sympy.expand(whole / (added / peft.R))
    return part(
        "3",
        "LoRA on the feed-forward network",
        _groups("network_tensors", peft.ffn_groups(), sheet),
        formula("network", whole, "values of the network", r"N_{\text{FFN}}", asked=True),
        _groups("lora_tensors", peft.ffn_lora_groups(), sheet),
        formula("lora", added, "trainable values of LoRA", r"N_{\text{LoRA}}", asked=True),
        formula("share", share, "LoRA's values over the network's", r"N_{\text{LoRA}} / N_{\text{FFN}}", asked=True),
        formula("equal", equal, "rank at which LoRA trains as many values as the network has", r"R_{\text{equal}}"),
        table("ranks", ["rank", "trainable_values", column("of_the_network", unit="%")], ranks),
        within=sheet,
    )


def _groups(key: str, groups: Sequence[peft.Group], sheet: Part) -> Table:
    rows = {
        one.names: (Math(one.names), Math(r" \times ".join(map(sympy.latex, one.shape))), one.values, value_at(one.values, sheet))
        for one in groups
    }
    return table(key, ["tensor", "shape", column("values", of="here"), "here"], rows)


def _example(params: LowRankPageParams) -> Part:
    """The layer that parts 4 and 5 follow."""
    one, x = params.example, sympy.Matrix(params.example.x)
    over_rank = params.conventions.scaling == "alpha_over_rank"
    return part(
        "example",
        "The layer of the first steps",
        number("n_outputs", len(one.weight)),
        number("n_inputs", len(one.x)),
        *starmap(entries, (("weight", sympy.Matrix(one.weight)), ("x", x), ("target", sympy.Matrix(one.target)))),
        entries("other_x", sympy.Matrix(one.other_x)),
        letter(peft.R, len(one.draw), "rank of the update at most"),
        letter(ALPHA, exact(one.alpha), "numerator of the scale"),
        formula("s", ALPHA / peft.R if over_rank else ALPHA, "scale of BAx", S),
        letter(ETA, exact(one.learning_rate), "learning rate"),
        letter(SIGMA, exact(one.sigma), "standard deviation of A at the start"),
        letter(X_SQUARED, exact(x.dot(x)), "squared length of x"),
        claim("over_rank", over_rank, "the scale is divided by the rank"),
        claim("not_over_rank", not over_rank, "the scale is not divided by the rank"),
    )


def _start(params: LowRankPageParams, problem: Problem, states: Sequence[State], example: Part) -> Part:
    """Both steps, means over A, and what σ sets: sBAx = −ηs²‖Ax‖²g, beside −η‖x‖²g of full fine-tuning."""
    first, second, _ = states
    inner, removed = first.a * problem.x, problem.removed(problem.sigma)
    moves, goes_on = not second.b.is_zero_matrix, not second.a_gradient.is_zero_matrix
    mean = peft.R * SIGMA**2 * X_SQUARED  # each of the r entries of Ax has variance σ²‖x‖²
    vectors = ((f"{name}_{place}", getattr(one, name)) for place, one in enumerate(states) for name in ("h", "g"))
    gradients = ((f"{name}_{place}", getattr(states[place], name)) for name in ("b_gradient", "a_gradient") for place in (0, 1))
    return part(
        "4",
        "The first steps",
        entries("a", first.a),
        entries("inner_vector", inner),
        *starmap(entries, vectors),
        *starmap(entries, gradients),
        entries("b_1", second.b),
        number("inner", exact(inner.dot(inner)), "squared length of Ax", r"\lVert Ax \rVert^2"),
        number("removed", exact(removed), "what the first step removes of g", "c"),
        claim("goes_on", goes_on, "after one step B is not zero, and A has a gradient"),
        claim("met", moves and not goes_on, "one step meets the target"),
        claim("stuck", not moves, "the first step leaves B at zero"),
        tables.steps_table(states),
        formula("expected_inner", mean, "mean of ‖Ax‖²", r"\mathbb{E}\lVert Ax \rVert^2"),
        formula("expected_shrinking", ETA * S**2 * mean, "mean of what the first step removes of g", r"\mathbb{E}[c]"),
        formula(
            "expected_ratio", S**2 * mean / X_SQUARED, "first change of h over that of full fine-tuning", r"\rho", asked=True
        ),
        formula("matched", 1 / (S**2 * peft.R), "variance at which the two are equal", r"\sigma^2_{\text{equal}}"),
        tables.sigmas_table(problem, first.loss, [params.example.sigma, *params.example.other_sigmas]),
        claim("loss_moves", moves),
        *_drawn_losses(problem, first, moves=moves),
        within=example,
    )  # fmt: skip


def _drawn_losses(problem: Problem, first: State, *, moves: bool) -> list[Item]:
    """The curve of the loss over σ, and where it is least and back where it was, if the step changes anything."""
    if not moves:
        return [tables.curve(problem, first.loss, 0.0)]
    least = float(problem.sigma) / float(problem.removed(problem.sigma)) ** 0.5
    back = 2**0.5 * least
    return [
        number("least_at", least, "σ at which the first step meets the target"),
        number("back_at", back, "σ from which the first step lowers the loss no more"),
        tables.curve(problem, first.loss, back),
    ]


def _merging(problem: Problem, last: State, other_x: sympy.Matrix) -> Part:
    update = problem.scale * last.b * last.a
    shown = {"a": last.a, "b": last.b, "update": update, "merged": problem.weight + update}
    return part(
        "5",
        "Merging",
        *starmap(entries, shown.items()),
        number("rank", update.rank(), "rank of the update", r"\text{rank}(sBA)"),
        tables.outputs_table(problem, last, {"x": ("x", problem.x), "other_x": ("x′", other_x)}),
    )
