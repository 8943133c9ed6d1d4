"""Policies as masks, for `find`: a rule for each pair of positions, torch's attention under a mask, caches without storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy
import torch
from transformers import DynamicCache
from transformers.masking_utils import sliding_window_causal_mask_function

from generators.cells import Cell
from generators.oracles.transformer_layer import DTYPES


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


@dataclass(frozen=True)
class Tried:
    """What the policies do on one head: masks (n, n) by name, evictions, shares of the dense weight, and errors."""

    masks: Mapping[str, torch.Tensor]
    evictions: dict[str, dict[str, Cell]]
    queries: dict[str, dict[str, Cell]]
    overall: dict[str, float]


Pulls = tuple[tuple[int, float, float], ...]
"""Token from 1, what is added to its scores, and the factor of its value."""


def seeded_head(seed: int, n_tokens: int, head_width: int, pulls: Pulls) -> Head:
    """Drawn as the page says: whole numbers from -200 to 200, over 100."""
    drawn = numpy.random.default_rng(seed).integers(-200, 201, size=(3, n_tokens, head_width))
    q, k, v = torch.from_numpy(drawn).double() / 100
    bias = torch.zeros(n_tokens, dtype=torch.float64)
    for token, score, value_scale in pulls:
        bias[token - 1] = score
        v[token - 1] *= value_scale
    return Head(q, k, v, bias)


def by_rule(n: int, rule: Callable[[int, int], bool]) -> torch.Tensor:
    """The mask of a rule about the query's and the token's position, never of what comes later."""
    return torch.tensor([[j <= i and rule(i, j) for j in range(n)] for i in range(n)])


def greedy(head: Head, budget: int, recent: int) -> tuple[torch.Tensor, dict[str, dict[str, Cell]]]:
    """Fill the mask row by row: a row drops the old token with the least weight in the column sums of the rows above."""
    n = len(head.q)
    allowed = torch.zeros(n, n, dtype=torch.bool)
    evictions: dict[str, dict[str, Cell]] = {}
    for i in range(n):
        if i:
            allowed[i] = allowed[i - 1]
        allowed[i, i] = True
        if int(allowed[i].sum()) > budget:
            sums = head.weights(allowed)[:i].sum(0).masked_fill(~allowed[i], torch.inf)
            sums[i - recent + 1 :] = torch.inf
            least = sums.sort(stable=True)
            out, stays = least.indices[:2].tolist()
            evictions[f"query_{i + 1}"] = {
                "query": i + 1, "leaves": out + 1, "its_sum": float(least.values[0]),
                "next": stays + 1, "sum_of_the_next": float(least.values[1]),
            }  # fmt: skip
            allowed[i, out] = False
    return allowed, evictions


@lru_cache(maxsize=16)
def found_on(drawn: tuple[int, int, int], pulls: Pulls, budget: int, initial: int, recent: int) -> Tried:
    """Try every policy on the head of seed, tokens and width."""
    head = seeded_head(*drawn, pulls)
    n = len(head.q)
    by_attention, evictions = greedy(head, budget, recent)
    masks = {
        "dense": by_rule(n, lambda i, j: True),
        "window": by_rule(n, lambda i, j: i - j < budget),
        "initial_and_window": by_rule(n, lambda i, j: j < initial or i - j < budget - initial),
        "attention_based": by_attention,
    }
    whole, true = head.weights(masks["dense"]), head.outputs(masks["dense"])
    limited = {name: mask for name, mask in masks.items() if name != "dense"}
    outputs = {name: head.outputs(mask) for name, mask in limited.items()}
    queries: dict[str, dict[str, Cell]] = {}
    for i in range(budget, n):
        shares = {f"{name}_weight": float(whole[i][mask[i]].sum()) for name, mask in limited.items()}
        errors = {f"{name}_error": float((ours[i] - true[i]).norm() / true[i].norm()) for name, ours in outputs.items()}
        queries[f"query_{i + 1}"] = {"query": i + 1, **shares, **errors}
    overall = {name: float((ours - true).norm() / true.norm()) for name, ours in outputs.items()}
    return Tried(masks, evictions, queries, overall)


def sliding(n_tokens: int, budget: int) -> torch.Tensor:
    """The mask (n, n) of a window as transformers has it."""
    rule, place = sliding_window_causal_mask_function(budget), torch.arange(n_tokens)
    mask: torch.Tensor = rule(torch.tensor(0), torch.tensor(0), place[:, None], place[None, :])
    return mask


def listed(row: torch.Tensor) -> str:
    """The positions of ones from 1, runs of three and more by their ends."""
    numbers = (row.nonzero().flatten() + 1).tolist()
    runs = [[number for _, number in group] for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    parts = ([f"{run[0]}–{run[-1]}"] if len(run) > 2 else map(str, run) for run in runs)
    return ", ".join(part for run in parts for part in run)


@lru_cache(maxsize=256)
def held(n_layers: int, d_model: int, n_heads: int, tokens: int, element: int) -> int:
    """Bytes of the keys and values of that many tokens, added up over the layers of a cache without storage."""
    cache = DynamicCache()
    new = torch.empty(1, n_heads, tokens, d_model // n_heads, dtype=DTYPES[element], device="meta")
    for layer in range(n_layers):
        cache.update(new, new, layer)
    return sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))


def sums(n_layers: int, n_heads: int, tokens: int, element: int) -> int:
    """Bytes of a running sum for every layer, head and token."""
    return torch.empty(n_layers, n_heads, tokens, dtype=DTYPES[element], device="meta").nbytes


def kept_of(length: int, budget: int) -> int:
    """How many tokens are left when each beyond the budget has pushed one out."""
    return length - len(range(budget, length))
