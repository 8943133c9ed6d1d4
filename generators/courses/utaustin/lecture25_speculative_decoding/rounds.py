"""Speculative decoding: a draft model proposes tokens, the target keeps a prefix of them and adds one of its own.

A model is a row of exact next-token probabilities for each token that may stand before.
Source: Leviathan, Kalman and Matias 2023, arXiv 2211.17192.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, takewhile
from typing import TypeAlias

Distribution: TypeAlias = tuple[Fraction, ...]
Model: TypeAlias = Sequence[Distribution]


def most_likely(distribution: Distribution) -> int:
    """The most likely token; of equals the first."""
    return distribution.index(max(distribution))


def drawn(distribution: Distribution, uniform: Fraction) -> int:
    """The token in whose share of [0, 1) the number falls, shares laid side by side in the order of the vocabulary."""
    return next(token for token, end in enumerate(accumulate(distribution)) if uniform < end)


def acceptance_rate(target: Distribution, draft: Distribution) -> Fraction:
    """The probability that a drafted token is kept: what the two distributions share."""
    return sum((min(p, q) for p, q in zip(target, draft, strict=True)), Fraction(0))


def keep_probability(target: Distribution, draft: Distribution, token: int) -> Fraction:
    """The probability that `token` is kept once it has been drafted; a token that cannot be drafted has none."""
    return min(Fraction(1), target[token] / draft[token])


def excess(target: Distribution, draft: Distribution) -> Distribution:
    """What the target gives each token beyond the draft."""
    return tuple(max(Fraction(0), p - q) for p, q in zip(target, draft, strict=True))


def residual(target: Distribution, draft: Distribution) -> Distribution:
    """The distribution from which a rejected token is drawn again; equal models have none, as nothing is rejected."""
    over = excess(target, draft)
    return tuple(part / sum(over) for part in over)


@dataclass(frozen=True)
class GreedyRound:
    """One target call: what was drafted, what the target would have said at each place, and how much agrees."""

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
class Trial:
    """A drafted token: the token before it, the number that drew it, and the number it was tried with, if it was."""

    before: int
    draw: Fraction
    token: int
    tried_with: Fraction | None
    kept: bool


@dataclass(frozen=True)
class SampledRound:
    """One target call with sampling: the drafted tokens, how many are kept, and the last token with how it was drawn."""

    trials: tuple[Trial, ...]
    accepted: int
    last_before: int
    last_from: Distribution
    last_draw: Fraction
    last: int

    @property
    def rejected(self) -> bool:
        """Whether some drafted token was rejected."""
        return self.accepted < len(self.trials)


def sampled_round(target: Model, draft: Model, last: int, n_drafted: int, uniforms: Iterator[Fraction]) -> SampledRound:
    """Draft, try tokens one after the other, draw the last: one number from `uniforms` for each, in this order."""
    tokens, draws = [last], []
    for _ in range(n_drafted):
        draws.append(next(uniforms))
        tokens.append(drawn(draft[tokens[-1]], draws[-1]))
    trials: list[Trial] = []
    for before, draw, token in zip(tokens, draws, tokens[1:], strict=False):
        tried_with = next(uniforms) if all(trial.kept for trial in trials) else None
        kept = tried_with is not None and tried_with < keep_probability(target[before], draft[before], token)
        trials.append(Trial(before, draw, token, tried_with, kept))
    accepted = sum(trial.kept for trial in trials)
    before = tokens[accepted]
    last_from = target[before] if accepted == n_drafted else residual(target[before], draft[before])
    last_draw = next(uniforms)
    return SampledRound(tuple(trials), accepted, before, last_from, last_draw, drawn(last_from, last_draw))


Outcomes: TypeAlias = dict[tuple[int, ...], Fraction]
"""Probabilities of token sequences."""


def round_outcomes(target: Model, draft: Model, last: int, n_drafted: int) -> Outcomes:
    """The probability of everything that one round after the token `last` may emit, 1 to n_drafted + 1 tokens."""
    p = target[last]
    if n_drafted == 0:
        return {(token,): p[token] for token in range(len(p)) if p[token]}
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


def expected_emitted(outcomes: Outcomes) -> Fraction:
    """The mean length of what a round emits."""
    return sum((len(sequence) * probability for sequence, probability in outcomes.items()), Fraction(0))


def sequence_distribution(target: Model, draft: Model, last: int, n_drafted: int, length: int) -> Outcomes:
    """The probability of every sequence of `length` tokens when rounds follow each other until there are as many."""
    rounds = [round_outcomes(target, draft, before, n_drafted) for before in range(len(target))]
    found: list[Outcomes] = [{} for _ in range(length + 1)]
    found[0] = {(): Fraction(1)}
    for done in range(length):
        for sequence, probability in found[done].items():
            for emitted, share in rounds[sequence[-1] if sequence else last].items():
                longer = (sequence + emitted)[:length]
                held = found[len(longer)]
                held[longer] = held.get(longer, Fraction(0)) + probability * share
    return found[length]


def target_distribution(target: Model, last: int, length: int) -> Outcomes:
    """The probability of every sequence of `length` tokens under the target alone."""
    found: Outcomes = {(): Fraction(1)}
    for _ in range(length):
        found = {
            (*sequence, token): probability * share
            for sequence, probability in found.items()
            for token, share in enumerate(target[sequence[-1] if sequence else last])
            if share
        }
    return found
