"""Folding evicted tokens of a cache into conserved ones, and the score that says which are evicted.

Source: LOOK-M, Wan et al. 2024, arXiv 2406.18139, equations 9 to 12. Tokens count from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias

import mpmath
import sympy

from generators.topics.attention import Attention, relative_error

Rule: TypeAlias = Literal["averaged", "pivotal", "weighted"]
RULES: tuple[Rule, ...] = ("averaged", "pivotal", "weighted")
Number: TypeAlias = Any
"""A Fraction, an expression or a float."""
Rows: TypeAlias = Sequence[Sequence[Number]]
"""Queries, keys or values, one row a token."""


def exact_root(square: Fraction) -> sympy.Expr:
    """A square root as an expression."""
    return sympy.sqrt(sympy.Rational(square.numerator, square.denominator))


class Assigned(NamedTuple):
    """An evicted token that goes to a conserved one, and the similarity of their keys."""

    token: int
    similarity: Number


GoesTo: TypeAlias = Mapping[int, Sequence[Assigned]]
"""For each conserved token the evicted ones that go to it."""


def cosine(left: Sequence[Fraction], right: Sequence[Fraction], root: Callable[[Fraction], Number]) -> Number:
    """The cosine of the angle between two vectors; 0 where one of them is zero."""
    return _dot(left, right) / (root(_dot(left, left) * _dot(right, right)) or 1)


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _signed_square(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """What orders cosines as they are ordered, without roots."""
    product = _dot(left, right)
    return abs(product) * product / (_dot(left, left) * _dot(right, right) or 1)


def assignment(keys: Rows, conserved: Sequence[int], root: Callable[[Fraction], Number]) -> GoesTo:
    """An evicted token goes to the conserved one whose key is most similar, of equal ones to the first."""
    goes_to: dict[int, list[Assigned]] = {token: [] for token in conserved}
    for token, key in enumerate(keys):
        if token not in goes_to:
            home = max(conserved, key=lambda kept: _signed_square(key, keys[kept]))
            goes_to[home].append(Assigned(token, cosine(key, keys[home], root)))
    return goes_to


def merged(vectors: Rows, goes_to: GoesTo, rule: Rule) -> list[list[Number]]:
    """The conserved keys or values after merging; a token to which none goes stays as it is."""
    return [
        [
            _merged_entry(own, [(vectors[one.token][j], one.similarity) for one in others], rule)
            for j, own in enumerate(vectors[home])
        ]
        for home, others in goes_to.items()
    ]


def _merged_entry(own: Number, others: Sequence[tuple[Number, Number]], rule: Rule) -> Number:
    """One component of a conserved key or value with those that go to it, given as (component, similarity)."""
    parts = {
        "averaged": [x for x, _ in others],
        "pivotal": [(x + own) / 2 for x, _ in others],
        "weighted": [similarity * x for x, similarity in others],
    }[rule]
    return sum(parts, own) / (len(others) + 1)


def errors(queries: Rows, keys: Rows, values: Rows, conserved: Sequence[int]) -> dict[str, float]:
    """Relative error of the outputs of all queries together, for eviction alone and for each rule."""
    goes_to = assignment(keys, conserved, math.sqrt)
    q, k, v = ([list(map(float, row)) for row in rows] for rows in (queries, keys, values))
    caches = {"eviction": ([k[token] for token in goes_to], [v[token] for token in goes_to])}
    caches |= {rule: (merged(k, goes_to, rule), merged(v, goes_to, rule)) for rule in RULES}
    true = _outputs(q, k, v)
    return {name: float(relative_error(mpmath.fp, _outputs(q, *cache), true)) for name, cache in caches.items()}


def _outputs(queries: Rows, keys: Rows, values: Rows) -> list[tuple[Number, ...]]:
    """Attention with scores q·k / √H."""
    scale = len(keys[0]) ** -0.5
    scores = [[scale * mpmath.fp.fdot(query, key) for key in keys] for query in queries]
    attention = Attention(mpmath.fp, scores, values)
    return [attention.output(i, range(len(keys))) for i in range(len(queries))]


class TokenScore(NamedTuple):
    """What the columns of an attention matrix say about a token, and whether it stays."""

    column_sum: Fraction
    score: Fraction
    fate: Literal["recent", "top", "evicted"]


def token_scores(weights: Rows, is_text: Sequence[bool], n_recent: int, n_top: int) -> list[TokenScore]:
    """Column sums of a causal attention matrix, text tokens raised by the largest; the last tokens stay, and the top of the rest.

    Of equal scores the earlier token stays.
    """
    first_recent = len(weights) - n_recent
    sums = [sum((row[j] for row in weights[j:]), Fraction(0)) for j in range(len(weights))]
    scores = [total + max(sums) * text for total, text in zip(sums, is_text, strict=True)]
    top = sorted(range(first_recent), key=lambda j: (-scores[j], j))[:n_top]
    return [
        TokenScore(sums[j], scores[j], "recent" if j >= first_recent else "top" if j in top else "evicted")
        for j in range(len(weights))
    ]
