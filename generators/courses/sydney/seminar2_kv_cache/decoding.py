"""Decoding with and without a cache of keys and values: which scores a step computes, and what it costs.

The example's attention has neither scale nor softmax: a token's output is the sum of the values up to it, times their scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy

from generators.topics.batching import CONTEXT, N_LAYER, D, Group, Sizes, attention_groups, weight_groups
from generators.topics.roofline import Product

PROMPT, NEW = sympy.symbols("L T", positive=True)
"""Tokens of the prompt, and tokens generated after it."""
N_VOCAB = sympy.Symbol("N_vocab", positive=True)
"""Tokens of the vocabulary; V stands for the values here."""
ONE = Sizes(batch=1, vocabulary=N_VOCAB)
"""The step of a single sequence."""

Matrix = Sequence[Sequence[int]]


def scores_of(query: Sequence[int], keys: Matrix) -> list[int]:
    """The products of one query with each key, a row of QKᵀ."""
    return [sum(q * k for q, k in zip(query, key, strict=True)) for key in keys]


def weighted_sum(scores: Sequence[int], values: Matrix) -> list[int]:
    """The values, each times its score, added up."""
    return [sum(score * entry for score, entry in zip(scores, column, strict=True)) for column in zip(*values, strict=True)]


def with_cache(queries: Matrix, keys: Matrix, values: Matrix) -> Iterator[tuple[int, list[int], list[int]]]:
    """One token after the other appends its key and value to the cache: rows read from there, its row of QKᵀ, its output."""
    cached_keys: list[Sequence[int]] = []
    cached_values: list[Sequence[int]] = []
    for query, key, value in zip(queries, keys, values, strict=True):
        cached_keys.append(key)
        cached_values.append(value)
        scores = scores_of(query, cached_keys)
        yield len(cached_keys) - 1, scores, weighted_sum(scores, cached_values)


def cached_groups() -> list[Group]:
    """Products of a step with the cache: one token meets all weights, and its query all n keys and values."""
    return [*weight_groups(ONE), *attention_groups(ONE)]


def uncached_groups() -> list[Group]:
    """Products of a step without it: all n tokens pass through the layers, and the last one through the output head."""
    *layers, _ = weight_groups(Sizes(batch=CONTEXT))
    head = weight_groups(ONE)[-1]
    heads = attention_groups(ONE)[0].count
    width = D / (heads / Sizes().n_layers)
    return [*layers, head, Group(heads, Product(CONTEXT, width, CONTEXT)), Group(heads, Product(CONTEXT, CONTEXT, width))]


def step_flops(groups: Sequence[Group], flops_per_multiply_add: int) -> sympy.Expr:
    """FLOPs of all products of a step over n tokens."""
    return sympy.expand(sum(group.flops(flops_per_multiply_add) for group in groups))


def step_bytes(groups: Sequence[Group], bytes_per_element: int) -> sympy.Expr:
    """Bytes of the operands and results of all products of a step over n tokens, each once."""
    return sympy.expand(sum(group.bytes_moved(bytes_per_element) for group in groups))


def positions(*, cached: bool) -> sympy.Expr:
    """Positions that pass through the layers until T tokens are generated after L: one pass over the prompt, T - 1 steps."""
    return PROMPT + NEW - 1 if cached else NEW * (2 * PROMPT + NEW - 1) / 2


def scores(*, cached: bool) -> sympy.Expr:
    """Scores that a head computes meanwhile: n² in a whole pass over n tokens, n in a step with the cache."""
    if cached:
        return PROMPT**2 + (NEW - 1) * (2 * PROMPT + NEW) / 2
    return NEW * (6 * PROMPT**2 + 6 * PROMPT * (NEW - 1) + (NEW - 1) * (2 * NEW - 1)) / 6


def generation_flops(positions: sympy.Symbol, scores: sympy.Symbol, flops_per_multiply_add: int) -> sympy.Expr:
    """FLOPs of positions through the layers, of scores a head with their values, and of T passes of the output head."""
    return flops_per_multiply_add * (12 * D**2 * N_LAYER * positions + 2 * D * N_LAYER * scores + D * N_VOCAB * NEW)
