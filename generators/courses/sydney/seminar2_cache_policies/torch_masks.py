"""Policies as masks, for `find`: a rule for each pair of positions, torch's attention under a mask, caches without storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy
import torch
from transformers import DynamicCache

from generators.courses.sydney.seminar2_cache_policies.params import Memory, PolicyParams, SeededHead
from generators.oracles.products import DTYPES

Evictions = dict[str, tuple[int | float, ...]]
"""By query: its number, the token that leaves with its sum of weights, and the next one with its sum."""


@dataclass(frozen=True)
class Heads:
    """Queries, keys and values (heads, n, d) in float64, and what is added to the scores of each token."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    bias: torch.Tensor

    def weights(self, allowed: torch.Tensor) -> torch.Tensor:
        """Softmax over the allowed scores (heads, n, n)."""
        scores: torch.Tensor = self.q @ self.k.mT / self.q.shape[-1] ** 0.5 + self.bias
        return scores.masked_fill(~allowed, -torch.inf).softmax(-1)

    def outputs(self, allowed: torch.Tensor) -> torch.Tensor:
        """Torch's own attention (heads, n, d), with pulls and mask added to the scores."""
        mask = self.bias.expand(len(self.q), len(self.bias), -1).masked_fill(~allowed, -torch.inf)
        return torch.nn.functional.scaled_dot_product_attention(self.q, self.k, self.v, mask)


def seeded_heads(head: SeededHead, *, pulled: bool = True) -> Heads:
    """Drawn as the page says: whole numbers from -200 to 200, over 100; a seed a head."""
    size, seeds = (3, head.n_tokens, head.head_width), range(head.seed, head.seed + head.n_seeds)
    drawn = numpy.stack([numpy.random.default_rng(seed).integers(-200, 201, size=size) for seed in seeds], axis=1)
    q, k, v = torch.from_numpy(drawn).double() / 100
    bias = torch.zeros(head.n_tokens, dtype=torch.float64)
    for pull in head.pulls if pulled else ():
        bias[pull.token - 1] = float(pull.score)
        v[:, pull.token - 1] *= float(pull.value_scale)
    return Heads(q, k, v, bias)


def by_rule(n: int, rule: Callable[[int, int], bool]) -> torch.Tensor:
    """The mask of a rule about the query's and the token's position, never of what comes later."""
    return torch.tensor([[j <= i and rule(i, j) for j in range(n)] for i in range(n)])


def greedy(heads: Heads, budget: int, recent: int) -> tuple[torch.Tensor, Evictions]:
    """Fill the masks row by row: a row drops the old token with the least weight in the column sums of the rows above.

    Returns all masks (heads, n, n), and what the first head evicts.
    """
    count, n, _ = heads.q.shape
    allowed = torch.zeros(count, n, n, dtype=torch.bool)
    evictions: Evictions = {}
    for i in range(n):
        allowed[:, i] = allowed[:, i - 1] if i else allowed[:, i]
        allowed[:, i, i] = True
        if i >= budget:
            sums = heads.weights(allowed)[:, :i].sum(1).masked_fill(~allowed[:, i], torch.inf)
            sums[:, i - recent + 1 :] = torch.inf
            least = sums.sort(stable=True)
            allowed[torch.arange(count), i, least.indices[:, 0]] = False
            (out, stays), (its_sum, other) = least.indices[0, :2].tolist(), least.values[0, :2].tolist()
            evictions[f"query_{i + 1}"] = (i + 1, out + 1, round(its_sum, 3), stays + 1, round(other, 3))
    return allowed, evictions


def static_masks(params: PolicyParams) -> dict[str, torch.Tensor]:
    """The masks (n, n) that depend on positions alone."""
    n, budget, initial = params.attention.n_tokens, params.budget, params.n_initial
    return {
        "dense": by_rule(n, lambda i, j: True),
        "window": by_rule(n, lambda i, j: i - j < budget),
        "initial_and_window": by_rule(n, lambda i, j: j < initial or i - j < budget - initial),
    }


def error_rows(params: PolicyParams, *, pulled: bool) -> torch.Tensor:
    """Relative errors (heads, policies) of all outputs of a head together under each mask."""
    heads, static = seeded_heads(params.attention, pulled=pulled), static_masks(params)
    masks = [static["window"], static["initial_and_window"], greedy(heads, params.budget, params.n_recent)[0]]
    true = heads.outputs(static["dense"])
    return torch.stack([(heads.outputs(mask) - true).norm(dim=(1, 2)) / true.norm(dim=(1, 2)) for mask in masks], dim=1)


def kept_bytes(model: Memory, tokens: int, element: int) -> int:
    """Bytes of the keys and values of that many tokens, added up over the layers of a cache without storage."""
    cache = DynamicCache()
    width = model.head_dim if model.head_dim is not None else model.d_model // model.n_heads
    new = torch.empty(1, _kv_heads(model), tokens, width, dtype=DTYPES[element], device="meta")
    for layer in range(model.n_layers):
        cache.update(new, new, layer)
    return sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))


def sums_bytes(model: Memory, tokens: int, element: int) -> int:
    """Bytes of a running sum for every layer, head of keys and token."""
    return torch.empty(model.n_layers, _kv_heads(model), tokens, dtype=DTYPES[element], device="meta").nbytes


def _kv_heads(model: Memory) -> int:
    return model.n_heads if model.n_kv_heads is None else model.n_kv_heads
