"""One decoding step of a batch run by torch on meta tensors, and the time of every product in it, for `find`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import torch
from torch import nn

from generators.courses.utaustin.lecture25_batching.params import BatchingParams
from generators.oracles.products import DTYPES, Count, ProductRecorder

MOST = 2**40
"""The largest batch at which a product is looked at."""


class Layer(nn.Module):
    """Attention over a cache of keys and values, heads apart, then the feed-forward matrices; no biases.

    ReLU runs no product and is left out, as it would import a compiler for tensors without storage.
    """

    def __init__(self, d_model: int, of_queries: int, of_keys: int, d_ff: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(d_model, width, bias=False, dtype=dtype) for width in (of_queries, of_keys, of_keys))
        self.o = nn.Linear(of_queries, d_model, bias=False, dtype=dtype)
        self.up = nn.Linear(d_model, d_ff, bias=False, dtype=dtype)
        self.down = nn.Linear(d_ff, d_model, bias=False, dtype=dtype)

    def forward(self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """(b, D) to (b, D); `keys` and `values` are (b, n_KV, n, H) and have room for the token itself."""
        b, heads, _, width = keys.shape
        q, k, v = (f(x).view(b, heads, -1, width) for f in (self.q, self.k, self.v))
        keys[:, :, -1:], values[:, :, -1:] = k, v
        scores = torch.bmm(q.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2)).softmax(-1)
        z = torch.bmm(scores, values.flatten(0, 1)).view(b, -1)
        out: torch.Tensor = self.down(self.up(self.o(z)))
        return out


class Stepped(NamedTuple):
    """What one step ran: products with weights and of attention, and bytes of weights, a sequence's cache and the embedding."""

    weights: list[Count]
    attention: list[Count]
    weight_bytes: int
    cache_bytes: int
    embedding_bytes: int


class Bench:
    """A model on an accelerator: what a step of a batch runs, the time it takes, and what it needs to hold."""

    def __init__(self, params: BatchingParams) -> None:
        one = params.accelerator
        self.model, self.dtype = params.model, DTYPES[params.conventions.bytes_per_element]
        self.width = params.model.head_dim or params.model.d_model // params.model.n_heads
        self.kv_heads = params.model.n_kv_heads or params.model.n_heads
        self.peak, self.bandwidth, self.memory = one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9, one.memory_gb * 10**9
        self.stepped = cache(self._stepped)

    def _stepped(self, batch: int, context: int) -> Stepped:
        """Run one layer and the output head without storage; the products of the layer count once for each layer."""
        model, dtype = self.model, self.dtype
        with torch.device("meta"), torch.no_grad():
            widths = (model.n_heads * self.width, self.kv_heads * self.width, model.d_ff or 4 * model.d_model)
            layer = Layer(model.d_model, *widths, dtype)
            head = nn.Linear(model.d_model, model.vocabulary_size, bias=False, dtype=dtype)
            keys, values = (torch.empty(batch, self.kv_heads, context, self.width, dtype=dtype) for _ in range(2))
            embedding = torch.empty(model.vocabulary_size, model.d_model, dtype=dtype)
            with ProductRecorder() as recorder:
                head(layer(torch.empty(batch, model.d_model, dtype=dtype), keys, values))
        *of_layer, output = recorder.products
        weights = [*of_layer[:3], *of_layer[5:]] * model.n_layers
        of_weights, of_caches = _bytes(*layer.parameters()) * model.n_layers, _bytes(keys, values) * model.n_layers
        attention = of_layer[3:5] * model.n_layers
        return Stepped([*weights, output], attention, of_weights + _bytes(head.weight), of_caches // batch, _bytes(embedding))

    def _seconds(self, products: list[Count]) -> Fraction:
        """One product after the other, each bound by arithmetic or by memory; torch and peaks count two FLOPs a multiply-add."""
        times = {one: one.batch * max(one.flops / self.peak, one.bytes / self.bandwidth) for one in set(products)}
        return sum((products.count(one) * time for one, time in times.items()), Fraction(0))

    def milliseconds(self, batch: int, context: int) -> tuple[Fraction, Fraction]:
        """Products with weights, and attention."""
        one = self.stepped(batch, context)
        return 1000 * self._seconds(one.weights), 1000 * self._seconds(one.attention)

    def fits(self, batch: int, context: int) -> bool:
        """Whether weights, embedding and caches fit in memory."""
        one = self.stepped(1, context)
        return one.weight_bytes + one.embedding_bytes + batch * one.cache_bytes <= self.memory

    def largest(self, context: int) -> int:
        """The largest batch that fits."""
        return _last(lambda batch: self.fits(batch, context))

    def first_compute_bound(self) -> int | None:
        """The first batch at which W^Q's product does as many FLOPs a byte as are done while one moves; none below MOST."""
        shapes = self.model.d_model, self.model.n_heads * self.width

        def memory_bound(batch: int) -> bool:
            with torch.device("meta"), torch.no_grad(), ProductRecorder() as recorder:
                torch.mm(*(torch.empty(shape, dtype=self.dtype) for shape in ((batch, shapes[0]), shapes)))
            (one,) = recorder.products
            return bool(one.flops / one.bytes < self.peak / self.bandwidth)

        first = _last(memory_bound) + 1
        return first if first < MOST else None


def _last(holds: Callable[[int], bool]) -> int:
    """The last batch below MOST for which this holds, which may be 0, by bisection."""
    return bisect_right(range(1, MOST), False, key=lambda batch: not holds(batch))


def _bytes(*tensors: torch.Tensor) -> int:
    return sum(tensor.nbytes for tensor in tensors)
