"""Attention that counts what it reads and writes: with real tensors, and by walking over tiles of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention

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
    """The output (N×d), elements read and written, and the most elements on the chip at once."""

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
    """FlashAttention's loops: the normalised output, its logarithmic sum apart as maximum and sum, goes back after every tile."""
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


def blocks(width: int, sram: int) -> tuple[int, int]:
    """The smallest outer block whose four matrices of `width` fill SRAM, and an inner one no longer than wide."""
    outer = next(rows for rows in range(1, sram + 2) if 4 * rows * width >= sram)
    return outer, min(outer, width)


def walked(length: int, width: int, sram: int, order: str) -> Walked:
    """Walk over the tiles and add up what each copies; one pass of the inner loop is as any other."""
    outer, inner = blocks(width, sram)
    tiles = [min(inner, length - start) for start in range(0, length, inner)]
    reads, writes, passes = 0, 0, 0
    if order == "keys_outer":
        writes += length * width + 2 * length
    for start in range(0, length, outer):
        rows = min(outer, length - start)
        passes += 1
        if order == "keys_outer":
            reads += 2 * rows * width + sum(2 * tile * width + 2 * tile for tile in tiles)
            writes += sum(tile * width + 2 * tile for tile in tiles)
        else:
            reads += rows * width + sum(2 * tile * width for tile in tiles)
            writes += rows * width + rows
    return Walked(outer, inner, passes, reads, writes)


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Torch's own attention."""
    output: torch.Tensor = scaled_dot_product_attention(q[None], k[None], v[None])[0]
    return output


class Recomputing(torch.autograd.Function):
    """Attention that keeps only its output and logarithmic sums for backward, and forms the scores again there."""

    @staticmethod
    def forward(context: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """(N, d) each."""
        scores = q @ k.T / q.shape[1] ** 0.5
        logs = scores.logsumexp(1, keepdim=True)
        output = (scores - logs).exp() @ v
        context.save_for_backward(q, k, v, output, logs)
        result: torch.Tensor = output
        return result

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Gradients of q, k and v."""
        q, k, v, output, logs = context.saved_tensors
        (given,) = gradients
        weights = (q @ k.T / q.shape[1] ** 0.5 - logs).exp()
        of_weights = given @ v.T
        of_scores = weights * (of_weights - (given * output).sum(1, keepdim=True)) / q.shape[1] ** 0.5
        return of_scores @ k, of_scores.T @ q, weights.T @ given


Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention whose scores autograd keeps."""
    out: torch.Tensor = (q @ k.T / q.shape[1] ** 0.5).softmax(-1) @ v
    return out


def products_flops(length: int, width: int, *, recompute: bool, backward: bool) -> int:
    """FLOPs of the products that torch runs on meta tensors, two a multiply-add."""
    run: Attend = Recomputing.apply if recompute else attention
    q, k, v = (torch.empty(length, width, device="meta", requires_grad=True) for _ in range(3))
    with ProductRecorder() as recorder:
        output = run(q, k, v)
        if backward:
            output.backward(torch.empty_like(output))
    return int(recorder.flops)


def largest_gradient_difference(length: int, width: int, seed: int) -> float:
    """Between gradients by autograd and those that form the scores again, on seeded normal matrices."""
    generator = torch.Generator().manual_seed(seed)
    given = [torch.randn(length, width, generator=generator, dtype=torch.float64) for _ in range(4)]
    found = []
    runs: tuple[Attend, ...] = (attention, Recomputing.apply)
    for run in runs:
        leaves = [matrix.clone().requires_grad_() for matrix in given[:3]]
        run(*leaves).backward(given[3])
        found.append(torch.stack([leaf.grad for leaf in leaves if leaf.grad is not None]))
    return float((found[0] - found[1]).abs().max())
