"""Runs one decoding step of a batch with torch on meta tensors, and times every product it runs.

The lecture names the trade-off without numbers: many sequences raise throughput and do not help latency. Weights are read
once a step, keys and values once a sequence; a product takes as long as its FLOPs or its bytes, whichever is longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.cells import Cell
from generators.courses.utaustin.lecture25_batching.params import BatchingParams
from generators.found import Found, Route

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_batching.torch_step import Bench

SHEET = Route("the lecture and the parameters, read again", restates=True)
COUNTED = Route("torch's counts in a step on meta tensors")
TIMED = Route("every product that torch runs, timed")
BYTES = Route("bytes of torch's tensors added up, one sequence more each time")
BISECTED = Route("bisection on torch's products")
CLOCK = Route("FLOPs done while one byte is moved")

STEP_UNITS = {"step": "ms", "throughput": "tokens/s"}


def find(params: BatchingParams) -> Iterator[Found]:
    """Everything that is published about batching."""
    from generators.courses.utaustin.lecture25_batching.torch_step import Bench

    bench = Bench(params)
    yield from _given(params)
    yield from _step(params, bench)
    yield from _batches(params, bench)
    yield from _limits(params, bench)
    yield from _contexts(params, bench)


def _given(params: BatchingParams) -> Iterator[Found]:
    model, one, held = params.model, params.accelerator, params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", N_layer=model.n_layers, D=model.d_model, n_H=model.n_heads, V=model.vocabulary_size)
    yield from SHEET.letters("sheet", n=params.context_len)
    yield from SHEET.letters("sheet", unit="B", M=one.memory_gb * 10**9, s=held.bytes_per_element)
    yield from SHEET.letters("sheet", unit="FLOP", f=held.flops_per_multiply_add)
    yield from SHEET.values("sheet", accelerator=one.name, source=one.source)
    yield from SHEET.values("sheet", unit="TFLOP/s", peak=one.peak_tflops)
    yield from SHEET.values("sheet", unit="GB/s", bandwidth=one.bandwidth_gb_per_s)
    yield from SHEET.values("sheet", unit="GB", memory=one.memory_gb)


def _step(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    batch = params.batch_sizes[-1]
    one = bench.stepped(batch, params.context_len)
    flops = [sum(bench.counted(p) * p.batch for p in products) / batch for products in (one.weights, one.attention)]
    yield from SHEET.part("1", "One step: weights once, a cache for each sequence")
    symbols = {"weights": "M_weights", "cache": "M_cache"}
    yield from COUNTED.values("1", unit="B", symbols=symbols, weights=one.weight_bytes, cache=one.cache_bytes)
    symbols = {"flops_weights": r"F_{\text{weights}}", "flops_attention": r"F_{\text{cache}}"}
    yield from COUNTED.values("1", dict(zip(symbols, flops, strict=True)), unit="FLOP", symbols=symbols)


def _batches(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    yield from SHEET.part("2", "Throughput against latency")
    context = params.context_len
    alone = sum(bench.milliseconds(1, context))
    rows: dict[str, tuple[Cell, ...]] = {}
    for place, batch in enumerate(params.batch_sizes, 1):
        weights, attention = bench.milliseconds(batch, context)
        step, fits = weights + attention, "yes" if bench.fits(batch, context) else "no"
        gains = (batch / (step / 1000), batch / (step / alone), step / alone)
        rows[f"size_{place}"] = (batch, weights, attention, step, *gains, fits)
    columns = ["batch", "weights", "attention", *STEP_UNITS, "throughput_gain", "latency_factor", "fits"]
    yield from TIMED.table("2", "batches", rows, units={"weights": "ms", "attention": "ms", **STEP_UNITS}, columns=columns)
    yield from BYTES.values("2", second_fits=bench.fits(params.batch_sizes[1], context))
    points: dict[str, tuple[Cell, ...]] = {}
    for place, length in enumerate(sorted([context, *params.other_context_lens]), 1):
        sizes = {batch for batch in params.batch_sizes if bench.fits(batch, length)} | {bench.largest(length)}
        for size, batch in enumerate(sorted(sizes), 1):
            time = sum(bench.milliseconds(batch, length), Fraction(0))
            points[f"length_{place}.size_{size}"] = (length, batch, time, 1000 / time * batch)
    yield from TIMED.table("2", "curves", points, units=STEP_UNITS, columns=["context", "batch", *STEP_UNITS])


def _limits(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    context, one, most = params.context_len, bench.stepped(1, params.context_len), bench.largest(params.context_len)
    yield from SHEET.part("3", "Where it ends")
    yield from CLOCK.letters("3", unit="FLOP/B", I_ridge=bench.peak * (1 / bench.bandwidth))
    yield from COUNTED.letters("3", unit="B", M_weights=one.weight_bytes, M_cache=one.cache_bytes)
    symbols = {"balanced": r"b_{\text{even}}", "fitting": r"b_{\text{max}}"}
    yield from COUNTED.values("3", balanced=Fraction(one.weight_bytes, one.cache_bytes), symbols=symbols)
    yield from BYTES.values("3", fitting=most, one_fits=not bench.fits(2, context), several_fit=bench.fits(2, context))
    yield from TIMED.values("3", gain=most * sum(bench.milliseconds(1, context)) / sum(bench.milliseconds(most, context)))
    first = bench.first_compute_bound()
    yield from BISECTED.values("3", reaches_ridge=first is not None, always_memory_bound=first is None)
    if first is not None:
        yield from BISECTED.values("3", compute_bound=first, symbols={"compute_bound": "b^*"})


def _contexts(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    rows: dict[str, tuple[Cell, ...]] = {}
    for place, length in enumerate(sorted([params.context_len, *params.other_context_lens]), 1):
        batch, cache = bench.largest(length), bench.stepped(1, length).cache_bytes
        time = sum(bench.milliseconds(batch, length), Fraction(0))
        gains = (1000 / time * batch, batch * sum(bench.milliseconds(1, length)) / time)
        rows[f"length_{place}"] = (length, cache, batch, time, *gains)
    columns = ["context", "cache_of_a_sequence", "largest_batch", *STEP_UNITS, "throughput_gain"]
    yield from TIMED.table("3", "contexts", rows, units={"cache_of_a_sequence": "B", **STEP_UNITS}, columns=columns)
