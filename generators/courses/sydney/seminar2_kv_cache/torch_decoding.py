"""Decoding in torch, for `find`: whole-number tensors, and passes through a layer and an output head without storage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import nn

from generators.courses.sydney.seminar2_kv_cache.params import CacheParams, Example
from generators.oracles.products import DTYPES, ProductRecorder, joined


class Pass(NamedTuple):
    """FLOPs of one pass as torch counts them, and bytes."""

    flops: int
    bytes: int


class Model:
    """The entry's model, of which one layer and the output head are run."""

    def __init__(self, params: CacheParams) -> None:
        sizes, self.dtype = params.model, DTYPES[params.conventions.bytes_per_element]
        self.n_layers, self.width = sizes.n_layers, sizes.d_model
        self.kv_heads = sizes.n_heads if sizes.n_kv_heads is None else sizes.n_kv_heads
        self.head_width = sizes.d_model // sizes.n_heads if sizes.head_dim is None else sizes.head_dim
        inner = 4 * sizes.d_model if sizes.d_ff is None else sizes.d_ff
        self.q = self._linear(sizes.d_model, sizes.n_heads * self.head_width)
        self.k, self.v = (self._linear(sizes.d_model, self.kv_heads * self.head_width) for _ in "kv")
        self.o = self._linear(sizes.n_heads * self.head_width, sizes.d_model)
        self.up, self.down = self._linear(sizes.d_model, inner), self._linear(inner, sizes.d_model)
        self.head = self._linear(sizes.d_model, sizes.vocabulary_size)

    def _linear(self, inputs: int, outputs: int) -> nn.Linear:
        return nn.Linear(inputs, outputs, bias=False, dtype=self.dtype, device="meta")

    def _tokens(self, count: int) -> torch.Tensor:
        return torch.empty(count, self.width, dtype=self.dtype, device="meta")

    def _held(self, tokens: int) -> torch.Tensor:
        """Keys or values in a cache (heads, tokens, width of a head)."""
        return torch.empty(self.kv_heads, tokens, self.head_width, dtype=self.dtype, device="meta")

    def _layer(self, x: torch.Tensor, held: int) -> torch.Tensor:
        """Run (tokens, D) through the layer beside a cache; query heads are folded into the rows of the head they share."""
        q = self.q(x).view(len(x), self.kv_heads, -1, self.head_width).permute(1, 2, 0, 3).flatten(1, 2)
        k, v = (one(x).view(len(x), self.kv_heads, self.head_width).transpose(0, 1) for one in (self.k, self.v))
        scores = torch.bmm(q, joined(self._held(held), k, dim=1).transpose(1, 2))
        z = torch.bmm(scores, joined(self._held(held), v, dim=1))
        z = z.view(self.kv_heads, -1, len(x), self.head_width).permute(2, 0, 1, 3).flatten(1)
        out: torch.Tensor = self.down(self.up(self.o(z)))
        return out

    def step(self, length: int, *, cached: bool) -> Pass:
        """Feed all tokens, or the last one beside the others' keys and values; the last one passes through the head."""
        fed, held = (1, length - 1) if cached else (length, 0)
        with torch.no_grad(), ProductRecorder() as recorder:
            self.head(self._layer(self._tokens(fed), held)[-1:])
        *of_layer, output = recorder.products
        flops, moved = (
            self.n_layers * sum(getattr(one, name) * one.batch for one in of_layer) + getattr(output, name)
            for name in ("flops", "bytes")
        )
        return Pass(int(flops), int(moved))

    def generation(self, prompt: int, new: int, *, cached: bool) -> int:
        """FLOPs of the pass over the prompt, and of one pass for every token that is fed after it."""
        return sum(self.step(prompt + i, cached=cached and i > 0).flops for i in range(new))

    def held_bytes(self, length: int) -> int:
        """Bytes of the keys and values of so many tokens in all layers."""
        with torch.no_grad():
            held: int = sum(matrix(self._tokens(length)).nbytes for matrix in (self.k, self.v))
        return self.n_layers * held

    @cached_property
    def weight_bytes(self) -> int:
        """Bytes of all matrices."""
        of_layer = (self.q, self.k, self.v, self.o, self.up, self.down)
        return self.n_layers * sum(one.weight.nbytes for one in of_layer) + self.head.weight.nbytes


class Attended(NamedTuple):
    """One step of the example: all scores up to it, its own row with masked scores left out, the values, both outputs."""

    square: int
    row: list[int]
    values: list[list[int]]
    by_row: list[int]
    by_square: list[int]


def attended(example: Example) -> Iterator[Attended]:
    """Attend under torch's mask, whole, and one token after the other with concatenated keys and values."""
    q, k, v = (torch.tensor(rows, dtype=torch.int64) for rows in (example.queries, example.keys, example.values))
    held_k, held_v = k[:0], v[:0]
    for n in range(1, len(example.tokens) + 1):
        held_k, held_v = torch.cat([held_k, k[n - 1 : n]]), torch.cat([held_v, v[n - 1 : n]])
        row = held_k @ q[n - 1]
        square, allowed = q[:n] @ k[:n].T, torch.ones(n, n, dtype=torch.bool).tril()
        whole = square.masked_fill(~allowed, 0) @ v[:n]
        yield Attended(square.numel(), row.tolist(), held_v.tolist(), (row @ held_v).tolist(), whole[-1].tolist())
