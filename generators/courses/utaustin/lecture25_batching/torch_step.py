"""One decoding step of a batch run by torch on meta tensors, and the time of every product in it, for `find`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch
from torch import nn

from generators.oracles.products import Count, ProductRecorder

DTYPES = {2: torch.float16, 4: torch.float32}
MOST = 2**40
"""The largest batch that is tried."""


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


@lru_cache(maxsize=32)
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
