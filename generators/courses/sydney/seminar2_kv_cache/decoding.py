"""Decoding with and without a cache of keys and values: which scores a step computes, and what it costs.

The example's attention has neither scale nor softmax: a token's output is the sum of the values up to it, times their scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy

from generators.topics.roofline import Product

CONTEXT, N_LAYER, N_HEAD, N_KV, N_VOCAB = sympy.symbols("n N_layer n_H n_KV N_vocab", positive=True)
D, WIDTH, INNER = sympy.symbols("D H D_ff", positive=True)
"""Width of the model, of a head, and of the feed-forward network."""
Matrix = Sequence[Sequence[int]]


def scores_of(query: Sequence[int], keys: Matrix) -> list[int]:
    """The products of one query with each key, a row of QKᵀ."""
    return [sum(q * k for q, k in zip(query, key, strict=True)) for key in keys]


def weighted_sum(scores: Sequence[int], values: Matrix) -> list[int]:
    """The values, each times its score, added up."""
    return [sum(score * entry for score, entry in zip(scores, column, strict=True)) for column in zip(*values, strict=True)]


def with_cache(queries: Matrix, keys: Matrix, values: Matrix) -> Iterator[tuple[list[int], list[int]]]:
    """One token after the other appends its key and value to the cache: its row of QKᵀ, and its output."""
    cached_keys: list[Sequence[int]] = []
    cached_values: list[Sequence[int]] = []
    for query, key, value in zip(queries, keys, values, strict=True):
        cached_keys.append(key)
        cached_values.append(value)
        scores = scores_of(query, cached_keys)
        yield scores, weighted_sum(scores, cached_values)


@dataclass(frozen=True)
class Group:
    """Equal products of one step, and how many there are of them."""

    count: sympy.Expr
    product: Product


def groups(fed: sympy.Expr) -> list[Group]:
    """Products of a step that feeds so many of n tokens; the last one alone passes through the output head.

    Query heads that share a head of keys make one product with it.
    """
    queries, keys, shared = N_HEAD * WIDTH, N_KV * WIDTH, fed * N_HEAD / N_KV
    return [
        Group(N_LAYER, Product(fed, D, queries)),
        Group(2 * N_LAYER, Product(fed, D, keys)),
        Group(N_LAYER * N_KV, Product(shared, WIDTH, CONTEXT)),
        Group(N_LAYER * N_KV, Product(shared, CONTEXT, WIDTH)),
        Group(N_LAYER, Product(fed, queries, D)),
        Group(N_LAYER, Product(fed, D, INNER)),
        Group(N_LAYER, Product(fed, INNER, D)),
        Group(sympy.Integer(1), Product(sympy.Integer(1), D, N_VOCAB)),
    ]


def step_flops(fed: sympy.Expr, flops_per_multiply_add: int) -> sympy.Expr:
    """FLOPs of all products of a step over n tokens that feeds so many."""
    return sympy.expand(sum(one.count * one.product.flops(flops_per_multiply_add) for one in groups(fed)))


def step_bytes(fed: sympy.Expr, bytes_per_element: int) -> sympy.Expr:
    """Bytes of the operands and results of all these products, each once."""
    return sympy.expand(sum(one.count * one.product.bytes_moved(bytes_per_element) for one in groups(fed)))


def weight_values() -> sympy.Expr:
    """Values of all matrices."""
    return N_LAYER * 2 * D * (WIDTH * (N_HEAD + N_KV) + INNER) + D * N_VOCAB


def cache_values() -> sympy.Expr:
    """Values of the keys and values of n tokens."""
    return 2 * N_LAYER * N_KV * WIDTH * CONTEXT
