"""Rounds of speculative decoding by brute force: every draft and fate added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product

Rows = Mapping[str, Mapping[str, Fraction]]
"""The probability of each next token, by the token before."""
Words = tuple[str, ...]
Numbers = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Models:
    """Target and draft over one vocabulary, hashable so that what is found can be kept."""

    vocabulary: Words
    target_rows: Numbers
    draft_rows: Numbers

    def _named(self, numbers: Numbers) -> Rows:
        words = self.vocabulary
        return {before: dict(zip(words, row, strict=True)) for before, row in zip(words, numbers, strict=True)}

    @property
    def target(self) -> Rows:
        """The target by words."""
        return self._named(self.target_rows)

    @property
    def draft(self) -> Rows:
        """The draft by words."""
        return self._named(self.draft_rows)


def redrawn(p: Mapping[str, Fraction], q: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """What p has beyond q, scaled to sum to 1."""
    over = {x: p[x] - min(p[x], q[x]) for x in p}
    return {x: share / sum(over.values()) for x, share in over.items()}


def one_round(target: Rows, draft: Rows, first: str, n: int) -> dict[Words, Fraction]:
    """Add up the probability of every draft of n tokens, every place of the first rejection, and every last token."""
    found: dict[Words, Fraction] = defaultdict(Fraction)
    for drafted in product(target, repeat=n):
        befores = (first, *drafted)
        weight = chance(draft, befores)
        for kept, before in enumerate(befores):
            if not weight:
                break
            ends, weight = _ended(target[before], draft[before], drafted[kept] if kept < n else None, weight)
            for last, share in ends.items():
                found[(*drafted[:kept], last)] += share
    return {sequence: share for sequence, share in found.items() if share}


def _ended(
    p: Mapping[str, Fraction], q: Mapping[str, Fraction], drafted: str | None, weight: Fraction
) -> tuple[dict[str, Fraction], Fraction]:
    """How the round ends here with each last token, and the weight with which it goes on; `drafted` is none at the end."""
    if drafted is None:
        return {x: weight * p[x] for x in p}, Fraction(0)
    lost = weight * (q[drafted] - min(p[drafted], q[drafted])) / q[drafted]
    return ({x: lost * share for x, share in redrawn(p, q).items()} if lost else {}), weight - lost


def chance(rows: Rows, sequence: Sequence[str]) -> Fraction:
    """The probability of all tokens but the first, each after the one before."""
    share = Fraction(1)
    for before, x in pairwise(sequence):
        share *= rows[before][x]
    return share


@dataclass(frozen=True)
class Enumerated:
    """Sequences of n + 1 tokens, how many of them are equally likely both ways, and the mean length of a round."""

    possible: int
    equal: int
    mean: Fraction


@lru_cache(maxsize=8)
def enumerated(models: Models, first: str, n: int) -> Enumerated:
    """Let rounds follow each other until n + 1 tokens stand, with every way this may happen."""
    target, draft = models.target, models.draft
    rounds = {before: one_round(target, draft, before, n) for before in target}
    unfinished: dict[Words, Fraction] = {(first,): Fraction(1)}
    finished: dict[Words, Fraction] = defaultdict(Fraction)
    while unfinished:
        so_far, weight = unfinished.popitem()
        for emitted, share in rounds[so_far[-1]].items():
            longer = (*so_far, *emitted)[: n + 2]
            held = finished if len(longer) == n + 2 else unfinished
            held[longer] = held.get(longer, Fraction(0)) + weight * share
    alone = {(first, *sequence): chance(target, (first, *sequence)) for sequence in product(target, repeat=n + 1)}
    possible = {sequence: share for sequence, share in alone.items() if share}
    equal = sum(finished[sequence] == share for sequence, share in possible.items())
    mean = sum((len(sequence) * share for sequence, share in rounds[first].items()), Fraction(0))
    return Enumerated(len(possible), equal, mean)
