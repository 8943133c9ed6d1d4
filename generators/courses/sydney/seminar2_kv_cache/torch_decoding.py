"""Decoding in torch, for `find`: whole-number tensors, and passes through a layer and an output head without storage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import nn

from generators.courses.sydney.seminar2_kv_cache.params import CacheParams, Example
from generators.oracles.products import ProductRecorder
from generators.oracles.transformer_layer import DTYPES, Layer

SCORE = 3
"""The place of QKᵀ among a layer's products."""


class Pass(NamedTuple):
    """What one pass runs: FLOPs as torch counts them, bytes, positions that went in, and scores a head computed."""

    flops: int
    bytes: int
    positions: int
    scores: int


class Model:
    """The entry's model, of which one layer and the output head are run."""

    def __init__(self, params: CacheParams) -> None:
        sizes, self.dtype = params.model, DTYPES[params.conventions.bytes_per_element]
        self.n_layers, self.width, self.head_width = sizes.n_layers, sizes.d_model, sizes.d_model // sizes.n_heads
        with torch.device("meta"):
            self.layer = Layer(sizes.d_model, sizes.n_heads, self.dtype)
            self.head = nn.Linear(sizes.d_model, sizes.vocabulary_size, bias=False, dtype=self.dtype)

    def _tokens(self, count: int) -> torch.Tensor:
        return torch.empty(count, self.width, dtype=self.dtype, device="meta")

    def step(self, length: int, *, cached: bool) -> Pass:
        """Feed all tokens, or the last one beside the others' keys and values; the last one passes through the head."""
        fed, held = (1, self._tokens(length - 1)) if cached else (length, self._tokens(0))
        with torch.no_grad(), ProductRecorder() as recorder:
            self.head(self.layer(self._tokens(fed), (held, held))[-1:])
        *of_layer, output = recorder.products
        flops, moved = (
            self.n_layers * sum(getattr(one, name) * one.batch for one in of_layer) + getattr(output, name)
            for name in ("flops", "bytes")
        )
        return Pass(int(flops), int(moved), fed, int(of_layer[SCORE].flops / (2 * self.head_width)))

    def generation(self, prompt: int, new: int, *, cached: bool) -> Pass:
        """All passes until `new` tokens are generated, added up; each lies on a parabola through passes over 1, 2, 3 tokens."""
        one, two, three = (self.step(length, cached=cached) for length in (1, 2, 3))
        passes = [self.step(prompt, cached=False)]
        for n in range(prompt, prompt + new - 1):  # tokens before the last one
            passes.append(
                Pass(*(a + n * (b - a) + n * (n - 1) // 2 * (c - 2 * b + a) for a, b, c in zip(one, two, three, strict=True)))
            )
        return Pass(*map(sum, zip(*passes, strict=True)))

    def held_bytes(self, length: int) -> int:
        """Bytes of the keys and values of so many tokens in all layers."""
        with torch.no_grad():
            held: int = sum(matrix(self._tokens(length)).nbytes for matrix in (self.layer.k, self.layer.v))
        return self.n_layers * held

    @cached_property
    def weight_bytes(self) -> int:
        """Bytes of all matrices."""
        return self.n_layers * sum(one.nbytes for one in self.layer.parameters()) + self.head.weight.nbytes


class Attended(NamedTuple):
    """One step of the example: scores of the whole square, masked, computed again, and of the row; rows read; both outputs."""

    square: int
    masked: int
    again: int
    row: list[int]
    rows_read: int
    values: list[list[int]]
    by_row: list[int]
    by_square: list[int]


def attended(example: Example) -> Iterator[Attended]:
    """Attend under torch's mask, whole, and one token after the other with concatenated keys and values."""
    q, k, v = (torch.tensor(rows, dtype=torch.int64) for rows in (example.queries, example.keys, example.values))
    held_k, held_v = k[:0], v[:0]
    for n in range(1, len(example.tokens) + 1):
        read = len(held_k)
        held_k, held_v = torch.cat([held_k, k[n - 1 : n]]), torch.cat([held_v, v[n - 1 : n]])
        row = held_k @ q[n - 1]
        square, allowed = q[:n] @ k[:n].T, torch.ones(n, n, dtype=torch.bool).tril()
        whole = square.masked_fill(~allowed, 0) @ v[:n]
        masked, again = int((~allowed).sum()), int(allowed[:-1].sum())
        yield Attended(
            square.numel(), masked, again, row.tolist(), read, held_v.tolist(), (row @ held_v).tolist(), whole[-1].tolist()
        )


def all_scores(example: Example) -> list[list[int]]:
    """QKᵀ."""
    scores: list[list[int]] = (torch.tensor(example.queries) @ torch.tensor(example.keys).T).tolist()
    return scores
