"""Lecture 25, batching: what decoding many sequences together gains in throughput and costs in latency."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Value, exact, rational
from generators.params import Params, PositiveExact, PositiveInt, Text
from generators.pipeline.wording import counted
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.batching import (
    BATCH,
    CONTEXT,
    N_HEAD,
    N_LAYER,
    D,
    Machine,
    Sizes,
    V,
    attention_groups,
    cache_values,
    weight_groups,
    weight_values,
)
from generators.topics.roofline import ridge_point

RIDGE, WEIGHTS, CACHE, MEMORY = sympy.symbols("I^* M_weights M_cache M", positive=True)


class Conventions(Params):
    """What the numbers rest on."""

    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")
    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one weight, key or value (2 is FP16)")


class Model(Params):
    """A decoder whose heads all have keys and values of their own."""

    n_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    vocabulary_size: PositiveInt


class Accelerator(Params):
    """Peak figures as the source states them; memory in units of 10^9 bytes."""

    name: Text
    peak_tflops: PositiveExact
    bandwidth_gb_per_s: PositiveExact
    memory_gb: PositiveExact
    source: Text


class BatchingParams(Params):
    """The model, the batch sizes, the cached tokens of each sequence, and the accelerator."""

    model: Model
    context_len: PositiveInt
    other_context_lens: Annotated[list[PositiveInt], Field(max_length=4)]
    batch_sizes: Annotated[list[PositiveInt], Field(min_length=2, max_length=12)]
    accelerator: Accelerator
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        model = self.model
        if model.d_model % model.n_heads:
            raise ValueError(f"model: d_model must be divisible by n_heads (got {model.d_model} and {model.n_heads})")
        if self.batch_sizes != sorted(set(self.batch_sizes)) or self.batch_sizes[0] != 1:
            raise ValueError(f"batch_sizes: must begin with 1 and rise (got {self.batch_sizes})")
        if len(set(self.context_lens)) < len(self.context_lens):
            raise ValueError(f"other_context_lens: must differ from context_len and each other (got {self.other_context_lens})")
        for length in self.context_lens:
            if largest_batch(self, length) < 1:
                raise ValueError(
                    f"accelerator: memory_gb must hold the weights and one sequence of {counted(length, 'token')} "
                    f"(got {self.accelerator.memory_gb})"
                )
        return self

    @property
    def context_lens(self) -> list[int]:
        """All lengths, from the shortest."""
        return sorted([self.context_len, *self.other_context_lens])

    @property
    def machine(self) -> Machine:
        """The accelerator in FLOP/s and B/s."""
        one, conventions = self.accelerator, self.conventions
        return Machine(
            one.peak_tflops * 10**12,
            one.bandwidth_gb_per_s * 10**9,
            conventions.flops_per_multiply_add,
            conventions.bytes_per_element,
        )

    @property
    def memory_bytes(self) -> Fraction:
        """The accelerator's memory."""
        return self.accelerator.memory_gb * 10**9

    def sizes(self, batch: int, context: int) -> Sizes:
        """The model with this batch and context."""
        model = self.model
        return Sizes(batch, context, model.n_layers, model.d_model, model.n_heads, model.vocabulary_size)

    @property
    def letters(self) -> dict[sympy.Symbol, Value]:
        """The letters of the formulas with their values, without the batch."""
        model = self.model
        values = {N_LAYER: model.n_layers, D: model.d_model, N_HEAD: model.n_heads, V: model.vocabulary_size}
        return {**values, CONTEXT: self.context_len}


def held_bytes(params: BatchingParams, context: int) -> tuple[Fraction, Fraction]:
    """Bytes of the weights, and of one sequence's cache."""
    sizes, element = params.sizes(1, context), params.conventions.bytes_per_element
    return rational(exact(element * weight_values(sizes))), rational(exact(element * cache_values(sizes)))


def largest_batch(params: BatchingParams, context: int) -> int:
    """Sequences whose caches fit beside the weights."""
    weights, cache = held_bytes(params, context)
    return math.floor((params.memory_bytes - weights) / cache)


def times(params: BatchingParams, batch: int, context: int) -> tuple[Fraction, Fraction]:
    """Seconds of one step for products with weights, and for attention."""
    sizes = params.sizes(batch, context)
    return params.machine.seconds(weight_groups(sizes)), params.machine.seconds(attention_groups(sizes))


def solve(params: BatchingParams) -> Answer:
    """Count a step's bytes and FLOPs, time it for every batch size, and find where batching ends."""
    return Answer({"1": _one_step(params), "2": _trade_off(params), "3": _limits(params)})


def _one_step(params: BatchingParams) -> Part:
    at, conventions, sizes = params.letters, params.conventions, Sizes()
    element, flops = conventions.bytes_per_element, conventions.flops_per_multiply_add
    with_weights = sum(group.flops(flops) for group in weight_groups(sizes)) / BATCH
    attention = sum(group.flops(flops) for group in attention_groups(sizes)) / BATCH
    steps = {
        "weights": step("all weights", r"M_{\text{weights}}", element * weight_values(sizes), at, "B"),
        "cache": step("keys and values of one sequence", r"M_{\text{cache}}", element * cache_values(sizes), at, "B"),
        "flops_weights": step("FLOPs of one token with weights", r"F_{\text{weights}}", sympy.expand(with_weights), at, "FLOP"),
        "flops_attention": step("FLOPs of one token's attention", r"F_{\text{cache}}", sympy.expand(attention), at, "FLOP"),
    }
    return Part(title="One step: weights once, a cache for each sequence", steps=steps)


def _trade_off(params: BatchingParams) -> Part:
    rows = []
    alone = sum(times(params, 1, params.context_len))
    fits = largest_batch(params, params.context_len)
    for batch in params.batch_sizes:
        weights, attention = times(params, batch, params.context_len)
        seconds = weights + attention
        gain = batch * alone / seconds
        fit = "yes" if batch <= fits else "no"
        rows.append((batch, 1000 * weights, 1000 * attention, 1000 * seconds, batch / seconds, gain, seconds / alone, fit))
    header = ("Batch", "Weights", "Attention", "Step", "Throughput", "Throughput gain", "Latency factor", "Fits")
    return Part(title="Throughput against latency", tables={"batches": Table(header=header, rows=tuple(rows))})


def _limits(params: BatchingParams) -> Part:
    conventions = params.conventions
    machine = params.machine
    weights, cache = held_bytes(params, params.context_len)
    ridge = ridge_point(machine.peak_flops_per_s, machine.bytes_per_s)
    at = {WEIGHTS: weights, CACHE: cache, MEMORY: params.memory_bytes}
    steps = {
        "ridge": Step(what="ridge point", symbol="I^*", value=exact(ridge), unit="FLOP/B"),
        "balanced": step("batch whose caches weigh as much as the weights", r"b_{\text{even}}", WEIGHTS / CACHE, at),
        "fitting": step("largest batch that fits", r"b_{\text{max}}", sympy.floor((MEMORY - WEIGHTS) / CACHE), at),
    }
    flops, element = conventions.flops_per_multiply_add, conventions.bytes_per_element
    if flops * params.model.d_model > 2 * ridge * element:
        bound = RIDGE * element * D / (flops * D - 2 * RIDGE * element)
        at_ridge = {RIDGE: ridge, D: params.model.d_model}
        steps["compute_bound"] = step("batch from which D×D products are compute-bound", r"b^*", sympy.ceiling(bound), at_ridge)
    return Part(title="Where it ends", steps=steps, tables={"contexts": _by_context(params)})


def _by_context(params: BatchingParams) -> Table:
    """The largest batch that fits, by context, with its latency and throughput."""
    rows = []
    for length in params.context_lens:
        batch = largest_batch(params, length)
        seconds = sum(times(params, batch, length))
        gain = batch * sum(times(params, 1, length)) / seconds
        rows.append((length, exact(held_bytes(params, length)[1]), batch, 1000 * seconds, batch / seconds, gain))
    header = ("Context", "Cache of a sequence", "Largest batch", "Step", "Throughput", "Throughput gain")
    return Table(header=header, rows=tuple(rows))


def verify(params: BatchingParams, answer: Answer) -> Iterator[Check]:
    """Run the step with torch on meta tensors, and time every product that torch runs."""
    from generators.oracles.batching import verify_batching

    return verify_batching(params, answer)


def draw(params: BatchingParams, answer: Answer) -> dict[str, Figure]:
    """Throughput over latency for every context, and what a step's time goes into."""
    from generators.figures.batching import split_figure, trade_off_figure

    curves = {}
    for length in params.context_lens:
        fits = largest_batch(params, length)
        batches = sorted({*(size for size in params.batch_sizes if size <= fits), fits})
        seconds = {batch: sum(times(params, batch, length)) for batch in batches}
        curves[length] = [(batch, float(1000 * time), float(batch / time)) for batch, time in seconds.items()]
    return {
        "trade_off": trade_off_figure(curves, params.context_len),
        "split": split_figure(answer["2"].tables["batches"]),
    }


QUESTION = SelfVerifying(
    title="Batching: throughput against latency",
    points=0,
    params=BatchingParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
