"""Softmax attention of one head over some of its keys, on seeded matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

Number: TypeAlias = Any
"""A sympy number, or one of an mpmath context: what `exp` takes and gives."""
Exp: TypeAlias = Callable[[Number], Number]
Matrix: TypeAlias = Sequence[Sequence[Fraction]]

DIGITS = 40
"""Decimal digits in which matrices are computed, so that rounding to a float gives the same one on every machine."""


def plain_output(scores: Sequence[Number], values: Sequence[Sequence[Number]], exp: Exp) -> tuple[Number, ...]:
    """Softmax over all scores at once, then the weighted mean of the values."""
    weights = [exp(score) for score in scores]
    columns = zip(*values, strict=True)
    return tuple(sum(w * value for w, value in zip(weights, column, strict=True)) / sum(weights) for column in columns)


def seeded_matrices(seed: int, n_tokens: int, head_width: int) -> tuple[Matrix, Matrix, Matrix]:
    """Q, K and V of numbers from -2 to 2 with two decimals."""
    import numpy

    numbers = numpy.random.default_rng(seed).integers(-200, 201, size=(3, n_tokens, head_width))
    q, k, v = ([[Fraction(int(x), 100) for x in row] for row in matrix] for matrix in numbers)
    return q, k, v


@dataclass(frozen=True)
class Attention:
    """Scaled scores (n×n) and values (n×d) of one head, as numbers of an mpmath context: floats, or of many digits."""

    context: Any
    scores: Sequence[Sequence[Number]]
    values: Sequence[Sequence[Number]]

    def weights(self, query: int, kept: Sequence[int]) -> list[Number]:
        """The softmax over the scores of the kept tokens."""
        powers = [self.context.exp(self.scores[query][j]) for j in kept]
        total = self.context.fsum(powers)
        return [power / total for power in powers]

    def output(self, query: int, kept: Sequence[int]) -> tuple[Number, ...]:
        """The mean of the kept tokens' values by these weights."""
        scores = [self.scores[query][j] for j in kept]
        return plain_output(scores, [self.values[j] for j in kept], self.context.exp)


def relative_error(context: Any, found: Sequence[Sequence[Number]], true: Sequence[Sequence[Number]]) -> Number:
    """The length of the difference of vectors over the length of the true ones, over all of them together."""
    pairs = [pair for ours, theirs in zip(found, true, strict=True) for pair in zip(ours, theirs, strict=True)]
    off = context.fsum((ours - theirs) ** 2 for ours, theirs in pairs)
    return context.sqrt(off / context.fsum(theirs**2 for _, theirs in pairs))
