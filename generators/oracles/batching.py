"""Runs one decoding step of a batch with torch on meta tensors, and times every product it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from generators.answer import Cell
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.oracles.products import Count, ProductRecorder
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_batching import BatchingParams

BY = "torch, meta tensors"
TIMED = "torch, every product timed"
COUNTED = "torch, bytes of tensors added up"
BISECTED = "torch, bisection on its products"
DTYPES = {2: torch.float16, 4: torch.float32}
OTHER_SIZES = {"N_layer": 3, "D": 12, "n_H": 4, "V": 50, "n": 7}
OTHER_BATCH = 5
OTHER_BYTES = {"M_weights": 1000, "M_cache": 37, "M": 1800}
OTHER_RIDGE, OTHER_WIDTH = Fraction(5, 2), 64
MOST = 2**40


class Layer(nn.Module):
    """Attention over a cache of keys and values, heads apart, then a ReLU network; no biases."""

    def __init__(self, d_model: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model, bias=False, dtype=dtype) for _ in range(4))
        self.up = nn.Linear(d_model, 4 * d_model, bias=False, dtype=dtype)
        self.down = nn.Linear(4 * d_model, d_model, bias=False, dtype=dtype)

    def forward(self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """(b, D) to (b, D); `keys` and `values` are (b, n_H, n, H) and have room for the token itself."""
        b, heads, _, width = keys.shape
        q, k, v = (f(x).view(b, heads, 1, width) for f in (self.q, self.k, self.v))
        keys, values = (torch.cat([held[:, :, 1:], new], 2).flatten(0, 1) for held, new in ((keys, k), (values, v)))
        scores = torch.bmm(q.flatten(0, 1), keys.transpose(1, 2)).softmax(-1)
        z = torch.bmm(scores, values).view(b, heads * width)
        out: torch.Tensor = self.down(self.up(self.o(z)).relu())
        return out


@dataclass(frozen=True)
class Model:
    """Sizes of a model, and bytes of an element."""

    n_layers: int
    d_model: int
    n_heads: int
    vocabulary: int
    element: int


@dataclass(frozen=True)
class Stepped:
    """What one step ran: products with weights and of attention, and the bytes of weights and of one sequence's cache."""

    weights: tuple[Count, ...]
    attention: tuple[Count, ...]
    weight_bytes: int
    cache_bytes: int


@lru_cache(maxsize=128)
def stepped(model: Model, batch: int, context: int) -> Stepped:
    """Run one layer and the output head without storage; the products of the layer count once for each layer."""
    dtype, width = DTYPES[model.element], model.d_model // model.n_heads
    with torch.device("meta"), torch.no_grad():
        layer, head = Layer(model.d_model, dtype), nn.Linear(model.d_model, model.vocabulary, bias=False, dtype=dtype)
        keys, values = (torch.empty(batch, model.n_heads, context, width, dtype=dtype) for _ in range(2))
        with ProductRecorder() as recorder:
            head(layer(torch.empty(batch, model.d_model, dtype=dtype), keys, values))
    *of_layer, output = recorder.products
    q_k_v, attention, rest = of_layer[:3], of_layer[3:5], of_layer[5:]
    per_layer = _bytes(*layer.parameters())
    return Stepped(
        tuple([*q_k_v, *rest] * model.n_layers + [output]),
        tuple(attention * model.n_layers),
        per_layer * model.n_layers + _bytes(head.weight),
        _bytes(keys, values) * model.n_layers // batch,
    )


def _bytes(*tensors: torch.Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass(frozen=True)
class Clock:
    """Peak FLOP/s and B/s, and the FLOPs of a multiply-add, of which torch counts two."""

    peak: Fraction
    bandwidth: Fraction
    flops: int

    def seconds(self, products: tuple[Count, ...]) -> Fraction:
        """One product after the other, each bound by arithmetic or by memory."""
        alike = {product: products.count(product) for product in set(products)}
        return sum((times * self._seconds(product) for product, times in alike.items()), Fraction(0))

    def _seconds(self, product: Count) -> Fraction:
        return product.batch * max(self.counted(product) / self.peak, product.bytes / self.bandwidth)

    def counted(self, product: Count) -> Fraction:
        """The product's FLOPs as the page counts them."""
        return product.flops * self.flops / 2


@dataclass(frozen=True)
class Bench:
    """A model and a clock: what a step of a batch takes, and what it needs to hold."""

    model: Model
    clock: Clock
    memory: Fraction

    def milliseconds(self, batch: int, context: int) -> tuple[Fraction, Fraction]:
        """Products with weights, and attention."""
        one = stepped(self.model, batch, context)
        return 1000 * self.clock.seconds(one.weights), 1000 * self.clock.seconds(one.attention)

    def fits(self, batch: int, context: int) -> bool:
        """Whether weights and caches fit in memory."""
        one = stepped(self.model, 1, context)
        return one.weight_bytes + batch * one.cache_bytes <= self.memory

    def largest(self, context: int) -> int:
        """The largest batch that fits, by bisection."""
        low, high = 0, 1
        while self.fits(high, context):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.fits(middle, context) else (low, middle)
        return low


def verify_batching(params: BatchingParams, answer: Answer) -> Iterator[Check]:
    """Check bytes and FLOPs of a step, its time for every batch, and the limits."""
    one, conventions, sizes = params.accelerator, params.conventions, params.model
    clock = Clock(one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9, conventions.flops_per_multiply_add)
    element = conventions.bytes_per_element
    model = Model(sizes.n_layers, sizes.d_model, sizes.n_heads, sizes.vocabulary_size, element)
    bench = Bench(model, clock, one.memory_gb * 10**9)
    yield from _check_step(params, bench, answer["1"])
    yield _check_batches(params, bench, answer["2"])
    yield from _check_limits(params, bench, answer["3"])


def _found(model: Model, clock: Clock, batch: int, context: int) -> dict[str, int | Fraction]:
    one = stepped(model, batch, context)
    flops = (
        sum((clock.counted(p) * p.batch for p in products), Fraction(0)) / batch for products in (one.weights, one.attention)
    )
    return dict(
        zip(("weights", "cache", "flops_weights", "flops_attention"), (one.weight_bytes, one.cache_bytes, *flops), strict=True)
    )


def _check_step(params: BatchingParams, bench: Bench, part: Part) -> Iterator[Check]:
    for name, value in _found(bench.model, bench.clock, params.batch_sizes[-1], params.context_len).items():
        yield same(f"1, {part[name].what}", part[name].value, value, BY)
    model = bench.model
    letters = {"N_layer": model.n_layers, "D": model.d_model, "n_H": model.n_heads, "V": model.vocabulary}
    yield same_letters("1, numbers put in", part.steps, {**letters, "n": params.context_len})
    small = Model(OTHER_SIZES["N_layer"], OTHER_SIZES["D"], OTHER_SIZES["n_H"], OTHER_SIZES["V"], bench.model.element)
    found = _found(small, bench.clock, OTHER_BATCH, OTHER_SIZES["n"])
    triples: list[Formula] = [(name, part[name].formula, value) for name, value in found.items()]
    yield same_formulas("1, formulas", triples, OTHER_SIZES, BY)


def _check_batches(params: BatchingParams, bench: Bench, part: Part) -> Check:
    context = params.context_len
    alone = sum(bench.milliseconds(1, context))
    rows: list[tuple[Cell, ...]] = []
    for batch in params.batch_sizes:
        weights, attention = bench.milliseconds(batch, context)
        time = weights + attention
        fits = "yes" if bench.fits(batch, context) else "no"
        rows.append((batch, weights, attention, time, batch * 1000 / time, batch * alone / time, time / alone, fits))
    return same_rows("2, every batch size", part.tables["batches"], rows, TIMED)


def _check_limits(params: BatchingParams, bench: Bench, part: Part) -> Iterator[Check]:
    context, clock = params.context_len, bench.clock
    one = stepped(bench.model, 1, context)
    yield same(
        "3, ridge point", part["ridge"].value, clock.peak / clock.bandwidth, "arithmetic: the time of a byte over that of a FLOP"
    )
    yield same("3, balanced batch", part["balanced"].value, Fraction(one.weight_bytes, one.cache_bytes), COUNTED)
    yield same("3, largest batch", part["fitting"].value, bench.largest(context), COUNTED)
    ridge = clock.peak / clock.bandwidth
    letters = {"M_weights": Fraction(one.weight_bytes), "M_cache": Fraction(one.cache_bytes), "M": bench.memory}
    yield same_letters("3, numbers put in", part.steps, {**letters, "I^*": ridge, "D": bench.model.d_model})
    rows: list[tuple[Cell, ...]] = []
    for length in sorted([context, *params.other_context_lens]):
        batch = bench.largest(length)
        time = sum(bench.milliseconds(batch, length))
        gain = batch * sum(bench.milliseconds(1, length)) / time
        rows.append((length, stepped(bench.model, 1, length).cache_bytes, batch, time, 1000 * batch / time, gain))
    yield same_rows("3, every context", part.tables["contexts"], rows, TIMED)
    small = OTHER_BYTES["M"] - OTHER_BYTES["M_weights"]
    triples: list[Formula] = [
        ("balanced batch", part["balanced"].formula, Fraction(OTHER_BYTES["M_weights"], OTHER_BYTES["M_cache"])),
        ("largest batch", part["fitting"].formula, len(range(OTHER_BYTES["M_cache"], small + 1, OTHER_BYTES["M_cache"]))),
    ]
    yield same_formulas("3, formulas", triples, OTHER_BYTES, "enumeration: one sequence more each time")
    yield from _check_compute_bound(bench, part)


def first_compute_bound(d_model: int, element: int, flops: int, ridge: Fraction) -> int | None:
    """The first batch at which a D×D product does as many FLOPs a byte as the ridge asks; none up to MOST."""

    def reaches(batch: int) -> bool:
        with torch.device("meta"), torch.no_grad(), ProductRecorder() as recorder:
            nn.functional.linear(*(torch.empty(rows, d_model, dtype=DTYPES[element]) for rows in (batch, d_model)))
        intensity: Fraction = recorder.products[0].intensity * flops / 2
        return bool(intensity >= ridge)

    if not reaches(MOST):
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


_first = lru_cache(maxsize=32)(first_compute_bound)


def _check_compute_bound(bench: Bench, part: Part) -> Iterator[Check]:
    element, flops = bench.model.element, bench.clock.flops
    found = _first(bench.model.d_model, element, flops, bench.clock.peak / bench.clock.bandwidth)
    published = part["compute_bound"].value if "compute_bound" in part.steps else None
    yield same("3, first compute-bound batch", published, found, BISECTED)
    if "compute_bound" in part.steps:
        sizes = {"I^*": OTHER_RIDGE, "D": Fraction(OTHER_WIDTH)}
        other = _first(OTHER_WIDTH, element, flops, OTHER_RIDGE)
        yield same_formulas("3, formula", [("compute-bound", part["compute_bound"].formula, other or 0)], sizes, BISECTED)
