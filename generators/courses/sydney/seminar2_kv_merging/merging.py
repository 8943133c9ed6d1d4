"""Folding evicted tokens of a cache into conserved ones, and the score that says which are evicted.

Source: LOOK-M, Wan et al. 2024, arXiv 2406.18139, equations 9 to 12. Tokens count from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias

import sympy

from generators.topics.attention import Attention, precise

Rule: TypeAlias = Literal["averaged", "pivotal", "weighted"]
RULES: tuple[Rule, ...] = ("averaged", "pivotal", "weighted")
Vector: TypeAlias = Sequence[sympy.Expr]
Fate: TypeAlias = Literal["recent", "top", "evicted"]


def cosine(left: Sequence[Fraction], right: Sequence[Fraction]) -> sympy.Expr:
    """The cosine of the angle between two vectors, exactly."""
    return sympy.sympify(_dot(left, right)) / sympy.sqrt(sympy.sympify(_dot(left, left) * _dot(right, right)))


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _signed_square(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """What orders cosines as they are ordered, without roots."""
    product = _dot(left, right)
    return abs(product) * product / (_dot(left, left) * _dot(right, right))


class Assigned(NamedTuple):
    """An evicted token that goes to a conserved one, and the similarity of their keys."""

    token: int
    similarity: sympy.Expr


def assignment(keys: Sequence[Sequence[Fraction]], conserved: Sequence[int]) -> dict[int, list[Assigned]]:
    """For each conserved token the evicted ones that go to it: its key is most similar, of equal ones the first."""
    goes_to: dict[int, list[Assigned]] = {token: [] for token in conserved}
    for token in range(len(keys)):
        if token not in goes_to:
            home = max(conserved, key=lambda kept: _signed_square(keys[token], keys[kept]))
            goes_to[home].append(Assigned(token, cosine(keys[token], keys[home])))
    return goes_to


def merged_entry(own: sympy.Expr, others: Sequence[tuple[sympy.Expr, sympy.Expr]], rule: Rule) -> sympy.Expr:
    """One component of a conserved key or value with those that go to it, given as (component, similarity)."""
    parts = {
        "averaged": [x for x, _ in others],
        "pivotal": [(x + own) / 2 for x, _ in others],
        "weighted": [similarity * x for x, similarity in others],
    }[rule]
    return (own + sum(parts, sympy.Integer(0))) / (len(others) + 1)


def merged(vectors: Sequence[Vector], goes_to: Mapping[int, Sequence[Assigned]], rule: Rule) -> list[list[sympy.Expr]]:
    """The conserved keys or values after merging; a token to which none goes stays as it is."""
    return [
        [
            merged_entry(own, [(vectors[one.token][j], one.similarity) for one in others], rule)
            for j, own in enumerate(vectors[home])
        ]
        for home, others in goes_to.items()
    ]


def attention_over(queries: Sequence[Vector], keys: Sequence[Vector], values: Sequence[Vector]) -> Attention:
    """Attention with scores q·k / √d in many digits."""
    context = precise()
    q, k, v = ([[_precisely(context, x) for x in row] for row in rows] for rows in (queries, keys, values))
    scale = 1 / context.sqrt(len(q[0]))
    return Attention(context, [[scale * context.fdot(query, key) for key in k] for query in q], v)


def _precisely(context: Any, number: sympy.Expr) -> Any:
    if number.is_Rational:
        return context.mpf(int(number.p)) / int(number.q)
    return context.mpf(str(sympy.N(number, context.dps + 5)))


@dataclass(frozen=True)
class TokenScore:
    """What the columns of an attention matrix say about a token, and whether it stays by its score and by its column sum."""

    of_same_kind: Fraction
    of_other_kind: Fraction
    score: Fraction
    fate: Fate
    fate_unraised: Fate

    @property
    def column_sum(self) -> Fraction:
        """All weight that the token received."""
        return self.of_same_kind + self.of_other_kind


def token_scores(weights: Sequence[Sequence[Fraction]], is_text: Sequence[bool], n_recent: int, n_top: int) -> list[TokenScore]:
    """Column sums of a causal attention matrix, text tokens raised by the largest; the last tokens stay, and the top of the rest.

    Of equal scores the earlier token stays.
    """
    n = len(weights)
    same = [sum((weights[i][j] for i in range(j, n) if is_text[i] == is_text[j]), Fraction(0)) for j in range(n)]
    other = [sum((weights[i][j] for i in range(j, n) if is_text[i] != is_text[j]), Fraction(0)) for j in range(n)]
    sums = [a + b for a, b in zip(same, other, strict=True)]
    scores = [total + (max(sums) if text else 0) for total, text in zip(sums, is_text, strict=True)]
    fates = zip(_fates(scores, n_recent, n_top), _fates(sums, n_recent, n_top), strict=True)
    return [TokenScore(same[j], other[j], scores[j], *both) for j, both in enumerate(fates)]


def _fates(scores: Sequence[Fraction], n_recent: int, n_top: int) -> list[Fate]:
    first_recent = len(scores) - n_recent
    top = sorted(range(first_recent), key=lambda j: (-scores[j], j))[:n_top]
    return ["recent" if j >= first_recent else "top" if j in top else "evicted" for j in range(len(scores))]
