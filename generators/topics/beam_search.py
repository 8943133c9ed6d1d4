"""Beam search on a tree of tokens, step by step; with one beam it is greedy search."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from generators.topics.token_tree import Sequence, Tree, complete_sequences, followers

Ties: TypeAlias = Literal["first", "last"]
"""Which of two equal candidates is preferred: the one that stands first, or last, in the tree from left to right."""


@dataclass(frozen=True)
class Scoring:
    """How the weights along a path make its score, and the score of the empty path."""

    join: Callable[[Fraction, Fraction], Fraction]
    empty: Fraction


PRODUCT = Scoring(operator.mul, Fraction(1))
SUM = Scoring(operator.add, Fraction(0))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A sequence scored at one step: the score before its last token, that token's weight, its score and rank from 1.

    One that had ended before has no last token at this step: it keeps its score and its place among the candidates.
    """

    sequence: Sequence
    before: Fraction | None
    weight: Fraction | None
    score: Fraction
    rank: int
    kept: bool


Track: TypeAlias = tuple[tuple[Candidate, ...], ...]
"""All candidates of each step, best first."""


def beam_search(tree: Tree, width: int, scoring: Scoring, ties: Ties = "first") -> Track:
    """Keep the `width` best candidates of each step, all of them where there are fewer, until all that are kept have ended."""
    below = followers(tree)
    kept: list[tuple[Sequence, Fraction]] = [((), scoring.empty)]
    track: list[tuple[Candidate, ...]] = []
    while any(sequence in below for sequence, _ in kept):
        scored = [(longer, score) for sequence, score in kept for longer in below.get(sequence, [sequence])]
        step = _ranked(tree, scored, len(track) + 1, width, scoring, ties)
        kept = [(candidate.sequence, candidate.score) for candidate in step if candidate.kept]
        track.append(step)
    return tuple(track)


def _ranked(
    tree: Tree, scored: list[tuple[Sequence, Fraction]], length: int, width: int, scoring: Scoring, ties: Ties
) -> tuple[Candidate, ...]:
    """Candidates of `length` tokens with the scores before their last ones, and shorter ones that have ended with their own."""
    place = {prefix: number if ties == "first" else -number for number, prefix in enumerate(tree)}
    rows = [
        (one, before, tree[one], scoring.join(before, tree[one])) if len(one) == length else (one, None, None, before)
        for one, before in scored
    ]
    rows.sort(key=lambda row: (-row[3], place[row[0]]))
    return tuple(
        Candidate(sequence=sequence, before=before, weight=weight, score=score, rank=rank, kept=rank <= width)
        for rank, (sequence, before, weight, score) in enumerate(rows, 1)
    )


def final(track: Track) -> tuple[Candidate, ...]:
    """The sequences a search ends with, best first."""
    return tuple(candidate for candidate in track[-1] if candidate.kept)


def exhaustive_search(tree: Tree, scoring: Scoring, ties: Ties = "first") -> tuple[Candidate, ...]:
    """Every complete sequence, best first: a beam as wide as there are sequences prunes nothing."""
    return beam_search(tree, len(complete_sequences(tree)), scoring, ties)[-1]


def smallest_width(tree: Tree, scoring: Scoring, ties: Ties = "first") -> int:
    """The smallest number of beams with which the search ends with a sequence that none exceeds."""
    best = exhaustive_search(tree, scoring, ties)[0].score
    width = 1
    while final(beam_search(tree, width, scoring, ties))[0].score < best:
        width += 1
    return width


def scored_candidates(track: Track) -> int:
    """How many candidates a search scores in all its steps; one that has ended is scored once."""
    return sum(candidate.weight is not None for step in track for candidate in step)


Fate: TypeAlias = Literal["final", "kept", "pruned", "not scored"]


def fates(tree: Tree, track: Track) -> dict[Sequence, Fate]:
    """What became of each prefix of the tree in a search."""
    found: dict[Sequence, Fate] = dict.fromkeys(tree, "not scored")
    for number, step in enumerate(track, 1):
        for candidate in step:
            found[candidate.sequence] = ("final" if number == len(track) else "kept") if candidate.kept else "pruned"
    return found


def first_loss(track: Track, sequence: Sequence) -> int | None:
    """The step, from 1, that prunes the beginning of `sequence`; None where it is kept to the end."""
    for number, step in enumerate(track, 1):
        if not any(candidate.kept and candidate.sequence == sequence[:number] for candidate in step):
            return number
    return None
