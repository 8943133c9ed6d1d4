"""Merging in torch, for `find`: cosine similarity, scattered means, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy
import torch
from torch.nn.functional import cosine_similarity, scaled_dot_product_attention

from generators.courses.sydney.seminar2_kv_merging.params import MergingParams

RULES = ("averaged", "pivotal", "weighted")
ROUNDING = 1e-12
"""Cosines that differ by less are equal."""


def tensor(rows: Sequence[Sequence[Fraction]]) -> torch.Tensor:
    """Fractions in float64."""
    return torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float64)


@dataclass(frozen=True)
class Cache:
    """Keys and values (n, d), conserved and evicted tokens from 0, their cosines, and the place where each evicted one goes."""

    keys: torch.Tensor
    values: torch.Tensor
    conserved: list[int]
    evicted: list[int]
    cosines: torch.Tensor
    places: list[int]


def cache_of(keys: torch.Tensor, values: torch.Tensor, numbers: Sequence[int]) -> Cache:
    """A cache whose conserved tokens have these numbers; an evicted one goes to the first of those with the largest cosine."""
    conserved = [number - 1 for number in numbers]
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


def errors(cache: Cache, queries: torch.Tensor) -> torch.Tensor:
    """Relative error of all outputs together, for eviction and for each rule."""
    kept = cache.conserved
    pairs = [(cache.keys[kept], cache.values[kept])]
    pairs += [(merged(cache, rule, cache.keys), merged(cache, rule, cache.values)) for rule in RULES]
    true, *outputs = (
        scaled_dot_product_attention(queries[None], k[None], v[None]) for k, v in [(cache.keys, cache.values), *pairs]
    )
    return torch.stack([(found - true).norm() / true.norm() for found in outputs])


def random_errors(params: MergingParams) -> torch.Tensor:
    """The same for random caches (caches, methods), drawn as the page says: whole numbers from -200 to 200, over 100."""
    size = (3, len(params.merging.keys), len(params.merging.keys[0]))
    rows = []
    for place in range(params.trials.n_seeds):
        drawn = numpy.random.default_rng(params.trials.seed + place).integers(-200, 201, size=size)
        queries, keys, values = torch.from_numpy(drawn).double() / 100
        rows.append(errors(cache_of(keys, values, params.merging.conserved), queries))
    return torch.stack(rows)
