"""Speculative decoding: a draft model proposes tokens, the target keeps a prefix of them and adds one of its own.

A model is a row of exact next-token probabilities for each token that may stand before.
Source: Leviathan, Kalman and Matias 2023, arXiv 2211.17192, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, takewhile
from typing import TypeAlias

Distribution: TypeAlias = tuple[Fraction, ...]
Model: TypeAlias = Sequence[Distribution]
Outcomes: TypeAlias = dict[tuple[int, ...], Fraction]
"""Probabilities of token sequences."""


def most_likely(distribution: Distribution) -> int:
    """The most likely token; of equals the first."""
    return distribution.index(max(distribution))


def drawn(distribution: Distribution, uniform: Fraction) -> int:
    """The token in whose share of [0, 1) the number falls; shares lie side by side in the order of the vocabulary."""
    return next(token for token, end in enumerate(accumulate(distribution)) if uniform < end)


def acceptance_rate(target: Distribution, draft: Distribution) -> Fraction:
    """The probability that a drafted token is kept: what the two distributions share."""
    return sum(map(min, target, draft), Fraction(0))


def keep_probability(target: Distribution, draft: Distribution, token: int) -> Fraction:
    """The probability that `token` is kept once it has been drafted."""
    return min(Fraction(1), target[token] / draft[token])


def residual(target: Distribution, draft: Distribution) -> Distribution:
    """The distribution from which a token is drawn in place of a rejected one; equal models have none."""
    over = [max(Fraction(0), p - q) for p, q in zip(target, draft, strict=True)]
    return tuple(part / sum(over) for part in over)


@dataclass(frozen=True)
class GreedyRound:
    """One target call: what was drafted, what the target would choose at each place, and how much agrees."""

    drafted: tuple[int, ...]
    choices: tuple[int, ...]
    accepted: int

    @property
    def emitted(self) -> tuple[int, ...]:
        """The accepted tokens and the target's own next one."""
        return self.choices[: self.accepted + 1]


def greedy_round(target: Model, draft: Model, last: int, n_drafted: int) -> GreedyRound:
    """Draft greedily after the token `last`, and keep tokens up to the first that is not the target's choice."""
    tokens = [last]
    for _ in range(n_drafted):
        tokens.append(most_likely(draft[tokens[-1]]))
    choices = [most_likely(target[before]) for before in tokens]
    accepted = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(tokens[1:], choices, strict=False)))
    return GreedyRound(tuple(tokens[1:]), tuple(choices), accepted)


@dataclass(frozen=True)
class SampledRound:
    """One target call: the token before and the drafted ones, the numbers that drew and tried them, and the last token."""

    tokens: tuple[int, ...]
    draws: tuple[Fraction, ...]
    tries: tuple[Fraction, ...]
    accepted: int
    last_from: Distribution
    last_draw: Fraction
    last: int

    @property
    def rejected(self) -> bool:
        """Whether some drafted token was rejected."""
        return self.accepted < len(self.draws)


def sampled_round(target: Model, draft: Model, last: int, n_drafted: int, uniforms: Iterator[Fraction]) -> SampledRound:
    """Draft, try tokens up to the first that is rejected, draw the last: one number from `uniforms` for each, in this order."""
    tokens, draws = [last], []
    for _ in range(n_drafted):
        draws.append(next(uniforms))
        tokens.append(drawn(draft[tokens[-1]], draws[-1]))
    tries, accepted = [], 0
    while accepted == len(tries) < n_drafted:
        before = tokens[accepted]
        tries.append(next(uniforms))
        accepted += tries[-1] < keep_probability(target[before], draft[before], tokens[len(tries)])
    before = tokens[accepted]
    last_from = target[before] if accepted == n_drafted else residual(target[before], draft[before])
    last_draw = next(uniforms)
    return SampledRound(tuple(tokens), tuple(draws), tuple(tries), accepted, last_from, last_draw, drawn(last_from, last_draw))


def round_outcomes(target: Model, draft: Model, last: int, n_drafted: int) -> Outcomes:
    """The probability of everything that one round after the token `last` may emit, 1 to n_drafted + 1 tokens."""
    p = target[last]
    if n_drafted == 0:
        return {(token,): share for token, share in enumerate(p) if share}
    q = draft[last]
    found: Outcomes = {}
    rejected = 1 - acceptance_rate(p, q)
    if rejected:
        found = {(token,): rejected * share for token, share in enumerate(residual(p, q)) if share}
    for token, share in enumerate(q):
        kept = share * keep_probability(p, q, token) if share else 0
        if kept:
            for rest, probability in round_outcomes(target, draft, token, n_drafted - 1).items():
                found[(token, *rest)] = kept * probability
    return found


def completed(outcomes: Outcomes, target: Model, length: int) -> Outcomes:
    """The probability of every sequence of `length` tokens when the target alone goes on behind what was emitted."""
    found = dict(outcomes)
    for size in range(1, length):
        for sequence in [one for one in found if len(one) == size]:
            probability = found.pop(sequence)
            for token, share in enumerate(target[sequence[-1]]):
                if share:
                    longer = (*sequence, token)
                    found[longer] = found.get(longer, Fraction(0)) + probability * share
    return found
