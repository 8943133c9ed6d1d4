"""Which tokens a cache of limited size keeps, and what attention over them loses.

Sources: window and initial tokens, Xiao et al. 2023, arXiv 2309.17453; attention-based, Zhang et al. 2023, arXiv 2306.14048.
Positions count from 0. A query attends after the policy has made room, to at most `budget` tokens, its own among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import mpmath

from generators.courses.sydney.seminar2_cache_policies.params import PolicyParams, SeededHead
from generators.topics.attention import Attention, Number, relative_error, seeded_matrices

Kept: TypeAlias = tuple[int, ...]
"""Positions to which a query attends."""
Eviction: TypeAlias = tuple[int, list[tuple[int, Number]]]
"""The query that made room, and what could leave with the attention it had so far, least first."""


def window(n_tokens: int, budget: int, n_initial: int = 0) -> list[Kept]:
    """The first `n_initial` tokens, and the last ones in the rest of the budget."""
    first_recent = [max(0, i + 1 - (budget - n_initial)) for i in range(n_tokens)]
    return [(*range(min(n_initial, first)), *range(first, i + 1)) for i, first in enumerate(first_recent)]


def attention_based(attention: Attention, budget: int, n_recent: int) -> tuple[list[Kept], list[Eviction]]:
    """Keep the last `n_recent` tokens, and of the others those to which earlier queries gave most weight in all.

    A token's sum begins with its own query. Of equal sums the older token leaves.
    """
    kept: list[int] = []
    sums: dict[int, Number] = {}
    all_kept: list[Kept] = []
    evictions: list[Eviction] = []
    for query in range(len(attention.scores)):
        kept.append(query)
        if len(kept) > budget:
            old = sorted((j for j in kept if j <= query - n_recent), key=lambda j: (sums[j], j))
            evictions.append((query, [(j, sums[j]) for j in old]))
            kept.remove(old[0])
        for j, weight in zip(kept, attention.weights(query, tuple(kept)), strict=True):
            sums[j] = sums.get(j, 0) + weight
        all_kept.append(tuple(kept))
    return all_kept, evictions


def seeded_attention(head: SeededHead, seed: int, *, pulled: bool = True) -> Attention:
    """Seeded queries, keys and values, with scores q·k / √d; pulls are added to the scores of their tokens."""
    q, k, v = ([list(map(float, row)) for row in matrix] for matrix in seeded_matrices(seed, head.n_tokens, head.head_width))
    pull, factor = [0.0] * head.n_tokens, [1.0] * head.n_tokens
    for one in head.pulls if pulled else ():
        pull[one.token - 1], factor[one.token - 1] = float(one.score), float(one.value_scale)
    scale = head.head_width**-0.5
    scores = [[scale * mpmath.fp.fdot(query, key) + added for key, added in zip(k, pull, strict=True)] for query in q]
    return Attention(mpmath.fp, scores, [[times * x for x in row] for row, times in zip(v, factor, strict=True)])


def kept_by(params: PolicyParams, attention: Attention) -> dict[str, list[Kept]]:
    """What each query of a head attends to, by policy; dense attention is a window over all tokens."""
    n, budget = len(attention.scores), params.budget
    return {
        "dense": window(n, n),
        "window": window(n, budget),
        "initial_and_window": window(n, budget, params.n_initial),
        "attention_based": attention_based(attention, budget, params.n_recent)[0],
    }


def errors(attention: Attention, kept: Mapping[str, Sequence[Kept]]) -> dict[str, float]:
    """Relative error of all outputs of a head together, by policy with a budget."""
    found = {name: [attention.output(i, ones) for i, ones in enumerate(by_query)] for name, by_query in kept.items()}
    true = found.pop("dense")
    return {name: float(relative_error(mpmath.fp, outputs, true)) for name, outputs in found.items()}
