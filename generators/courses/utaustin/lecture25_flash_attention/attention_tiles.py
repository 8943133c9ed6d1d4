"""Attention that counts what it reads and writes: with real tensors, and by walking over tiles of any size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from generators.oracles.products import ProductRecorder


class Memory:
    """Counts the elements that are copied out of and into high-bandwidth memory, and the most that a tile holds at once."""

    def __init__(self) -> None:
        self.reads = self.writes = self.held = 0

    def load(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy on the chip."""
        self.reads += tensor.numel()
        return tensor.clone()

    def store(self, place: torch.Tensor, tensor: torch.Tensor) -> None:
        """Copy `tensor` back into `place`, a view of memory."""
        self.writes += tensor.numel()
        place.copy_(tensor)

    def hold(self, *tensors: torch.Tensor) -> None:
        """Note what is on the chip together."""
        self.held = max(self.held, sum(tensor.numel() for tensor in tensors))


class Run(NamedTuple):
    """The output (L×H), elements read and written, and the most elements on the chip at once."""

    output: torch.Tensor
    reads: int
    writes: int
    held: int = 0


def _starts(length: int, block: int) -> Iterator[slice]:
    for start in range(0, length, block):
        yield slice(start, start + block)


def standard_run(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> Run:
    """Three kernels, each reading its operands from memory and writing its result there."""
    memory = Memory()
    scores, weights, output = q.new_empty(len(q), len(k)), q.new_empty(len(q), len(k)), torch.empty_like(v)
    memory.store(scores, memory.load(q) @ memory.load(k).T / q.shape[1] ** 0.5)
    memory.store(weights, memory.load(scores).softmax(-1))
    memory.store(output, memory.load(weights) @ memory.load(v))
    return Run(output, memory.reads, memory.writes)


def keys_outer_run(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, outer: int, inner: int) -> Run:
    """FlashAttention's loops: the normalised output, its maximum and its sum go back to memory after every tile."""
    memory = Memory()
    output, total, largest = torch.empty_like(q), q.new_empty(len(q), 1), q.new_empty(len(q), 1)
    for place, start in ((output, 0.0), (total, 0.0), (largest, -torch.inf)):
        memory.store(place, torch.full_like(place, start))
    for columns in _starts(len(k), outer):
        keys, values = memory.load(k[columns]), memory.load(v[columns])
        for rows in _starts(len(q), inner):
            queries, o, total_before, m = (memory.load(tensor[rows]) for tensor in (q, output, total, largest))
            scores = queries @ keys.T / q.shape[1] ** 0.5
            top = torch.maximum(m, scores.amax(1, keepdim=True))
            tile = (scores - top).exp()
            sums = (m - top).exp() * total_before + tile.sum(1, keepdim=True)
            memory.hold(keys, values, queries, o, tile, sums, top)
            memory.store(output[rows], ((m - top).exp() * total_before * o + tile @ values) / sums)
            memory.store(total[rows], sums)
            memory.store(largest[rows], top)
    return Run(output, memory.reads, memory.writes, memory.held)


def queries_outer_run(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, outer: int, inner: int) -> Run:
    """FlashAttention-2's loops: a block of queries stays on the chip until it has met all keys."""
    memory = Memory()
    output, logs = torch.empty_like(q), q.new_empty(len(q), 1)
    for rows in _starts(len(q), outer):
        queries = memory.load(q[rows])
        o, total = torch.zeros_like(queries), queries.new_zeros(len(queries), 1)
        m = torch.full_like(total, -torch.inf)
        for columns in _starts(len(k), inner):
            keys, values = memory.load(k[columns]), memory.load(v[columns])
            scores = queries @ keys.T / q.shape[1] ** 0.5
            top = torch.maximum(m, scores.amax(1, keepdim=True))
            tile, shrunk = (scores - top).exp(), (m - top).exp()
            o, total, m = shrunk * o + tile @ values, shrunk * total + tile.sum(1, keepdim=True), top
            memory.hold(keys, values, queries, o, tile, total, m)
        memory.store(output[rows], o / total)
        memory.store(logs[rows], m + total.log())
    return Run(output, memory.reads, memory.writes, memory.held)


RUNS = {"keys_outer": keys_outer_run, "queries_outer": queries_outer_run}


class Walked(NamedTuple):
    """Blocks of both loops, passes of the inner one, and elements read and written."""

    outer: int
    inner: int
    passes: int
    reads: int
    writes: int


def walked(length: int, width: int, sram: int, order: str) -> Walked:
    """Walk over the blocks of the outer loop and add up what each copies; one pass of the inner loop is as any other.

    The outer block is the smallest of which four, of `width`, fill SRAM; the inner one is no longer than wide.
    """
    outer = next(rows for rows in range(1, sram + 2) if 4 * rows * width >= sram)
    inner, reads, writes, passes = min(outer, width), 0, 0, 0
    tiles = sum(min(inner, length - start) for start in range(0, length, inner))
    if order == "keys_outer":
        writes += length * width + 2 * length
    for start in range(0, length, outer):
        rows = min(outer, length - start)
        passes += 1
        if order == "keys_outer":
            reads += 2 * rows * width + 2 * tiles * width + 2 * tiles
            writes += tiles * width + 2 * tiles
        else:
            reads += rows * width + 2 * tiles * width
            writes += rows * width + rows
    return Walked(outer, inner, passes, reads, writes)


def weights(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """The softmax over scaled scores."""
    found: torch.Tensor = (q @ k.T / q.shape[1] ** 0.5).softmax(-1)
    return found


Gradients = tuple[torch.Tensor, ...]


def kept_gradients(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, given: torch.Tensor) -> Gradients:
    """Gradients of q, k and v by autograd, which keeps the weights."""
    return torch.autograd.grad(weights(q, k) @ v, (q, k, v), given)


def recomputed_gradients(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, given: torch.Tensor) -> Gradients:
    """A forward pass that keeps nothing, and gradients for which the weights are formed again."""
    forward(q, k, v)
    again = weights(q, k)
    return (*torch.autograd.grad(again, (q, k), given @ v.T), again.detach().T @ given)


@torch.no_grad()
def forward(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *_: torch.Tensor) -> Gradients:
    """The output alone."""
    return (weights(q, k) @ v,)


def counted_flops(length: int, width: int) -> dict[str, int]:
    """FLOPs of the products that torch runs on meta tensors, two a multiply-add: forward, and in a step of both ways."""
    given = [torch.empty(length, width, device="meta", requires_grad=True) for _ in range(4)]
    found = {}
    for name, run in (("forward", forward), ("standard", kept_gradients), ("flash", recomputed_gradients)):
        with ProductRecorder() as recorder:
            run(*given)
        found[name] = int(recorder.flops)
    return found
