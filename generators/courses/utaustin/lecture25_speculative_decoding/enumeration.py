"""A round of speculative decoding by brute force: every draft and fate added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product

Rows = Mapping[str, Mapping[str, Fraction]]
"""The probability of each next token, by the token before."""
Words = tuple[str, ...]


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


def equally_likely(target: Rows, emitted: Mapping[Words, Fraction], first: str, n: int) -> tuple[int, int]:
    """Complete what a round emitted to n + 1 tokens by the target, from the front of each sequence.

    Returns how many sequences the target alone can emit, and how many of them are equally likely both ways.
    """
    alone = {(first, *sequence): chance(target, (first, *sequence)) for sequence in product(target, repeat=n + 1)}
    possible = {sequence: share for sequence, share in alone.items() if share}
    both = 0
    for sequence, share in possible.items():
        ends = range(2, len(sequence) + 1)
        both += share == sum(emitted.get(sequence[1:end], 0) * chance(target, sequence[end - 1 :]) for end in ends)
    return len(possible), both
