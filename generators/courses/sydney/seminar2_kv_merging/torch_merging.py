"""Merging in torch, for `find`: cosine similarity, scattered means, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch.nn.functional import cosine_similarity, scaled_dot_product_attention

from generators.courses.sydney.seminar2_kv_merging.params import Merging

RULES = ("averaged", "pivotal", "weighted")
ROUNDING = 1e-12
"""Cosines that differ by less are equal."""


def tensor(rows: Sequence[Sequence[Fraction]]) -> torch.Tensor:
    """Fractions in float64."""
    return torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float64)


@dataclass(frozen=True)
class Cache:
    """Keys and values (n, d), conserved and evicted tokens from 0, their cosines, and for each of the latter where it goes."""

    keys: torch.Tensor
    values: torch.Tensor
    conserved: list[int]
    evicted: list[int]
    cosines: torch.Tensor
    places: list[int]

    @property
    def homes(self) -> list[int]:
        """The conserved token to which each evicted one goes."""
        return [self.conserved[place] for place in self.places]


def cache_of(merging: Merging) -> Cache:
    """The cache of the parameters; an evicted token goes to the first of the conserved ones with the largest cosine."""
    keys, values = tensor(merging.keys), tensor(merging.values)
    conserved = [number - 1 for number in merging.conserved]
    evicted = [i for i in range(len(keys)) if i not in conserved]
    cosines = cosine_similarity(keys[evicted][:, None], keys[conserved][None], dim=-1)
    places = (cosines > cosines.amax(1, keepdim=True) - ROUNDING).int().argmax(1)
    return Cache(keys, values, conserved, evicted, cosines, places.tolist())


def merged(cache: Cache, rule: str, rows: torch.Tensor) -> torch.Tensor:
    """Conserved keys or values after merging: the mean of a token and of all that is scattered to it."""
    own, moved, index = rows[cache.conserved], rows[cache.evicted], torch.tensor(cache.places)[:, None]
    if rule == "pivotal":
        moved = (moved + own[cache.places]) / 2
    elif rule == "weighted":
        moved = moved * cache.cosines.gather(1, index)
    return own.scatter_reduce(0, index.expand_as(moved), moved, "mean", include_self=True)


def fates(scores: list[Fraction], n_recent: int, n_top: int) -> list[str]:
    """A token that is not recent is among the top when fewer than n_top of the others stand before it."""
    old = scores[: len(scores) - n_recent]
    ranks = [sum(other > score or (other == score and i < j) for i, other in enumerate(old)) for j, score in enumerate(old)]
    return ["top" if rank < n_top else "evicted" for rank in ranks] + ["recent"] * n_recent


def attended(cache: Cache, queries: Sequence[Sequence[Fraction]]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The outputs of queries over all tokens, and by each method."""
    q, kept = tensor(queries), cache.conserved
    pairs = {"eviction": (cache.keys[kept], cache.values[kept])}
    pairs |= {rule: (merged(cache, rule, cache.keys), merged(cache, rule, cache.values)) for rule in RULES}
    outputs = {name: scaled_dot_product_attention(q[None], k[None], v[None])[0] for name, (k, v) in pairs.items()}
    return scaled_dot_product_attention(q[None], cache.keys[None], cache.values[None])[0], outputs
