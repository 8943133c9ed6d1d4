"""Lecture 25, parameter-efficient tuning: LoRA's reduction, and the share of a model that BitFit, adapters and LoRA train."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Value, exact, rational
from generators.params import Exact, Params, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics import peft, tuned_shares
from generators.topics.peft import N_LAYER, D, R
from generators.topics.tuned_shares import COLUMNS, D_FF, N_MODEL, ROWS, SHARE, E, Kind, P, S, outside

Size = Annotated[int, Field(gt=0, le=2**20)]
Widths = Annotated[list[Size], Field(min_length=1, max_length=8)]
Projection = Literal["query", "key", "value"]
PER_CENT = 100


class Conventions(Params):
    """What counts and bytes rest on."""

    adapters_train_norms: bool = Field(True, description="whether adapters train the layers' norms as well, as in their paper")
    bytes_per_value: Literal[2, 4] = Field(4, description="bytes of one value (4 is FP32)")
    optimizer_states: int = Field(2, ge=0, le=4, description="values that the optimizer keeps for each trained one (2 is Adam)")


class Model(Params):
    """A model's configuration; positions and segments have embeddings in BERT alone."""

    name: Text
    kind: Kind
    n_layers: Annotated[int, Field(gt=0, le=200)]
    d_model: Annotated[int, Field(gt=0, le=2**15)]
    d_ff: Size
    vocabulary_size: Size
    n_positions: Size
    n_segments: Annotated[int, Field(gt=0, le=64)]

    def sizes(self, rank: int) -> dict[sympy.Symbol, Value]:
        """The letters of the formulas, with an inner width or rank."""
        around = outside(self.kind, self.vocabulary_size, self.n_positions, self.n_segments)
        sizes = {N_LAYER: self.n_layers, D: self.d_model, D_FF: self.d_ff, R: rank}
        return {**sizes, E: around.rows, S: around.norms, P: around.poolers}


class Printed(Params):
    """A share of the lecture's table in per cent, with the decimals it is printed with."""

    percent: Annotated[Exact, Field(gt=0, le=100)]
    decimals: Annotated[int, Field(ge=0, le=6)]

    @property
    def share(self) -> Fraction:
        """Of one."""
        return self.percent / PER_CENT

    def matches(self, share: Fraction) -> bool:
        """Whether a share rounds to what is printed."""
        unit = 10**self.decimals * PER_CENT
        return bool(round(share * unit) == self.share * unit)


class TableOfLecture(Params):
    """The column %Param."""

    bitfit: Printed
    adapters: Printed
    diff_pruning: Printed


class TuningParams(Params):
    """The matrix of the slide's question, the models, widths and ranks, and what the lecture prints."""

    d_model: Size
    ranks: Widths
    n_rows: Size
    n_columns: Size
    models: Annotated[list[Model], Field(min_length=1, max_length=4)]
    adapter_width: Size
    other_adapter_widths: Annotated[list[Size], Field(max_length=5)]
    rank: Size
    lora_on: Annotated[list[Projection], Field(min_length=1)]
    n_tasks: PositiveInt
    printed: TableOfLecture
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ranks != sorted(set(self.ranks)):
            raise ValueError(f"ranks: must rise from each to the next (got {self.ranks})")
        if max(self.ranks) > self.d_model:
            raise ValueError(f"ranks: must be at most d_model, {self.d_model} (got {max(self.ranks)})")
        if self.models[0].kind != "bert":
            raise ValueError(f"models: must begin with a BERT, which the lecture's table is about (got {self.models[0].kind})")
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError(f"models: must not repeat a name (got {', '.join(names)})")
        if len(set(self.lora_on)) < len(self.lora_on):
            raise ValueError(f"lora_on: must not repeat a matrix (got {', '.join(self.lora_on)})")
        narrowest = min(self.d_model, *(model.d_model for model in self.models))
        if self.rank > narrowest:
            raise ValueError(f"rank: must be at most the smallest d_model, {narrowest} (got {self.rank})")
        return self

    @property
    def widths(self) -> list[int]:
        """All inner widths of adapters, rising."""
        return sorted({self.adapter_width, *self.other_adapter_widths})

    def method_formulas(self, kind: Kind) -> dict[str, tuple[sympy.Expr, int]]:
        """For each method the trained values, and the width or rank that they are taken at."""
        norms = self.conventions.adapters_train_norms
        return {
            "BitFit": (tuned_shares.bias_values(), 1),
            "BitFit, half": (tuned_shares.some_bias_values(), 1),
            "Adapters": (tuned_shares.adapter_values(norms=norms), self.adapter_width),
            "LoRA": (tuned_shares.lora_values(kind, len(self.lora_on)), self.rank),
        }


def solve(params: TuningParams) -> Answer:
    """Answer the slide's question on LoRA, count trained shares, hold them against the lecture's, and count bytes."""
    return Answer({"1": _reduction(params), "2": _shares(params), "3": _printed(params), "4": _bytes(params)})


def _reduction(params: TuningParams) -> Part:
    at: dict[sympy.Symbol, Value] = {D: params.d_model, R: params.rank}
    pair = peft.total(peft.low_rank_groups("W", 1))
    steps = {
        "full": step("values of W", r"N_W", D**2, at),
        "lora": step("values of A and B", r"N_{BA}", pair, at),
        "ratio": step("times fewer", r"N_W / N_{BA}", D**2 / pair, at),
        "break_even": step("rank that saves nothing", r"r_0", D / 2, at),
        "rectangular": step(
            "rank that saves nothing beside m×n", "r_0", tuned_shares.rectangular_break_even(),
            {ROWS: params.n_rows, COLUMNS: params.n_columns},
        ),
    }  # fmt: skip
    rows = []
    for rank in params.ranks:
        values = rational(exact(pair.subs({**at, R: rank})))
        rows.append((rank, exact(values), exact(params.d_model**2 / values), exact(values / params.d_model**2)))
    table = Table(header=("r", "Values of A and B", "Times fewer", "Share"), rows=tuple(rows))
    return Part(title="The reduction by LoRA", steps=steps, tables={"ranks": table})


def _values(model: Model) -> Fraction:
    return rational(exact(tuned_shares.model_values().subs(model.sizes(1))))


def _shares(params: TuningParams) -> Part:
    first = params.models[0]
    steps = {"model": step("values of the model", r"N_{\text{model}}", tuned_shares.model_values(), first.sizes(1))}
    for name, symbol in (("rows", E), ("norms", S), ("poolers", P)):
        steps[name] = Step(what=f"{name} outside the layers", symbol=str(symbol), value=first.sizes(1)[symbol])
    for name, (formula, width) in params.method_formulas(first.kind).items():
        steps[name] = step(f"trained by {name}", rf"N_{{\text{{{name}}}}}", formula, first.sizes(width))
    models, rows = [], []
    for model in params.models:
        whole, layers = _values(model), _layers(model)
        models.append((model.name, model.n_layers, model.d_model, model.d_ff, exact(whole), exact(layers / whole)))
        for name, (formula, width) in params.method_formulas(model.kind).items():
            trained = rational(exact(formula.subs(model.sizes(width))))
            rows.append((model.name, name, exact(trained), exact(trained / whole)))
    tables = {
        "models": Table(header=("Model", "Layers", "D", "D_ff", "Values", "In layers"), rows=tuple(models)),
        "shares": Table(header=("Model", "Method", "Trained", "Share"), rows=tuple(rows)),
    }
    return Part(title="Trained shares", steps=steps, tables=tables)


def _layers(model: Model) -> Fraction:
    """Values in the layers, without embeddings and what else stands outside."""
    return rational(exact((N_LAYER * tuned_shares.layer_values()).subs(model.sizes(1))))


def _printed(params: TuningParams) -> Part:
    first, printed = params.models[0], params.printed
    whole = _values(first)
    biases = tuned_shares.bias_values()
    rows = [_beside(printed.bitfit, "BitFit", model.name, model, biases, 1) for model in params.models if model.kind == "bert"]
    adapters = tuned_shares.adapter_values(norms=params.conventions.adapters_train_norms)
    rows += [_beside(printed.adapters, "Adapters", f"{first.name}, width {w}", first, adapters, w) for w in params.widths]
    width = tuned_shares.width_for_share(norms=params.conventions.adapters_train_norms)
    at = {**first.sizes(1), SHARE: printed.adapters.share, N_MODEL: exact(whole)}
    at = {symbol: at[symbol] for symbol in sorted(width.free_symbols, key=str)}
    steps = {
        "width": step("inner width that trains the printed share", r"R_{\text{printed}}", width, at),
        "difference": Step(
            what="values of a difference with the printed share", symbol="k", value=exact(printed.diff_pruning.share * whole)
        ),
    }
    header = ("Method", "Printed", "Counted for", "Of all values", "Of the layers", "Rounds to the printed")
    return Part(title="Beside the lecture's table", steps=steps, tables={"printed": Table(header=header, rows=tuple(rows))})


def _beside(printed: Printed, method: str, where: str, model: Model, formula: sympy.Expr, width: int) -> tuple[str | Value, ...]:
    trained = rational(exact(formula.subs(model.sizes(width))))
    share = trained / _values(model)
    alike = "yes" if printed.matches(share) else "no"
    return (method, exact(printed.share), where, exact(share), exact(trained / _layers(model)), alike)


def _bytes(params: TuningParams) -> Part:
    first, held = params.models[0], params.conventions
    whole, size = _values(first), held.bytes_per_value
    trained = {"Full": whole}
    for name, (formula, width) in params.method_formulas(first.kind).items():
        trained[name] = rational(exact(formula.subs(first.sizes(width))))
    rows = tuple(
        (
            name,
            exact(size * values),
            exact(size * (params.n_tasks * values + (0 if name == "Full" else whole))),
            exact(size * values * (1 + held.optimizer_states)),
        )
        for name, values in trained.items()
    )
    header = ("Method", "One task", "All tasks", "Gradients and optimizer")
    return Part(title="What it saves", tables={"bytes": Table(header=header, rows=rows)})


def verify(params: TuningParams, answer: Answer) -> Iterator[Check]:
    """Build every model of transformers without storage, tune it with peft and torch, and count what is trainable."""
    from generators.oracles.tuned_shares import verify_tuning

    return verify_tuning(params, answer)


def draw(params: TuningParams, answer: Answer) -> dict[str, Figure]:
    """LoRA's share of a matrix over its rank, and shares of the first model over inner width and rank."""
    from generators.figures.tuned_shares import ranks_figure, shares_figure

    first = params.models[0]
    at, formulas = first.sizes(1), params.method_formulas(first.kind)
    del at[R]
    in_width = {name: formula.subs(at) / tuned_shares.model_values().subs(at) for name, (formula, _) in formulas.items()}

    def share(name: str, width: int) -> float:
        return float(in_width[name].subs(R, width))

    marks = {"Adapters": params.widths, "LoRA": [params.rank]}
    flat = {"BitFit": share("BitFit", 1), "diff pruning, as printed": float(params.printed.diff_pruning.share)}
    return {
        "ranks": ranks_figure(answer["1"].tables["ranks"]),
        "shares": shares_figure(first.name, share, marks, flat, float(params.printed.adapters.share)),
    }


QUESTION = SelfVerifying(
    title="Parameter-efficient tuning",
    points=0,
    params=TuningParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
