"""Softmax attention block by block: a running maximum, a running sum and a running output.

Source: Dao et al. 2022, arXiv 2205.14135; the running softmax is Milakov and Gimelshein's, arXiv 1805.02867.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generators.topics.attention import Exp, Matrix, Number, precise


@dataclass(frozen=True)
class Running:
    """What is kept of the keys seen so far: the largest score m, Σ e^(s - m), and Σ e^(s - m) v."""

    largest: Number
    total: Number
    weighted: tuple[Number, ...]

    @property
    def output(self) -> tuple[Number, ...]:
        """The attention output over the keys seen so far."""
        return tuple(part / self.total for part in self.weighted)


def absorbed(before: Running | None, scores: Sequence[Number], values: Sequence[Sequence[Number]], exp: Exp) -> Running:
    """Add a block of keys: what was kept shrinks by e^(old m - new m) where the block raises the maximum."""
    largest = max(scores) if before is None else max(before.largest, *scores)
    weights = [exp(score - largest) for score in scores]
    total = sum(weights)
    weighted = [sum(weight * value[j] for weight, value in zip(weights, values, strict=True)) for j in range(len(values[0]))]
    if before is not None:
        shrunk = exp(before.largest - largest)
        total += shrunk * before.total
        weighted = [shrunk * old + new for old, new in zip(before.weighted, weighted, strict=True)]
    return Running(largest, total, tuple(weighted))


def running(scores: Sequence[Number], values: Sequence[Sequence[Number]], block_len: int, exp: Exp) -> list[Running]:
    """What is kept after each block of keys, for one query."""
    states: list[Running] = []
    for start in range(0, len(scores), block_len):
        block = slice(start, start + block_len)
        states.append(absorbed(states[-1] if states else None, scores[block], values[block], exp))
    return states


def tiled(q: Matrix, k: Matrix, v: Matrix, block_rows: int, block_columns: int) -> list[Running]:
    """What is kept for each query at the end, tile by tile: keys in the outer loop, queries in the inner one."""
    context = precise()
    queries, keys, values = ([[context.mpf(x.numerator) / x.denominator for x in row] for row in one] for one in (q, k, v))
    scale = 1 / context.sqrt(len(q[0]))
    kept: dict[int, Running] = {}
    for start in range(0, len(keys), block_columns):
        columns = slice(start, start + block_columns)
        for first in range(0, len(queries), block_rows):
            for i in range(first, min(first + block_rows, len(queries))):
                scores = [scale * context.fdot(queries[i], key) for key in keys[columns]]
                kept[i] = absorbed(kept.get(i), scores, values[columns], context.exp)
    return [kept[i] for i in range(len(queries))]
