"""Counts a step's bytes and FLOPs, times it for every batch size, and finds where batching ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_batching.params import BatchingParams
from generators.table import Table, column, table
from generators.topics import batching
from generators.topics.batching import BATCH, CONTEXT, N_HEAD, N_LAYER, D, Machine, Sizes, V
from generators.topics.roofline import ridge_point

RIDGE, WEIGHTS, CACHE, MEMORY = sympy.symbols("I_ridge M_weights M_cache M", positive=True)
ELEMENT, FLOPS = sympy.symbols("s f", positive=True)
STEP = (column("step", unit="ms"), column("throughput", unit="tokens/s"))


def solve(params: BatchingParams) -> Answer:
    """One step, every batch size, and the limits."""
    sheet = _sheet(params)
    step, bench = _one_step(sheet), Bench(params)
    return answer(sheet, step, _trade_off(params, bench), _limits(params, bench, step, sheet))


def _sheet(params: BatchingParams) -> Part:
    model, one, held = params.model, params.accelerator, params.conventions
    return part(
        "sheet",
        "Given",
        letter(N_LAYER, model.n_layers, "layers"),
        letter(D, model.d_model, "model width"),
        letter(N_HEAD, model.n_heads, "heads"),
        letter(V, model.vocabulary_size, "words of the vocabulary"),
        letter(CONTEXT, params.context_len, "cached tokens of a sequence, the token of the step included"),
        letter(ELEMENT, held.bytes_per_element, "bytes of a weight, key or value", "B"),
        letter(FLOPS, held.flops_per_multiply_add, "FLOPs of a multiply-add", "FLOP"),
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

    def weights(self) -> int:
        """Bytes of all matrices."""
        return self.params.conventions.bytes_per_element * int(batching.weight_values(self.sizes(1, 1)))

    def cache(self, context: int) -> int:
        """Bytes of one sequence's keys and values."""
        return self.params.conventions.bytes_per_element * int(batching.cache_values(self.sizes(1, context)))

    def largest_batch(self, context: int) -> int:
        """Sequences whose caches fit beside the weights."""
        return int((self.params.accelerator.memory_gb * 10**9 - self.weights()) // self.cache(context))

    def times(self, batch: int, context: int) -> tuple[Fraction, Fraction]:
        """Milliseconds of one step for products with weights, and for attention."""
        one, held, sizes = self.params.accelerator, self.params.conventions, self.sizes(batch, context)
        peaks = (one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9)
        machine = Machine(*peaks, held.flops_per_multiply_add, held.bytes_per_element)
        groups = (batching.weight_groups(sizes), batching.attention_groups(sizes))
        return 1000 * machine.seconds(groups[0]), 1000 * machine.seconds(groups[1])

    def row(self, batch: int, context: int) -> tuple[Fraction, Fraction, Fraction, Fraction]:
        """Time of a step and throughput, and both against a batch of one."""
        alone, step = sum(self.times(1, context)), Fraction(sum(self.times(batch, context)))
        return step, 1000 * batch / step, batch * alone / step, step / alone


def _one_step(sheet: Part) -> Part:
    sizes = Sizes()
    with_weights, attention = (FLOPS * sympy.expand(sum(group.flops(1) for group in groups) / BATCH) for groups in
                               (batching.weight_groups(sizes), batching.attention_groups(sizes)))  # fmt: skip
    return part(
        "1",
        "One step: weights once, a cache for each sequence",
        formula("weights", ELEMENT * batching.weight_values(sizes), "all weights", WEIGHTS, "B", asked=True),
        formula("cache", ELEMENT * batching.cache_values(sizes), "keys and values of one sequence", CACHE, "B", asked=True),
        formula("flops_weights", with_weights, "FLOPs of one token with weights", r"F_{\text{weights}}", "FLOP"),
        formula("flops_attention", attention, "FLOPs of one token's attention", r"F_{\text{cache}}", "FLOP"),
        within=sheet,
    )


def _trade_off(params: BatchingParams, bench: Bench) -> Part:
    context, fits = params.context_len, bench.largest_batch(params.context_len)
    rows = {
        f"size_{place}": (batch, *bench.times(batch, context), *bench.row(batch, context), "yes" if batch <= fits else "no")
        for place, batch in enumerate(params.batch_sizes, 1)
    }
    times = [column("weights", unit="ms"), column("attention", unit="ms"), *STEP]
    return part(
        "2",
        "Throughput against latency",
        table("batches", ["batch", *times, "throughput_gain", "latency_factor", "fits"], rows, asked=True),
        claim("second_fits", params.batch_sizes[1] <= fits),
        table("curves", ["context", "batch", *STEP], _curves(params, bench), drawn=True),
    )


def _curves(params: BatchingParams, bench: Bench) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Latency and throughput of every length, for the batch sizes that fit and the largest that does."""
    for place, length in enumerate(_lengths(params), 1):
        most = bench.largest_batch(length)
        for size, batch in enumerate(sorted({*(one for one in params.batch_sizes if one <= most), most}), 1):
            yield f"length_{place}.size_{size}", (length, batch, *bench.row(batch, length)[:2])


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
        number("gain", bench.row(most, params.context_len)[2], "throughput over that of one sequence"),
        *_compute_bound(params, ridge),
        _by_context(params, bench),
        within=sheet,
    )


def _compute_bound(params: BatchingParams, ridge: Fraction) -> list[Item]:
    """The batch at which a product with D×D weights reaches the ridge point, if any does."""
    held = params.conventions
    reached = held.flops_per_multiply_add * params.model.d_model > 2 * ridge * held.bytes_per_element
    claims: list[Item] = [claim("reaches_ridge", reached), claim("always_memory_bound", not reached)]
    if not reached:
        return claims
    bound = sympy.ceiling(RIDGE * ELEMENT * D / (FLOPS * D - 2 * RIDGE * ELEMENT))
    return [*claims, formula("compute_bound", bound, "batch from which D×D products are compute-bound", "b^*", asked=True)]


def _by_context(params: BatchingParams, bench: Bench) -> Table:
    """The largest batch that fits, by context, with its latency and throughput."""
    rows = {}
    for place, length in enumerate(_lengths(params), 1):
        most = bench.largest_batch(length)
        rows[f"length_{place}"] = (length, bench.cache(length), most, *bench.row(most, length)[:3])
    columns = [column("context"), column("cache_of_a_sequence", unit="B"), column("largest_batch")]
    return table("contexts", [*columns, *STEP, "throughput_gain"], rows)
