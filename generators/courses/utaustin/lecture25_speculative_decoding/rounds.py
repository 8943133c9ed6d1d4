"""Speculative decoding: a draft model proposes tokens, the target keeps a prefix of them and adds one of its own.

Source: Leviathan, Kalman and Matias 2023, arXiv 2211.17192, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import accumulate, takewhile
from typing import NamedTuple, TypeAlias

Row: TypeAlias = Mapping[str, Fraction]
"""The probability of each token, in the order of the vocabulary."""
Model: TypeAlias = Mapping[str, Row]
"""What may come next, by the token before."""
Outcomes: TypeAlias = dict[tuple[str, ...], Fraction]
"""Probabilities of token sequences."""


def drawn(row: Row, uniform: Fraction) -> str:
    """The token in whose share of [0, 1) the number falls."""
    return next(x for x, end in zip(row, accumulate(row.values()), strict=True) if uniform < end)


def kept(p: Row, q: Row) -> dict[str, Fraction]:
    """The probability that each token is drafted by q and kept by p."""
    return {x: min(p[x], q[x]) for x in p}


def residual(p: Row, q: Row) -> dict[str, Fraction]:
    """The distribution from which a token is drawn in place of a rejected one; p itself where nothing is ever rejected."""
    over = {x: max(Fraction(0), p[x] - q[x]) for x in p}
    return {x: part / sum(over.values()) for x, part in over.items()} if any(over.values()) else dict(p)


def greedy_round(target: Model, draft: Model, last: str, n_drafted: int) -> tuple[list[str], list[str], int]:
    """What is drafted after the token `last`, what the target would choose at each place, and how many tokens agree."""
    tokens = [last]
    for _ in range(n_drafted):
        tokens.append(_most_likely(draft[tokens[-1]]))
    choices = [_most_likely(target[before]) for before in tokens]
    agreed = takewhile(lambda pair: pair[0] == pair[1], zip(tokens[1:], choices, strict=False))
    return tokens[1:], choices, len(list(agreed))


def _most_likely(row: Row) -> str:
    """Of equals the first."""
    return max(row, key=lambda x: row[x])


class SampledRound(NamedTuple):
    """One target call: the token before and the drafted ones, the numbers that drew and tried them, and the last token."""

    tokens: list[str]
    draws: list[Fraction]
    tries: list[Fraction]
    accepted: int
    last_from: Row
    last_draw: Fraction
    last: str


def sampled_round(target: Model, draft: Model, last: str, n_drafted: int, uniforms: Iterator[Fraction]) -> SampledRound:
    """Draft, try tokens up to the first that is rejected, draw the last: one number from `uniforms` for each, in this order."""
    tokens = [last]
    draws = [next(uniforms) for _ in range(n_drafted)]
    for number in draws:
        tokens.append(drawn(draft[tokens[-1]], number))
    tries: list[Fraction] = []
    accepted = 0
    while accepted == len(tries) < n_drafted:
        p, q, x = target[tokens[accepted]], draft[tokens[accepted]], tokens[accepted + 1]
        tries.append(next(uniforms))
        accepted += tries[-1] < min(Fraction(1), p[x] / q[x])
    p, q = target[tokens[accepted]], draft[tokens[accepted]]
    last_from, last_draw = p if accepted == n_drafted else residual(p, q), next(uniforms)
    return SampledRound(tokens, draws, tries, accepted, last_from, last_draw, drawn(last_from, last_draw))


def round_outcomes(target: Model, draft: Model, last: str, n_drafted: int) -> Outcomes:
    """The probability of everything that one round after the token `last` may emit, 1 to n_drafted + 1 tokens."""
    p, q = target[last], draft[last]
    if n_drafted == 0:
        return {(x,): share for x, share in p.items() if share}
    together = kept(p, q)
    rejected = 1 - sum(together.values())
    found: Outcomes = {(x,): rejected * share for x, share in residual(p, q).items() if rejected * share}
    for token in (x for x, share in together.items() if share):
        for rest, share in round_outcomes(target, draft, token, n_drafted - 1).items():
            found[token, *rest] = together[token] * share
    return found


def completed(outcomes: Outcomes, target: Model, length: int) -> Outcomes:
    """The probability of every sequence of `length` tokens when the target alone goes on behind what was emitted."""
    found = dict(outcomes)
    for size in range(1, length):
        for sequence in [one for one in found if len(one) == size]:
            probability = found.pop(sequence)
            for x, share in target[sequence[-1]].items():
                if share:
                    found[*sequence, x] = found.get((*sequence, x), Fraction(0)) + probability * share
    return found
