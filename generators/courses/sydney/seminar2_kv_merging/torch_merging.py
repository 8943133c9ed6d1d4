"""Merging in torch, for `find`: pairs of keys in fractions, cosine similarity, scattered means, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch

from generators.cells import Cell
from generators.courses.sydney.seminar2_kv_merging.params import Merging

RULES = ("averaged", "pivotal", "weighted")

Rows = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Cache:
    """Keys and values (n, d) as fractions and in float64, conserved and evicted tokens from 0, and where the latter go."""

    keys: Rows
    values: Rows
    conserved: tuple[int, ...]
    evicted: tuple[int, ...]
    homes: tuple[int, ...]

    @property
    def index(self) -> torch.Tensor:
        """For each evicted token the place among the conserved ones to which it goes."""
        return torch.tensor([self.conserved.index(home) for home in self.homes])


def tensor(rows: Rows) -> torch.Tensor:
    """Fractions in float64."""
    return torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float64)


def signed_square(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """The square of the cosine with the cosine's sign."""
    product = sum(a * b for a, b in zip(left, right, strict=True))
    square = Fraction(product * product) / (sum(a * a for a in left) * sum(b * b for b in right))
    return square if product > 0 else -square


@lru_cache(maxsize=8)
def _cache(keys: Rows, values: Rows, conserved: tuple[int, ...]) -> Cache:
    evicted = tuple(i for i in range(len(keys)) if i not in conserved)
    homes = []
    for i in evicted:
        best = conserved[0]
        for j in conserved[1:]:
            if signed_square(keys[i], keys[j]) > signed_square(keys[i], keys[best]):
                best = j
        homes.append(best)
    return Cache(keys, values, conserved, evicted, tuple(homes))


def cache_of(merging: Merging) -> Cache:
    """The cache of the parameters, each evicted token assigned by comparing all pairs."""
    rows = (tuple(map(tuple, merging.keys)), tuple(map(tuple, merging.values)))
    return _cache(*rows, tuple(number - 1 for number in merging.conserved))


@lru_cache(maxsize=32)
def similarities(cache: Cache) -> torch.Tensor:
    """Cosines (evicted, conserved) by torch."""
    keys = tensor(cache.keys)
    left, right = keys[list(cache.evicted)], keys[list(cache.conserved)]
    return torch.nn.functional.cosine_similarity(left[:, None], right[None], dim=-1)


@lru_cache(maxsize=64)
def merged(cache: Cache, rule: str, which: str) -> torch.Tensor:
    """Conserved keys or values after merging: the mean of a token and of all that is scattered to it."""
    rows = tensor(cache.keys if which == "keys" else cache.values)
    own, index = rows[list(cache.conserved)], cache.index
    moved = rows[list(cache.evicted)]
    if rule == "pivotal":
        moved = (moved + own[index]) / 2
    elif rule == "weighted":
        moved = moved * similarities(cache).gather(1, index[:, None])
    return own.scatter_reduce(0, index[:, None].expand_as(moved), moved, "mean", include_self=True)


def fates(scores: list[Fraction], n_recent: int, n_top: int) -> list[str]:
    """A token that is not recent is among the top when fewer than n_top of the others stand before it."""
    old = scores[: len(scores) - n_recent]
    ranks = [sum(other > score or (other == score and i < j) for i, other in enumerate(old)) for j, score in enumerate(old)]
    return ["top" if rank < n_top else "evicted" for rank in ranks] + ["recent"] * n_recent


@lru_cache(maxsize=8)
def attended(cache: Cache, queries: Rows) -> tuple[dict[str, dict[str, Cell]], dict[str, float]]:
    """The outputs of all tokens with each method's relative error, query by query and over all."""
    q, keys, values = tensor(queries), tensor(cache.keys), tensor(cache.values)
    kept = list(cache.conserved)
    true = _output(q, keys, values)
    outputs = {"eviction": _output(q, keys[kept], values[kept])}
    outputs |= {rule: _output(q, merged(cache, rule, "keys"), merged(cache, rule, "values")) for rule in RULES}
    rows: dict[str, dict[str, Cell]] = {}
    for i in range(len(q)):
        components = {f"o{j}": float(x) for j, x in enumerate(true[i], 1)}
        errors = {name: float((found[i] - true[i]).norm() / true[i].norm()) for name, found in outputs.items()}
        rows[f"query_{i + 1}"] = {"query": i + 1, **components, **errors}
    return rows, {name: float((found - true).norm() / true.norm()) for name, found in outputs.items()}


def _output(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]
