"""Policies as masks, for `find`: a rule for each pair of positions, torch's attention under a mask, caches without storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy
import torch
from transformers import DynamicCache

from generators.courses.sydney.seminar2_cache_policies.params import Memory, PolicyParams, SeededHead
from generators.oracles.transformer_layer import DTYPES

Evictions = dict[str, tuple[int | float, ...]]
"""By query: its number, the token that leaves with its sum of weights, and the next one with its sum."""


@dataclass(frozen=True)
class Head:
    """Queries, keys and values (n, d) in float64, and what is added to the scores of each token."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    bias: torch.Tensor

    def weights(self, allowed: torch.Tensor) -> torch.Tensor:
        """Softmax over the allowed scores (n, n)."""
        scores: torch.Tensor = self.q @ self.k.T / self.q.shape[1] ** 0.5 + self.bias
        return scores.masked_fill(~allowed, -torch.inf).softmax(-1)

    def outputs(self, allowed: torch.Tensor) -> torch.Tensor:
        """Torch's own attention (n, d), with pulls and mask added to the scores."""
        mask = self.bias.expand(len(self.q), -1).masked_fill(~allowed, -torch.inf)
        return torch.nn.functional.scaled_dot_product_attention(self.q[None], self.k[None], self.v[None], mask[None])[0]


def seeded_head(head: SeededHead) -> Head:
    """Drawn as the page says: whole numbers from -200 to 200, over 100."""
    drawn = numpy.random.default_rng(head.seed).integers(-200, 201, size=(3, head.n_tokens, head.head_width))
    q, k, v = torch.from_numpy(drawn).double() / 100
    bias = torch.zeros(head.n_tokens, dtype=torch.float64)
    for pull in head.pulls:
        bias[pull.token - 1] = float(pull.score)
        v[pull.token - 1] *= float(pull.value_scale)
    return Head(q, k, v, bias)


def by_rule(n: int, rule: Callable[[int, int], bool]) -> torch.Tensor:
    """The mask of a rule about the query's and the token's position, never of what comes later."""
    return torch.tensor([[j <= i and rule(i, j) for j in range(n)] for i in range(n)])


def greedy(head: Head, budget: int, recent: int) -> tuple[torch.Tensor, Evictions]:
    """Fill the mask row by row: a row drops the old token with the least weight in the column sums of the rows above."""
    n = len(head.q)
    allowed = torch.zeros(n, n, dtype=torch.bool)
    evictions: Evictions = {}
    for i in range(n):
        if i:
            allowed[i] = allowed[i - 1]
        allowed[i, i] = True
        if int(allowed[i].sum()) > budget:
            sums = head.weights(allowed)[:i].sum(0).masked_fill(~allowed[i], torch.inf)
            sums[i - recent + 1 :] = torch.inf
            least = sums.sort(stable=True)
            (out, stays), (its_sum, other) = least.indices[:2].tolist(), least.values[:2].tolist()
            evictions[f"query_{i + 1}"] = (i + 1, out + 1, its_sum, stays + 1, other)
            allowed[i, out] = False
    return allowed, evictions


def policies(params: PolicyParams, head: Head) -> tuple[dict[str, torch.Tensor], Evictions]:
    """The masks (n, n) of all policies by name, and what the last of them evicts."""
    n, budget, initial = params.attention.n_tokens, params.budget, params.n_initial
    by_attention, evictions = greedy(head, budget, params.n_recent)
    return {
        "dense": by_rule(n, lambda i, j: True),
        "window": by_rule(n, lambda i, j: i - j < budget),
        "initial_and_window": by_rule(n, lambda i, j: j < initial or i - j < budget - initial),
        "attention_based": by_attention,
    }, evictions


def listed(row: torch.Tensor) -> str:
    """The positions of ones from 1, runs of three and more by their ends."""
    numbers = (row.nonzero().flatten() + 1).tolist()
    runs = [[number for _, number in group] for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    parts = ([f"{run[0]}–{run[-1]}"] if len(run) > 2 else map(str, run) for run in runs)
    return ", ".join(part for run in parts for part in run)


def held(model: Memory, tokens: int, element: int) -> int:
    """Bytes of the keys and values of that many tokens, added up over the layers of a cache without storage."""
    cache = DynamicCache()
    new = torch.empty(1, model.n_heads, tokens, model.d_model // model.n_heads, dtype=DTYPES[element], device="meta")
    for layer in range(model.n_layers):
        cache.update(new, new, layer)
    return sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))


def sums(model: Memory, tokens: int, element: int) -> int:
    """Bytes of a running sum for every layer, head and token."""
    return torch.empty(model.n_layers, model.n_heads, tokens, dtype=DTYPES[element], device="meta").nbytes
