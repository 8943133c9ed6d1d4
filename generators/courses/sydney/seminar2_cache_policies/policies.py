"""Which tokens a cache of limited size keeps, and what attention over them loses.

Sources: window and initial tokens, Xiao et al. 2023, arXiv 2309.17453; attention-based, Zhang et al. 2023, arXiv 2306.14048.
Positions count from 0. A query attends after the policy has made room, to at most `budget` tokens, its own among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

import sympy

from generators.courses.sydney.seminar2_cache_policies.params import SeededHead
from generators.topics.attention import Attention, Number, precise, seeded_matrices
from generators.topics.batching import CONTEXT, Sizes, cache_values

BUDGET = sympy.Symbol("B", positive=True)
Kept: TypeAlias = tuple[int, ...]


def dense(n_tokens: int) -> list[Kept]:
    """Each query attends to everything so far."""
    return [tuple(range(i + 1)) for i in range(n_tokens)]


def window(n_tokens: int, budget: int) -> list[Kept]:
    """The last `budget` tokens."""
    return initial_and_window(n_tokens, budget, 0)


def initial_and_window(n_tokens: int, budget: int, n_initial: int) -> list[Kept]:
    """The first `n_initial` tokens, and the last ones in the rest of the budget."""
    first_recent = [max(0, i + 1 - (budget - n_initial)) for i in range(n_tokens)]
    return [(*range(min(n_initial, first)), *range(first, i + 1)) for i, first in enumerate(first_recent)]


def seeded_attention(head: SeededHead) -> Attention:
    """Seeded queries, keys and values, with scores q·k / √d plus the pull of the key's token."""
    context = precise()

    def number(x: Fraction) -> Number:
        return context.mpf(x.numerator) / x.denominator

    q, k, v = seeded_matrices(head.seed, head.n_tokens, head.head_width)
    pulls = {pull.token - 1: (pull.score, pull.value_scale) for pull in head.pulls}
    by_token = [pulls.get(j, (Fraction(0), Fraction(1))) for j in range(head.n_tokens)]
    scale = 1 / context.sqrt(head.head_width)
    scores = [
        [number(_dot(query, key)) * scale + number(pull) for key, (pull, _) in zip(k, by_token, strict=True)] for query in q
    ]
    values = [[number(factor * x) for x in row] for row, (_, factor) in zip(v, by_token, strict=True)]
    return Attention(context, scores, values)


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


Eviction: TypeAlias = tuple[int, list[tuple[int, Number]]]
"""The query that made room, and what could leave with the attention it had so far, least first."""


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


ENTRIES = sympy.Min(CONTEXT, BUDGET)
"""Tokens that are kept of n with a budget of B."""


def cached_values(kept: sympy.Expr) -> sympy.Expr:
    """Values of the keys and values of that many tokens in all layers."""
    return cache_values(Sizes(batch=1)).subs(CONTEXT, kept)
