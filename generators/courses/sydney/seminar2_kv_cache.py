"""Seminar 2, KV cache: which scores a decoding step needs, what the cache saves, and how large it grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact, rational
from generators.params import Params, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.batching import CONTEXT, N_HEAD, N_LAYER, D, cache_values, weight_values
from generators.topics.kv_cache import (
    N_VOCAB,
    NEW,
    ONE,
    POSITIONS,
    PROMPT,
    SCORES,
    cached_groups,
    generation_flops,
    positions,
    scores,
    step_bytes,
    step_flops,
    uncached_groups,
    with_cache,
    without_cache,
)

MAX_LENGTH = 2**24
GIGA, GIB = 10**9, 2**30
N = sympy.Symbol("N", positive=True)
ALL_SCORES, NEEDED_SCORES = N * (N + 1) * (2 * N + 1) / 6, N * (N + 1) / 2
"""Scores over N steps: a square a step without the cache, a row a step with it."""

Length = Annotated[int, Field(gt=0, le=MAX_LENGTH)]
Rows = list[Annotated[list[Annotated[int, Field(ge=-9, le=9)]], Field(min_length=1, max_length=3)]]


class Conventions(Params):
    """What the counts rest on."""

    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")
    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one element (2 is FP16)")


class Example(Params):
    """Queries, keys and values of a few tokens, one row a token."""

    tokens: Annotated[list[Text], Field(min_length=2, max_length=6)]
    queries: Rows
    keys: Rows
    values: Rows

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("queries", "keys", "values"):
            rows = getattr(self, name)
            if len(rows) != len(self.tokens):
                raise ValueError(f"{name}: must be as many as tokens (got {len(rows)})")
            if len({len(row) for row in rows}) > 1:
                raise ValueError(f"{name}: must be of one length (got {sorted({len(row) for row in rows})})")
        if len(self.queries[0]) != len(self.keys[0]):
            raise ValueError(f"keys: must be as long as queries (got {len(self.keys[0])})")
        return self


class Model(Params):
    """The model whose steps are counted."""

    n_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    vocabulary_size: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model: must be divisible by n_heads (got {self.d_model} and {self.n_heads})")
        return self


class CacheParams(Params):
    """The example, the model, how many tokens are read and generated, and the lengths of the tables."""

    example: Example
    model: Model
    prompt_len: Length
    new_tokens: Annotated[int, Field(ge=2, le=512)]
    seq_lens: Annotated[list[Length], Field(min_length=2, max_length=10)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.seq_lens != sorted(set(self.seq_lens)):
            raise ValueError(f"seq_lens: must rise from each to the next (got {self.seq_lens})")
        return self

    @property
    def last_len(self) -> int:
        """Tokens of the last step, the one that is fed to it included."""
        return self.prompt_len + self.new_tokens - 1

    def at(self, length: int) -> dict[sympy.Symbol, Value]:
        """The letters of the formulas, for a step over `length` tokens."""
        model = self.model
        sizes = {N_LAYER: model.n_layers, D: model.d_model, N_HEAD: model.n_heads, N_VOCAB: model.vocabulary_size}
        return {**sizes, CONTEXT: length}


def solve(params: CacheParams) -> Answer:
    """Follow the example, count a step and a whole generation, and size the cache."""
    return Answer({"1": _steps(params.example), "2": _costs(params), "3": _memory(params)})


def _steps(example: Example) -> Part:
    kept = with_cache(example.queries, example.keys, example.values)
    matrix, outputs = without_cache(example.queries, example.keys, example.values)
    counts: list[tuple[Cell, ...]] = []
    sums: list[tuple[Cell, ...]] = []
    for number, (token, one, output) in enumerate(zip(example.tokens, kept, outputs, strict=True), 1):
        below = number * (number - 1) // 2
        counts.append((number, token, number**2, below, below, len(one.scores), one.rows_read))
        sums.append((number, _sum(one.scores, example.values), _vector(one.output), _vector(output)))
    width = range(1, len(example.tokens) + 1)
    tables = {
        "counts": Table(
            header=("Step", "Token", "Without the cache", "Masked", "Computed again", "With the cache", "Rows read"),
            rows=tuple(counts),
        ),
        "scores": Table(header=("Query", *(f"k{j}" for j in width)), rows=tuple((f"q{i}", *matrix[i - 1]) for i in width)),
        "outputs": Table(header=("Step", "Scores times values", "With the cache", "Without"), rows=tuple(sums)),
    }
    at: dict[sympy.Symbol, Value] = {N: len(example.tokens)}
    steps = {
        "all": step("scores without the cache", r"S_{\text{without}}", ALL_SCORES, at),
        "needed": step("scores with the cache", r"S_{\text{with}}", NEEDED_SCORES, at),
    }
    return Part(title="Step by step", steps=steps, tables=tables)


def _sum(scores: list[int], values: Rows) -> str:
    """What a step adds up, such as 1·(3, 1) + 4·(0, 2)."""
    return " + ".join(
        f"{score if score >= 0 else f'({score})'}·{_vector(row)}" for score, row in zip(scores, values, strict=False)
    )


def _vector(entries: list[int]) -> str:
    return f"({', '.join(map(str, entries))})"


def _costs(params: CacheParams) -> Part:
    conventions, at = params.conventions, params.at(params.last_len)
    flops = [step_flops(groups, conventions.flops_per_multiply_add) for groups in (uncached_groups(), cached_groups())]
    moved = [step_bytes(groups, conventions.bytes_per_element) for groups in (uncached_groups(), cached_groups())]
    steps = {
        "flops_without": step("FLOPs of a step without the cache", r"F_{\text{without}}", flops[0], at, "FLOP"),
        "flops_with": step("FLOPs of a step with it", r"F_{\text{with}}", flops[1], at, "FLOP"),
        "bytes_without": step("bytes of a step without the cache", r"M_{\text{without}}", moved[0], at, "B"),
        "bytes_with": step("bytes of a step with it", r"M_{\text{with}}", moved[1], at, "B"),
        **_generation(params),
    }
    rows = tuple(_row(params, length, flops, moved) for length in params.seq_lens)
    header = ("Tokens", "GFLOP without", "GFLOP with", "GB without", "GB with", "FLOP/B without", "FLOP/B with")
    return Part(title="FLOPs and bytes", steps=steps, tables={"lengths": Table(header=header, rows=rows)})


def _row(params: CacheParams, length: int, flops: list[sympy.Expr], moved: list[sympy.Expr]) -> tuple[Cell, ...]:
    at = params.at(length)
    counted, bytes_ = ([rational(exact(one.subs(at))) for one in both] for both in (flops, moved))
    intensities = (f / m for f, m in zip(counted, bytes_, strict=True))
    return (length, *(exact(f / GIGA) for f in counted), *(exact(m / GIGA) for m in bytes_), *map(exact, intensities))


def _generation(params: CacheParams) -> dict[str, Step]:
    """Positions, scores a head and FLOPs of a prompt and the tokens generated after it."""
    at: dict[sympy.Symbol, Value] = {PROMPT: params.prompt_len, NEW: params.new_tokens}
    formula = generation_flops(params.conventions.flops_per_multiply_add)
    sizes = {symbol: value for symbol, value in params.at(params.last_len).items() if symbol not in (CONTEXT, N_HEAD)}
    steps = {}
    for name, cached in (("without", False), ("with", True)):
        passed = step(f"positions, {name} the cache", rf"P_{{\text{{{name}}}}}", positions(cached=cached), at)
        scored = step(f"scores a head, {name} the cache", rf"S_{{\text{{{name}}}}}", scores(cached=cached), at)
        put_in = {**sizes, NEW: params.new_tokens, POSITIONS: passed.value, SCORES: scored.value}
        steps[f"positions_{name}"], steps[f"scores_{name}"] = passed, scored
        steps[f"total_{name}"] = step(
            f"FLOPs in all, {name} the cache", rf"\Sigma F_{{\text{{{name}}}}}", formula, put_in, "FLOP"
        )
    saved = exact(rational(steps["total_without"].value) / rational(steps["total_with"].value))
    steps["saved"] = Step(what="FLOPs in all, without over with", symbol=r"\rho", value=saved)
    return steps


def _memory(params: CacheParams) -> Part:
    element, at = params.conventions.bytes_per_element, params.at(params.last_len)
    cache = element * cache_values(ONE)
    equal = weight_values(ONE) / (cache_values(ONE) / CONTEXT)
    steps = {
        "token": step("cache of one token", r"M_{\text{token}}", cache / CONTEXT, at, "B"),
        "cache": step("cache at the last step", r"M_{\text{cache}}", cache, at, "B"),
        "equal": step("tokens whose cache is as large as the weights", "n^*", equal, at),
    }
    rows = []
    for length in params.seq_lens:
        held = rational(exact(cache.subs(params.at(length))))
        share = held / rational(exact(element * weight_values(ONE).subs(params.at(length))))
        rows.append((length, exact(held / GIB), share))
    header = ("Tokens", "Cache", "Share of the weights")
    return Part(title="Size of the cache", steps=steps, tables={"lengths": Table(header=header, rows=tuple(rows))})


def verify(params: CacheParams, answer: Answer) -> Iterator[Check]:
    """Attend with whole-number tensors, decode with a small model and its cache, and count on meta tensors."""
    from generators.oracles.kv_cache import verify_cache

    return verify_cache(params, answer)


def draw(params: CacheParams, answer: Answer) -> dict[str, Figure]:
    """The scores of every step, and what the cache saves over the length."""
    from generators.figures.kv_cache import saving_figure, steps_figure

    return {
        "steps": steps_figure(answer["1"].tables["scores"]),
        "saving": saving_figure(answer["2"].tables["lengths"]),
    }


QUESTION = SelfVerifying(
    title="KV cache inference step by step",
    points=0,
    params=CacheParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
