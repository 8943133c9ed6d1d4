"""Seminar 2, low-rank adaptation: rank and span of the slide's matrices, LoRA on its network, the first steps, merging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Annotated, Literal, Self

import sympy
from pydantic import AfterValidator, Field, model_validator

from generators.answer import Figure, Math, Value, exact, rational
from generators.params import Exact, Params
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics import peft
from generators.topics.lora_step import (
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
from generators.topics.lora_step_tables import outputs_table, sigmas_table, steps_table
from generators.topics.row_reduction import (
    Matrix,
    applied,
    determinant,
    dot,
    exact_matrix,
    in_frame,
    null_vectors,
    rank,
    reduced,
    solution,
    squares,
    transposed,
    with_column,
)
from generators.topics.row_reduction_tables import column_table, entries_table, operations_table

LARGEST = 1000
MAX_SIZE = 2**20


def _short(number: Fraction) -> Fraction:
    """Keep the numbers of worked examples short enough to be followed."""
    if abs(number) > LARGEST or number.denominator > LARGEST:
        raise ValueError(f"must be of at most {LARGEST} with a denominator of at most {LARGEST}")
    return number


Short = Annotated[Exact, AfterValidator(_short)]
Triple = Annotated[list[Short], Field(min_length=3, max_length=3)]
Square = Annotated[list[Triple], Field(min_length=3, max_length=3)]
ShortRow = Annotated[list[Short], Field(min_length=1, max_length=5)]
ShortRows = Annotated[list[ShortRow], Field(min_length=1, max_length=5)]
Size = Annotated[int, Field(gt=0, le=MAX_SIZE)]


class Conventions(Params):
    """What the numbers rest on."""

    scaling: Literal["alpha_over_rank", "alpha"] = Field("alpha_over_rank", description="what BAx is multiplied by")


class Example(Params):
    """One linear layer, its first A as σ times a draw, and the input on which it is trained."""

    weight: ShortRows
    draw: ShortRows
    sigma: Annotated[Short, Field(gt=0)]
    other_sigmas: Annotated[list[Annotated[Short, Field(ge=0)]], Field(max_length=8)]
    alpha: Annotated[Short, Field(gt=0)]
    learning_rate: Annotated[Short, Field(gt=0)]
    x: ShortRow
    target: ShortRow
    other_x: ShortRow

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        columns = len(self.weight[0])
        for name, rows in (("weight", self.weight), ("draw", self.draw), ("x", [self.x]), ("other_x", [self.other_x])):
            for row in rows:
                if len(row) != columns:
                    raise ValueError(f"{name}: must have {columns} numbers a row like the first of weight (got {len(row)})")
        if len(self.target) != len(self.weight):
            raise ValueError(f"target: must have {len(self.weight)} numbers, one a row of weight (got {len(self.target)})")
        if len(self.draw) > min(columns, len(self.weight)):
            limit = min(columns, len(self.weight))
            raise ValueError(f"draw: must have at most {limit} rows, the smaller size of weight (got {len(self.draw)})")
        if not any(self.x):
            raise ValueError("x: must not be all zeros (got all zeros)")
        return self


class LowRankPageParams(Params):
    """The slide's matrices and a vector, sizes of its network, and the example of the first steps."""

    matrices: Annotated[list[Square], Field(min_length=1, max_length=3)]
    vector: Triple
    embedding_dim: Size
    rank: Size
    other_ranks: Annotated[list[Size], Field(max_length=10)]
    example: Example
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for number, rows in enumerate(self.matrices):
            found = rank(exact_matrix(rows))
            if found < 2:
                raise ValueError(f"matrices.{number}: must have a rank of at least 2 (got {found})")
        if not any(self.vector):
            raise ValueError("vector: must not be all zeros (got all zeros)")
        for one in (self.rank, *self.other_ranks):
            if one > self.embedding_dim:
                raise ValueError(f"rank, other_ranks: must be at most embedding_dim (got {one} and {self.embedding_dim})")
        return self

    @property
    def squares(self) -> list[Matrix]:
        """The matrices with exact entries."""
        return [exact_matrix(rows) for rows in self.matrices]

    @property
    def scale(self) -> Fraction:
        """What the example multiplies BAx by."""
        return self.example.alpha / (len(self.example.draw) if self.conventions.scaling == "alpha_over_rank" else 1)

    @property
    def problem(self) -> Problem:
        """The example without A and B."""
        one = self.example
        return Problem(exact_matrix(one.weight), self.scale, tuple(one.x), tuple(one.target), one.learning_rate)

    def states(self) -> list[State]:
        """The example's start, and what two steps make of it."""
        first = self.problem.start(exact_matrix(self.example.draw), self.example.sigma)
        second = self.problem.stepped(first)
        return [first, second, self.problem.stepped(second)]


def solve(params: LowRankPageParams) -> Answer:
    """Reduce the matrices, look for the vector, count LoRA's values, and train two steps."""
    return Answer({"1": _ranks(params), "2": _spans(params), "3": _sizes(params), "4": _start(params), "5": _merging(params)})


def _ranks(params: LowRankPageParams) -> Part:
    tables, rows = {}, []
    for number, matrix in enumerate(params.squares, 1):
        tables[f"matrix_{number}"] = entries_table(matrix)
        tables[f"reduction_{number}"] = operations_table(matrix, reduced(matrix), "R")
        if rank(matrix) == 2:
            tables[f"null_{number}"] = column_table(null_vectors(matrix)[0])
            tables[f"relation_{number}"] = column_table(null_vectors(transposed(matrix))[0])
        rows.append((number, rank(matrix), exact(determinant(matrix))))
    tables["ranks"] = Table(header=("Matrix", "Rank", "Determinant"), rows=tuple(rows))
    return Part(title="Rank", tables=tables)


def _spans(params: LowRankPageParams) -> Part:
    vector = tuple(params.vector)
    tables, rows = {}, []
    for number, matrix in enumerate(params.squares, 1):
        equations = transposed(matrix)
        augmented = with_column(equations, vector)
        system = operations_table(augmented, reduced(augmented, 3), "E")
        tables[f"system_{number}"] = Table(header=("Row", "Computed as", "c1", "c2", "c3", "v"), rows=system.rows)
        found = solution(equations, vector)
        across = null_vectors(matrix)
        combination = (None,) * 3 if found is None else tuple(map(exact, found))
        product = exact(dot(across[0], vector)) if across else None
        rows.append((number, "no" if found is None else "yes", *combination, product))
    header = ("Matrix", "In the span", "c1", "c2", "c3", "n·v")
    tables["spans"] = Table(header=header, rows=tuple(rows))
    return Part(title="Span", tables=tables)


def _sizes(params: LowRankPageParams) -> Part:
    whole, added = peft.total(peft.ffn_groups()), peft.total(peft.ffn_lora_groups())
    at: dict[sympy.Symbol, Value] = {peft.D: params.embedding_dim, peft.R: params.rank}
    equal = sympy.expand(whole / (added / peft.R))
    steps = {
        "network": step("values of the network", r"N_{\text{FFN}}", whole, at),
        "lora": step("trainable values of LoRA", r"N_{\text{LoRA}}", added, at),
        "share": step("LoRA's values over the network's", r"N_{\text{LoRA}} / N_{\text{FFN}}", sympy.cancel(added / whole), at),
        "equal": step("rank at which LoRA trains as many values as the network has", r"R_{\text{equal}}", equal, at),
    }
    rows = []
    for one in sorted({params.rank, *params.other_ranks}):
        values = exact(added.subs({**at, peft.R: one}))
        rows.append((one, values, rational(values) / rational(steps["network"].value)))
    tables = {
        "network": _groups(peft.ffn_groups(), at),
        "lora": _groups(peft.ffn_lora_groups(), at),
        "ranks": Table(header=("Rank", "Trainable values", "Of the network"), rows=tuple(rows)),
    }
    return Part(title="LoRA on the feed-forward network", steps=steps, tables=tables)


def _groups(groups: Sequence[peft.Group], at: dict[sympy.Symbol, Value]) -> Table:
    rows = tuple(
        (Math(one.names), Math(r" \times ".join(map(sympy.latex, one.shape))), one.values, exact(one.values.subs(at)))
        for one in groups
    )
    return Table(header=("Tensor", "Shape", "Values", "Here"), rows=rows)


def _start(params: LowRankPageParams) -> Part:
    one, problem = params.example, params.problem
    states = params.states()
    at: dict[sympy.Symbol, Value] = {
        ETA: one.learning_rate,
        S: params.scale,
        SIGMA: one.sigma,
        peft.R: len(one.draw),
        X_SQUARED: exact(squares((problem.x,))),
    }
    inner = squares((applied(states[0].a, problem.x),))
    steps = {
        "scale": Step(what="scale of BAx", symbol="s", value=exact(params.scale)),
        "inner": Step(what="squared length of Ax", symbol=r"\lVert Ax \rVert^2", value=exact(inner)),
        "shrinking": Step(what="what the first step removes of g", symbol="c", value=exact(problem.shrinking(states[0]))),
        "expected_inner": step("mean of ‖Ax‖²", r"\mathbb{E}\lVert Ax \rVert^2", expected_inner(), at),
        "expected_shrinking": step("mean of what the first step removes of g", r"\mathbb{E}[c]", expected_shrinking(), at),
        "expected_ratio": step("first change of h over that of full fine-tuning", r"\rho", expected_ratio(), at),
        "matched": step("variance at which the two are equal", r"\sigma^2_{\text{equal}}", 1 / (S**2 * peft.R), at),
    }
    tables = {
        "weight": entries_table(problem.weight),
        "a": entries_table(states[0].a),
        "inner_vector": column_table(applied(states[0].a, problem.x)),
        "b_1": entries_table(states[1].b),
        "steps": steps_table(states),
        "sigmas": sigmas_table(problem, exact_matrix(one.draw), [one.sigma, *one.other_sigmas]),
    }
    for number, state in enumerate(states):
        tables |= {f"h_{number}": column_table(state.h), f"g_{number}": column_table(state.g)}
        if number < 2:
            tables |= {
                f"a_gradient_{number}": entries_table(state.a_gradient),
                f"b_gradient_{number}": entries_table(state.b_gradient),
            }
    return Part(title="The first steps", steps=steps, tables=tables)


def _merging(params: LowRankPageParams) -> Part:
    problem, last = params.problem, params.states()[2]
    tables = {
        "a": entries_table(last.a),
        "b": entries_table(last.b),
        "update": entries_table(problem.update(last.a, last.b)),
        "merged": entries_table(problem.merged(last.a, last.b)),
    }
    inputs = [("x", problem.x), ("x′", tuple(params.example.other_x))]
    tables["outputs"] = outputs_table(problem, last, inputs)
    steps = {"rank": Step(what="rank of the update", symbol=r"\text{rank}(sBA)", value=rank(problem.update(last.a, last.b)))}
    return Part(title="Merging", steps=steps, tables=tables)


def verify(params: LowRankPageParams, answer: Answer) -> Iterator[Check]:
    """Enumerate minors, count modules of torch and peft, and train the example with autograd."""
    from generators.oracles.lora_start import verify_start
    from generators.oracles.spans import verify_spans

    yield from verify_spans(params, answer)
    yield from verify_start(params, answer)


def draw(params: LowRankPageParams, answer: Answer) -> dict[str, Figure]:
    """The rows of every matrix with the plane of two of them, LoRA's share over the rank, and the first step's loss over σ."""
    from generators.figures.first_step import first_step_figure
    from generators.figures.spans import share_figure, spans_figure

    rows = answer["3"].tables["ranks"].rows
    shares = [(float(rational(row[0])), float(rational(row[2]))) for row in rows]
    return {
        "spans": spans_figure([in_frame(matrix, tuple(params.vector)) for matrix in params.squares]),
        "share": share_figure(shares, params.rank, float(rational(answer["3"]["equal"].value)), params.embedding_dim),
        "first_step": first_step_figure(
            answer["4"].tables["sigmas"],
            partial(params.problem.first_loss, exact_matrix(params.example.draw)),
            params.example.sigma,
            rational(answer["4"]["shrinking"].value),
        ),
    }


QUESTION = SelfVerifying(
    title="Rank, LoRA's size, and its first steps",
    points=0,
    params=LowRankPageParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
