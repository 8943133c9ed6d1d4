"""Counts a step's bytes and FLOPs, times it for every batch size, and finds where batching ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, at, exact, rational
from generators.courses.utaustin.lecture25_batching.params import BatchingParams
from generators.depending import holds_now, one_if
from generators.table import Table, column, table
from generators.topics.roofline import Product, ridge_point, roofline_seconds
from generators.traced import alone

BATCH, CONTEXT, N_LAYER, D, N_HEAD, N_VOCAB, N_KV, H, D_FF = sympy.symbols("b n N_layer D n_H N_vocab n_KV H D_ff", positive=True)
RIDGE, WEIGHTS, CACHE, EMBEDDING, MEMORY = sympy.symbols("I_ridge M_weights M_cache M_embedding M_GPU", positive=True)
ELEMENT, FLOPS = sympy.symbols("s f", positive=True)


Groups: TypeAlias = Sequence[tuple[sympy.Expr, Product]]
"""Products of one step, each with the number of equal ones."""
MATRICES = N_LAYER * 2 * D * (H * (N_HEAD + N_KV) + D_FF) + D * N_VOCAB
"""Values that every step reads: W^Q, W^K, W^V, W^O, the two feed-forward matrices of each layer, and the output head."""
KEYS_AND_VALUES = 2 * N_LAYER * CONTEXT * N_KV * H
WITH_WEIGHTS = [
    (N_LAYER, Product(BATCH, D, N_HEAD * H)),
    (2 * N_LAYER, Product(BATCH, D, N_KV * H)),
    (N_LAYER, Product(BATCH, N_HEAD * H, D)),
    (N_LAYER, Product(BATCH, D, D_FF)),
    (N_LAYER, Product(BATCH, D_FF, D)),
    (sympy.Integer(1), Product(BATCH, D, N_VOCAB)),
]
"""All sequences of the batch share one reading of each matrix."""
ATTENTION = [
    (BATCH * N_LAYER * N_KV, Product(N_HEAD / N_KV, H, CONTEXT)),
    (BATCH * N_LAYER * N_KV, Product(N_HEAD / N_KV, CONTEXT, H)),
]
"""QKᵀ and score·V: the queries that share a head of keys and values read it together."""
STEP = (column("throughput", unit="tokens/s"), column("step", unit="ms"))


def solve(params: BatchingParams) -> Answer:
    """One step, every batch size, and the limits."""
    sheet = _sheet(params)
    step, bench = _one_step(sheet), Bench(params, sheet)
    return answer(sheet, step, _trade_off(params, bench), _limits(params, bench, step, sheet))


def _sheet(params: BatchingParams) -> Part:
    model, one, held = params.model, params.accelerator, params.conventions
    return part(
        "sheet",
        "Given",
        letter(N_LAYER, model.n_layers, "layers"),
        letter(D, model.d_model, "model width"),
        letter(N_HEAD, model.n_heads, "heads"),
        letter(N_KV, model.n_kv_heads or model.n_heads, "heads of keys and values"),
        letter(H, model.head_dim or model.d_model // model.n_heads, "width of a head"),
        letter(D_FF, model.d_ff or 4 * model.d_model, "inner width of the feed-forward networks"),
        letter(N_VOCAB, model.vocabulary_size, "tokens of the vocabulary"),
        letter(CONTEXT, params.context_len, "cached tokens of a sequence, the token of the step included"),
        letter(ELEMENT, held.bytes_per_element, "bytes of a value", "B"),
        letter(FLOPS, held.flops_per_multiply_add, "FLOPs of a multiply-add", "FLOP"),
        text("accelerator", one.name),
        text("source", one.source),
        number("peak", one.peak_tflops, unit="TFLOP/s"),
        number("bandwidth", one.bandwidth_gb_per_s, unit="GB/s"),
        number("memory", one.memory_gb, unit="GB"),
        letter(MEMORY, exact(one.memory_gb * 10**9), "memory of the accelerator", "B"),
    )


@dataclass(frozen=True)
class Bench:
    """The model on the accelerator: what a step takes and what it holds."""

    params: BatchingParams
    sheet: Part

    def at(self, expression: sympy.Expr, batch: int, context: int) -> Fraction:
        """An expression in the letters of the page, with this batch and context."""
        letters = {symbol: one.value for symbol, one in self.sheet.letters.items()} | {BATCH: batch, CONTEXT: context}
        return rational(at(expression, letters))

    def largest_batch(self, context: int) -> int:
        """Sequences whose caches fit beside the weights and the embedding."""
        return math.floor(self.at((MEMORY / ELEMENT - MATRICES - D * N_VOCAB) / KEYS_AND_VALUES, 1, context))

    def seconds(self, groups: Groups, batch: int, context: int) -> Fraction:
        """One product after the other, each as long as its FLOPs or its bytes take; peaks count 2 FLOPs a multiply-add."""
        one, element = self.params.accelerator, self.params.conventions.bytes_per_element
        peak, bandwidth = one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9
        counts = [(count * product.flops(2), count * product.bytes_moved(element)) for count, product in groups]
        numbers = ((self.at(flops, batch, context), self.at(moved, batch, context)) for flops, moved in counts)
        return sum((roofline_seconds(flops, moved, peak, bandwidth) for flops, moved in numbers), Fraction(0))

    def step(self, batch: int, context: int) -> tuple[Fraction, Fraction]:
        """Tokens a second of all sequences, and the milliseconds of one step."""
        seconds = self.seconds([*WITH_WEIGHTS, *ATTENTION], batch, context)
        return batch / seconds, 1000 * seconds

    def batches(self, context: int) -> dict[str, tuple[int, bool]]:
        """Batch sizes, each with whether its row is shown: that of one always is, others below the largest that fits."""
        most = self.largest_batch(context)
        sizes = {f"size_{place}": (batch, batch == 1 or batch < most) for place, batch in enumerate(self.params.batch_sizes, 1)}
        return {**sizes, "largest": (most, most > 1)}


def _one_step(sheet: Part) -> Part:
    return part(
        "1",
        "One step: weights once, a cache for each sequence",
        formula("weights", ELEMENT * MATRICES, "weights that a step reads", WEIGHTS, "B", asked=True),
        formula("cache", ELEMENT * KEYS_AND_VALUES, "keys and values of one sequence", CACHE, "B", asked=True),
        formula("flops_weights", FLOPS * MATRICES, "FLOPs of one token with weights", r"F_{\text{weights}}", "FLOP", asked=True),
        formula(
            "flops_attention",
            FLOPS * KEYS_AND_VALUES * N_HEAD / N_KV,
            "FLOPs of one token's attention",
            r"F_{\text{cache}}",
            "FLOP",
            asked=True,
        ),
        within=sheet,
    )


@alone
def _trade_off(params: BatchingParams, bench: Bench) -> Part:
    """Every batch size that fits, beside a batch of one."""
    context, rows, is_there = params.context_len, {}, {}
    alone = bench.step(1, context)[1]
    for key, (batch, is_there[key]) in bench.batches(context).items():
        throughput, step = bench.step(batch, context)
        parts = (1000 * bench.seconds(groups, batch, context) for groups in (WITH_WEIGHTS, ATTENTION))
        rows[key] = (batch, throughput, step, batch * alone / step, step / alone, *parts)
    gains = [column("throughput_gain"), column("latency_factor"), column("weights", unit="ms"), column("attention", unit="ms")]
    return part(
        "2",
        "Throughput against latency",
        table("batches", ["batch", *STEP, *gains], rows, asked=True, depending=is_there),
        _curves(params, bench),
    )


def _lengths(params: BatchingParams) -> dict[str, int]:
    """The page's length and the others, by key."""
    return {"own": params.context_len, **{f"other_{place}": n for place, n in enumerate(params.other_context_lens, 1)}}


def _curves(params: BatchingParams, bench: Bench) -> Table:
    """Throughput and latency of every length and batch size that fits."""
    rows: dict[str, tuple[Cell, ...]] = {}
    is_there = {}
    for length, context in _lengths(params).items():
        stands_once = length == "own" or context != params.context_len
        for size, (batch, fits) in bench.batches(context).items():
            is_there[f"{length}.{size}"] = one_if(stands_once) * one_if(fits) > 0
            rows[f"{length}.{size}"] = (context, batch, *bench.step(batch, context))
    return table("curves", ["context", "batch", *STEP], rows, drawn=True, depending=is_there)


def _limits(params: BatchingParams, bench: Bench, step: Part, sheet: Part) -> Part:
    one, context, most = params.accelerator, params.context_len, bench.largest_batch(params.context_len)
    ridge = ridge_point(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9)
    lengths, is_new = {}, {key: n != context for key, n in _lengths(params).items() if key != "own"}
    for key, n in _lengths(params).items():
        largest = bench.largest_batch(n)
        lengths[key] = (n, largest, *bench.step(largest, n))
    outweighed = rational(step["weights"].value) // rational(step["cache"].value) + 1
    return part(
        "3",
        "Where it ends",
        letter(WEIGHTS, step["weights"].value, "weights that a step reads", "B"),
        letter(CACHE, step["cache"].value, "keys and values of one sequence", "B"),
        letter(RIDGE, exact(ridge), "ridge point", "FLOP/B"),
        formula("embedding", ELEMENT * D * N_VOCAB, "input embedding", EMBEDDING, "B"),
        formula("balanced", sympy.floor(WEIGHTS / CACHE) + 1, "batch whose caches outweigh the weights", "b_{>}", asked=True),
        formula(
            "fitting",
            sympy.floor((MEMORY - WEIGHTS - EMBEDDING) / CACHE),
            "largest batch that fits",
            r"b_{\text{max}}",
            asked=True,
        ),
        claim("one_fits", most == 1),
        claim("several_fit", most > 1),
        number("gain", bench.step(most, context)[0] / bench.step(1, context)[0], "throughput over that of one sequence"),
        number("outweighed", bench.step(outweighed, context)[0], "throughput of that batch", unit="tokens/s"),
        number(
            "caches_alone", 1 / bench.seconds(ATTENTION, 1, context), "throughput that reading caches allows", unit="tokens/s"
        ),
        *_compute_bound(bench, ridge, most),
        table("contexts", ["context", "largest_batch", *STEP], lengths, depending=is_new),
        within=sheet,
    )


def _compute_bound(bench: Bench, ridge: Fraction, most: int) -> list[Item]:
    """The batch at which a product with W^Q reaches the ridge point, if any does; peaks count 2 FLOPs a multiply-add."""
    width, least = N_HEAD * H, RIDGE * ELEMENT
    left = 2 * D * width - least * (D + width)
    reached = bench.at(left.subs(RIDGE, ridge), 1, 1)
    claims: list[Item] = [claim("reaches_ridge", reached > 0), claim("always_memory_bound", reached <= 0)]
    if not holds_now(reached > 0):
        return claims
    bound = sympy.ceiling(least * D * width / left)
    claims.append(claim("memory_first", most < bench.at(bound.subs(RIDGE, ridge), 1, 1), "memory is full before that batch"))
    return [*claims, formula("compute_bound", bound, "batch from which products with W^Q are compute-bound", "b^*", asked=True)]
