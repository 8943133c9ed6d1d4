"""Ranks and spans of the matrices, LoRA's values, two steps of training done exactly, and merging.

W is outputs×inputs, A is R×inputs, B is outputs×R. Source: Hu et al. 2021, arXiv 2106.09685.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import starmap

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, value_at
from generators.cells import Cell, Math, exact
from generators.courses.sydney.seminar2_low_rank.matrices import entries, matrix_part, rank_part, span_part
from generators.courses.sydney.seminar2_low_rank.params import LowRankPageParams
from generators.table import Table, column, table
from generators.topics import peft

ALPHA, ETA, S, SIGMA = sympy.symbols("alpha eta s sigma", nonnegative=True)


@dataclass(frozen=True)
class State:
    """A and B with what they give: output, its gradient g = h − y, loss, and gradients of A and B."""

    a: sympy.Matrix
    b: sympy.Matrix
    h: sympy.Matrix
    g: sympy.Matrix
    loss: sympy.Rational
    a_gradient: sympy.Matrix
    b_gradient: sympy.Matrix


class Problem:
    """The frozen W, the scale s, two inputs, the target, the learning rate η, and what A is drawn as."""

    def __init__(self, params: LowRankPageParams) -> None:
        one = params.example
        self.over_rank = params.conventions.scaling == "alpha_over_rank"
        self.weight, self.draw, self.target = (sympy.Matrix(rows) for rows in (one.weight, one.draw, one.target))
        self.x, self.other_x = sympy.Matrix(one.x), sympy.Matrix(one.other_x)
        self.scale = sympy.sympify(one.alpha) / (len(one.draw) if self.over_rank else 1)
        self.learning_rate = sympy.sympify(one.learning_rate)

    def state(self, a: sympy.Matrix, b: sympy.Matrix, x: sympy.Matrix) -> State:
        """Output, loss and gradients by the chain rule: ∂ℓ/∂B = s g (Ax)ᵀ, ∂ℓ/∂A = s Bᵀg xᵀ; every input has the same target."""
        h = self.weight * x + self.scale * b * a * x
        g = h - self.target * sympy.ones(1, x.cols)
        return State(a, b, h, g, (g.T * g).trace() / 2, self.scale * b.T * g * x.T, self.scale * g * (a * x).T)

    def trained(self, sigma: Fraction, x: sympy.Matrix, n_steps: int) -> list[State]:
        """A = σ·draw and B = 0, then what each step of gradient descent on A and B together makes of them."""
        states = [self.state(sympy.sympify(sigma) * self.draw, sympy.zeros(self.weight.rows, self.draw.rows), x)]
        for _ in range(n_steps):
            last = states[-1]
            a, b = last.a - self.learning_rate * last.a_gradient, last.b - self.learning_rate * last.b_gradient
            states.append(self.state(a, b, x))
        return states

    def removed(self, sigma: Fraction) -> sympy.Rational:
        """The share κ of g that the first step removes: h ← h − ηs²‖Ax‖² g, as B alone changes."""
        inner = sympy.sympify(sigma) * self.draw * self.x
        return self.learning_rate * self.scale**2 * inner.dot(inner)


def solve(params: LowRankPageParams) -> Answer:
    """Ranks, spans, counts, the first steps, and merging."""
    matrices = {f"matrix_{place}": sympy.Matrix(rows) for place, rows in enumerate(params.matrices, 1)}
    u, problem = sympy.Matrix(params.vector), Problem(params)
    sheet = part(
        "sheet",
        "Given",
        number("n_matrices", len(matrices), "example matrices"),
        entries("u", u),
        letter(peft.D, params.embedding_dim, "model width"),
        letter(peft.R, params.rank, "rank"),
    )
    example, states = _example(params, problem), problem.trained(params.example.sigma, problem.x, 2)
    return answer(
        sheet,
        *(matrix_part(key, place, matrix, u) for place, (key, matrix) in enumerate(matrices.items(), 1)),
        example,
        rank_part(matrices),
        span_part(matrices, u),
        _sizes(sheet),
        _start(params, problem, states, example),
        _merging(params, problem, states[2]),
    )


def _sizes(sheet: Part) -> Part:
    whole, added = peft.total(peft.ffn_groups()), peft.total(peft.ffn_lora_groups())
    rows = {
        one.names: (Math(one.names), value_at(one.values, sheet), one.values, Math(r" \times ".join(map(sympy.latex, one.shape))))
        for one in (*peft.ffn_groups(), *peft.ffn_lora_groups())
    }
    return part(
        "3",
        "LoRA on the feed-forward network",
        formula("network", whole, "values of the network", r"N_{\text{FFN}}", asked=True),
        formula("lora", added, "trainable values of LoRA", r"N_{\text{LoRA}}", asked=True),
        formula("share", sympy.cancel(added / whole), "LoRA's values over the network's",
                r"N_{\text{LoRA}} / N_{\text{FFN}}", asked=True),
        formula("equal", sympy.cancel(whole / (added / peft.R)), "rank at which LoRA trains as many values as the network has",
                r"R_{\text{equal}}"),
        table("tensors", ["tensor", column("here", "Values"), column("values", "Formula", of="here"), "shape"], rows),
        within=sheet,
    )  # fmt: skip


def _example(params: LowRankPageParams, problem: Problem) -> Part:
    """The layer that parts 4 and 5 follow, and how its first step depends on the rank."""
    one, over_rank, falls = params.example, problem.over_rank, params.conventions.sigma == "over_root_of_rank"
    times_four = Fraction(4, (16 if over_rank else 1) * (4 if falls else 1))  # R s² σ² at four times the rank
    given = {"weight": problem.weight, "x": problem.x, "target": problem.target, "other_x": problem.other_x}
    return part(
        "example",
        "The layer of the first steps",
        number("n_outputs", len(one.weight)),
        number("n_inputs", len(one.x)),
        *starmap(entries, given.items()),
        letter(peft.R, len(one.draw), "rank"),
        letter(ALPHA, exact(one.alpha), "numerator of the scale"),
        formula("s", ALPHA / peft.R if over_rank else ALPHA, "scale of BAx", S),
        letter(ETA, exact(one.learning_rate), "learning rate"),
        letter(SIGMA, exact(one.sigma), "standard deviation of A at the start"),
        claim("over_rank", over_rank, "the scale is divided by the rank"),
        claim("not_over_rank", not over_rank, "the scale is not divided by the rank"),
        claim("one_sigma", not falls, "A has one standard deviation at every rank"),
        claim("falling_sigma", falls, "A's standard deviation falls with the root of the rank"),
        number("times_four", exact(times_four), "factor of the mean first step at four times the rank"),
        claim("smaller_steps", times_four < 1, "larger ranks start with smaller steps"),
        claim("larger_steps", times_four > 1, "larger ranks start with larger steps"),
        claim("equal_steps", times_four == 1, "all ranks start with equal steps"),
    )


def _start(params: LowRankPageParams, problem: Problem, states: list[State], example: Part) -> Part:
    """Two steps, and what σ sets: LoRA changes h by −ηs²‖Ax‖²g at first, full fine-tuning by −η‖x‖²g."""
    first, second = states[:2]
    met, lost, goes_on = first.g.is_zero_matrix, (first.a * problem.x).is_zero_matrix, not second.a_gradient.is_zero_matrix
    shown = {"a": first.a, "inner": first.a * problem.x, "h_0": first.h, "g_0": first.g, "b_gradient_0": first.b_gradient,
             "b_1": second.b, "h_1": second.h, "g_1": second.g, "a_gradient_1": second.a_gradient}  # fmt: skip
    sigmas, beyond = _sigmas(params, problem)
    return part(
        "4",
        "The first steps",
        *starmap(entries, shown.items()),
        *(number(f"loss_{place}", exact(one.loss), "loss", r"\ell") for place, one in enumerate(states)),
        number("removed", exact(problem.removed(params.example.sigma)), "share of g that the first step removes", r"\kappa"),
        claim("met_at_start", met, "the frozen layer meets the target"),
        claim("input_lost", lost, "A takes the input to zero"),
        claim("goes_on", goes_on, "after one step A has a gradient"),
        claim("met", not (met or lost or goes_on), "one step meets the target"),
        formula("ratio", peft.R * S**2 * SIGMA**2, "mean first change over that of full fine-tuning", r"\rho", asked=True),
        formula("matched", 1 / (S**2 * peft.R), "variance at which the two are equal", r"\sigma^2_{\text{equal}}"),
        sigmas,
        claim("overshoots", beyond and not met, "with some deviation the loss grows"),
        within=example,
    )


def _sigmas(params: LowRankPageParams, problem: Problem) -> tuple[Table, bool]:
    """The first step with the same draw at several standard deviations, and whether κ exceeds 2 at some."""
    rows = {}
    sigmas = sorted({params.example.sigma, *params.example.other_sigmas})
    for place, sigma in enumerate(sigmas, 1):
        ratio, loss = problem.scale**2 * sigma**2 * problem.draw.rows, problem.trained(sigma, problem.x, 1)[1].loss
        rows[f"sigma_{place}"] = [exact(one) for one in (sigma, loss, problem.removed(sigma), ratio)]
    columns = [column("sigma", "σ"), column("loss", "Loss after one step"), column("removed", "κ"), column("ratio", "ρ")]
    return table("sigmas", columns, rows), problem.removed(sigmas[-1]) > 2


def _merging(params: LowRankPageParams, problem: Problem, last: State) -> Part:
    update = problem.scale * last.b * last.a
    shown = {"a": last.a, "b": last.b, "update": update, "merged": problem.weight + update}
    both = problem.trained(params.example.sigma, sympy.Matrix.hstack(problem.x, problem.other_x), 2)[2]
    rows: dict[str, tuple[Cell, ...]] = {}
    for key, name, x in (("x", "x", problem.x), ("other_x", "x′", problem.other_x)):
        outputs = sympy.Matrix.hstack(shown["merged"] * x, problem.weight * x + problem.scale * (last.b * (last.a * x)))
        rows |= {f"{key}_{i}": (f"{name}, entry {i}", *map(exact, row)) for i, row in enumerate(outputs.tolist(), 1)}
    columns = [column("output", "Output for"), column("merged", "W′x"), column("apart", "Wx + sBAx")]
    return part(
        "5",
        "Merging",
        *starmap(entries, shown.items()),
        number("rank", update.rank(), "rank of the update"),
        number("rank_of_both", (both.b * both.a).rank(), "rank of the update after as many steps on both inputs"),
        table("outputs", columns, rows, asked=True),
    )
