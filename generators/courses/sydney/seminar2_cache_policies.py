"""Seminar 2, cache policies: the tokens that each keeps, the memory it takes, and the error it makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Cell, Figure, Value, exact, rational
from generators.params import Exact, Params, PositiveInt
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.batching import CONTEXT, N_HEAD, N_LAYER, D
from generators.topics.cache_policies import (
    BUDGET,
    Attention,
    Eviction,
    Kept,
    Pull,
    attention_based,
    cached_values,
    dense,
    entries,
    initial_and_window,
    kept_sums,
    relative_error,
    seeded_attention,
    window,
)

MIB = 2**20
Length = Annotated[int, Field(gt=0, le=2**24)]


class Conventions(Params):
    """What the counts rest on."""

    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of an element of a key or value (2 is FP16)")
    bytes_per_sum: Literal[2, 4] = Field(4, description="bytes of a running sum of attention (4 is FP32)")


class PulledToken(Params):
    """A token, counted from 1, that draws attention."""

    token: PositiveInt
    score: Annotated[Exact, Field(ge=-20, le=20)]
    value_scale: Annotated[Exact, Field(gt=0, le=10)]


class SeededHead(Params):
    """A seeded attention head, and the tokens that every query looks at."""

    n_tokens: Annotated[int, Field(ge=3, le=20)]
    head_width: Annotated[int, Field(ge=1, le=8)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    pulls: Annotated[list[PulledToken], Field(max_length=6)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        tokens = [pull.token for pull in self.pulls]
        for token in tokens:
            if token > self.n_tokens:
                raise ValueError(f"pulls: token must be at most n_tokens (got {token})")
            if tokens.count(token) > 1:
                raise ValueError(f"pulls: each token must stand once (got {token} twice)")
        return self


class Memory(Params):
    """A model, its budget, and the lengths at which the cache is counted."""

    n_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    budget: Length
    seq_len: Length
    seq_lens: Annotated[list[Length], Field(min_length=2, max_length=10)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model: must be divisible by n_heads (got {self.d_model} and {self.n_heads})")
        if self.seq_lens != sorted(set(self.seq_lens)):
            raise ValueError(f"seq_lens: must rise from each to the next (got {self.seq_lens})")
        return self


class PolicyParams(Params):
    """The budget and how it is shared, the head on which policies are tried, and the model whose memory is counted."""

    budget: PositiveInt
    n_initial: PositiveInt
    n_recent: PositiveInt
    attention: SeededHead
    memory: Memory
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.budget >= self.attention.n_tokens:
            raise ValueError(f"budget: must be less than n_tokens (got {self.budget} and {self.attention.n_tokens})")
        for name in ("n_initial", "n_recent"):
            if getattr(self, name) >= self.budget:
                raise ValueError(f"{name}: must be less than budget (got {getattr(self, name)} and {self.budget})")
        return self

    def at(self, length: int) -> dict[sympy.Symbol, Value]:
        """The letters of the formulas, with `length` tokens so far."""
        memory = self.memory
        sizes = {N_LAYER: memory.n_layers, D: memory.d_model, N_HEAD: memory.n_heads}
        return {**sizes, BUDGET: memory.budget, CONTEXT: length}


@lru_cache(maxsize=4)
def _tried(
    head: tuple[int, int, int], pulls: tuple[tuple[int, Fraction, Fraction], ...], budget: int, n_initial: int, n_recent: int
) -> tuple[Attention, dict[str, list[Kept]], list[Eviction]]:
    n_tokens, head_width, seed = head
    pulled = {token - 1: Pull(score, scale) for token, score, scale in pulls}
    attention = seeded_attention(seed, n_tokens, head_width, pulled)
    by_attention, evictions = attention_based(attention, budget, n_recent)
    policies = {
        "Dense": dense(n_tokens),
        "Window": window(n_tokens, budget),
        "Initial and window": initial_and_window(n_tokens, budget, n_initial),
        "Attention-based": by_attention,
    }
    return attention, policies, evictions


def tried(params: PolicyParams) -> tuple[Attention, dict[str, list[Kept]], list[Eviction]]:
    """The head, what each policy keeps for each query, and what the attention-based one evicts."""
    head = params.attention
    pulls = tuple((pull.token, pull.score, pull.value_scale) for pull in head.pulls)
    return _tried((head.n_tokens, head.head_width, head.seed), pulls, params.budget, params.n_initial, params.n_recent)


def solve(params: PolicyParams) -> Answer:
    """Follow each policy query by query, count its memory, and compare its outputs with dense attention."""
    return Answer({"1": _kept(params), "2": _memory(params), "3": _errors(params)})


def ranges(positions: Sequence[int]) -> str:
    """Positions from 0 as numbers from 1, runs of three and more by their ends: 1, 2, 5–8."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][-1] == position - 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return ", ".join(_run(run) for run in runs)


def _run(run: list[int]) -> str:
    return f"{run[0] + 1}–{run[-1] + 1}" if len(run) > 2 else ", ".join(str(position + 1) for position in run)


def _kept(params: PolicyParams) -> Part:
    _, policies, evictions = tried(params)
    rows = tuple((i + 1, *(ranges(kept[i]) for kept in policies.values())) for i in range(params.attention.n_tokens))
    left: list[tuple[Cell, ...]] = []
    for eviction in evictions:
        (out, least), (stays, more) = eviction.candidates[:2]
        left.append((eviction.query + 1, out + 1, float(least), stays + 1, float(more)))
    tables = {
        "kept": Table(header=("Query", *policies), rows=rows),
        "evictions": Table(header=("Query", "Leaves", "Its sum", "Next", "Sum of the next"), rows=tuple(left)),
    }
    return Part(title="Which tokens stay", tables=tables)


def _memory(params: PolicyParams) -> Part:
    memory, conventions = params.memory, params.conventions
    at, element = params.at(memory.seq_len), conventions.bytes_per_element
    whole, cut = element * cached_values(CONTEXT), element * cached_values(entries())
    sums = conventions.bytes_per_sum * kept_sums(entries())
    steps = {
        "entries": step("tokens kept", r"n_{\text{kept}}", entries(), at),
        "dense": step("cache of dense attention", r"M_{\text{dense}}", whole, at, "B"),
        "cut": step("cache of a policy with a budget", r"M_{\text{budget}}", cut, at, "B"),
        "sums": step("running sums of the attention-based policy", r"M_{\text{sums}}", sums, at, "B"),
    }
    steps["share"] = Step(
        what="cache with the budget over the dense one",
        symbol=r"\rho",
        value=exact(rational(steps["cut"].value) / rational(steps["dense"].value)),
    )
    rows = []
    for length in memory.seq_lens:
        here = params.at(length)
        held = (exact(one.subs(here) / MIB) for one in (whole, cut, sums))
        rows.append((length, exact(entries().subs(here)), *held))
    header = ("Tokens", "Kept", "Dense", "Budget", "Running sums")
    return Part(title="Memory", steps=steps, tables={"lengths": Table(header=header, rows=tuple(rows))})


def _errors(params: PolicyParams) -> Part:
    attention, policies, _ = tried(params)
    context = attention.context
    queries = range(params.attention.n_tokens)
    true = [attention.output(i, policies["Dense"][i]) for i in queries]
    limited = {name: kept for name, kept in policies.items() if name != "Dense"}
    found = {name: [attention.output(i, kept[i]) for i in queries] for name, kept in limited.items()}
    rows = []
    for i in range(params.budget, len(queries)):
        whole = attention.weights(i, policies["Dense"][i])
        shares = (float(context.fsum(whole[j] for j in kept[i])) for kept in limited.values())
        errors = (float(relative_error(context, [outputs[i]], [true[i]])) for outputs in found.values())
        rows.append((i + 1, *shares, *errors))
    overall = tuple((name, float(relative_error(context, outputs, true))) for name, outputs in found.items())
    header = ("Query", *(f"{name}: weight" for name in limited), *(f"{name}: error" for name in limited))
    tables = {
        "queries": Table(header=header, rows=tuple(rows)),
        "overall": Table(header=("Policy", "Relative error"), rows=overall),
    }
    return Part(title="Error", tables=tables)


def verify(params: PolicyParams, answer: Answer) -> Iterator[Check]:
    """Decide position by position, attend with torch under each mask, and fill caches without storage."""
    from generators.oracles.cache_policies import verify_policies

    return verify_policies(params, answer)


def draw(params: PolicyParams, answer: Answer) -> dict[str, Figure]:
    """The masks, the memory over the length, and the error over the queries."""
    from generators.figures.cache_policies import error_figure, masks_figure, memory_figure

    return {
        "masks": masks_figure(tried(params)[1]),
        "memory": memory_figure(answer["2"].tables["lengths"], params.memory.budget),
        "errors": error_figure(answer["3"].tables["queries"]),
    }


QUESTION = SelfVerifying(
    title="Cache policies: window, initial tokens, attention-based",
    points=0,
    params=PolicyParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
