"""Seminar 2, ways of tuning: LoRA, adapters, prefix and prompt tuning by trained values, FLOPs and cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Math, Value, exact, rational
from generators.params import Params
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.peft import N_LAYER, D, L, R
from generators.topics.tuning_methods import (
    Method,
    P,
    cache_values,
    methods,
    model_values,
    pass_multiply_adds,
    token_multiply_adds,
)

MAX_SIZE = 2**20
MAX_HEAD_SIZES = 1024
Size = Annotated[int, Field(gt=0, le=MAX_SIZE)]
MERGED = "LoRA, merged into the weights"


class Conventions(Params):
    """What the numbers rest on."""

    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one cached value (2 is FP16)")
    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")


class TuningParams(Params):
    """Sizes of the model and of what each method adds to it."""

    n_layers: Annotated[int, Field(gt=0, le=1024)]
    d_model: Size
    n_heads: Size
    rank: Size
    n_virtual_tokens: Annotated[int, Field(gt=0, le=2**14)]
    context_len: Annotated[int, Field(gt=0, le=2**17)]
    other_sizes: Annotated[list[Annotated[int, Field(gt=0, le=2**14)]], Field(max_length=10)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model: must be divisible by n_heads (got {self.d_model} and {self.n_heads})")
        if self.rank > self.d_model:
            raise ValueError(f"rank: must be at most d_model (got {self.rank} and {self.d_model})")
        return self

    @property
    def sizes(self) -> dict[sympy.Symbol, Value]:
        """The letters of the formulas with their values."""
        return {N_LAYER: self.n_layers, D: self.d_model, R: self.rank, P: self.n_virtual_tokens, L: self.context_len}

    @property
    def picture_sizes(self) -> list[int]:
        """Sizes of the picture and of the table of equal sizes, the example's rank among them."""
        return sorted({self.rank, *self.other_sizes})


def solve(params: TuningParams) -> Answer:
    """Count every method's values, FLOPs and cache, and what each costs for one trained value."""
    found = methods()
    return Answer(
        {"1": _values(found, params), "2": _compute(found, params), "3": _cache(found, params), "4": _equal(found, params)}
    )


def _values(found: Mapping[str, Method], params: TuningParams) -> Part:
    at = params.sizes
    steps = {"model": step("values of the layers' matrices", r"N_{\text{model}}", model_values(), at)}
    rows: list[tuple[Cell, ...]] = []
    groups: list[tuple[Cell, ...]] = []
    for name, one in found.items():
        steps[name] = step(f"trainable values of {one.title}", rf"N_{{\text{{{name}}}}}", one.values, at)
        rows.append((one.title, one.values, steps[name].value, _over(steps[name], steps["model"])))
        where = "each layer" if one.layers == N_LAYER else "the whole model"
        for group in one.groups:
            shape = r" \times ".join(sympy.latex(size) for size in group.shape)
            groups.append((one.title, Math(group.names), Math(shape), group.count, where))
    tables = {
        "values": Table(header=("Method", "Values", "Here", "Of the model"), rows=tuple(rows)),
        "groups": Table(header=("Method", "Trained", "Shape", "Number", "In"), rows=tuple(groups)),
    }
    return Part(title="Trainable values", steps=steps, tables=tables)


def _over(line: Step, whole: Step) -> Value:
    return exact(rational(line.value) / rational(whole.value))


def _compute(found: Mapping[str, Method], params: TuningParams) -> Part:
    """FLOPs that a method adds to a pass over the prompt, and to each decoded token."""
    at, scale = params.sizes, params.conventions.flops_per_multiply_add
    steps = {
        "pass": step("pass over the prompt without any of them", r"F_{\text{pass}}", scale * pass_multiply_adds(L), at, "FLOP"),
        "token": step("next token without any of them", r"F_{\text{token}}", scale * token_multiply_adds(), at, "FLOP"),
    }
    steps = {name: _expanded(line) for name, line in steps.items()}
    rows: list[tuple[Cell, ...]] = [(MERGED, 0, 0, 0, 0)]
    for name, one in found.items():
        for kind, formula, symbol in (
            ("pass", one.in_pass, r"\Delta F_{\text{pass}}"),
            ("token", one.in_token, r"\Delta F_{\text{token}}"),
        ):
            what = f"{one.title} adds to the {'pass over the prompt' if kind == 'pass' else 'next token'}"
            steps[f"{name}_{kind}"] = _expanded(step(what, symbol, scale * formula, at, "FLOP"))
        both = [steps[f"{name}_{kind}"] for kind in ("pass", "token")]
        shares = [_over(line, steps[kind]) for line, kind in zip(both, ("pass", "token"), strict=True)]
        rows.append((one.title, both[0].value, shares[0], both[1].value, shares[1]))
    header = ("Method", "Prompt", "More in the prompt", "Token", "More for a token")
    return Part(title="Compute", steps=steps, tables={"flops": Table(header=header, rows=tuple(rows))})


def _expanded(line: Step) -> Step:
    return Step(
        what=line.what, symbol=line.symbol, value=line.value, unit=line.unit, formula=sympy.expand(line.formula), at=line.at
    )


def _cache(found: Mapping[str, Method], params: TuningParams) -> Part:
    at, size = params.sizes, params.conventions.bytes_per_element
    steps = {"own": step("cache of the user's tokens", r"M_{\text{KV}}", size * cache_values(L), at, "B")}
    rows: list[tuple[Cell, ...]] = []
    for name, one in found.items():
        if one.cached == 0:
            rows.append((one.title, 0, 0))
            continue
        steps[name] = step(f"cache of {one.title}", r"\Delta M_{\text{KV}}", size * one.cached, at, "B")
        rows.append((one.title, steps[name].value, _over(steps[name], steps["own"])))
    header = ("Method", "Extra cache", "Of the user's tokens")
    return Part(title="Cache", steps=steps, tables={"bytes": Table(header=header, rows=tuple(rows))})


def _equal(found: Mapping[str, Method], params: TuningParams) -> Part:
    """What one trained value costs, and how large every method is when it trains as many values as LoRA."""
    at, conventions = params.sizes, params.conventions
    steps: dict[str, Step] = {}
    costs: list[tuple[Cell, ...]] = []
    for name, one in found.items():
        flops = sympy.cancel(conventions.flops_per_multiply_add * one.in_token / one.values)
        cached = sympy.cancel(conventions.bytes_per_element * one.cached / one.values)
        costs.append((one.title, flops, exact(flops.subs(at)), cached, exact(cached.subs(at))))
        if name != "lora":
            same_values = sympy.cancel(found["lora"].values / (one.values / one.size))
            symbol = rf"{sympy.latex(one.size)}_{{\text{{{name}}}}}"
            steps[name] = step(f"size of {one.title} with as many values as LoRA", symbol, same_values, at)
    rows = []
    for size in params.picture_sizes:
        here = {**at, R: size}
        sizes = [exact(line.formula.subs(here)) for line in steps.values() if line.formula is not None]
        rows.append((size, exact(found["lora"].values.subs(here)), *sizes))
    tables = {
        "costs": Table(header=("Method", "FLOPs for a token", "FLOPs here", "Cached bytes", "Bytes here"), rows=tuple(costs)),
        "sizes": Table(header=("Rank of LoRA", "Values", "Adapter width", "Prefix", "Prompt"), rows=tuple(rows)),
    }
    return Part(title="Equal numbers of trained values", steps=steps, tables=tables)


def verify(params: TuningParams, answer: Answer) -> Iterator[Check]:
    """Tune a transformer with peft; count trainable values, FLOPs of its passes, and bytes of its cache."""
    from generators.oracles.tuning_methods import verify_tuning

    return verify_tuning(params, answer)


def draw(params: TuningParams, answer: Answer) -> dict[str, Figure]:
    """Trained values over the size of each method, and FLOPs of a token over trained values."""
    from generators.figures.tuning import cost_figure, size_figure

    found, at = methods(), params.sizes
    curves = {}
    for one in found.values():
        points = [(size, float(one.values.subs({**at, one.size: size}))) for size in params.picture_sizes]
        curves[one.title] = [(float(size), values) for size, values in points]
    scale = params.conventions.flops_per_multiply_add
    flops = {
        one.title: [(values, float(scale * one.in_token.subs({**at, one.size: size}))) for size, values in curves[one.title]]
        for one in found.values()
    }
    return {"values": size_figure(curves), "flops": cost_figure(flops)}


QUESTION = SelfVerifying(
    title="LoRA, adapters, prefix and prompt tuning",
    points=0,
    params=TuningParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
