"""Runs one decoding step of a batch with torch on meta tensors, and times every product it runs.

The lecture names the trade-off without numbers: many sequences raise throughput and do not help latency. Weights are read
once a step, keys and values once a sequence; a product takes as long as its FLOPs or its bytes, whichever is longer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

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
CLOCK = Route("FLOPs that are done in the time of moving one byte")
GIVEN = dict.fromkeys(("context",), SHEET)

STEP_UNITS = {"throughput": "tokens/s", "step": "ms"}


def find(params: BatchingParams) -> Iterator[Found]:
    """Everything that is published about batching."""
    from generators.courses.utaustin.lecture25_batching.torch_step import Bench

    bench = Bench(params)
    yield from _given(params, bench)
    yield from _step(params, bench)
    yield from _batches(params, bench)
    yield from _curves(params, bench)
    yield from _limits(params, bench)


def _given(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    model, one, held = params.model, params.accelerator, params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", N_layer=model.n_layers, D=model.d_model, n_H=model.n_heads, N_vocab=model.vocabulary_size)
    yield from SHEET.letters(
        "sheet", n_KV=bench.kv_heads, H=bench.width, D_ff=model.d_ff or 4 * model.d_model, n=params.context_len
    )
    yield from SHEET.letters("sheet", unit="B", M_GPU=one.memory_gb * 10**9, s=held.bytes_per_element)
    yield from SHEET.letters("sheet", unit="FLOP", f=held.flops_per_multiply_add)
    yield from SHEET.values("sheet", accelerator=one.name, source=one.source)
    yield from SHEET.values("sheet", unit="TFLOP/s", peak=one.peak_tflops)
    yield from SHEET.values("sheet", unit="GB/s", bandwidth=one.bandwidth_gb_per_s)
    yield from SHEET.values("sheet", unit="GB", memory=one.memory_gb)


def _step(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    """FLOPs as the page counts them; torch counts two a multiply-add."""
    batch, each = params.batch_sizes[-1], Fraction(params.conventions.flops_per_multiply_add, 2)
    one = bench.stepped(batch, params.context_len)
    flops = [each * sum(p.flops * p.batch for p in products) / batch for products in (one.weights, one.attention)]
    yield from SHEET.part("1", "One step: weights once, a cache for each sequence")
    symbols = {"weights": "M_weights", "cache": "M_cache"}
    yield from COUNTED.values("1", unit="B", symbols=symbols, weights=one.weight_bytes, cache=one.cache_bytes)
    symbols = {"flops_weights": r"F_{\text{weights}}", "flops_attention": r"F_{\text{cache}}"}
    yield from COUNTED.values("1", dict(zip(symbols, flops, strict=True)), unit="FLOP", symbols=symbols)


def _timed(bench: Bench, batch: int, context: int) -> tuple[Fraction, Fraction]:
    """Tokens a second, and milliseconds of a step."""
    time = sum(bench.milliseconds(batch, context), Fraction(0))
    return 1000 / time * batch, time


def _fitting(params: BatchingParams, bench: Bench, context: int) -> dict[str, int]:
    """A batch of one, those of the entry beside which one more fits, and the largest if it has more than one sequence."""
    sizes = dict(enumerate(params.batch_sizes, 1))
    fitting = {f"size_{place}": one for place, one in sizes.items() if one == 1 or bench.fits(one + 1, context)}
    return fitting | ({"largest": bench.largest(context)} if bench.fits(2, context) else {})


def _lengths(params: BatchingParams) -> dict[str, int]:
    others = {f"other_{place}": one for place, one in enumerate(params.other_context_lens, 1) if one != params.context_len}
    return {"own": params.context_len, **others}


def _batches(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    context, rows = params.context_len, {}
    first, alone = _timed(bench, 1, context)
    for size, batch in _fitting(params, bench, context).items():
        throughput, step = _timed(bench, batch, context)
        rows[size] = (batch, throughput, step, throughput / first, step / alone, *bench.milliseconds(batch, context))
    yield from SHEET.part("2", "Throughput against latency")
    columns = ["batch", *STEP_UNITS, "throughput_gain", "latency_factor", "weights", "attention"]
    yield from TIMED.table("2", "batches", rows, units={"weights": "ms", "attention": "ms", **STEP_UNITS}, columns=columns)


def _curves(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    """Every length and batch size that fits, and the largest batch of each length."""
    points: dict[str, tuple[Cell, ...]] = {}
    rows: dict[str, tuple[Any, ...]] = {}
    for key, length in _lengths(params).items():
        for size, batch in _fitting(params, bench, length).items():
            points[f"{key}.{size}"] = (length, batch, *_timed(bench, batch, length))
        most = bench.largest(length)
        rows[key] = (length, most, *_timed(bench, most, length))
    yield from TIMED.table("2", "curves", points, units=STEP_UNITS, columns=["context", "batch", *STEP_UNITS], given=GIVEN)
    columns = ["context", "largest_batch", *STEP_UNITS]
    yield from TIMED.table("3", "contexts", rows, units=STEP_UNITS, columns=columns, given=GIVEN)


def _limits(params: BatchingParams, bench: Bench) -> Iterator[Found]:
    context, one, most = params.context_len, bench.stepped(1, params.context_len), bench.largest(params.context_len)
    yield from SHEET.part("3", "Where it ends")
    yield from CLOCK.letters("3", unit="FLOP/B", I_ridge=bench.peak * (1 / bench.bandwidth))
    yield from COUNTED.letters("3", unit="B", M_weights=one.weight_bytes, M_cache=one.cache_bytes)
    yield from COUNTED.values("3", unit="B", embedding=one.embedding_bytes, symbols={"embedding": "M_embedding"})
    symbols = {"balanced": "b_{>}", "fitting": r"b_{\text{max}}"}
    balanced = bisect_right(range(2**62), one.weight_bytes, key=lambda batch: batch * one.cache_bytes)
    yield from COUNTED.values("3", balanced=balanced, symbols=symbols)
    yield from BYTES.values("3", fitting=most, one_fits=not bench.fits(2, context), several_fit=bench.fits(2, context))
    yield from TIMED.values("3", gain=_timed(bench, most, context)[0] / _timed(bench, 1, context)[0])
    reached = _timed(bench, balanced, context)[0]
    caches_alone = 2000 / bench.milliseconds(2, context)[1]
    yield from TIMED.values("3", unit="tokens/s", outweighed=reached, caches_alone=caches_alone)
    first = bench.first_compute_bound()
    yield from BISECTED.values("3", reaches_ridge=first is not None, always_memory_bound=first is None)
    if first is not None:
        yield from BISECTED.values(
            "3", compute_bound=first, symbols={"compute_bound": "b^*"}, memory_first=not bench.fits(first, context)
        )
