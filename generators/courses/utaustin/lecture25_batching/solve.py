"""Counts a step's bytes and FLOPs, times it for every batch size, and finds where batching ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, exact, rational
from generators.courses.utaustin.lecture25_batching.params import BatchingParams
from generators.table import Column, Table, column, table
from generators.topics.batching import (
    BATCH,
    CONTEXT,
    N_HEAD,
    N_LAYER,
    D,
    Group,
    Sizes,
    V,
    attention_groups,
    cache_values,
    weight_groups,
    weight_values,
)
from generators.topics.roofline import ridge_point, roofline_seconds

RIDGE, WEIGHTS, CACHE, MEMORY = sympy.symbols("I_ridge M_weights M_cache M", positive=True)
STEP, THROUGHPUT = Column(key="step", unit="ms"), Column(key="throughput", unit="tokens/s")


def solve(params: BatchingParams) -> Answer:
    """One step, every batch size, and the limits."""
    sheet = _sheet(params)
    step = _one_step(params, sheet)
    bench = Bench(params)
    return answer(sheet, step, _trade_off(params, bench), _limits(params, bench, step, sheet))


def _sheet(params: BatchingParams) -> Part:
    model, one = params.model, params.accelerator
    return part(
        "sheet",
        "Given",
        letter(N_LAYER, model.n_layers, "layers"),
        letter(D, model.d_model, "model width"),
        letter(N_HEAD, model.n_heads, "heads"),
        letter(V, model.vocabulary_size, "words of the vocabulary"),
        letter(CONTEXT, params.context_len, "cached tokens of a sequence, the token of the step included"),
        text("accelerator", one.name),
        text("source", one.source),
        number("peak", one.peak_tflops, unit="TFLOP/s"),
        number("bandwidth", one.bandwidth_gb_per_s, unit="GB/s"),
        number("memory", one.memory_gb, unit="GB"),
        letter(MEMORY, exact(one.memory_gb * 10**9), "memory", "B"),
    )


@dataclass(frozen=True)
class Bench:
    """The model on the accelerator: what a step takes and what it holds."""

    params: BatchingParams

    def sizes(self, batch: int, context: int) -> Sizes:
        """The model with this batch and context."""
        model = self.params.model
        return Sizes(batch, context, model.n_layers, model.d_model, model.n_heads, model.vocabulary_size)

    def largest_batch(self, context: int) -> int:
        """Sequences whose caches fit beside the weights."""
        element, sizes = self.params.conventions.bytes_per_element, self.sizes(1, context)
        free = self.params.accelerator.memory_gb * 10**9 - rational(exact(element * weight_values(sizes)))
        return int(free // self.cache(context))

    def cache(self, context: int) -> Fraction:
        """Bytes of one sequence's keys and values."""
        return rational(exact(self.params.conventions.bytes_per_element * cache_values(self.sizes(1, context))))

    def times(self, batch: int, context: int) -> tuple[Fraction, Fraction]:
        """Milliseconds of one step for products with weights, and for attention."""
        sizes = self.sizes(batch, context)
        groups = weight_groups(sizes), attention_groups(sizes)
        with_weights, attention = (sum(map(self._milliseconds, ones), Fraction(0)) for ones in groups)
        return with_weights, attention

    def _milliseconds(self, group: Group) -> Fraction:
        """Products follow one another, each as long as its FLOPs or its bytes take."""
        one, conventions = self.params.accelerator, self.params.conventions
        flops = rational(exact(group.flops(conventions.flops_per_multiply_add)))
        moved = rational(exact(group.bytes_moved(conventions.bytes_per_element)))
        return 1000 * roofline_seconds(flops, moved, one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9)

    def row(self, batch: int, context: int) -> dict[str, Fraction]:
        """Time of a step and throughput, alone and against a batch of one."""
        alone, step = sum(self.times(1, context)), Fraction(sum(self.times(batch, context)))
        return {
            "step": step,
            "throughput": 1000 * batch / step,
            "throughput_gain": batch * alone / step,
            "latency_factor": step / alone,
        }


def _one_step(params: BatchingParams, sheet: Part) -> Part:
    conventions, sizes = params.conventions, Sizes()
    element, flops = conventions.bytes_per_element, conventions.flops_per_multiply_add
    with_weights = sum(group.flops(flops) for group in weight_groups(sizes)) / BATCH
    attention = sum(group.flops(flops) for group in attention_groups(sizes)) / BATCH
    return part(
        "1",
        "One step: weights once, a cache for each sequence",
        formula("weights", element * weight_values(sizes), "all weights", WEIGHTS, "B", asked=True),
        formula("cache", element * cache_values(sizes), "keys and values of one sequence", CACHE, "B", asked=True),
        formula("flops_weights", sympy.expand(with_weights), "FLOPs of one token with weights", r"F_{\text{weights}}", "FLOP"),
        formula("flops_attention", sympy.expand(attention), "FLOPs of one token's attention", r"F_{\text{cache}}", "FLOP"),
        within=sheet,
    )


def _trade_off(params: BatchingParams, bench: Bench) -> Part:
    rows: dict[str, Mapping[str, Cell]] = {}
    fits = bench.largest_batch(params.context_len)
    for place, batch in enumerate(params.batch_sizes, 1):
        weights, attention = bench.times(batch, params.context_len)
        rows[f"size_{place}"] = {
            "batch": batch,
            "weights": weights,
            "attention": attention,
            **bench.row(batch, params.context_len),
            "fits": "yes" if batch <= fits else "no",
        }
    columns: list[Column | str] = [
        "batch", column("weights", unit="ms"), column("attention", unit="ms"), STEP, THROUGHPUT, "throughput_gain",
        "latency_factor", "fits",
    ]  # fmt: skip
    return part(
        "2",
        "Throughput against latency",
        table("batches", columns, rows, asked=True),
        claim("second_fits", params.batch_sizes[1] <= fits),
        _curves(params, bench),
    )


def _curves(params: BatchingParams, bench: Bench) -> Table:
    """Latency and throughput of every length, for the batch sizes that fit and the largest that does."""
    rows: dict[str, Mapping[str, Cell]] = {}
    for place, length in enumerate(_lengths(params), 1):
        most = bench.largest_batch(length)
        for size, batch in enumerate(sorted({*(one for one in params.batch_sizes if one <= most), most}), 1):
            cells = bench.row(batch, length)
            rows[f"length_{place}.size_{size}"] = {
                "context": length, "batch": batch, "step": cells["step"], "throughput": cells["throughput"]
            }  # fmt: skip
    return table("curves", ["context", "batch", STEP, THROUGHPUT], rows, drawn=True)


def _lengths(params: BatchingParams) -> list[int]:
    return sorted([params.context_len, *params.other_context_lens])


def _limits(params: BatchingParams, bench: Bench, step: Part, sheet: Part) -> Part:
    one, most = params.accelerator, bench.largest_batch(params.context_len)
    ridge = ridge_point(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9)
    what = "batch whose caches weigh as much as the weights"
    return part(
        "3",
        "Where it ends",
        letter(WEIGHTS, step["weights"].value, "all weights", "B"),
        letter(CACHE, step["cache"].value, "keys and values of one sequence", "B"),
        letter(RIDGE, exact(ridge), "ridge point", "FLOP/B"),
        formula("balanced", WEIGHTS / CACHE, what, r"b_{\text{even}}", asked=True),
        formula("fitting", sympy.floor((MEMORY - WEIGHTS) / CACHE), "largest batch that fits", r"b_{\text{max}}", asked=True),
        claim("one_fits", most == 1),
        claim("several_fit", most > 1),
        number("gain", bench.row(most, params.context_len)["throughput_gain"], "throughput over that of one sequence"),
        *_compute_bound(params, ridge),
        _by_context(params, bench),
        within=sheet,
    )


def _compute_bound(params: BatchingParams, ridge: Fraction) -> list[Item]:
    """The batch at which a product with D×D weights reaches the ridge point, if any does."""
    flops, element = params.conventions.flops_per_multiply_add, params.conventions.bytes_per_element
    reached = flops * params.model.d_model > 2 * ridge * element
    claims: list[Item] = [claim("reaches_ridge", reached), claim("always_memory_bound", not reached)]
    if not reached:
        return claims
    bound = sympy.ceiling(RIDGE * element * D / (flops * D - 2 * RIDGE * element))
    return [*claims, formula("compute_bound", bound, "batch from which D×D products are compute-bound", "b^*", asked=True)]


def _by_context(params: BatchingParams, bench: Bench) -> Table:
    """The largest batch that fits, by context, with its latency and throughput."""
    rows: dict[str, Mapping[str, Cell]] = {}
    for place, length in enumerate(_lengths(params), 1):
        most = bench.largest_batch(length)
        cells = bench.row(most, length)
        rows[f"length_{place}"] = {
            "context": length,
            "cache_of_a_sequence": exact(bench.cache(length)),
            "largest_batch": most,
            **{key: cells[key] for key in ("step", "throughput", "throughput_gain")},
        }
    columns: list[Column | str] = [
        "context",
        column("cache_of_a_sequence", unit="B"),
        "largest_batch",
        STEP,
        THROUGHPUT,
        "throughput_gain",
    ]
    return table("contexts", columns, rows)
